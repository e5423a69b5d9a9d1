//! What the module asks of the process it runs in: its log, its mode, its worker count.
//!
//! These go through a table that `envoy_dynamic_module_on_program_init` fills, not straight to Envoy's symbols, so that
//! code that logs can be linked and run in a unit test, where there is no Envoy.

use crate::abi::{self, envoy_dynamic_module_type_log_level as Level};
use std::sync::OnceLock;

/// The process around the module.
#[derive(Clone, Copy)]
pub(crate) struct Process {
    pub(crate) log_enabled: fn(Level) -> bool,
    pub(crate) log: fn(Level, &str, &str, u32),
    pub(crate) log_level: fn() -> Level,
    pub(crate) validation_mode: fn() -> bool,
    pub(crate) concurrency: fn() -> u32,
}

static PROCESS: OnceLock<Process> = OnceLock::new();

/// Outside Envoy: silent, one worker.
const NOWHERE: Process = Process {
    log_enabled: |_| false,
    log: |_, _, _, _| {},
    log_level: || Level::Off,
    validation_mode: || false,
    concurrency: || 1,
};

/// The real one.
pub(crate) const ENVOY: Process = Process {
    // SAFETY: any thread may log at any time.
    log_enabled: |level| unsafe { abi::envoy_dynamic_module_callback_log_enabled(level.to_raw()) },
    log: |level, message, file, line| {
        let message = abi::envoy_dynamic_module_type_module_buffer::of(message.as_bytes());
        let file = abi::envoy_dynamic_module_type_module_buffer::of(file.as_bytes());
        // SAFETY: both buffers live through the call, which keeps neither.
        unsafe { abi::envoy_dynamic_module_callback_log_v2(level.to_raw(), message, file, line) }
    },
    log_level: || {
        // SAFETY: no arguments, any thread.
        let raw = unsafe { abi::envoy_dynamic_module_callback_get_log_level() };
        Level::from_raw(raw).unwrap_or(Level::Off)
    },
    // SAFETY: no arguments.
    validation_mode: || unsafe { abi::envoy_dynamic_module_callback_is_validation_mode() },
    // SAFETY: no arguments; the caller is told to be on the main thread.
    concurrency: || unsafe { abi::envoy_dynamic_module_callback_get_concurrency() },
};

pub(crate) fn install(process: Process) {
    // A second module init in one process is the same module: the first table stays.
    let _ = PROCESS.set(process);
}

fn process() -> &'static Process {
    PROCESS.get().unwrap_or(&NOWHERE)
}

/// Whether Envoy only checks its configuration (`--mode validate`).
pub fn is_validation_mode() -> bool {
    (process().validation_mode)()
}

/// How many workers Envoy has. On the main thread only: in `declare_init_functions!`'s functions.
pub fn get_concurrency() -> u32 {
    (process().concurrency)()
}

/// The level from which on Envoy prints what modules log.
pub fn get_log_level() -> Level {
    (process().log_level)()
}

/// Whether a line of that level would be printed.
pub fn is_log_enabled(level: Level) -> bool {
    (process().log_enabled)(level)
}

/// Logs a line. The macros `envoy_log_…!` do not format it when nobody reads it.
pub fn log(level: Level, message: &str, file: &str, line: u32) {
    (process().log)(level, message, file, line);
}

/// Logs at `$level` under Envoy's logger `dynamic_modules`.
#[macro_export]
macro_rules! envoy_log {
    ($level:expr, $($message:tt)*) => {{
        let level = $level;
        if $crate::is_log_enabled(level) {
            $crate::log(level, &::std::format!($($message)*), ::std::file!(), ::std::line!());
        }
    }};
}

/// Logs what only a trace needs.
#[macro_export]
macro_rules! envoy_log_trace {
    ($($message:tt)*) => { $crate::envoy_log!($crate::abi::envoy_dynamic_module_type_log_level::Trace, $($message)*) };
}

/// Logs for who debugs.
#[macro_export]
macro_rules! envoy_log_debug {
    ($($message:tt)*) => { $crate::envoy_log!($crate::abi::envoy_dynamic_module_type_log_level::Debug, $($message)*) };
}

/// Logs what happened.
#[macro_export]
macro_rules! envoy_log_info {
    ($($message:tt)*) => { $crate::envoy_log!($crate::abi::envoy_dynamic_module_type_log_level::Info, $($message)*) };
}

/// Logs what is worth a look.
#[macro_export]
macro_rules! envoy_log_warn {
    ($($message:tt)*) => { $crate::envoy_log!($crate::abi::envoy_dynamic_module_type_log_level::Warn, $($message)*) };
}

/// Logs what somebody has to act on.
#[macro_export]
macro_rules! envoy_log_error {
    ($($message:tt)*) => { $crate::envoy_log!($crate::abi::envoy_dynamic_module_type_log_level::Error, $($message)*) };
}

/// Logs what stops the show.
#[macro_export]
macro_rules! envoy_log_critical {
    ($($message:tt)*) => {
        $crate::envoy_log!($crate::abi::envoy_dynamic_module_type_log_level::Critical, $($message)*)
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_that_nobody_reads_is_not_formatted() {
        let formatted = std::cell::Cell::new(false);
        let show = || {
            formatted.set(true);
            "text"
        };
        crate::envoy_log_trace!("{}", show());
        assert!(!formatted.get());
    }
}
