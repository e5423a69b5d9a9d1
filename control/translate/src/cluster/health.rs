//! Health checks.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::extensions::health_check::event_sinks::file::v3::HealthCheckEventFileSink;
use envoy_types::pb::envoy::r#type::v3::{CodecClientType, Int64Range};
use tenon_model::{
    CustomConfig, CustomHealthCheck, GrpcHealthCheck, HeaderSource, HealthCheck, HealthCheckHeader,
    HealthChecker, HostHealthCheck, HttpHealthCheck, Kind, Method, Problem, Secret, TcpHealthCheck,
};

use super::{ClusterForm, Secrets};
use crate::json;
use crate::proto::core::health_check::custom_health_check::ConfigType;
use crate::proto::core::health_check::payload::Payload as EnvoyPayload;
use crate::proto::core::health_check::{self, HealthChecker as Checker, Payload};
use crate::proto::{boolean, core, duration, header, prefix, uint};
use crate::wire::any;

/// What an upstream's health checks come to. `alike` is what all hosts say that they are asked for.
pub(super) fn checks(
    checks: &[HealthCheck],
    alike: Option<&HostHealthCheck>,
    secrets: &impl Secrets,
    form: &mut ClusterForm,
) -> Vec<core::HealthCheck> {
    let checks = checks.iter().enumerate();
    checks
        .map(|(index, check)| {
            let at = format!("spec.healthChecks[{index}]");
            let checker = match &check.checker {
                HealthChecker::HttpHealthCheck(http) => {
                    let headers = format!("{at}.httpHealthCheck.requestHeadersToAdd");
                    let headers = to_add(&http.request_headers_to_add, &headers, secrets, form);
                    Checker::HttpHealthCheck(self::http(http, alike, headers))
                }
                HealthChecker::TcpHealthCheck(tcp) => Checker::TcpHealthCheck(self::tcp(tcp)),
                HealthChecker::GrpcHealthCheck(grpc) => {
                    let metadata = format!("{at}.grpcHealthCheck.initialMetadata");
                    let metadata = to_add(&grpc.initial_metadata, &metadata, secrets, form);
                    Checker::GrpcHealthCheck(self::grpc(grpc, metadata))
                }
                HealthChecker::CustomHealthCheck(custom) => {
                    let at = format!("{at}.customHealthCheck");
                    Checker::CustomHealthCheck(self::custom(custom, &at, form))
                }
            };
            one(check, checker)
        })
        .collect()
}

fn one(check: &HealthCheck, checker: Checker) -> core::HealthCheck {
    core::HealthCheck {
        timeout: Some(duration(check.timeout)),
        interval: Some(duration(check.interval)),
        unhealthy_threshold: Some(uint(check.unhealthy_threshold)),
        healthy_threshold: Some(uint(check.healthy_threshold)),
        initial_jitter: check.initial_jitter.map(duration),
        interval_jitter: check.interval_jitter.map(duration),
        interval_jitter_percent: check.interval_jitter_percent.unwrap_or_default(),
        reuse_connection: check.reuse_connection.and_then(boolean),
        no_traffic_interval: check.no_traffic_interval.map(duration),
        unhealthy_interval: check.unhealthy_interval.map(duration),
        unhealthy_edge_interval: check.unhealthy_edge_interval.map(duration),
        healthy_edge_interval: check.healthy_edge_interval.map(duration),
        event_logger: check.event_log_path.iter().map(|path| sink(path)).collect(),
        always_log_health_check_failures: check.always_log_health_check_failures,
        health_checker: Some(checker),
        ..core::HealthCheck::default()
    }
}

fn sink(path: &str) -> core::TypedExtensionConfig {
    core::TypedExtensionConfig {
        name: "envoy.health_check.event_sink.file".to_owned(),
        typed_config: Some(any(&HealthCheckEventFileSink {
            event_log_path: path.to_owned(),
        })),
    }
}

fn http(
    check: &HttpHealthCheck,
    alike: Option<&HostHealthCheck>,
    headers: Vec<core::HeaderValueOption>,
) -> health_check::HttpHealthCheck {
    let path = alike.and_then(|it| it.path.as_ref());
    let method = alike.and_then(|it| it.method);
    let body = check.response_assertions.iter();
    let body = body.flat_map(|it| &it.response_matchers);
    health_check::HttpHealthCheck {
        host: check.host.clone().unwrap_or_default(),
        path: path.unwrap_or(&check.path).clone(),
        service_name_matcher: check.service_name.as_deref().map(prefix),
        request_headers_to_add: headers,
        request_headers_to_remove: check.request_headers_to_remove.clone(),
        codec_client_type: match check.use_http2 {
            true => CodecClientType::Http2,
            false => CodecClientType::Http1,
        }
        .into(),
        expected_statuses: check
            .expected_statuses
            .iter()
            .map(|range| Int64Range {
                start: range.start.into(),
                end: range.end.into(),
            })
            .collect(),
        receive: body
            .map(|matcher| Payload {
                payload: Some(EnvoyPayload::Binary(
                    matcher.response_match.regex.clone().into_bytes(),
                )),
            })
            .collect(),
        method: self::method(method.unwrap_or(check.method)).into(),
        ..health_check::HttpHealthCheck::default()
    }
}

fn method(method: Method) -> core::RequestMethod {
    match method {
        Method::MethodUnspecified => core::RequestMethod::MethodUnspecified,
        Method::Get => core::RequestMethod::Get,
        Method::Head => core::RequestMethod::Head,
        Method::Post => core::RequestMethod::Post,
        Method::Put => core::RequestMethod::Put,
        Method::Delete => core::RequestMethod::Delete,
        // The model refuses it.
        Method::Connect => core::RequestMethod::Connect,
        Method::Options => core::RequestMethod::Options,
        Method::Trace => core::RequestMethod::Trace,
        Method::Patch => core::RequestMethod::Patch,
    }
}

fn tcp(check: &TcpHealthCheck) -> health_check::TcpHealthCheck {
    let payload = |payload: &tenon_model::HealthCheckPayload| Payload {
        payload: Some(EnvoyPayload::Text(payload.text.clone())),
    };
    health_check::TcpHealthCheck {
        send: check.send.as_ref().map(payload),
        receive: check.receive.iter().map(payload).collect(),
        ..health_check::TcpHealthCheck::default()
    }
}

fn grpc(
    check: &GrpcHealthCheck,
    metadata: Vec<core::HeaderValueOption>,
) -> health_check::GrpcHealthCheck {
    health_check::GrpcHealthCheck {
        service_name: check.service_name.clone().unwrap_or_default(),
        authority: check.authority.clone().unwrap_or_default(),
        initial_metadata: metadata,
    }
}

fn custom(
    check: &CustomHealthCheck,
    at: &str,
    form: &mut ClusterForm,
) -> health_check::CustomHealthCheck {
    let typed = check.config.as_ref().map(|config| match config {
        CustomConfig::TypedConfig(fields) => ("typedConfig", json::from_any(fields)),
        CustomConfig::Config(fields) => {
            let mut fields = fields.clone();
            let of = check.name.rsplit('.').next().unwrap_or_default();
            fields.insert("@type".to_owned(), untyped(of).into());
            ("config", json::from_any(&fields))
        }
    });
    let typed = match typed {
        Some((field, Err(reason))) => {
            let field = format!("{at}.{field}");
            form.problems.push(Problem::error(field, reason));
            None
        }
        Some((_, Ok(typed))) => Some(typed),
        None => None,
    };
    health_check::CustomHealthCheck {
        name: check.name.clone(),
        config_type: typed.map(ConfigType::TypedConfig),
    }
}

/// The message of a health checker of Envoy's, by the last part of its name.
fn untyped(checker: &str) -> String {
    let message = match checker {
        "redis" => "redis.v3.Redis",
        _ => "thrift.v3.Thrift",
    };
    format!("type.googleapis.com/envoy.extensions.health_checkers.{message}")
}

fn to_add(
    headers: &[HealthCheckHeader],
    at: &str,
    secrets: &impl Secrets,
    form: &mut ClusterForm,
) -> Vec<core::HeaderValueOption> {
    let mut all = Vec::new();
    for (index, it) in headers.iter().enumerate() {
        let add = |name: &str, value: &str| {
            // Nothing is filled in: a `%` is one.
            header(name, &value.replace('%', "%%"), it.append)
        };
        let reference = match &it.header {
            HeaderSource::Header(header) => {
                all.push(add(&header.key, &header.value));
                continue;
            }
            HeaderSource::HeaderSecretRef(reference) => reference,
        };
        let key = reference.key(Kind::Secret);
        let found = secrets.secret(&key);
        form.reads.insert(key);
        let none = BTreeMap::new();
        let (headers, problem) = match found {
            Some(Secret::Header(secret)) => (&secret.headers, None),
            Some(_) => (&none, Some(format!("secret {reference} holds no headers"))),
            None => (&none, Some(format!("secret {reference} does not exist"))),
        };
        all.extend(headers.iter().map(|(name, value)| add(name, value)));
        form.problems.extend(
            problem.map(|text| Problem::warning(format!("{at}[{index}].headerSecretRef"), text)),
        );
    }
    all
}
