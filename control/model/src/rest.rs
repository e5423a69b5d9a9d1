//! REST functions: the requests that a service's templates make, and what a route says of a call.

use std::collections::BTreeMap;

use tenon_contract::transform::{Extraction, TransformationTemplate};
use tenon_core::transform::Transformation;
use tenon_model_derive::Read;

use crate::function_matcher::{FunctionMatcher, Taken};
use crate::read::{Fields, Node, Read, ReadFields};
use crate::schema::Schema;

/// The REST functions of a service (`serviceSpec.rest`).
#[derive(Debug, Clone, PartialEq, Default, Read)]
#[read(
    // Where discovery found the functions; they are what counts here.
    ignored("swaggerInfo"),
    finish = tell_apart
)]
pub struct RestSpec {
    /// The templates that make the request of each, by name.
    #[read(name = "transformations", with = read_template)]
    pub functions: BTreeMap<String, TransformationTemplate>,
    /// Which requests they are for, by name, where the route names none.
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

/// What a destination says of a call.
#[derive(Read)]
struct RestCall {
    /// Which function; the one that the request is for where it is left out.
    #[read(default)]
    function_name: String,
    /// What its templates read of the request's headers.
    parameters: Option<RestParameters>,
    /// What is done with the response.
    #[read(with = read_template)]
    response_transformation: Option<TransformationTemplate>,
}

/// Texts with names in braces, as `/users/{id}`, which have to match as a whole.
#[derive(Read)]
struct RestParameters {
    /// What the path is matched with.
    #[read(default)]
    path: String,
    /// What headers are matched with, by their names.
    headers: BTreeMap<String, String>,
}

fn tell_apart(spec: RestSpec, fields: &Fields<'_>) -> Option<RestSpec> {
    let known: Vec<_> = spec.functions.keys().map(String::as_str).collect();
    let mut taken = Taken::default();
    for (name, matchers) in &spec.matchers {
        if !spec.functions.contains_key(name) {
            let known = known.join(", ");
            let text = format!("there is no function {name:?}; known: {known}");
            fields.error_at(&format!("matchers.{name}"), text);
        }
        for (at, matcher) in matchers.iter().enumerate() {
            if let Err(text) = taken.take(matcher, name) {
                fields.error_at(&format!("matchers.{name}[{at}].path"), text);
            }
        }
    }
    Some(spec)
}

/// Templates as Gloo's discovery writes them: what they say of the framing is what the body makes it anyway.
fn read_template(node: &Node<'_>) -> Option<TransformationTemplate> {
    let mut template = TransformationTemplate::read(node)?;
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

impl Read for RestDestination {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.object(|fields| {
            let call = RestCall::read_fields(fields)?;
            let parameters = call.parameters.iter();
            let extractors = parameters.flat_map(|it| it.extractors(fields)).collect();
            Some(Self {
                function_name: Some(call.function_name).filter(|name| !name.is_empty()),
                extractors,
                response: call.response_transformation,
            })
        })
    }

    fn schema() -> Schema {
        RestCall::schema()
    }
}

impl RestParameters {
    fn extractors(&self, fields: &Fields<'_>) -> BTreeMap<String, Extraction> {
        // What Gloo gives to all that say something, if it is nothing.
        let mut all = BTreeMap::from([
            ("path".to_owned(), all_of(":path")),
            ("method".to_owned(), all_of(":method")),
        ]);
        let of_path = ("path".to_owned(), ":path", &self.path);
        let of_headers = self.headers.iter();
        let of_headers = of_headers.map(|(name, text)| (format!("headers.{name}"), &**name, text));
        for (place, header, text) in [of_path].into_iter().chain(of_headers) {
            match parameter(text, header) {
                Ok(more) => all.extend(more),
                Err(wrong) => fields.error_at(&format!("parameters.{place}"), wrong),
            }
        }
        all
    }
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
fn parameter(text: &str, header: &str) -> Result<Vec<(String, Extraction)>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let (names, regex) = parse(text).ok_or_else(|| {
        format!(
            "{text:?} has braces without a name of letters, digits, '.', '-' and '_' between them"
        )
    })?;
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
        Ok(_) => Ok(all),
        Err(invalid) => Err(invalid
            .into_iter()
            .next()
            .map_or_else(String::new, |it| it.text)),
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
