//! Requests that have another route chosen on their way.

use std::collections::BTreeSet;

use tenon_contract::transform::RouteTransformations;

use crate::http_filters;
use crate::options::PerFilter;

/// Where the requests of a route may come to on their way through a listener's filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Moves {
    /// They stay.
    #[default]
    Nowhere,
    /// To any route of the virtual host.
    WithinHost,
    /// To any route.
    Anywhere,
}

impl Moves {
    /// What is changed of requests may have another route chosen: with the `.wasm` that is so whenever headers are changed,
    /// whether asked for or not.
    pub(crate) fn of(all: &RouteTransformations) -> Self {
        let own = [&all.early, &all.regular, &all.post_routing];
        let destinations = all.destinations.values();
        let destinations = destinations.flat_map(|it| [&it.early, &it.regular, &it.post_routing]);
        let stages = own.into_iter().chain(destinations).flatten();
        let rules = stages.flat_map(|stage| &stage.request_transforms);
        let moves = rules.map(|rule| {
            let template = rule.request_transformation.as_ref();
            let template = template.and_then(|it| it.transformation_template.as_ref());
            let headers = template.iter().flat_map(|it| it.headers.iter());
            match headers.into_iter().any(|(name, _)| is_host(name)) {
                true => Self::Anywhere,
                false if rule.clear_route_cache || rule.request_transformation.is_some() => {
                    Self::WithinHost
                }
                false => Self::Nowhere,
            }
        });
        moves.max().unwrap_or_default()
    }

    /// What the route needs for it; `of_host`: those of Envoy's own filters that its virtual host configures; `all`: those that any may.
    pub(crate) fn present(self, of_host: &BTreeSet<String>, all: &BTreeSet<String>) -> PerFilter {
        match self {
            Self::Nowhere => PerFilter::new(),
            Self::WithinHost => http_filters::idle(of_host).collect(),
            Self::Anywhere => http_filters::idle(all).collect(),
        }
    }
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case(":authority") || name.eq_ignore_ascii_case("host")
}
