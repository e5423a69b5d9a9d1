//! A virtual service as virtual host, encoded once and put into each route table that serves it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use tenon_model::options::stats::Stats;
use tenon_model::{
    InvalidConfigPolicy, Matcher, ObjectKey, Problem, ProblemLevel, Selector, SslConfig,
    VirtualService,
};

use crate::external_options::{ExternalOptions, Said};
use crate::keys::Keys;
use crate::piece::{self, LargeRoute, Piece, Present};
use crate::proto::route::header_matcher::HeaderMatchSpecifier;
use crate::proto::{exactly, matches, route};
use crate::retries::retry_policy;
use crate::route::{Upstreams, broken, to_add};
use crate::tree::{Tables, Tree};
use crate::wire::{self, PerFilterOfHost};
use crate::{http_filters, matcher, misdirected, names, route_tree, secret_headers};

pub(crate) use crate::piece::Needs;

/// `VirtualHost.domains`
pub(crate) const DOMAINS: u32 = 2;

/// What tables came to, by the way to them: kept in case that they break.
pub(crate) type Kept = BTreeMap<String, Vec<Arc<Piece>>>;

/// What a virtual service comes to.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct VirtualHostForm {
    /// The domains that it asks for.
    pub(crate) domains: Vec<String>,
    /// TLS towards its clients; nothing: they speak plain HTTP.
    pub(crate) ssl: Option<Arc<SslConfig>>,
    /// The secrets of these certificates that there were, be it before.
    pub(crate) had: BTreeSet<ObjectKey>,
    /// It is what is left of a virtual service that could not be read: what it asks for goes to others first.
    pub(crate) is_rest: bool,
    /// The encoded virtual host, without domains.
    pub(crate) body: Bytes,
    /// The filters that some route needs.
    pub(crate) needs: Needs,
    /// What is wrong or worth a warning in the virtual service.
    pub(crate) problems: Vec<Problem>,
    /// What is in the tables that it delegates to.
    pub(crate) problems_of_tables: BTreeMap<ObjectKey, Vec<Problem>>,
    /// What is wrong with the options that it and they refer to, where they are used.
    pub(crate) problems_of_options: BTreeSet<(ObjectKey, Problem)>,
    /// The tables that it delegates to, and whether each is good in its newest form.
    pub(crate) tables: BTreeMap<ObjectKey, bool>,
    /// What was looked at.
    pub(crate) reads: Keys,
    /// Which tables were looked for.
    pub(crate) selectors: BTreeSet<Selector>,
    /// Something that it refers to is missing: a later change may complete it.
    pub(crate) incomplete: bool,
    /// What good tables came to.
    pub(crate) kept: Kept,
    /// The routes in `body` that not every gateway takes.
    pub(crate) large: Vec<LargeRoute>,
    /// Its requests may come to routes of other virtual hosts, on their way through the filters.
    pub(crate) moves: bool,
}

impl VirtualHostForm {
    /// Whether the virtual service is good, whatever its tables are.
    pub(crate) fn is_good(&self) -> bool {
        self.problems
            .iter()
            .all(|it| it.level == ProblemLevel::Warning)
    }

    /// Appends the encoded virtual host for those domains, where routes answer with bodies of at most so many bytes.
    pub(crate) fn encode<'a>(
        &self,
        domains: impl Iterator<Item = &'a str>,
        most_body: usize,
        to: &mut Vec<u8>,
    ) {
        let mut done = 0;
        for route in self.large.iter().filter(|it| it.body.bytes > most_body) {
            to.extend_from_slice(&self.body[done..route.at.start]);
            to.extend_from_slice(&route.instead);
            done = route.at.end;
        }
        to.extend_from_slice(&self.body[done..]);
        for domain in domains {
            wire::append(to, DOMAINS, domain.as_bytes());
        }
    }

    /// Serves something else, while all that is known of it stays.
    pub(crate) fn serve(&mut self, other: Self) {
        self.domains = other.domains;
        self.body = other.body;
        self.needs = other.needs;
        self.ssl = other.ssl;
        self.had = other.had;
        self.large = other.large;
        self.is_rest = other.is_rest;
    }

    /// The same domains, with an error for each request.
    pub(crate) fn answering(&self, key: &ObjectKey, invalid: &InvalidConfigPolicy) -> Self {
        let every = route::Route {
            r#match: Some(matcher::translate(&Matcher::default())),
            ..broken(key, invalid).route
        };
        let body = route::VirtualHost {
            name: names::virtual_host(key),
            routes: vec![every],
            ..route::VirtualHost::default()
        };
        Self {
            domains: self.domains.clone(),
            body: body.encode_to_vec().into(),
            ssl: self.ssl.clone(),
            had: self.had.clone(),
            is_rest: self.is_rest,
            ..Self::default()
        }
    }

    /// Whether both make the same of a route table.
    pub(crate) fn same_output(&self, other: &Self) -> bool {
        self.body == other.body
            && self.domains == other.domains
            && self.needs == other.needs
            && self.ssl == other.ssl
            && self.had == other.had
            && self.large == other.large
            && self.is_rest == other.is_rest
    }
}

/// `kept` is what its tables came to before; more routes than `trees_above` are found by a tree.
pub(crate) fn translate(
    key: &ObjectKey,
    virtual_service: &VirtualService,
    world: &(impl Upstreams + Tables + ExternalOptions),
    kept: &Kept,
    trees_above: usize,
) -> VirtualHostForm {
    let name = names::virtual_host(key);
    let references = &virtual_service.options_config_refs;
    let said = Said::of_host(&virtual_service.options, references, world);
    let options = &*said.options();
    let mut body = route::VirtualHost {
        name: name.clone(),
        retry_policy: options.retries.as_ref().map(retry_policy),
        request_headers_to_add: secret_headers::to_add(&options.headers.request_add, world),
        request_headers_to_remove: options.headers.request_remove.clone(),
        response_headers_to_add: to_add(&options.headers.response_add),
        response_headers_to_remove: options.headers.response_remove.clone(),
        virtual_clusters: virtual_clusters(options.stats.as_ref()),
        include_request_attempt_count: options.include_request_attempt_count.unwrap_or_default(),
        include_attempt_count_in_response: options
            .include_attempt_count_in_response
            .unwrap_or_default(),
        ..route::VirtualHost::default()
    }
    .encode_to_vec();
    let mut tree = Tree::new(world, options, kept);
    let of_host = tree.options(key, &said, &virtual_service.routes);
    let configs = of_host.per_filter;
    let on = configs.keys().cloned().collect();
    body.extend(PerFilterOfHost { configs }.encode_to_vec());
    let mut pieces = tree.virtual_service(key, &virtual_service.routes);
    piece::let_pass(&mut pieces);
    let mut needs = Needs {
        filters: of_host.filters.into_iter().collect(),
        jwt: of_host.jwt,
        secrets: of_host.secrets,
        ..Needs::default()
    };
    pieces.iter().for_each(|piece| needs.add(piece.needs()));
    let moves = of_host.reroutes || pieces.iter().any(|piece| piece.moves_anywhere());
    let mut all = http_filters::all(tree.servers());
    if moves {
        all.extend(world.asked());
    }
    let present = Present {
        of_host: needs.filters.clone(),
        all,
        on,
        moves: of_host.reroutes,
    };
    let mut large = Vec::new();
    let listener = virtual_service
        .ssl
        .as_deref()
        .and_then(misdirected::listener);
    let guard = listener.map(|listener| {
        let answer = misdirected::answer(&name, listener, &present.on);
        (listener, answer)
    });
    let list = body.len();
    if let Some((_, answer)) = &guard {
        wire::append(&mut body, piece::ROUTES, answer);
    }
    for (number, piece) in pieces.iter().enumerate() {
        large.extend(piece.encode((&name, number), &present, &mut body));
    }
    let routes: usize = pieces.iter().map(|piece| piece.len()).sum();
    // What a gateway may not take has to stay where it is.
    if routes > trees_above && large.is_empty() {
        route_tree::plant(
            &mut body,
            list,
            guard.as_ref().map(|(listener, _)| *listener),
        );
    }
    let mut form = tree.into_form(key);
    form.domains.clone_from(&virtual_service.domains);
    form.ssl.clone_from(&virtual_service.ssl);
    form.body = body.into_boxed_slice().into();
    form.needs = needs;
    form.large = large;
    form.moves = moves;
    form
}

/// Parts of a virtual host that Envoy keeps statistics of.
fn virtual_clusters(stats: Option<&Stats>) -> Vec<route::VirtualCluster> {
    let on = |name: &str, text| route::HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(text)),
        ..route::HeaderMatcher::default()
    };
    let clusters = stats.iter().flat_map(|it| &it.virtual_clusters);
    clusters
        .map(|cluster| {
            let method = cluster.method.as_ref();
            let method = method.map(|method| on(":method", exactly(method)));
            route::VirtualCluster {
                name: cluster.name.clone(),
                headers: [on(":path", matches(&cluster.pattern))]
                    .into_iter()
                    .chain(method)
                    .collect(),
            }
        })
        .collect()
}
