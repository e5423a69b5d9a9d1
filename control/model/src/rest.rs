//! REST functions: the requests that a service's templates make, and what a route says of a call.

use std::collections::BTreeMap;

use tenon_contract::transform::{Extraction, TransformationTemplate};
use tenon_core::transform::Transformation;

use crate::function_matcher::{self, FunctionMatcher, Taken};
use crate::read::{Fields, Node};
use crate::transformation;

/// The REST functions of a service (`serviceSpec.rest`).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RestSpec {
    /// The templates that make the request of each, by name.
    pub functions: BTreeMap<String, TransformationTemplate>,
    /// Which requests they are for, where the route names none.
    pub matchers: BTreeMap<String, Vec<FunctionMatcher>>,
}

/// What a destination says of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestDestination {
    /// Which function; `None`: the one that the request is for.
    pub function_name: Option<String>,
    /// What its templates read of the request's headers (Gloo's `parameters`).
    pub extractors: BTreeMap<String, Extraction>,
    /// What is done with the response.
    pub response: Option<TransformationTemplate>,
}

/// Reads `serviceSpec.rest`.
pub(crate) fn read_spec(node: &Node<'_>) -> Option<RestSpec> {
    node.object(read)
}

fn read(fields: &mut Fields<'_>) -> Option<RestSpec> {
    // Where discovery found the functions; they are what counts here.
    fields.ignored(&["swaggerInfo"]);
    let functions = fields.field("transformations", |node| {
        node.map(|node| read_template(&node))
    });
    let functions: BTreeMap<_, _> = functions.unwrap_or_default().into_iter().collect();
    let taken = Taken::default();
    let matchers = fields.field("matchers", |node| {
        let names = node.value().as_object();
        let mut names = names.into_iter().flat_map(|names| names.keys());
        node.map(|node| {
            let name = names.next().map(String::as_str).unwrap_or_default();
            if !functions.contains_key(name) {
                let known: Vec<_> = functions.keys().map(String::as_str).collect();
                return node.error(format!(
                    "there is no function {name:?}; known: {}",
                    known.join(", ")
                ));
            }
            node.list(|node| function_matcher::read(&node, &taken, Some(name)))
        })
    });
    Some(RestSpec {
        matchers: matchers.unwrap_or_default().into_iter().collect(),
        functions,
    })
}

/// Templates as Gloo's discovery writes them: what they say of the framing is what the body makes it anyway.
fn read_template(node: &Node<'_>) -> Option<TransformationTemplate> {
    let mut template = node.object(transformation::read_template)?;
    template.headers.retain(|name, _| {
        let name = name.to_ascii_lowercase();
        !matches!(&*name, "content-length" | "transfer-encoding")
    });
    match Transformation::of_template(&template, &[]) {
        Ok(_) => Some(template),
        Err(invalid) => {
            for it in invalid {
                node.error_at(&it.field, &it.text);
            }
            None
        }
    }
}

pub(crate) fn read_destination(node: &Node<'_>) -> Option<RestDestination> {
    node.object(|fields| {
        let function_name = fields.field("functionName", |node| node.string());
        let extractors = fields.field("parameters", |node| node.object(read_parameters));
        let response = fields.field("responseTransformation", |node| read_template(&node));
        Some(RestDestination {
            function_name: function_name.filter(|name| !name.is_empty()),
            extractors: extractors.unwrap_or_default(),
            response,
        })
    })
}

fn read_parameters(fields: &mut Fields<'_>) -> Option<BTreeMap<String, Extraction>> {
    // What Gloo gives to all that say something, if it is nothing.
    let mut all = BTreeMap::from([
        ("path".to_owned(), all_of(":path")),
        ("method".to_owned(), all_of(":method")),
    ]);
    let of_path = fields.field("path", |node| read_parameter(&node, ":path"));
    let of_headers = fields.field("headers", |node| {
        let names = node.value().as_object();
        let mut names = names.into_iter().flat_map(|names| names.keys());
        node.map(|node| read_parameter(&node, names.next().map_or("", String::as_str)))
    });
    all.extend(of_path.unwrap_or_default());
    for (_, more) in of_headers.unwrap_or_default() {
        all.extend(more);
    }
    Some(all)
}

fn all_of(header: &str) -> Extraction {
    Extraction {
        header: Some(header.to_owned()),
        regex: "(.*)".to_owned(),
        subgroup: 1,
        ..Extraction::default()
    }
}

/// A text with names in braces, as `/users/{id}`, which the header has to match as a whole. Without any, all of the header
/// is taken, by the header's name.
fn read_parameter(node: &Node<'_>, header: &str) -> Option<Vec<(String, Extraction)>> {
    let text = node.text()?;
    if text.is_empty() {
        return Some(Vec::new());
    }
    let Some((names, regex)) = parse(text) else {
        return node.error(format!(
            "{text:?} has braces without a name of letters, digits, '.', '-' and '_' between them"
        ));
    };
    // Templates of a path do not speak of the query, unless they do.
    let query = header == ":path" && !text.contains('?');
    let regex = if query { regex + r"(?:\?.*)?" } else { regex };
    let extraction = |group: usize| Extraction {
        header: Some(header.to_owned()),
        regex: regex.clone(),
        subgroup: u32::try_from(group).unwrap_or(u32::MAX),
        ..Extraction::default()
    };
    let all: Vec<_> = match &names[..] {
        [] => vec![(header.trim_start_matches(':').to_owned(), all_of(header))],
        names => names
            .iter()
            .enumerate()
            .map(|(index, name)| ((*name).to_owned(), extraction(index + 1)))
            .collect(),
    };
    let template = TransformationTemplate {
        extractors: all.iter().cloned().collect(),
        ..TransformationTemplate::default()
    };
    match Transformation::of_template(&template, &[]) {
        Ok(_) => Some(all),
        Err(invalid) => node.error(
            invalid
                .into_iter()
                .next()
                .map_or_else(String::new, |it| it.text),
        ),
    }
}

/// What a value in the place of a name may be made of: Gloo's own, so that what comes of it can stand in a path or in JSON.
const VALUE: &str = "([-._%0-9A-Za-z]+)";

/// The names, and the expression that takes their values.
fn parse(text: &str) -> Option<(Vec<&str>, String)> {
    let mut names = Vec::new();
    let mut regex = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}')?;
        let name = name.trim();
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            return None;
        }
        push_literal(before, &mut regex);
        regex.push_str(VALUE);
        names.push(name);
        rest = behind;
    }
    push_literal(rest, &mut regex);
    Some((names, regex))
}

fn push_literal(text: &str, regex: &mut String) {
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            regex.push('\\');
        }
        regex.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Action, DestinationSpec, Parsed, RouteAction, ServiceFunctions, Spec, UpstreamType,
        parse as read_all,
    };

    /// What a file holds, or what is wrong with it.
    fn spec_of(file: &str, text: &str) -> Result<Spec, Vec<String>> {
        match read_all(file, text).remove(0) {
            Parsed::Object(object) => Ok(object.spec),
            Parsed::Rejected { problems, .. } => Err(problems
                .into_iter()
                .map(|it| format!("{}: {}", it.field, it.text))
                .collect()),
            other => panic!("{other:?}"),
        }
    }

    fn upstream(rest: &str) -> Result<RestSpec, Vec<String>> {
        let text = format!(
            "static: {{hosts: [{{addr: a.example, port: 80}}], serviceSpec: {{rest: {rest}}}}}"
        );
        match spec_of("upstreams/default/a.yaml", &text)? {
            Spec::Upstream(upstream) => match upstream.kind {
                UpstreamType::Static(fixed) => match fixed.service_spec.unwrap().functions {
                    Some(ServiceFunctions::Rest(rest)) => Ok(rest),
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    fn destination(rest: &str) -> Result<RestDestination, Vec<String>> {
        let text = format!(
            "virtualHost: {{routes: [{{routeAction: {{single: {{upstream: {{name: a}}, destinationSpec: {{rest: {rest}}}}}}}}}]}}"
        );
        match spec_of("virtualservices/default/a.yaml", &text)? {
            Spec::VirtualService(service) => match &service.routes[0].action {
                Action::Route(RouteAction::Single(to)) => match &to.spec {
                    Some(DestinationSpec::Rest(rest)) => Ok(*rest.clone()),
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn functions_are_read_as_gloo_s_discovery_writes_them() {
        let rest = upstream(
            r#"{swaggerInfo: {url: 'http://a/swagger.json'}, transformations: {findPet: {body: {}, headers: {
                ':method': {text: GET}, ':path': {text: '/api/pets/{{ default(id, "") }}'},
                content-length: {text: '0'}, content-type: {}, Transfer-Encoding: {}}}},
                matchers: {findPet: [{methods: [GET], path: '/pets/{id}'}]}}"#,
        )
        .unwrap();
        let template = &rest.functions["findPet"];
        let names: Vec<_> = template.headers.keys().collect();
        assert_eq!(names, [":method", ":path", "content-type"]);
        assert_eq!(template.body.as_ref().unwrap().text, "");
        assert_eq!(rest.matchers["findPet"][0].methods, ["GET"]);
        assert_eq!(rest.matchers["findPet"][0].path.to_string(), "/pets/{id}");
    }

    #[test]
    fn what_is_wrong_with_functions_is_told() {
        for (spec, expected) in [
            (
                "{transformations: {f: {headers: {':path': {text: '{{ a'}}}}}",
                "spec.static.serviceSpec.rest.transformations.f.headers.:path.text: ",
            ),
            (
                "{transformations: {f: {heders: {}}}}",
                "spec.static.serviceSpec.rest.transformations.f.heders: unknown field",
            ),
            (
                "{transformations: {f: {}}, matchers: {g: []}}",
                r#"spec.static.serviceSpec.rest.matchers.g: there is no function "g"; known: f"#,
            ),
            (
                "{transformations: {f: {}, g: {}}, matchers: {f: [{path: /a}], g: [{path: /a}]}}",
                r#"spec.static.serviceSpec.rest.matchers.g[0].path: /a is a path of function "f" too"#,
            ),
        ] {
            let problems = upstream(spec).unwrap_err();

            assert!(
                problems.iter().any(|it| it.starts_with(expected)),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn parameters_are_what_extractors_take() {
        let rest = destination(
            "{functionName: f, parameters: {path: '/{what}/{ ever }/{nested.field}/too.x', headers: {x-user: 'id={user}', x-all: all}}}",
        )
        .unwrap();
        let of = |name: &str| {
            let it = &rest.extractors[name];
            (it.header.as_deref().unwrap(), &*it.regex, it.subgroup)
        };
        let value = VALUE;
        let path = format!(r"/{value}/{value}/{value}/too\.x(?:\?.*)?");
        assert_eq!(of("what"), (":path", &*path, 1));
        assert_eq!(of("ever"), (":path", &*path, 2));
        assert_eq!(of("nested.field"), (":path", &*path, 3));
        assert_eq!(of("user"), ("x-user", &*format!("id={value}"), 1));
        assert_eq!(of("x-all"), ("x-all", "(.*)", 1));
        assert_eq!(of("path"), (":path", "(.*)", 1));
        assert_eq!(of("method"), (":method", "(.*)", 1));
        assert_eq!(rest.extractors.len(), 7);
    }

    #[test]
    fn a_path_with_a_query_is_matched_with_the_query() {
        let rest = destination("{functionName: f, parameters: {path: '/a?id={id}'}}").unwrap();
        assert_eq!(rest.extractors["id"].regex, format!(r"/a\?id={VALUE}"));
    }

    #[test]
    fn a_destination_without_parameters_extracts_nothing() {
        let rest = destination("{functionName: f}").unwrap();
        assert_eq!(rest.extractors.len(), 0);
        assert_eq!(
            destination("{functionName: ''}").unwrap().function_name,
            None
        );
    }

    #[test]
    fn what_is_wrong_with_a_destination_is_told() {
        let at = "spec.virtualHost.routes[0].routeAction.single.destinationSpec.rest";
        for (spec, expected) in [
            (
                "{parameters: {path: '/{id'}}",
                "parameters.path: \"/{id\" has braces",
            ),
            (
                "{parameters: {path: '/{a b}'}}",
                "parameters.path: \"/{a b}\" has braces",
            ),
            (
                "{parameters: {headers: {'a b': '{c}'}}}",
                "parameters.headers.a b: \"a b\" is not the name of a header",
            ),
            (
                "{responseTransformation: {body: {text: '{% if %}'}}}",
                "responseTransformation.body.text: ",
            ),
        ] {
            let problems = destination(spec).unwrap_err();
            let expected = format!("{at}.{expected}");
            assert!(
                problems.iter().any(|it| it.starts_with(&expected)),
                "{problems:?}"
            );
        }
    }
}
