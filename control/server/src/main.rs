//! The `tenon` binary.

fn main() {}
