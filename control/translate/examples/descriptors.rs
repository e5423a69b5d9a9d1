//! Cuts `src/json/descriptors.bin` out of the descriptors that the package `envoy-types` ships: the files of the messages
//! that Tenon emits, and what they import, without comments.
//!
//! ```text
//! cargo run -p tenon-translate --example descriptors -- <folder of envoy-types>/src/generated/types.bin <output>
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use prost::Message;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};

/// The files of the messages that are emitted, and of those that stand in an `Any`.
const ROOTS: [&str; 29] = [
    "envoy/config/cluster/v3/cluster.proto",
    "envoy/config/endpoint/v3/endpoint.proto",
    "envoy/config/listener/v3/listener.proto",
    "envoy/config/route/v3/scoped_route.proto",
    "envoy/config/grpc_credential/v3/file_based_metadata.proto",
    "envoy/extensions/access_loggers/file/v3/file.proto",
    "envoy/extensions/filters/http/credential_injector/v3/credential_injector.proto",
    "envoy/extensions/filters/http/dynamic_modules/v3/dynamic_modules.proto",
    "envoy/extensions/filters/http/router/v3/router.proto",
    "envoy/extensions/filters/http/upstream_codec/v3/upstream_codec.proto",
    "envoy/extensions/filters/http/header_mutation/v3/header_mutation.proto",
    "envoy/extensions/filters/http/lua/v3/lua.proto",
    "envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.proto",
    "envoy/extensions/filters/http/wasm/v3/wasm.proto",
    "envoy/extensions/filters/http/grpc_json_transcoder/v3/transcoder.proto",
    "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto",
    "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto",
    "envoy/extensions/health_check/event_sinks/file/v3/file.proto",
    "envoy/extensions/health_checkers/redis/v3/redis.proto",
    "envoy/extensions/health_checkers/thrift/v3/thrift.proto",
    "envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.proto",
    "envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.proto",
    "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.proto",
    "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
    "envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.proto",
    "envoy/extensions/http/injected_credentials/generic/v3/generic.proto",
    "envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.proto",
    "envoy/extensions/transport_sockets/tls/v3/tls.proto",
    "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err("usage: descriptors <types.bin> <output>".into());
    };
    let all = FileDescriptorSet::decode(std::fs::read(from)?.as_slice())?;
    let files: BTreeMap<&str, &FileDescriptorProto> =
        all.file.iter().map(|file| (file.name(), file)).collect();
    let mut wanted: Vec<&str> = ROOTS.to_vec();
    let mut seen = BTreeSet::new();
    let mut set = FileDescriptorSet::default();
    while let Some(name) = wanted.pop() {
        if !seen.insert(name) {
            continue;
        }
        let file = files
            .get(name)
            .ok_or_else(|| format!("{name} is not there"))?;
        wanted.extend(file.dependency.iter().map(String::as_str));
        set.file.push(FileDescriptorProto {
            source_code_info: None,
            ..(*file).clone()
        });
    }
    set.file.sort_by(|a, b| a.name().cmp(b.name()));
    std::fs::write(to, set.encode_to_vec())?;
    Ok(())
}
