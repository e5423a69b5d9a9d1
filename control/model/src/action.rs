//! What a route does with a request.

use crate::aws::{self, AwsDestination};
use crate::azure::{self, AzureDestination};
use crate::delegation::Delegation;
use crate::gcp::{self, GcpDestination};
use crate::header::{self, HeaderManipulation};
use crate::options::buffer::BufferPerRoute;
use crate::options::csrf::Csrf;
use crate::options::ext_auth::ExtAuth;
use crate::read::{Fields, Node, Read};
use crate::rest::{self, RestDestination};
use crate::route_options::{self, RegexRewrite};
use crate::schema::Schema;
use crate::transformation::Transformations;
use tenon_model_derive::Read;

use crate::{ObjectRef, matcher};

/// What a route does with a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Forwards it.
    Single(Destination),
    /// Forwards it to one of several.
    Multi(Vec<WeightedDestination>),
    /// Sends the client elsewhere.
    Redirect(Redirect),
    /// Answers it.
    DirectResponse {
        /// The status.
        status: u16,
        /// The body.
        body: String,
    },
    /// Leaves it to the routes of tables.
    Delegate(Delegation),
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The upstream.
    pub upstream: ObjectRef,
    /// Which function of it, and how.
    pub spec: Option<DestinationSpec>,
}

/// Which function of an upstream is called, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationSpec {
    /// Of AWS Lambda.
    Aws(AwsDestination),
    /// Of Azure Functions.
    Azure(AzureDestination),
    /// Of Google's.
    Gcp(GcpDestination),
    /// Of a service that templates make requests for.
    Rest(Box<RestDestination>),
}

impl DestinationSpec {
    /// The name of its field below `destinationSpec`.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Aws(_) => "aws",
            Self::Azure(_) => "azure",
            Self::Gcp(_) => "gcp",
            Self::Rest(_) => "rest",
        }
    }
}

/// Where a share of the requests goes.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightedDestination {
    /// Where.
    pub destination: Destination,
    /// The share.
    pub weight: u32,
    /// What is done besides.
    pub options: DestinationOptions,
}

/// What is done with a share of the requests besides forwarding.
#[derive(Debug, Clone, PartialEq, Default, Read)]
#[read(refused(extensions = "they are for plugins of Gloo's; say it with Tenon's own fields"))]
pub struct DestinationOptions {
    /// Headers to add and remove.
    #[read(default, name = "headerManipulation", with = header::read_manipulation, schema = Schema::open_object)]
    pub headers: HeaderManipulation,
    /// What is changed of requests and responses, in the place of what the route says.
    #[read(flatten)]
    pub transformations: Option<Transformations>,
    /// Asking a server whether a request may pass.
    pub extauth: Option<Box<ExtAuth>>,
    /// Whether bodies of requests are held back until they are there as a whole.
    pub buffer_per_route: Option<BufferPerRoute>,
    /// Requests that another site has a browser send.
    pub csrf: Option<Box<Csrf>>,
}

/// Where a client is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Another host.
    pub host: Option<String>,
    /// Another path.
    pub path: Option<PathRedirect>,
    /// Another port.
    pub port: Option<u16>,
    /// The status: 301, 302, 303, 307 or 308.
    pub status: u16,
    /// To `https`.
    pub https: bool,
    /// Without the query.
    pub strip_query: bool,
}

/// Another path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathRedirect {
    /// As a whole.
    Path(String),
    /// Its matched prefix.
    Prefix(String),
    /// What an expression matches in it.
    Regex(RegexRewrite),
}

/// The largest body that Envoy takes by default; a larger one would cost all routes of a listener.
const MOST_BODY: usize = 4_096;

pub(crate) const ACTIONS: [&str; 4] = [
    "routeAction",
    "redirectAction",
    "directResponseAction",
    "delegateAction",
];

pub(crate) fn read(fields: &mut Fields<'_>, namespace: &str) -> Option<Action> {
    fields.later(&["graphqlApiRef"]);
    let which = fields.one_of(&ACTIONS);
    fields.ignored(&ACTIONS);
    match which {
        Some("routeAction") => fields.field("routeAction", |node| read_route(&node, namespace)),
        Some("redirectAction") => fields
            .field("redirectAction", |node| node.object(read_redirect))
            .map(Action::Redirect),
        Some("directResponseAction") => {
            fields.field("directResponseAction", |node| node.object(read_direct))
        }
        Some(_) => fields
            .field("delegateAction", |node| Delegation::read(&node))
            .map(Action::Delegate),
        None => {
            if !fields.has("graphqlApiRef") {
                fields.error(format!("expected one of {}", ACTIONS.join(", ")));
            }
            None
        }
    }
}

const LATER_ROUTES: [&str; 3] = ["upstreamGroup", "clusterHeader", "dynamicForwardProxy"];

fn read_route(node: &Node<'_>, namespace: &str) -> Option<Action> {
    node.object(|fields| {
        fields.later(&LATER_ROUTES);
        let which = fields.one_of(&["single", "multi"]);
        fields.ignored(&["single", "multi"]);
        match which {
            Some("single") => fields
                .field("single", |node| read_destination(&node, namespace))
                .map(Action::Single),
            Some(_) => fields.field("multi", |node| read_multi(&node, namespace)),
            None => {
                if !LATER_ROUTES.iter().any(|name| fields.has(name)) {
                    fields.error("expected one of single and multi");
                }
                None
            }
        }
    })
}

const INHERIT: &str = "stagedTransformations.inheritTransformation";
/// Gloo merges rules of routes and virtual hosts only (`converter.go`).
const NO_PARENT: &str = "has no effect on a destination, as with Gloo: its transformations take the place of the route's";

fn read_multi(node: &Node<'_>, namespace: &str) -> Option<Action> {
    let destinations = node.object(|fields| {
        fields.required("destinations", |node| {
            node.list(|node| {
                node.object(|fields| {
                    let destination =
                        fields.required("destination", |node| read_destination(&node, namespace));
                    let weight = fields.field("weight", |node| node.uint());
                    let options = fields.field("options", |node| {
                        let read = DestinationOptions::read(&node)?;
                        if read.transformations.as_ref().is_some_and(|it| it.inherit) {
                            node.warn_at(INHERIT, NO_PARENT);
                        }
                        Some(read)
                    });
                    Some(WeightedDestination {
                        destination: destination?,
                        weight: weight.unwrap_or_default(),
                        options: options.unwrap_or_default(),
                    })
                })
            })
        })
    })?;
    let total: u64 = destinations.iter().map(|it| u64::from(it.weight)).sum();
    if total == 0 || u32::try_from(total).is_err() {
        return node.error(format!(
            "the weights add up to {total}; expected 1 to {}",
            u32::MAX
        ));
    }
    Some(Action::Multi(destinations))
}

fn read_destination(node: &Node<'_>, namespace: &str) -> Option<Destination> {
    node.object(|fields| {
        fields.later(&["kube", "consul", "subset"]);
        let upstream = match fields.has("kube") || fields.has("consul") {
            true => fields.field("upstream", |node| node.reference(namespace)),
            false => fields.required("upstream", |node| node.reference(namespace)),
        };
        let spec = fields.field("destinationSpec", |node| {
            node.object(|fields| {
                fields.later(&["grpc"]);
                let which = fields.one_of(&["aws", "azure", "gcp", "rest"]);
                let aws = fields.field("aws", |node| aws::read_destination(&node));
                let azure = fields.field("azure", |node| azure::read_destination(&node));
                let gcp = fields.field("gcp", |node| gcp::read_destination(&node));
                let rest = fields.field("rest", |node| rest::read_destination(&node));
                match which {
                    Some("azure") => azure.map(DestinationSpec::Azure),
                    Some("gcp") => gcp.map(DestinationSpec::Gcp),
                    Some("rest") => rest.map(|it| DestinationSpec::Rest(Box::new(it))),
                    _ => aws.map(DestinationSpec::Aws),
                }
            })
        });
        Some(Destination {
            upstream: upstream?,
            spec,
        })
    })
}

fn read_redirect(fields: &mut Fields<'_>) -> Option<Redirect> {
    const CODES: [(&str, u16); 5] = [
        ("MOVED_PERMANENTLY", 301),
        ("FOUND", 302),
        ("SEE_OTHER", 303),
        ("TEMPORARY_REDIRECT", 307),
        ("PERMANENT_REDIRECT", 308),
    ];
    let which = fields.one_of(&["pathRedirect", "prefixRewrite", "regexRewrite"]);
    let path_redirect = fields.field("pathRedirect", |node| header::value(&node));
    let prefix = fields.field("prefixRewrite", |node| matcher::path(&node));
    let regex = fields.field("regexRewrite", |node| {
        node.object(route_options::read_regex_rewrite)
    });
    let path = match which {
        Some("pathRedirect") => path_redirect.map(PathRedirect::Path),
        Some("prefixRewrite") => prefix.map(PathRedirect::Prefix),
        Some(_) => regex.map(PathRedirect::Regex),
        None => None,
    };
    let status = fields.field("responseCode", |node| node.choice(&CODES));
    let port = fields.field("portRedirect", |node| node.number(1, 65_535));
    Some(Redirect {
        host: fields
            .field("hostRedirect", |node| header::value(&node))
            .filter(|it| !it.is_empty()),
        path,
        port: port.and_then(|port| u16::try_from(port).ok()),
        status: status.unwrap_or(301),
        https: fields.flag("httpsRedirect"),
        strip_query: fields.flag("stripQuery"),
    })
}

fn read_direct(fields: &mut Fields<'_>) -> Option<Action> {
    let status = fields.required("status", |node| node.number(200, 599));
    let body = fields.field("body", |node| {
        let body = node.string()?;
        if body.len() > MOST_BODY {
            return node.error(format!(
                "has {} bytes; at most {MOST_BODY} are possible",
                body.len()
            ));
        }
        Some(body)
    });
    Some(Action::DirectResponse {
        status: u16::try_from(status?).ok()?,
        body: body.unwrap_or_default(),
    })
}
