//! How much of a processor a process used.

use std::fs;
use std::io::ErrorKind;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// The time on a processor of all threads of a process so far (`/proc/<pid>/task/*/schedstat`, in nanoseconds).
pub(crate) fn of(process: u32) -> Result<Duration> {
    let mut total = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = match fs::read_to_string(thread?.path().join("schedstat")) {
            Ok(text) => text,
            // The thread has ended since.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        let nanoseconds: u64 = text
            .split(' ')
            .next()
            .unwrap_or_default()
            .parse()
            .context("schedstat")?;
        total += nanoseconds;
    }
    Ok(Duration::from_nanos(total))
}

/// Keeps a process (0: this one) with all its threads on one core.
pub(crate) fn pin(process: u32, core: usize) -> Result<()> {
    let process = if process == 0 {
        std::process::id()
    } else {
        process
    };
    let output = Command::new("taskset")
        .args(["-apc", &core.to_string(), &process.to_string()])
        .output()?;
    ensure!(
        output.status.success(),
        "taskset: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
