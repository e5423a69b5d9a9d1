//! `tenon check`.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tenon_model::ObjectKey;
use tenon_store::{Batch, Files, Source};
use tenon_translate::{State, Status, Translator, Update};

use crate::cli::{EXIT_REJECTED, FilterArgs, FolderArgs, StatusFormat};
use crate::{module, serve, statuses};

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) folders: FolderArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// How to show it.
    #[arg(short, long, value_enum, default_value = "text")]
    output: StatusFormat,
}

pub(crate) fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let (update, complaints) = translate(&args.folders, &args.filter)?;
    let statuses = present(update.statuses);
    let text = match args.output {
        StatusFormat::Text => statuses::to_text(&statuses),
        StatusFormat::Json => statuses::to_json(&statuses)? + "\n",
    };
    std::io::stdout().write_all(text.as_bytes())?;
    for complaint in &complaints {
        tracing::error!("{complaint}");
    }
    let rejected = statuses
        .values()
        .any(|status| status.state == State::Rejected);
    Ok(if rejected || !complaints.is_empty() {
        ExitCode::from(EXIT_REJECTED)
    } else {
        ExitCode::SUCCESS
    })
}

/// Reads and translates folders once; also what concerns no resource.
pub(crate) fn translate(
    folders: &FolderArgs,
    filter: &FilterArgs,
) -> anyhow::Result<(Update, Vec<String>)> {
    let Batch {
        mut changes,
        complaints,
        ..
    } = Files::new(&folders.config)?.read()?;
    let options = module::find(filter).options(serve::DEFAULT_BIND);
    changes.push(serve::now());
    let update = Translator::new(options).apply(changes);
    Ok((update, complaints))
}

pub(crate) fn present(
    statuses: BTreeMap<ObjectKey, Option<Arc<Status>>>,
) -> BTreeMap<ObjectKey, Arc<Status>> {
    statuses
        .into_iter()
        .filter_map(|(key, status)| Some((key, status?)))
        .collect()
}
