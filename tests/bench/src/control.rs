//! What the control plane takes: to translate, to start, to bring an edit to a request, to keep many Envoys.
//!
//! Beside it stands a control plane of the usual kind, which is ours with everything derived anew at each edit and route
//! tables that are whole (`tenon serve --anew`): the baseline of a row, where it has one.
//!
//! | rows | what is measured |
//! |---|---|
//! | `translate/…` | the translation alone, of objects that are parsed: all at once, or one edit |
//! | `cold/…` | `tenon serve`, from its start until it serves a folder, and what memory it then has |
//! | `edit/…` | `tenon serve` and an Envoy: the time until Envoy serves the whole configuration; of edits, the time from a file's renaming to a request that sees it, bytes to Envoy, processor time; memory |
//! | `routes/…` | Envoy's processor time for a request for the last of many routes of one virtual host; the baseline is the same routes in a list (`--trees-above`) |
//! | `gateway-api/…` | `translate/`, `cold/` and `edit/` once more, of HTTPRoutes in the place of VirtualServices |
//! | `clients/…` | `tenon serve` and 1,000 clients that act as Envoys do: memory for each, and the time until an edit is with all |

mod clients;
mod cold;
mod edits;
mod folder;
mod routes;
mod scripted;
mod serving;
mod translation;

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::report::Report;

/// The groups, by the beginnings of their rows' names.
const GROUPS: [&str; 6] = [
    "translate/",
    "cold/",
    "edit/",
    "routes/",
    "clients/",
    "gateway-api/",
];

/// Whether a name selects rows of the control plane.
pub(crate) fn is_named(name: &str) -> bool {
    GROUPS.iter().any(|group| name.starts_with(group))
}

/// Which rows to measure.
pub(crate) struct Selection<'a>(&'a [String]);

impl Selection<'_> {
    /// Whether some of the rows under a name are wanted: all are, where none is named.
    fn wants(&self, rows: &str) -> bool {
        let related = |name: &String| {
            let below = name.strip_prefix(rows);
            rows.starts_with(&**name) || below.is_some_and(|rest| rest.starts_with('/'))
        };
        self.0.is_empty() || self.0.iter().any(related)
    }
}

/// Measures the rows that names select.
pub(crate) async fn measure(names: &[String]) -> Result<Report> {
    let selection = Selection(names);
    let mut figures = translation::measure(&selection)?;
    figures.extend(cold::measure(&selection).await?);
    figures.extend(edits::measure(&selection).await?);
    figures.extend(routes::measure(&selection).await?);
    figures.extend(clients::measure(&selection).await?);
    ensure!(
        !figures.is_empty(),
        "no row begins with {}",
        names.join(", ")
    );
    Ok(Report::of(figures))
}

/// The value at a share of sorted values, in milliseconds.
fn share(sorted: &[Duration], percent: usize) -> f64 {
    let last = sorted.len().max(1) - 1;
    let at = (sorted.len() * percent / 100).min(last);
    sorted.get(at).map_or(f64::NAN, |it| it.as_secs_f64() * 1e3)
}

/// The quartiles of times, in milliseconds.
fn quartiles(times: &mut [Duration]) -> [f64; 3] {
    times.sort_unstable();
    let last = times.len().max(1) - 1;
    [1, 2, 3].map(|quarter| {
        let at = times.get(last * quarter / 4);
        at.map_or(f64::NAN, |it| it.as_secs_f64() * 1e3)
    })
}
