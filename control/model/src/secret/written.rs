//! Gloo's own form of secrets.

use std::collections::BTreeMap;

use tenon_contract::{AwsCredentials, AzureKeys};
use tenon_model_derive::Read;

use super::{
    AccountCredentials, GcpKey, HeaderSecret, Hidden, Secret, TlsSecret, check_aws,
    check_encryption,
};
use crate::read::{Fields, Node, Read};
use crate::schema::Schema;

/// The names of the kinds.
pub(super) const KINDS: [&str; 9] = [
    "aws",
    "azure",
    "tls",
    "header",
    "credentials",
    "encryption",
    "oauth",
    "apiKey",
    "gcp",
];

/// What must not be shown.
#[derive(Read)]
#[read(refused(extensions = "they are for plugins of Gloo's"))]
pub(crate) struct GlooSecret {
    #[read(flatten)]
    kind: SecretKind,
}

/// What must not be shown.
#[derive(Read)]
enum SecretKind {
    /// Keys of AWS.
    #[read(with = aws_keys, schema = AwsSecret::schema)]
    Aws(AwsCredentials),
    /// Keys of a function app of Azure's.
    Azure(AzureSecret),
    /// Certificates and their key.
    Tls(TlsSecret),
    /// Headers.
    Header(HeaderSecret),
    /// A name and a password.
    Credentials(AccountCredentials),
    /// What sessions are encrypted with.
    Encryption(EncryptionKey),
    /// What a client of OAuth shows.
    Oauth(OauthSecret),
    /// What a client has to show.
    ApiKey(ApiKeySecret),
    /// A service account's key of Google's.
    Gcp(GcpSecret),
}

/// Keys of AWS.
#[derive(Read)]
struct AwsSecret {
    /// The key's id.
    #[read(with = Node::non_empty)]
    access_key: String,
    /// The key.
    #[read(with = Node::non_empty)]
    secret_key: String,
    /// The token of a session, if they are those of one.
    session_token: Option<String>,
}

/// Keys of a function app of Azure's.
#[derive(Read)]
#[read(finish = some)]
struct AzureSecret {
    /// The keys, by functions' names; `_master` is the app's own.
    #[read(required, with = azure_key)]
    api_keys: BTreeMap<String, String>,
}

/// What sessions are encrypted with.
#[derive(Read)]
struct EncryptionKey {
    /// A key of 32 bytes.
    #[read(with = encryption_key, schema = Schema::text)]
    key: Hidden,
}

/// What a client of OAuth shows.
#[derive(Read)]
struct OauthSecret {
    /// It.
    client_secret: Hidden,
}

/// What a client has to show.
#[derive(Read)]
#[read(ignored("labels", "metadata"))]
struct ApiKeySecret {
    /// It.
    api_key: Hidden,
}

/// A service account's key of Google's.
#[derive(Read)]
struct GcpSecret {
    /// The JSON that Google makes of it.
    service_account_key: GcpKey,
}

impl From<GlooSecret> for Secret {
    fn from(written: GlooSecret) -> Self {
        match written.kind {
            SecretKind::Aws(keys) => Self::Aws(keys),
            SecretKind::Azure(keys) => Self::Azure(AzureKeys {
                function_keys: keys.api_keys.into_iter().collect(),
            }),
            SecretKind::Tls(tls) => Self::Tls(tls),
            SecretKind::Header(headers) => Self::Header(headers),
            SecretKind::Credentials(credentials) => Self::Credentials(credentials),
            SecretKind::Encryption(it) => Self::Encryption(it.key),
            SecretKind::Oauth(it) => Self::Oauth(it.client_secret),
            SecretKind::ApiKey(it) => Self::ApiKey(it.api_key),
            SecretKind::Gcp(it) => Self::Gcp(it.service_account_key),
        }
    }
}

fn aws_keys(node: &Node<'_>) -> Option<AwsCredentials> {
    let keys = AwsSecret::read(node)?;
    let token = keys.session_token.as_deref();
    match check_aws(&keys.access_key, &keys.secret_key, token) {
        Ok(keys) => Some(keys),
        Err(text) => node.error(text),
    }
}

fn azure_key(node: &Node<'_>) -> Option<String> {
    let key = node.non_empty()?;
    let key = key.trim_end_matches(['\r', '\n']);
    // It goes into a header, or percent-encoded into a query.
    if key.is_empty() || !key.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
        return node.error("holds characters that no key has, as a space or a line break");
    }
    Some(key.to_owned())
}

fn some(keys: AzureSecret, fields: &Fields<'_>) -> Option<AzureSecret> {
    if fields.items("apiKeys") == 0 {
        fields.error_at("apiKeys", "there are none");
    }
    Some(keys)
}

fn encryption_key(node: &Node<'_>) -> Option<Hidden> {
    let key = node.non_empty()?;
    match check_encryption(&key) {
        Ok(()) => Some(Hidden(key)),
        Err(text) => node.error(text),
    }
}
