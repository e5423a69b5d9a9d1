//! Azure Functions: the upstream, and what a route says of a call.

use tenon_contract::{AuthLevel, KeyIn, PathTemplate, Segment};
use tenon_model_derive::Read;

use crate::ObjectRef;
use crate::aws::Endpoint;
use crate::function_matcher::{self, FunctionMatcher};
use crate::read::{Fields, Node};

/// A function app.
#[derive(Debug, Clone, PartialEq, Read)]
#[read(finish = upstream)]
pub struct AzureUpstream {
    /// Its name: it is at `<name>.azurewebsites.net`.
    #[read(name = "functionAppName", with = app_name)]
    pub app_name: String,
    /// The Secret with its keys; not needed where all functions are anonymous.
    #[read(name = "secretRef")]
    pub secret: Option<ObjectRef>,
    /// The functions that routes may name.
    pub functions: Vec<AzureFunction>,
    /// Where keys go.
    #[read(default)]
    pub key_in: KeyIn,
    /// What stands before the functions' own routes (`routePrefix` of `host.json`): `api` where it is left out.
    #[read(default = "api", with = route_prefix)]
    pub route_prefix: String,
    /// Where the app is, if not at Azure's public address.
    #[read(name = "endpointUrl")]
    pub endpoint: Option<Endpoint>,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = function)]
pub struct AzureFunction {
    /// Its name at Azure, by which routes call it.
    #[read(name = "functionName", with = function_name)]
    pub name: String,
    /// Which keys let a caller in.
    #[read(default)]
    pub auth_level: AuthLevel,
    /// Its own route, if that is not its name. Parameters in it are those of its matchers, all of which need to have them.
    #[read(with = route)]
    pub route: Option<String>,
    /// Which requests it is for, where the route names no function.
    pub matchers: Vec<FunctionMatcher>,
}

/// What a destination says of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct AzureDestination {
    /// Which function.
    #[read(with = Node::non_empty)]
    pub function_name: Option<String>,
}

/// Which keys let a caller in.
#[derive(Clone, Copy, Read)]
#[read(into = AuthLevel)]
enum AzureAuthLevel {
    /// None is needed.
    #[read(name = "Anonymous")]
    Anonymous,
    /// The function's own, or the app's `_master`.
    #[read(name = "Function")]
    Function,
    /// The app's `_master`.
    #[read(name = "Admin")]
    Admin,
}

/// Where keys go.
#[derive(Clone, Copy, Read)]
#[read(into = KeyIn)]
enum AzureKeyIn {
    /// Into the header `x-functions-key`.
    Header,
    /// Into the query, as `code`.
    Query,
}

fn app_name(node: &Node<'_>) -> Option<String> {
    let name = node.non_empty()?;
    let fits = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    // It becomes part of a host.
    if name.len() > 60 || !name.bytes().all(fits) {
        return node.error(format!("{name:?} is not the name of a function app"));
    }
    Some(name.to_ascii_lowercase())
}

/// Without slashes around it; it may be empty.
fn route_prefix(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let prefix = text.trim_matches('/');
    let template = PathTemplate::parse(&format!("/{prefix}"));
    match template {
        Ok(template) if template.names().next().is_none() => Some(prefix.to_owned()),
        _ => node.error(format!("{text:?} is not the start of a path, as api")),
    }
}

fn upstream(read: AzureUpstream, fields: &Fields<'_>) -> Option<AzureUpstream> {
    let functions = read.functions.iter();
    let by_name = functions.clone().map(|it| (&it.name, &it.matchers[..]));
    function_matcher::tell_apart(fields, "functions", by_name);
    let keyed = |it: &&AzureFunction| it.auth_level != AuthLevel::Anonymous;
    if let (None, Some(function)) = (&read.secret, functions.clone().find(keyed)) {
        let name = &function.name;
        fields.error(format!(
            "secretRef is required: function {name:?} needs a key"
        ));
    }
    Some(read)
}

fn function_name(node: &Node<'_>) -> Option<String> {
    let name = node.non_empty()?;
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"-_".contains(&c);
    match name.len() <= 128 && name.bytes().all(fits) {
        true => Some(name),
        false => node.error(format!("{name:?} is not the name of a function")),
    }
}

/// Without a slash in front.
fn route(node: &Node<'_>) -> Option<String> {
    let text = node.non_empty()?;
    let route = text.trim_start_matches('/');
    match PathTemplate::parse(&format!("/{route}")) {
        Ok(_) => Some(route.to_owned()),
        Err(error) => node.error(error.to_string()),
    }
}

fn function(read: AzureFunction, fields: &Fields<'_>) -> Option<AzureFunction> {
    let route = read.route.as_deref().unwrap_or_default();
    let template = PathTemplate::parse(&format!("/{route}")).ok();
    let segments = template.iter().flat_map(|template| template.segments());
    for name in segments.filter_map(Segment::name) {
        let lacks = |it: &&FunctionMatcher| !it.path.names().any(|it| it == name);
        let why = match read.matchers.iter().find(lacks) {
            _ if read.matchers.is_empty() => "the function has no matchers".to_owned(),
            Some(matcher) => format!("{} has none of that name", matcher.path),
            None => continue,
        };
        fields.error_at("route", format!("nothing gives parameter {name:?}: {why}"));
        break;
    }
    Some(read)
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
                Spec::Secret(_) => None,
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
