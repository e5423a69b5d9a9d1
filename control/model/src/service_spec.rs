//! What a service has that routes may call: REST functions, or methods of gRPC that JSON is made of.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tenon_model_derive::Read;

use crate::read::{Fields, Node};
use crate::schema::Schema;
use crate::{ObjectRef, RestSpec};

/// What a service has that routes may call.
#[derive(Debug, Clone, PartialEq, Default, Read)]
pub struct ServiceSpec {
    /// Of which sort it is.
    #[read(flatten)]
    pub functions: Option<ServiceFunctions>,
}

/// What a service has that routes may call.
#[derive(Debug, Clone, PartialEq, Read)]
pub enum ServiceFunctions {
    /// Requests that templates make.
    Rest(RestSpec),
    /// Methods of gRPC, each called by routes of its own. Gloo's older way.
    Grpc(GrpcSpec),
    /// Methods of gRPC, called by requests as their `google.api.http` say.
    GrpcJsonTranscoder(GrpcJsonTranscoder),
}

/// Methods of gRPC, each called by routes of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(finish = described)]
pub struct GrpcSpec {
    /// What `protoc --include_imports -o` writes, in base64; Gloo's discovery has it in base64 twice, which is taken, too.
    #[read(with = descriptors, schema = base64_schema)]
    pub descriptors: Option<Vec<u8>>,
    /// The services; none: it only speaks gRPC.
    pub grpc_services: Vec<GrpcService>,
}

/// A service of gRPC.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(ignored("functionNames"))]
pub struct GrpcService {
    /// Its package.
    #[read(default)]
    pub package_name: String,
    /// Its name.
    #[read(with = Node::non_empty)]
    pub service_name: String,
}

/// Methods of gRPC, called by requests as their `google.api.http` say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(finish = complete)]
pub struct GrpcJsonTranscoder {
    /// What the services are; nothing: it only speaks gRPC.
    #[read(flatten)]
    pub descriptor_set: Option<DescriptorSet>,
    /// The full names of the services, as `shop.v1.Carts`.
    #[read(with = Node::non_empty)]
    pub services: Vec<String>,
    /// How answers are written.
    #[read(default)]
    pub print_options: PrintOptions,
    /// Whether the route is the one of the request as it came; if not, the route of the method's own path is taken, as
    /// `/shop.v1.Carts/Get`.
    pub match_incoming_request_route: bool,
    /// Parameters of the query that are no fields of the message.
    pub ignored_query_parameters: Vec<String>,
    /// Whether methods without `google.api.http` are called by POST to their own paths.
    pub auto_mapping: bool,
    /// Whether parameters of the query that the message has no fields for are let pass.
    pub ignore_unknown_query_parameters: bool,
    /// Whether an error's `grpc-status-details-bin` is the body of the answer, as JSON.
    pub convert_grpc_status: bool,
}

/// What services are: what `protoc --include_imports -o` writes.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum DescriptorSet {
    /// A file on Envoy's machine.
    #[read(with = Node::non_empty)]
    ProtoDescriptor(String),
    /// In base64.
    #[read(with = base64, schema = base64_schema)]
    ProtoDescriptorBin(Vec<u8>),
    /// A ConfigMap, which has it in base64.
    ProtoDescriptorConfigMap(DescriptorConfigMap),
}

/// A ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct DescriptorConfigMap {
    /// Which one.
    pub config_map_ref: ObjectRef,
    /// Which of its keys; needed where it has more than one.
    #[read(with = Node::string)]
    pub key: Option<String>,
}

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub struct PrintOptions {
    /// With spaces and line breaks.
    pub add_whitespace: bool,
    /// With fields that have their default.
    pub always_print_primitive_fields: bool,
    /// With numbers in place of enums' names.
    pub always_print_enums_as_ints: bool,
    /// With fields' names as in the proto files.
    pub preserve_proto_field_names: bool,
}

/// Texts and bytes by name (`v1 ConfigMap`, Gloo's `Artifact`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(open)]
pub struct ConfigMap {
    /// Texts.
    pub data: BTreeMap<String, String>,
    /// Bytes.
    #[read(with = base64, schema = base64_schema)]
    pub binary_data: BTreeMap<String, Vec<u8>>,
}

/// What a destination says of a call of gRPC.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
pub struct GrpcDestination {
    /// The package of the service.
    #[read(default)]
    pub package: String,
    /// The service.
    #[read(with = Node::non_empty)]
    pub service: String,
    /// The method.
    #[read(with = Node::non_empty)]
    pub function: String,
    /// Where the fields of its message come from.
    #[read(default)]
    pub parameters: GrpcParameters,
}

/// Where the fields of a message come from, besides query and body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(refused(headers = "Envoy makes messages of path, query and body"))]
pub struct GrpcParameters {
    /// The path with names of fields in braces, as `/users/{id}`; any path where it is left out.
    #[read(with = path)]
    pub path: Option<String>,
}

impl ConfigMap {
    /// What it has by a name: bytes, or a text in base64.
    ///
    /// # Errors
    /// Why it has none.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, &'static str> {
        if let Some(bytes) = self.binary_data.get(name) {
            return Ok(bytes.clone());
        }
        let text = self.data.get(name).ok_or("is not there")?;
        let text: String = text.split_ascii_whitespace().collect();
        STANDARD.decode(text).map_err(|_| "is not valid base64")
    }
}

impl GrpcService {
    /// Package and name.
    pub fn full_name(&self) -> String {
        full_name(&self.package_name, &self.service_name)
    }
}

impl GrpcDestination {
    /// Package and name of the service.
    pub fn full_name(&self) -> String {
        full_name(&self.package, &self.service)
    }
}

fn full_name(package: &str, service: &str) -> String {
    match package {
        "" => service.to_owned(),
        package => format!("{package}.{service}"),
    }
}

fn base64_schema() -> Schema {
    Schema::Text
}

fn base64(node: &Node<'_>) -> Option<Vec<u8>> {
    let text: String = node.text()?.split_ascii_whitespace().collect();
    match STANDARD.decode(text) {
        Ok(bytes) => Some(bytes),
        Err(_) => node.error("is not valid base64"),
    }
}

/// The first byte of a `FileDescriptorSet`, which no base64 begins with.
const DESCRIPTOR: u8 = 0x0a;

fn descriptors(node: &Node<'_>) -> Option<Vec<u8>> {
    let bytes = base64(node)?;
    if bytes.is_empty() {
        return None;
    }
    if bytes.first() == Some(&DESCRIPTOR) {
        return Some(bytes);
    }
    match STANDARD.decode(bytes) {
        Ok(bytes) => Some(bytes),
        Err(_) => node.error("is no descriptor set, neither in base64 nor in base64 twice"),
    }
}

/// As Envoy writes them, `{name}` is a segment.
fn path(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    if text.is_empty() {
        return None;
    }
    let path = text.split('?').next().unwrap_or_default();
    let mut rest = path;
    let mut made = String::new();
    while let Some((before, after)) = rest.split_once('{') {
        let name = after
            .split_once('}')
            .map(|(name, behind)| (name.trim(), behind));
        let fits = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'.')
        };
        let Some((name, behind)) = name.filter(|(name, _)| fits(name)) else {
            return node.error(format!(
                "{text:?} has braces without the name of a field between them"
            ));
        };
        made.push_str(&format!("{before}{{{name}}}"));
        rest = behind;
    }
    made.push_str(rest);
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"/-._~{}".contains(&c);
    let whole = |segment: &str| {
        !segment.contains('{') || segment.starts_with('{') && segment.ends_with('}')
    };
    if !made.starts_with('/') || !made.bytes().all(plain) || !made.split('/').all(whole) {
        return node.error(format!(
            "{text:?} is not a path whose segments are texts or names in braces, as /users/{{id}}"
        ));
    }
    Some(made)
}

fn described(spec: GrpcSpec, fields: &Fields<'_>) -> Option<GrpcSpec> {
    if !spec.grpc_services.is_empty() && spec.descriptors.is_none() {
        fields.error_at("descriptors", "is required where there are grpcServices");
    }
    Some(spec)
}

fn complete(spec: GrpcJsonTranscoder, fields: &Fields<'_>) -> Option<GrpcJsonTranscoder> {
    match (spec.descriptor_set.is_some(), spec.services.is_empty()) {
        (true, true) => fields.error_at("services", "must not be empty"),
        (false, false) => fields
            .error("expected one of protoDescriptor, protoDescriptorBin, protoDescriptorConfigMap"),
        _ => {}
    }
    Some(spec)
}
