//! Bytes taken apart: numbers first, then texts with a line each, so that seeds can be read and written by hand.

/// What is left of an input.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    /// A choice of `0..count`: a letter from `a` on in seeds. 0 where nothing is left.
    pub(crate) fn choice(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(first.wrapping_sub(b'a')) % count
    }

    /// One of `all`.
    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.choice(all.len())]
    }

    /// The bytes up to the end of the line, which is dropped.
    pub(crate) fn line(&mut self) -> &'a [u8] {
        let mut parts = self.0.splitn(2, |byte| *byte == b'\n');
        let line = parts.next().unwrap_or_default();
        self.0 = parts.next().unwrap_or_default();
        line
    }

    /// Whole lines up to one that is `---` or the end.
    pub(crate) fn lines(&mut self) -> Vec<&'a [u8]> {
        let mut lines = Vec::new();
        while !self.0.is_empty() {
            match self.line() {
                b"---" => break,
                line => lines.push(line),
            }
        }
        lines
    }

    /// What is left, cut into pieces at bytes that `seed` decides.
    pub(crate) fn pieces(&self, seed: usize) -> Vec<&'a [u8]> {
        let mut state = seed as u32 + 1;
        let mut rest = self.0;
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let length = (1 + (state >> 27) as usize).min(rest.len());
            let (piece, others) = rest.split_at(length);
            pieces.push(piece);
            rest = others;
        }
        pieces
    }
}
