//! `make callgrind`: how many instructions the core takes for a request, alone, without an Envoy around it. Unlike times they
//! are the same on a busy machine, so that a regression of a few per cent shows.
//!
//! `tenon-bench-core` runs itself under Valgrind, prints a table beside `tests/bench/instructions.json`, and fails where a
//! shape takes more than 2 % above it; `--update` writes that file anew. Valgrind's processor has no SHA extensions, so
//! bodies are hashed in software here: what it counts is to be compared with itself only.

mod host;
#[path = "../message.rs"]
#[expect(dead_code, reason = "shared with the other program")]
mod message;
mod shapes;
#[path = "../templates.rs"]
mod templates;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use shapes::SHAPES;

/// What counts as no change.
const NOISE: f64 = 0.02;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => report(false),
        ["--update"] => report(true),
        ["run", shape, times] => run(shape, times.parse()?),
        _ => anyhow::bail!("usage: tenon-bench-core [--update | run SHAPE TIMES]"),
    }
}

fn run(name: &str, times: usize) -> Result<()> {
    let shape = SHAPES.iter().find(|shape| shape.name == name);
    let run = (shape.context("no such shape")?.prepare)()?;
    for _ in 0..times {
        run();
    }
    Ok(())
}

fn report(update: bool) -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.json");
    let before: BTreeMap<String, u64> = match fs::read(&file) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| file.display().to_string())?,
        Err(_) => BTreeMap::new(),
    };
    let (mut now, mut worse) = (BTreeMap::new(), Vec::new());
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{:28} {:>13} {:>13} {:>8}",
        "request", "instructions", "baseline", "change"
    )?;
    for shape in SHAPES {
        let count = count(shape)?;
        let change = before
            .get(shape.name)
            .map(|&before| count as f64 / before as f64 - 1.0);
        let (known, change_text) = match (before.get(shape.name), change) {
            (Some(before), Some(change)) => {
                (before.to_string(), format!("{:+.1} %", change * 100.0))
            }
            _ => ("-".to_owned(), String::new()),
        };
        writeln!(
            out,
            "{:28} {count:>13} {known:>13} {change_text:>8}",
            shape.name
        )?;
        if change.is_some_and(|change| change > NOISE) {
            worse.push(shape.name);
        }
        now.insert(shape.name, count);
    }
    if update {
        fs::write(&file, serde_json::to_string_pretty(&now)? + "\n")?;
        return Ok(());
    }
    ensure!(
        worse.is_empty(),
        "more instructions than before: {}",
        worse.join(", ")
    );
    Ok(())
}

/// Instructions of one request: what so many more requests add, so that start and preparation are not counted.
fn count(shape: &shapes::Shape) -> Result<u64> {
    let (few, many) = (shape.times, shape.times * 3);
    let more = collect(shape.name, many)?.saturating_sub(collect(shape.name, few)?);
    Ok(more / (many - few) as u64)
}

/// Instructions of a process that runs a shape so many times.
fn collect(name: &str, times: usize) -> Result<u64> {
    let me: PathBuf = std::env::current_exe()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(me)
        .args(["run", name, &times.to_string()])
        .output()
        .context("valgrind: is it installed?")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name}: {text}");
    let collected = text
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, collected) = collected.with_context(|| text.to_string())?;
    Ok(collected.trim().parse()?)
}
