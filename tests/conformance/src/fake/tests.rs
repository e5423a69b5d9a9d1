//! The fake with filters of a few lines.

use std::cell::RefCell;

use tenon_core::host::{Body, Headers, Slot, Stream, Telemetry};

use super::*;

type Hook<'a> = &'a dyn Fn(&mut FakeHost, &str, bool) -> Step;

/// Writes down each hook, and does what `hook` says.
struct Scripted<'a> {
    number: usize,
    seen: &'a RefCell<Vec<String>>,
    hook: Hook<'a>,
}

impl Scripted<'_> {
    fn call(&self, host: &mut FakeHost, hook: &str, end: bool) -> Step {
        let end_mark = if end { " end" } else { "" };
        let side = if hook.starts_with("request") {
            Side::Request
        } else {
            Side::Response
        };
        let mut all = Vec::new();
        host.each_chunk(side, &mut |chunk| all.extend_from_slice(chunk));
        let all = String::from_utf8_lossy(&all);
        let new = &all[all.len() - host.new_length(side) as usize..];
        let line = format!("{} {hook} {new}/{all}{end_mark}", self.number);
        self.seen.borrow_mut().push(line);
        (self.hook)(host, hook, end)
    }
}

impl Filter<FakeHost> for Scripted<'_> {
    fn request_headers(&mut self, host: &mut FakeHost, end: bool) -> Step {
        self.call(host, "request_headers", end)
    }
    fn request_body(&mut self, host: &mut FakeHost, end: bool) -> Step {
        self.call(host, "request_body", end)
    }
    fn request_trailers(&mut self, host: &mut FakeHost) -> Step {
        self.call(host, "request_trailers", true)
    }
    fn response_headers(&mut self, host: &mut FakeHost, end: bool) -> Step {
        self.call(host, "response_headers", end)
    }
    fn response_body(&mut self, host: &mut FakeHost, end: bool) -> Step {
        self.call(host, "response_body", end)
    }
    fn response_trailers(&mut self, host: &mut FakeHost) -> Step {
        self.call(host, "response_trailers", true)
    }
    fn destroy(&mut self, host: &mut FakeHost) {
        self.call(host, "destroy", false);
    }
}

/// Runs `exchange`; gives the hooks that were called, too.
fn run(exchange: Exchange, hook: Hook<'_>) -> (Outcome, Vec<String>) {
    let seen = RefCell::default();
    let mut number = 0;
    let outcome = exchange.run(|| {
        number += 1;
        Scripted {
            number,
            seen: &seen,
            hook,
        }
    });
    (outcome, seen.into_inner())
}

fn ok(request: Request) -> Exchange {
    Exchange::new(request).answer(Response::status(200))
}

fn through(_: &mut FakeHost, _: &str, _: bool) -> Step {
    Step::Continue
}

/// Keeps messages until they are complete.
fn hold(_: &mut FakeHost, _: &str, end: bool) -> Step {
    if end { Step::Continue } else { Step::Hold }
}

fn reply() -> Step {
    Step::Reply(Reply {
        status: 503,
        headers: vec![("x-why", "because".into())],
        body: b"no".to_vec(),
        details: "tenon_no",
        trailers_only: false,
    })
}

#[test]
fn a_message_without_a_body_ends_with_its_headers() {
    let (outcome, seen) = run(ok(Request::get("/x?y")), &through);
    assert_eq!(
        seen,
        [
            "1 request_headers / end",
            "1 response_headers / end",
            "1 destroy /"
        ]
    );
    let [sent] = &outcome.upstream[..] else {
        panic!("{outcome:?}");
    };
    assert_eq!((&*sent.method(), &*sent.path()), ("GET", "/x?y"));
    assert!(sent.body.is_empty() && sent.complete);
    assert_eq!(
        (outcome.client.status, outcome.client.details),
        (200, "via_upstream")
    );
    assert_eq!(outcome.problems, [""; 0]);
}

#[test]
fn frames_that_are_let_go_are_not_seen_again() {
    let request = Request::new("POST", "/").body_frames(["ab", "cd"]);
    let (outcome, seen) = run(ok(request), &through);
    assert_eq!(
        seen[..3],
        [
            "1 request_headers /",
            "1 request_body ab/ab",
            "1 request_body cd/cd end"
        ]
    );
    assert_eq!(outcome.upstream[0].body, b"abcd");
}

#[test]
fn an_empty_frame_may_end_what_was_held() {
    let request = Request::new("POST", "/").body_frames(["ab", "cd"]);
    let (outcome, seen) = run(ok(request.empty_end_frame()), &hold);
    assert_eq!(
        seen[..4],
        [
            "1 request_headers /",
            "1 request_body ab/ab",
            "1 request_body cd/abcd",
            "1 request_body /abcd end"
        ]
    );
    assert_eq!(outcome.upstream[0].body, b"abcd");
}

#[test]
fn a_body_that_trailers_end_has_no_last_frame() {
    let request = Request::new("POST", "/")
        .body_frames(["ab"])
        .trailer("x-sum", "1");
    let response = Response::status(200)
        .body_frames(["cd"])
        .trailer("x-sum", "2");
    let (outcome, seen) = run(Exchange::new(request).answer(response), &hold);
    assert_eq!(
        seen,
        [
            "1 request_headers /",
            "1 request_body ab/ab",
            "1 request_trailers /ab end",
            "1 response_headers /",
            "1 response_body cd/cd",
            "1 response_trailers /cd end",
            "1 destroy /"
        ]
    );
    assert_eq!(outcome.upstream[0].body, b"ab");
    assert_eq!(outcome.upstream[0].trailers.text("x-sum"), "1");
    assert_eq!(outcome.client.body, b"cd");
    assert_eq!(outcome.client.trailers.text("x-sum"), "2");
}

#[test]
fn bodies_can_be_replaced_in_the_last_hook_of_any_kind() {
    let requests = [
        Request::get("/"),
        Request::new("POST", "/").body_frames(["ab", "cd"]),
        Request::new("POST", "/")
            .body_frames(["ab", "cd"])
            .empty_end_frame(),
        Request::new("POST", "/")
            .body_frames(["ab"])
            .trailer("t", "1"),
    ];
    for request in requests {
        let (outcome, _) = run(ok(request), &|host, hook, end| {
            if end && hook.starts_with("request") {
                host.replace_body(Side::Request, b"new");
                host.set_header(Side::Request, "content-length", b"3");
            }
            hold(host, hook, end)
        });
        assert_eq!(outcome.upstream[0].body, b"new");
        assert_eq!(outcome.problems, [""; 0]);
    }
}

#[test]
fn later_tries_see_the_headers_of_earlier_ones_and_the_body_in_one_piece() {
    let request = Request::new("POST", "/a").body_frames(["ab", "cd"]);
    let exchange = Exchange::new(request)
        .answer(Response::status(503))
        .answer(Response::status(200))
        .retry_on([503], 2);
    let (outcome, seen) = run(exchange, &|host, hook, _| {
        if hook == "request_headers" {
            let path = host.header(Side::Request, ":path").unwrap().into_owned();
            host.set_header(Side::Request, ":path", &[&path[..], b"/b"].concat());
            host.add_header(Side::Request, "x-try", b"1");
        }
        Step::Continue
    });
    assert_eq!(
        seen,
        [
            "1 request_headers /",
            "1 request_body ab/ab",
            "1 request_body cd/cd end",
            "1 response_headers / end",
            "1 destroy /",
            "2 request_headers /",
            "2 request_body abcd/abcd end",
            "2 response_headers / end",
            "2 destroy /"
        ]
    );
    let paths: Vec<_> = outcome.upstream.iter().map(Sent::path).collect();
    assert_eq!(paths, ["/a/b", "/a/b/b"]);
    assert_eq!(outcome.upstream[1].body, b"abcd");
    assert_eq!(outcome.request_headers.all("x-try").count(), 2);
}

#[test]
fn what_changes_after_the_headers_went_stays_behind() {
    let (outcome, _) = run(ok(Request::post("/", "ab")), &|host, hook, _| {
        if hook == "request_body" {
            host.set_header(Side::Request, ":path", b"/late");
        }
        Step::Continue
    });
    assert_eq!(outcome.upstream[0].path(), "/");
    assert_eq!(outcome.request_headers.text(":path"), "/late");
}

#[test]
fn a_lost_try_sees_destroy_only() {
    let exchange = Exchange::new(Request::get("/"))
        .answer(Answer::Lost)
        .answer(Response::status(200))
        .retry_on([], 1);
    let (outcome, seen) = run(exchange, &through);
    assert_eq!(
        seen,
        [
            "1 request_headers / end",
            "1 destroy /",
            "2 request_headers / end",
            "2 response_headers / end",
            "2 destroy /"
        ]
    );
    assert_eq!((outcome.client.status, outcome.upstream.len()), (200, 2));
}

#[test]
fn a_try_that_is_outrun_is_destroyed_last() {
    let exchange = Exchange::new(Request::get("/"))
        .answer(Answer::Outrun)
        .answer(Response::status(200));
    let (outcome, seen) = run(exchange, &through);
    assert_eq!(
        seen[1..],
        [
            "2 request_headers / end",
            "2 response_headers / end",
            "2 destroy /",
            "1 destroy /"
        ]
    );
    assert_eq!((outcome.client.status, outcome.upstream.len()), (200, 2));
}

#[test]
fn the_last_try_that_is_lost_is_the_router_s_own_error() {
    let (outcome, seen) = run(
        Exchange::new(Request::get("/")).answer(Answer::Lost),
        &through,
    );
    assert_eq!(seen, ["1 request_headers / end", "1 destroy /"]);
    assert_eq!(
        (outcome.client.status, outcome.client.details),
        (
            503,
            "upstream_reset_before_response_started{connection_termination}"
        )
    );
}

#[test]
fn the_status_that_the_filter_lets_out_decides_on_a_retry() {
    let answer = || Response::status(200).body_frames(["failed"]);
    let exchange = Exchange::new(Request::get("/"))
        .answer(answer())
        .answer(answer())
        .answer(answer())
        .retry_on([502], 2);
    // In the body's last hook, while the headers are held.
    let (outcome, seen) = run(exchange, &|host, hook, end| {
        if hook == "response_body" {
            host.set_header(Side::Response, ":status", b"502");
        }
        hold(host, hook, end)
    });
    assert_eq!(outcome.upstream.len(), 3);
    assert_eq!(outcome.client.status, 502);
    assert_eq!(seen.iter().filter(|it| it.contains("destroy")).count(), 3);
}

#[test]
fn an_unwanted_response_is_not_seen_to_its_end() {
    let exchange = Exchange::new(Request::get("/"))
        .answer(Response::status(503).body("late"))
        .answer(Response::status(200))
        .retry_on([503], 1);
    let (outcome, seen) = run(exchange, &through);
    assert!(!seen.iter().any(|it| it.contains("response_body")));
    assert!(outcome.client.body.is_empty());
}

#[test]
fn the_filter_s_own_answers_are_never_retried() {
    for at in ["request_headers", "request_body"] {
        let exchange = Exchange::new(Request::post("/", "ab"))
            .answer(Response::status(200).body("cd"))
            .retry_on([503], 3);
        let (outcome, seen) = run(exchange, &|_, hook, _| {
            if hook == at { reply() } else { Step::Hold }
        });
        assert!(outcome.upstream.is_empty());
        assert_eq!(
            (outcome.client.status, outcome.client.details),
            (503, "tenon_no")
        );
        assert_eq!(outcome.client.headers.text("x-why"), "because");
        assert_eq!(outcome.client.headers.text("content-length"), "2");
        assert_eq!(outcome.client.body, b"no");
        assert_eq!(seen.last().unwrap().split('/').next(), Some("1 destroy "));
    }
}

#[test]
fn an_answer_in_place_of_a_response_drops_what_is_left_of_it() {
    for at in ["response_headers", "response_body"] {
        let exchange = Exchange::new(Request::get("/"))
            .answer(Response::status(200).body("cd"))
            .retry_on([503], 3);
        let (outcome, _) = run(exchange, &|host, hook, end| {
            if hook == at {
                return reply();
            }
            hold(host, hook, end)
        });
        assert_eq!(outcome.upstream.len(), 1);
        assert_eq!(
            (outcome.client.status, &*outcome.client.body),
            (503, &b"no"[..])
        );
        assert_eq!(outcome.problems, [""; 0]);
    }
}

#[test]
fn an_answer_after_half_a_request_leaves_the_upstream_with_half() {
    let request = Request::new("POST", "/").body_frames(["ab", "cd"]);
    let (outcome, _) = run(ok(request), &|_, _, end| {
        if end { reply() } else { Step::Continue }
    });
    assert_eq!(outcome.client.status, 503);
    assert_eq!(
        (&*outcome.upstream[0].body, outcome.upstream[0].complete),
        (&b"ab"[..], false)
    );
}

#[test]
fn an_answer_to_head_has_a_length_and_no_body() {
    let (outcome, _) = run(ok(Request::new("HEAD", "/")), &|_, _, _| reply());
    assert_eq!(outcome.client.headers.text("content-length"), "2");
    assert!(outcome.client.body.is_empty());
}

#[test]
fn an_answer_to_a_grpc_client_may_be_headers_alone() {
    let (outcome, _) = run(ok(Request::get("/")), &|_, _, _| {
        Step::Reply(Reply {
            status: 200,
            headers: vec![("grpc-status", "14".into())],
            body: b"not sent".to_vec(),
            details: "tenon_no",
            trailers_only: true,
        })
    });
    assert!(outcome.client.body.is_empty());
    assert_eq!(outcome.client.headers.text("grpc-status"), "14");
    assert_eq!(outcome.client.headers.get("content-length"), None);
}

#[test]
fn tries_share_what_is_remembered_told_and_logged() {
    let exchange = Exchange::new(Request::get("/"))
        .answer(Response::status(503))
        .answer(Response::status(200))
        .retry_on([503], 1);
    let (outcome, _) = run(exchange, &|host, hook, _| {
        if hook == "request_headers" {
            match host.remembered(Slot::Request).map(|kept| kept.into_owned()) {
                Some(kept) => host.annotate(&[("kept", &kept)]),
                None => host.remember(Slot::Request, b"+"),
            }
            host.count("f", "ok", Duration::from_secs(1));
            host.log(Level::Warn, "one more");
        }
        Step::Continue
    });
    assert_eq!(outcome.annotations["kept"], b"+");
    assert_eq!(outcome.counts.len(), 2);
    assert_eq!(outcome.problems, [""; 0]);
    assert_eq!(outcome.logs, vec![(Level::Warn, "one more".to_owned()); 2]);
}

#[test]
fn surroundings_are_as_told() {
    let exchange = Exchange::new(Request::get("/"))
        .answer(Response::status(503))
        .answer(Response::status(200))
        .retry_on([503], 1)
        .route_metadata("call", "{}")
        .secret("old")
        .secret_of_retries("new")
        .clock(Duration::from_secs(100), Duration::from_secs(25));
    let (outcome, _) = run(exchange, &|host, hook, _| {
        if hook == "request_headers" {
            let text = |bytes: Option<std::borrow::Cow<'_, [u8]>>| {
                bytes.map(|bytes| String::from_utf8(bytes.into_owned()).unwrap())
            };
            let line = format!(
                "{:?} {:?} {:?} {:?}",
                text(host.route_metadata("call")),
                text(host.route_metadata("call.0")),
                text(host.secret()),
                host.now()
            );
            host.log(Level::Debug, &line);
        }
        Step::Continue
    });
    let lines: Vec<_> = outcome.logs.iter().map(|(_, line)| &**line).collect();
    assert_eq!(
        lines,
        [
            r#"Some("{}") None Some("old") 100s"#,
            r#"Some("{}") None Some("new") 125s"#
        ]
    );
}

#[test]
fn what_would_hurt_a_connection_is_written_down() {
    let problem = |exchange: Exchange, hook: Hook<'_>| run(exchange, hook).0.problems;
    assert_eq!(
        problem(ok(Request::post("/", "ab")), &|host, _, end| {
            if end {
                host.replace_body(Side::Request, b"abc");
            }
            Step::Continue
        }),
        ["try 1: sent content-length 2 and 3 bytes"]
    );
    let head = Exchange::new(Request::new("HEAD", "/"));
    assert_eq!(
        problem(head.answer(Response::status(200).body("x")), &through),
        ["try 1: let a body out to a HEAD request"]
    );
    assert_eq!(
        problem(ok(Request::get("/")), &|host, hook, _| {
            if hook == "response_headers" {
                host.set_header(Side::Response, "a b", b"x");
                host.add_header(Side::Response, "c", b"x\r\ny: z");
            }
            Step::Continue
        }),
        [
            "try 1: set a header with the name \"a b\"",
            "try 1: set c to a value with CR, LF or NUL"
        ]
    );
    assert_eq!(
        problem(ok(Request::get("/")), &|_, _, _| Step::Hold),
        ["try 1: held the Request for ever"]
    );
    assert_eq!(
        problem(ok(Request::post("/", "ab")), &|host, hook, _| {
            if hook == "request_headers" {
                host.replace_body(Side::Request, b"");
            }
            Step::Continue
        }),
        ["try 1: replaced a body in the headers hook of a message that has one"]
    );
    let answered = Exchange::new(Request::get("/")).answer(Response::status(200).body("x"));
    assert_eq!(
        problem(answered, &|_, hook, _| {
            if hook == "response_body" {
                return reply();
            }
            Step::Continue
        }),
        ["try 1: answered after the response's headers were out"]
    );
    assert_eq!(
        problem(Exchange::new(Request::get("/")), &through),
        ["try 1: the test has no answer for this try"]
    );
}

#[test]
fn setting_a_header_keeps_one_value_in_its_place() {
    let mut headers = HeaderList::default();
    for (name, value) in [("a", "1"), ("b", "2"), ("c", "3"), ("b", "4")] {
        headers.add(name, value.as_bytes());
    }
    headers.set("b", b"5");
    headers.set("d", b"6");
    headers.remove("a");
    let all: Vec<_> = headers.iter().collect();
    assert_eq!(all, [("b", &b"5"[..]), ("c", b"3"), ("d", b"6")]);
}
