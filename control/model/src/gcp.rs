//! Cloud Functions and Cloud Run: the upstream, and what a route says of a call.

use crate::ObjectRef;
use crate::aws::Endpoint;
use crate::function_matcher::{self, FunctionMatcher, Taken};
use crate::read::{Fields, Node};
use crate::upstream::is_host_name;
use crate::virtual_service::first_twice;

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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GcpDestination {
    /// Which function; `None`: the upstream's host itself.
    pub logical_name: Option<String>,
    /// Whether the client's own `authorization` goes to the function.
    pub keep_authorization: Option<bool>,
}

pub(crate) fn read(node: &Node<'_>, namespace: &str) -> Option<GcpUpstream> {
    node.object(|fields| {
        let host = fields.field("host", |node| {
            let host = node.non_empty()?;
            if !is_host_name(&host) {
                return node.error(format!("{host:?} is not a host name"));
            }
            Some(host)
        });
        let project = fields.field("projectId", |node| label(&node, "project"));
        let region = fields.field("region", |node| label(&node, "region"));
        let functions = fields.field("functions", |node| {
            let place = (project.as_deref(), region.as_deref());
            let taken = Taken::default();
            let functions = node.list(|node| read_function(&node, place, &taken))?;
            match first_twice(functions.iter().map(|function| &function.logical_name)) {
                Some(name) => node.error(format!("{name:?} is there more than once")),
                None => Some(functions),
            }
        });
        if !fields.has("host") && !fields.has("functions") {
            fields.error("expected a host, functions or both");
        }
        Some(GcpUpstream {
            host,
            audience: fields.field("audience", |node| audience(&node)),
            functions: functions.unwrap_or_default(),
            secret: fields.field("secretRef", |node| node.reference(namespace)),
            service_account: fields.field("serviceAccount", |node| {
                let email = node.non_empty()?;
                let fits = |c: u8| c.is_ascii_alphanumeric() || b"-._@".contains(&c);
                // It becomes part of a URL.
                if !email.bytes().all(fits) || email.matches('@').count() != 1 {
                    return node.error(format!("{email:?} is not the e-mail of a service account"));
                }
                Some(email)
            }),
            endpoint: fields.field("endpointUrl", |node| Endpoint::read(&node)),
            keep_authorization: fields.flag("keepAuthorization"),
        })
    })
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

fn read_function(
    node: &Node<'_>,
    (project, region): (Option<&str>, Option<&str>),
    taken: &Taken,
) -> Option<GoogleFunction> {
    node.object(|fields| {
        let logical_name = fields.required("logicalName", |node| segment(&node));
        let own_region = fields.field("region", |node| label(&node, "region"));
        let own_audience = fields.field("audience", |node| audience(&node));
        let matchers = function_matcher::read_all(fields, taken, logical_name.as_deref());
        let which = fields.one_of(&["functionName", "url"]);
        let url = fields.field("url", |node| read_url(&node));
        let name = fields.field("functionName", |node| segment(&node));
        let (host, path_prefix) = match which {
            Some("functionName") => {
                let region = own_region.as_deref().or(region);
                let (Some(project), Some(region)) = (project, region) else {
                    fields.error(
                        "functionName needs spec.gcp.projectId and a region; a url does not",
                    );
                    return None;
                };
                let host = format!("{region}-{project}.cloudfunctions.net");
                (host, Some(format!("/{}", name?)))
            }
            Some(_) => url?,
            None => {
                fields.error("expected one of functionName and url");
                return None;
            }
        };
        let prefix = path_prefix.as_deref().unwrap_or_default();
        Some(GoogleFunction {
            logical_name: logical_name?,
            audience: own_audience.unwrap_or_else(|| format!("https://{host}{prefix}")),
            host,
            path_prefix,
            matchers,
        })
    })
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

pub(crate) fn read_destination(node: &Node<'_>) -> Option<GcpDestination> {
    node.object(|fields: &mut Fields<'_>| {
        Some(GcpDestination {
            logical_name: fields.field("logicalName", |node| node.non_empty()),
            keep_authorization: fields.field("keepAuthorization", |node| node.boolean()),
        })
    })
}
