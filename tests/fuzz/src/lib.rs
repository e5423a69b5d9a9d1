//! Fuzz targets: what reads bytes of clients, functions, providers or users, and what has to hold whatever they are.
//!
//! A target takes any bytes and panics where something does not hold. `make fuzz` runs each under libFuzzer, guided by
//! coverage, on the pinned compiler; `cargo test -p tenon-fuzz` runs each on `seeds/<target>/` without it. What was found
//! is kept as a seed there; `words/<target>` has what libFuzzer cannot guess.

mod contract;
mod control;
mod echo;
mod eventstream;
mod extractor;
mod input;
mod lambda;
mod path;
mod sigv4;
mod sound;
mod template;
mod transform;

/// What takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder of seeds too.
pub const TARGETS: [(&str, Target); 11] = [
    ("contract", contract::run),
    ("template", template::run),
    ("eventstream", eventstream::run),
    ("unwrap", lambda::answers),
    ("event", lambda::requests),
    ("sigv4", sigv4::run),
    ("path", path::run),
    ("echo", echo::run),
    ("extractor", extractor::run),
    ("transform", transform::run),
    ("control", control::run),
];

/// The target of a name.
pub fn target(name: &str) -> Option<Target> {
    let mut all = TARGETS.into_iter();
    all.find_map(|(own, run)| (own == name).then_some(run))
}
