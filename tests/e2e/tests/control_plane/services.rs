//! Services of the user's own that are asked, or told, in gRPC: real servers on loopback.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Result;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::data::accesslog::v3::HttpAccessLogEntry;
use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_server::AccessLogService;
use envoy_types::pb::envoy::service::accesslog::v3::{
    StreamAccessLogsMessage, StreamAccessLogsResponse, stream_access_logs_message::LogEntries,
};
use envoy_types::pb::envoy::service::auth::v3::authorization_server::Authorization;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessor;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, ProcessingRequest,
    ProcessingResponse, body_mutation::Mutation, processing_request::Request as Part,
    processing_response::Response as Changed,
};
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::{Code, DescriptorStatus};
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::RateLimitService;
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::rpc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::transport::Server;
use tonic::{Code as GrpcCode, Request, Response, Status, Streaming, codegen};

/// A service, until it is dropped.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    task: AbortHandle,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Service {
    pub(crate) async fn start<S>(service: S) -> Result<Self>
    where
        S: codegen::Service<
                http::Request<Body>,
                Response = http::Response<Body>,
                Error = Infallible,
            > + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let connections = TcpListenerStream::new(listener);
        let server = Server::builder().serve_with_incoming(service, connections);
        let task = tokio::spawn(server).abort_handle();
        Ok(Self { address, task })
    }
}

/// What a service was told, in order.
#[derive(Debug)]
pub(crate) struct Told<T>(Arc<watch::Sender<Vec<T>>>);

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Vec::new())))
    }
}

impl<T> Clone for Told<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone> Told<T> {
    fn add(&self, more: impl IntoIterator<Item = T>) {
        self.0.send_modify(|all| all.extend(more));
    }

    pub(crate) fn forget(&self) {
        self.0.send_modify(Vec::clear);
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.borrow().clone()
    }
}

/// Takes access logs.
#[derive(Debug, Default, Clone)]
pub(crate) struct Logs {
    /// The name of the log, and a request.
    pub(crate) entries: Told<(String, HttpAccessLogEntry)>,
}

#[tonic::async_trait]
impl AccessLogService for Logs {
    async fn stream_access_logs(
        &self,
        request: Request<Streaming<StreamAccessLogsMessage>>,
    ) -> Result<Response<StreamAccessLogsResponse>, Status> {
        let mut messages = request.into_inner();
        // The first one says which log it is.
        let mut log = String::new();
        while let Some(message) = messages.message().await? {
            if let Some(identifier) = message.identifier {
                log = identifier.log_name;
            }
            if let Some(LogEntries::HttpLogs(logs)) = message.log_entries {
                self.entries
                    .add(logs.log_entry.into_iter().map(|it| (log.clone(), it)));
            }
        }
        Ok(Response::new(StreamAccessLogsResponse {}))
    }
}

/// Lets those pass whose `x-pass` says `yes`, and tells the upstream that it is Ada.
#[derive(Debug, Default, Clone)]
pub(crate) struct Doorkeeper {
    pub(crate) asked: Told<CheckRequest>,
}

#[tonic::async_trait]
impl Authorization for Doorkeeper {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let request = request.into_inner();
        let http = request.attributes.clone().and_then(|it| it.request);
        let headers = http.and_then(|it| it.http).unwrap_or_default().headers;
        self.asked.add([request]);
        let (code, answer) = match headers.get("x-pass").map(String::as_str) {
            Some("yes") => (
                GrpcCode::Ok,
                HttpResponse::OkResponse(OkHttpResponse {
                    headers: vec![text("x-who", "ada")],
                    ..OkHttpResponse::default()
                }),
            ),
            _ => (
                GrpcCode::PermissionDenied,
                HttpResponse::DeniedResponse(DeniedHttpResponse {
                    status: Some(HttpStatus { code: 401 }),
                    headers: vec![text("x-why", "nobody knows you")],
                    body: "who are you?".to_owned(),
                }),
            ),
        };
        Ok(Response::new(CheckResponse {
            status: Some(rpc::Status {
                code: code as i32,
                ..rpc::Status::default()
            }),
            http_response: Some(answer),
            ..CheckResponse::default()
        }))
    }
}

/// Lets each set of descriptors pass so often, and fails for one of the user [`BROKEN`].
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    pub(crate) often: usize,
    pub(crate) asked: Told<RateLimitRequest>,
}

pub(crate) const BROKEN: &str = "broken";

#[tonic::async_trait]
impl RateLimitService for Counter {
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        let request = request.into_inner();
        let mut entries = request.descriptors.iter().flat_map(|it| &it.entries);
        if entries.any(|entry| entry.value == BROKEN) {
            return Err(Status::unavailable("as asked"));
        }
        let before = self.asked.all();
        let before = before
            .iter()
            .filter(|it| it.descriptors == request.descriptors)
            .count();
        let code = match before < self.often {
            true => Code::Ok,
            false => Code::OverLimit,
        };
        let statuses = request.descriptors.iter().map(|_| DescriptorStatus {
            code: code.into(),
            ..DescriptorStatus::default()
        });
        let statuses = statuses.collect();
        self.asked.add([request]);
        Ok(Response::new(RateLimitResponse {
            overall_code: code.into(),
            statuses,
            ..RateLimitResponse::default()
        }))
    }
}

/// Adds `x-seen` to requests and `x-seen-again` to responses, and writes bodies of requests in capitals.
#[derive(Debug, Default, Clone)]
pub(crate) struct Processor {
    /// Which parts it saw.
    pub(crate) seen: Told<&'static str>,
}

#[tonic::async_trait]
impl ExternalProcessor for Processor {
    type ProcessStream = Pin<Box<dyn Stream<Item = Result<ProcessingResponse, Status>> + Send>>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let seen = self.seen.clone();
        let answers = request.into_inner().map(move |part| {
            let part = part?.request;
            let (what, response) = match part {
                Some(Part::RequestHeaders(_)) => {
                    ("request headers", Changed::RequestHeaders(with("x-seen")))
                }
                Some(Part::RequestBody(body)) => (
                    "request body",
                    Changed::RequestBody(BodyResponse {
                        response: Some(CommonResponse {
                            body_mutation: Some(BodyMutation {
                                mutation: Some(Mutation::Body(body.body.to_ascii_uppercase())),
                            }),
                            ..CommonResponse::default()
                        }),
                    }),
                ),
                Some(Part::ResponseHeaders(_)) => (
                    "response headers",
                    Changed::ResponseHeaders(with("x-seen-again")),
                ),
                _ => return Err(Status::invalid_argument("nobody asked for that")),
            };
            seen.add([what]);
            Ok(ProcessingResponse {
                response: Some(response),
                ..ProcessingResponse::default()
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

fn with(name: &str) -> HeadersResponse {
    HeadersResponse {
        response: Some(CommonResponse {
            header_mutation: Some(HeaderMutation {
                set_headers: vec![bytes(name, "yes")],
                ..HeaderMutation::default()
            }),
            ..CommonResponse::default()
        }),
    }
}

/// As `ext_authz` takes it.
fn text(name: &str, value: &str) -> core::HeaderValueOption {
    added(core::HeaderValue {
        key: name.to_owned(),
        value: value.to_owned(),
        ..core::HeaderValue::default()
    })
}

/// As `ext_proc` takes it.
fn bytes(name: &str, value: &str) -> core::HeaderValueOption {
    added(core::HeaderValue {
        key: name.to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..core::HeaderValue::default()
    })
}

fn added(header: core::HeaderValue) -> core::HeaderValueOption {
    core::HeaderValueOption {
        header: Some(header),
        ..core::HeaderValueOption::default()
    }
}
