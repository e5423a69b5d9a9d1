//! Regular expressions, checked before Envoy sees them: one that RE2 refuses would cost all routes of a listener.

use regex_syntax::ast::{self, Ast, Flag, RepetitionKind, RepetitionRange, parse::Parser};
use regex_syntax::hir::{Class, Hir, HirKind, translate::TranslatorBuilder};
use regex_syntax::utf8::Utf8Sequences;

use crate::read::Node;

mod re2;

/// RE2's own limit, of repetitions within repetitions too.
const MOST_REPETITIONS: u32 = 1_000;
/// RE2 gives up far above this.
const LARGEST_PROGRAM: usize = 10_000;

/// A regular expression that RE2 takes.
pub(crate) fn pattern(node: &Node<'_>) -> Option<String> {
    let pattern = node.non_empty()?;
    match check(&pattern) {
        Ok(_) => Some(pattern),
        Err(reason) => node.error(format!("invalid regular expression {pattern:?}: {reason}")),
    }
}

/// The number of groups, or what RE2 does not take.
pub fn check(pattern: &str) -> Result<usize, String> {
    let pattern = &re2::written_for_regex(pattern)?;
    let ast = Parser::new()
        .parse(pattern)
        .map_err(|error| error.kind().to_string())?;
    let mut re2 = Re2::default();
    ast::visit(&ast, &mut re2)
        .map_err(|()| re2.refused.unwrap_or("not known to RE2").to_owned())?;
    // Classes by name (`\p{…}`) are only checked here.
    let hir = compile(pattern, &ast)?;
    match program_size(&hir) {
        0..=LARGEST_PROGRAM => Ok(re2.groups),
        _ => Err("too large when its repetitions and classes are written out".to_owned()),
    }
}

/// About how many instructions RE2 makes of an expression, and rather too many than too few.
pub fn regex_size(pattern: &str) -> usize {
    let pattern = re2::written_for_regex(pattern).unwrap_or_default();
    let ast = Parser::new().parse(&pattern).ok();
    let hir = ast.and_then(|ast| compile(&pattern, &ast).ok());
    hir.map_or(usize::MAX, |hir| program_size(&hir))
}

/// What everything begins with that an expression matches as a whole, as far as that is plain: in ASCII, and before
/// anything that is not a character. Nothing, if it is not plain.
pub fn regex_start(pattern: &str) -> String {
    let Ok(ast) = Parser::new().parse(pattern) else {
        return String::new();
    };
    let parts = match &ast {
        Ast::Concat(concat) => &concat.asts[..],
        one => std::slice::from_ref(one),
    };
    let plain = parts.iter().map_while(|part| match part {
        Ast::Literal(literal) => Some(literal.c).filter(char::is_ascii_graphic),
        _ => None,
    });
    plain.collect()
}

fn compile(pattern: &str, ast: &Ast) -> Result<Hir, String> {
    let mut translator = TranslatorBuilder::new().utf8(false).build();
    let hir = translator.translate(pattern, ast);
    hir.map_err(|error| error.kind().to_string())
}

fn program_size(hir: &Hir) -> usize {
    let all = |parts: &[Hir]| {
        let sizes = parts.iter().map(program_size);
        sizes.fold(parts.len(), usize::saturating_add)
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Bytes(class)) => class.ranges().len(),
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = class.ranges().iter();
            let sequences = ranges.flat_map(|range| Utf8Sequences::new(range.start(), range.end()));
            sequences.map(|sequence| sequence.len()).sum()
        }
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            let once = program_size(&repetition.sub).saturating_add(1);
            once.saturating_mul(usize::try_from(times).unwrap_or(usize::MAX))
        }
        HirKind::Capture(capture) => program_size(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => all(parts),
    }
}

/// What the `regex` family has and RE2 has not.
#[derive(Default)]
struct Re2 {
    groups: usize,
    /// How often what stands here is repeated, by each repetition around it.
    repeated: Vec<u32>,
    refused: Option<&'static str>,
}

impl Re2 {
    fn refuse(&mut self, reason: &'static str) -> Result<(), ()> {
        self.refused = Some(reason);
        Err(())
    }

    fn flags(&mut self, flags: &ast::Flags) -> Result<(), ()> {
        let known = |item: &ast::FlagsItem| match &item.kind {
            ast::FlagsItemKind::Negation => true,
            ast::FlagsItemKind::Flag(flag) => matches!(
                flag,
                Flag::CaseInsensitive | Flag::MultiLine | Flag::DotMatchesNewLine | Flag::SwapGreed
            ),
        };
        if flags.items.iter().all(known) {
            return Ok(());
        }
        self.refuse("only the flags i, m, s and U are known")
    }
}

impl ast::Visitor for &mut Re2 {
    type Output = ();
    type Err = ();

    fn finish(self) -> Result<(), ()> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), ()> {
        match ast {
            Ast::Flags(set) => self.flags(&set.flags),
            Ast::Group(group) => match &group.kind {
                ast::GroupKind::NonCapturing(flags) => self.flags(flags),
                _ => {
                    self.groups += 1;
                    Ok(())
                }
            },
            Ast::Literal(literal) => self.literal(literal),
            Ast::Repetition(repetition) => self.repetition(repetition),
            _ => Ok(()),
        }
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), ()> {
        if let Ast::Repetition(_) = ast {
            self.repeated.pop();
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), ()> {
        match item {
            ast::ClassSetItem::Literal(literal) => self.literal(literal),
            _ => Ok(()),
        }
    }
}

impl Re2 {
    fn repetition(&mut self, repetition: &ast::Repetition) -> Result<(), ()> {
        if let Ast::Repetition(_) = *repetition.ast {
            return self.refuse("a repetition of a repetition needs a group");
        }
        self.repeated.push(match &repetition.op.kind {
            RepetitionKind::Range(
                RepetitionRange::Exactly(n)
                | RepetitionRange::AtLeast(n)
                | RepetitionRange::Bounded(_, n),
            ) => (*n).max(1),
            _ => 1,
        });
        let times = self.repeated.iter().copied().fold(1, u32::saturating_mul);
        if times > MOST_REPETITIONS {
            return self.refuse("more than 1000 repetitions, counting those within others");
        }
        Ok(())
    }

    fn literal(&mut self, literal: &ast::Literal) -> Result<(), ()> {
        match literal.kind {
            ast::LiteralKind::HexFixed(ast::HexLiteralKind::X)
            | ast::LiteralKind::HexBrace(ast::HexLiteralKind::X) => Ok(()),
            ast::LiteralKind::HexFixed(_) | ast::LiteralKind::HexBrace(_) => {
                self.refuse(r"\u is not known to RE2")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_re2_takes_is_taken_and_its_groups_are_counted() {
        for (pattern, groups) in [
            ("/users/([0-9]+)/(.*)", 2),
            ("(?i)abc|(?:d)", 0),
            (r"[[:alpha:]]+\d\pN\x{41}\bx", 0),
            ("(?P<id>a{2,1000})", 1),
            ("[^/]+", 0),
        ] {
            assert_eq!(check(pattern), Ok(groups), "{pattern}");
        }
    }

    #[test]
    fn sizes_are_not_below_those_of_re2() {
        // As Envoy 1.40 tells them.
        assert!(regex_size("/[a-z0-9-]{1,63}(/[a-z0-9-]{1,63}){0,5}") >= 1_531);
        assert!(regex_size("/users/[0-9]+") < 100);
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        for pattern in [
            "[a-z",
            "(",
            "*",
            "a{1001}",
            "(?x)a",
            r"\u0041",
            r"(?=a)",
            r"\1",
            r"\p{NoSuchClass}",
            "a**",
            "x*{2}",
            "([a-z]{1,1000}){1,10}",
            r"(\pL{1,30}){1,30}",
        ] {
            assert!(check(pattern).is_err(), "{pattern}");
        }
    }

    /// `tests/e2e` asks Envoy the same.
    #[test]
    fn what_envoy_takes_is_taken_and_what_it_refuses_is_refused() {
        let known = include_str!("../../../tests/golden/regexes.txt");
        let mut wrong = Vec::new();
        for line in known.lines().filter(|line| !line.starts_with('#')) {
            let (answer, pattern) = line.split_once(' ').unwrap();
            let checked = check(pattern);
            if checked.is_ok() != (answer == "taken") {
                wrong.push((answer, pattern, checked));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
