//! What holds for all of AWS's own shapes.

use serde_json::{Value, json};
use tenon_contract::{AwsCall, Invocation, RequestShape, ResponseShape};
use tenon_core::invoke::Code;

use crate::fake::{Request, Response};
use crate::scenario::{
    FUNCTION_ERROR, Key, Route, Scenario, Upstream, answer, call_with, function_error, lambda,
};

pub(super) fn all() -> Vec<Scenario> {
    SHAPES
        .iter()
        .flat_map(|shape| {
            let mut all = requests(shape);
            all.extend(bodies(shape));
            all.extend(tries(shape));
            all.extend(answers(shape));
            all.extend(failures(shape));
            all
        })
        .collect()
}

struct Shape {
    name: &'static str,
    request: RequestShape,
    response: ResponseShape,
    /// The places of the method, the path, and the headers of the event.
    method: &'static str,
    path: &'static str,
    headers: &'static str,
    /// Whether a header has a list of values.
    multi: bool,
    /// An event without a body has there …
    no_body: Option<fn() -> Value>,
    /// What a client is told of an answer that is none.
    malformed: &'static str,
}

const SHAPES: [Shape; 4] = [
    Shape {
        name: "v1",
        request: RequestShape::ApiGatewayV1,
        response: ResponseShape::ApiGatewayV1,
        method: "/httpMethod",
        path: "/path",
        headers: "/headers",
        multi: false,
        no_body: Some(|| Value::Null),
        malformed: r#"{"message": "Internal server error"}"#,
    },
    Shape {
        name: "v2",
        request: RequestShape::ApiGatewayV2,
        response: ResponseShape::ApiGatewayV2,
        method: "/requestContext/http/method",
        path: "/rawPath",
        headers: "/headers",
        multi: false,
        no_body: None,
        malformed: r#"{"message":"Internal Server Error"}"#,
    },
    Shape {
        name: "elb",
        request: RequestShape::LoadBalancer,
        response: ResponseShape::LoadBalancer,
        method: "/httpMethod",
        path: "/path",
        headers: "/headers",
        multi: false,
        no_body: Some(|| "".into()),
        malformed: BAD_GATEWAY,
    },
    Shape {
        name: "elb-multi",
        request: RequestShape::LoadBalancerMultiValue,
        response: ResponseShape::LoadBalancerMultiValue,
        method: "/httpMethod",
        path: "/path",
        headers: "/multiValueHeaders",
        multi: true,
        no_body: Some(|| "".into()),
        malformed: BAD_GATEWAY,
    },
];

const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";

impl Shape {
    fn of(&self, what: &str) -> Scenario {
        self.with(what, |_| {})
    }

    fn with(&self, what: &str, change: impl FnOnce(&mut AwsCall)) -> Scenario {
        // A few hundred names for as long as the tests run.
        let name: &'static str = format!("{}-shape-{what}", self.name).leak();
        Scenario::new(name)
            .call_with(|aws| {
                (aws.request, aws.response) = (self.request, self.response);
                change(aws);
            })
            .sends_event()
    }

    /// The same, with an answer that says nothing.
    fn asked(&self, what: &str) -> Scenario {
        self.of(what).answer(answered()).body("fine")
    }

    fn header(&self, name: &str) -> &'static str {
        format!("{}/{name}", self.headers).leak()
    }

    fn value(&self, value: &str) -> Value {
        match self.multi {
            true => json!([value]),
            false => value.into(),
        }
    }

    fn shows_no_body(&self, scenario: Scenario) -> Scenario {
        match self.no_body {
            Some(value) => scenario.shows("/body", value()),
            None => scenario.hides("/body"),
        }
    }
}

fn answered() -> Response {
    answer(r#"{"statusCode":200,"body":"fine"}"#)
}

fn requests(shape: &Shape) -> Vec<Scenario> {
    let rewriting = |rewrites: bool| {
        let mut call = call_with(|aws| {
            (aws.request, aws.response) = (shape.request, shape.response);
        });
        call.rewrites_path = rewrites;
        match rewrites {
            true => Route::calling(&call).rewriting("/public", "/private"),
            false => Route::calling(&call),
        }
    };
    vec![
        shape
            .asked("shows-the-client-s-path-where-the-route-rewrites")
            .route(rewriting(true))
            .request(Request::get("/public/a?x=1").header("x-envoy-original-path", "/forged"))
            .shows(shape.path, "/public/a")
            .hides(shape.header("x-envoy-original-path")),
        shape
            .asked("shows-no-forged-original-path")
            .route(rewriting(false))
            .request(Request::get("/public/a").header("x-envoy-original-path", "/forged"))
            .shows(shape.path, "/public/a")
            .hides(shape.header("x-envoy-original-path")),
        shape
            .asked("hides-what-is-not-the-function-s")
            .request(
                Request::get("/")
                    .header("x-tenon-call", "call.9")
                    .header("x-tenon-anything", "1")
                    .header("te", "trailers")
                    .header("authorization", "Bearer of-the-client"),
            )
            .hides(shape.header("x-tenon-call"))
            .hides(shape.header("x-tenon-anything"))
            .hides(shape.header("te"))
            .shows(
                shape.header("authorization"),
                shape.value("Bearer of-the-client"),
            ),
        shape
            .asked("keeps-a-trace-of-the-client-s")
            .request(Request::get("/").header("x-amzn-trace-id", "Root=1-5bdb40ca-556d8b0c50dc66f0511bf520"))
            .shows(
                shape.header("x-amzn-trace-id"),
                shape.value("Root=1-5bdb40ca-556d8b0c50dc66f0511bf520"),
            ),
        shape
            .asked("keeps-a-forwarded-port")
            .request(Request::get("/").header("x-forwarded-port", "8443"))
            .shows(shape.header("x-forwarded-port"), shape.value("8443")),
        shape
            .asked("tells-the-port-and-the-scheme")
            .shows(shape.header("x-forwarded-port"), shape.value("80"))
            .shows(shape.header("x-forwarded-proto"), shape.value("http")),
        shape
            .of("of-a-head-request")
            .request(Request::new("HEAD", "/"))
            .answer(answer(
                r#"{"statusCode":201,"headers":{"x-a":"1"},"multiValueHeaders":{"x-a":["1"]},"body":"hello"}"#,
            ))
            .gives(201)
            .shows(shape.method, "HEAD")
            .header("x-a", ["1"])
            .header("content-length", ["5"]),
        shape
            .asked("of-another-method")
            .request(Request::new("PUT", "/").body("x"))
            .shows(shape.method, "PUT"),
    ]
}

fn bodies(shape: &Shape) -> Vec<Scenario> {
    let text = |frames: [&'static str; 2]| {
        Request::new("POST", "/")
            .header("content-type", "text/plain")
            .body_frames(frames)
    };
    vec![
        shape
            .asked("of-a-body")
            .request(
                Request::post("/", "{\"a\":\"\u{fc}\"}")
                    .header("content-type", "Application/JSON; charset=UTF-8"),
            )
            .shows("/body", "{\"a\":\"\u{fc}\"}")
            .shows("/isBase64Encoded", false),
        shape
            .asked("of-a-body-in-frames")
            .request(text(["ab", "cd"]))
            .shows("/body", "abcd"),
        shape
            .asked("of-a-body-that-trailers-end")
            .request(text(["ab", "cd"]).trailer("x-sum", "1"))
            .shows("/body", "abcd"),
        shape
            .asked("of-a-body-that-an-empty-frame-ends")
            .request(text(["ab", "cd"]).empty_end_frame())
            .shows("/body", "abcd"),
        shape.shows_no_body(
            shape
                .asked("of-no-frames-but-an-end")
                .request(
                    Request::new("POST", "/")
                        .body_frames([""; 0])
                        .empty_end_frame(),
                )
                .shows("/isBase64Encoded", false),
        ),
        shape
            .asked("of-bytes-that-are-no-text")
            .request(Request::post("/", b"\xff\x00").header("content-type", "text/plain"))
            .shows("/body", "/wA=")
            .shows("/isBase64Encoded", true),
        shape
            .asked("of-nul-bytes-in-text")
            .request(Request::post("/", b"a\0b").header("content-type", "text/plain"))
            .shows("/body", "a\0b")
            .shows("/isBase64Encoded", false),
        shape
            .asked("of-a-binary-type")
            .request(Request::post("/", "text").header("content-type", "image/png"))
            .shows("/body", "dGV4dA==")
            .shows("/isBase64Encoded", true),
        shape
            .asked("of-an-encoded-body")
            .request(
                Request::post("/", "text")
                    .header("content-type", "text/plain")
                    .header("content-encoding", "gzip"),
            )
            .withholds("content-encoding")
            .shows(shape.header("content-encoding"), shape.value("gzip"))
            .shows("/body", "dGV4dA==")
            .shows("/isBase64Encoded", true),
        shape
            .with("of-a-type-that-the-call-names", |aws| {
                aws.text_content_types = vec!["application/x-*".into()];
            })
            .answer(answered())
            .body("fine")
            .request(Request::post("/", "{}\n").header("content-type", "application/x-ndjson"))
            .shows("/body", "{}\n")
            .shows("/isBase64Encoded", false),
        shape
            .asked("is-counted-with-its-event")
            .upstream(Upstream::limits(100, 1_000_000))
            .error(
                Code::RequestTooLarge,
                413,
                "the request is larger than 100 bytes",
            )
            .unasked(),
    ]
}

fn tries(shape: &Shape) -> Vec<Scenario> {
    let posted = || {
        Request::post("/a?b=c", "text")
            .header("content-type", "text/plain")
            .header("cookie", "a=1")
            .header("x-amzn-vpc-id", "vpc-1")
    };
    vec![
        // That all tries send the same event is checked of each scenario.
        shape
            .asked("is-the-same-on-each-try")
            .request(posted())
            .answers_before([function_error(), function_error()])
            .retry(&[504], 2)
            .counted(["function_error", "function_error", "ok"])
            .shows("/body", "text"),
        shape
            .asked("is-tried-again-where-the-answer-was-none")
            .request(posted())
            .answers_before([answer("nothing")])
            .retry(&[502], 1)
            .counted(["bad_function_response", "ok"])
            .shows(shape.path, "/a"),
        shape
            .asked("is-signed-for-a-session")
            .upstream(Upstream::secret(Some(Key::Session.secret())))
            .request(posted())
            .signed_with([Key::Session]),
    ]
}

fn answers(shape: &Shape) -> Vec<Scenario> {
    let whole = r#"{"statusCode":200,"body":"hello"}"#;
    let (first, second) = whole.split_at(9);
    let frames = || lambda(Response::status(200)).body_frames([first, second]);
    let none = |what| {
        shape
            .of(what)
            .error_kept(Code::BadFunctionResponse, 502)
            .body(shape.malformed)
    };
    vec![
        shape.of("answer-in-frames").answer(frames()).body("hello"),
        shape
            .of("answer-that-an-empty-frame-ends")
            .answer(frames().empty_end_frame())
            .body("hello"),
        shape
            .of("answer-that-trailers-end")
            .answer(frames().trailer("x-sum", "1"))
            .body("hello"),
        none("answer-without-a-body")
            .body_added()
            .answer(lambda(Response::status(200))),
        none("answer-that-is-cut").answer(answer(r#"{"statusCode":200"#)),
        shape
            .of("answer-of-204-has-no-body")
            .answer(answer(r#"{"statusCode":204,"body":"dropped"}"#))
            .gives(204)
            .lacks("content-length")
            .lacks("content-type")
            .body(""),
        shape
            .of("answer-of-304-has-no-body")
            .answer(answer(r#"{"statusCode":304,"body":"dropped"}"#))
            .gives(304)
            .body(""),
        shape
            .of("answer-s-error-status-is-the-function-s-own")
            .answer(answer(r#"{"statusCode":503,"body":"mine"}"#))
            .gives(503)
            .body("mine"),
        shape
            .of("answer-cannot-set-the-framing-or-speak-as-tenon")
            .answer(answer(
                r#"{"statusCode":200,"headers":{"Content-Length":"999","Upgrade":"x","X-Tenon-Error":"forged"},"multiValueHeaders":{"Content-Length":["999"],"Upgrade":["x"],"X-Tenon-Error":["forged"]},"body":"four"}"#,
            ))
            .header("content-length", ["4"])
            .lacks("upgrade")
            .body("four"),
        shape
            .with("answer-of-an-event-is-not-unwrapped", |aws| {
                aws.invocation = Invocation::Event;
            })
            .answer(lambda(Response::status(202)))
            .gives(202)
            .sends("x-amz-invocation-type", "Event")
            .body(""),
        shape
            .of("answer-that-is-too-large")
            .upstream(Upstream::limits(100_000, 3))
            .answer(frames())
            .error(
                Code::ResponseTooLarge,
                502,
                "the response is larger than this upstream may send",
            ),
    ]
}

fn failures(shape: &Shape) -> Vec<Scenario> {
    let grpc = |what| {
        shape.of(what).request(
            Request::post("/s/m", "\0\0\0\0\0")
                .header("content-type", "application/grpc")
                .header("te", "trailers"),
        )
    };
    vec![
        shape
            .of("function-s-error-is-shown")
            .answer(function_error())
            .error_kept(Code::FunctionError, 504)
            .body(FUNCTION_ERROR),
        shape
            .with(
                "function-s-error-is-hidden-under-a-status-of-one-s-own",
                |aws| {
                    aws.expose_function_error = false;
                    aws.function_error_status = 502;
                },
            )
            .answer(function_error())
            .error(Code::FunctionError, 502, "the function failed")
            .never_shows("boom"),
        shape
            .of("call-that-is-throttled")
            .answer(
                lambda(Response::status(429))
                    .header("retry-after", "7")
                    .body("{}"),
            )
            .error(Code::Throttled, 429, "the provider throttled the call")
            .header("retry-after", ["7"])
            .lacks("x-envoygloo-lambda-statuscode"),
        shape
            .of("head-of-an-answer-that-is-none")
            .request(Request::new("HEAD", "/"))
            .answer(answer("nothing"))
            .error_kept(Code::BadFunctionResponse, 502),
        grpc("grpc-answer-that-is-none")
            .answer(answer("nothing"))
            .grpc(
                Code::BadFunctionResponse,
                "13",
                "the function's answer cannot be read",
            )
            .shows("/isBase64Encoded", true),
        grpc("grpc-function-s-error")
            .answer(function_error())
            .grpc(Code::FunctionError, "13", "the function failed")
            .never_shows("boom"),
    ]
}
