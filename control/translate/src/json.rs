//! Resources as protobuf's JSON, for people: every `Any` is taken apart, every secret is redacted.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DynamicMessage, ReflectMessage, SerializeOptions, Value as Reflected,
};
use serde_json::{Map, Value, json};

use crate::output::{GenericSecret, Resource, ResourceId, ResourceType};
use crate::proto::Any;
use crate::wire::any_bytes;

const REDACTED: &str = "[redacted]";

/// Kept once somebody wants to see JSON.
static DESCRIPTORS: LazyLock<Option<DescriptorPool>> = LazyLock::new(descriptors);

/// All descriptors, which take 10 MB. Cut out of what `envoy-types` ships by `examples/descriptors.rs`.
pub(crate) fn descriptors() -> Option<DescriptorPool> {
    DescriptorPool::decode(include_bytes!("json/descriptors.bin").as_slice()).ok()
}

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
    credentials: &BTreeMap<String, GenericSecret>,
) -> Value {
    let mut proxies: BTreeMap<&str, BTreeMap<(ResourceType, &str), Value>> = BTreeMap::new();
    for (id, resource) in resources {
        let of_proxy = proxies.entry(&id.proxy).or_default();
        // A golden case shows each message that is emitted, so there is always more than the name.
        let shown = to_proto_json(id, resource).unwrap_or_else(|| json!({"name": &*id.name}));
        of_proxy.insert((id.kind, &id.name), shown);
    }
    for (proxy, of_proxy) in &mut proxies {
        for (name, secret) in credentials {
            if secret.proxies.contains(*proxy) {
                of_proxy.insert((ResourceType::Secret, name), generic_secret(name));
            }
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
        (None, _) => {
            let groups = KINDS.iter();
            Value::Object(
                groups
                    .map(|(_, group)| ((*group).to_owned(), json!([])))
                    .collect(),
            )
        }
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

/// One resource as protobuf's JSON, secrets redacted; nothing if a descriptor of it is missing.
pub fn to_proto_json(id: &ResourceId, resource: &Resource) -> Option<Value> {
    let mut fields = decode(id.kind.message(), &resource.value, &SerializeOptions::new())?;
    for (name, value) in &mut fields {
        redact(name, value, id.kind == ResourceType::Secret);
    }
    fields.insert("@type".to_owned(), json!(id.kind.type_url()));
    Some(sorted(Value::Object(fields)))
}

/// A message as protobuf's JSON, nothing redacted.
pub(crate) fn whole(message: &str, bytes: &[u8]) -> Option<Value> {
    let fields = decode(message, bytes, &SerializeOptions::new())?;
    Some(sorted(Value::Object(fields)))
}

/// A message in the form of Envoy's configuration files, nothing redacted.
pub(crate) fn to_config<M: Message + Name>(message: &M) -> Option<Value> {
    let options = SerializeOptions::new().use_proto_field_name(true);
    let fields = decode(&M::full_name(), &message.encode_to_vec(), &options)?;
    Some(sorted(Value::Object(fields)))
}

fn decode(message: &str, bytes: &[u8], options: &SerializeOptions) -> Option<Map<String, Value>> {
    let pool = DESCRIPTORS.as_ref()?;
    let descriptor = pool.get_message_by_name(message)?;
    let mut message = DynamicMessage::decode(descriptor, bytes).ok()?;
    name_empty_any(pool, &mut message);
    let value = message
        .serialize_with_options(serde_json::value::Serializer, options)
        .ok()?;
    match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// What an empty `Any`, which the library refuses to write as JSON, is called on the way.
const EMPTY: &str = "type.googleapis.com/google.protobuf.Empty";

fn name_empty_any(pool: &DescriptorPool, message: &mut DynamicMessage) {
    if message.descriptor().full_name() == "google.protobuf.Any" {
        name_any(pool, message);
        return;
    }
    for (_, value) in message.fields_mut() {
        match value {
            Reflected::Message(message) => name_empty_any(pool, message),
            Reflected::List(values) => values.iter_mut().for_each(|value| name_in(pool, value)),
            Reflected::Map(values) => values.values_mut().for_each(|value| name_in(pool, value)),
            _ => {}
        }
    }
}

fn name_in(pool: &DescriptorPool, value: &mut Reflected) {
    if let Reflected::Message(message) = value {
        name_empty_any(pool, message);
    }
}

fn name_any(pool: &DescriptorPool, any: &mut DynamicMessage) {
    let url = any.get_field_by_name("type_url");
    let url = url
        .and_then(|url| url.as_str().map(str::to_owned))
        .unwrap_or_default();
    if url.is_empty() {
        any.set_field_by_name("type_url", Reflected::String(EMPTY.to_owned()));
        return;
    }
    let name = url.rsplit('/').next().unwrap_or_default();
    let value = any.get_field_by_name("value");
    let inner = pool.get_message_by_name(name).and_then(|descriptor| {
        let bytes = value.as_ref()?.as_bytes()?.clone();
        DynamicMessage::decode(descriptor, bytes).ok()
    });
    if let Some(mut inner) = inner {
        name_empty_any(pool, &mut inner);
        any.set_field_by_name("value", Reflected::Bytes(inner.encode_to_vec().into()));
    }
}

/// An `Any` from its JSON, with `@type` among the message's fields.
///
/// # Errors
/// Why it is none.
pub(crate) fn from_any(fields: &Map<String, Value>) -> Result<Any, String> {
    let Some(url) = fields.get("@type").and_then(Value::as_str) else {
        return Err("has no @type".to_owned());
    };
    let name = url.rsplit('/').next().unwrap_or_default();
    let pool = DESCRIPTORS.as_ref();
    let Some(descriptor) = pool.and_then(|pool| pool.get_message_by_name(name)) else {
        return Err(format!("{url:?} is not a type that is known here"));
    };
    let own = fields.iter().filter(|(name, _)| *name != "@type");
    let own = Value::Object(own.map(|(name, it)| (name.clone(), it.clone())).collect());
    let message = DynamicMessage::deserialize(descriptor, own)
        .map_err(|error| format!("is not a {name}: {error}"))?;
    Ok(any_bytes(
        format!("type.googleapis.com/{name}"),
        message.encode_to_vec(),
    ))
}

/// Fields in which nothing may be shown.
const SECRET_FIELDS: [&str; 6] = [
    // Headers of health checks come from Secrets, too.
    "healthChecks",
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
        Value::String(text)
            if secret && ["inlineString", "inlineBytes", "value"].contains(&name) =>
        {
            *text = REDACTED.to_owned();
        }
        _ => {}
    }
}

/// The same each time, however `serde_json` and the maps of a message are ordered.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) if fields.get("@type").is_some_and(|it| it == EMPTY) => {
            Value::Object(Map::new())
        }
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
