//! Secrets, in Kubernetes' form and in Gloo's own.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use tenon_contract::{AwsCredentials, AzureKeys};

use crate::health_check::HeaderSecret;
use crate::read::{Fields, Node};
use crate::yaml;
use crate::{certificate, header};

/// What must not be shown. `Debug` does not.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Keys of AWS.
    Aws(AwsCredentials),
    /// Keys of a function app of Azure's.
    Azure(AzureKeys),
    /// A service account's key of Google's.
    Gcp(GcpKey),
    /// Headers.
    Header(HeaderSecret),
    /// Certificates and their key.
    Tls(TlsSecret),
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

impl fmt::Debug for GcpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GcpKey([redacted])")
    }
}

/// Certificates and their key, as PEM.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TlsSecret {
    /// The certificate and those that lead from it to the root.
    pub cert_chain: Option<String>,
    /// Its key.
    pub private_key: Option<String>,
    /// The roots that the other side is verified with.
    pub root_ca: Option<String>,
    /// The OCSP response, DER.
    pub ocsp_staple: Option<Vec<u8>>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aws(_) => "Aws([redacted])",
            Self::Azure(_) => "Azure([redacted])",
            Self::Gcp(_) => "Gcp([redacted])",
            Self::Header(_) => "Header([redacted])",
            Self::Tls(_) => "Tls([redacted])",
        })
    }
}

impl fmt::Debug for TlsSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsSecret([redacted])")
    }
}

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

pub(crate) fn read_kubernetes(root: &Node<'_>) -> Kubernetes {
    let has = |name: &str| {
        ["data", "stringData"].iter().any(|map| {
            let value = root.value().get(map).and_then(|map| map.get(name));
            value.is_some_and(|value| !value.is_null())
        })
    };
    let kind = root
        .value()
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("Opaque");
    let aws = AWS.iter().any(|name| has(name));
    let gcp = kind == "Opaque" && has(GCP);
    if kind != "kubernetes.io/tls" && !aws && !gcp {
        return match has(AZURE) {
            true => read_legacy(root),
            false => Kubernetes::NotOurs(format!("v1 Secret of type {kind}")),
        };
    }
    Kubernetes::Ours(root.object(|fields| {
        fields.ignored(&BESIDE_DATA);
        let data = Data::read(fields)?;
        if kind == "kubernetes.io/tls" {
            let tls = TlsSecret {
                cert_chain: data.text(fields, "tls.crt"),
                private_key: data.text(fields, "tls.key"),
                root_ca: data.text(fields, "ca.crt"),
                ocsp_staple: data.bytes("tls.ocsp-staple").map(<[u8]>::to_vec),
            };
            return check_tls(fields, tls).map(Secret::Tls);
        }
        if gcp {
            let key = data.text(fields, GCP)?;
            return check_gcp(key, |text| fields.error(format!("data.{GCP}{text}")));
        }
        let [id, key, token] = AWS;
        let (id_text, key_text) = (data.text(fields, id), data.text(fields, key));
        for (name, text) in [(id, &id_text), (key, &key_text)] {
            if text.as_ref().is_none_or(String::is_empty) {
                fields.error_at(&format!("data.{name}"), "is required");
            }
        }
        check_aws(fields, id_text?, key_text?, data.text(fields, token))
    }))
}

/// The form that Gloo calls legacy: an annotation, and Gloo's own form of the secret as YAML under one name.
const AZURE: &str = "azure";
const LEGACY: (&str, &str) = ("resource_kind", "*v1.Secret");

fn read_legacy(root: &Node<'_>) -> Kubernetes {
    let annotation = root.value().get("metadata").and_then(|metadata| {
        let annotations = metadata.get("annotations")?;
        annotations.get(LEGACY.0)?.as_str()
    });
    let mut ours = annotation == Some(LEGACY.1);
    let secret = root.object(|fields| {
        fields.ignored(&BESIDE_DATA);
        let data = Data::read(fields)?;
        let text = data.text(fields, AZURE)?;
        let document = yaml::documents(&text).into_iter().next();
        let Some(Ok(document)) = document else {
            fields.error_at("data.azure", "is not valid YAML");
            return None;
        };
        // Others may have a key of this name for something else.
        ours |= document.get("apiKeys").is_some();
        fields.within("data.azure", &document, |node| node.object(read_azure))
    });
    match ours {
        true => Kubernetes::Ours(secret),
        false => Kubernetes::NotOurs("v1 Secret of type Opaque".to_owned()),
    }
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
}

/// Gloo's own form: one of `aws`, `tls` ….
pub(crate) fn read_bare(node: &Node<'_>) -> Option<Secret> {
    node.object(|fields| {
        fields.later(&["credentials", "encryption", "oauth", "apiKey", "extensions"]);
        let kinds = ["aws", "azure", "gcp", "header", "tls"];
        fields.ignored(&kinds);
        match fields.one_of(&kinds) {
            Some("aws") => fields.field("aws", |node| node.object(read_aws)),
            Some("azure") => fields.field("azure", |node| node.object(read_azure)),
            Some("header") => fields.field("header", |node| node.object(read_headers)),
            Some("gcp") => fields.field("gcp", |node| {
                node.object(|fields| {
                    fields.required("serviceAccountKey", |node| {
                        check_gcp(node.non_empty()?, |text| {
                            node.error::<()>(text.trim_start());
                        })
                    })
                })
            }),
            Some(_) => fields.field("tls", |node| {
                node.object(|fields| {
                    let mut text = |name| fields.field(name, |node| node.non_empty());
                    let tls = TlsSecret {
                        cert_chain: text("certChain"),
                        private_key: text("privateKey"),
                        root_ca: text("rootCa"),
                        ocsp_staple: fields.field("ocspStaple", |node| {
                            match STANDARD.decode(node.text()?) {
                                Ok(bytes) => Some(bytes),
                                Err(_) => node.error("is not valid base64"),
                            }
                        }),
                    };
                    check_tls(fields, tls).map(Secret::Tls)
                })
            }),
            None => {
                fields.error("expected one of aws, azure, gcp, header and tls");
                None
            }
        }
    })
}

fn read_aws(fields: &mut Fields<'_>) -> Option<Secret> {
    let id = fields.required("accessKey", |node| node.non_empty());
    let key = fields.required("secretKey", |node| node.non_empty());
    let token = fields.field("sessionToken", |node| node.string());
    check_aws(fields, id?, key?, token)
}

fn read_headers(fields: &mut Fields<'_>) -> Option<Secret> {
    let headers = fields.required("headers", |node| {
        let names = node.value().as_object();
        let mut names = names.into_iter().flat_map(|names| names.keys());
        node.map(|node| {
            let name = names.next().map(String::as_str).unwrap_or_default();
            if !header::is_name(name) {
                return node.error("is not the name of a header");
            }
            let value = header::value(&node)?;
            Some(value.trim_end_matches(['\r', '\n']).to_owned())
        })
    })?;
    Some(Secret::Header(HeaderSecret {
        headers: headers.into_iter().collect(),
    }))
}

fn read_azure(fields: &mut Fields<'_>) -> Option<Secret> {
    let keys = fields.required("apiKeys", |node| {
        if node.value().as_object().is_some_and(Map::is_empty) {
            return node.error("there are none");
        }
        node.map(|node| {
            let key = node.non_empty()?;
            let key = key.trim_end_matches(['\r', '\n']);
            // It goes into a header, or percent-encoded into a query.
            if key.is_empty() || !key.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
                return node.error("holds characters that no key has, as a space or a line break");
            }
            Some(key.to_owned())
        })
    })?;
    Some(Secret::Azure(AzureKeys {
        function_keys: keys.into_iter().collect(),
    }))
}

/// Only a service account's key: credentials of other types name files and services for the control plane to ask.
fn check_gcp(json: String, complain: impl FnOnce(&str)) -> Option<Secret> {
    let key: Option<Value> = serde_json::from_str(&json).ok();
    let text = |name: &str| key.as_ref().and_then(|key| key.get(name)?.as_str());
    let has = |name| text(name).is_some_and(|text| !text.is_empty());
    if key.is_none() {
        complain(" is not valid JSON");
    } else if text("type") != Some("service_account") {
        complain(" is not the key of a service account");
    } else if !has("client_email") || !has("private_key") {
        complain(" has no client_email or no private_key");
    } else {
        return Some(Secret::Gcp(GcpKey(json)));
    }
    None
}

fn check_aws(
    fields: &Fields<'_>,
    id: String,
    key: String,
    token: Option<String>,
) -> Option<Secret> {
    // A trailing line break is what `echo … | base64` leaves; no key has one.
    let trim = |text: String| text.trim_end_matches(['\r', '\n']).to_owned();
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
    if !all.into_iter().flatten().all(printable) {
        fields.error("a key of AWS holds characters that none has, as a space or a line break");
        return None;
    }
    Some(Secret::Aws(credentials))
}

fn check_tls(fields: &Fields<'_>, tls: TlsSecret) -> Option<TlsSecret> {
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
