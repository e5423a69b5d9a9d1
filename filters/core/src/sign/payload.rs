//! The hash of a body, taken while it passes.

use sha2::{Digest, Sha256};

/// SHA-256 in lower-case hexadecimal digits.
pub type HexDigest = [u8; 64];

/// The hash of a body without bytes.
pub const EMPTY_PAYLOAD: HexDigest =
    *b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The hash of a body that comes in pieces.
///
/// ```
/// use tenon_core::sign::{EMPTY_PAYLOAD, PayloadHash};
///
/// let mut hash = PayloadHash::default();
/// hash.update(b"");
/// assert_eq!(hash.finish(), EMPTY_PAYLOAD);
/// ```
#[derive(Debug, Clone, Default)]
pub struct PayloadHash(Sha256);

impl PayloadHash {
    /// Takes the next bytes of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all that came.
    pub fn finish(self) -> HexDigest {
        hex(&self.0.finalize().into())
    }

    /// The hash of a body that is there as a whole.
    pub fn of(body: &[u8]) -> HexDigest {
        if body.is_empty() {
            return EMPTY_PAYLOAD;
        }
        let mut hash = Self::default();
        hash.update(body);
        hash.finish()
    }
}

pub(super) fn hex(bytes: &[u8; 32]) -> HexDigest {
    let mut digits = [0; 64];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        if let [high, low] = pair {
            *high = digit(byte >> 4);
            *low = digit(byte & 15);
        }
    }
    digits
}

fn digit(nibble: u8) -> u8 {
    // Without a branch or a table, so that it is done for many digits at once.
    nibble + b'0' + u8::from(nibble > 9) * (b'a' - b'9' - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_pieces_has_the_hash_of_the_whole() {
        let mut hash = PayloadHash::default();
        for piece in [&b"Param1"[..], b"", b"=value1"] {
            hash.update(piece);
        }
        let expected = b"9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
        assert_eq!(&hash.finish(), expected);
        assert_eq!(&PayloadHash::of(b"Param1=value1"), expected);
    }

    #[test]
    fn a_body_without_bytes_has_the_known_hash() {
        assert_eq!(PayloadHash::default().finish(), EMPTY_PAYLOAD);
        assert_eq!(PayloadHash::of(b""), EMPTY_PAYLOAD);
    }

    #[test]
    fn every_byte_is_written_as_two_digits() {
        for byte in 0..=255 {
            let digits = hex(&[byte; 32]);
            assert_eq!(&digits[..2], format!("{byte:02x}").as_bytes());
        }
    }
}
