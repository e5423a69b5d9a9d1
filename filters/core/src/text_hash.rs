//! A hash for the texts that a route carries, some kilobytes long.

use std::hash::Hasher;

/// Hashes a text eight bytes at a time: the hash that `HashMap` brings takes longer than all else that a filter does with
/// the text of a route. The texts are the operator's own, so nobody makes them collide.
#[derive(Debug, Default)]
pub(crate) struct TextHasher(u64);

impl TextHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for TextHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.add(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        // A map takes its place from the lowest bits, which a product mixes least.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_anywhere_have_different_hashes() {
        let hash = |text: &[u8]| {
            let mut hasher = TextHasher::default();
            hasher.write(text);
            hasher.finish()
        };
        let text = vec![b'x'; 100];
        let mut all: Vec<_> = (0..text.len())
            .map(|index| {
                let mut other = text.clone();
                other[index] = b'y';
                hash(&other)
            })
            .collect();
        all.push(hash(&text));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 101);
    }
}
