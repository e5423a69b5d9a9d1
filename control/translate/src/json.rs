//! Resources as protobuf's JSON, for people: every `Any` is taken apart, every secret is redacted.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::{Map, Value, json};

use crate::output::{CredentialSource, Resource, ResourceId, ResourceType};

const REDACTED: &str = "[redacted]";

/// Cut out of what `envoy-types` ships by `examples/descriptors.rs`.
static DESCRIPTORS: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| {
    DescriptorPool::decode(include_bytes!("json/descriptors.bin").as_slice()).ok()
});

const KINDS: [(ResourceType, &str); 6] = [
    (ResourceType::Cluster, "clusters"),
    (ResourceType::Endpoint, "endpoints"),
    (ResourceType::Listener, "listeners"),
    (ResourceType::Route, "routes"),
    (ResourceType::ScopedRoute, "scopedRoutes"),
    (ResourceType::Secret, "secrets"),
];

impl ResourceType {
    /// The full name of its message.
    pub fn message(self) -> &'static str {
        match self {
            Self::Cluster => "envoy.config.cluster.v3.Cluster",
            Self::Endpoint => "envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Listener => "envoy.config.listener.v3.Listener",
            Self::Route => "envoy.config.route.v3.RouteConfiguration",
            Self::ScopedRoute => "envoy.config.route.v3.ScopedRouteConfiguration",
            Self::Secret => "envoy.extensions.transport_sockets.tls.v3.Secret",
        }
    }

    /// What says in an `Any` which message it is.
    pub fn type_url(self) -> String {
        format!("type.googleapis.com/{}", self.message())
    }
}

/// `{"clusters": […], "endpoints": […], "listeners": […], "routes": […], "scopedRoutes": […], "secrets": […]}`, each
/// sorted by name; of several proxies, an object by proxy name around it.
///
/// Generic secrets, whose content is not the translation's, are told by their names.
pub fn to_json(
    resources: &BTreeMap<ResourceId, Arc<Resource>>,
    credentials: &BTreeMap<String, CredentialSource>,
) -> Value {
    let mut proxies: BTreeMap<&str, BTreeMap<(ResourceType, &str), Value>> = BTreeMap::new();
    for (id, resource) in resources {
        let of_proxy = proxies.entry(&id.proxy).or_default();
        of_proxy.insert((id.kind, &id.name), message_to_json(id, resource));
    }
    for of_proxy in proxies.values_mut() {
        for name in credentials.keys() {
            of_proxy.insert((ResourceType::Secret, name), generic_secret(name));
        }
    }
    let mut shown = proxies.into_iter().map(|(proxy, of_proxy)| {
        let mut groups = Map::new();
        for (kind, group) in KINDS {
            let of_kind = of_proxy.iter().filter(|((it, _), _)| *it == kind);
            let values = of_kind.map(|(_, value)| value.clone()).collect();
            groups.insert(group.to_owned(), Value::Array(values));
        }
        (proxy.to_owned(), Value::Object(groups))
    });
    match (shown.next(), shown.next()) {
        (None, _) => Value::Object(Map::new()),
        (Some((_, only)), None) => only,
        (Some(first), Some(second)) => {
            Value::Object([first, second].into_iter().chain(shown).collect())
        }
    }
}

fn generic_secret(name: &str) -> Value {
    json!({
        "@type": ResourceType::Secret.type_url(),
        "name": name,
        "genericSecret": {"secret": {"inlineString": REDACTED}},
    })
}

fn message_to_json(id: &ResourceId, resource: &Resource) -> Value {
    let mut fields = decode(id.kind, &resource.value)
        // Cannot happen: a golden case shows each message that is emitted.
        .unwrap_or_else(|| Map::from_iter([("name".to_owned(), json!(id.name))]));
    for (name, value) in &mut fields {
        redact(name, value, id.kind == ResourceType::Secret);
    }
    fields.insert("@type".to_owned(), json!(id.kind.type_url()));
    sorted(Value::Object(fields))
}

fn decode(kind: ResourceType, bytes: &[u8]) -> Option<Map<String, Value>> {
    let descriptor = DESCRIPTORS.as_ref()?.get_message_by_name(kind.message())?;
    let message = DynamicMessage::decode(descriptor, bytes).ok()?;
    let options = SerializeOptions::new();
    let value = message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .ok()?;
    match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// Fields in which nothing may be shown.
const SECRET_FIELDS: [&str; 5] = [
    "privateKey",
    "password",
    "pkcs12",
    "genericSecret",
    "sessionTicketKeys",
];

fn redact(name: &str, value: &mut Value, secret: bool) {
    let secret = secret || SECRET_FIELDS.contains(&name);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                redact(name, value, secret);
            }
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| redact(name, value, secret)),
        Value::String(text) if secret && (name == "inlineString" || name == "inlineBytes") => {
            *text = REDACTED.to_owned();
        }
        _ => {}
    }
}

/// The same each time, however `serde_json` and the maps of a message are ordered.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.into_iter().collect();
            Value::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (name, sorted(value)))
                    .collect(),
            )
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        other => other,
    }
}
