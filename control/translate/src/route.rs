//! A route: where requests go, which function they call, what is done besides.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use envoy_types::pb::envoy::r#type::matcher::v3::RegexMatchAndSubstitute;
use tenon_contract::transform::TRANSFORM_BODY_LIMIT;
use tenon_contract::{CALL_HEADER, CALL_KEY, CallConfig, CallTarget, ERROR_HEADER};
use tenon_model::options::buffer::BufferPerRoute;
use tenon_model::{
    Action, AddedHeader, Destination, DestinationSpec, DestinationType, FunctionMatcher,
    GcpDestination, HeaderManipulation, HeaderSecret, HeaderToAdd, InvalidConfigPolicy,
    MultiDestination, ObjectKey, ObjectRef, PathRedirect, PathRewrite, Problem, ProblemLevel,
    Redirect, RedirectStatus, RegexRewrite, Route, RouteAction, RouteOptions, Servers, Settings,
    Shadowing, Subset, Upstream, UpstreamType, VirtualHostOptions, WeightedDestination,
};

use crate::by_path::{self, Answer};
use crate::http_filters::{GRPC_JSON, JwtStage};
use crate::options::{Asked, Configured, Context, JwtNeeds};
use crate::proto::route::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier,
};
use crate::proto::route::route::Action as EnvoyAction;
use crate::proto::route::route_action::{
    ClusterNotFoundResponseCode, ClusterSpecifier, RequestMirrorPolicy, UpgradeConfig,
};
use crate::proto::route::weighted_cluster::ClusterWeight;
use crate::proto::route::weighted_cluster::cluster_weight::HostRewriteSpecifier;
use crate::proto::{
    Any, BUFFER_LIMIT, boolean, core, duration, header, inline_string, percent, regex, route, uint,
};
use crate::retries::retry_policy;
use crate::secret_headers::{self, SecretHeaders};
use crate::transcoder::Transcoder;
use crate::{action, azure, call, filters, forward_proxy, gcp, names, options, rest, transcoder};

/// Finds upstreams.
pub(crate) trait Upstreams {
    /// The upstream, in its last good form, or why there is none.
    fn upstream(&self, reference: &ObjectRef) -> Result<&Upstream, String>;
    /// What methods of gRPC requests in JSON may call there.
    fn transcoder(&self, reference: &ObjectRef) -> Option<&Transcoder>;
    /// What holds where nothing else is said.
    fn settings(&self) -> Cow<'_, Settings>;
    /// The headers of a secret, or what is to be said of it instead.
    fn header_secret(&self, reference: &ObjectRef) -> Result<&HeaderSecret, String>;
    /// How long bodies may be that routes answer with, by the gateway that takes the longest.
    fn most_body(&self) -> usize;
    /// The filters of servers that some route says itself.
    fn asked(&self) -> Vec<String>;
    /// Whether secrets of headers have to be in the namespace of the upstreams that they go to.
    fn keeps_secrets_home(&self) -> bool;
}

/// A route without its matcher and name.
pub(crate) struct RouteForm {
    /// What is not metadata.
    pub(crate) route: route::Route,
    /// The calls, by their keys in the metadata.
    pub(crate) calls: BTreeMap<String, String>,
    /// What is configured of filters, by their names.
    pub(crate) per_filter: BTreeMap<String, Any>,
    /// Which of the requests that the route is for.
    pub(crate) only: Vec<route::HeaderMatcher>,
    /// The parts of clusters that are meant.
    pub(crate) subsets: Subsets,
    /// Envoy's own filters without which its options would not be carried out.
    pub(crate) filters: Vec<String>,
    /// Tokens that the listener has to know of.
    pub(crate) jwt: BTreeMap<JwtStage, JwtNeeds>,
    /// Headers whose values are secrets.
    pub(crate) secrets: SecretHeaders,
    /// Servers that it says itself.
    pub(crate) asked: Asked,
    /// What is asked on the way may have another route chosen.
    pub(crate) reroutes: bool,
}

impl RouteForm {
    fn new(route: route::Route) -> Self {
        Self {
            route,
            calls: BTreeMap::new(),
            per_filter: BTreeMap::new(),
            only: Vec::new(),
            subsets: Subsets::default(),
            filters: Vec::new(),
            jwt: BTreeMap::new(),
            secrets: SecretHeaders::new(),
            asked: Asked::new(),
            reroutes: false,
        }
    }

    /// Takes over what options come to, but for what is configured.
    fn needs(&mut self, options: &Configured) {
        self.filters.extend(options.filters.iter().cloned());
        for (stage, needs) in &options.jwt {
            self.jwt.entry(*stage).or_default().add(needs);
        }
        for (filter, headers) in &options.secrets {
            let needed = self.secrets.entry(filter.clone()).or_default();
            needed.extend(headers.iter().cloned());
        }
        let asked = options.asked.iter();
        let asked = asked.map(|(filter, server)| (filter.clone(), server.clone()));
        self.asked.extend(asked);
        self.reroutes |= options.reroutes;
    }
}

/// The parts of clusters that a route means: the labels of their endpoints.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Subsets {
    /// Of its only one.
    pub(crate) of_route: Option<Subset>,
    /// Of those among which it chooses.
    pub(crate) of_weights: Vec<Option<Subset>>,
}

/// Translates routes of one virtual service.
pub(crate) struct Routes<'a, U> {
    pub(crate) key: &'a ObjectKey,
    pub(crate) upstreams: &'a U,
    /// Options of the virtual host.
    pub(crate) of_host: &'a VirtualHostOptions,
    /// Servers that can be asked.
    pub(crate) servers: &'a Servers,
    /// The destinations are those of an upstream group.
    pub(crate) of_group: bool,
    /// What is wrong, so far.
    pub(crate) problems: Vec<Problem>,
}

/// reference/002: without the services in memory, such a destination fails.
pub(crate) const KUBERNETES_IS_OFF: &str =
    "is not possible, because Settings have spec.gloo.disableKubernetesDestinations";

/// What a function route must not have, and why.
const SIGNED: &str = "is not possible on a route to a function: the host is the function's own";

impl<'a, U: Upstreams> Routes<'a, U> {
    /// What a route comes to: more than one where its functions are told apart by Envoy.
    pub(crate) fn translate(&mut self, path: &str, from: &Route) -> Vec<RouteForm> {
        let mut forms = self.forms(path, from);
        let errors = self.errors();
        let options = options::of_route(&from.options, &self.context());
        self.tell(&format!("{path}.options"), &options);
        let headers = &from.options.headers.request_add;
        self.keep_home(&format!("{path}.options"), headers, home(&from.action));
        if self.errors() > errors {
            return vec![self.broken()];
        }
        for form in &mut forms {
            form.per_filter.extend(options.per_filter.clone());
            form.needs(&options);
        }
        forms
    }

    fn broken(&self) -> RouteForm {
        broken(self.key, &self.upstreams.settings().invalid_config)
    }

    fn context(&self) -> Context<'a> {
        Context {
            of_host: self.of_host,
            servers: self.servers,
            upstreams: self.upstreams,
        }
    }

    /// Tells of secrets that are not where the upstreams are, if they have to be.
    fn keep_home(&mut self, path: &str, headers: &[HeaderToAdd], home: Option<&str>) {
        if self.upstreams.keeps_secrets_home() {
            let problems = secret_headers::elsewhere(headers, home).into_iter();
            self.problems.extend(problems.map(|problem| Problem {
                field: format!("{path}.{}", problem.field),
                ..problem
            }));
        }
    }

    /// What is wrong with options.
    fn tell(&mut self, path: &str, options: &Configured) {
        let problems = options.problems.iter();
        self.problems.extend(problems.map(|problem| Problem {
            field: format!("{path}.{}", problem.field),
            ..problem.clone()
        }));
    }

    fn forms(&mut self, path: &str, from: &Route) -> Vec<RouteForm> {
        let Action::Route(RouteAction::Single(to)) = &from.action else {
            return vec![self.one(path, from)];
        };
        let upstreams = self.upstreams;
        let gcp = match upstreams.upstream(&to.upstream()).map(|it| &it.kind) {
            Ok(UpstreamType::Gcp(gcp)) => gcp,
            _ => return vec![self.one(path, from)],
        };
        let asked = match &to.spec {
            Some(DestinationSpec::Gcp(asked)) => Some(asked),
            Some(_) => return vec![self.one(path, from)],
            None => None,
        };
        match gcp::by_path(gcp, asked) {
            Some(functions) => self.by_path(path, from, to, &functions),
            None => vec![self.one(path, from)],
        }
    }

    fn by_path(
        &mut self,
        path: &str,
        from: &Route,
        to: &Destination,
        functions: &[(&str, &FunctionMatcher)],
    ) -> Vec<RouteForm> {
        if let Some(field) = from.options.path_rewrite_field() {
            self.error(
                format!("{path}.options.{field}"),
                format!(
                    "is not possible where functions of upstream {} are found by their paths: Envoy compares those before",
                    to.upstream()
                ),
            );
            return vec![self.broken()];
        }
        let keep_authorization = match &to.spec {
            Some(DestinationSpec::Gcp(asked)) => asked.keep_authorization,
            _ => None,
        };
        let mut forms = Vec::new();
        for found in by_path::order(functions) {
            let mut form = match &found.answer {
                Answer::Function(name) => {
                    let spec = DestinationSpec::Gcp(GcpDestination {
                        logical_name: Some((*name).to_owned()),
                        keep_authorization,
                    });
                    let to = Destination {
                        spec: Some(spec),
                        ..to.clone()
                    };
                    let from = Route {
                        action: Action::Route(RouteAction::Single(Box::new(to))),
                        ..from.clone()
                    };
                    let errors = self.errors();
                    let form = self.one(path, &from);
                    if self.errors() > errors {
                        // What is wrong with the route is wrong with each, and told once.
                        return vec![form];
                    }
                    form
                }
                Answer::Methods(allowed) => no_match(
                    405,
                    "no function of this upstream is for this method of this path",
                    Some(allowed),
                ),
                Answer::Nothing => {
                    no_match(404, "no function of this upstream is for this path", None)
                }
            };
            form.only = found.only;
            forms.push(form);
        }
        // What is wrong with one is wrong with all.
        let mut told = BTreeSet::new();
        self.problems.retain(|problem| told.insert(problem.clone()));
        forms
    }

    fn one(&mut self, path: &str, from: &Route) -> RouteForm {
        let errors_before = self.errors();
        let form = match &from.action {
            Action::Route(to) => self.routed(path, from, to),
            Action::Redirect(to) => Some(self.plain(from, EnvoyAction::Redirect(redirect(to)))),
            Action::DirectResponse(answer) => {
                let body = &answer.body;
                let most = self.upstreams.most_body();
                if body.len() > most {
                    let text = format!(
                        "has {} bytes; no Gateway takes more than {most} (routeOptions.maxDirectResponseBodySizeBytes)",
                        body.len()
                    );
                    self.error(format!("{path}.directResponseAction.body"), text);
                }
                let action = EnvoyAction::DirectResponse(route::DirectResponseAction {
                    status: answer.status.into(),
                    body: (!body.is_empty()).then(|| inline_string(body)).flatten(),
                    ..route::DirectResponseAction::default()
                });
                Some(self.plain(from, action))
            }
            // Its tables' routes stand in its place.
            Action::Delegate(_) => None,
        };
        match form {
            Some(form) if self.errors() == errors_before => form,
            _ => self.broken(),
        }
    }

    fn routed(&mut self, path: &str, from: &Route, to: &RouteAction) -> Option<RouteForm> {
        match to {
            RouteAction::Single(destination) => self.single(path, from, destination),
            RouteAction::Multi(multi) => self.multi(path, from, &multi.destinations),
            // Its destinations stand in its place.
            RouteAction::UpstreamGroup(_) => None,
            RouteAction::ClusterHeader(name) => {
                let specifier = ClusterSpecifier::ClusterHeader(name.clone());
                let action = self.action(path, from, specifier);
                Some(self.forwarding(from, action, BTreeMap::new(), false))
            }
            RouteAction::DynamicForwardProxy(to) => {
                let specifier = ClusterSpecifier::ClusterHeader(forward_proxy::HEADER.to_owned());
                let action = self.action(path, from, specifier);
                let mut form = self.forwarding(from, action, BTreeMap::new(), false);
                form.per_filter.extend([forward_proxy::of_route(to)]);
                Some(form)
            }
        }
    }

    /// Looks at the destinations of an upstream group.
    pub(crate) fn check_group(&mut self, group: &MultiDestination) {
        let none = RouteOptions::default();
        for (index, to) in group.destinations.iter().enumerate() {
            let at = format!("spec.destinations[{index}].destination");
            self.destination(&at, &none, &to.destination);
            let own = format!("spec.destinations[{index}].options");
            let options = options::of_destination(&to.options, &self.context());
            self.tell(&own, &options);
            let home = to.destination.upstream().namespace;
            self.keep_home(&own, &to.options.headers.request_add, Some(&home));
        }
    }

    fn errors(&self) -> usize {
        let errors = self
            .problems
            .iter()
            .filter(|it| it.level == ProblemLevel::Error);
        errors.count()
    }

    pub(crate) fn error(&mut self, field: String, text: impl Into<String>) {
        self.problems.push(Problem::error(field, text));
    }

    fn warn(&mut self, field: String, text: impl Into<String>) {
        self.problems.push(Problem::warning(field, text));
    }

    fn single(&mut self, path: &str, from: &Route, to: &Destination) -> Option<RouteForm> {
        let at = format!("{path}.routeAction.single");
        let (cluster, call) = self.destination(&at, &from.options, to)?;
        let specifier = ClusterSpecifier::Cluster(cluster);
        let mut action = self.action(path, from, specifier);
        let mut calls = BTreeMap::new();
        if let Some(call) = &call {
            self.check_function_route(path, from, call);
            calls.insert(CALL_KEY.to_owned(), call.to_json());
            no_upgrades(&mut action);
            outlast(&mut action, call);
        }
        let mut form = self.forwarding(from, action, calls, call.is_some());
        if call.as_ref().is_some_and(is_rest) {
            form.per_filter.extend([filters::rest_on()]);
        }
        let transcoding = self.transcoding(&at, to).ok()?;
        form.filters
            .extend(transcoding.iter().map(|_| GRPC_JSON.to_owned()));
        form.per_filter
            .extend(transcoding.map(|config| (GRPC_JSON.to_owned(), config)));
        form.subsets.of_route = part(to);
        Some(form)
    }

    fn multi(
        &mut self,
        path: &str,
        from: &Route,
        destinations: &[WeightedDestination],
    ) -> Option<RouteForm> {
        let mut calls = BTreeMap::new();
        let mut streaming = None;
        let mut called: Option<CallConfig> = None;
        let mut of_destinations = Vec::new();
        let mut transcodes = false;
        let mut clusters = Vec::new();
        let invalid = self.upstreams.settings().invalid_config.clone();
        for (index, to) in destinations.iter().enumerate() {
            let at = format!("{path}.routeAction.multi.destinations[{index}].destination");
            let told = self.problems.len();
            let found = self.destination(&at, &from.options, &to.destination);
            // It keeps its weight, and answers for it: as a route does that is not valid, or with 500.
            let answers = found.is_none() && invalid.answer().is_some();
            let (name, call) = found.unwrap_or_else(|| (names::BLACKHOLE.to_owned(), None));
            let options = options::of_destination(&to.options, &self.context());
            let own = format!("{path}.routeAction.multi.destinations[{index}].options");
            self.tell(&own, &options);
            let home = to.destination.upstream().namespace;
            self.keep_home(&own, &to.options.headers.request_add, Some(&home));
            if self.of_group {
                // Told by the group's own status.
                self.problems.truncate(told);
            }
            let headers = &to.options.headers;
            let host = to.options.host_rewrite.clone();
            if host.is_some() && call.as_ref().is_some_and(|call| !is_rest(call)) {
                self.error(format!("{own}.hostRewrite"), SIGNED);
            }
            let mut weight = ClusterWeight {
                name,
                weight: Some(uint(to.weight)),
                request_headers_to_add: secret_headers::to_add(
                    &headers.request_add,
                    self.upstreams,
                ),
                request_headers_to_remove: headers.request_remove.clone(),
                response_headers_to_add: to_add(&headers.response_add),
                response_headers_to_remove: headers.response_remove.clone(),
                host_rewrite_specifier: host.map(HostRewriteSpecifier::HostRewriteLiteral),
                ..ClusterWeight::default()
            };
            weight
                .typed_per_filter_config
                .extend(options.per_filter.clone());
            of_destinations.push(options);
            if answers {
                let on = filters::answering_on();
                weight.typed_per_filter_config.extend([on]);
            }
            match call {
                Some(call) => {
                    let key = CallConfig::weighted_key(index);
                    weight
                        .request_headers_to_add
                        .push(header(CALL_HEADER, &key, false));
                    calls.insert(key, call.to_json());
                    if is_rest(&call) {
                        weight.typed_per_filter_config.extend([filters::rest_on()]);
                    }
                    // One that is signed says more than one that is not.
                    if called.as_ref().is_none_or(is_rest) {
                        called = Some(call.clone());
                    }
                    streaming = streaming.or(Some(call).filter(call::streams));
                }
                None if answers => {}
                None => weight
                    .response_headers_to_remove
                    .push(ERROR_HEADER.to_owned()),
            }
            let transcoding = self.transcoding(&at, &to.destination).unwrap_or_default();
            transcodes |= transcoding.is_some();
            weight
                .typed_per_filter_config
                .extend(transcoding.map(|config| (GRPC_JSON.to_owned(), config)));
            clusters.push(weight);
        }
        let specifier = ClusterSpecifier::WeightedClusters(route::WeightedCluster {
            clusters,
            ..route::WeightedCluster::default()
        });
        let mut action = self.action(path, from, specifier);
        action.set_cluster_not_found_response_code(not_found(&invalid));
        if let Some(call) = &called {
            self.check_function_route(path, from, call);
        }
        if !calls.is_empty() {
            no_upgrades(&mut action);
        }
        if let Some(call) = &streaming {
            outlast(&mut action, call);
        }
        // Each weight says for itself whether the error is ours.
        let mut form = self.forwarding(from, action, calls, true);
        of_destinations.iter().for_each(|it| form.needs(it));
        form.filters
            .extend(transcodes.then(|| GRPC_JSON.to_owned()));
        let subsets = destinations.iter().map(|to| part(&to.destination));
        form.subsets.of_weights = subsets.collect();
        Some(form)
    }

    /// The cluster of a destination and the call (if it is a function), or nothing if requests cannot go there.
    fn destination(
        &mut self,
        at: &str,
        options: &RouteOptions,
        to: &Destination,
    ) -> Option<(String, Option<CallConfig>)> {
        if matches!(to.to, DestinationType::Nowhere) {
            return None;
        }
        let settings = self.upstreams.settings();
        let reference = to.upstream();
        let upstream = match (self.upstreams.upstream(&reference), &to.to) {
            (_, DestinationType::Kube(_)) if settings.disable_kubernetes_destinations => {
                self.error(format!("{at}.kube"), KUBERNETES_IS_OFF);
                return None;
            }
            (Ok(upstream), _) => upstream,
            (Err(reason), DestinationType::Upstream(_) | DestinationType::Nowhere) => {
                self.warn(format!("{at}.upstream"), reason);
                return None;
            }
            // Such a cluster comes and goes with the service.
            (Err(_), DestinationType::Kube(service)) => {
                let text = format!(
                    "service {} with port {} does not exist",
                    service.service, service.port
                );
                self.warn(format!("{at}.kube"), text);
                let replaced = settings.invalid_config.replace_invalid_routes;
                return (!replaced).then(|| (names::cluster_of(&reference), None));
            }
            (Err(_), DestinationType::Consul(service)) => {
                let text = format!("Consul has no service {:?}", service.service_name);
                self.warn(format!("{at}.consul"), text);
                let replaced = settings.invalid_config.replace_invalid_routes;
                return (!replaced).then(|| (names::cluster_of(&reference), None));
            }
        };
        if let Some(subset) = &to.subset
            && let Err(reason) = has_subset(upstream, subset)
        {
            self.error(
                format!("{at}.subset"),
                format!("upstream {reference} {reason}"),
            );
            return None;
        }
        let resolved = match (&upstream.kind, &to.spec) {
            (UpstreamType::Aws(lambda), None | Some(DestinationSpec::Aws(_))) => {
                let asked = match &to.spec {
                    Some(DestinationSpec::Aws(asked)) => Some(asked),
                    _ => None,
                };
                let rewrites = options.path_rewrite.is_some();
                call::resolve(&reference, lambda, asked, (rewrites, settings.aws))
                    .map(|call| (cluster_name(&reference, upstream, &call), call))
            }
            (UpstreamType::Azure(app), None) => azure::resolve(&reference, app, None)
                .map(|call| (cluster_name(&reference, upstream, &call), call)),
            (UpstreamType::Azure(app), Some(DestinationSpec::Azure(asked))) => {
                azure::resolve(&reference, app, Some(asked))
                    .map(|call| (cluster_name(&reference, upstream, &call), call))
            }
            (UpstreamType::Gcp(gcp), None) => gcp::resolve(&reference, gcp, None),
            (UpstreamType::Gcp(gcp), Some(DestinationSpec::Gcp(asked))) => {
                gcp::resolve(&reference, gcp, Some(asked))
            }
            // Of those with methods of gRPC, see `transcoding`.
            (_, Some(DestinationSpec::Grpc(_)))
            | (
                UpstreamType::Static(_)
                | UpstreamType::Pipe(_)
                | UpstreamType::Kube(_)
                | UpstreamType::AwsEc2(_)
                | UpstreamType::Consul(_)
                | UpstreamType::Forward(_),
                None,
            ) => {
                return Some((names::cluster_of(&reference), None));
            }
            (_, Some(DestinationSpec::Rest(asked))) => {
                rest::resolve(&reference, upstream.rest(), asked)
                    .map(|call| (names::cluster_of(&reference), call))
            }
            (_, Some(spec)) => {
                let kind = match spec {
                    DestinationSpec::Aws(_) => "an AWS",
                    DestinationSpec::Azure(_) => "an Azure",
                    DestinationSpec::Gcp(_) => "a GCP",
                    // Above.
                    DestinationSpec::Rest(_) => "a REST",
                    DestinationSpec::Grpc(_) => "a gRPC",
                };
                let text = format!("{reference} is not {kind} upstream");
                self.error(format!("{at}.destinationSpec.{}", spec.field()), text);
                return None;
            }
        };
        match resolved {
            Ok((cluster, call)) => Some((cluster, Some(call))),
            Err((field, text)) => {
                self.error(format!("{at}{field}"), text);
                None
            }
        }
    }

    /// What has requests in JSON call methods of gRPC of a destination. What is wrong is told.
    fn transcoding(&mut self, at: &str, to: &Destination) -> Result<Option<Any>, ()> {
        let asked = match &to.spec {
            Some(DestinationSpec::Grpc(asked)) => Some(asked),
            _ => None,
        };
        let reference = to.upstream();
        let found = self.upstreams.transcoder(&reference);
        transcoder::resolve(&reference, found, asked).map_err(|(field, text)| {
            self.error(format!("{at}{field}"), text);
        })
    }

    fn check_function_route(&mut self, path: &str, from: &Route, call: &CallConfig) {
        let options = &from.options;
        let upgrades = options.upgrades.iter().enumerate();
        for (index, _) in upgrades.filter(|(_, upgrade)| upgrade.is_enabled()) {
            let field = format!("{path}.options.upgrades[{index}]");
            self.error(field, "is not possible on a route to a function, which cannot be spoken to in another protocol");
        }
        if let Some(BufferPerRoute::Buffer(buffer)) = &options.buffer_per_route
            && u64::from(buffer.max_request_bytes) < TRANSFORM_BODY_LIMIT
        {
            let field = format!("{path}.options.bufferPerRoute.buffer.maxRequestBytes");
            let text = format!(
                "functions take more than {} bytes: what is longer is answered with 413",
                buffer.max_request_bytes
            );
            self.warn(field, text);
        }
        if is_rest(call) {
            // Nothing is signed, and the host is the user's business.
            return;
        }
        let Some(field) = options.host_rewrite_field() else {
            return;
        };
        self.error(format!("{path}.options.{field}"), SIGNED);
    }

    fn action(&mut self, path: &str, from: &Route, to: ClusterSpecifier) -> route::RouteAction {
        let options = &from.options;
        let (prefix_rewrite, regex_rewrite) = match &options.path_rewrite {
            Some(PathRewrite::Prefix(prefix)) => (prefix.clone(), None),
            Some(PathRewrite::Regex(rewrite)) => (String::new(), Some(regex_rewrite(rewrite))),
            None => (String::new(), None),
        };
        let mut action = route::RouteAction {
            cluster_specifier: Some(to),
            prefix_rewrite,
            regex_rewrite,
            timeout: options.timeout.map(duration),
            retry_policy: options.retries.as_ref().map(retry_policy),
            idle_timeout: options.idle_timeout.map(duration),
            max_stream_duration: options.max_stream_duration.map(action::max_stream_duration),
            hash_policy: action::hash_policies(options.lb_hash.as_ref()),
            upgrade_configs: options.upgrades.iter().map(action::upgrade).collect(),
            append_x_forwarded_host: options.append_x_forwarded_host.unwrap_or_default(),
            host_rewrite_specifier: options.host_rewrite.as_ref().map(action::host_rewrite),
            ..route::RouteAction::default()
        };
        for shadowing in options.shadowing.iter().chain(&options.mirrors) {
            action
                .request_mirror_policies
                .extend(self.mirror(path, shadowing));
        }
        action
    }

    fn mirror(&mut self, path: &str, shadowing: &Shadowing) -> Option<RequestMirrorPolicy> {
        let field = format!("{path}.options.shadowing.upstream");
        let text = match self.upstreams.upstream(&shadowing.upstream) {
            Ok(upstream) => match upstream.kind {
                UpstreamType::Static(_)
                | UpstreamType::Pipe(_)
                | UpstreamType::Kube(_)
                | UpstreamType::AwsEc2(_)
                | UpstreamType::Consul(_)
                | UpstreamType::Forward(_) => {
                    return Some(mirror(shadowing));
                }
                UpstreamType::Aws(_) | UpstreamType::Azure(_) | UpstreamType::Gcp(_) => format!(
                    "upstream {} calls functions, and a copy of a request calls none: it is not sent",
                    shadowing.upstream
                ),
            },
            Err(reason) => format!("{reason}: no copies are sent"),
        };
        self.warn(field, text);
        None
    }

    fn forwarding(
        &self,
        from: &Route,
        action: route::RouteAction,
        calls: BTreeMap<String, String>,
        error_is_ours: bool,
    ) -> RouteForm {
        let mut form = self.plain(from, EnvoyAction::Route(action));
        if error_is_ours {
            form.route
                .response_headers_to_remove
                .retain(|name| name != ERROR_HEADER);
        }
        if !calls.is_empty() {
            form.route.request_body_buffer_limit =
                Some(envoy_types::pb::google::protobuf::UInt64Value {
                    value: BUFFER_LIMIT.into(),
                });
        }
        form.calls = calls;
        form
    }

    fn plain(&self, from: &Route, action: EnvoyAction) -> RouteForm {
        let RouteOptions { headers, .. } = &*from.options;
        let tracing = from.options.tracing.as_ref();
        let mut route = route::Route {
            action: Some(action),
            decorator: tracing.and_then(action::decorator),
            tracing: tracing.map(action::tracing),
            ..route::Route::default()
        };
        let HeaderManipulation {
            request_add,
            request_remove,
            response_add,
            response_remove,
        } = headers;
        route.request_headers_to_add = secret_headers::to_add(request_add, self.upstreams);
        route.request_headers_to_remove = request_remove.clone();
        route.response_headers_to_add = to_add(response_add);
        route.response_headers_to_remove = response_remove.clone();
        // An upstream's own would pass for ours. (What else begins as ours is taken off by the listener.)
        route
            .response_headers_to_remove
            .push(ERROR_HEADER.to_owned());
        RouteForm::new(route)
    }
}

/// The code of such an answer.
pub(crate) const INVALID_ROUTE: &str = "invalid_route";

/// Answers for a route that cannot be served.
pub(crate) fn broken(key: &ObjectKey, policy: &InvalidConfigPolicy) -> RouteForm {
    if let Some((status, body)) = policy.answer() {
        return answer(status.into(), INVALID_ROUTE, "text/plain", body.to_owned());
    }
    // Clients are told of what somebody wrote.
    let of = match names::is_internal(key) {
        true => "its HTTPRoute or GRPCRoute".to_owned(),
        false => key.to_string(),
    };
    let message = format!("this route is not valid; the status of {of} says why");
    local_error(500, INVALID_ROUTE, &message)
}

/// How a share of the requests is answered whose cluster is not there: of the statuses that Envoy has for it, without a
/// body.
fn not_found(policy: &InvalidConfigPolicy) -> ClusterNotFoundResponseCode {
    match policy.answer() {
        Some((404, _)) => ClusterNotFoundResponseCode::NotFound,
        Some((503, _)) => ClusterNotFoundResponseCode::ServiceUnavailable,
        _ => ClusterNotFoundResponseCode::InternalServerError,
    }
}

/// Answers for requests that no function is for.
fn no_match(status: u32, message: &str, allowed: Option<&str>) -> RouteForm {
    let mut form = local_error(status, "no_match", message);
    let allow = allowed.map(|methods| header("allow", methods, false));
    form.route.response_headers_to_add.extend(allow);
    form
}

/// An error of the usual form.
fn local_error(status: u32, code: &str, message: &str) -> RouteForm {
    let body = serde_json::json!({"error": {"code": code, "message": message}});
    answer(status, code, "application/json", body.to_string())
}

fn answer(status: u32, code: &str, content_type: &str, body: String) -> RouteForm {
    let action = route::DirectResponseAction {
        status,
        body: (!body.is_empty()).then(|| inline_string(body)).flatten(),
        ..route::DirectResponseAction::default()
    };
    RouteForm::new(route::Route {
        action: Some(EnvoyAction::DirectResponse(action)),
        response_headers_to_add: vec![
            header("content-type", content_type, false),
            header(ERROR_HEADER, code, false),
        ],
        ..route::Route::default()
    })
}

fn is_rest(call: &CallConfig) -> bool {
    matches!(call.target, CallTarget::Rest(_))
}

/// The part of an upstream that is meant; without labels it is all.
fn part(of: &Destination) -> Option<Subset> {
    of.subset.clone().filter(|it| !it.values.is_empty())
}

/// Whether an upstream has parts like this one. Envoy would take any endpoint, or none.
fn has_subset(upstream: &Upstream, subset: &Subset) -> Result<(), String> {
    if subset.values.is_empty() {
        return Ok(());
    }
    let Some(spec) = upstream.subsets() else {
        let text = match &upstream.kind {
            UpstreamType::Kube(_) => "has no subsets: it has no subsetSpec",
            UpstreamType::Consul(_) => {
                "has no subsets: it has neither subsetTags nor dataCenters; a consul destination has tags and dataCenters"
            }
            _ => "has no subsets",
        };
        return Err(text.to_owned());
    };
    let asked: BTreeSet<&String> = subset.values.keys().collect();
    let mut known = spec.selectors.iter();
    match known.any(|it| it.keys.iter().collect::<BTreeSet<_>>() == asked) {
        true => Ok(()),
        false => {
            let known: Vec<_> = spec
                .selectors
                .iter()
                .map(|it| it.keys.join(" and "))
                .collect();
            Err(format!(
                "has no subsets by these labels; known: {}",
                known.join(", ")
            ))
        }
    }
}

/// Where a call goes: a function URL has a host of its own, and other functions may have clusters of their own.
fn cluster_name(reference: &ObjectRef, upstream: &Upstream, call: &CallConfig) -> String {
    let name = names::cluster_of(reference);
    match call.target {
        CallTarget::AwsUrl(_) => names::function_cluster(&name, &call.function),
        // Which function it is, only the shared cluster finds out.
        _ if upstream.cluster_per_function && !call.by_table => {
            names::function_cluster(&name, &call.function)
        }
        _ => name,
    }
}

/// The namespace in which all upstreams are that an action leads to.
pub(crate) fn home(action: &Action) -> Option<&str> {
    let mut all = match action {
        Action::Route(RouteAction::Single(to)) => vec![to.to.namespace()],
        Action::Route(RouteAction::Multi(multi)) => {
            let all = multi.destinations.iter();
            all.map(|to| to.destination.to.namespace()).collect()
        }
        _ => Vec::new(),
    };
    let first = all.pop()?;
    all.iter().all(|it| *it == first).then_some(first)
}

/// A function cannot be spoken to in another protocol.
fn no_upgrades(action: &mut route::RouteAction) {
    action.upgrade_configs = vec![UpgradeConfig {
        upgrade_type: "websocket".to_owned(),
        enabled: boolean(false),
        ..UpgradeConfig::default()
    }];
}

/// Envoy gives a response 15 seconds to end, unless it is told otherwise; a function may stream for longer.
fn outlast(action: &mut route::RouteAction, call: &CallConfig) {
    if action.timeout.is_none() && call::streams(call) {
        action.timeout = Some(duration(LONGEST_CALL));
    }
}

/// AWS Lambda quotas: "Function timeout: 900 seconds (15 minutes)".
const LONGEST_CALL: Duration = Duration::from_secs(900);

fn mirror(shadowing: &Shadowing) -> RequestMirrorPolicy {
    RequestMirrorPolicy {
        disable_shadow_host_suffix_append: shadowing.disable_shadow_host_suffix_append,
        host_rewrite_literal: shadowing.host_rewrite_literal.clone().unwrap_or_default(),
        cluster: names::cluster_of(&shadowing.upstream),
        runtime_fraction: Some(core::RuntimeFractionalPercent {
            default_value: Some(percent(shadowing.percentage)),
            ..core::RuntimeFractionalPercent::default()
        }),
        ..RequestMirrorPolicy::default()
    }
}

pub(crate) fn to_add(headers: &[HeaderToAdd]) -> Vec<core::HeaderValueOption> {
    let headers = headers.iter();
    headers
        .filter_map(|it| match &it.header {
            AddedHeader::Header(to_add) => Some(header(&to_add.name, &to_add.value, it.append)),
            AddedHeader::HeaderSecretRef(_) => None,
        })
        .collect()
}

pub(crate) fn regex_rewrite(rewrite: &RegexRewrite) -> RegexMatchAndSubstitute {
    RegexMatchAndSubstitute {
        pattern: Some(regex(&rewrite.pattern.regex)),
        substitution: rewrite.substitution.clone(),
    }
}

fn redirect(to: &Redirect) -> route::RedirectAction {
    let code = match to.status {
        RedirectStatus::MovedPermanently => RedirectResponseCode::MovedPermanently,
        RedirectStatus::Found => RedirectResponseCode::Found,
        RedirectStatus::SeeOther => RedirectResponseCode::SeeOther,
        RedirectStatus::TemporaryRedirect => RedirectResponseCode::TemporaryRedirect,
        RedirectStatus::PermanentRedirect => RedirectResponseCode::PermanentRedirect,
    };
    route::RedirectAction {
        host_redirect: to.host.clone().unwrap_or_default(),
        port_redirect: to.port.map(u32::from).unwrap_or_default(),
        response_code: code.into(),
        strip_query: to.strip_query,
        scheme_rewrite_specifier: match (to.https, to.http) {
            (true, _) => Some(SchemeRewriteSpecifier::HttpsRedirect(true)),
            (false, true) => Some(SchemeRewriteSpecifier::SchemeRedirect("http".to_owned())),
            (false, false) => None,
        },
        path_rewrite_specifier: to.path.as_ref().map(|path| match path {
            PathRedirect::Path(path) => PathRewriteSpecifier::PathRedirect(path.clone()),
            PathRedirect::Prefix(prefix) => PathRewriteSpecifier::PrefixRewrite(prefix.clone()),
            PathRedirect::Regex(rewrite) => {
                PathRewriteSpecifier::RegexRewrite(regex_rewrite(rewrite))
            }
        }),
    }
}
