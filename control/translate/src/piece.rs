//! The routes of Envoy that one route comes to.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use prost::Message;
use tenon_contract::Sorted;
use tenon_contract::transform::{RouteTransformations, Stage, TRANSFORM_KEY};
use tenon_model::{
    AddedHeader, HeaderManipulation, InvalidConfigPolicy, Matcher, ObjectKey, Route,
    TransformationSettings, Transformations, VirtualHostOptions, WeightedDestination,
};

use crate::http_filters::{FORWARD_PROXY, JwtStage};
use crate::inherit::Shape;
use crate::moves::Moves;
use crate::options::{Asked, JwtNeeds};
use crate::proto::{core, route};
use crate::route::{RouteForm, broken};
use crate::route_table::MOST_BODY;
use crate::secret_headers::SecretHeaders;
use crate::wire::{self, Metadata, PerFilter};
use crate::{filters, forward_proxy, matcher, rules, transforms};

/// `VirtualHost.routes`
pub(crate) const ROUTES: u32 = 3;
/// The message of a route.
const ROUTE: &str = "envoy.config.route.v3.Route";
/// `Route.metadata`
const METADATA: u32 = 4;
/// `Route.name`
const NAME: u32 = 14;

/// The filters of a listener that some route needs: others do not pay for them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Needs {
    /// The stages in which a route transforms.
    pub(crate) stages: BTreeSet<Stage>,
    /// A route transforms by destination.
    pub(crate) destinations: bool,
    /// The names of Envoy's own filters that are configured.
    pub(crate) filters: BTreeSet<String>,
    /// Tokens that the listener has to know of.
    pub(crate) jwt: BTreeMap<JwtStage, JwtNeeds>,
    /// The headers with which routes choose a cluster.
    pub(crate) cluster_headers: BTreeSet<String>,
    /// Headers whose values are secrets.
    pub(crate) secrets: SecretHeaders,
    /// Servers that routes say themselves.
    pub(crate) asked: Asked,
}

/// Envoy's own filters that the requests of a virtual host may come to.
pub(crate) struct Present {
    /// Those that some route of it configures, or itself.
    pub(crate) of_host: BTreeSet<String>,
    /// Those that a route of any may.
    pub(crate) all: BTreeSet<String>,
    /// Those that it configures for all its routes.
    pub(crate) on: BTreeSet<String>,
    /// What it says for all its routes may have another one chosen.
    pub(crate) moves: bool,
}

impl Needs {
    /// Tokens that the listener has to know of.
    pub(crate) fn add_jwt(&mut self, jwt: &BTreeMap<JwtStage, JwtNeeds>) {
        for (stage, needs) in jwt {
            self.jwt.entry(*stage).or_default().add(needs);
        }
    }

    /// Headers whose values are secrets.
    pub(crate) fn add_secrets(&mut self, secrets: &SecretHeaders) {
        for (filter, headers) in secrets {
            let needed = self.secrets.entry(filter.clone()).or_default();
            needed.extend(headers.iter().cloned());
        }
    }

    /// Servers that routes say themselves.
    fn add_asked(&mut self, asked: &Asked) {
        let asked = asked.iter();
        self.asked
            .extend(asked.map(|(filter, server)| (filter.clone(), server.clone())));
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What both need.
    pub(crate) fn add(&mut self, other: &Self) {
        self.stages.extend(&other.stages);
        self.destinations |= other.destinations;
        self.filters.extend(other.filters.iter().cloned());
        self.add_jwt(&other.jwt);
        self.add_secrets(&other.secrets);
        self.add_asked(&other.asked);
        let headers = other.cluster_headers.iter().cloned();
        self.cluster_headers.extend(headers);
    }
}

/// The routes of Envoy that one route comes to, encoded but for the names that their places give them.
#[derive(Clone, PartialEq)]
pub(crate) struct Piece {
    /// The name that it was given.
    name: Option<String>,
    routes: Vec<Encoded>,
    needs: Needs,
    moves: Moves,
    shapes: Vec<Shape>,
    /// What it answers with by itself, if not every gateway takes that.
    large: Option<LargeBody>,
    /// It answers for a table that cannot be served, behind whatever is for less.
    stands_in: bool,
}

/// A body that a route answers with by itself and that is longer than what each gateway takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LargeBody {
    /// Its length in bytes.
    pub(crate) bytes: usize,
    /// Who has the route.
    pub(crate) owner: ObjectKey,
    /// Where it is said there.
    pub(crate) field: String,
}

/// A route with such a body, in the virtual host.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LargeRoute {
    pub(crate) body: LargeBody,
    /// Where it is among the bytes of the virtual host.
    pub(crate) at: Range<usize>,
    /// What stands there for a gateway that does not take it.
    pub(crate) instead: Vec<u8>,
}

#[derive(Clone, PartialEq)]
struct Encoded {
    /// What its name ends with.
    suffix: String,
    /// The filters that it configures.
    configures: Vec<String>,
    bytes: Vec<u8>,
    /// What answers for it where its body is too long.
    instead: Option<Box<[u8]>>,
}

/// The header with which a route chooses a cluster.
fn cluster_header(route: &route::Route) -> Option<String> {
    use route::route_action::ClusterSpecifier::ClusterHeader;
    let Some(route::route::Action::Route(action)) = &route.action else {
        return None;
    };
    match &action.cluster_specifier {
        // What the listener writes is no header of the client's.
        Some(ClusterHeader(name)) if name != forward_proxy::HEADER => Some(name.clone()),
        _ => None,
    }
}

impl Piece {
    /// The routes, and what Envoy would refuse of them: those answer for themselves.
    pub(crate) fn new(
        (key, path, name): (&ObjectKey, &str, Option<String>),
        from: &Route,
        forms: Vec<RouteForm>,
        of_host: &VirtualHostOptions,
        (settings, invalid): (TransformationSettings, &InvalidConfigPolicy),
    ) -> (Self, Vec<String>) {
        let mut refused = Vec::new();
        let mut needs = Needs::default();
        let mut routes = Vec::new();
        let own = transformations(from, of_host, settings);
        let tells = own.as_ref().is_some_and(|own| !own.destinations.is_empty());
        needs.destinations |= tells;
        needs.stages.extend(own.iter().flat_map(transforms::used));
        let mut moves = own.as_ref().map(Moves::of).unwrap_or_default();
        let on: Vec<_> = own.iter().flat_map(transforms::switched_on).collect();
        let rules = own.map(|own| own.to_json());
        let several = forms.len() > 1;
        let large = large_body((key, path), &forms);
        for (function, mut form) in forms.into_iter().enumerate() {
            needs.filters.extend(std::mem::take(&mut form.filters));
            let forwards = form.per_filter.contains_key(FORWARD_PROXY);
            needs
                .filters
                .extend(forwards.then(|| FORWARD_PROXY.to_owned()));
            needs.add_jwt(&form.jwt);
            needs.add_secrets(&form.secrets);
            needs.add_asked(&form.asked);
            needs.cluster_headers.extend(cluster_header(&form.route));
            if form.reroutes {
                moves = moves.max(Moves::Anywhere);
            }
            if !form.calls.is_empty() {
                let shown = answers_with_formatters(&of_host.headers, from);
                form.per_filter.extend(filters::guard_on(shown));
            }
            let mut texts = std::mem::take(&mut form.calls);
            texts.extend(rules.clone().map(|text| (TRANSFORM_KEY.to_owned(), text)));
            form.per_filter.extend(on.iter().cloned());
            if tells {
                transforms::tell_destinations(&mut form.route);
            }
            let configs = std::mem::take(&mut form.per_filter);
            let configures: Vec<_> = configs.keys().cloned().collect();
            let mut behind = PerFilter { configs }.encode_to_vec();
            behind.extend(wire::take_weights(
                &mut form.route,
                &form.subsets.of_weights,
            ));
            behind.extend(
                form.subsets
                    .of_route
                    .as_ref()
                    .map(wire::subset)
                    .unwrap_or_default(),
            );
            let metadata = Metadata::new(texts, &from.options.envoy_metadata);
            if metadata != Metadata::default() {
                wire::append(&mut behind, METADATA, &metadata.encode_to_vec());
            }
            let suffix = several.then(|| format!("-function-{function}"));
            let suffix = suffix.unwrap_or_default();
            for (number, matches) in from.matchers.iter().enumerate() {
                let mut matches = matcher::translate(matches);
                matches.headers.extend(form.only.iter().cloned());
                form.route.r#match = Some(matches);
                let mut bytes = form.route.encode_to_vec();
                bytes.extend_from_slice(&behind);
                let broken = || {
                    let broken = route::Route {
                        r#match: form.route.r#match.clone(),
                        ..broken(key, invalid).route
                    };
                    broken.encode_to_vec()
                };
                if let Err(violation) = rules::check(ROUTE, &bytes) {
                    refused.push(violation.to_string());
                    bytes = broken();
                    if rules::check(ROUTE, &bytes).is_err() {
                        // Not even its matcher can be.
                        continue;
                    }
                }
                routes.push(Encoded {
                    suffix: format!("-matcher-{number}{suffix}"),
                    configures: configures.clone(),
                    bytes,
                    instead: large.is_some().then(|| broken().into()),
                });
            }
        }
        let piece = Self {
            name,
            routes,
            needs,
            moves,
            shapes: from.matchers.iter().filter_map(Shape::of).collect(),
            large,
            stands_in: false,
        };
        (piece, refused)
    }

    /// What answers for a table that cannot be served.
    pub(crate) fn standing_in(matcher: &Matcher, form: RouteForm) -> Self {
        let mut route = form.route;
        route.r#match = Some(matcher::translate(matcher));
        Self {
            name: None,
            routes: vec![Encoded {
                suffix: "-matcher-0".to_owned(),
                configures: Vec::new(),
                bytes: route.encode_to_vec(),
                instead: None,
            }],
            needs: Needs::default(),
            moves: Moves::Nowhere,
            shapes: Shape::of(matcher).into_iter().collect(),
            large: None,
            stands_in: true,
        }
    }

    /// Appends the routes to a virtual host of that name, of which it is the piece with that number, and tells which of them
    /// not every gateway takes. `present`: filters that its requests may come to.
    pub(crate) fn encode(
        &self,
        (host, number): (&str, usize),
        present: &Present,
        to: &mut Vec<u8>,
    ) -> Vec<LargeRoute> {
        let mut all_large = Vec::new();
        let name = self.name.as_ref().map(|name| format!("-{name}"));
        let name = name.unwrap_or_default();
        for route in &self.routes {
            let name = format!("{host}-route-{number}{name}{}", route.suffix);
            let mut bytes = route.bytes.clone();
            let moves = match present.moves {
                true => Moves::Anywhere,
                false => self.moves,
            };
            let mut configs = moves.present(&present.of_host, &present.all);
            configs.retain(|name, _| !route.configures.contains(name));
            configs.retain(|name, _| !present.on.contains(name));
            bytes.extend(PerFilter { configs }.encode_to_vec());
            wire::append(&mut bytes, NAME, name.as_bytes());
            let start = to.len();
            wire::append(to, ROUTES, &bytes);
            if let (Some(body), Some(instead)) = (&self.large, &route.instead) {
                let mut bytes = instead.to_vec();
                wire::append(&mut bytes, NAME, name.as_bytes());
                let mut instead = Vec::new();
                wire::append(&mut instead, ROUTES, &bytes);
                all_large.push(LargeRoute {
                    body: body.clone(),
                    at: start..to.len(),
                    instead,
                });
            }
        }
        all_large
    }

    /// How many routes it comes to.
    pub(crate) fn len(&self) -> usize {
        self.routes.len()
    }

    pub(crate) fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Whether its requests may come to routes of other virtual hosts.
    pub(crate) fn moves_anywhere(&self) -> bool {
        self.moves == Moves::Anywhere
    }

    fn is_within(&self, other: &Self) -> bool {
        let within = |shape: &Shape| other.shapes.iter().any(|other| shape.is_within(other));
        !self.shapes.is_empty() && self.shapes.iter().all(within)
    }
}

fn large_body((key, path): (&ObjectKey, &str), forms: &[RouteForm]) -> Option<LargeBody> {
    let bodies = forms.iter().filter_map(|form| match &form.route.action {
        Some(route::route::Action::DirectResponse(answer)) => answer.body.as_ref(),
        _ => None,
    });
    let bytes = bodies.map(|body| match &body.specifier {
        Some(core::data_source::Specifier::InlineString(text)) => text.len(),
        _ => 0,
    });
    let bytes = bytes.max().filter(|bytes| *bytes > MOST_BODY)?;
    Some(LargeBody {
        bytes,
        owner: key.clone(),
        field: format!("{path}.directResponseAction.body"),
    })
}

/// Sorts pieces of tables of the same weight, so that none hides another: what is for less comes first.
pub(crate) fn sort(pieces: &mut [Arc<Piece>]) {
    fn first(piece: &Piece) -> Option<&Shape> {
        let shapes = piece.shapes.iter();
        shapes.min_by(|a, b| a.order().cmp(&b.order()))
    }
    pieces.sort_by(|a, b| {
        let (a, b) = (first(a), first(b));
        a.map(Shape::order).cmp(&b.map(Shape::order))
    });
}

/// Puts what stands in for broken tables behind what is for less, so that it hides nothing that can be served.
pub(crate) fn let_pass(pieces: &mut [Arc<Piece>]) {
    for start in (0..pieces.len()).rev() {
        let mut at = start;
        while let Some([here, next]) = pieces.get(at..at + 2)
            && here.stands_in
            && next.is_within(here)
        {
            pieces.swap(at, at + 1);
            at += 1;
        }
    }
}

/// Whether a header that is added to a route's responses is made of something else, which may be the request.
fn answers_with_formatters(of_host: &HeaderManipulation, route: &Route) -> bool {
    let weighted = route.action.destinations();
    [of_host, &route.options.headers]
        .into_iter()
        .chain(weighted.iter().map(|to| &to.options.headers))
        .flat_map(|headers| &headers.response_add)
        .any(|it| matches!(&it.header, AddedHeader::Header(header) if header.value.contains('%')))
}

/// What a route transforms, `None` where nothing is.
fn transformations(
    route: &Route,
    of_host: &VirtualHostOptions,
    settings: TransformationSettings,
) -> Option<RouteTransformations> {
    let own = route.options.transformations.as_ref();
    let stages = Transformations::below(own, of_host.transformations.as_ref(), settings);
    let destinations = route.action.destinations();
    // As Gloo: a destination's take the place of the route's, whatever it says of inheritance.
    let own = |to: &WeightedDestination| {
        Transformations::below(to.options.transformations.as_ref(), None, settings)
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
