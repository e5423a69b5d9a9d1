//! The order of a listener's HTTP filters, and those of Envoy's own that only routes configure.
//!
//! Such a filter is in the chain only if something of a virtual host of the listener configures it, and there it is off:
//! a configuration in `typed_per_filter_config` is what switches it on. So a listener changes with the first use only, and
//! routes without it do not pay.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::extensions::filters::http::buffer::v3::{
    Buffer, BufferPerRoute, buffer_per_route,
};
use envoy_types::pb::envoy::extensions::filters::http::cors::v3::Cors;
use envoy_types::pb::envoy::extensions::filters::http::csrf::v3::CsrfPolicy;
use envoy_types::pb::envoy::extensions::filters::http::fault::v3::HttpFault;

use crate::filters::{filter, off, on};
use crate::forward_proxy;
use crate::proto::{Any, BUFFER_LIMIT, core, hcm, percent, uint};
use crate::transcoder;
use crate::wire::any;

/// Gloo's stages of a listener's filters, in their order, but for those that nothing is in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Faults on purpose.
    Fault,
    /// Requests of other origins.
    Cors,
    /// What they may do.
    AuthZ,
    /// What is said of it elsewhere.
    OutAuth,
    /// Last of all that a request can fail at.
    Route,
}

/// Where a filter stands: a stage, and in or after it (before it: a lesser number).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(Stage, i8);

impl Stage {
    /// In the stage.
    pub(crate) const fn during(self) -> Place {
        Place(self, 0)
    }

    /// After what is in the stage.
    pub(crate) const fn after(self) -> Place {
        Place(self, 1)
    }
}

/// A listener's HTTP filters, but for the last ones, which have no choice.
#[derive(Default)]
pub(crate) struct Chain(Vec<(Place, hcm::HttpFilter)>);

impl Chain {
    /// Puts a filter behind those that are in its place already. One of [`Chain::put_native`] makes way for one of its
    /// name: what a listener says for all its routes takes the place of what is only there for some.
    pub(crate) fn put(&mut self, place: Place, filter: hcm::HttpFilter) {
        let makes_way = |there: &hcm::HttpFilter| is_native(&there.name) && there.disabled;
        self.0
            .retain(|(_, there)| there.name != filter.name || !makes_way(there));
        self.0.push((place, filter));
    }

    /// The filters in their order.
    pub(crate) fn into_filters(mut self) -> impl Iterator<Item = hcm::HttpFilter> {
        self.0.sort_by_key(|(place, _)| *place);
        self.0.into_iter().map(|(_, filter)| filter)
    }

    /// Puts those of Envoy's filters that are named, all off. Other names are none of this module's.
    pub(crate) fn put_native(&mut self, names: &BTreeSet<String>) {
        for native in NATIVE.iter().filter(|it| names.contains(it.name)) {
            self.put(native.place, off(filter(native.name, (native.config)())));
        }
    }
}

/// A filter of Envoy's that routes configure.
struct Native {
    name: &'static str,
    place: Place,
    /// What it does where nothing else is said: nothing.
    config: fn() -> Any,
    /// What has it do nothing on a route.
    idle: fn() -> Any,
}

pub(crate) const BUFFER: &str = "envoy.filters.http.buffer";
pub(crate) const CORS: &str = "envoy.filters.http.cors";
pub(crate) const CSRF: &str = "envoy.filters.http.csrf";
pub(crate) const FAULT: &str = "envoy.filters.http.fault";
pub(crate) const FORWARD_PROXY: &str = "envoy.filters.http.dynamic_forward_proxy";

pub(crate) const GRPC_JSON: &str = "envoy.filters.http.grpc_json_transcoder";

const NATIVE: [Native; 6] = [
    Native {
        name: FAULT,
        place: Stage::Fault.during(),
        config: || any(&HttpFault::default()),
        idle: on,
    },
    Native {
        name: CORS,
        place: Stage::Cors.during(),
        config: || any(&Cors {}),
        idle: on,
    },
    Native {
        name: FORWARD_PROXY,
        place: Stage::OutAuth.during(),
        config: forward_proxy::filter,
        // It looks at routes to its own cluster only.
        idle: on,
    },
    Native {
        name: GRPC_JSON,
        place: Stage::OutAuth.during(),
        config: transcoder::nothing,
        idle: transcoder::nothing,
    },
    Native {
        name: CSRF,
        place: Stage::Route.during(),
        config: || {
            any(&CsrfPolicy {
                // Envoy wants it said.
                filter_enabled: Some(core::RuntimeFractionalPercent {
                    default_value: Some(percent(0.0)),
                    ..core::RuntimeFractionalPercent::default()
                }),
                ..CsrfPolicy::default()
            })
        },
        idle: on,
    },
    Native {
        name: BUFFER,
        place: Stage::Route.during(),
        config: || {
            any(&Buffer {
                max_request_bytes: Some(uint(BUFFER_LIMIT)),
            })
        },
        idle: || {
            any(&BufferPerRoute {
                r#override: Some(buffer_per_route::Override::Disabled(true)),
            })
        },
    },
];

/// Whether the name is of a filter that only routes configure.
pub(crate) fn is_native(name: &str) -> bool {
    NATIVE.iter().any(|native| native.name == name)
}

/// What a route needs whose requests may come to another one on their way through the chain: names and values of
/// `typed_per_filter_config`. Envoy makes a request's filters for the route that it chooses first, and one that is off
/// there would not be there for the other's sake, not even if it decides who may pass. So they are made, and on this route
/// do nothing. (Envoy ignores a name that the listener does not have.)
pub(crate) fn idle(wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = (String, Any)> {
    let wanted = NATIVE.iter().filter(move |it| wanted(it.name));
    wanted.map(|native| (native.name.to_owned(), (native.idle)()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(chain: Chain) -> Vec<String> {
        chain.into_filters().map(|filter| filter.name).collect()
    }

    #[test]
    fn filters_stand_in_the_order_of_stages_and_of_being_put() {
        let mut chain = Chain::default();
        for (place, name) in [
            (Stage::Route.during(), "e"),
            (Stage::AuthZ.after(), "d"),
            (Stage::AuthZ.during(), "c"),
            (Stage::Fault.after(), "a"),
            (Stage::Fault.after(), "b"),
            (Stage::Route.during(), "f"),
        ] {
            chain.put(place, filter(name, Any::default()));
        }
        assert_eq!(names(chain).concat(), "abcdef");
    }

    #[test]
    fn only_those_that_are_named_are_there_and_off() {
        let mut chain = Chain::default();
        chain.put_native(&[BUFFER, FAULT, "another"].map(str::to_owned).into());
        let filters: Vec<_> = chain.into_filters().collect();
        assert!(filters.iter().all(|filter| filter.disabled));
        let names: Vec<_> = filters.iter().map(|filter| &*filter.name).collect();
        assert_eq!(names, [FAULT, BUFFER]);
    }

    #[test]
    fn what_a_listener_says_takes_the_place_of_what_is_off() {
        let mut chain = Chain::default();
        chain.put_native(&[BUFFER, CSRF].map(str::to_owned).into());
        chain.put(Stage::Route.during(), filter(CSRF, Any::default()));
        let filters: Vec<_> = chain.into_filters().collect();
        let off: Vec<_> = filters.iter().map(|it| (&*it.name, it.disabled)).collect();
        assert_eq!(off, [(BUFFER, true), (CSRF, false)]);
    }

    #[test]
    fn only_what_is_wanted_is_made_idle() {
        let idle: Vec<_> = idle(|name| name != CORS).map(|(name, _)| name).collect();
        assert_eq!(idle, [FAULT, FORWARD_PROXY, GRPC_JSON, CSRF, BUFFER]);
    }
}
