//! Placeholder: the crate's contents follow.
