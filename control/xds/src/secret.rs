//! Generic secrets: the blobs that the function filters read.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{DataSource, data_source::Specifier};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    GenericSecret, Secret, secret,
};
use prost::Message;
use sha2::{Digest, Sha256};
use tenon_contract::SecretBlob;
use tenon_translate::Resource;

/// Whether a secret replaces what a client already has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// It does.
    Replace,
    /// It does not: a client that comes back with an older secret of this name keeps it until there is a better one.
    /// So a control plane that starts anew does not take valid credentials away while it looks for its own.
    KeepOlder,
}

/// The resource of a generic secret.
pub(crate) fn generic(name: &str, blob: &SecretBlob) -> Arc<Resource> {
    let secret = Secret {
        name: name.to_owned(),
        r#type: Some(secret::Type::GenericSecret(GenericSecret {
            secret: Some(DataSource {
                specifier: Some(Specifier::InlineString(blob.to_json())),
                ..DataSource::default()
            }),
            ..GenericSecret::default()
        })),
    };
    let value = secret.encode_to_vec();
    Arc::new(Resource {
        version: hash([value.as_slice()]),
        value: value.into(),
        provenance: Arc::from([]),
    })
}

/// A version: the same in every process, and one-way, because it may be of a secret.
pub(crate) fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
