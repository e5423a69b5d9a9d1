//! libFuzzer over the target that `TENON_FUZZ_TARGET` names; its arguments are libFuzzer's own.

#![no_main]

use std::sync::LazyLock;

use rustix::time::{ClockId, clock_gettime};
use tenon_fuzz::Target;

/// The most that one input may take, in seconds of this thread's own time: libFuzzer's own limit counts what others take
/// of a busy machine, and the time for which the process is stopped.
const MOST_SECONDS: i64 = 5;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("TENON_FUZZ_TARGET").unwrap_or_default();
    tenon_fuzz::target(&name).unwrap_or_else(|| panic!("TENON_FUZZ_TARGET={name} is no target"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let target = *TARGET;
    let start = clock_gettime(ClockId::ThreadCPUTime).tv_sec;
    target(bytes);
    let seconds = clock_gettime(ClockId::ThreadCPUTime).tv_sec - start;
    assert!(seconds <= MOST_SECONDS, "one input took {seconds} s");
});
