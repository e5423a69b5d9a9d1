//! Cloud Functions and Cloud Run: the upstream, and what a route says of a call.

use tenon_model_derive::Read;

use crate::ObjectRef;
use crate::aws::Endpoint;
use crate::function_matcher::{self, FunctionMatcher};
use crate::read::{Fields, Node, Read, ReadFields};
use crate::schema::Schema;
use crate::upstream::is_host_name;

/// A service of Cloud Run, or functions of a project.
#[derive(Debug, Clone, PartialEq)]
pub struct GcpUpstream {
    /// The service's host, where routes name no function.
    pub host: Option<String>,
    /// For whom the service's tokens are; `None`: its URL.
    pub audience: Option<String>,
    /// The functions that routes may name.
    pub functions: Vec<GoogleFunction>,
    /// The Secret with a service account's key; `None`: as the control plane's environment has it.
    pub secret: Option<ObjectRef>,
    /// The service account that calls, if not the one whose credentials there are.
    pub service_account: Option<String>,
    /// Where requests go, if not to the host's own address.
    pub endpoint: Option<Endpoint>,
    /// Whether the client's own `authorization` goes to the function.
    pub keep_authorization: bool,
}

/// A function of Cloud Functions, or a service of Cloud Run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleFunction {
    /// The name that routes call it.
    pub logical_name: String,
    /// Its host.
    pub host: String,
    /// What stands before the paths of its requests, as `/hello`.
    pub path_prefix: Option<String>,
    /// For whom its tokens are.
    pub audience: String,
    /// Which requests it is for, where the route names no function.
    pub matchers: Vec<FunctionMatcher>,
}

/// What a destination says of a call; what it leaves out is the upstream's business.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct GcpDestination {
    /// Which function; the upstream's host itself where it is left out.
    #[read(with = Node::non_empty)]
    pub logical_name: Option<String>,
    /// Whether the client's own `authorization` goes to the function.
    pub keep_authorization: Option<bool>,
}

/// A service of Cloud Run, or functions of a project; `host`, `functions` or both.
#[derive(Read)]
struct GcpSpec {
    /// The service's host, where routes name no function.
    #[read(with = host)]
    host: Option<String>,
    /// For whom the service's tokens are; its URL where it is left out.
    #[read(with = audience)]
    audience: Option<String>,
    /// The project of the functions that have no URL.
    #[read(with = project)]
    project_id: Option<String>,
    /// The region of the functions that have neither a URL nor a region of their own.
    #[read(with = region)]
    region: Option<String>,
    /// The functions that routes may name.
    #[read(with = in_place, schema = GcpFunction::schema)]
    functions: Vec<Option<GcpFunction>>,
    /// The Secret with a service account's key; as the control plane's environment has it where it is left out.
    secret_ref: Option<ObjectRef>,
    /// The service account that calls, if not the one whose credentials there are.
    #[read(with = service_account)]
    service_account: Option<String>,
    /// Where requests go, if not to the host's own address.
    endpoint_url: Option<Endpoint>,
    /// Whether the client's own `authorization` goes to the function.
    keep_authorization: bool,
}

/// A function of Cloud Functions, or a service of Cloud Run.
#[derive(Read)]
struct GcpFunction {
    /// The name that routes call it.
    #[read(with = segment)]
    logical_name: String,
    /// Where it is.
    #[read(flatten)]
    at: GcpFunctionPlace,
    /// Its region, if not that of the upstream.
    #[read(with = region)]
    region: Option<String>,
    /// For whom its tokens are; its URL where it is left out.
    #[read(with = audience)]
    audience: Option<String>,
    /// Which requests it is for, where the route names no function.
    matchers: Vec<FunctionMatcher>,
}

/// Where a function is.
#[derive(Read)]
enum GcpFunctionPlace {
    /// Its name in the project and region.
    #[read(with = segment)]
    FunctionName(String),
    /// Its URL, as `https://hello-4tz3dr-uc.a.run.app`.
    #[read(with = read_url, schema = Schema::text)]
    Url((String, Option<String>)),
}

impl Read for GcpUpstream {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.object(|fields| upstream(GcpSpec::read_fields(fields)?, fields))
    }

    fn schema() -> Schema {
        GcpSpec::schema()
    }
}

/// What is wrong keeps its place, so that the others have theirs.
fn in_place(node: &Node<'_>) -> Option<Option<GcpFunction>> {
    Some(GcpFunction::read(node))
}

fn upstream(spec: GcpSpec, fields: &Fields<'_>) -> Option<GcpUpstream> {
    let functions = spec.functions.iter();
    let by_name = functions
        .clone()
        .flatten()
        .map(|it| (&it.logical_name, &it.matchers[..]));
    function_matcher::tell_apart(fields, "functions", by_name);
    if !fields.has("host") && !fields.has("functions") {
        fields.error("expected a host, functions or both");
    }
    let place = |it: &GcpFunction| match &it.at {
        GcpFunctionPlace::Url(url) => Some(url.clone()),
        GcpFunctionPlace::FunctionName(name) => {
            let region = it.region.as_ref().or(spec.region.as_ref())?;
            let project = spec.project_id.as_ref()?;
            let host = format!("{region}-{project}.cloudfunctions.net");
            Some((host, Some(format!("/{name}"))))
        }
    };
    let functions = functions.enumerate().filter_map(|(index, it)| {
        let it = it.as_ref()?;
        let Some((host, path_prefix)) = place(it) else {
            let text = "functionName needs spec.gcp.projectId and a region; a url does not";
            fields.error_at(&format!("functions[{index}]"), text);
            return None;
        };
        let prefix = path_prefix.as_deref().unwrap_or_default();
        let url = || format!("https://{host}{prefix}");
        Some(GoogleFunction {
            logical_name: it.logical_name.clone(),
            audience: it.audience.clone().unwrap_or_else(url),
            host,
            path_prefix,
            matchers: it.matchers.clone(),
        })
    });
    Some(GcpUpstream {
        functions: functions.collect(),
        host: spec.host,
        audience: spec.audience,
        secret: spec.secret_ref,
        service_account: spec.service_account,
        endpoint: spec.endpoint_url,
        keep_authorization: spec.keep_authorization,
    })
}

fn host(node: &Node<'_>) -> Option<String> {
    let host = node.non_empty()?;
    match is_host_name(&host) {
        true => Some(host),
        false => node.error(format!("{host:?} is not a host name")),
    }
}

fn service_account(node: &Node<'_>) -> Option<String> {
    let email = node.non_empty()?;
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"-._@".contains(&c);
    // It becomes part of a URL.
    if !email.bytes().all(fits) || email.matches('@').count() != 1 {
        return node.error(format!("{email:?} is not the e-mail of a service account"));
    }
    Some(email)
}

fn project(node: &Node<'_>) -> Option<String> {
    label(node, "project")
}

fn region(node: &Node<'_>) -> Option<String> {
    label(node, "region")
}

/// The name of a project or region: it becomes part of a host.
fn label(node: &Node<'_>, what: &str) -> Option<String> {
    let label = node.non_empty()?;
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    if label.len() > 63 || !label.bytes().all(fits) {
        return node.error(format!("{label:?} is not the name of a {what}"));
    }
    Some(label)
}

fn audience(node: &Node<'_>) -> Option<String> {
    let audience = node.non_empty()?;
    if !audience.bytes().all(|c| c.is_ascii_graphic()) {
        return node.error("holds a character that no audience has, as a space");
    }
    Some(audience)
}

/// A name that stands by itself in a path.
fn segment(node: &Node<'_>) -> Option<String> {
    let name = node.non_empty()?;
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
    if name.len() > 128 || !name.bytes().all(fits) || name.starts_with('.') {
        return node.error(format!("{name:?} is not the name of a function"));
    }
    Some(name)
}

/// Host and path.
fn read_url(node: &Node<'_>) -> Option<(String, Option<String>)> {
    let text = node.text()?;
    let refused = || {
        node.error(format!(
            "{text:?} is not the URL of a function, as https://hello-4tz3dr-uc.a.run.app"
        ))
    };
    let Some(rest) = text.strip_prefix("https://") else {
        return refused();
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, path) = match rest.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (rest, None),
    };
    let plain = |segment: &str| {
        let fits = |c: u8| c.is_ascii_alphanumeric() || b"-_.~".contains(&c);
        !matches!(segment, "" | "." | "..") && segment.bytes().all(fits)
    };
    if !is_host_name(host) || !path.is_none_or(|path| path.split('/').all(plain)) {
        return refused();
    }
    Some((host.to_owned(), path.map(|path| format!("/{path}"))))
}
