//! The `tenon` binary, run as users run it.

mod check;
mod process;
mod serve;
