//! Protobuf whose bytes are the same each time.
//!
//! prost encodes maps in the order of a `HashMap`, which is another one in each process. So a map with more than one
//! entry is never encoded by prost: it is built here, from sorted maps, and appended to the rest of its message (the
//! order of fields does not matter in protobuf). Parts that are encoded once, such as virtual hosts, are put into their
//! message in the same way.

use std::collections::{BTreeMap, HashMap};

use envoy_types::pb::google::protobuf::{self, Any, UInt32Value};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use prost::{Message, Name};
use tenon_contract::NAMESPACE;
use tenon_model::Subset;

use crate::kube::LB;
use crate::proto::route::route::Action;
use crate::proto::route::route_action::ClusterSpecifier;
use crate::proto::{core, endpoint, route};
use crate::rules::{Encoded, fields};

/// Appends an encoded message (or text) as field `tag`.
pub(crate) fn append(buffer: &mut Vec<u8>, tag: u32, part: &[u8]) {
    encode_key(tag, WireType::LengthDelimited, buffer);
    encode_varint(part.len() as u64, buffer);
    buffer.extend_from_slice(part);
}

/// The encoded messages (or texts) that were appended as field `tag` behind all else, and what was before them.
pub(crate) fn split(message: &[u8], tag: u32) -> (&[u8], Vec<&[u8]>) {
    let parts = fields(message).filter_map(|(number, encoded)| match encoded {
        Encoded::Bytes(part) if number == tag => Some(part),
        _ => None,
    });
    let parts: Vec<_> = parts.collect();
    let length = |part: &&[u8]| {
        let length = part.len();
        key_len(tag) + encoded_len_varint(length as u64) + length
    };
    let behind: usize = parts.iter().map(length).sum();
    let before = message.len().saturating_sub(behind);
    (message.get(..before).unwrap_or_default(), parts)
}

pub(crate) fn any<M: Message + Name>(message: &M) -> Any {
    any_bytes(M::type_url(), message.encode_to_vec())
}

pub(crate) fn any_bytes(type_url: String, value: Vec<u8>) -> Any {
    Any { type_url, value }
}

/// `envoy.config.core.v3.Metadata`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Metadata {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) filter_metadata: BTreeMap<String, Struct>,
}

/// The `typed_per_filter_config` of an `envoy.config.route.v3.Route`, to be put behind the rest of it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PerFilter {
    #[prost(btree_map = "string, message", tag = "13")]
    pub(crate) configs: BTreeMap<String, Any>,
}

/// The `typed_per_filter_config` of an `envoy.config.route.v3.VirtualHost`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PerFilterOfHost {
    #[prost(btree_map = "string, message", tag = "15")]
    pub(crate) configs: BTreeMap<String, Any>,
}

/// The `typed_per_filter_config` of a `ClusterWeight`.
#[derive(Clone, PartialEq, Message)]
struct PerFilterOfWeight {
    #[prost(btree_map = "string, message", tag = "10")]
    configs: BTreeMap<String, Any>,
}

/// `WeightedCluster.clusters`
const CLUSTERS: u32 = 1;
/// `RouteAction.weighted_clusters`
const WEIGHTED: u32 = 3;
/// `Route.route`
const ACTION: u32 = 2;
/// `RouteAction.metadata_match`
const SUBSET: u32 = 4;
/// `ClusterWeight.metadata_match`
const SUBSET_OF_WEIGHT: u32 = 3;

/// Takes the clusters out of a weighted route: what is given is to be put behind the rest of the encoded route, where
/// protobuf merges it with what is there.
pub(crate) fn take_weights(route: &mut route::Route, subsets: &[Option<Subset>]) -> Vec<u8> {
    let Some(Action::Route(action)) = &mut route.action else {
        return Vec::new();
    };
    let Some(ClusterSpecifier::WeightedClusters(weighted)) = &mut action.cluster_specifier else {
        return Vec::new();
    };
    let (mut clusters, mut action, mut route) = (Vec::new(), Vec::new(), Vec::new());
    for (number, mut cluster) in std::mem::take(&mut weighted.clusters)
        .into_iter()
        .enumerate()
    {
        let configs = std::mem::take(&mut cluster.typed_per_filter_config);
        let configs = PerFilterOfWeight {
            configs: configs.into_iter().collect(),
        };
        let mut bytes = cluster.encode_to_vec();
        bytes.extend(configs.encode_to_vec());
        if let Some(Some(subset)) = subsets.get(number) {
            append(&mut bytes, SUBSET_OF_WEIGHT, &metadata_match(subset));
        }
        append(&mut clusters, CLUSTERS, &bytes);
    }
    append(&mut action, WEIGHTED, &clusters);
    append(&mut route, ACTION, &action);
    route
}

/// What has a route choose among the endpoints with those labels only, to be put behind the rest of it.
pub(crate) fn subset(labels: &Subset) -> Vec<u8> {
    let (mut action, mut route) = (Vec::new(), Vec::new());
    append(&mut action, SUBSET, &metadata_match(labels));
    append(&mut route, ACTION, &action);
    route
}

fn metadata_match(labels: &Subset) -> Vec<u8> {
    Metadata::texts(LB, labels.values.clone()).encode_to_vec()
}

/// What an encoded `envoy.config.cluster.v3.Cluster` has of its hosts, to be put behind the rest of it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct WithLoadAssignment {
    #[prost(message, optional, tag = "33")]
    pub(crate) load_assignment: Option<ClusterLoadAssignment>,
}

impl WithLoadAssignment {
    /// The same, of a cluster of another name.
    pub(crate) fn named(mut self, cluster: &str) -> Self {
        if let Some(assignment) = &mut self.load_assignment {
            assignment.cluster_name = cluster.to_owned();
        }
        self
    }
}

/// `envoy.config.endpoint.v3.ClusterLoadAssignment`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClusterLoadAssignment {
    #[prost(string, tag = "1")]
    pub(crate) cluster_name: String,
    #[prost(message, repeated, tag = "2")]
    pub(crate) endpoints: Vec<LocalityLbEndpoints>,
    #[prost(message, optional, tag = "4")]
    pub(crate) policy: Option<endpoint::cluster_load_assignment::Policy>,
}

/// `envoy.config.endpoint.v3.LocalityLbEndpoints`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct LocalityLbEndpoints {
    #[prost(message, optional, tag = "1")]
    pub(crate) locality: Option<core::Locality>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) lb_endpoints: Vec<LbEndpoint>,
    #[prost(message, optional, tag = "3")]
    pub(crate) load_balancing_weight: Option<UInt32Value>,
    #[prost(uint32, tag = "5")]
    pub(crate) priority: u32,
}

/// `envoy.config.endpoint.v3.LbEndpoint`, of an address.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct LbEndpoint {
    #[prost(message, optional, tag = "1")]
    pub(crate) endpoint: Option<endpoint::Endpoint>,
    #[prost(message, optional, tag = "3")]
    pub(crate) metadata: Option<Metadata>,
    #[prost(message, optional, tag = "4")]
    pub(crate) load_balancing_weight: Option<UInt32Value>,
}

/// `{"<name>": true}`
pub(crate) fn flag(name: &str) -> protobuf::Struct {
    let value = protobuf::Value {
        kind: Some(protobuf::value::Kind::BoolValue(true)),
    };
    protobuf::Struct {
        fields: HashMap::from([(name.to_owned(), value)]),
    }
}

/// `google.protobuf.Struct`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Struct {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) fields: BTreeMap<String, Value>,
}

/// `google.protobuf.Value`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Value {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(int32, tag = "1")]
    Null(i32),
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(bool, tag = "4")]
    Bool(bool),
    #[prost(message, tag = "5")]
    Struct(Struct),
    #[prost(message, tag = "6")]
    List(List),
}

#[derive(Clone, PartialEq, Message)]
struct List {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Value>,
}

impl Metadata {
    /// Texts in one namespace.
    pub(crate) fn texts(namespace: &str, texts: BTreeMap<String, String>) -> Self {
        Self {
            filter_metadata: BTreeMap::from([(namespace.to_owned(), Struct::texts(texts))]),
        }
    }

    /// Tenon's own texts, and the user's metadata.
    pub(crate) fn new(
        texts: BTreeMap<String, String>,
        of_user: &BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    ) -> Self {
        let of_user = of_user.iter();
        let mut filter_metadata: BTreeMap<_, _> = of_user
            .map(|(namespace, fields)| (namespace.clone(), Struct::from(fields)))
            .collect();
        if !texts.is_empty() {
            filter_metadata.insert(NAMESPACE.to_owned(), Struct::texts(texts));
        }
        Self { filter_metadata }
    }
}

impl Struct {
    pub(crate) fn texts(texts: BTreeMap<String, String>) -> Self {
        let texts = texts.into_iter();
        Self {
            fields: texts.map(|(key, text)| (key, Value::text(text))).collect(),
        }
    }
}

impl From<&BTreeMap<String, serde_json::Map<String, serde_json::Value>>> for Metadata {
    fn from(namespaces: &BTreeMap<String, serde_json::Map<String, serde_json::Value>>) -> Self {
        let namespaces = namespaces
            .iter()
            .map(|(name, fields)| (name.clone(), Struct::from(fields)));
        Self {
            filter_metadata: namespaces.collect(),
        }
    }
}

impl Value {
    fn text(text: String) -> Self {
        Self {
            kind: Some(Kind::Text(text)),
        }
    }
}

impl From<&serde_json::Value> for Value {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value as Json;
        let kind = match value {
            Json::Null => Kind::Null(0),
            Json::Bool(value) => Kind::Bool(*value),
            Json::Number(number) => Kind::Number(number.as_f64().unwrap_or_default()),
            Json::String(text) => Kind::Text(text.clone()),
            Json::Array(values) => Kind::List(List {
                values: values.iter().map(Self::from).collect(),
            }),
            Json::Object(map) => Kind::Struct(Struct::from(map)),
        };
        Self { kind: Some(kind) }
    }
}

impl From<&serde_json::Map<String, serde_json::Value>> for Struct {
    fn from(map: &serde_json::Map<String, serde_json::Value>) -> Self {
        let fields = map
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(value)));
        Self {
            fields: fields.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::core::v3 as envoy;

    use super::*;

    #[test]
    fn what_is_built_here_is_what_envoy_reads() {
        let texts = BTreeMap::from([
            ("call.0".to_owned(), "a".to_owned()),
            ("call.1".to_owned(), "b".to_owned()),
        ]);
        let bytes = Metadata::new(texts, &BTreeMap::new()).encode_to_vec();
        let read = envoy::Metadata::decode(bytes.as_slice()).unwrap();
        let fields = &read.filter_metadata["tenon"].fields;
        assert_eq!(fields.len(), 2);
        assert_eq!(
            fields["call.1"].kind,
            Some(envoy_types::pb::google::protobuf::value::Kind::StringValue(
                "b".into()
            ))
        );
    }

    #[test]
    fn json_is_encoded_with_sorted_keys() {
        let json = serde_json::json!({"b": [1, true, null], "a": {"c": "d"}});
        let bytes = Struct::from(json.as_object().unwrap()).encode_to_vec();
        let read = envoy_types::pb::google::protobuf::Struct::decode(bytes.as_slice()).unwrap();
        assert_eq!(read.fields.len(), 2);
        assert!(bytes.iter().position(|b| *b == b'a') < bytes.iter().position(|b| *b == b'b'));
    }
}
