//! What holds for every provider whose requests and responses pass as they are: one table for all of them.

use tenon_core::invoke::Code;

use crate::fake::{Request, Response};
use crate::scenario::{Scenario, Upstream};

/// A provider that the table is for.
struct Provider {
    name: &'static str,
    scenario: fn(&'static str) -> Scenario,
    upstream: fn() -> Upstream,
}

const PROVIDERS: [Provider; 2] = [
    Provider {
        name: "google",
        scenario: Scenario::google,
        upstream: Upstream::google,
    },
    Provider {
        name: "azure",
        scenario: Scenario::azure,
        upstream: Upstream::azure,
    },
];

impl Provider {
    /// A row of the table, under this provider's name.
    fn row(&self, name: &str) -> Scenario {
        // The rows of the table live as long as the process.
        (self.scenario)(Box::leak(format!("{}-{name}", self.name).into_boxed_str()))
    }
}

pub(super) fn all() -> Vec<Scenario> {
    let of = |provider: &Provider| [responses(provider), bodies(provider)].concat();
    PROVIDERS.iter().flat_map(of).collect()
}

fn responses(of: &Provider) -> Vec<Scenario> {
    let passing = |status: u16| {
        let response = Response::status(status)
            .header("content-type", "text/html")
            .header("www-authenticate", r#"Bearer error="invalid_token""#)
            .header("retry-after", "7")
            .body("<html>");
        of.row(&format!("passes-on-a-function-s-{status}"))
            .answer(response)
            .gives(status)
            .header("content-type", ["text/html"])
            .header("retry-after", ["7"])
            .lacks("x-tenon-error")
            .tells_nothing_of("error")
            .counted(["ok"])
    };
    let head = |name| of.row(name).request(Request::new("HEAD", "/"));
    let mut all: Vec<_> = [401, 403, 404, 429, 500, 503].map(passing).into();
    all.extend([
        of.row("passes-on-a-redirect")
            .answer(Response::status(302).header("location", "https://elsewhere.example/"))
            .gives(302)
            .header("location", ["https://elsewhere.example/"]),
        of.row("passes-on-an-answer-of-nothing")
            .answer(Response::status(204))
            .gives(204),
        of.row("keeps-several-cookies-apart")
            .answer(
                Response::status(200)
                    .header("set-cookie", "a=1")
                    .header("set-cookie", "b=2")
                    .body("x"),
            )
            .header("set-cookie", ["a=1", "b=2"]),
        of.row("does-not-speak-as-tenon").answer(
            Response::status(200)
                .header("x-tenon-error", "forged")
                .header("x-tenon-secret", "forged")
                .body("x"),
        ),
        of.row("knows-no-function-s-error-of-aws")
            .answer(
                Response::status(200)
                    .header("x-amz-function-error", "Unhandled")
                    .body("x"),
            )
            .header("x-amz-function-error", ["Unhandled"]),
        head("is-asked-for-the-head")
            .answer(Response::status(200).header("x-a", "1"))
            .header("x-a", ["1"]),
        head("is-asked-for-the-head-again")
            .answer(Response::status(503))
            .answer(Response::status(200))
            .retry(&[503], 1)
            .counted(["ok", "ok"]),
    ]);
    all
}

fn bodies(of: &Provider) -> Vec<Scenario> {
    let large = || vec![b'x'; 7 << 20];
    let frames = || Request::new("PUT", "/").body_frames(["ab", "cd", "ef"]);
    vec![
        of.row("gets-a-body-in-frames")
            .request(frames())
            .answer(Response::status(200).body_frames(["gh", "ij"])),
        of.row("gets-a-body-that-an-empty-frame-ends")
            .request(frames().empty_end_frame())
            .answer(Response::status(200).body_frames(["gh"]).empty_end_frame()),
        of.row("gets-a-body-that-trailers-end")
            .request(frames().trailer("x-sum", "1"))
            .answer(
                Response::status(200)
                    .body_frames(["gh", "ij"])
                    .trailer("x-sum", "2"),
            )
            .trailer("x-sum", "2"),
        of.row("gets-a-body-of-length-0")
            .request(Request::post("/", "").empty_end_frame()),
        of.row("gets-more-than-lambda-would")
            .request(Request::post("/", large()))
            .answer(Response::status(200).body(large())),
        of.row("gets-more-than-lambda-would-without-a-length")
            .request(Request::new("POST", "/").body_frames(large().chunks(1 << 20)))
            .answer(Response::status(200).body_frames(large().chunks(1 << 20))),
        of.row("has-a-limit-that-is-set-for-what-is-announced")
            .upstream(Upstream {
                max_request_bytes: 3,
                ..(of.upstream)()
            })
            .request(Request::post("/", "four"))
            .error(
                Code::RequestTooLarge,
                413,
                "the request is larger than 3 bytes",
            )
            .unasked(),
    ]
}
