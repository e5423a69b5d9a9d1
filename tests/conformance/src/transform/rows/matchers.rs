//! Which rule is applied: the first that fits.

use tenon_contract::transform::{
    RequestMatcher, RequestRule, ResponseRule, Transforms, ValueMatcher,
};

use super::super::{Row, by};
use super::{marking, marking_responses, regex, value};
use crate::fake::{Request, Response};

pub(super) fn all() -> Vec<Row> {
    let mut all = paths();
    all.extend(others());
    all.extend(responses());
    all
}

fn prefix(path: &str) -> RequestMatcher {
    RequestMatcher {
        prefix: Some(path.into()),
        case_sensitive: true,
        ..RequestMatcher::default()
    }
}

fn exact(path: &str) -> RequestMatcher {
    RequestMatcher {
        exact: Some(path.into()),
        prefix: None,
        ..prefix("")
    }
}

fn pattern(path: &str) -> RequestMatcher {
    RequestMatcher {
        regex: Some(path.into()),
        prefix: None,
        ..prefix("")
    }
}

/// A row whose matchers are tried in order; the rest fits all.
fn row<const N: usize>(name: &'static str, path: &str, matchers: [RequestMatcher; N]) -> Row {
    let rest = [prefix("/")];
    Row::new(name)
        .rules(marking(matchers.into_iter().chain(rest)))
        .request(Request::get(path))
}

fn paths() -> Vec<Row> {
    let any_case = |matcher: RequestMatcher| RequestMatcher {
        case_sensitive: false,
        ..matcher
    };
    vec![
        row(
            "the-first-rule-that-fits-is-applied",
            "/a",
            [prefix("/b"), prefix("/a"), exact("/a")],
        )
        .sends("x-rule", ["1"]),
        row(
            "a-prefix-may-reach-into-the-query",
            "/a?b=1&c",
            [prefix("/a?c"), prefix("/a?b=1"), prefix("/a")],
        )
        .sends("x-rule", ["1"]),
        row(
            "a-path-is-matched-exactly",
            "/a?b",
            [exact("/a/"), exact("/a")],
        )
        .sends("x-rule", ["1"]),
        row("case-matters-in-a-path", "/A", [prefix("/a"), exact("/a")]).sends("x-rule", ["2"]),
        row(
            "case-is-ignored-where-asked",
            "/A/b",
            [any_case(exact("/a")), any_case(prefix("/a"))],
        )
        .sends("x-rule", ["1"]),
        row(
            "an-expression-matches-all-of-the-path",
            "/users/12?x",
            [pattern("/users"), pattern("/users/[0-9]+")],
        )
        .sends("x-rule", ["1"]),
        Row::new("a-request-that-no-rule-fits-is-let-by")
            .rules(marking([prefix("/other")]))
            .request(Request::post("/", vec![b'x'; 10_000]))
            .sends("x-rule", []),
        Row::new("a-rule-that-does-nothing-fits-nothing")
            .rules(Transforms {
                request_transforms: vec![
                    RequestRule::default(),
                    RequestRule {
                        request_transformation: Some(by(|it| {
                            it.headers.insert("x-rule".into(), "1".into());
                        })),
                        ..RequestRule::default()
                    },
                ],
                ..Transforms::default()
            })
            .sends("x-rule", ["1"]),
    ]
}

fn others() -> Vec<Row> {
    let headers = |matchers: Vec<ValueMatcher>| RequestMatcher {
        headers: matchers,
        ..prefix("/")
    };
    let query = |matchers: Vec<ValueMatcher>| RequestMatcher {
        query_parameters: matchers,
        ..prefix("/")
    };
    let methods = |methods: &[&str]| RequestMatcher {
        methods: methods.iter().map(|&it| it.into()).collect(),
        ..prefix("/")
    };
    let not = |matcher: ValueMatcher| ValueMatcher {
        invert_match: true,
        ..matcher
    };
    let with = |row: Row, name: &str, value: &str| {
        let request = row.request.clone().header(name, value);
        row.request(request)
    };
    vec![
        with(
            row(
                "a-header-is-there",
                "/",
                [
                    headers(vec![value("x-b", "")]),
                    headers(vec![value("X-A", "")]),
                ],
            ),
            "x-a",
            "1",
        )
        .sends("x-rule", ["1"]),
        with(
            row(
                "a-header-has-a-value",
                "/",
                [
                    headers(vec![value("x-a", "2")]),
                    headers(vec![value("x-a", "1")]),
                ],
            ),
            "x-a",
            "1",
        )
        .sends("x-rule", ["1"]),
        with(
            row(
                "a-header-matches-an-expression",
                "/",
                [
                    headers(vec![regex("x-a", "1")]),
                    headers(vec![regex("x-a", "1.*")]),
                ],
            ),
            "x-a",
            "12",
        )
        .sends("x-rule", ["1"]),
        with(
            row(
                "all-headers-have-to-fit",
                "/",
                [headers(vec![value("x-a", ""), value("x-b", "")])],
            ),
            "x-a",
            "1",
        )
        .sends("x-rule", ["1"]),
        with(
            with(
                row(
                    "values-of-a-header-are-matched-with-commas",
                    "/",
                    [
                        headers(vec![value("x-a", "1")]),
                        headers(vec![value("x-a", "1,2")]),
                    ],
                ),
                "x-a",
                "1",
            ),
            "x-a",
            "2",
        )
        .sends("x-rule", ["1"]),
        with(
            row(
                "a-header-has-another-value",
                "/",
                [
                    headers(vec![not(value("x-a", "1"))]),
                    headers(vec![not(value("x-a", "2"))]),
                ],
            ),
            "x-a",
            "1",
        )
        .sends("x-rule", ["1"]),
        row(
            "a-header-is-not-there",
            "/",
            [
                headers(vec![not(value("x-a", "1"))]),
                headers(vec![not(value("x-a", ""))]),
            ],
        )
        .sends("x-rule", ["1"]),
        row(
            "a-parameter-is-there",
            "/?b&a=1",
            [query(vec![value("c", "")]), query(vec![value("b", "")])],
        )
        .sends("x-rule", ["1"]),
        row(
            "a-parameter-has-a-value",
            "/?b=2&b=1",
            [query(vec![value("b", "1")]), query(vec![value("b", "2")])],
        )
        .sends("x-rule", ["1"]),
        row(
            "a-parameter-matches-an-expression",
            "/?b=22",
            [query(vec![regex("b", "2")]), query(vec![regex("b", "2+")])],
        )
        .sends("x-rule", ["1"]),
        row(
            "a-method-is-one-of-several",
            "/",
            [methods(&["POST"]), methods(&["PUT", "GET"])],
        )
        .sends("x-rule", ["1"]),
    ]
}

fn responses() -> Vec<Row> {
    let rule = |matchers: Vec<ValueMatcher>, details: &str| ResponseRule {
        matchers,
        response_code_details: details.into(),
        ..ResponseRule::default()
    };
    let own_response = Transforms {
        request_transforms: vec![RequestRule {
            response_transformation: Some(by(|it| {
                it.headers.insert("x-rule".into(), "own".into());
            })),
            ..RequestRule::default()
        }],
        ..marking_responses([rule(vec![], "")])
    };
    let own_request = Transforms {
        request_transforms: vec![RequestRule {
            request_transformation: Some(by(|it| {
                it.headers.insert("x-rule".into(), "own".into());
            })),
            ..RequestRule::default()
        }],
        ..marking_responses([rule(vec![], "")])
    };
    vec![
        Row::new("a-response-rule-fits-a-status")
            .rules(marking_responses([
                rule(vec![value(":status", "200")], ""),
                rule(vec![regex(":status", "5..")], ""),
            ]))
            .answer(Response::status(503).body("x"))
            .header("x-rule", ["1"]),
        Row::new("a-response-rule-fits-a-header")
            .rules(marking_responses([
                rule(vec![value("x-a", "1")], ""),
                rule(vec![value("x-a", "2")], ""),
            ]))
            .answer(Response::status(200).header("x-a", "2").body("x"))
            .header("x-rule", ["1"]),
        Row::new("a-response-that-no-rule-fits-is-let-by")
            .rules(marking_responses([rule(vec![value("x-none", "")], "")]))
            .header("x-rule", []),
        Row::new("a-response-rule-fits-what-the-upstream-answers")
            .rules(marking_responses([
                rule(vec![], "direct_response"),
                rule(vec![], "via_upstream"),
            ]))
            .header("x-rule", ["1"]),
        Row::new("a-response-rule-fits-what-the-route-answers")
            .rules(marking_responses([
                rule(vec![], "via_upstream"),
                rule(vec![], "direct_response"),
            ]))
            .direct(403, "no")
            .header("x-rule", ["1"]),
        Row::new("a-request-rule-s-own-response-goes-before-response-rules")
            .rules(own_response)
            .header("x-rule", ["own"]),
        Row::new("response-rules-are-asked-where-a-request-rule-says-nothing-of-the-response")
            .rules(own_request)
            .sends("x-rule", ["own"])
            .header("x-rule", ["0"]),
    ]
}
