//! Where requests go: whether it is there, and whether a route may go there.

use tenon_model::gateway_api::{BackendRef, GROUP};
use tenon_model::{
    Destination, DestinationType, Kind, KubernetesService, ObjectKey, ObjectRef, Spec,
};

use super::{Known, Reason, Seen};

/// The group of Gloo's upstreams.
const GLOO: &str = "gloo.solo.io";

/// What a backend comes to, or why requests cannot go there.
pub(crate) fn resolve(
    backend: &BackendRef,
    route: &ObjectKey,
    known: &Seen<'_, impl Known>,
) -> Result<Destination, Reason> {
    let namespace = backend.namespace.as_deref().unwrap_or(&route.namespace);
    let reference = ObjectRef {
        namespace: namespace.into(),
        name: backend.name.as_str().into(),
    };
    let group = match backend.group.as_str() {
        "core" => "",
        group => group,
    };
    let kind = match (group, backend.kind.as_str()) {
        ("", "Service") => Kind::Service,
        (GLOO, "Upstream") => Kind::Upstream,
        (group, kind) => {
            let of = match group {
                "" => String::new(),
                group => format!(" of {group}"),
            };
            let text = format!(
                "requests cannot go to a {kind}{of}: expected a Service, or an Upstream of {GLOO}"
            );
            return Err(Reason::new("InvalidKind", text));
        }
    };
    let name = route.kind.to_string();
    let from = (GROUP, name.as_str(), &*route.namespace);
    let to = (group, backend.kind.as_str(), namespace);
    if !known.may_refer(from, to, &backend.name) {
        let text = format!(
            "no ReferenceGrant in namespace {namespace} permits {name}s of namespace {} to refer to {kind} {}",
            route.namespace, backend.name
        );
        return Err(Reason::new("RefNotPermitted", text));
    }
    let to = match kind {
        Kind::Service => service(&reference, backend, known)?,
        _ => upstream(&reference, known)?,
    };
    let to = Destination {
        to,
        spec: None,
        subset: None,
    };
    Ok(match route.kind {
        Kind::GrpcRoute => in_http2(to, known),
        _ => to,
    })
}

/// Has a Service that does not say that it speaks HTTP/2 spoken to in it, for that is what gRPC needs. (An upstream says
/// itself what it speaks.)
pub(super) fn in_http2(mut to: Destination, known: &Seen<'_, impl Known>) -> Destination {
    if let DestinationType::Kube(port) = &mut to.to
        && let Some(Spec::Service(service)) = known.spec(&port.service.key(Kind::Service))
    {
        port.http2 = !service.is_http2(port.port);
    }
    to
}

fn service(
    reference: &ObjectRef,
    backend: &BackendRef,
    known: &Seen<'_, impl Known>,
) -> Result<DestinationType, Reason> {
    let missing = |text: String| Err(Reason::new("BackendNotFound", text));
    let Some(Spec::Service(service)) = known.spec(&reference.key(Kind::Service)) else {
        return missing(format!("Service {reference} does not exist"));
    };
    // The model has one wherever a Service is meant.
    let port = backend.port.unwrap_or_default();
    if service.port(port).is_none() {
        return missing(format!("Service {reference} has no port {port} for TCP"));
    }
    Ok(DestinationType::Kube(KubernetesService {
        service: reference.clone(),
        port,
        http2: false,
    }))
}

/// An upstream says its port itself.
fn upstream(
    reference: &ObjectRef,
    known: &Seen<'_, impl Known>,
) -> Result<DestinationType, Reason> {
    let key = reference.key(Kind::Upstream);
    let text = match (known.spec(&key), known.is_there(&key)) {
        (Some(_), _) => return Ok(DestinationType::Upstream(reference.clone())),
        (None, true) => format!("Upstream {reference} is rejected; its status says why"),
        (None, false) => format!("Upstream {reference} does not exist"),
    };
    Err(Reason::new("BackendNotFound", text))
}
