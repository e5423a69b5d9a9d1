//! Options of routes and virtual hosts, as configuration of Envoy's own filters.

use std::collections::BTreeMap;

use tenon_model::RouteOptions;

use crate::proto::Any;

mod faults;

/// What is configured of filters, by their names.
pub(crate) type PerFilter = BTreeMap<String, Any>;

pub(crate) fn of_route(options: &RouteOptions) -> PerFilter {
    let all = [options.faults.as_ref().and_then(faults::config)];
    let all = all.into_iter().flatten();
    all.map(|(name, config)| (name.to_owned(), config))
        .collect()
}
