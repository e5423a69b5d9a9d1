//! Resources as users write them.

use serde_json::{Value, json};

/// A resource of Gloo's in the namespace `default`, in Kubernetes form. JSON is YAML too.
pub fn object(kind: &str, name: &str, spec: Value) -> Value {
    let group = match kind {
        "Upstream" | "UpstreamGroup" => "gloo.solo.io/v1",
        _ => "gateway.solo.io/v1",
    };
    json!({
        "apiVersion": group,
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    })
}
