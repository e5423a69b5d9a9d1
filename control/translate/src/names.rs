//! Names in Envoy, after Gloo.

use tenon_model::{Gateway, INTERNAL, ObjectKey, ObjectRef};

/// The cluster that no proxy has: Envoy answers with the status that the route asks for.
pub(crate) const BLACKHOLE: &str = "blackhole_cluster";

pub(crate) fn cluster(upstream: &ObjectKey) -> String {
    match &*upstream.namespace {
        // One that nobody wrote.
        "" => upstream.name.to_string(),
        namespace => format!("{}_{namespace}", upstream.name),
    }
}

/// The cluster of the collector of an access log.
pub(crate) fn collector(log: &str) -> String {
    format!("solo_io_generated_otel_logs_{log}")
}

pub(crate) fn cluster_of(upstream: &ObjectRef) -> String {
    format!("{}_{}", upstream.name, upstream.namespace)
}

/// The cluster of one function of an upstream, where each has its own; `upstream` is the name of the upstream's own.
pub(crate) fn function_cluster(upstream: &str, function: &str) -> String {
    format!("{upstream}/{function}")
}

/// The cluster of a proxy before an upstream that is asked for a tunnel; `upstream` is the name of the upstream's own.
pub(crate) fn proxy(upstream: &str) -> String {
    format!("{upstream}_original")
}

/// The listener that asks for the tunnel.
pub(crate) fn tunnel(upstream: &str) -> String {
    format!("{TUNNEL}{upstream}")
}

/// What the names of listeners begin with that are upstreams', not gateways'.
pub(crate) const TUNNEL: &str = "solo_io_generated_self_listener_";

pub(crate) fn virtual_host(virtual_service: &ObjectKey) -> String {
    match virtual_service.name.split_once(INTERNAL) {
        // Of the Gateway API: behind the gateway's own name, it is as with Gloo.
        Some((_, name)) => name.to_owned(),
        None => format!("{}_{}", virtual_service.namespace, virtual_service.name),
    }
}

/// Whether nobody wrote it: objects of the Gateway API come to it.
pub(crate) fn is_internal(key: &ObjectKey) -> bool {
    key.name.contains(INTERNAL)
}

pub(crate) fn listener(gateway: &Gateway) -> String {
    match &gateway.listener_name {
        Some(name) => name.clone(),
        None => format!("listener-{}-{}", gateway.bind_address, gateway.bind_port),
    }
}

/// The listener for HTTP/3 beside another one.
pub(crate) fn over_quic(listener: &str) -> String {
    format!("{listener}-http3")
}

pub(crate) fn route_table(listener: &str) -> String {
    format!("{listener}-routes")
}

/// A part of a route table that is cut into so many, and the scope that leads there.
pub(crate) fn route_table_part(listener: &str, parts: u32, number: u32) -> String {
    format!("{}-{parts}-{number:03x}", route_table(listener))
}

pub(crate) fn tls_certificate(secret: &ObjectRef) -> String {
    format!("tls_{}_{}", secret.namespace, secret.name)
}

pub(crate) fn tls_roots(secret: &ObjectRef) -> String {
    format!("ca_{}_{}", secret.namespace, secret.name)
}
