//! Regular expressions, checked before Envoy sees them: one that RE2 refuses would cost all routes of a listener.

use regex_syntax::ast::{self, Ast, Flag, RepetitionKind, RepetitionRange, parse::Parser};

use crate::read::Node;

/// RE2's own limit.
const MOST_REPETITIONS: u32 = 1_000;

/// A regular expression that RE2 takes, and how many groups it has.
pub(crate) struct Checked {
    pub(crate) pattern: String,
    pub(crate) groups: usize,
}

pub(crate) fn read(node: &Node<'_>) -> Option<Checked> {
    let pattern = node.non_empty()?;
    match check(&pattern) {
        Ok(groups) => Some(Checked { pattern, groups }),
        Err(reason) => node.error(format!("invalid regular expression {pattern:?}: {reason}")),
    }
}

/// The number of groups, or what RE2 does not take.
pub(crate) fn check(pattern: &str) -> Result<usize, String> {
    let ast = Parser::new()
        .parse(pattern)
        .map_err(|error| error.kind().to_string())?;
    let mut re2 = Re2 {
        groups: 0,
        refused: None,
    };
    ast::visit(&ast, &mut re2)
        .map_err(|()| re2.refused.unwrap_or("not known to RE2").to_owned())?;
    // Classes by name (`\p{…}`) and the size of repetitions are only checked here.
    regex_syntax::hir::translate::TranslatorBuilder::new()
        .utf8(false)
        .build()
        .translate(pattern, &ast)
        .map_err(|error| error.kind().to_string())?;
    Ok(re2.groups)
}

/// What the `regex` family has and RE2 has not.
struct Re2 {
    groups: usize,
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
            Ast::Assertion(assertion) => match assertion.kind {
                ast::AssertionKind::StartLine
                | ast::AssertionKind::EndLine
                | ast::AssertionKind::StartText
                | ast::AssertionKind::EndText
                | ast::AssertionKind::WordBoundary
                | ast::AssertionKind::NotWordBoundary => Ok(()),
                _ => self.refuse("this kind of word boundary is not known"),
            },
            Ast::Literal(literal) => self.literal(literal),
            Ast::Repetition(repetition) => match &repetition.op.kind {
                RepetitionKind::Range(range) => {
                    let most = match range {
                        RepetitionRange::Exactly(n) | RepetitionRange::AtLeast(n) => *n,
                        RepetitionRange::Bounded(_, n) => *n,
                    };
                    if most > MOST_REPETITIONS {
                        return self.refuse("more than 1000 repetitions");
                    }
                    Ok(())
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), ()> {
        match item {
            ast::ClassSetItem::Bracketed(_) => self.refuse("a class within a class is not known"),
            ast::ClassSetItem::Literal(literal) => self.literal(literal),
            _ => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ast::ClassSetBinaryOp) -> Result<(), ()> {
        self.refuse("operations on classes are not known")
    }
}

impl Re2 {
    fn literal(&mut self, literal: &ast::Literal) -> Result<(), ()> {
        match literal.kind {
            ast::LiteralKind::HexFixed(ast::HexLiteralKind::X)
            | ast::LiteralKind::HexBrace(ast::HexLiteralKind::X) => Ok(()),
            ast::LiteralKind::HexFixed(_) | ast::LiteralKind::HexBrace(_) => {
                self.refuse(r"\u is not known; write \x{…}")
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
    fn what_re2_refuses_is_refused() {
        for pattern in [
            "[a-z",
            "(",
            "*",
            "a{1001}",
            "(?x)a",
            "[a&&b]",
            "[a[b]]",
            r"\u0041",
            r"(?=a)",
            r"\1",
            r"\b{start}",
            r"\p{NoSuchClass}",
        ] {
            assert!(check(pattern).is_err(), "{pattern}");
        }
    }
}
