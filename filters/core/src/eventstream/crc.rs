//! CRC32 for the `.wasm`, eight bytes at a time. `crc32fast` brings 16 KiB of tables along; these are made when the first
//! event stream comes.

use std::sync::OnceLock;

type Table = [u32; 256];

/// In reverse, as in Ethernet's frames.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// In the shape of `crc32fast`'s.
#[derive(Debug, Clone)]
pub(super) struct Hasher {
    tables: &'static [Table; 8],
    state: u32,
}

impl Default for Hasher {
    fn default() -> Self {
        static TABLES: OnceLock<Box<[Table; 8]>> = OnceLock::new();
        Self {
            tables: TABLES.get_or_init(tables),
            state: u32::MAX,
        }
    }
}

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        let at = |table: &Table, byte: u8| table.get(usize::from(byte)).copied().unwrap_or(0);
        let [t0, t1, t2, t3, t4, t5, t6, t7] = self.tables;
        let mut state = self.state;
        let (words, rest) = bytes.as_chunks::<8>();
        for [a, b, c, d, e, f, g, h] in words {
            let [w, x, y, z] = (state ^ u32::from_le_bytes([*a, *b, *c, *d])).to_le_bytes();
            state = at(t7, w) ^ at(t6, x) ^ at(t5, y) ^ at(t4, z);
            state ^= at(t3, *e) ^ at(t2, *f) ^ at(t1, *g) ^ at(t0, *h);
        }
        for byte in rest {
            let [low, ..] = state.to_le_bytes();
            state = at(t0, low ^ byte) ^ (state >> 8);
        }
        self.state = state;
    }

    pub(super) fn finalize(self) -> u32 {
        !self.state
    }
}

/// What each byte does to the state, and what it does with one to seven bytes behind it.
fn tables() -> Box<[Table; 8]> {
    let mut last: Table = [0; 256];
    for (byte, entry) in (0_u32..).zip(&mut last) {
        *entry = (0..8).fold(byte, |state, _| (state >> 1) ^ (POLYNOMIAL * (state & 1)));
    }
    let first = last;
    let mut tables = Box::new([first; 8]);
    for table in tables.iter_mut().skip(1) {
        for (entry, before) in table.iter_mut().zip(last) {
            let [low, ..] = before.to_le_bytes();
            *entry = first.get(usize::from(low)).copied().unwrap_or(0) ^ (before >> 8);
        }
        last = *table;
    }
    tables
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::Hasher;

    proptest! {
        #[test]
        fn it_is_what_crc32fast_says(pieces in vec(vec(any::<u8>(), 0..50), 0..5)) {
            let mut own = Hasher::default();
            for piece in &pieces {
                own.update(piece);
            }
            prop_assert_eq!(own.finalize(), crc32fast::hash(&pieces.concat()));
        }
    }
}
