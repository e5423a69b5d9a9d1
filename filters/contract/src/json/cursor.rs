//! A way through a JSON text.

use std::borrow::Cow;

/// A place in a JSON text that is known to be valid. In any other it finds nonsense, but ends.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    /// The beginning of a text.
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// How many bytes are before it.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The first byte of the value that comes next; zero at the end.
    pub fn peek(&mut self) -> u8 {
        loop {
            match self.byte() {
                b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// Goes into an object or an array.
    pub fn enter(&mut self) {
        self.peek();
        self.at += 1;
    }

    /// Whether there is one more field or item; leaves the object or array if there is none.
    pub fn more(&mut self) -> bool {
        match self.peek() {
            b'}' | b']' | 0 => {
                self.at += 1;
                false
            }
            _ => true,
        }
    }

    /// Passes over a value; its text.
    pub fn skip(&mut self) -> &'t str {
        self.peek();
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.byte() {
                b'"' => self.skip_string(),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                0 => break,
                b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' => self.at += 1,
                // A number, or a word.
                _ => {
                    while !matches!(
                        self.byte(),
                        b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' | b'}' | b']' | 0
                    ) {
                        self.at += 1;
                    }
                }
            }
            if depth == 0 {
                break;
            }
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Reads a string. `None`, and no step further: it is none, or one half of a surrogate pair is in it.
    pub fn string(&mut self) -> Option<Cow<'t, str>> {
        let mut after = *self;
        let quoted = after.skip();
        let text = quoted.strip_prefix('"')?.strip_suffix('"')?;
        let text = match text.contains('\\') {
            false => Cow::Borrowed(text),
            true => Cow::Owned(unescaped(text)?),
        };
        *self = after;
        Some(text)
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn skip_string(&mut self) {
        self.at += 1;
        loop {
            match self.byte() {
                b'\\' => self.at += 2,
                b'"' | 0 => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
    }
}

fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        out.push_str(plain);
        let (letter, mut after) = escaped.split_at_checked(1)?;
        out.push(match letter {
            "b" => '\u{8}',
            "f" => '\u{c}',
            "n" => '\n',
            "r" => '\r',
            "t" => '\t',
            "u" => {
                let first = unit(&mut after)?;
                let second = match first {
                    0xd800..=0xdbff => {
                        after = after.strip_prefix("\\u")?;
                        Some(unit(&mut after)?)
                    }
                    _ => None,
                };
                let units = std::iter::once(first).chain(second);
                char::decode_utf16(units).next()?.ok()?
            }
            // A quote or a slash of either kind.
            other => other.chars().next()?,
        });
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

fn unit(rest: &mut &str) -> Option<u16> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    u16::from_str_radix(digits, 16).ok()
}
