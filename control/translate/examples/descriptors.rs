//! Cuts `src/json/descriptors.bin` out of the descriptors that the package `envoy-types` ships: the files of the messages
//! that Tenon emits, and what they import, without comments, but with the rules (`validate.rules`) that Envoy checks.
//!
//! ```text
//! cargo run -p tenon-translate --example descriptors -- <folder of envoy-types>/src/generated/types.bin <output>
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use prost::Message;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};
use prost_reflect::prost_types::FileDescriptorProto;

/// What the names of the files start with, of messages that are emitted and of those that stand in an `Any`.
const ROOTS: [&str; 40] = [
    "envoy/config/accesslog/",
    "envoy/config/cluster/",
    "envoy/config/endpoint/v3/endpoint.proto",
    "envoy/config/grpc_credential/",
    "envoy/config/listener/v3/listener.proto",
    "envoy/config/ratelimit/",
    "envoy/config/route/",
    "envoy/config/trace/",
    "envoy/extensions/access_loggers/file/",
    "envoy/extensions/access_loggers/grpc/",
    "envoy/extensions/access_loggers/open_telemetry/",
    "envoy/extensions/clusters/dns/",
    "envoy/extensions/clusters/dynamic_forward_proxy/",
    "envoy/extensions/compression/gzip/compressor/",
    "envoy/extensions/filters/http/",
    "envoy/extensions/filters/listener/",
    "envoy/extensions/filters/network/connection_limit/",
    "envoy/extensions/filters/network/http_connection_manager/",
    "envoy/extensions/filters/network/local_ratelimit/",
    "envoy/extensions/filters/network/sni_",
    "envoy/extensions/filters/network/tcp_proxy/",
    "envoy/extensions/formatter/",
    "envoy/extensions/health_check/event_sinks/file/",
    "envoy/extensions/health_checkers/",
    "envoy/extensions/http/early_header_mutation/",
    "envoy/extensions/http/header_formatters/preserve_case/",
    "envoy/extensions/http/header_validators/",
    "envoy/extensions/http/injected_credentials/",
    "envoy/extensions/http/original_ip_detection/",
    "envoy/extensions/http/stateful_session/",
    "envoy/extensions/load_balancing_policies/",
    "envoy/extensions/matching/",
    "envoy/extensions/network/dns_resolver/cares/",
    "envoy/extensions/path/",
    "envoy/extensions/rate_limit_descriptors/",
    "envoy/extensions/request_id/",
    "envoy/extensions/retry/",
    "envoy/extensions/transport_sockets/",
    "envoy/extensions/upstreams/",
    "envoy/type/matcher/v3/http_inputs.proto",
];

/// Comments and their places, in a `FileDescriptorProto`.
const SOURCE_CODE_INFO: u32 = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err("usage: descriptors <types.bin> <output>".into());
    };
    let all = std::fs::read(from)?;
    let mut files = BTreeMap::new();
    for (_, field) in fields(&all)? {
        // Prost's own types forget extensions, which the rules are: the bytes are kept.
        let file = FileDescriptorProto::decode(field.value)?;
        files.insert(file.name().to_owned(), (file.dependency, field.value));
    }
    let mut wanted: Vec<&str> = files
        .keys()
        .map(String::as_str)
        .filter(|name| ROOTS.iter().any(|root| name.starts_with(root)))
        .collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if seen.insert(name) {
            let (imports, _) = files
                .get(name)
                .ok_or_else(|| format!("{name} is not there"))?;
            wanted.extend(imports.iter().map(String::as_str));
        }
    }
    let mut set = Vec::new();
    for name in seen {
        let (_, bytes) = &files[name];
        let kept = fields(bytes)?.into_iter();
        let kept = kept.filter(|(number, _)| *number != SOURCE_CODE_INFO);
        let file: Vec<u8> = kept.flat_map(|(_, field)| field.whole.to_vec()).collect();
        encode_key(1, WireType::LengthDelimited, &mut set);
        encode_varint(file.len() as u64, &mut set);
        set.extend(file);
    }
    std::fs::write(to, set)?;
    Ok(())
}

struct Field<'a> {
    whole: &'a [u8],
    /// Of a field with a length.
    value: &'a [u8],
}

fn fields(message: &[u8]) -> Result<Vec<(u32, Field<'_>)>, prost::DecodeError> {
    let mut rest = message;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let start = rest;
        let (number, wire) = decode_key(&mut rest)?;
        let mut value = &rest[..0];
        if wire == WireType::LengthDelimited {
            let mut peek = rest;
            let length = usize::try_from(decode_varint(&mut peek)?).unwrap_or(usize::MAX);
            value = peek.get(..length).unwrap_or_default();
        }
        skip_field(wire, number, &mut rest, DecodeContext::default())?;
        let whole = &start[..start.len() - rest.len()];
        fields.push((number, Field { whole, value }));
    }
    Ok(fields)
}
