//! Bodies that are held back until they are there as a whole.

use envoy_types::pb::envoy::extensions::filters::http::buffer::v3::{
    self as envoy, buffer_per_route::Override,
};
use tenon_model::options::buffer::BufferPerRoute;

use super::Configured;
use crate::http_filters::BUFFER;
use crate::proto::uint;
use crate::wire::any;

pub(super) fn configure(buffer: &BufferPerRoute, to: &mut Configured) {
    let buffer = match buffer {
        BufferPerRoute::Disabled(()) => Override::Disabled(true),
        BufferPerRoute::Buffer(buffer) => Override::Buffer(envoy::Buffer {
            max_request_bytes: Some(uint(buffer.max_request_bytes)),
        }),
    };
    to.put(
        BUFFER,
        any(&envoy::BufferPerRoute {
            r#override: Some(buffer),
        }),
    );
}
