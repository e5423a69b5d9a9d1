//! Regular expressions, in time linear in what they look at.
//!
//! Gloo's extractors are `std::regex` (ECMAScript), its matchers RE2. Both are read here by one engine without look-around
//! and back references; `docs/transformations.md` lists the differences.

use std::fmt::Write as _;
use std::ops::Range;

use regex_lite::{Regex, RegexBuilder};

use crate::inja::MAX_OUTPUT;

/// How much memory a compiled expression may take, in bytes.
const LARGEST: usize = 1 << 20;

/// An expression that has to match all of a text.
#[derive(Debug)]
pub(super) struct FullMatch(Regex);

impl FullMatch {
    pub(super) fn compile(pattern: &str) -> Result<Self, regex_lite::Error> {
        // By itself first: what only makes sense with what is put around it is refused.
        build(pattern)?;
        build(&format!("^(?:{pattern})$")).map(Self)
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// How many groups it has, the whole of it not counted.
    pub(super) fn groups(&self) -> usize {
        self.0.captures_len().saturating_sub(1)
    }

    /// What a group matched: nothing where the whole does not match, or the group took no part.
    pub(super) fn group<'t>(&self, text: &'t str, group: usize) -> Option<&'t str> {
        if group == 0 {
            return self.is_match(text).then_some(text);
        }
        let found = self.0.captures(text)?.get(group)?;
        Some(found.as_str())
    }
}

/// An expression that is looked for.
#[derive(Debug)]
pub(super) struct Search(Regex);

impl Search {
    pub(super) fn compile(pattern: &str) -> Result<Self, regex_lite::Error> {
        build(pattern).map(Self)
    }

    pub(super) fn groups(&self) -> usize {
        self.0.captures_len().saturating_sub(1)
    }

    /// Where the group is, if the first match is all of the text.
    pub(super) fn group_of_whole(&self, text: &str, group: usize) -> Option<Range<usize>> {
        let captures = self.0.captures(text)?;
        if captures.get(0)?.range() != (0..text.len()) {
            return None;
        }
        Some(captures.get(group)?.range())
    }

    /// Replaces everything that is matched, but for what is empty (`std::regex_constants::match_not_null`). `None` where
    /// that becomes longer than a template may render: `` $` `` and `$'` for each character of a body make its square.
    pub(super) fn replace_all(&self, text: &str, replacement: &Replacement) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for captures in self.0.captures_iter(text) {
            let Some(whole) = captures.get(0).filter(|whole| !whole.is_empty()) else {
                continue;
            };
            out.push_str(text.get(end..whole.start()).unwrap_or_default());
            replacement.write(text, &captures, &mut out);
            end = whole.end();
            if out.len() > MAX_OUTPUT {
                return None;
            }
        }
        out.push_str(text.get(end..).unwrap_or_default());
        (out.len() <= MAX_OUTPUT).then_some(out)
    }
}

fn build(pattern: &str) -> Result<Regex, regex_lite::Error> {
    RegexBuilder::new(pattern).size_limit(LARGEST).build()
}

/// What takes a match's place: ECMAScript's `$1`, `$&`, `` $` ``, `$'` and `$$`.
#[derive(Debug)]
pub(super) struct Replacement(Vec<Part>);

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Group(usize),
    Before,
    After,
}

impl Replacement {
    pub(super) fn compile(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            plain.push_str(before);
            let (part, length) = special(after);
            match part {
                Some(part) => {
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(part);
                }
                None => plain.push('$'),
            }
            rest = after.get(length..).unwrap_or_default();
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Self(parts)
    }

    fn write(&self, text: &str, captures: &regex_lite::Captures<'_>, out: &mut String) {
        let whole = captures.get(0).map_or(0..0, |whole| whole.range());
        for part in &self.0 {
            let piece = match part {
                Part::Text(piece) => piece,
                Part::Group(group) => captures.get(*group).map_or("", |found| found.as_str()),
                Part::Before => text.get(..whole.start).unwrap_or_default(),
                Part::After => text.get(whole.end..).unwrap_or_default(),
            };
            // Writing into a string does not fail.
            let _ = out.write_str(piece);
        }
    }
}

/// What follows a `$` means, and how long it is; `None`: the `$` is a dollar.
fn special(after: &str) -> (Option<Part>, usize) {
    let mut bytes = after.bytes();
    let digit = |byte: Option<u8>| {
        byte.filter(u8::is_ascii_digit)
            .map(|it| usize::from(it - b'0'))
    };
    match bytes.next() {
        Some(b'$') => (None, 1),
        Some(b'&') => (Some(Part::Group(0)), 1),
        Some(b'`') => (Some(Part::Before), 1),
        Some(b'\'') => (Some(Part::After), 1),
        first @ Some(b'0'..=b'9') => {
            let first = digit(first).unwrap_or_default();
            match digit(bytes.next()) {
                Some(second) => (Some(Part::Group(first * 10 + second)), 2),
                None => (Some(Part::Group(first)), 1),
            }
        }
        _ => (None, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_match_is_of_all_of_the_text() {
        for (pattern, text, group, expected) in [
            ("/users/([0-9]+)", "/users/12", 1, Some("12")),
            ("/users/([0-9]+)", "/users/12", 0, Some("/users/12")),
            ("/users/([0-9]+)", "/users/12/x", 1, None),
            ("a|ab", "ab", 0, Some("ab")),
            ("(a)|(b)", "b", 1, None),
            ("(a|ab)(c|bcd)(d*)", "abcd", 1, Some("a")),
            ("^x$", "x", 0, Some("x")),
            ("([\\s\\S]*)", "a\nb", 1, Some("a\nb")),
            (r"/([\-._[:word:]]+)/", "/a-b_c/", 1, Some("a-b_c")),
            ("", "", 0, Some("")),
        ] {
            let compiled = FullMatch::compile(pattern).unwrap();
            assert_eq!(compiled.group(text, group), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_takes_more_than_linear_time_is_refused() {
        for pattern in [
            r"(a)\1",
            "a(?=b)",
            "a(?!b)",
            "(?<=a)b",
            "(",
            "a)(b",
            "[a",
            "a{1001}{1001}",
        ] {
            assert!(FullMatch::compile(pattern).is_err(), "{pattern}");
            assert!(Search::compile(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_hard_expression_on_a_long_text_ends() {
        let text = "a".repeat(20_000);
        assert!(!FullMatch::compile("(a|a)*(a*)*b").unwrap().is_match(&text));
    }

    #[test]
    fn replacements_are_those_of_ecmascript() {
        for (pattern, replacement, text, expected) in [
            ("b", "x", "abcb", "axcx"),
            ("(b)(c)", "$2$1", "abcd", "acbd"),
            ("b", "[$&$$]", "abc", "a[b$]c"),
            ("b", "$`-$'", "abc", "aa-cc"),
            ("b", "$9$x$", "abc", "a$x$c"),
            ("(b)", "$01", "abc", "abc"),
            ("x*", "-", "axb", "a-b"),
            ("z", "-", "abc", "abc"),
            ("ü", "u", "aüb", "aub"),
        ] {
            let search = Search::compile(pattern).unwrap();
            let replaced = search.replace_all(text, &Replacement::compile(replacement));
            assert_eq!(
                replaced.as_deref(),
                Some(expected),
                "{pattern} {replacement}"
            );
        }
    }

    #[test]
    fn replacements_have_an_end() {
        let text = "a".repeat(10_000);
        for replacement in ["$`", "$'", "$`$'"] {
            let all = Search::compile("a").unwrap();
            assert_eq!(
                all.replace_all(&text, &Replacement::compile(replacement)),
                None
            );
        }
    }
}
