//! How a streamed answer begins: with the status and headers that the function chose, or with the body itself.
//!
//! A function that chooses them (Node's `awslambda.HttpResponseStream.from`, the content type
//! `application/vnd.awslambda.http-integration-response`) writes a JSON object, eight NUL bytes, and then the body. API
//! Gateway takes them from the first 16 KB (API Gateway developer guide, "Set up a Lambda proxy integration with payload
//! response streaming"). The content type does not reach a caller of InvokeWithResponseStream, so the beginning has to
//! tell: a JSON object that eight NUL bytes follow, which no text is. As soon as it is anything else, it goes out.

use super::chosen;
use crate::invoke::lambda::unwrap::Unwrapped;

/// How a function's answer may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// With status and headers, or without.
    Either,
    /// With status and headers; anything else is malformed.
    Chosen,
}

/// What a beginning shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Not enough yet, or it was found before.
    Nothing,
    /// It is the body.
    Plain,
    /// Status and headers.
    Chosen(Unwrapped),
    /// It is not what it has to be.
    Malformed(&'static str),
}

/// The beginning of an answer, until it shows what it is.
#[derive(Debug)]
pub(super) struct Opening {
    expect: Expect,
    open: bool,
    kept: Vec<u8>,
    scan: Scan,
}

/// Within which the object and the NUL bytes have to come.
const MOST: usize = 16 * 1024;
const DELIMITER: usize = 8;

const MISSING: &str = "the function chose no status and headers";
const MALFORMED: &str = "the status and headers that the function chose are none";

impl Opening {
    pub(super) fn new(expect: Expect) -> Self {
        Self {
            expect,
            open: false,
            kept: Vec::new(),
            scan: Scan::default(),
        }
    }

    /// Bytes came: adds to `body` what is body.
    pub(super) fn open(&mut self, bytes: &[u8], body: &mut Vec<u8>) -> Found {
        if self.open {
            body.extend_from_slice(bytes);
            return Found::Nothing;
        }
        for (at, byte) in bytes.iter().enumerate() {
            match self.scan.step(*byte) {
                Verdict::Undecided if self.kept.len() + at + 1 < MOST => {}
                Verdict::Undecided | Verdict::Body => return self.plain(bytes, body),
                Verdict::Chosen => {
                    let (head, rest) = bytes.split_at_checked(at + 1).unwrap_or((bytes, &[]));
                    return self.chosen(head, rest, body);
                }
            }
        }
        self.kept.extend_from_slice(bytes);
        Found::Nothing
    }

    /// Nothing more comes.
    pub(super) fn close(&mut self, body: &mut Vec<u8>) -> Found {
        if self.open {
            Found::Nothing
        } else {
            self.plain(&[], body)
        }
    }

    fn chosen(&mut self, head: &[u8], rest: &[u8], body: &mut Vec<u8>) -> Found {
        self.open = true;
        self.kept.extend_from_slice(head);
        let text = self.kept.len().saturating_sub(DELIMITER);
        let chosen = self.kept.get(..text).and_then(chosen::read);
        self.kept = Vec::new();
        match chosen {
            Some(chosen) => {
                body.extend_from_slice(rest);
                Found::Chosen(chosen)
            }
            None => Found::Malformed(MALFORMED),
        }
    }

    fn plain(&mut self, bytes: &[u8], body: &mut Vec<u8>) -> Found {
        if self.expect == Expect::Chosen {
            return Found::Malformed(MISSING);
        }
        self.open = true;
        body.append(&mut self.kept);
        body.extend_from_slice(bytes);
        Found::Plain
    }
}

/// Follows a JSON object to its end, and the NUL bytes behind it. It only has to tell where the object ends, if it is one.
#[derive(Debug, Default)]
enum Scan {
    /// White space at most.
    #[default]
    Before,
    Inside {
        depth: usize,
        string: bool,
        escaped: bool,
    },
    Behind {
        nuls: usize,
    },
}

enum Verdict {
    Undecided,
    Chosen,
    Body,
}

impl Scan {
    fn step(&mut self, byte: u8) -> Verdict {
        match (&mut *self, byte) {
            (Self::Before, b' ' | b'\t' | b'\r' | b'\n') => {}
            (Self::Before, b'{') => {
                *self = Self::Inside {
                    depth: 1,
                    string: false,
                    escaped: false,
                }
            }
            (Self::Before, _) | (Self::Inside { .. }, 0) => return Verdict::Body,
            (Self::Inside { escaped, .. }, _) if *escaped => *escaped = false,
            (Self::Inside { string, .. }, b'"') => *string = !*string,
            (
                Self::Inside {
                    string: true,
                    escaped,
                    ..
                },
                _,
            ) => *escaped = byte == b'\\',
            (Self::Inside { depth, .. }, b'{' | b'[') => *depth += 1,
            (Self::Inside { depth: 1, .. }, b'}' | b']') => *self = Self::Behind { nuls: 0 },
            (Self::Inside { depth, .. }, b'}' | b']') => *depth -= 1,
            (Self::Inside { .. }, _) => {}
            (Self::Behind { nuls: 7 }, 0) => return Verdict::Chosen,
            (Self::Behind { nuls }, 0) => *nuls += 1,
            (Self::Behind { .. }, _) => return Verdict::Body,
        }
        Verdict::Undecided
    }
}
