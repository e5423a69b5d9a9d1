//! The headers of a message.

use std::fmt;

/// The headers of a message, in order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Headers<'a>(&'a [u8]);

/// The number of the type whose value is text.
const TEXT: u8 = 7;

impl<'a> Headers<'a> {
    pub(super) fn of(block: &'a [u8]) -> Self {
        Self(block)
    }

    /// Whether a block of bytes is headers, from its first byte to its last.
    pub(super) fn are_sound(mut block: &[u8]) -> bool {
        while !block.is_empty() {
            if next(&mut block).is_none() {
                return false;
            }
        }
        true
    }

    /// The first header of a name, if its value is text. Not every text is UTF-8.
    pub fn text(&self, name: &str) -> Option<&'a [u8]> {
        let mut block = self.0;
        while let Some((own, kind, value)) = next(&mut block) {
            if own == name.as_bytes() {
                return (kind == TEXT).then_some(value);
            }
        }
        None
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut block = self.0;
        let mut list = f.debug_list();
        while let Some((name, kind, value)) = next(&mut block) {
            let text = String::from_utf8_lossy;
            list.entry(&(text(name), kind, text(value)));
        }
        list.finish()
    }
}

/// Takes a header off the front: its name, its type and the bytes of its value.
fn next<'a>(block: &mut &'a [u8]) -> Option<(&'a [u8], u8, &'a [u8])> {
    let length = usize::from(*take(block, 1)?.first()?);
    let name = take(block, length)?;
    let kind = *take(block, 1)?.first()?;
    let length = match kind {
        // True and false, which need no value.
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        // A number and a time.
        5 | 8 => 8,
        6 | TEXT => usize::from(u16::from_be_bytes(*take(block, 2)?.first_chunk()?)),
        // A UUID.
        9 => 16,
        _ => return None,
    };
    Some((name, kind, take(block, length)?))
}

fn take<'a>(block: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = block.split_at_checked(length)?;
    *block = rest;
    Some(taken)
}
