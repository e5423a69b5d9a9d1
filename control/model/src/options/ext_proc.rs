//! A server that sees and changes requests and responses.

use std::time::Duration;

use serde_json::{Map, Value};
use tenon_model_derive::Read;

use super::values::{NamedValue, SafeRegex, StringMatcher};
use crate::read::Node;
use crate::{ObjectRef, RetryBackOff, header};

/// A server that sees and changes requests and responses: Envoy's `ext_proc`.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(refused(asyncMode = "Envoy's filter has no such mode any more; leave it out"))]
pub struct ExtProcServer {
    /// The server.
    pub grpc_service: ExtProcService,
    /// Where it stands among a listener's filters.
    pub filter_stage: Option<FilterStage>,
    /// Whether requests pass unchanged where it cannot be asked.
    pub failure_mode_allow: bool,
    /// What it sees.
    pub processing_mode: Option<ProcessingMode>,
    /// Attributes of requests that it is told.
    #[read(with = Node::non_empty)]
    pub request_attributes: Vec<String>,
    /// Attributes of responses that it is told.
    #[read(with = Node::non_empty)]
    pub response_attributes: Vec<String>,
    /// How long each of its answers may take: 200ms where it is left out.
    pub message_timeout: Option<Duration>,
    /// What its statistics are named with.
    #[read(default)]
    pub stat_prefix: String,
    /// The longest time that it may ask for itself.
    pub max_message_timeout: Option<Duration>,
    /// Whether no other route may be chosen by what it changed.
    pub disable_clear_route_cache: bool,
    /// Which headers it is told; all where this is left out.
    #[read(default)]
    pub forward_rules: ForwardRules,
    /// Whether it may change what it sees.
    pub allow_mode_override: bool,
    /// Metadata that it is told.
    #[read(with = Node::non_empty)]
    pub metadata_context_namespaces: Vec<String>,
    /// Typed metadata that it is told.
    #[read(with = Node::non_empty)]
    pub typed_metadata_context_namespaces: Vec<String>,
    /// Which headers it may change: all but those of routing and Envoy's own where this is left out.
    pub mutation_rules: Option<MutationRules>,
    /// What access logs and other filters find of it as filter state, under `envoy.filters.http.ext_proc`.
    pub filter_metadata: Option<Map<String, Value>>,
}

/// Which headers a server may change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct MutationRules {
    /// Those of routing, too: `host`, `:authority`, `:scheme`, `:method`.
    pub allow_all_routing: Option<bool>,
    /// Envoy's own, too (`x-envoy-`).
    pub allow_envoy: Option<bool>,
    /// None that begins with `:`, nor `host`.
    pub disallow_system: Option<bool>,
    /// None, but for those of `allowExpression`.
    pub disallow_all: Option<bool>,
    /// These, whatever the others say, but for `disallowExpression`.
    pub allow_expression: Option<SafeRegex>,
    /// Never these.
    pub disallow_expression: Option<SafeRegex>,
    /// Whether a change that it must not make is an error, and not only left out.
    pub disallow_is_error: Option<bool>,
}

/// Whether a server sees and changes them.
#[derive(Debug, Clone, PartialEq, Read)]
pub struct ExtProc {
    /// Whether, and how.
    #[read(flatten)]
    pub spec: Option<ExtProcSpec>,
}

/// Whether a server sees and changes them, and how.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum ExtProcSpec {
    /// It does not.
    Disabled(bool),
    /// It does, but for this as the Settings say.
    Overrides(Box<ExtProcOverrides>),
}

/// What differs from the Settings.
#[derive(Debug, Clone, PartialEq, Default, Read)]
#[read(refused(asyncMode = "Envoy's filter has no such mode any more; leave it out"))]
pub struct ExtProcOverrides {
    /// What it sees.
    pub processing_mode: Option<ProcessingMode>,
    /// Attributes of requests that it is told.
    #[read(with = Node::non_empty)]
    pub request_attributes: Vec<String>,
    /// Attributes of responses that it is told.
    #[read(with = Node::non_empty)]
    pub response_attributes: Vec<String>,
    /// Another server.
    pub grpc_service: Option<ExtProcService>,
    /// Metadata that it is told.
    #[read(with = Node::non_empty)]
    pub metadata_context_namespaces: Vec<String>,
    /// Typed metadata that it is told.
    #[read(with = Node::non_empty)]
    pub typed_metadata_context_namespaces: Vec<String>,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct ExtProcService {
    /// Its upstream.
    pub ext_proc_server_ref: ObjectRef,
    /// The value of `:authority`; the name of the cluster where it is left out.
    #[read(default, with = header::value)]
    pub authority: String,
    /// How long it may take for a whole request; for ever where it is left out.
    pub timeout: Option<Duration>,
    /// Headers that it is given.
    pub initial_metadata: Vec<NamedValue>,
    /// How often it is asked again that cannot be reached or is not there.
    pub retry_policy: Option<ServiceRetries>,
}

/// How often a server is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct ServiceRetries {
    /// How long to wait between tries: from a second on where it is left out.
    pub retry_back_off: Option<RetryBackOff>,
    /// How often: once where it is left out.
    #[read(name = "numRetries")]
    pub retries: Option<u32>,
}

/// Where a filter stands among a listener's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
pub struct FilterStage {
    /// The stage.
    #[read(default)]
    pub stage: StageName,
    /// Before, in or after it.
    #[read(default)]
    pub predicate: StagePredicate,
}

/// A stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum StageName {
    /// Faults on purpose.
    #[default]
    #[read(name = "FaultStage")]
    Fault,
    /// Requests of other origins.
    #[read(name = "CorsStage")]
    Cors,
    /// A firewall.
    #[read(name = "WafStage")]
    Waf,
    /// Who it is.
    #[read(name = "AuthNStage")]
    AuthN,
    /// What they may do.
    #[read(name = "AuthZStage")]
    AuthZ,
    /// How often.
    #[read(name = "RateLimitStage")]
    RateLimit,
    /// What was let in.
    #[read(name = "AcceptedStage")]
    Accepted,
    /// Who we are.
    #[read(name = "OutAuthStage")]
    OutAuth,
    /// The last.
    #[read(name = "RouteStage")]
    Route,
}

/// Before, in or after a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum StagePredicate {
    /// In it.
    #[default]
    #[read(name = "During")]
    During,
    /// Before it.
    #[read(name = "Before")]
    Before,
    /// After it.
    #[read(name = "After")]
    After,
}

/// What a server sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct ProcessingMode {
    /// The request's headers; they are sent where it is left out.
    #[read(default)]
    pub request_header_mode: HeaderSendMode,
    /// The response's headers; they are sent where it is left out.
    #[read(default)]
    pub response_header_mode: HeaderSendMode,
    /// The request's body.
    #[read(default)]
    pub request_body_mode: BodySendMode,
    /// The response's body.
    #[read(default)]
    pub response_body_mode: BodySendMode,
    /// The request's trailers; they are not sent where it is left out.
    #[read(default)]
    pub request_trailer_mode: HeaderSendMode,
    /// The response's trailers; they are not sent where it is left out.
    #[read(default)]
    pub response_trailer_mode: HeaderSendMode,
}

/// Whether headers or trailers are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum HeaderSendMode {
    /// As where nothing is said.
    #[default]
    Default,
    /// They are.
    Send,
    /// They are not.
    Skip,
}

/// Whether bodies are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum BodySendMode {
    /// They are not.
    #[default]
    None,
    /// Piece by piece.
    Streamed,
    /// As a whole; too large ones are errors.
    Buffered,
    /// As a whole, of too large ones the start.
    BufferedPartial,
}

/// Which headers a server is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct ForwardRules {
    /// These only; all where it is left out.
    pub allowed_headers: Option<StringMatchers>,
    /// Not these.
    pub disallowed_headers: Option<StringMatchers>,
}

/// Some texts.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct StringMatchers {
    /// One of these.
    #[read(required)]
    pub patterns: Vec<StringMatcher>,
}
