//! The `tenon` binary, run as users run it.

mod check;
mod credentials;
mod process;
mod serve;
mod up;
