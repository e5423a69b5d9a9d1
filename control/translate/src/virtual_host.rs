//! A virtual service as virtual host, encoded once and put into each route table that serves it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use prost::Message;
use tenon_contract::transform::{RouteTransformations, Stage, TRANSFORM_KEY};
use tenon_contract::{NAMESPACE, Sorted};
use tenon_model::{
    Action, HeaderManipulation, Kind, Matcher, ObjectKey, ObjectRef, Problem, ProblemLevel, Route,
    Settings, Transformations, Upstream, VirtualHostOptions, VirtualService, WeightedDestination,
};

use crate::proto::route;
use crate::retries::retry_policy;
use crate::route::{Routes, Upstreams, broken, to_add};
use crate::wire::{self, Metadata, PerFilter};
use crate::{filters, matcher, names, rules, transforms};

/// `VirtualHost.domains`
const DOMAINS: u32 = 2;
/// `VirtualHost.routes`
const ROUTES: u32 = 3;
/// The message of a route.
const ROUTE: &str = "envoy.config.route.v3.Route";
/// `Route.metadata`
const METADATA: u32 = 4;

/// The filters of a listener that some route needs: others do not pay for them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Needs {
    /// The stages in which a route transforms.
    pub(crate) stages: BTreeSet<Stage>,
    /// A route transforms by destination.
    pub(crate) destinations: bool,
}

impl Needs {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What both need.
    pub(crate) fn add(&mut self, other: &Self) {
        self.stages.extend(&other.stages);
        self.destinations |= other.destinations;
    }
}

/// What a virtual service comes to.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct VirtualHostForm {
    /// The domains that it asks for.
    pub(crate) domains: Vec<String>,
    /// The encoded virtual host, without domains.
    body: Vec<u8>,
    /// The filters that some route needs.
    pub(crate) needs: Needs,
    /// What is wrong or worth a warning.
    pub(crate) problems: Vec<Problem>,
    /// The upstreams that were looked at.
    pub(crate) reads: BTreeSet<ObjectKey>,
    /// Something that it refers to is missing: a later change may complete it.
    pub(crate) incomplete: bool,
}

impl VirtualHostForm {
    pub(crate) fn is_good(&self) -> bool {
        self.problems
            .iter()
            .all(|it| it.level == ProblemLevel::Warning)
    }

    /// Appends the encoded virtual host for those domains.
    pub(crate) fn encode<'a>(&self, domains: impl Iterator<Item = &'a str>, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.body);
        for domain in domains {
            wire::append(to, DOMAINS, domain.as_bytes());
        }
    }

    /// The same domains, with an error for each request.
    pub(crate) fn answering(&self, key: &ObjectKey) -> Self {
        let every = route::Route {
            r#match: Some(matcher::translate(&Matcher::default())),
            ..broken(key).route
        };
        let body = route::VirtualHost {
            name: names::virtual_host(key),
            routes: vec![every],
            ..route::VirtualHost::default()
        };
        Self {
            domains: self.domains.clone(),
            body: body.encode_to_vec(),
            ..Self::default()
        }
    }

    /// Whether both make the same of a route table.
    pub(crate) fn same_output(&self, other: &Self) -> bool {
        self.body == other.body && self.domains == other.domains && self.needs == other.needs
    }
}

pub(crate) fn translate(
    key: &ObjectKey,
    virtual_service: &VirtualService,
    upstreams: &impl Upstreams,
) -> VirtualHostForm {
    let seen = Seen {
        upstreams,
        reads: RefCell::default(),
        missing: RefCell::default(),
    };
    let name = names::virtual_host(key);
    let options = &virtual_service.options;
    let mut body = route::VirtualHost {
        name: name.clone(),
        retry_policy: options.retries.as_ref().map(retry_policy),
        request_headers_to_add: to_add(&options.headers.request_add),
        request_headers_to_remove: options.headers.request_remove.clone(),
        response_headers_to_add: to_add(&options.headers.response_add),
        response_headers_to_remove: options.headers.response_remove.clone(),
        ..route::VirtualHost::default()
    }
    .encode_to_vec();
    let mut routes = Routes {
        key,
        upstreams: &seen,
        problems: Vec::new(),
    };
    let mut needs = Needs::default();
    for (index, from) in virtual_service.routes.iter().enumerate() {
        let path = format!("spec.virtualHost.routes[{index}]");
        let own_name = from
            .name
            .as_ref()
            .map(|name| format!("-{name}"))
            .unwrap_or_default();
        let forms = routes.translate(&path, from);
        let own = transformations(from, options, seen.settings());
        let tells = own.as_ref().is_some_and(|own| !own.destinations.is_empty());
        needs.destinations |= tells;
        needs.stages.extend(own.iter().flat_map(transforms::used));
        let on: Vec<_> = own.iter().flat_map(transforms::switched_on).collect();
        let rules = own.map(|own| own.to_json());
        let several = forms.len() > 1;
        for (function, mut form) in forms.into_iter().enumerate() {
            if !form.calls.is_empty() {
                let shown = answers_with_formatters(&options.headers, from);
                form.per_filter.extend(filters::guard_on(shown));
            }
            let mut texts = std::mem::take(&mut form.calls);
            texts.extend(rules.clone().map(|text| (TRANSFORM_KEY.to_owned(), text)));
            form.per_filter.extend(on.iter().cloned());
            if tells {
                transforms::tell_destinations(&mut form.route);
            }
            let per_filter = PerFilter {
                configs: std::mem::take(&mut form.per_filter),
            };
            let mut behind = per_filter.encode_to_vec();
            behind.extend(wire::take_weights(&mut form.route));
            let metadata =
                (!texts.is_empty()).then(|| Metadata::texts(NAMESPACE, texts).encode_to_vec());
            let suffix = several.then(|| format!("-function-{function}"));
            let suffix = suffix.unwrap_or_default();
            for (number, matches) in from.matchers.iter().enumerate() {
                form.route.name =
                    format!("{name}-route-{index}{own_name}-matcher-{number}{suffix}");
                let mut matches = matcher::translate(matches);
                matches.headers.extend(form.only.iter().cloned());
                form.route.r#match = Some(matches);
                let mut bytes = form.route.encode_to_vec();
                bytes.extend_from_slice(&behind);
                if let Some(metadata) = &metadata {
                    wire::append(&mut bytes, METADATA, metadata);
                }
                if let Err(violation) = rules::check(ROUTE, &bytes) {
                    routes.error(path.clone(), violation.to_string());
                    let broken = route::Route {
                        name: form.route.name.clone(),
                        r#match: form.route.r#match.clone(),
                        ..broken(key).route
                    };
                    bytes = broken.encode_to_vec();
                    if rules::check(ROUTE, &bytes).is_err() {
                        // Not even its matcher can be.
                        continue;
                    }
                }
                wire::append(&mut body, ROUTES, &bytes);
            }
        }
    }
    let problems = routes.problems;
    VirtualHostForm {
        domains: virtual_service.domains.clone(),
        body,
        needs,
        problems,
        reads: seen.reads.into_inner(),
        incomplete: seen.missing.into_inner(),
    }
}

/// Whether a header that is added to a route's responses is made of something else, which may be the request.
fn answers_with_formatters(of_host: &HeaderManipulation, route: &Route) -> bool {
    let weighted = match &route.action {
        Action::Multi(destinations) => &destinations[..],
        _ => &[],
    };
    [of_host, &route.options.headers]
        .into_iter()
        .chain(weighted.iter().map(|to| &to.headers))
        .flat_map(|headers| &headers.response_add)
        .any(|header| header.value.contains('%'))
}

/// What a route transforms, `None` where nothing is.
fn transformations(
    route: &Route,
    of_host: &VirtualHostOptions,
    settings: Settings,
) -> Option<RouteTransformations> {
    let settings = settings.transformations;
    let own = route.options.transformations.as_ref();
    let stages = Transformations::below(own, of_host.transformations.as_ref(), settings);
    let destinations = match &route.action {
        Action::Multi(destinations) => &destinations[..],
        _ => &[],
    };
    // As Gloo: a destination's take the place of the route's, whatever it says of inheritance.
    let own = |to: &WeightedDestination| {
        Transformations::below(to.transformations.as_ref(), None, settings)
    };
    let own: Sorted<_, _> = destinations
        .iter()
        .enumerate()
        .filter_map(|(number, to)| Some((number.to_string(), own(to)?)))
        .collect();
    let stages = stages.unwrap_or_default();
    if stages.is_empty() && own.is_empty() {
        return None;
    }
    let mut all = RouteTransformations::new(stages);
    all.destinations = own;
    Some(all)
}

/// Remembers what was looked at.
struct Seen<'a, U> {
    upstreams: &'a U,
    reads: RefCell<BTreeSet<ObjectKey>>,
    missing: RefCell<bool>,
}

impl<U: Upstreams> Upstreams for Seen<'_, U> {
    fn upstream(&self, reference: &ObjectRef) -> Result<&Upstream, String> {
        self.reads
            .borrow_mut()
            .insert(reference.key(Kind::Upstream));
        let found = self.upstreams.upstream(reference);
        if found.is_err() {
            self.missing.replace(true);
        }
        found
    }

    fn settings(&self) -> Settings {
        self.upstreams.settings()
    }
}
