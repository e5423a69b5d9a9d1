//! Path templates, by which the functions of one upstream are told apart: `/users/{id}/files/{*rest}`.

use std::borrow::Cow;
use std::fmt;

/// Why a text is no path template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not begin with a slash.
    #[error("{0:?} does not begin with /")]
    Relative(String),
    /// Two slashes on end, or a segment `.` or `..`.
    #[error("segment {0:?} is part of no path that reaches a function")]
    Segment(String),
    /// A character that no path has unencoded.
    #[error("{0:?} is not possible in a path template; write it percent-encoded if it is meant")]
    Character(char),
    /// Braces that are not those of a parameter, or a parameter that is not a segment of its own.
    #[error("{0:?} is neither a literal nor a parameter, as {{id}}, {{*rest}} or {{rest+}}")]
    Parameter(String),
    /// A catch-all that something follows.
    #[error("{0:?} takes all that follows, so nothing can follow it")]
    Follows(String),
    /// A name that is there twice.
    #[error("parameter {0:?} is there more than once")]
    Twice(String),
}

/// A path template: literal segments, parameters that take one segment each (`{id}`), and perhaps a catch-all at the end
/// that takes one or more (`{*rest}`, or `{rest+}` as API Gateway writes it).
///
/// A trailing slash is part of it: `/users` and `/users/` are two templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate {
    text: String,
    segments: Vec<Segment>,
}

/// A part of a path between slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Matches itself; percent-encoded as [`normalize_path`] has it.
    Literal(String),
    /// Matches any one segment that is not empty.
    Parameter(String),
    /// Matches what is left of the path, at least a character.
    Rest(String),
}

impl PathTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// Not a template; the error says what is wrong with which part.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let Some(path) = text.strip_prefix('/') else {
            return Err(TemplateError::Relative(text.to_owned()));
        };
        let mut segments: Vec<Segment> = Vec::new();
        let count = path.split('/').count();
        for (index, part) in path.split('/').enumerate() {
            let last = index + 1 == count;
            let segment = read_segment(part, last)?;
            match (&segment, last) {
                (Segment::Rest(_), false) => return Err(TemplateError::Follows(part.to_owned())),
                (Segment::Literal(_), _) => {}
                (Segment::Parameter(name) | Segment::Rest(name), _) => {
                    if segments.iter().any(|it| it.name() == Some(name)) {
                        return Err(TemplateError::Twice(name.clone()));
                    }
                }
            }
            segments.push(segment);
        }
        Ok(Self {
            text: text.to_owned(),
            segments,
        })
    }

    /// The text that it was read from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its segments, in order; a trailing slash is an empty literal.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The names of its parameters, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::name)
    }

    /// Whether it ends with a catch-all.
    pub fn is_greedy(&self) -> bool {
        matches!(self.segments.last(), Some(Segment::Rest(_)))
    }

    /// The template without its parameters' names: two templates match the same paths if and only if these are equal.
    pub fn shape(&self) -> String {
        let mut shape = String::with_capacity(self.text.len());
        for segment in &self.segments {
            shape.push('/');
            shape.push_str(match segment {
                Segment::Literal(text) => text,
                Segment::Parameter(_) => "{}",
                Segment::Rest(_) => "{*}",
            });
        }
        shape
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Segment {
    /// The parameter's name, if it is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Parameter(name) | Self::Rest(name) => Some(name),
        }
    }
}

fn read_segment(part: &str, last: bool) -> Result<Segment, TemplateError> {
    let inner = part
        .strip_prefix('{')
        .and_then(|part| part.strip_suffix('}'));
    if let Some(inner) = inner {
        let (name, rest) = match (inner.strip_prefix('*'), inner.strip_suffix('+')) {
            (Some(name), _) | (None, Some(name)) => (name, true),
            (None, None) => (inner, false),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            return Err(TemplateError::Parameter(part.to_owned()));
        }
        return Ok(match rest {
            true => Segment::Rest(name.to_owned()),
            false => Segment::Parameter(name.to_owned()),
        });
    }
    if part.contains(['{', '}']) {
        return Err(TemplateError::Parameter(part.to_owned()));
    }
    // A star is meant as a wildcard by everybody who writes one.
    if let Some(odd) = part
        .chars()
        .find(|c| c.is_ascii_control() || " ?#*\\\"<>^`|".contains(*c))
    {
        return Err(TemplateError::Character(odd));
    }
    let literal = encode_foreign(part);
    let literal = normalize_path(&literal).into_owned();
    if matches!(&*literal, "." | "..") || (literal.is_empty() && !last) {
        return Err(TemplateError::Segment(part.to_owned()));
    }
    Ok(Segment::Literal(literal))
}

/// Percent-encodes what is not ASCII, as every client does with it.
fn encode_foreign(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte.is_ascii() {
            true => out.push(char::from(byte)),
            false => push_encoded(byte, &mut out),
        }
    }
    Cow::Owned(out)
}

/// A path in the one form that is compared: percent-encodings of characters that need none are decoded, the others'
/// digits are upper case (RFC 3986, 6.2.2). What is no encoding stays. A path without any is not copied.
pub fn normalize_path(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let digit = |at: usize| {
            let digit = char::from(*after.as_bytes().get(at)?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        rest = match (digit(0), digit(1)) {
            (Some(high), Some(low)) => {
                let byte = high << 4 | low;
                match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    true => out.push(char::from(byte)),
                    false => push_encoded(byte, &mut out),
                }
                after.get(2..).unwrap_or_default()
            }
            _ => {
                out.push('%');
                after
            }
        };
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn push_encoded(byte: u8, out: &mut String) {
    out.push('%');
    for digit in [byte >> 4, byte & 0xf] {
        let digit = char::from_digit(u32::from(digit), 16);
        out.extend(digit.map(|digit| digit.to_ascii_uppercase()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        PathTemplate::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn templates_are_literals_parameters_and_a_catch_all() {
        let template = PathTemplate::parse("/users/{id}/files/{*rest}").unwrap();
        assert_eq!(
            template.segments(),
            [
                Segment::Literal("users".into()),
                Segment::Parameter("id".into()),
                Segment::Literal("files".into()),
                Segment::Rest("rest".into()),
            ]
        );
        assert_eq!(template.names().collect::<Vec<_>>(), ["id", "rest"]);
        assert!(template.is_greedy());
        assert_eq!(template.to_string(), "/users/{id}/files/{*rest}");
    }

    #[test]
    fn templates_that_match_the_same_paths_have_one_shape() {
        for (one, other, same) in [
            ("/a/{id}", "/a/{name}", true),
            ("/{*rest}", "/{proxy+}", true),
            ("/a/{id}", "/a/{*id}", false),
            ("/a", "/a/", false),
            ("/%7Ea/%c3%bc", "/~a/\u{fc}", true),
            ("/a%2fb", "/a/b", false),
        ] {
            let shape = |text| PathTemplate::parse(text).unwrap().shape();
            assert_eq!(shape(one) == shape(other), same, "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused_with_the_part_that_is_wrong() {
        for (text, expected) in [
            ("", r#""" does not begin with /"#),
            ("users", r#""users" does not begin with /"#),
            (
                "/a//b",
                r#"segment "" is part of no path that reaches a function"#,
            ),
            (
                "/a/../b",
                r#"segment ".." is part of no path that reaches a function"#,
            ),
            (
                "/a/%2E%2e",
                r#"segment "%2E%2e" is part of no path that reaches a function"#,
            ),
            (
                "/a/*",
                "'*' is not possible in a path template; write it percent-encoded if it is meant",
            ),
            (
                "/a?b=c",
                "'?' is not possible in a path template; write it percent-encoded if it is meant",
            ),
            (
                "/{id:int}",
                r#""{id:int}" is neither a literal nor a parameter, as {id}, {*rest} or {rest+}"#,
            ),
            (
                "/a-{id}",
                r#""a-{id}" is neither a literal nor a parameter, as {id}, {*rest} or {rest+}"#,
            ),
            (
                "/{*rest}/a",
                r#""{*rest}" takes all that follows, so nothing can follow it"#,
            ),
            ("/{a}/{a}", r#"parameter "a" is there more than once"#),
        ] {
            assert_eq!(error(text), expected, "{text}");
        }
    }

    #[test]
    fn paths_have_one_form() {
        for (path, expected) in [
            ("/a", "/a"),
            ("/%61%2d", "/a-"),
            ("/a%2fb", "/a%2Fb"),
            ("/%C3%bC", "/%C3%BC"),
            ("/100%", "/100%"),
            ("/%zz%4", "/%zz%4"),
            ("/%", "/%"),
            ("/%%41", "/%A"),
            ("/%\u{fc}", "/%\u{fc}"),
        ] {
            assert_eq!(normalize_path(path), expected, "{path}");
        }
    }
}
