//! `tenon translate`.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tenon_translate::{State, Update};
use tenon_xds::short_name;

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
    let (update, complaints) = check::translate(&args.folders, &args.filter)?;
    let shown = shown(&update);
    let is_empty = update.resources.is_empty();
    let text = match args.output {
        Format::Json => serde_json::to_string_pretty(&shown)? + "\n",
        Format::Yaml => serde_saphyr::to_string(&shown)?,
    };
    let mut stderr = std::io::stderr();
    for complaint in complaints {
        writeln!(stderr, "{complaint}")?;
    }
    let mut rejected = check::present(update.statuses);
    rejected.retain(|_, status| status.state == State::Rejected);
    stderr.write_all(statuses::to_text(&rejected).as_bytes())?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(if is_empty {
        ExitCode::from(EXIT_REJECTED)
    } else {
        ExitCode::SUCCESS
    })
}

fn shown(update: &Update) -> Value {
    let resources = update.resources.iter().filter_map(|(id, resource)| {
        let resource = resource.as_ref()?;
        Some(json!({"type": short_name(id.kind), "name": id.name, "version": resource.version}))
    });
    Value::Array(resources.collect())
}
