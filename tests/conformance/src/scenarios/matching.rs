//! Functions that are found by the request's method and path.

use tenon_contract::{
    AuthLevel, AwsCall, AwsFunction, AzureCall, CallConfig, CallTarget, FunctionEntry,
    FunctionTarget, RequestShape,
};
use tenon_core::invoke::Code;

use crate::fake::{Answer, Request, Response};
use crate::scenario::{Route, Scenario, Upstream};

pub(super) fn all() -> Vec<Scenario> {
    let mut all = lambda();
    all.extend(azure());
    all.extend(refusals());
    all
}

fn entry(methods: &[&str], path: &str, function: &str) -> FunctionEntry {
    FunctionEntry {
        methods: methods.iter().map(|it| (*it).to_owned()).collect(),
        path: path.into(),
        function: function.into(),
        target: FunctionTarget::Aws(AwsFunction {
            name: format!("{function}-at-aws"),
            qualifier: (function == "user").then(|| "prod".to_owned()),
        }),
    }
}

fn shop() -> Upstream {
    Upstream::default().with_functions(&[
        entry(&["GET"], "/users/{id}", "user"),
        entry(&[], "/users/me", "me"),
        entry(&["POST"], "/users", "new-user"),
        entry(&["DELETE"], "/users/{id}", "no-user"),
        entry(&[], "/files/{*rest}", "files"),
    ])
}

fn by_table() -> CallConfig {
    CallConfig {
        by_table: true,
        ..CallConfig::aws("", "")
    }
}

fn by_table_with(change: impl FnOnce(&mut AwsCall)) -> CallConfig {
    let mut call = by_table();
    if let CallTarget::Aws(aws) = &mut call.target {
        change(aws);
    }
    call
}

fn of(name: &'static str, request: Request) -> Scenario {
    Scenario::new(name)
        .call(&by_table())
        .upstream(shop())
        .request(request)
}

const USER: &str = "/2015-03-31/functions/user-at-aws/invocations?Qualifier=prod";
const ME: &str = "/2015-03-31/functions/me-at-aws/invocations";
const FILES: &str = "/2015-03-31/functions/files-at-aws/invocations";

fn lambda() -> Vec<Scenario> {
    vec![
        of(
            "a-function-is-found-by-its-path",
            Request::get("/users/7?a=1"),
        )
        .function("user")
        .path(USER)
        .tells("qualifier", "prod"),
        of(
            "a-literal-goes-before-a-parameter",
            Request::get("/users/me"),
        )
        .function("me")
        .path(ME),
        of(
            "a-function-is-found-by-its-method",
            Request::new("DELETE", "/users/7"),
        )
        .function("no-user")
        .path("/2015-03-31/functions/no-user-at-aws/invocations"),
        of(
            "a-posted-body-reaches-the-function-that-is-found",
            Request::post("/users", "body"),
        )
        .function("new-user")
        .path("/2015-03-31/functions/new-user-at-aws/invocations"),
        of(
            "a-head-is-for-the-function-of-get",
            Request::new("HEAD", "/users/7"),
        )
        .function("user")
        .path(USER),
        of("a-catch-all-takes-the-rest", Request::get("/files/a/b%2Fc"))
            .function("files")
            .path(FILES),
        of(
            "an-event-shows-the-template-and-what-it-took",
            Request::get("/users/a%2Fb%20c?x=1"),
        )
        .call(&by_table_with(|aws| {
            aws.request = RequestShape::ApiGatewayV1
        }))
        .function("user")
        .path(USER)
        .shows("/resource", "/users/{id}")
        .shows("/path", "/users/a%2Fb%20c")
        .shows("/pathParameters/id", "a/b c"),
        of(
            "an-event-of-version-2-shows-the-template-too",
            Request::get("/files/a/b"),
        )
        .call(&by_table_with(|aws| {
            aws.request = RequestShape::ApiGatewayV2
        }))
        .function("files")
        .path(FILES)
        .shows("/routeKey", "GET /files/{*rest}")
        .shows("/pathParameters/rest", "a/b"),
        of(
            "a-function-is-found-by-the-path-that-the-route-makes",
            Request::get("/v1/users/7"),
        )
        .route(Route::calling(&by_table()).rewriting("/v1/users", "/users"))
        .function("user")
        .path(USER),
        of(
            "each-try-finds-the-same-function",
            Request::new("PUT", "/users/me").body("body"),
        )
        .call(&by_table_with(|aws| {
            aws.request = RequestShape::ApiGatewayV1
        }))
        .function("me")
        .path(ME)
        .shows("/resource", "/users/me")
        .shows("/body", "body")
        .answer(Answer::Lost)
        .answer(Response::status(503).body("busy"))
        .answer(Response::status(200).body("fine"))
        .retry(&[503], 2)
        .counted(["cancelled", "ok", "provider_error"]),
        of(
            "a-route-that-names-its-function-looks-at-no-table",
            Request::get("/users/me"),
        )
        .call(&CallConfig::aws("f", "f")),
    ]
}

fn azure() -> Vec<Scenario> {
    let entry = |path: &str, name: &str, route: Option<&str>, auth_level| FunctionEntry {
        methods: vec![],
        path: path.into(),
        function: name.into(),
        target: FunctionTarget::Azure(AzureCall {
            name: name.into(),
            route: route.map(str::to_owned),
            auth_level,
        }),
    };
    let app = || {
        Upstream::azure().with_functions(&[
            entry(
                "/p/{category}/{id}",
                "f",
                Some("products/{id}/of/{category}"),
                AuthLevel::Function,
            ),
            entry("/docs/{*page}", "f", Some("{*page}"), AuthLevel::Function),
            entry("/admin", "admin", None, AuthLevel::Admin),
            entry("/open", "open", None, AuthLevel::Anonymous),
        ])
    };
    let call = CallConfig {
        by_table: true,
        ..CallConfig::azure(
            "",
            AzureCall {
                name: String::new(),
                route: None,
                auth_level: AuthLevel::Anonymous,
            },
        )
    };
    let of = |name, path: &str| {
        Scenario::azure(name)
            .call(&call)
            .upstream(app())
            .request(Request::get(path))
    };
    vec![
        of(
            "parameters-become-those-of-azure-s-route",
            "/p/a%20b/7%2f8?x=1",
        )
        .path("/api/products/7%2F8/of/a%20b?x=1"),
        of(
            "a-catch-all-becomes-the-rest-of-azure-s-route",
            "/docs/a/b/?x=1",
        )
        .path("/api/a/b/?x=1"),
        of("a-found-function-has-a-level-of-its-own", "/admin")
            .function("admin")
            .opened_with(AuthLevel::Admin)
            .path("/api/admin"),
        of("a-found-function-may-be-anonymous", "/open")
            .upstream(app().with_secret(None))
            .function("open")
            .opened_with(AuthLevel::Anonymous)
            .path("/api/open"),
        of(
            "a-path-cannot-climb-out-of-azure-s-route",
            "/p/..%2Fx/%2e%2E",
        )
        .error(
            Code::NoMatch,
            404,
            "no function of this upstream is for this path",
        )
        .unasked(),
        of("azure-has-no-function-for-a-path", "/q")
            .error(
                Code::NoMatch,
                404,
                "no function of this upstream is for this path",
            )
            .unasked(),
    ]
}

fn refusals() -> Vec<Scenario> {
    let none = |name, request| {
        of(name, request)
            .error(
                Code::NoMatch,
                404,
                "no function of this upstream is for this path",
            )
            .lacks("allow")
            .unasked()
    };
    let grpc = Request::new("POST", "/users/7")
        .header("content-type", "application/grpc")
        .body("\0\0\0\0\0");
    vec![
        none("no-function-is-for-a-path", Request::get("/nowhere?x")),
        none("a-trailing-slash-is-another-path", Request::get("/users/")),
        none(
            "no-function-is-for-a-path-with-a-body",
            Request::post("/nowhere", "body"),
        ),
        of(
            "no-function-is-for-a-method",
            Request::post("/users/7", "body"),
        )
        .error(
            Code::NoMatch,
            405,
            "no function of this upstream is for this method of this path",
        )
        .header("allow", ["DELETE, GET, HEAD"])
        .unasked(),
        of("grpc-finds-no-function", grpc)
            .grpc(
                Code::NoMatch,
                "12",
                "no function of this upstream is for this method of this path",
            )
            .unasked(),
        Scenario::new("an-upstream-without-a-table-has-no-function")
            .call(&by_table())
            .error(
                Code::NoMatch,
                404,
                "no function of this upstream is for this path",
            )
            .unasked(),
    ]
}
