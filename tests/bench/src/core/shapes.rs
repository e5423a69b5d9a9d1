//! The requests whose instructions are counted.

use anyhow::{Result, ensure};
use tenon_contract::transform::{Stage, TransformConfig, TransformationTemplate};
use tenon_contract::{
    AuthLevel, AwsCredentials, AwsProvider, AzureCall, AzureKeys, AzureProvider, CallConfig,
    CallTarget, GcpProvider, GcpToken, KeyIn, LAMBDA_PAYLOAD_LIMIT, Provider, RequestShape,
    ResponseShape, RestProvider, SecretBlob, Sorted, UpstreamConfig,
};
use tenon_core::host::{Side, Step, Stream as _};
use tenon_core::invoke::{Try, Upstream};
use tenon_core::matching::Functions;
use tenon_core::transform::{Pass, Transformer};

use crate::host::{LightHost, List};
use crate::message::{api_gateway_answer, document};
use crate::templates;

/// Does one request.
type Run = Box<dyn Fn()>;

/// Requests of one kind.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// How often it is run at least.
    pub(crate) times: usize,
    /// Compiles what is compiled once, and gives what is done for each request.
    pub(crate) prepare: fn() -> Result<Run>,
}

const KIB: usize = 1 << 10;
const LARGE: usize = 256 << 10;

pub(crate) const SHAPES: &[Shape] = &[
    Shape::new("lambda/raw/0B", 200, || lambda(0)),
    Shape::new("lambda/raw/1KiB", 200, || lambda(KIB)),
    Shape::new("lambda/raw/256KiB", 10, || lambda(LARGE)),
    Shape::new("lambda/api_gateway_v2/1KiB", 100, || api_gateway_v2(KIB)),
    Shape::new("lambda/api_gateway_v2/256KiB", 10, || api_gateway_v2(LARGE)),
    Shape::new("gcp/0B", 200, gcp),
    Shape::new("azure/0B", 200, azure),
    Shape::new("rest/parameters", 200, rest),
    // Finding one function among so many.
    Shape::new("functions/10", 500, || lookup(10)),
    Shape::new("functions/100", 500, || lookup(100)),
    Shape::new("functions/1000", 500, || lookup(1_000)),
    Shape::new("functions/10000", 500, || lookup(10_000)),
    Shape::new("transform/idle", 500, || transform(None)),
    Shape::new("transform/headers", 200, || {
        transform(Some((templates::headers(), 0)))
    }),
    Shape::new("transform/json-4KiB", 50, || {
        transform(Some((templates::json(), 4 * KIB)))
    }),
];

impl Shape {
    const fn new(name: &'static str, times: usize, prepare: fn() -> Result<Run>) -> Self {
        Self {
            name,
            times,
            prepare,
        }
    }
}

fn lambda(bytes: usize) -> Result<Run> {
    call(
        aws(),
        &CallConfig::aws("f", "f"),
        &aws_key(),
        bytes,
        b"{\"ok\":true}".to_vec(),
    )
}

fn api_gateway_v2(bytes: usize) -> Result<Run> {
    let mut config = CallConfig::aws("f", "f");
    if let CallTarget::Aws(aws) = &mut config.target {
        aws.request = RequestShape::ApiGatewayV2;
        aws.response = ResponseShape::ApiGatewayV2;
    }
    call(aws(), &config, &aws_key(), bytes, api_gateway_answer(bytes))
}

fn gcp() -> Result<Run> {
    let provider = Provider::Gcp(GcpProvider {
        host: "f-uc.a.run.app".into(),
    });
    let secret = SecretBlob::Gcp(GcpToken {
        id_token: "x".repeat(900),
        expiration: None,
    });
    call(
        provider,
        &CallConfig::gcp("f"),
        &secret,
        0,
        b"{\"ok\":true}".to_vec(),
    )
}

fn azure() -> Result<Run> {
    let provider = Provider::Azure(AzureProvider {
        host: "shop.azurewebsites.net".into(),
        route_prefix: "api".into(),
        key_in: KeyIn::Header,
    });
    let secret = SecretBlob::Azure(AzureKeys {
        function_keys: [("default".into(), "x".repeat(56))].into(),
    });
    let config = AzureCall {
        name: "f".into(),
        route: None,
        auth_level: AuthLevel::Function,
    };
    call(
        provider,
        &CallConfig::azure("f", config),
        &secret,
        0,
        b"{\"ok\":true}".to_vec(),
    )
}

fn rest() -> Result<Run> {
    let provider = Provider::Rest(RestProvider {
        functions: Sorted::from([("f".to_owned(), templates::rest_function())]),
    });
    call(
        provider,
        &CallConfig::rest("f", templates::rest_call("f")),
        &SecretBlob::Unavailable("none is needed".into()),
        0,
        b"{\"ok\":true}".to_vec(),
    )
}

fn lookup(functions: usize) -> Result<Run> {
    let methods = ["GET".to_owned()];
    let paths: Vec<_> = (0..functions)
        .map(|index| format!("/shop/f{index:05}/items/{{id}}"))
        .collect();
    let table = Functions::compile(paths.iter().map(|path| (&methods[..], &**path)))?;
    let path = format!("/shop/f{:05}/items/42", functions / 2);
    ensure!(table.find(b"GET", path.as_bytes()).is_ok(), "{path}");
    Ok(Box::new(move || {
        let path = std::hint::black_box(path.as_bytes());
        std::hint::black_box(table.find(b"GET", path).is_ok());
    }))
}

fn aws() -> Provider {
    Provider::Aws(AwsProvider {
        region: "us-east-1".into(),
        host: "lambda.us-east-1.amazonaws.com".into(),
        propagate_original_routing: false,
    })
}

fn aws_key() -> SecretBlob {
    SecretBlob::Aws(AwsCredentials {
        access_key_id: "AKIDBENCH".into(),
        secret_access_key: "not-a-real-key".into(),
        session_token: None,
        expiration: None,
    })
}

/// A whole try: all hooks, as Envoy calls them.
fn call(
    provider: Provider,
    call: &CallConfig,
    secret: &SecretBlob,
    bytes: usize,
    answer: Vec<u8>,
) -> Result<Run> {
    let upstream = Upstream::new(UpstreamConfig {
        upstream: "bench".into(),
        secret: None,
        functions: Vec::new(),
        max_request_bytes: LAMBDA_PAYLOAD_LIMIT,
        max_response_bytes: LAMBDA_PAYLOAD_LIMIT,
        provider,
    })?;
    let (metadata, secret) = (call.to_json().into_bytes(), secret.to_json().into_bytes());
    let body = if bytes == 0 {
        Vec::new()
    } else {
        document(bytes)
    };
    let run = move || {
        let mut host = LightHost {
            request: request(bytes),
            metadata: metadata.clone(),
            secret: secret.clone(),
            ..LightHost::default()
        };
        let mut one = Try::default();
        let mut steps = [const { Step::Continue }; 4];
        steps[0] = one.request_headers(&upstream, &mut host, bytes == 0);
        if bytes > 0 {
            host.bodies[Side::Request as usize].clone_from(&body);
            steps[1] = one.request_body(&upstream, &mut host, true);
        }
        host.response = response(answer.len());
        steps[2] = one.response_headers(&upstream, &mut host, false);
        host.bodies[Side::Response as usize].clone_from(&answer);
        steps[3] = one.response_body(&upstream, &mut host, true);
        let now = host.now();
        one.destroyed(&mut host, now);
        std::hint::black_box(&host);
        steps
    };
    // A call that is refused would be cheap.
    let steps = run();
    ensure!(
        steps[1] == Step::Continue && steps[3] == Step::Continue,
        "{steps:?}"
    );
    Ok(Box::new(move || {
        std::hint::black_box(run());
    }))
}

/// A request through `tenon.transform`, with a template and the length of the body, or on a route without any.
fn transform(template: Option<(TransformationTemplate, usize)>) -> Result<Run> {
    let config = TransformConfig::stage(Stage::Regular);
    let transformer = Transformer::new(&config);
    let transformer = transformer.map_err(|invalid| anyhow::anyhow!("{invalid:?}"))?;
    let bytes = template.as_ref().map_or(0, |(_, bytes)| *bytes);
    let route = templates::of_route(template.map(|(template, _)| template));
    let metadata = route.to_json().into_bytes();
    let body = if bytes == 0 {
        Vec::new()
    } else {
        document(bytes)
    };
    let run = move || {
        let mut host = LightHost {
            request: request(bytes),
            metadata: metadata.clone(),
            ..LightHost::default()
        };
        let mut pass = Pass::default();
        let mut last = pass.request_headers(&transformer, None, &mut host, bytes == 0);
        if bytes > 0 {
            host.bodies[Side::Request as usize].clone_from(&body);
            last = pass.request_body(&transformer, &mut host, true);
        }
        host.response = response(11);
        pass.response_headers(&transformer, &mut host, false);
        host.bodies[Side::Response as usize] = b"{\"ok\":true}".to_vec();
        pass.response_body(&transformer, &mut host, true);
        std::hint::black_box(&host);
        last
    };
    let last = run();
    ensure!(last == Step::Continue, "{last:?}");
    Ok(Box::new(move || {
        std::hint::black_box(run());
    }))
}

fn request(bytes: usize) -> List {
    let method = if bytes == 0 { "GET" } else { "POST" };
    let mut headers = vec![
        (":authority", "bench.test".to_owned()),
        (":path", "/bench".to_owned()),
        (":method", method.to_owned()),
        (":scheme", "http".to_owned()),
        ("accept", "*/*".to_owned()),
        ("x-name", "ann".to_owned()),
        ("x-internal", "1".to_owned()),
        ("x-forwarded-proto", "http".to_owned()),
        (
            "x-request-id",
            "00000000-0000-4000-8000-000000000001".to_owned(),
        ),
        ("x-envoy-expected-rq-timeout-ms", "30000".to_owned()),
    ];
    if bytes > 0 {
        headers.push(("content-type", "application/json".to_owned()));
        headers.push(("content-length", bytes.to_string()));
    }
    list(headers)
}

fn response(bytes: usize) -> List {
    list(vec![
        (":status", "200".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("content-length", bytes.to_string()),
        (
            "x-amzn-requestid",
            "00000000-0000-4000-8000-000000000001".to_owned(),
        ),
        ("x-envoy-upstream-service-time", "1".to_owned()),
    ])
}

fn list(headers: Vec<(&'static str, String)>) -> List {
    let headers = headers.into_iter();
    headers
        .map(|(name, value)| (name.into(), value.into_bytes()))
        .collect()
}
