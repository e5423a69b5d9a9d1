//! REST functions: templates make the request, and what comes of it.

use tenon_contract::transform::{Empty, Extraction, MergeJsonKeys, TransformationTemplate};
use tenon_contract::{CallConfig, FunctionEntry, FunctionTarget, RestCall, RestFunction};
use tenon_core::invoke::Code;

use crate::fake::{Answer, Request, Response};
use crate::scenario::{Route, Scenario, Upstream, call, rest_call};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = requests();
    all.extend(parameters());
    all.extend(bodies());
    all.extend(refusals());
    all.extend(responses());
    all.extend(heads());
    all.extend(tries());
    all.extend(grpc());
    all.extend(by_table());
    all
}

/// As the control plane makes it of `{name}` in a parameter.
const VALUE: &str = "([-._%0-9A-Za-z]+)";

fn extraction(header: &str, regex: &str, subgroup: u32) -> Extraction {
    Extraction {
        header: Some(header.into()),
        regex: regex.replace("{}", VALUE),
        subgroup,
        ..Extraction::default()
    }
}

/// With the parameter `id` of the path, which may have a query.
fn with_id(path: &str) -> CallConfig {
    rest_call(|rest| {
        let regex = format!(r"{path}(?:\?.*)?");
        rest.extractors = [("id".into(), extraction(":path", &regex, 1))].into();
    })
}

fn set(name: &str, text: &str) -> impl FnOnce(&mut TransformationTemplate) {
    move |it: &mut TransformationTemplate| {
        it.headers.insert(name.into(), text.into());
    }
}

fn pet(name: &'static str, request: Request) -> Scenario {
    Scenario::rest(name, set(":path", "/api/pets/{{ default(id, \"\") }}"))
        .call(&with_id("/pets/{}"))
        .request(request)
}

fn requests() -> Vec<Scenario> {
    let listed = |it: &mut TransformationTemplate| {
        it.headers = [
            (":method", "POST"),
            (":path", "/v2{{ header(\":path\") }}"),
            ("x-from", "{{ header(\"x-client\") }}"),
            ("x-gone", ""),
        ]
        .map(|(name, text)| (name.into(), text.into()))
        .into();
        it.headers_to_remove = vec!["x-secret".into()];
        it.headers_to_append = vec![tenon_contract::transform::HeaderToAppend {
            key: "x-many".into(),
            value: "more".into(),
        }];
    };
    vec![
        Scenario::rest("a-template-makes-method-path-and-headers", listed)
            .request(
                Request::get("/a?b=1")
                    .header("x-client", "me")
                    .header("x-gone", "x")
                    .header("x-secret", "x")
                    .header("cookie", "a=1"),
            )
            .method("POST")
            .path("/v2/a?b=1")
            .sends("x-from", "me")
            .sends("x-many", "more")
            .sends("cookie", "a=1")
            .withholds("x-gone")
            .withholds("x-secret"),
        Scenario::rest("a-template-without-anything-changes-nothing", |_| {})
            .request(Request::post("/a?b", "body").header("content-type", "text/plain"))
            .path("/a?b")
            .sends("content-type", "text/plain")
            .sends("content-length", "4"),
        Scenario::rest(
            "a-template-names-the-host",
            set(":authority", "pets.example"),
        )
        .request(Request::post("/", "body"))
        .host("pets.example"),
        Scenario::rest("headers-of-ours-do-not-reach-a-rest-function", |_| {})
            .request(Request::get("/").header("x-tenon-secret", "forged")),
        Scenario::rest("a-rewritten-path-is-what-templates-see", listed)
            .route(Route::calling(&rest_call(|_| {})).rewriting("/x", "/y"))
            .request(Request::get("/x/z"))
            .method("POST")
            .path("/v2/y/z"),
        Scenario::rest("each-weight-has-a-rest-function-of-its-own", |_| {})
            .upstream(Upstream::rest([("f", "/first"), ("g", "/second")].map(
                |(name, path)| {
                    let mut template = TransformationTemplate::default();
                    set(":path", path)(&mut template);
                    (name, template)
                },
            )))
            .route(Route::weighted(
                &[
                    rest_call(|_| {}),
                    CallConfig::rest(
                        "g",
                        RestCall {
                            name: "g".into(),
                            ..RestCall::default()
                        },
                    ),
                ],
                1,
            ))
            .function("g")
            .path("/second"),
    ]
}

fn parameters() -> Vec<Scenario> {
    let several = |it: &mut TransformationTemplate| {
        it.headers = [
            (":path", "/{{ owner }}/{{ nested.id }}"),
            ("x-all", "{{ method }} {{ path }}"),
        ]
        .map(|(name, text)| (name.into(), text.into()))
        .into();
    };
    let call = rest_call(|rest| {
        let path = "/pets/{}/of/{}";
        rest.extractors = [
            ("nested.id", extraction(":path", path, 1)),
            ("owner", extraction(":path", path, 2)),
            ("method", extraction(":method", "(.*)", 1)),
            ("path", extraction(":path", "(.*)", 1)),
        ]
        .map(|(name, it)| (name.into(), it))
        .into();
    });
    let token = rest_call(|rest| {
        rest.extractors = [("token".into(), extraction("authorization", "Bearer {}", 1))].into();
    });
    vec![
        pet(
            "a-parameter-of-the-path-is-a-variable",
            Request::get("/pets/7"),
        )
        .path("/api/pets/7"),
        pet(
            "an-encoded-value-stays-encoded",
            Request::get("/pets/a%2Fb%20c%C3%BC"),
        )
        .path("/api/pets/a%2Fb%20c%C3%BC"),
        pet(
            "a-parameter-is-found-beside-a-query",
            Request::get("/pets/7?verbose=1"),
        )
        .path("/api/pets/7"),
        pet(
            "a-path-that-parameters-do-not-fit-gives-none",
            Request::get("/pets/7/toys"),
        )
        .path("/api/pets/"),
        pet(
            "a-value-of-other-characters-does-not-fit",
            Request::get("/pets/a&b=c"),
        )
        .path("/api/pets/"),
        pet(
            "parameters-need-no-body-and-hold-none",
            Request::new("POST", "/pets/7").body_frames(vec![b'x'; 2 << 20].chunks(1 << 19)),
        )
        .path("/api/pets/7"),
        Scenario::rest("several-parameters-and-what-all-have", several)
            .call(&call)
            .request(Request::get("/pets/7/of/eve"))
            .path("/eve/7")
            .sends("x-all", "GET /pets/7/of/eve"),
        Scenario::rest(
            "a-parameter-of-a-header-is-a-variable",
            set("x-token", "{{ token }}"),
        )
        .call(&token)
        .request(Request::get("/").header("authorization", "Bearer a.b-c"))
        .sends("x-token", "a.b-c"),
        Scenario::rest(
            "a-parameter-of-a-header-that-is-not-there-is-empty",
            set("x-token", "[{{ token }}]"),
        )
        .call(&token)
        .sends("x-token", "[]"),
        Scenario::rest("a-parameter-goes-before-the-template-s-own", |it| {
            set("x-token", "{{ token }}")(it);
            it.extractors = [("token".into(), extraction(":path", "(.*)", 1))].into();
        })
        .call(&token)
        .request(Request::get("/").header("authorization", "Bearer abc"))
        .sends("x-token", "abc"),
        Scenario::rest("advanced-templates-extract-parameters", |it| {
            it.advanced_templates = true;
            set(":path", "/api/{{ extraction(\"id\") }}")(it);
        })
        .call(&with_id("/pets/{}"))
        .request(Request::get("/pets/7"))
        .path("/api/7"),
    ]
}

fn bodies() -> Vec<Scenario> {
    const NEW: &str = r#"{"id": {{ default(id, "0") }}, "name": "{{ default(name, "") }}"}"#;
    let body = |name| {
        Scenario::rest(name, |it| {
            it.body = Some(NEW.into());
            set("content-type", "application/json")(it);
        })
        .call(&with_id("/pets/{}"))
        .sends("content-type", "application/json")
    };
    let empty = |name| {
        Scenario::rest(name, |it| {
            it.body = Some("".into());
            set("content-type", "")(it);
        })
        .sends_body("")
        .sends("content-length", "0")
        .withholds("content-type")
        .withholds("transfer-encoding")
    };
    let json = |method: &str, body: &str| {
        Request::new(method, "/pets/7")
            .header("content-type", "text/json")
            .body(body)
    };
    let filled = r#"{"id": 7, "name": "rex"}"#;
    let unnamed = r#"{"id": 7, "name": ""}"#;
    vec![
        body("a-body-is-made-of-path-and-body")
            .request(json("POST", r#"{"name":"rex","other":1}"#))
            .path("/pets/7")
            .sends_body(filled)
            .sends("content-length", "24"),
        body("a-get-without-a-body-gets-one")
            .request(Request::get("/pets/7"))
            .path("/pets/7")
            .sends_body(unnamed)
            .sends("content-length", "21")
            .withholds("transfer-encoding"),
        body("a-head-without-a-body-gets-one")
            .request(Request::new("HEAD", "/pets/7"))
            .answer(Response::status(200).header("x-a", "1"))
            .path("/pets/7")
            .sends_body(unnamed)
            .sends("content-length", "21"),
        body("a-body-in-frames-is-made-anew")
            .request(Request::new("POST", "/pets/7").body_frames([r#"{"name":"#, r#""rex"}"#]))
            .path("/pets/7")
            .sends_body(filled)
            .sends("content-length", "24")
            .withholds("transfer-encoding"),
        body("a-body-that-trailers-end-is-made-anew")
            .request(
                Request::new("POST", "/pets/7")
                    .body_frames([r#"{"name":"rex"}"#])
                    .trailer("x-sum", "1"),
            )
            .path("/pets/7")
            .sends_body(filled),
        body("a-body-that-an-empty-frame-ends-is-made-anew")
            .request(
                Request::new("POST", "/pets/7")
                    .body_frames([r#"{"name":"rex"}"#])
                    .empty_end_frame(),
            )
            .path("/pets/7")
            .sends_body(filled),
        empty("a-get-loses-its-body")
            .request(json("GET", "{}"))
            .path("/pets/7"),
        empty("a-get-without-a-body-has-none").request(Request::get("/")),
        empty("a-post-of-any-kind-loses-its-body")
            .request(json("POST", "not JSON"))
            .path("/pets/7"),
        Scenario::rest("a-body-passes-a-template-that-says-so", |it| {
            it.passthrough = Some(Empty {});
            set("x-a", "{{ default(id, \"none\") }}")(it);
        })
        .request(Request::new("PUT", "/").body_frames(vec![b'x'; 2 << 20].chunks(1 << 19)))
        .sends("x-a", "none"),
        Scenario::rest("a-body-passes-templates-of-headers-alone", set("x-a", "1"))
            .request(
                Request::new("PUT", "/")
                    .header("content-encoding", "gzip")
                    .body_frames(["\x1f", "\x7f", ""])
                    .trailer("x-sum", "1"),
            )
            .sends("x-a", "1"),
        Scenario::rest("parameters-are-put-into-the-body", |it| {
            it.merge_extractors_to_body = Some(Empty {});
        })
        .call(&with_id("/pets/{}"))
        .request(json("POST", r#"{"name":"rex"}"#))
        .path("/pets/7")
        .sends_body(r#"{"id":"7","name":"rex"}"#),
        Scenario::rest("values-are-put-into-the-body", |it| {
            let mut merge = MergeJsonKeys::default();
            let key = tenon_contract::transform::OverridableTemplate {
                tmpl: "{{ id }}".into(),
                override_empty: false,
            };
            merge.json_keys.insert("number".into(), key);
            it.merge_json_keys = Some(merge);
        })
        .call(&with_id("/pets/{}"))
        .request(json("POST", r#"{"name":"rex"}"#))
        .path("/pets/7")
        .sends_body(r#"{"id":"7","name":"rex","number":7}"#),
    ]
}

fn refusals() -> Vec<Scenario> {
    let nothing = |scenario: Scenario, call: &CallConfig| {
        scenario
            .call(call)
            .error(
                Code::NoFunction,
                500,
                "no function is configured for this route",
            )
            .unasked()
    };
    let bad = |scenario: Scenario, message: &str| {
        scenario.error(Code::BadRequest, 400, message).unasked()
    };
    let held = |name| {
        Scenario::rest(name, |it| it.body = Some("{{ body() }}".into()))
            .error(
                Code::RequestTooLarge,
                413,
                "the request is larger than 1048576 bytes",
            )
            .unasked()
    };
    let big = vec![b'x'; (1 << 20) + 1];
    let climbs = "bad request: the path that the template makes has a segment . or ..";
    let of_body = |name, id: &str| {
        Scenario::rest(name, set(":path", "/pets/{{ id }}/toys"))
            .request(Request::post("/", format!(r#"{{"id":"{id}"}}"#)))
    };
    vec![
        nothing(
            Scenario::rest("a-rest-function-that-is-not-there-is-not-called", |_| {}),
            &rest_call(|rest| rest.name = "g".into()),
        ),
        nothing(
            Scenario::rest("a-service-is-not-asked-with-a-call-of-lambda", |_| {}),
            &call(),
        ),
        nothing(
            Scenario::new("lambda-is-not-asked-with-a-call-of-a-rest-function"),
            &rest_call(|_| {}),
        ),
        nothing(
            Scenario::rest("a-call-whose-response-has-no-template-is-none", |_| {}),
            &rest_call(|rest| {
                rest.response = Some(Box::new(TransformationTemplate {
                    body: Some("{% if %}".into()),
                    ..TransformationTemplate::default()
                }));
            }),
        ),
        Scenario::rest("a-rest-function-is-not-called-without-a-call", |_| {})
            .route(Route::calling_nothing())
            .error(
                Code::NoFunction,
                500,
                "no function is configured for this route",
            )
            .unasked(),
        bad(
            Scenario::rest("a-variable-that-is-missing", set("x-a", "{{ name }}")),
            "bad request: variable 'name' not found (line 1, column 4)",
        ),
        bad(
            Scenario::rest("a-body-that-is-no-json", set("x-a", "{{ name }}"))
                .request(Request::post("/", "name=rex").header("x-a", "own")),
            "bad request: the body is not JSON: expected ident at line 1 column 2",
        ),
        bad(of_body("a-value-cannot-climb", ".."), climbs),
        bad(of_body("a-value-cannot-climb-by-slashes", "a/../b"), climbs),
        bad(of_body("a-value-cannot-climb-encoded", "%2E%2e"), climbs),
        bad(
            of_body("a-value-cannot-split-the-path", "a b"),
            "bad request: the value for the header :path is not valid",
        ),
        bad(
            Scenario::rest("a-path-begins-with-a-slash", set(":path", "pets")),
            "bad request: what the template makes is no path: it begins with no slash",
        ),
        held("a-body-that-says-it-is-too-large-for-a-template").request(Request::post("/", &big)),
        held("a-body-that-is-too-large-for-a-template")
            .request(Request::new("POST", "/").body_frames(big.chunks(1 << 19))),
    ]
}

/// With a transformation of the response.
fn answered(name: &'static str, change: impl FnOnce(&mut TransformationTemplate)) -> Scenario {
    let mut response = TransformationTemplate::default();
    change(&mut response);
    Scenario::rest(name, set("x-sent", "1"))
        .call(&rest_call(|rest| rest.response = Some(Box::new(response))))
        .sends("x-sent", "1")
}

const PICK: &str = r#"{"name":"{{ pet.name }}"}"#;
const REX: &str = r#"{"pet":{"name":"rex"}}"#;

fn responses() -> Vec<Scenario> {
    let picks = |name| answered(name, |it| it.body = Some(PICK.into()));
    let fine = || Response::status(200).header("content-type", "application/json");
    let unreadable = |scenario: Scenario, reason: &str| {
        let text = format!("the function's answer cannot be transformed: {reason}");
        scenario.error(Code::BadFunctionResponse, 502, &text)
    };
    vec![
        Scenario::rest("an-answer-passes-as-it-is", |_| {})
            .answer(
                Response::status(404)
                    .header("set-cookie", "a=1")
                    .header("set-cookie", "b=2")
                    .header("x-tenon-error", "forged")
                    .body("none"),
            )
            .gives(404)
            .header("set-cookie", ["a=1", "b=2"]),
        Scenario::rest("an-answer-passes-in-frames", |_| {}).answer(
            Response::status(200)
                .body_frames(vec![b'x'; 3 << 20].chunks(1 << 20))
                .trailer("x-sum", "2"),
        )
        .trailer("x-sum", "2"),
        picks("an-answer-is-transformed")
            .answer(fine().body(REX))
            .body(r#"{"name":"rex"}"#)
            .header("content-length", ["14"])
            .header("content-type", ["application/json"]),
        picks("an-answer-in-frames-is-transformed")
            .answer(fine().body_frames([&REX[..9], &REX[9..]]))
            .body(r#"{"name":"rex"}"#),
        picks("an-answer-that-an-empty-frame-ends-is-transformed")
            .answer(fine().body_frames([REX]).empty_end_frame())
            .body(r#"{"name":"rex"}"#),
        picks("an-answer-that-trailers-end-is-transformed")
            .answer(fine().body_frames([REX]).trailer("x-sum", "1"))
            .body(r#"{"name":"rex"}"#),
        answered("an-answer-s-headers-are-transformed", |it| {
            set(":status", "{% if header(\":status\") == \"404\" %}204{% else %}{{ header(\":status\") }}{% endif %}")(it);
            set("x-was", "{{ header(\":status\") }}")(it);
        })
        .answer(Response::status(201).body_frames(vec![b'x'; 3 << 20].chunks(1 << 20)))
        .gives(201)
        .header("x-was", ["201"]),
        answered("an-answer-s-transformation-sees-the-client-s-request", |it| {
            set("x-asked", "{{ request_header(\":path\") }} {{ request_header(\"x-sent\") }}")(it);
        })
        .request(Request::get("/a").header("x-sent", "0"))
        .path("/a")
        .header("x-asked", ["/a 0"]),
        unreadable(
            picks("an-answer-that-is-no-json").answer(fine().body("<html>")),
            "the body is not JSON: expected value at line 1 column 1",
        ),
        unreadable(
            picks("an-answer-that-lacks-something").answer(fine().body("{}")),
            "variable 'pet.name' not found (line 1, column 13)",
        ),
        unreadable(
            picks("an-answer-without-a-body-that-is-needed").answer(fine()),
            "variable 'pet.name' not found (line 1, column 13)",
        )
        .body_added(),
        unreadable(
            answered("headers-of-an-answer-that-cannot-be-made", |it| {
                set("x-a", "{{ missing }}")(it);
                it.passthrough = Some(Empty {});
            })
            .answer(fine().body(REX)),
            "variable 'missing' not found (line 1, column 4)",
        ),
        picks("an-answer-that-says-it-is-too-large")
            .answer(fine().body(vec![b' '; (1 << 20) + 1]))
            .error(
                Code::ResponseTooLarge,
                502,
                "the response is larger than this upstream may send",
            ),
        picks("an-answer-that-is-too-large")
            .answer(fine().body_frames(vec![b' '; (1 << 20) + 1].chunks(1 << 19)))
            .error(
                Code::ResponseTooLarge,
                502,
                "the response is larger than this upstream may send",
            ),
    ]
}

fn heads() -> Vec<Scenario> {
    let head = || Request::new("HEAD", "/");
    vec![
        Scenario::rest("a-head-is-passed-on", |_| {})
            .request(head())
            .answer(Response::status(200).header("x-a", "1"))
            .header("x-a", ["1"]),
        Scenario::rest(
            "a-head-that-becomes-a-get-has-no-body",
            set(":method", "GET"),
        )
        .request(head())
        .method("GET")
        .answer(Response::status(200).body("hello"))
        .header("content-length", ["5"]),
        Scenario::rest(
            "a-head-that-becomes-a-get-in-frames-has-no-body",
            set(":method", "GET"),
        )
        .request(head())
        .method("GET")
        .answer(Response::status(200).body_frames(["he", "llo"])),
        answered("a-head-that-becomes-a-get-is-transformed", |it| {
            set("x-name", "{{ pet.name }}")(it);
        })
        .upstream(Upstream::rest([("f", {
            let mut template = TransformationTemplate::default();
            set(":method", "GET")(&mut template);
            set("x-sent", "1")(&mut template);
            template
        })]))
        .request(head())
        .method("GET")
        .answer(Response::status(200).body(REX))
        .header("x-name", ["rex"]),
        Scenario::rest(
            "a-get-that-becomes-a-head-has-no-body",
            set(":method", "HEAD"),
        )
        .method("HEAD")
        .answer(Response::status(200).header("content-length", "5"))
        .header("content-length", ["0"]),
        answered("the-answer-to-a-head-cannot-be-transformed", |it| {
            set("x-a", "{{ missing }}")(it);
        })
        .request(head())
        .answer(Response::status(200).header("x-b", "1"))
        .error_kept(Code::BadFunctionResponse, 502),
        Scenario::rest("a-head-is-asked-again", set(":method", "GET"))
            .request(head())
            .method("GET")
            .answer(Response::status(503).body("busy"))
            .answer(Response::status(200).body("fine"))
            .retry(&[503], 1)
            .counted(["ok", "ok"]),
    ]
}

fn tries() -> Vec<Scenario> {
    // Each value makes another of what the try before it left behind.
    let grown = |it: &mut TransformationTemplate| {
        set(":method", "PUT")(it);
        set(":path", "/v2{{ header(\":path\") }}")(it);
        set("x-count", "{{ header(\"x-count\") }}1")(it);
        set("content-type", "{{ header(\"content-type\") }}+x")(it);
        it.headers_to_append = vec![tenon_contract::transform::HeaderToAppend {
            key: "x-many".into(),
            value: "more".into(),
        }];
        it.headers_to_remove = vec!["cookie".into()];
        it.body = Some("[{{ body() }}]".into());
    };
    let of = |name| {
        Scenario::rest(name, grown)
            .request(
                Request::post("/a?b", "body")
                    .header("content-type", "text/plain")
                    .header("cookie", "a=1")
                    .header("x-count", "0"),
            )
            .method("PUT")
            .path("/v2/a?b")
            .sends("x-count", "01")
            .sends("x-many", "more")
            .sends("content-type", "text/plain+x")
            .sends("content-length", "6")
            .withholds("cookie")
            .sends_body("[body]")
    };
    let fine = || Response::status(200).body("fine");
    let busy = || Response::status(503).body("busy");
    vec![
        of("a-rest-function-is-asked-again")
            .answer(Answer::Lost)
            .answer(busy())
            .answer(fine())
            .retry(&[503], 2)
            .counted(["cancelled", "ok", "ok"]),
        of("a-rest-function-is-asked-by-a-hedge")
            .answer(Answer::Outrun)
            .answer(fine())
            .retry(&[], 1)
            .counted(["cancelled", "ok"]),
        of("a-rest-function-answers-while-a-hedge-waits")
            .answer(Answer::Late(busy()))
            .answer(fine())
            .retry(&[503], 1)
            .counted(["ok", "ok"]),
        of("what-templates-wrote-is-gone-from-a-request-whose-try-is-lost")
            .answer(Answer::Lost)
            .guarded()
            .gives(503)
            .answered_by_router(LOST)
            .body(LOST_BODY)
            .counted(["cancelled"]),
        answered("a-transformed-status-is-tried-again", |it| {
            set(
                ":status",
                "{% if body() == \"busy\" %}503{% else %}200{% endif %}",
            )(it);
            it.parse_body_behavior = tenon_contract::transform::ParseBodyBehavior::DontParse;
        })
        .answer(Response::status(200).body("busy"))
        .answer(fine())
        .retry(&[503], 1)
        .counted(["ok", "ok"]),
        answered("an-answer-that-cannot-be-read-is-tried-again", |it| {
            it.body = Some(PICK.into());
        })
        .answer(fine())
        .answer(Response::status(200).body(REX))
        .retry(&[502], 1)
        .body(r#"{"name":"rex"}"#)
        .counted(["bad_function_response", "ok"]),
    ]
}

const LOST: &str = "upstream_reset_before_response_started{connection_termination}";
const LOST_BODY: &str = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";

fn grpc() -> Vec<Scenario> {
    let request = || {
        Request::new("POST", "/s/m")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body_frames(["\0\0\0\0\0", "\0\0\0\0\0"])
    };
    vec![
        Scenario::rest("grpc-passes-a-rest-function-and-back", set("x-a", "1"))
            .request(request())
            .path("/s/m")
            .sends("x-a", "1")
            .answer(
                Response::status(200)
                    .header("content-type", "application/grpc")
                    .body_frames(["\0\0\0\0\0"])
                    .trailer("grpc-status", "0"),
            )
            .trailer("grpc-status", "0"),
        Scenario::rest("grpc-is-no-json", set("x-a", "{{ name }}"))
            .request(request())
            .grpc(
                Code::BadRequest,
                "3",
                "bad request: the body is not JSON: expected value at line 1 column 1",
            )
            .unasked(),
        answered("an-answer-to-grpc-that-cannot-be-transformed", |it| {
            it.body = Some(PICK.into());
        })
        .request(request())
        .path("/s/m")
        .answer(Response::status(200).body("<html>"))
        .grpc(
            Code::BadFunctionResponse,
            "13",
            "the function's answer cannot be transformed: the body is not JSON: expected value at line 1 column 1",
        ),
    ]
}

fn by_table() -> Vec<Scenario> {
    let entry = |methods: &[&str], path: &str, name: &str| FunctionEntry {
        methods: methods.iter().map(|it| (*it).to_owned()).collect(),
        path: path.into(),
        function: name.into(),
        target: FunctionTarget::Rest(RestFunction { name: name.into() }),
    };
    let shop = || {
        let template = |headers: &[(&str, &str)]| TransformationTemplate {
            headers: headers
                .iter()
                .map(|(name, text)| ((*name).into(), (*text).into()))
                .collect(),
            ..TransformationTemplate::default()
        };
        let advanced = TransformationTemplate {
            advanced_templates: true,
            ..template(&[(":path", "/{{ extraction(\"rest\") }}")])
        };
        Upstream::rest([
            (
                "find",
                template(&[
                    (":path", "/api/{{ kind }}/{{ id }}"),
                    ("x-id", "{{ pathParameters.id }}"),
                ]),
            ),
            ("drop", template(&[(":method", "POST"), (":path", "/drop")])),
            ("files", advanced),
        ])
        .with_functions(&[
            entry(&["GET"], "/{kind}/{id}", "find"),
            entry(&["DELETE"], "/{kind}/{id}", "drop"),
            entry(&[], "/files/{*rest}", "files"),
        ])
    };
    let call = CallConfig {
        by_table: true,
        ..CallConfig::rest("", RestCall::default())
    };
    let of = |name, request| {
        Scenario::new(name)
            .call(&call)
            .upstream(shop())
            .request(request)
    };
    vec![
        of(
            "a-rest-function-is-found-by-its-path",
            Request::get("/pets/a%20b?x=1"),
        )
        .function("find")
        .path("/api/pets/a%20b")
        .sends("x-id", "a b"),
        of(
            "a-rest-function-is-found-with-a-body-of-any-kind",
            Request::new("GET", "/pets/7").body("not JSON"),
        )
        .function("find")
        .path("/api/pets/7")
        .sends("x-id", "7"),
        of(
            "a-rest-function-is-found-by-its-method",
            Request::new("DELETE", "/pets/7"),
        )
        .function("drop")
        .method("POST")
        .path("/drop"),
        of(
            "advanced-templates-extract-what-a-path-took",
            Request::get("/files/a/b%2fc"),
        )
        .function("files")
        .path("/a/b%2Fc"),
        of(
            "each-try-finds-the-same-rest-function",
            Request::new("DELETE", "/pets/7"),
        )
        .function("drop")
        .method("POST")
        .path("/drop")
        .answer(Answer::Lost)
        .answer(Response::status(503).body("busy"))
        .answer(Response::status(200).body("fine"))
        .retry(&[503], 2)
        .counted(["cancelled", "ok", "ok"]),
        of("no-rest-function-is-for-a-path", Request::get("/pets"))
            .error(
                Code::NoMatch,
                404,
                "no function of this upstream is for this path",
            )
            .unasked(),
        of(
            "no-rest-function-is-for-a-method",
            Request::post("/pets/7", "body"),
        )
        .error(
            Code::NoMatch,
            405,
            "no function of this upstream is for this method of this path",
        )
        .header("allow", ["DELETE, GET, HEAD"])
        .unasked(),
    ]
}
