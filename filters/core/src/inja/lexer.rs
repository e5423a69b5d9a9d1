//! From text to tokens, with the white space that directives take away.

use super::tree::Place;
use super::{CompileError, Syntax};

/// What a template consists of at the top: text, and directives whose tokens follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Text(&'t str),
    Expression,
    Statement,
    /// `##` to the end of the line.
    Line,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Ends the directive.
    Close,
    /// The template ends within the directive.
    End,
    Name,
    Number,
    String,
    /// Anything else, down to one character that means nothing.
    Sign,
}

/// A token within a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
    pub(super) start: usize,
}

impl Token<'_> {
    pub(super) fn is(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        self.kind == Kind::Name && self.text == name
    }

    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// For messages.
    pub(super) fn describe(&self) -> &str {
        match self.kind {
            Kind::End => "<end of template>",
            Kind::Close if self.text == "\n" => "<end of line>",
            _ => self.text,
        }
    }
}

/// Reads a template piece by piece; after a directive's piece, token by token until [`Kind::Close`].
#[derive(Debug, Clone)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    syntax: Syntax,
    /// What ends the directive that is being read.
    directive: Piece<'t>,
    /// Whether a `-` here is a number's sign, not an operator.
    signed: bool,
    line_starts: Vec<usize>,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str, syntax: Syntax) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self {
            text,
            at: 0,
            syntax,
            directive: Piece::Expression,
            signed: true,
            line_starts: std::iter::once(0)
                .chain(newlines.map(|(at, _)| at + 1))
                .collect(),
        }
    }

    /// Makes a `-` that comes next a number's sign.
    pub(super) fn expect_operand(&mut self) {
        self.signed = true;
    }

    pub(super) fn place(&self, at: usize) -> Place {
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = line
            .checked_sub(1)
            .and_then(|index| self.line_starts.get(index));
        Place {
            line,
            column: at - start.copied().unwrap_or_default() + 1,
        }
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The next piece. Comments are none.
    pub(super) fn piece(&mut self) -> Result<Option<Piece<'t>>, CompileError> {
        loop {
            let start = self.at;
            let Some((open, directive)) = self.find_open() else {
                self.at = self.text.len();
                let text = self.slice(start, self.at);
                return Ok((!text.is_empty()).then_some(Piece::Text(text)));
            };
            let mark = self.byte(open + 2);
            let strips = mark == Some(b'-') && directive != Some(Piece::Line);
            let mut text = self.slice(start, open);
            if strips {
                text = without_blank_last_line(text);
            }
            if !text.is_empty() {
                // The directive is found again by the next call, which then has no text before it.
                self.at = open;
                return Ok(Some(Piece::Text(text)));
            }
            self.at = open + 2;
            if strips || (directive == Some(Piece::Statement) && mark == Some(b'+')) {
                self.at += 1;
            }
            let Some(directive) = directive else {
                self.skip_comment(open)?;
                continue;
            };
            self.directive = directive;
            self.signed = true;
            return Ok(Some(directive));
        }
    }

    /// The next token of the directive.
    pub(super) fn token(&mut self) -> Token<'t> {
        let (close, trim) = match self.directive {
            Piece::Line => ("\n", None),
            Piece::Statement => ("%}", Some("-%}")),
            _ => ("}}", Some("-}}")),
        };
        loop {
            let rest = self.rest();
            if let Some(trim) = trim.filter(|trim| rest.starts_with(trim)) {
                let token = self.take(Kind::Close, trim.len());
                self.skip(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
                return token;
            }
            if rest.starts_with(close) {
                return self.take(Kind::Close, close.len());
            }
            match rest.bytes().next() {
                None => return self.take(Kind::End, 0),
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(first) => return self.word(first),
            }
        }
    }

    fn word(&mut self, first: u8) -> Token<'t> {
        let rest = self.rest();
        let pair = rest.get(..2).unwrap_or_default();
        let (kind, length) = match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'~' | b'_' | b'@' | b'$' => (Kind::Name, self.name(rest)),
            b'0'..=b'9' => (Kind::Number, number(rest)),
            b'-' if self.signed => (Kind::Number, number(rest)),
            b'"' => (Kind::String, string(rest)),
            _ if matches!(pair, "==" | "!=" | "<=" | ">=") => (Kind::Sign, 2),
            _ => (Kind::Sign, rest.chars().next().map_or(0, char::len_utf8)),
        };
        let token = self.take(kind, length);
        self.signed = match kind {
            Kind::Name => matches!(token.text, "and" | "or" | "in" | "not"),
            Kind::Number => false,
            _ => !matches!(token.text, ")" | "]" | "}"),
        };
        token
    }

    /// The length of the name that `rest` begins with. A name has `-` in it: `a-b` is one, `a - b` are two.
    fn name(&self, rest: &str) -> usize {
        let more = |byte: u8| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'.' | b'/' | b'_' | b'-')
                || (byte == b'~' && self.syntax.advanced)
        };
        1 + rest.bytes().skip(1).take_while(|byte| more(*byte)).count()
    }

    /// Where the next directive opens, and which; none for a comment.
    fn find_open(&self) -> Option<(usize, Option<Piece<'t>>)> {
        let bytes = self.text.as_bytes();
        let candidates = bytes.iter().enumerate().skip(self.at);
        for (at, byte) in candidates {
            let directive = match (byte, bytes.get(at + 1)) {
                (b'{', Some(b'{')) => Some(Piece::Expression),
                (b'{', Some(b'%')) => Some(Piece::Statement),
                (b'{', Some(b'#')) => None,
                (b'#', Some(b'#')) if self.begins_line(at) => Some(Piece::Line),
                _ => continue,
            };
            return Some((at, directive));
        }
        None
    }

    fn begins_line(&self, at: usize) -> bool {
        at.checked_sub(1)
            .is_none_or(|before| self.byte(before) == Some(b'\n'))
    }

    fn skip_comment(&mut self, open: usize) -> Result<(), CompileError> {
        let Some(length) = self.rest().find("#}") else {
            return Err(self
                .place(open)
                .compile_error("the comment is never closed: expected '#}'"));
        };
        let close = self.at + length;
        self.at = close + 2;
        if close.checked_sub(1).and_then(|at| self.byte(at)) == Some(b'-') {
            self.skip(|byte| matches!(byte, b' ' | b'\t'));
            if self.byte(self.at) == Some(b'\r') {
                self.at += 1;
            }
            if self.byte(self.at) == Some(b'\n') {
                self.at += 1;
            }
        }
        Ok(())
    }

    fn take(&mut self, kind: Kind, length: usize) -> Token<'t> {
        let start = self.at;
        self.at += length;
        Token {
            kind,
            text: self.slice(start, self.at),
            start,
        }
    }

    fn skip(&mut self, white: impl Fn(u8) -> bool) {
        self.at += self.rest().bytes().take_while(|byte| white(*byte)).count();
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }
}

impl Place {
    pub(super) fn compile_error(self, message: impl Into<String>) -> CompileError {
        CompileError {
            line: self.line,
            column: self.column,
            message: message.into(),
        }
    }
}

/// The length of a number and whatever looks like a part of it; what is not one is found out when it is parsed.
fn number(rest: &str) -> usize {
    let mut before = b' ';
    let part = |byte: u8| {
        let exponent_sign = matches!(byte, b'+' | b'-') && matches!(before, b'e' | b'E');
        before = byte;
        byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E') || exponent_sign
    };
    1 + rest.bytes().skip(1).map(part).take_while(|is| *is).count()
}

/// The length of a string with its quotes, or of all the rest.
fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            b'\\' => escaped = !escaped,
            b'"' if !escaped => return at + 1,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// `text` up to its last line, if there is nothing but blanks in that.
fn without_blank_last_line(text: &str) -> &str {
    let kept = text.trim_end_matches([' ', '\t']);
    if kept.is_empty() || kept.ends_with(['\n', '\r']) {
        kept
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str, advanced: bool) -> Vec<String> {
        let syntax = Syntax {
            advanced,
            escape_characters: false,
        };
        let text = format!("{{{{{text}}}}}");
        let mut lexer = Lexer::new(&text, syntax);
        assert_eq!(lexer.piece(), Ok(Some(Piece::Expression)));
        std::iter::from_fn(|| Some(lexer.token()).filter(|token| token.kind != Kind::Close))
            .take_while(|token| token.kind != Kind::End)
            .map(|token| token.text.to_owned())
            .collect()
    }

    #[test]
    fn a_dash_belongs_to_a_name_a_number_or_stands_alone() {
        assert_eq!(tokens("a-b", false), ["a-b"]);
        assert_eq!(tokens("a - b", false), ["a", "-", "b"]);
        assert_eq!(tokens("a -1", false), ["a", "-", "1"]);
        assert_eq!(tokens("5-1", false), ["5", "-", "1"]);
        assert_eq!(tokens("(a)-1", false), ["(", "a", ")", "-", "1"]);
        assert_eq!(
            tokens("f(-1, -2e-3)", false),
            ["f", "(", "-1", ",", "-2e-3", ")"]
        );
        assert_eq!(tokens("a and -1", false), ["a", "and", "-1"]);
    }

    #[test]
    fn a_tilde_is_in_names_of_the_advanced_notation_only() {
        assert_eq!(tokens("a/b~1c", true), ["a/b~1c"]);
        assert_eq!(tokens("a/b~1c", false), ["a/b", "~1c"]);
    }

    #[test]
    fn places_are_lines_and_columns_from_one() {
        let lexer = Lexer::new("ab\ncd\n", Syntax::default());
        let place = |at| {
            let place = lexer.place(at);
            (place.line, place.column)
        };
        assert_eq!(place(0), (1, 1));
        assert_eq!(place(2), (1, 3));
        assert_eq!(place(3), (2, 1));
        assert_eq!(place(6), (3, 1));
    }
}
