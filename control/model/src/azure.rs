//! Azure Functions: the upstream, and what a route says of a call.

use tenon_contract::{AuthLevel, KeyIn, PathTemplate, Segment};

use crate::ObjectRef;
use crate::aws::Endpoint;
use crate::function_matcher::{self, FunctionMatcher, Taken};
use crate::read::Node;
use crate::virtual_service::first_twice;

/// A function app.
#[derive(Debug, Clone, PartialEq)]
pub struct AzureUpstream {
    /// Its name: it is at `<name>.azurewebsites.net`.
    pub app_name: String,
    /// The Secret with its keys; `None`: all functions are anonymous.
    pub secret: Option<ObjectRef>,
    /// The functions that routes may name.
    pub functions: Vec<AzureFunction>,
    /// Where keys go.
    pub key_in: KeyIn,
    /// What stands before the functions' own routes, without slashes around it.
    pub route_prefix: String,
    /// Where the app is, if not at Azure's public address.
    pub endpoint: Option<Endpoint>,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureFunction {
    /// Its name at Azure, by which routes call it.
    pub name: String,
    /// Which keys let a caller in.
    pub auth_level: AuthLevel,
    /// Its own route, if that is not its name; without a slash in front.
    pub route: Option<String>,
    /// Which requests it is for, where the route names no function.
    pub matchers: Vec<FunctionMatcher>,
}

/// What a destination says of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AzureDestination {
    /// Which function.
    pub function_name: Option<String>,
}

/// Gloo's names, in the order of its numbers.
const AUTH_LEVELS: [(&str, AuthLevel); 3] = [
    ("Anonymous", AuthLevel::Anonymous),
    ("Function", AuthLevel::Function),
    ("Admin", AuthLevel::Admin),
];

pub(crate) fn read(node: &Node<'_>, namespace: &str) -> Option<AzureUpstream> {
    node.object(|fields| {
        let app_name = fields.required("functionAppName", |node| {
            let name = node.non_empty()?;
            let fits = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
            // It becomes part of a host.
            if name.len() > 60 || !name.bytes().all(fits) {
                return node.error(format!("{name:?} is not the name of a function app"));
            }
            Some(name.to_ascii_lowercase())
        });
        let taken = Taken::default();
        let functions = fields.field("functions", |node| {
            let functions = node.list(|node| read_function(&node, &taken))?;
            match first_twice(functions.iter().map(|function| &function.name)) {
                Some(name) => node.error(format!("{name:?} is there more than once")),
                None => Some(functions),
            }
        });
        let secret = fields.field("secretRef", |node| node.reference(namespace));
        let functions = functions.unwrap_or_default();
        let keyed = functions
            .iter()
            .find(|it| it.auth_level != AuthLevel::Anonymous);
        if let (None, Some(function)) = (&secret, keyed) {
            fields.error(format!(
                "secretRef is required: function {:?} needs a key",
                function.name
            ));
        }
        Some(AzureUpstream {
            secret,
            key_in: fields
                .field("keyIn", |node| {
                    node.choice(&[("HEADER", KeyIn::Header), ("QUERY", KeyIn::Query)])
                })
                .unwrap_or_default(),
            route_prefix: fields
                .field("routePrefix", |node| read_prefix(&node))
                .unwrap_or_else(|| "api".to_owned()),
            endpoint: fields.field("endpointUrl", |node| Endpoint::read(&node)),
            app_name: app_name?,
            functions,
        })
    })
}

/// `routePrefix` of `host.json`, which may be empty.
fn read_prefix(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let prefix = text.trim_matches('/');
    let template = PathTemplate::parse(&format!("/{prefix}"));
    match template {
        Ok(template) if template.names().next().is_none() => Some(prefix.to_owned()),
        _ => node.error(format!("{text:?} is not the start of a path, as api")),
    }
}

fn read_function(node: &Node<'_>, taken: &Taken) -> Option<AzureFunction> {
    node.object(|fields| {
        let name = fields.required("functionName", |node| {
            let name = node.non_empty()?;
            let fits = |c: u8| c.is_ascii_alphanumeric() || b"-_".contains(&c);
            if name.len() > 128 || !name.bytes().all(fits) {
                return node.error(format!("{name:?} is not the name of a function"));
            }
            Some(name)
        });
        let auth_level = fields.field("authLevel", |node| node.choice(&AUTH_LEVELS));
        let matchers = function_matcher::read_all(fields, taken, name.as_deref());
        let route = fields.field("route", |node| read_route(&node, &matchers));
        Some(AzureFunction {
            name: name?,
            auth_level: auth_level.unwrap_or_default(),
            route,
            matchers,
        })
    })
}

/// The function's own route: parameters in it are those of its matchers, all of which need to have them.
fn read_route(node: &Node<'_>, matchers: &[FunctionMatcher]) -> Option<String> {
    let text = node.non_empty()?;
    let route = text.trim_start_matches('/');
    let template = PathTemplate::parse(&format!("/{route}"))
        .map_err(|error| node.error::<()>(error.to_string()))
        .ok()?;
    for name in template.segments().iter().filter_map(Segment::name) {
        if matchers.is_empty() {
            return node.error(format!(
                "nothing gives parameter {name:?}: the function has no matchers"
            ));
        }
        if let Some(matcher) = matchers
            .iter()
            .find(|it| !it.path.names().any(|it| it == name))
        {
            return node.error(format!(
                "nothing gives parameter {name:?}: {} has none of that name",
                matcher.path
            ));
        }
    }
    Some(route.to_owned())
}

pub(crate) fn read_destination(node: &Node<'_>) -> Option<AzureDestination> {
    node.object(|fields| {
        Some(AzureDestination {
            function_name: fields.field("functionName", |node| node.non_empty()),
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::{Parsed, Secret, Spec, UpstreamType, parse};

    use super::*;

    fn upstream(spec: &str) -> Result<AzureUpstream, Vec<String>> {
        let mut parsed = parse("upstreams/default/app.yaml", &format!("azure: {spec}"));
        match parsed.remove(0) {
            Parsed::Object(object) => match object.spec {
                Spec::Upstream(upstream) => match upstream.kind {
                    UpstreamType::Azure(app) => Ok(*app),
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            },
            Parsed::Rejected { problems, .. } => Err(problems
                .iter()
                .map(|it| format!("{}: {}", it.field, it.text))
                .collect()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_least_app_has_the_defaults_of_gloo_and_azure() {
        let app = upstream("{functionAppName: Shop, functions: [{functionName: hello}]}").unwrap();
        assert_eq!(app.app_name, "shop");
        assert_eq!(app.functions[0].auth_level, AuthLevel::Anonymous);
        assert_eq!(
            (app.route_prefix.as_str(), app.key_in),
            ("api", KeyIn::Header)
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (spec, expected) in [
            ("{}", "spec.azure.functionAppName: is required"),
            (
                "{functionAppName: a.b}",
                r#"spec.azure.functionAppName: "a.b" is not the name of a function app"#,
            ),
            (
                "{functionAppName: a, functions: [{functionName: f, authLevel: Function}]}",
                r#"spec.azure: secretRef is required: function "f" needs a key"#,
            ),
            (
                "{functionAppName: a, functions: [{functionName: f, authLevel: function}]}",
                r#"spec.azure.functions[0].authLevel: "function" is not one of Anonymous, Function, Admin"#,
            ),
            (
                "{functionAppName: a, functions: [{functionName: f, route: 'p/{id}'}]}",
                r#"spec.azure.functions[0].route: nothing gives parameter "id": the function has no matchers"#,
            ),
            (
                "{functionAppName: a, functions: [{functionName: f, route: 'p/{id}', matchers: [{path: '/{id}'}, {path: /p}]}]}",
                r#"spec.azure.functions[0].route: nothing gives parameter "id": /p has none of that name"#,
            ),
            (
                "{functionAppName: a, functions: [{functionName: f, matchers: [{path: '/{id}'}]}, {functionName: g, matchers: [{methods: [GET], path: '/{id}'}, {path: '/{x}'}]}]}",
                r#"spec.azure.functions[1].matchers[1].path: /{x} is a path of function "f" too"#,
            ),
            (
                "{functionAppName: a, functions: [{functionName: f, matchers: [{methods: [get], path: a}]}]}",
                r#"spec.azure.functions[0].matchers[0].methods[0]: "get" is not a method, as GET, nor ANY"#,
            ),
            (
                "{functionAppName: a, routePrefix: 'a/{b}'}",
                r#"spec.azure.routePrefix: "a/{b}" is not the start of a path, as api"#,
            ),
        ] {
            let problems = upstream(spec).unwrap_err();
            assert!(problems.iter().any(|it| it == expected), "{problems:?}");
        }
    }

    #[test]
    fn methods_that_are_any_are_none() {
        let app = upstream(
            "{functionAppName: a, functions: [{functionName: f, matchers: [{methods: [GET, ANY], path: /a}, {methods: [GET, PUT], path: /b}]}]}",
        )
        .unwrap();
        let methods = |index: usize| &app.functions[0].matchers[index].methods;
        assert!(methods(0).is_empty());
        assert_eq!(*methods(1), ["GET", "PUT"]);
    }

    fn keys(path: &str, text: &str) -> Option<Vec<(String, String)>> {
        match parse(path, text).remove(0) {
            Parsed::Object(object) => match object.spec {
                Spec::Secret(Secret::Azure(keys)) => Some(keys.function_keys.into_iter().collect()),
                other => panic!("{other:?}"),
            },
            Parsed::Ignored { .. } => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn keys_come_in_gloo_s_form_and_in_that_of_kubernetes() {
        let expected = vec![
            ("_master".to_owned(), "m=".to_owned()),
            ("f".to_owned(), "k".to_owned()),
        ];
        let bare = "azure: {apiKeys: {f: k, _master: 'm='}}";
        assert_eq!(keys("secrets/default/a.yaml", bare).unwrap(), expected);
        for (annotations, data) in [
            // As glooctl writes it.
            (
                "{resource_kind: '*v1.Secret'}",
                "data: {azure: YXBpS2V5czoKICBfbWFzdGVyOiBtPQogIGY6IGsK}",
            ),
            ("{}", "stringData: {azure: 'apiKeys: {f: k, _master: m=}'}"),
        ] {
            let text = format!(
                "{{apiVersion: v1, kind: Secret, type: Opaque, metadata: {{name: a, annotations: {annotations}}}, {data}}}"
            );
            assert_eq!(keys("a.yaml", &text).unwrap(), expected, "{text}");
        }
        let other =
            "{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {azure: 'tenant: x'}}";
        assert_eq!(keys("a.yaml", other), None, "somebody else's");
    }

    #[test]
    fn a_key_is_never_shown() {
        let bare = "azure: {apiKeys: {f: 'secret key'}}";
        match parse("secrets/default/a.yaml", bare).remove(0) {
            Parsed::Rejected { problems, .. } => {
                assert_eq!(problems[0].field, "azure.apiKeys.f");
                assert!(!problems[0].text.contains("secret key"), "{problems:?}");
            }
            other => panic!("{other:?}"),
        }
        let good = parse(
            "secrets/default/a.yaml",
            "azure: {apiKeys: {f: very-secret}}",
        );
        assert!(!format!("{good:?}").contains("very-secret"));
    }
}
