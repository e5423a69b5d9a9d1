//! A server that sees and changes requests and responses.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutationRules;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::{
    self as envoy, ExtProcOverrides, ExtProcPerRoute, ExternalProcessor, HeaderForwardingRules,
    MetadataOptions, ext_proc_per_route::Override, metadata_options::MetadataNamespaces,
    processing_mode as mode,
};
use envoy_types::pb::envoy::r#type::matcher::v3::ListStringMatcher;
use tenon_model::options::ext_proc::{
    BodySendMode, ExtProc, ExtProcOverrides as Overrides, ExtProcServer, ExtProcService,
    ExtProcSpec, HeaderSendMode, MutationRules, ProcessingMode, ServiceRetries, StringMatchers,
};

use prost::{Message, Name};
use tenon_model::options::values::SafeRegex;

use super::values::string_matcher;
use super::{Configured, Context, grpc_service};
use crate::http_filters::{ExtProcServers, ExtProcStage};
use crate::names;
use crate::proto::{Any, boolean, core, duration, regex, uint};
use crate::wire::{self, Struct, any, any_bytes};

pub(super) fn configure(
    (field, stage): (&str, ExtProcStage),
    proc: &ExtProc,
    context: &Context<'_>,
    to: &mut Configured,
) {
    let overrides = match &proc.spec {
        None | Some(ExtProcSpec::Disabled(false)) => return,
        Some(ExtProcSpec::Disabled(true)) => {
            to.put_quietly(stage.filter(), disabled());
            return;
        }
        Some(ExtProcSpec::Overrides(overrides)) => overrides,
    };
    if context.servers.ext_proc(stage).is_none() {
        to.error(
            field,
            format!("needs a server in the Settings' {field}, which this only overrides"),
        );
        return;
    }
    if let Some(service) = &overrides.grpc_service {
        let at = format!("{field}.overrides.grpcService.extProcServerRef");
        to.needs_server(&at, &service.ext_proc_server_ref, context);
    }
    let config = ExtProcPerRoute {
        r#override: Some(Override::Overrides(translate(overrides))),
    };
    to.put(stage.filter(), any(&config));
}

/// What has no server see the requests of a route.
pub(crate) fn disabled() -> Any {
    any(&ExtProcPerRoute {
        r#override: Some(Override::Disabled(true)),
    })
}

/// The filter of a server.
pub(crate) fn filter(server: &ExtProcServer) -> Any {
    let rules = &server.forward_rules;
    let some_rules = rules.allowed_headers.is_some() || rules.disallowed_headers.is_some();
    let mut bytes = ExternalProcessor {
        mutation_rules: server.mutation_rules.as_ref().map(mutation_rules),
        grpc_service: Some(service(&server.grpc_service)),
        failure_mode_allow: server.failure_mode_allow,
        processing_mode: server.processing_mode.map(processing_mode),
        request_attributes: server.request_attributes.clone(),
        response_attributes: server.response_attributes.clone(),
        message_timeout: server.message_timeout.map(duration),
        stat_prefix: server.stat_prefix.clone(),
        max_message_timeout: server.max_message_timeout.map(duration),
        disable_clear_route_cache: server.disable_clear_route_cache,
        forward_rules: some_rules.then(|| HeaderForwardingRules {
            allowed_headers: rules.allowed_headers.as_ref().map(list),
            disallowed_headers: rules.disallowed_headers.as_ref().map(list),
        }),
        allow_mode_override: server.allow_mode_override,
        metadata_options: metadata(
            &server.metadata_context_namespaces,
            &server.typed_metadata_context_namespaces,
        ),
        ..ExternalProcessor::default()
    }
    .encode_to_vec();
    if let Some(metadata) = &server.filter_metadata {
        let metadata = Struct::from(metadata).encode_to_vec();
        wire::append(&mut bytes, FILTER_METADATA, &metadata);
    }
    any_bytes(ExternalProcessor::type_url(), bytes)
}

fn translate(from: &Overrides) -> ExtProcOverrides {
    ExtProcOverrides {
        processing_mode: from.processing_mode.map(processing_mode),
        request_attributes: from.request_attributes.clone(),
        response_attributes: from.response_attributes.clone(),
        grpc_service: from.grpc_service.as_ref().map(service),
        metadata_options: metadata(
            &from.metadata_context_namespaces,
            &from.typed_metadata_context_namespaces,
        ),
        ..ExtProcOverrides::default()
    }
}

fn service(from: &ExtProcService) -> core::GrpcService {
    let cluster = names::cluster_of(&from.ext_proc_server_ref);
    let initial = from.initial_metadata.iter();
    core::GrpcService {
        initial_metadata: initial
            .map(|header| core::HeaderValue {
                key: header.key.clone(),
                value: header.value.clone(),
                ..core::HeaderValue::default()
            })
            .collect(),
        retry_policy: from.retry_policy.map(retry_policy),
        ..grpc_service(&cluster, &from.authority, from.timeout)
    }
}

/// `ExternalProcessor.filter_metadata`
const FILTER_METADATA: u32 = 13;

fn mutation_rules(from: &MutationRules) -> HeaderMutationRules {
    let expression = |it: &Option<SafeRegex>| it.as_ref().map(|it| regex(&it.regex));
    HeaderMutationRules {
        allow_all_routing: from.allow_all_routing.and_then(boolean),
        allow_envoy: from.allow_envoy.and_then(boolean),
        disallow_system: from.disallow_system.and_then(boolean),
        disallow_all: from.disallow_all.and_then(boolean),
        allow_expression: expression(&from.allow_expression),
        disallow_expression: expression(&from.disallow_expression),
        disallow_is_error: from.disallow_is_error.and_then(boolean),
    }
}

fn retry_policy(from: ServiceRetries) -> core::RetryPolicy {
    core::RetryPolicy {
        retry_back_off: from.retry_back_off.map(|it| core::BackoffStrategy {
            base_interval: Some(duration(it.base)),
            max_interval: it.most.map(duration),
        }),
        num_retries: from.retries.map(uint),
        // Gloo has no field for it, and Envoy tries nothing again by itself.
        retry_on: "connect-failure,refused-stream,unavailable".to_owned(),
        ..core::RetryPolicy::default()
    }
}

fn list(from: &StringMatchers) -> ListStringMatcher {
    ListStringMatcher {
        patterns: from.patterns.iter().map(string_matcher).collect(),
    }
}

fn metadata(untyped: &[String], typed: &[String]) -> Option<MetadataOptions> {
    let some = !untyped.is_empty() || !typed.is_empty();
    some.then(|| MetadataOptions {
        forwarding_namespaces: Some(MetadataNamespaces {
            untyped: untyped.to_vec(),
            typed: typed.to_vec(),
        }),
        ..MetadataOptions::default()
    })
}

fn processing_mode(from: ProcessingMode) -> envoy::ProcessingMode {
    let headers = |mode| match mode {
        HeaderSendMode::Default => mode::HeaderSendMode::Default,
        HeaderSendMode::Send => mode::HeaderSendMode::Send,
        HeaderSendMode::Skip => mode::HeaderSendMode::Skip,
    };
    let body = |mode| match mode {
        BodySendMode::None => mode::BodySendMode::None,
        BodySendMode::Streamed => mode::BodySendMode::Streamed,
        BodySendMode::Buffered => mode::BodySendMode::Buffered,
        BodySendMode::BufferedPartial => mode::BodySendMode::BufferedPartial,
    };
    envoy::ProcessingMode {
        request_header_mode: headers(from.request_header_mode).into(),
        response_header_mode: headers(from.response_header_mode).into(),
        request_body_mode: body(from.request_body_mode).into(),
        response_body_mode: body(from.response_body_mode).into(),
        request_trailer_mode: headers(from.request_trailer_mode).into(),
        response_trailer_mode: headers(from.response_trailer_mode).into(),
    }
}
