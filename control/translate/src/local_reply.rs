//! What Envoy answers itself, in another form.

use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    LocalReplyConfig as EnvoyConfig, ResponseMapper as EnvoyMapper,
};
use prost::Message;
use tenon_model::local_reply::{BodyFormat, BodySource, LocalReplyConfig, TextOrJson};

use crate::access_filter;
use crate::access_log::JSON_FORMAT;
use crate::proto::{core, file, inline_string, uint};
use crate::route::to_add;
use crate::wire::{self, Struct};

/// `HttpConnectionManager.local_reply_config`
pub(crate) const LOCAL_REPLY_CONFIG: u32 = 38;
/// `LocalReplyConfig.mappers`
const MAPPERS: u32 = 1;
/// `LocalReplyConfig.body_format`
const BODY_FORMAT: u32 = 2;
/// `ResponseMapper.body_format_override`
const OVERRIDE: u32 = 4;

/// An encoded `LocalReplyConfig`: formats have maps.
pub(crate) fn encode(from: &LocalReplyConfig) -> Vec<u8> {
    let mut bytes = EnvoyConfig::default().encode_to_vec();
    for mapper in &from.mappers {
        let body = mapper.body.as_ref().map(|body| &body.source);
        let mut encoded = EnvoyMapper {
            filter: Some(access_filter::translate(&mapper.filter)),
            status_code: mapper.status_code.map(uint),
            body: body.and_then(|body| match body {
                BodySource::InlineString(text) => inline_string(text),
                BodySource::Filename(path) => file(path),
            }),
            headers_to_add: to_add(&mapper.headers_to_add),
            ..EnvoyMapper::default()
        }
        .encode_to_vec();
        if let Some(own) = &mapper.body_format_override {
            wire::append(&mut encoded, OVERRIDE, &format(own));
        }
        wire::append(&mut bytes, MAPPERS, &encoded);
    }
    if let Some(own) = &from.body_format {
        wire::append(&mut bytes, BODY_FORMAT, &format(own));
    }
    bytes
}

/// An encoded `SubstitutionFormatString`.
fn format(from: &BodyFormat) -> Vec<u8> {
    let text = match &from.format {
        TextOrJson::Text(text) => inline_string(text),
        TextOrJson::Json(_) => None,
    };
    let mut bytes = core::SubstitutionFormatString {
        content_type: from.content_type.clone().unwrap_or_default(),
        format: text.map(core::substitution_format_string::Format::TextFormatSource),
        ..core::SubstitutionFormatString::default()
    }
    .encode_to_vec();
    if let TextOrJson::Json(map) = &from.format {
        wire::append(&mut bytes, JSON_FORMAT, &Struct::from(map).encode_to_vec());
    }
    bytes
}
