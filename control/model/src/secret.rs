//! Secrets, in Kubernetes' form and in Gloo's own.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use tenon_contract::{AwsCredentials, AzureKeys};
use tenon_model_derive::Read;

use crate::read::{Fields, Node, Read};
use crate::schema::Schema;
use crate::yaml;
use crate::{certificate, header};

mod written;

pub(crate) use written::GlooSecret;

/// What must not be shown. `Debug` does not.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A key that a client has to show.
    ApiKey(Hidden),
    /// Keys of AWS.
    Aws(AwsCredentials),
    /// Keys of a function app of Azure's.
    Azure(AzureKeys),
    /// A name and a password.
    Credentials(AccountCredentials),
    /// A key of 32 bytes that sessions are encrypted with.
    Encryption(Hidden),
    /// A service account's key of Google's.
    Gcp(GcpKey),
    /// Headers.
    Header(HeaderSecret),
    /// What a client of OAuth shows.
    Oauth(Hidden),
    /// Certificates and their key.
    Tls(TlsSecret),
}

/// A text that must not be shown. `Debug` does not.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// A name and a password. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq, Read)]
pub struct AccountCredentials {
    /// The name.
    #[read(with = Node::non_empty)]
    pub username: String,
    /// The password.
    pub password: Hidden,
}

/// The headers of a Secret. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq, Default, Read)]
#[read(finish = check_headers)]
pub struct HeaderSecret {
    /// Their values, by name.
    #[read(required, with = header_value)]
    pub headers: BTreeMap<String, String>,
}

/// A service account's key, as the JSON that Google makes of it. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct GcpKey(String);

impl GcpKey {
    /// Takes the JSON as it is.
    pub fn new(json: impl Into<String>) -> Self {
        Self(json.into())
    }

    /// The JSON.
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

/// Certificates and their key, as PEM. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq, Default, Read)]
#[read(finish = check_tls)]
pub struct TlsSecret {
    /// The certificate and those that lead from it to the root.
    #[read(with = Node::non_empty)]
    pub cert_chain: Option<String>,
    /// Its key.
    #[read(with = Node::non_empty)]
    pub private_key: Option<String>,
    /// The roots that the other side is verified with.
    #[read(with = Node::non_empty)]
    pub root_ca: Option<String>,
    /// The OCSP response, DER (in base64).
    #[read(with = base64, schema = Schema::text)]
    pub ocsp_staple: Option<Vec<u8>>,
}

impl TlsSecret {
    /// What is worth a warning of its certificates at a time, in seconds since 1970: one that has expired, is not valid yet,
    /// or expires within 14 days.
    pub fn warning_at(&self, now: i64) -> Option<String> {
        let chain = self.cert_chain.as_deref();
        let roots = self.root_ca.as_deref();
        chain
            .and_then(|chain| certificate::warning_of_chain(chain, now))
            .or_else(|| certificate::warning_of_roots(roots?, now))
    }
}

impl Secret {
    /// The name of its kind, if nothing here has a use for such: Gloo's own servers for authentication have.
    pub fn kind_of_no_use(&self) -> Option<&'static str> {
        let kind = match self {
            Self::ApiKey(_) => "apiKey",
            Self::Credentials(_) => "credentials",
            Self::Encryption(_) => "encryption",
            Self::Oauth(_) => "oauth",
            Self::Aws(_) | Self::Azure(_) | Self::Gcp(_) | Self::Header(_) | Self::Tls(_) => {
                return None;
            }
        };
        Some(kind)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApiKey(_) => "ApiKey([redacted])",
            Self::Aws(_) => "Aws([redacted])",
            Self::Azure(_) => "Azure([redacted])",
            Self::Credentials(_) => "Credentials([redacted])",
            Self::Encryption(_) => "Encryption([redacted])",
            Self::Gcp(_) => "Gcp([redacted])",
            Self::Header(_) => "Header([redacted])",
            Self::Oauth(_) => "Oauth([redacted])",
            Self::Tls(_) => "Tls([redacted])",
        })
    }
}

macro_rules! redacted {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    )*};
}

redacted!(Hidden, AccountCredentials, HeaderSecret, GcpKey, TlsSecret);

/// A Secret of Kubernetes.
pub(crate) enum Kubernetes {
    /// One for something else; what it is.
    NotOurs(String),
    /// One that Tenon reads, if it is valid.
    Ours(Option<Secret>),
}

const BESIDE_DATA: [&str; 6] = [
    "apiVersion",
    "kind",
    "metadata",
    "status",
    "type",
    "immutable",
];
const AWS: [&str; 3] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
];
/// As Google's own documents have it (`kubectl create secret generic … --from-file=key.json=…`).
const GCP: &str = "key.json";
/// The form that Gloo calls legacy: an annotation, and Gloo's own form of the secret as YAML under one name.
const LEGACY: (&str, &str) = ("resource_kind", "*v1.Secret");

/// As Gloo tells them apart: by type, by names of data, by annotation.
pub(crate) fn read_kubernetes(root: &Node<'_>) -> Kubernetes {
    let field = |name: &str| root.value().get(name);
    let has = |name: &str| {
        ["data", "stringData"].iter().any(|map| {
            let value = field(map).and_then(|map| map.get(name));
            value.is_some_and(|value| !value.is_null())
        })
    };
    let kind = field("type").and_then(Value::as_str).unwrap_or("Opaque");
    let annotation = field("metadata").and_then(|metadata| {
        let annotations = metadata.get("annotations")?;
        annotations.get(LEGACY.0)?.as_str()
    });
    let legacy = written::KINDS.into_iter().find(|name| has(name));
    let read: fn(&Data, &Fields<'_>) -> Option<Secret> = match kind {
        "kubernetes.io/tls" => tls,
        _ if AWS.iter().any(|name| has(name)) => aws,
        "extauth.solo.io/apikey" => |data, fields| {
            let key = data.required(fields, "api-key")?;
            Some(Secret::ApiKey(Hidden(key)))
        },
        "extauth.solo.io/oauth" => |data, fields| {
            let secret = data.required(fields, "client-secret")?;
            Some(Secret::Oauth(Hidden(secret)))
        },
        "extauth.solo.io/accountcredentials" => credentials,
        "gloo.solo.io.EncryptionKeySecret" => encryption,
        "gloo.solo.io/header" => headers,
        "Opaque" if has(GCP) => gcp,
        "Opaque" => match legacy {
            Some(name) if annotation == Some(LEGACY.1) => {
                return Kubernetes::Ours(root.object(|fields| read_legacy(fields, name)));
            }
            _ => return read_opaque(root),
        },
        _ => return Kubernetes::NotOurs(format!("v1 Secret of type {kind}")),
    };
    Kubernetes::Ours(root.object(|fields| {
        fields.ignored(&BESIDE_DATA);
        read(&Data::read(fields)?, fields)
    }))
}

/// As with Gloo, headers, if they can be; else it is for something else. Keys of Azure's are known without the annotation.
fn read_opaque(root: &Node<'_>) -> Kubernetes {
    let mut azure = false;
    let secret = root.object(|fields| {
        fields.ignored(&BESIDE_DATA);
        let data = Data::read(fields)?;
        let text = data
            .bytes(AZURE)
            .and_then(|it| std::str::from_utf8(it).ok());
        let document = text.and_then(|text| yaml::documents(text).into_iter().next());
        azure = matches!(document, Some(Ok(document)) if document.get("apiKeys").is_some());
        match azure {
            true => read_legacy(fields, AZURE),
            false => data.as_headers().map(Secret::Header),
        }
    });
    match (azure, secret) {
        (false, None) => Kubernetes::NotOurs("v1 Secret of type Opaque".to_owned()),
        (_, secret) => Kubernetes::Ours(secret),
    }
}

const AZURE: &str = "azure";

fn read_legacy(fields: &mut Fields<'_>, name: &'static str) -> Option<Secret> {
    fields.ignored(&BESIDE_DATA);
    let text = Data::read(fields)?.text(fields, name)?;
    let Some(Ok(document)) = yaml::documents(&text).into_iter().next() else {
        fields.error_at(&format!("data.{name}"), "is not valid YAML");
        return None;
    };
    let whole = Value::Object(Map::from_iter([(name.to_owned(), document)]));
    fields
        .within("data", &whole, |node| GlooSecret::read(&node))
        .map(Secret::from)
}

fn tls(data: &Data, fields: &Fields<'_>) -> Option<Secret> {
    let tls = TlsSecret {
        cert_chain: data.text(fields, "tls.crt"),
        private_key: data.text(fields, "tls.key"),
        root_ca: data.text(fields, "ca.crt"),
        ocsp_staple: data.bytes("tls.ocsp-staple").map(<[u8]>::to_vec),
    };
    check_tls(tls, fields).map(Secret::Tls)
}

fn aws(data: &Data, fields: &Fields<'_>) -> Option<Secret> {
    let [id, key, token] = AWS;
    let (id, key) = (data.required(fields, id), data.required(fields, key));
    match check_aws(&id?, &key?, data.text(fields, token).as_deref()) {
        Ok(keys) => Some(Secret::Aws(keys)),
        Err(text) => {
            fields.error(text);
            None
        }
    }
}

fn gcp(data: &Data, fields: &Fields<'_>) -> Option<Secret> {
    let key = data.text(fields, GCP)?;
    match check_gcp(&key) {
        Ok(()) => Some(Secret::Gcp(GcpKey(key))),
        Err(text) => {
            fields.error_at(&format!("data.{GCP}"), text);
            None
        }
    }
}

fn credentials(data: &Data, fields: &Fields<'_>) -> Option<Secret> {
    let username = data.required(fields, "username");
    let password = data.required(fields, "password");
    Some(Secret::Credentials(AccountCredentials {
        username: username?,
        password: Hidden(password?),
    }))
}

fn encryption(data: &Data, fields: &Fields<'_>) -> Option<Secret> {
    let key = data.required(fields, "key")?;
    if let Err(text) = check_encryption(&key) {
        fields.error_at("data.key", text);
    }
    Some(Secret::Encryption(Hidden(key)))
}

fn headers(data: &Data, fields: &Fields<'_>) -> Option<Secret> {
    let headers = data.as_headers();
    if headers.is_none() {
        fields.error_at(
            "data",
            "holds what is not the name or the value of a header, or nothing",
        );
    }
    headers.map(Secret::Header)
}

/// `data` and `stringData`, decoded.
struct Data(Vec<(String, Vec<u8>)>);

impl Data {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let plain = fields.field("stringData", |node| {
            node.map(|node| node.string().map(String::into_bytes))
        });
        let encoded = fields.field("data", |node| {
            node.map(|node| {
                // Kubernetes writes it on one line; people wrap it.
                let text: String = node.text()?.split_ascii_whitespace().collect();
                match STANDARD.decode(text) {
                    Ok(bytes) => Some(bytes),
                    Err(_) => node.error("is not valid base64"),
                }
            })
        });
        // As Kubernetes does it, stringData wins.
        let mut all = plain.unwrap_or_default();
        all.extend(encoded.unwrap_or_default());
        Some(Self(all))
    }

    fn bytes(&self, name: &str) -> Option<&[u8]> {
        let entry = self.0.iter().find(|(key, _)| key == name);
        entry
            .map(|(_, bytes)| bytes.as_slice())
            .filter(|bytes| !bytes.is_empty())
    }

    fn text(&self, fields: &Fields<'_>, name: &str) -> Option<String> {
        let text = std::str::from_utf8(self.bytes(name)?);
        if text.is_err() {
            fields.error_at(&format!("data.{name}"), "is not a text");
        }
        text.ok().map(str::to_owned)
    }

    /// A text that has to be there. A line break at its end is what `echo … | base64` leaves.
    fn required(&self, fields: &Fields<'_>, name: &str) -> Option<String> {
        let text = self.text(fields, name);
        let text = text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
        let text = text.filter(|text| !text.is_empty());
        if text.is_none() {
            fields.error_at(&format!("data.{name}"), "is required");
        }
        text
    }

    /// All of it, if it can be headers.
    fn as_headers(&self) -> Option<HeaderSecret> {
        let header = |(name, value): &(String, Vec<u8>)| {
            let value = std::str::from_utf8(value).ok()?;
            let value = value.trim_end_matches(['\r', '\n']);
            let fits = header::is_name(name) && !value.contains(['\0', '\r', '\n']);
            fits.then(|| (name.clone(), value.to_owned()))
        };
        let headers: BTreeMap<_, _> = self.0.iter().map(header).collect::<Option<_>>()?;
        (!headers.is_empty()).then_some(HeaderSecret { headers })
    }
}

impl Read for Hidden {
    fn read(node: &Node<'_>) -> Option<Self> {
        node.non_empty().map(Self)
    }

    fn schema() -> Schema {
        Schema::Text
    }
}

impl Read for GcpKey {
    fn read(node: &Node<'_>) -> Option<Self> {
        let key = node.non_empty()?;
        match check_gcp(&key) {
            Ok(()) => Some(Self(key)),
            Err(text) => node.error(text),
        }
    }

    fn schema() -> Schema {
        Schema::Text
    }
}

fn base64(node: &Node<'_>) -> Option<Vec<u8>> {
    match STANDARD.decode(node.text()?) {
        Ok(bytes) => Some(bytes),
        Err(_) => node.error("is not valid base64"),
    }
}

fn header_value(node: &Node<'_>) -> Option<String> {
    let value = header::value(node)?;
    Some(value.trim_end_matches(['\r', '\n']).to_owned())
}

fn check_headers(secret: HeaderSecret, fields: &Fields<'_>) -> Option<HeaderSecret> {
    for name in secret.headers.keys().filter(|name| !header::is_name(name)) {
        fields.error_at(&format!("headers.{name}"), "is not the name of a header");
    }
    Some(secret)
}

/// As AES-256 wants it.
fn check_encryption(key: &str) -> Result<(), &'static str> {
    match key.len() {
        32 => Ok(()),
        _ => Err("is not 32 bytes long"),
    }
}

/// Only a service account's key: credentials of other types name files and services for the control plane to ask.
fn check_gcp(json: &str) -> Result<(), &'static str> {
    let key: Value = serde_json::from_str(json).map_err(|_| "is not valid JSON")?;
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let has = |name| text(name).is_some_and(|text| !text.is_empty());
    match text("type") == Some("service_account") {
        false => Err("is not the key of a service account"),
        true if has("client_email") && has("private_key") => Ok(()),
        true => Err("has no client_email or no private_key"),
    }
}

fn check_aws(id: &str, key: &str, token: Option<&str>) -> Result<AwsCredentials, &'static str> {
    // A trailing line break is what `echo … | base64` leaves; no key has one.
    let trim = |text: &str| text.trim_end_matches(['\r', '\n']).to_owned();
    let credentials = AwsCredentials {
        access_key_id: trim(id),
        secret_access_key: trim(key),
        session_token: token.map(trim).filter(|token| !token.is_empty()),
        expiration: None,
    };
    let all = [
        Some(&credentials.access_key_id),
        Some(&credentials.secret_access_key),
        credentials.session_token.as_ref(),
    ];
    let printable = |text: &String| text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    let is_printable = all.into_iter().flatten().all(printable);
    match is_printable {
        true => Ok(credentials),
        false => Err("a key of AWS holds characters that none has, as a space or a line break"),
    }
}

fn check_tls(tls: TlsSecret, fields: &Fields<'_>) -> Option<TlsSecret> {
    if tls.cert_chain.is_some() != tls.private_key.is_some() {
        fields.error("a certificate and its key go together");
        return None;
    }
    if tls.cert_chain.is_none() && tls.root_ca.is_none() {
        fields.error("neither a certificate with its key nor a root certificate");
        return None;
    }
    if let (Some(chain), Some(key)) = (&tls.cert_chain, &tls.private_key) {
        match certificate::check_pair(chain, key) {
            Ok(None) => {}
            Ok(Some(warning)) => fields.warn(warning),
            Err(reason) => fields.error(reason),
        }
    }
    if let Some(Err(reason)) = tls.root_ca.as_deref().map(certificate::check_roots) {
        fields.error(reason);
    }
    Some(tls)
}
