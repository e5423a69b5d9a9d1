//! Servers that filters have asked whether requests may pass.

use std::time::Duration;

use tenon_model::gateway_api::{AuthProtocol, ExternalAuth, HttpAuth};
use tenon_model::options::ext_auth::{
    ApiVersion, ExtAuthBody, ExtAuthServer, ExtAuthService, GrpcService, HttpService,
    HttpServiceRequest, HttpServiceResponse,
};
use tenon_model::{Destination, DestinationType, Kind, ObjectKey, Spec};

use super::{Known, Reason, Seen, backends};

/// How long a server may take. The specification has no word on it, and Envoy's 200 ms are short for one that asks others.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The server of a filter, or why it cannot be asked.
pub(super) fn server(
    from: &ExternalAuth,
    route: &ObjectKey,
    known: &Seen<'_, impl Known>,
) -> Result<ExtAuthServer, Reason> {
    let mut to = backends::resolve(&from.backend_ref, route, known)?;
    let service = match from.protocol {
        AuthProtocol::Grpc => {
            to = backends::in_http2(to, known);
            let headers = from.grpc.as_ref().map(|it| it.allowed_headers.clone());
            ExtAuthService::GrpcService(GrpcService {
                allowed_headers: headers.unwrap_or_default(),
                ..GrpcService::default()
            })
        }
        AuthProtocol::Http => {
            ExtAuthService::HttpService(http(from.http.as_ref().unwrap_or(&HttpAuth::default())))
        }
    };
    speaks(&to, from.protocol, known)?;
    let body = from.forward_body.as_ref().and_then(|it| it.max_size);
    Ok(ExtAuthServer {
        extauthz_server_ref: to.upstream(),
        service: Some(service),
        user_id_header: String::new(),
        request_timeout: Some(TIMEOUT),
        failure_mode_allow: false,
        // "If 0, the body will not be sent"; "bodies over that size must be rejected with a 4xx series error".
        request_body: body.filter(|size| *size > 0).map(|size| ExtAuthBody {
            max_request_bytes: size.into(),
            allow_partial_message: false,
            pack_as_bytes: false,
        }),
        clear_route_cache: false,
        status_on_error: None,
        transport_api_version: ApiVersion::V3,
        stat_prefix: String::new(),
    })
}

fn http(from: &HttpAuth) -> HttpService {
    let path = from.path.as_deref().unwrap_or_default();
    let path = path.trim_matches('/');
    HttpService {
        path_prefix: match path {
            "" => String::new(),
            path => format!("/{path}"),
        },
        request: HttpServiceRequest {
            allowed_headers: from.allowed_headers.clone(),
            ..HttpServiceRequest::default()
        },
        response: HttpServiceResponse {
            allowed_upstream_headers: from.allowed_response_headers.clone(),
            // "If this list is empty, then all headers ... except Authority or Host must be copied."
            all_upstream_headers: from.allowed_response_headers.is_empty(),
            ..HttpServiceResponse::default()
        },
    }
}

/// Whether an upstream can be asked at all, and in this protocol. (A Service speaks what it is asked to.)
fn speaks(
    to: &Destination,
    protocol: AuthProtocol,
    known: &Seen<'_, impl Known>,
) -> Result<(), Reason> {
    let DestinationType::Upstream(reference) = &to.to else {
        return Ok(());
    };
    let Some(Spec::Upstream(upstream)) = known.spec(&reference.key(Kind::Upstream)) else {
        return Ok(());
    };
    let text = if upstream.calls_functions() {
        format!("Upstream {reference} calls functions, which cannot be asked")
    } else if protocol == AuthProtocol::Grpc && !upstream.is_http2() {
        format!(
            "Upstream {reference} is spoken to in HTTP/1.1, and gRPC needs HTTP/2: it has no useHttp2"
        )
    } else {
        return Ok(());
    };
    Err(Reason::new("UnsupportedProtocol", text))
}
