//! What wraps a resource: Kubernetes' `apiVersion/kind/metadata/spec`, or nothing but a path in Gloo's directory form.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::read::{Node, Path, Read, Report};
use crate::schema::APIS;
use crate::{
    ConfigMap, Gateway, HttpListenerOption, Kind, ListenerOption, MatchableHttpGateway,
    MatchableTcpGateway, Metadata, MultiDestination, Object, ObjectKey, Parsed, Pod, Problem,
    ProblemLevel, RouteOption, RouteTable, Service, ServiceEndpoints, Settings, Spec, Upstream,
    VirtualHostOption, VirtualService, gateway_api, secret, yaml,
};

/// What Kubernetes and Gloo keep beside a resource's own fields.
const BESIDE: [&str; 5] = [
    "apiVersion",
    "kind",
    "metadata",
    "status",
    "namespacedStatuses",
];

/// Gloo's folder of what Kubernetes calls ConfigMaps, in its directory form.
const ARTIFACTS: &str = "artifacts";

/// Gloo's other folders and kinds: known, not read.
const OTHER_FOLDERS: [&str; 3] = ["authconfigs", "proxies", "ratelimitconfigs"];

/// Parses the text of a file.
///
/// `path` is relative to the folder of resources, with `/`: in Gloo's directory form (`upstreams/<ns>/<name>.yaml`, bare)
/// it says kind, namespace and name; documents with `apiVersion` and `kind` say so themselves.
pub fn parse(path: &str, text: &str) -> Vec<Parsed> {
    let mut parsed = Vec::new();
    for document in yaml::documents(text) {
        match document {
            Ok(value) => read(path, &value, &mut parsed),
            Err(broken) => {
                let key = broken.guess.and_then(|guess| identify(path, &guess).ok());
                parsed.push(match key {
                    Some(Identity::Ours { key, .. }) => Parsed::Rejected {
                        key,
                        problems: vec![Problem::error("", broken.text)],
                        rest: None,
                    },
                    _ => Parsed::Unreadable(Problem::error("", broken.text)),
                });
            }
        }
    }
    parsed
}

fn read(path: &str, document: &Value, parsed: &mut Vec<Parsed>) {
    if let Some(items) = document.get("items").and_then(Value::as_array)
        && document
            .get("kind")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind.ends_with("List"))
    {
        items.iter().for_each(|item| read(path, item, parsed));
        return;
    }
    parsed.push(match identify(path, document) {
        Err(text) => Parsed::Unreadable(Problem::error("", text)),
        Ok(Identity::Other(kind)) => Parsed::Ignored { kind },
        Ok(Identity::OfVersion { key, text }) => Parsed::Rejected {
            key,
            problems: vec![Problem::error("apiVersion", text)],
            rest: None,
        },
        Ok(Identity::Ours { key, form }) => object(key, form, document),
    });
}

/// How a resource is written.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// Its fields are under `spec`.
    Spec,
    /// Kubernetes' own Secret.
    KubernetesSecret,
    /// Its fields are beside `metadata`.
    Bare,
    /// An object of Kubernetes' own, of which little is read.
    Kubernetes,
}

enum Identity {
    Ours {
        key: ObjectKey,
        form: Form,
    },
    /// One of ours in a version that is not read, and what to say of it.
    OfVersion {
        key: ObjectKey,
        text: String,
    },
    Other(String),
}

fn identify(path: &str, document: &Value) -> Result<Identity, String> {
    let Some(fields) = document.as_object() else {
        return Err("expected an object, as a resource is".into());
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let metadata = |name: &str| {
        let value = fields
            .get("metadata")
            .and_then(|metadata| metadata.get(name));
        value
            .and_then(Value::as_str)
            .filter(|value| !value.is_empty())
    };
    if let (Some(version), Some(kind)) = (text("apiVersion"), text("kind")) {
        let Some((kind, form)) = kubernetes_kind(version, kind) else {
            return Ok(Identity::Other(format!("{version} {kind}")));
        };
        let name = metadata("name").ok_or_else(|| format!("this {kind} has no metadata.name"))?;
        let namespace = match kind.is_cluster_wide() {
            true => "",
            false => metadata("namespace").unwrap_or("default"),
        };
        let key = key(kind, namespace, name);
        return Ok(match form {
            Ok(form) => Identity::Ours { key, form },
            Err(text) => Identity::OfVersion { key, text },
        });
    }
    let Some((folder, namespace, name)) = gloo_path(path) else {
        return Err(
            "neither apiVersion and kind, nor a path <plural>/<namespace>/<name>.yaml".into(),
        );
    };
    let Some(kind) = folder_kind(folder) else {
        return Ok(Identity::Other(folder.into()));
    };
    Ok(Identity::Ours {
        key: key(kind, namespace, name),
        form: match kind {
            Kind::ConfigMap => Form::Kubernetes,
            _ => Form::Bare,
        },
    })
}

fn key(kind: Kind, namespace: &str, name: &str) -> ObjectKey {
    ObjectKey {
        kind,
        namespace: crate::name::namespace(namespace),
        name: name.into(),
    }
}

/// The kind of a resource, by `apiVersion` and `kind`; why it is not read in this version; nothing if it is of others.
fn kubernetes_kind(api_version: &str, name: &str) -> Option<(Kind, Result<Form, String>)> {
    let kubernetes = match (api_version, name) {
        ("v1", "ConfigMap") => Some(Kind::ConfigMap),
        ("v1", "Endpoints") => Some(Kind::Endpoints),
        ("discovery.k8s.io/v1", "EndpointSlice") => Some(Kind::EndpointSlice),
        ("v1", "Namespace") => Some(Kind::Namespace),
        ("v1", "Pod") => Some(Kind::Pod),
        ("v1", "Service") => Some(Kind::Service),
        ("v1", "Secret") => return Some((Kind::Secret, Ok(Form::KubernetesSecret))),
        // Its name while it was an experiment.
        ("gateway.networking.x-k8s.io/v1alpha1", "XListenerSet") => {
            return Some((Kind::ListenerSet, Ok(Form::Spec)));
        }
        _ => None,
    };
    if let Some(kind) = kubernetes {
        return Some((kind, Ok(Form::Kubernetes)));
    }
    let (group, version) = api_version.split_once('/')?;
    let mut apis = APIS.iter();
    let api = apis.find(|api| api.kind.name() == name && api.group == group)?;
    let form = match (api.versions.contains(&version), api.kind) {
        (true, Kind::Secret) => Ok(Form::Bare),
        (true, _) => Ok(Form::Spec),
        (false, _) => Err(format!(
            "{name} is not read in version {version}: expected {}",
            api.versions.join(" or ")
        )),
    };
    Some((api.kind, form))
}

/// The kind that a folder of Gloo's directory form holds.
fn folder_kind(folder: &str) -> Option<Kind> {
    if folder == ARTIFACTS {
        return Some(Kind::ConfigMap);
    }
    let mut apis = APIS.iter();
    let api = apis.find(|api| api.has_folder() && api.plural == folder)?;
    Some(api.kind)
}

fn gloo_path(path: &str) -> Option<(&str, &str, &str)> {
    let mut parts = path.rsplit('/');
    let file = parts.next()?;
    let name = [".yaml", ".yml", ".json"]
        .iter()
        .find_map(|end| file.strip_suffix(end))?;
    let (namespace, folder) = (parts.next()?, parts.next()?);
    (folder_kind(folder).is_some() || OTHER_FOLDERS.contains(&folder))
        .then_some((folder, namespace, name))
}

fn object(key: ObjectKey, form: Form, document: &Value) -> Parsed {
    let report = Report::new(&key.namespace);
    let root = Node::new(document, Path::Root(""), &report);
    check_metadata(&root, &key);
    let labels = read_labels(document, &report);
    let metadata = Metadata::read(key.kind, document, &report);
    let spec = match form {
        Form::KubernetesSecret => match secret::read_kubernetes(&root) {
            secret::Kubernetes::NotOurs(kind) => return Parsed::Ignored { kind },
            secret::Kubernetes::Ours(secret) => secret.map(Spec::Secret),
        },
        Form::Spec => root.object(|fields| {
            fields.ignored(&BESIDE);
            fields.required("spec", |node| read_spec(&key, &node))
        }),
        Form::Kubernetes => read_kubernetes(&key, &root),
        Form::Bare => {
            // Paths are those of the Kubernetes form, so that an object has the same ones wherever it comes from.
            let bare = Value::Object(without_wrapping(document));
            let path = match key.kind {
                Kind::Secret => Path::Root(""),
                _ => Path::Root("spec"),
            };
            read_spec(&key, &Node::new(&bare, path, &report))
        }
    };
    if let Some(Spec::TlsRoute(route)) = &spec {
        route.check_version(&root);
    }
    let mut problems = report.into_problems();
    problems.sort();
    problems.dedup();
    match spec {
        Some(spec) if problems.iter().all(|it| it.level == ProblemLevel::Warning) => {
            Parsed::Object(Box::new(Object {
                key,
                labels,
                metadata,
                spec,
                warnings: problems,
            }))
        }
        _ => {
            let rest = rest::read(&key, form, document, &problems).map(Box::new);
            Parsed::Rejected {
                key,
                problems,
                rest,
            }
        }
    }
}

fn read_labels(document: &Value, report: &Report) -> BTreeMap<String, String> {
    let Some(labels) = document
        .get("metadata")
        .and_then(|metadata| metadata.get("labels"))
        .filter(|labels| !labels.is_null())
    else {
        return BTreeMap::new();
    };
    let labels = Node::new(labels, Path::Root("metadata.labels"), report);
    let labels = labels.map(|node| node.string());
    labels.unwrap_or_default().into_iter().collect()
}

fn read_kubernetes(key: &ObjectKey, root: &Node<'_>) -> Option<Spec> {
    let endpoints = |it| Spec::Endpoints(Box::new(it));
    match key.kind {
        Kind::Endpoints => ServiceEndpoints::read_endpoints(root, &key.name).map(endpoints),
        Kind::EndpointSlice => ServiceEndpoints::read_slice(root).map(endpoints),
        Kind::ConfigMap => ConfigMap::read(root).map(|it| Spec::ConfigMap(Box::new(it))),
        Kind::Namespace => Some(Spec::Namespace),
        Kind::Pod => Pod::read(root).map(Spec::Pod),
        Kind::Service => Service::read(root).map(|it| Spec::Service(Box::new(it))),
        // Not in this form.
        _ => None,
    }
}

fn read_spec(key: &ObjectKey, node: &Node<'_>) -> Option<Spec> {
    match key.kind {
        Kind::MatchableHttpGateway => {
            MatchableHttpGateway::read(node).map(|it| Spec::MatchableHttpGateway(Box::new(it)))
        }
        Kind::MatchableTcpGateway => {
            MatchableTcpGateway::read(node).map(|it| Spec::MatchableTcpGateway(Box::new(it)))
        }
        Kind::Gateway => Gateway::read(node).map(|it| Spec::Gateway(Box::new(it))),
        Kind::HttpListenerOption => {
            HttpListenerOption::read(node).map(|it| Spec::HttpListenerOption(Box::new(it)))
        }
        Kind::ListenerOption => {
            ListenerOption::read(node).map(|it| Spec::ListenerOption(Box::new(it)))
        }
        Kind::RouteOption => RouteOption::read(node).map(|it| Spec::RouteOption(Box::new(it))),
        Kind::VirtualHostOption => {
            VirtualHostOption::read(node).map(|it| Spec::VirtualHostOption(Box::new(it)))
        }
        Kind::RouteTable => RouteTable::read(node).map(|table| Spec::RouteTable(Box::new(table))),
        Kind::Secret => secret::GlooSecret::read(node).map(|it| Spec::Secret(it.into())),
        Kind::Settings => Settings::read(node).map(Spec::Settings),
        Kind::UpstreamGroup => {
            MultiDestination::read(node).map(|group| Spec::UpstreamGroup(Box::new(group)))
        }
        Kind::Upstream => Upstream::read(node).map(|it| Spec::Upstream(Box::new(it))),
        Kind::VirtualService => {
            VirtualService::read(node).map(|service| Spec::VirtualService(Box::new(service)))
        }
        Kind::BackendTlsPolicy => {
            gateway_api::BackendTlsPolicy::read(node).map(|it| Spec::BackendTlsPolicy(Box::new(it)))
        }
        Kind::DirectResponse => {
            gateway_api::DirectResponseSpec::read(node).map(|it| Spec::DirectResponse(Box::new(it)))
        }
        Kind::FunctionCall => {
            gateway_api::FunctionCall::read(node).map(|it| Spec::FunctionCall(Box::new(it)))
        }
        Kind::GatewayClass => {
            gateway_api::GatewayClass::read(node).map(|it| Spec::GatewayClass(Box::new(it)))
        }
        Kind::GatewayParameters => {
            gateway_api::GatewayParameters::read(node).map(Spec::GatewayParameters)
        }
        Kind::GrpcRoute => {
            gateway_api::GrpcRoute::read(node).map(|it| Spec::GrpcRoute(Box::new(it)))
        }
        Kind::HttpRoute => {
            gateway_api::HttpRoute::read(node).map(|it| Spec::HttpRoute(Box::new(it)))
        }
        Kind::KubernetesGateway => gateway_api::KubernetesGateway::read(node)
            .map(|it| Spec::KubernetesGateway(Box::new(it))),
        Kind::ListenerSet => {
            gateway_api::ListenerSet::read(node).map(|it| Spec::ListenerSet(Box::new(it)))
        }
        Kind::ReferenceGrant => {
            gateway_api::ReferenceGrant::read(node).map(|it| Spec::ReferenceGrant(Box::new(it)))
        }
        Kind::TcpRoute => gateway_api::TcpRoute::read(node).map(|it| Spec::TcpRoute(Box::new(it))),
        Kind::TlsRoute => gateway_api::TlsRoute::read(node).map(|it| Spec::TlsRoute(Box::new(it))),
        // Not in these forms.
        Kind::ConfigMap
        | Kind::EndpointSlice
        | Kind::Endpoints
        | Kind::Namespace
        | Kind::Pod
        | Kind::Service => None,
    }
}

fn without_wrapping(document: &Value) -> Map<String, Value> {
    let fields = document.as_object().cloned().unwrap_or_default();
    fields
        .into_iter()
        .filter(|(name, _)| !BESIDE.contains(&name.as_str()))
        .collect()
}

/// Names become parts of names in Envoy, such as `<name>_<namespace>`, which must not be ambiguous.
fn check_metadata(root: &Node<'_>, key: &ObjectKey) {
    let fits = |text: &str, more: &str| {
        !text.is_empty()
            && text.len() <= 253
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if !fits(&key.name, "-._:") {
        let _: Option<()> = root.error(format!(
            "{:?} is not a valid name, which has at most 253 letters, digits, '-', '.', '_' and ':'",
            key.name
        ));
    }
    if key.kind == Kind::Upstream
        && let Some((prefix @ ("kube-svc" | "consul-svc"), _)) = key.name.split_once(':')
    {
        let _: Option<()> = root.error(format!(
            "names that begin with {prefix}: stand for services that routes name"
        ));
    }
    if !key.kind.is_cluster_wide() && !fits(&key.namespace, "-.") {
        let _: Option<()> = root.error(format!(
            "{:?} is not a valid namespace, which has at most 253 letters, digits, '-' and '.'",
            key.namespace
        ));
    }
    let Some(metadata) = root.value().get("metadata") else {
        return;
    };
    for (field, expected) in [("name", &key.name), ("namespace", &key.namespace)] {
        if field == "namespace" && key.kind.is_cluster_wide() {
            continue;
        }
        let found = metadata.get(field).and_then(Value::as_str);
        if let Some(found) = found.filter(|found| !found.is_empty() && **found != **expected) {
            let _: Option<()> = root.error(format!(
                "metadata.{field} is {found:?}, but the file's path says {expected:?}"
            ));
        }
    }
}

mod rest;
#[cfg(test)]
mod tests;
