//! `tenon translate`.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;
use tenon_translate::{State, Update, to_json};

use crate::cli::{EXIT_REJECTED, FilterArgs, FolderArgs};
use crate::{check, statuses};

#[derive(Args)]
pub(crate) struct TranslateArgs {
    #[command(flatten)]
    folders: FolderArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// How to show it.
    #[arg(short, long, value_enum, default_value = "yaml")]
    output: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Yaml,
    Json,
}

pub(crate) fn run(args: &TranslateArgs) -> anyhow::Result<ExitCode> {
    let (mut update, complaints) = check::translate(&args.folders, &args.filter)?;
    let mut rejected = check::present(std::mem::take(&mut update.statuses));
    rejected.retain(|_, status| status.state == State::Rejected);
    let is_empty = update.resources.is_empty();
    let shown = shown(update);
    let text = match args.output {
        Format::Json => serde_json::to_string_pretty(&shown)? + "\n",
        Format::Yaml => yaml(&shown)?,
    };
    let mut stderr = std::io::stderr();
    for complaint in complaints {
        writeln!(stderr, "{complaint}")?;
    }
    stderr.write_all(statuses::to_text(&rejected).as_bytes())?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(if is_empty {
        ExitCode::from(EXIT_REJECTED)
    } else {
        ExitCode::SUCCESS
    })
}

fn shown(update: Update) -> Value {
    let resources = update.resources.into_iter();
    let resources = resources.filter_map(|(id, resource)| Some((id, resource?)));
    let credentials = update.credentials.into_iter();
    let credentials = credentials.filter_map(|(name, source)| Some((name, source?)));
    to_json(&resources.collect(), &credentials.collect())
}

/// YAML with each value on one line: type names are long, and a block would hide them.
fn yaml(value: &Value) -> anyhow::Result<String> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let mut text = String::new();
    serde_saphyr::to_fmt_writer_with_options(&mut text, value, options)?;
    Ok(text)
}
