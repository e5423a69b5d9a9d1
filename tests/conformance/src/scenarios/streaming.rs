//! Answers that Lambda streams.

use tenon_contract::{AwsCall, Invocation, RequestShape, ResponseShape};
use tenon_core::invoke::Code;
use tenon_e2e::eventstream::{CONTENT_TYPE, DELIMITER, chunk, complete, end, exception, failed};

use crate::fake::{Request, Response};
use crate::scenario::{
    FUNCTION_ERROR, Key, Scenario, Upstream, answer, call_with, function_error, lambda,
    service_error,
};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = bodies();
    all.extend(heads());
    all.extend(kinds_of_clients());
    all.extend(early_failures());
    all.extend(late_failures());
    all.extend(logs());
    all
}

fn bodies() -> Vec<Scenario> {
    let large = vec![b'x'; 7 << 20];
    let in_chunks: Vec<u8> = large.chunks(1 << 20).flat_map(chunk).collect();
    vec![
        of("a-stream-is-asked-for-and-decoded")
            .request(Request::post("/", "body"))
            .answer(streamed([chunk("hello"), complete()]))
            .sends("x-amz-invocation-type", "RequestResponse")
            .body("hello")
            .header("content-type", ["application/octet-stream"])
            .header("x-amz-executed-version", ["$LATEST"])
            .tells("executed_version", "$LATEST"),
        of("a-stream-of-a-qualified-function")
            .call(&call_with(|aws| {
                stream(aws);
                aws.qualifier = Some("prod".into());
            }))
            .path("/2021-11-15/functions/f/response-streaming-invocations?Qualifier=prod")
            .answer(streamed([chunk("hello"), complete()]))
            .body("hello"),
        of("a-stream-of-an-event")
            .call_with(|aws| {
                stream(aws);
                aws.request = RequestShape::Metadata;
            })
            .shows("/httpMethod", "GET")
            .answer(streamed([chunk("hello"), complete()]))
            .body("hello"),
        of("a-stream-in-chunks")
            .answer(streamed([
                chunk("a"),
                chunk(""),
                chunk("bc"),
                chunk("d"),
                complete(),
            ]))
            .body("abcd"),
        of("a-stream-in-one-frame")
            .answer(streamed([[chunk("ab"), chunk("cd"), complete()].concat()]))
            .body("abcd"),
        of("a-stream-in-frames-of-one-byte")
            .answer(streamed(bytes(&[chunk("ab"), chunk("cd"), complete()])))
            .body("abcd"),
        of("a-stream-with-a-length")
            .answer(lambda_stream().body([chunk("ab"), complete()].concat()))
            .body("ab"),
        of("a-stream-that-an-empty-frame-ends")
            .answer(streamed([chunk("ab"), complete()]).empty_end_frame())
            .body("ab"),
        of("a-stream-that-trailers-end")
            .answer(streamed([chunk("ab"), complete()]).trailer("x-sum", "2"))
            .body("ab")
            .trailer("x-sum", "2"),
        of("a-stream-without-a-byte")
            .answer(streamed([complete()]))
            .body(""),
        of("a-stream-of-any-bytes")
            .answer(streamed([chunk(b"\xff\0\r\n\0\0\0\0\0\0\0\0"), complete()]))
            .body(b"\xff\0\r\n\0\0\0\0\0\0\0\0"),
        of("a-chunk-reaches-the-client-before-the-next-is-sent")
            .answer(streamed([chunk("first,"), chunk("second"), complete()]).behind_head(1))
            .body("first,second"),
        of("half-a-chunk-reaches-the-client-before-its-other-half-is-sent")
            .answer(streamed(halves(&chunk("first"), &complete())).behind_head(1))
            .body("first"),
        of("a-line-of-json-reaches-the-client-before-the-next-is-sent")
            .answer(
                streamed([chunk("{\"a\":1}\n"), chunk("{\"a\":2}\n"), complete()]).behind_head(1),
            )
            .body("{\"a\":1}\n{\"a\":2}\n"),
        of("a-stream-of-more-than-6-mb")
            .answer(streamed(
                [&*in_chunks, &complete()].concat().chunks(1 << 20),
            ))
            .body(large),
        of("a-stream-has-no-limit-of-the-upstream")
            .upstream(Upstream::limits(100, 5))
            .answer(streamed([chunk("more than five"), complete()]))
            .body("more than five"),
        of("a-stream-of-events-of-a-newer-lambda")
            .answer(streamed([
                chunk("a"),
                end(&serde_json::json!({"New": [1]})),
            ]))
            .body("a"),
    ]
}

/// Status and headers that the function chose.
fn heads() -> Vec<Scenario> {
    let head = r#"{"statusCode":418,"headers":{"content-type":"text/x","x-own":"1"},"cookies":["a=1","b=2"]}"#;
    let with = |body: &str| [head.as_bytes(), &DELIMITER, body.as_bytes()].concat();
    vec![
        of("a-stream-with-a-status-and-headers-of-its-own")
            .answer(streamed([chunk(with("hello")), complete()]))
            .gives(418)
            .body("hello")
            .header("content-type", ["text/x"])
            .header("x-own", ["1"])
            .header("set-cookie", ["a=1", "b=2"]),
        of("a-status-and-headers-in-frames-of-one-byte")
            .answer(streamed(bytes(&[chunk(with("hello")), complete()])))
            .gives(418)
            .body("hello"),
        of("a-status-and-headers-in-chunks")
            .answer(streamed([chunk(head), chunk(DELIMITER), chunk("hel"), chunk("lo"), complete()]))
            .gives(418)
            .body("hello"),
        of("a-status-and-headers-reach-the-client-before-the-body-is-sent")
            .answer(streamed([chunk(with("")), chunk("hello"), complete()]).behind_head(1))
            .gives(418)
            .body("hello"),
        of("a-status-and-headers-without-a-body")
            .answer(streamed([chunk(with("")), complete()]))
            .gives(418)
            .body(""),
        of("a-status-and-headers-that-trailers-end")
            .answer(streamed([chunk(with("hello")), complete()]).trailer("x-sum", "2"))
            .gives(418)
            .body("hello")
            .trailer("x-sum", "2"),
        of("a-stream-of-a-status-without-a-body")
            .answer(streamed([
                chunk([&br#"{"statusCode":204}"#[..], &DELIMITER, b"no body"].concat()),
                complete(),
            ]))
            .gives(204)
            .body(""),
        of("a-stream-cannot-split-the-response-or-speak-as-tenon")
            .answer(streamed([
                chunk([
                    &br#"{"headers":{"x-a":"b\r\nset-cookie: c","x-tenon-error":"x","content-length":"1","X-Fine":"yes"}}"#[..],
                    &DELIMITER,
                    b"hello",
                ].concat()),
                complete(),
            ]))
            .body("hello")
            .lacks("x-a")
            .header("x-fine", ["yes"]),
        of("a-stream-of-an-api-gateway-s-function-has-only-its-own-headers")
            .call_with(shaped)
            .answer(streamed([chunk(with("hello")), complete()]))
            .gives(418)
            .body("hello")
            .lacks("x-amzn-requestid")
            .lacks("x-amz-executed-version"),
        of("a-stream-of-an-api-gateway-s-function-has-to-choose-its-status")
            .call_with(shaped)
            .answer(streamed([chunk("hello"), complete()]))
            .error(Code::BadFunctionResponse, 502, UNREADABLE),
        of("a-stream-of-a-rest-api-s-function-has-to-choose-its-status")
            .call_with(|aws| {
                stream(aws);
                aws.response = ResponseShape::ApiGatewayV1;
            })
            .answer(streamed([chunk("hello"), complete()]))
            .error(Code::BadFunctionResponse, 502, UNREADABLE),
        of("a-stream-of-a-function-url-s-function-may-choose-its-status")
            .call_with(|aws| {
                stream(aws);
                aws.response = ResponseShape::ApiGatewayV2;
            })
            .answer(streamed([chunk(with("hello")), complete()]))
            .gives(418)
            .body("hello")
            .lacks("x-amz-executed-version"),
        of("a-stream-of-a-function-url-s-function-may-be-the-body")
            .call_with(|aws| {
                stream(aws);
                aws.response = ResponseShape::ApiGatewayV2;
            })
            .answer(streamed([chunk("hello"), complete()]))
            .body("hello")
            .header("content-type", ["application/octet-stream"]),
        of("a-json-object-that-is-cut-off-is-the-body")
            .answer(streamed([chunk(r#"{"statusCode":418"#), complete()]))
            .body(r#"{"statusCode":418"#),
        of("a-json-object-that-trailers-cut-off-is-the-body")
            .answer(streamed([chunk(r#"{"statusCode":418}"#), complete()]).trailer("x-sum", "2"))
            .body(r#"{"statusCode":418}"#),
        of("a-status-that-is-none")
            .answer(streamed([
                chunk([&br#"{"statusCode":99999}"#[..], &DELIMITER, b"hello"].concat()),
                complete(),
            ]))
            .error(Code::BadFunctionResponse, 502, UNREADABLE),
        of("a-status-that-is-none-is-tried-again")
            .answer(streamed([
                chunk([&br#"{"statusCode":"x"}"#[..], &DELIMITER].concat()),
                complete(),
            ]))
            .answer(streamed([chunk("fine"), complete()]))
            .retry(&[502], 1)
            .counted(["bad_function_response", "ok"])
            .body("fine"),
        of("a-status-of-a-stream-is-tried-again")
            .answer(streamed([
                chunk([&br#"{"statusCode":503}"#[..], &DELIMITER].concat()),
                complete(),
            ]))
            .answer(streamed([chunk("fine"), complete()]))
            .retry(&[503], 1)
            // The router gives the first up before it has ended.
            .counted(["cancelled", "ok"])
            .body("fine"),
    ]
}

fn kinds_of_clients() -> Vec<Scenario> {
    let head = |name| of(name).request(Request::new("HEAD", "/"));
    let chosen = [
        &br#"{"statusCode":418,"headers":{"x-own":"1"}}"#[..],
        &DELIMITER,
        b"hello",
    ]
    .concat();
    vec![
        head("head-of-a-stream").answer(streamed([chunk("hello"), complete()])),
        head("head-of-a-stream-in-frames")
            .answer(streamed(bytes(&[chunk("hello"), complete()])).empty_end_frame()),
        head("head-of-a-stream-with-a-status-of-its-own")
            .answer(streamed([chunk(&chosen), chunk("more"), complete()]))
            .gives(418)
            .header("x-own", ["1"]),
        head("head-of-a-stream-that-fails-at-once")
            .answer(streamed([failed("Unhandled", FUNCTION_ERROR)]))
            .error_kept(Code::FunctionError, 504),
        grpc("grpc-stream")
            .answer(streamed([
                chunk(
                    [
                        &br#"{"headers":{"content-type":"application/grpc"}}"#[..],
                        &DELIMITER,
                        b"\0\0\0\0\0",
                    ]
                    .concat(),
                ),
                complete(),
            ]))
            .header("content-type", ["application/grpc"])
            .body("\0\0\0\0\0"),
        grpc("grpc-stream-that-fails-at-once")
            .answer(streamed([failed("Unhandled", FUNCTION_ERROR)]))
            .grpc(Code::FunctionError, "13", "the function failed")
            .never_shows("boom"),
        grpc("grpc-stream-that-is-damaged")
            .answer(streamed(["no stream of events"]))
            .grpc(Code::BadFunctionResponse, "13", UNREADABLE),
        grpc("grpc-stream-that-fails-later")
            .answer(streamed([chunk("\0\0\0\0\0"), failed("Unhandled", "x")]).behind_head(1))
            .cut_off(Code::FunctionError, "\0\0\0\0\0"),
    ]
}

/// Before a byte is out, a failure is an error like any other.
fn early_failures() -> Vec<Scenario> {
    vec![
        of("a-stream-that-fails-at-once")
            .answer(streamed([failed("Unhandled", FUNCTION_ERROR)]))
            .error_kept(Code::FunctionError, 504)
            .header("content-type", ["application/json"])
            .body(FUNCTION_ERROR)
            .tells("function_error", "Unhandled"),
        of("a-stream-that-fails-at-once-in-plain-words")
            .call_with(|aws| {
                stream(aws);
                aws.function_error_status = 500;
            })
            .answer(streamed([failed("Runtime.ExitError", "exit status 1")]))
            .error_kept(Code::FunctionError, 500)
            .header("content-type", ["text/plain"])
            .body("exit status 1"),
        of("a-stream-that-fails-at-once-without-a-word")
            .answer(streamed([failed("Unhandled", "")]))
            .error(Code::FunctionError, 504, "the function failed"),
        of("a-stream-s-failure-is-hidden-where-the-call-says-so")
            .call_with(|aws| {
                stream(aws);
                aws.expose_function_error = false;
            })
            .answer(streamed([failed("Unhandled", FUNCTION_ERROR)]))
            .error(Code::FunctionError, 504, "the function failed")
            .never_shows("boom"),
        of("a-stream-that-fails-at-once-is-tried-again")
            .answer(streamed([failed("Unhandled", FUNCTION_ERROR)]))
            .answer(streamed([chunk("fine"), complete()]))
            .retry(&[504], 1)
            .counted(["function_error", "ok"])
            .body("fine"),
        of("a-stream-that-fails-while-its-status-is-awaited")
            .answer(streamed([
                chunk(r#"{"statusCode":"#),
                failed("Unhandled", FUNCTION_ERROR),
            ]))
            .error_kept(Code::FunctionError, 504)
            .body(FUNCTION_ERROR),
        of("a-stream-that-fails-at-once-and-that-trailers-end")
            .answer(streamed([failed("Unhandled", FUNCTION_ERROR)]).trailer("x-sum", "2"))
            .error_kept(Code::FunctionError, 504)
            .body(FUNCTION_ERROR),
        of("a-stream-that-lambda-fails")
            .answer(streamed([exception("ServiceException")]))
            .error(
                Code::ProviderError,
                502,
                "the provider failed: ServiceException",
            )
            .never_shows("123456789012"),
        of("an-answer-that-is-no-stream")
            .answer(streamed(["no stream of events"]))
            .error(Code::BadFunctionResponse, 502, UNREADABLE),
        of("a-stream-with-a-wrong-checksum")
            .answer(streamed([damaged(&chunk("hello"))]))
            .error(Code::BadFunctionResponse, 502, UNREADABLE),
        of("a-stream-that-ends-at-once")
            .body_added()
            .answer(lambda_stream())
            .error(Code::BadFunctionResponse, 502, UNREADABLE),
        of("a-stream-that-ends-before-its-end-is-known")
            .answer(streamed([chunk("{")]))
            .error(Code::BadFunctionResponse, 502, UNREADABLE),
        of("a-stream-that-ends-before-its-end-is-tried-again")
            .answer(streamed([chunk("{")]))
            .answer(streamed([chunk("fine"), complete()]))
            .retry(&[502], 1)
            .counted(["bad_function_response", "ok"])
            .body("fine"),
        of("a-stream-that-was-refused")
            .answer(service_error(404, "ResourceNotFoundException", "x"))
            .error(
                Code::ProviderError,
                404,
                "the provider answered 404 ResourceNotFoundException",
            ),
        of("a-stream-that-was-throttled")
            .answer(service_error(429, "TooManyRequestsException", "x"))
            .error(Code::Throttled, 429, "the provider throttled the call"),
        // As a stand-in for Lambda may have it; Lambda itself tells in the stream.
        of("a-stream-with-a-header-that-tells-of-a-failure")
            .answer(function_error())
            .error_kept(Code::FunctionError, 504)
            .body(FUNCTION_ERROR),
    ]
}

/// Once bytes are out, only the end of the stream can tell.
fn late_failures() -> Vec<Scenario> {
    let late = |name, frame: Vec<u8>, code| {
        of(name)
            .answer(streamed([chunk("hello"), frame]).behind_head(1))
            .cut_off(code, "hello")
    };
    vec![
        late(
            "a-stream-that-fails-later",
            failed("Unhandled", FUNCTION_ERROR),
            Code::FunctionError,
        )
        .tells("function_error", "Unhandled")
        .never_shows("boom"),
        late(
            "a-stream-that-lambda-fails-later",
            exception("ServiceException"),
            Code::ProviderError,
        ),
        late(
            "a-stream-that-is-damaged-later",
            b"no message at all".to_vec(),
            Code::BadFunctionResponse,
        ),
        late(
            "a-stream-that-goes-on-after-its-end",
            [complete(), chunk("more")].concat(),
            Code::BadFunctionResponse,
        ),
        late(
            "a-stream-that-ends-before-its-end",
            chunk("")[..10].to_vec(),
            Code::BadFunctionResponse,
        ),
        of("a-stream-whose-checksum-is-wrong-later")
            .answer(streamed([chunk("hello"), damaged(&chunk(" world"))]).behind_head(1))
            .cut_off(Code::BadFunctionResponse, "hello world"),
        of("a-stream-that-ends-without-its-end")
            .answer(streamed([chunk("hello"), chunk(" world")]).behind_head(1))
            .cut_off(Code::BadFunctionResponse, "hello world"),
        of("a-stream-that-trailers-end-before-its-end")
            .answer(
                streamed([chunk("hello"), chunk(" world")])
                    .behind_head(1)
                    .trailer("x-sum", "2"),
            )
            .cut_off(Code::BadFunctionResponse, "hello world"),
        of("a-stream-that-fails-later-is-not-tried-again")
            .answer(streamed([chunk("hello"), failed("Unhandled", "x")]).behind_head(1))
            .retry(&[504], 1)
            .tries(1)
            .cut_off(Code::FunctionError, "hello"),
    ]
}

/// The tail of a function's log is for operators, and only where it is asked for.
fn logs() -> Vec<Scenario> {
    let logged = "U1RBUlQKICBoZWxsbwobWzMxbXJlZAo=";
    let asking = |aws: &mut AwsCall| aws.log_tail = true;
    let answered = || answer("{}").header("x-amz-log-result", logged);
    let lines = "upstream lambda_default: function f logged:   hello";
    vec![
        Scenario::new("the-tail-of-a-log-is-asked-for-and-logged")
            .call_with(asking)
            .request(Request::post("/", "{}").header("x-amz-log-type", "None"))
            .answer(answered())
            .sends("x-amz-log-type", "Tail")
            .lacks("x-amz-log-result")
            .logs(lines)
            .logs(r"logged: \u{1b}[31mred"),
        Scenario::new("the-tail-of-a-log-of-each-try")
            .call_with(asking)
            .upstream(Upstream::secret(Some(Key::Session.secret())))
            .signed_with([Key::Session])
            .answer(function_error().header("x-amz-log-result", logged))
            .answer(answered())
            .retry(&[504], 1)
            .counted(["function_error", "ok"])
            .sends("x-amz-log-type", "Tail")
            .lacks("x-amz-log-result")
            .logs(lines),
        Scenario::new("the-tail-of-a-log-that-is-no-base64")
            .call_with(asking)
            .answer(answer("{}").header("x-amz-log-result", "?"))
            .sends("x-amz-log-type", "Tail")
            .lacks("x-amz-log-result"),
        Scenario::new("a-log-that-was-not-asked-for-is-nobody-s")
            .request(Request::post("/", "{}").header("x-amz-log-type", "Tail"))
            .answer(answered())
            .withholds("x-amz-log-type")
            .lacks("x-amz-log-result")
            .never_shows("hello"),
        Scenario::new("the-tail-of-a-queued-event-s-log-is-not-asked-for")
            .call_with(|aws| {
                aws.log_tail = true;
                aws.invocation = Invocation::Event;
            })
            .request(Request::post("/", "{}"))
            .answer(Response::status(202).body(""))
            .gives(202)
            .withholds("x-amz-log-type"),
        of("the-tail-of-a-stream-s-log")
            .call_with(|aws| {
                stream(aws);
                aws.log_tail = true;
            })
            .answer(streamed([
                chunk("a"),
                end(&serde_json::json!({"LogResult": logged})),
            ]))
            .sends("x-amz-log-type", "Tail")
            .body("a")
            .logs(lines),
        of("the-tail-of-a-failing-stream-s-log")
            .call_with(|aws| {
                stream(aws);
                aws.log_tail = true;
            })
            .answer(streamed([end(
                &serde_json::json!({"ErrorCode": "Unhandled", "LogResult": logged}),
            )]))
            .sends("x-amz-log-type", "Tail")
            .error(Code::FunctionError, 504, "the function failed")
            .logs(lines),
    ]
}

const UNREADABLE: &str = "the function's answer cannot be read";

fn of(name: &'static str) -> Scenario {
    Scenario::new(name)
        .call_with(stream)
        .path("/2021-11-15/functions/f/response-streaming-invocations")
}

fn grpc(name: &'static str) -> Scenario {
    of(name).request(
        Request::post("/s/m", "\0\0\0\0\0")
            .header("content-type", "application/grpc")
            .header("te", "trailers"),
    )
}

fn stream(aws: &mut AwsCall) {
    aws.invocation = Invocation::ResponseStream;
}

fn shaped(aws: &mut AwsCall) {
    stream(aws);
    aws.response = ResponseShape::ApiGateway;
}

fn lambda_stream() -> Response {
    let mut headers = lambda(Response::status(200)).headers().clone();
    headers.set("content-type", CONTENT_TYPE.as_bytes());
    Response::status(200).with_headers(headers)
}

fn streamed<B: AsRef<[u8]>>(frames: impl IntoIterator<Item = B>) -> Response {
    lambda_stream().body_frames(frames)
}

/// A frame for each byte.
fn bytes(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    messages
        .concat()
        .into_iter()
        .map(|byte| vec![byte])
        .collect()
}

/// A message cut in its payload, and the rest with what follows.
fn halves(message: &[u8], next: &[u8]) -> [Vec<u8>; 2] {
    let (first, second) = message.split_at(message.len() - 6);
    [first.to_vec(), [second, next].concat()]
}

/// A message with another checksum.
fn damaged(message: &[u8]) -> Vec<u8> {
    let mut bytes = message.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    bytes
}
