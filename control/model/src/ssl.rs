//! TLS towards an upstream.

use tenon_model_derive::Read;

use crate::ObjectRef;
use crate::read::{Fields, Node};

/// TLS towards an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(finish = checked)]
pub struct UpstreamSsl {
    /// Where certificates, keys and roots come from; nowhere: encrypted, not verified.
    #[read(flatten)]
    pub certificates: Option<SslCertificates>,
    /// The name that is asked for in the handshake.
    #[read(with = Node::non_empty)]
    pub sni: Option<String>,
    /// Names one of which the other side's certificate must have.
    #[read(with = Node::non_empty)]
    pub verify_subject_alt_name: Vec<String>,
    /// Versions and ciphers.
    #[read(default)]
    pub parameters: SslParameters,
    /// The protocols to offer, in this order.
    #[read(with = Node::non_empty)]
    pub alpn_protocols: Vec<String>,
    /// Whether the other side may renegotiate.
    pub allow_renegotiation: bool,
    /// Never present a certificate, even if there is one.
    pub one_way_tls: bool,
    /// What the other side is verified with: of a BackendTLSPolicy.
    #[read(skip)]
    pub backend: Option<BackendRoots>,
}

/// What a backend is verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendRoots {
    /// The roots, PEM; nothing: those of Envoy's machine.
    pub pem: Option<String>,
    /// The names one of which its certificate must have.
    pub names: Vec<VerifiedName>,
}

/// A name in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifiedName {
    /// A host, perhaps with `*.` in the place of its first label.
    Host(String),
    /// A URI.
    Uri(String),
}

/// Where certificates, keys and roots come from.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum SslCertificates {
    /// A Secret.
    SecretRef(ObjectRef),
    /// Files on Envoy's machine.
    SslFiles(SslFiles),
    /// A secret discovery service of the user's.
    Sds(Sds),
}

/// A secret discovery service of the user's.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = of_something)]
pub struct Sds {
    /// Where it is, as gRPC's library writes it: `unix:/path`, `host:port`. Without it and `clusterName` it is asked of
    /// the cluster `gateway_proxy_sds` of Envoy's bootstrap.
    #[read(with = Node::non_empty)]
    pub target_uri: Option<String>,
    /// How it is asked.
    #[read(flatten)]
    pub builder: Option<SdsBuilder>,
    /// The name of the secret with the certificate.
    #[read(with = Node::non_empty)]
    pub certificates_secret_name: Option<String>,
    /// The name of the secret with the roots.
    #[read(with = Node::non_empty)]
    pub validation_context_name: Option<String>,
}

/// How a secret discovery service is asked.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub enum SdsBuilder {
    /// With a token.
    CallCredentials(CallCredentials),
    /// Through this cluster of Envoy's bootstrap.
    #[read(with = Node::non_empty)]
    ClusterName(String),
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct CallCredentials {
    /// In a file.
    pub file_credential_source: FileCredentialSource,
}

/// A token in a file.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct FileCredentialSource {
    /// Its path on Envoy's machine.
    #[read(with = Node::non_empty)]
    pub token_file_name: String,
    /// The header that carries it; `authorization`, as a bearer, where it is left out.
    #[read(default)]
    pub header: String,
}

/// Files on Envoy's machine.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = paired)]
pub struct SslFiles {
    /// The certificate.
    #[read(with = Node::non_empty)]
    pub tls_cert: Option<String>,
    /// Its key.
    #[read(with = Node::non_empty)]
    pub tls_key: Option<String>,
    /// The roots that the other side is verified with.
    #[read(with = Node::non_empty)]
    pub root_ca: Option<String>,
    /// The OCSP response to the certificate, DER. Clients send none: only listeners use it.
    #[read(with = Node::non_empty)]
    pub ocsp_staple: Option<String>,
}

/// Versions and ciphers of TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read)]
#[read(finish = ordered)]
pub struct SslParameters {
    /// The oldest version.
    pub minimum_protocol_version: Option<TlsVersion>,
    /// The newest version.
    pub maximum_protocol_version: Option<TlsVersion>,
    /// Names of ciphers as BoringSSL has them.
    #[read(with = cipher)]
    pub cipher_suites: Vec<String>,
    /// Names of curves.
    #[read(with = curve)]
    pub ecdh_curves: Vec<String>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Read)]
pub enum TlsVersion {
    /// Envoy's choice.
    #[read(name = "TLS_AUTO")]
    Auto,
    /// 1.0
    #[read(name = "TLSv1_0")]
    V1_0,
    /// 1.1
    #[read(name = "TLSv1_1")]
    V1_1,
    /// 1.2
    #[read(name = "TLSv1_2")]
    V1_2,
    /// 1.3
    #[read(name = "TLSv1_3")]
    V1_3,
}

fn checked(ssl: UpstreamSsl, fields: &Fields<'_>) -> Option<UpstreamSsl> {
    let verified = match &ssl.certificates {
        None => false,
        Some(SslCertificates::SecretRef(_)) => true,
        Some(SslCertificates::SslFiles(files)) => files.root_ca.is_some(),
        Some(SslCertificates::Sds(sds)) => sds.validation_context_name.is_some(),
    };
    if !ssl.verify_subject_alt_name.is_empty() && !verified {
        fields.error_at(
            "verifySubjectAltName",
            "needs a root certificate to verify with",
        );
    }
    Some(ssl)
}

fn of_something(sds: Sds, fields: &Fields<'_>) -> Option<Sds> {
    if sds.certificates_secret_name.is_none() && sds.validation_context_name.is_none() {
        fields.error("expected certificatesSecretName, validationContextName or both");
    }
    if matches!(sds.builder, Some(SdsBuilder::CallCredentials(_))) && sds.target_uri.is_none() {
        fields.error_at("callCredentials", "needs targetUri");
    }
    Some(sds)
}

fn paired(files: SslFiles, fields: &Fields<'_>) -> Option<SslFiles> {
    if files.tls_cert.is_some() != files.tls_key.is_some() {
        fields.error("tlsCert and tlsKey go together");
    }
    Some(files)
}

/// What BoringSSL in Envoy 1.40 has below TLS 1.3, whose ciphers cannot be chosen.
const CIPHERS: [&str; 20] = [
    "AES128-GCM-SHA256",
    "AES128-SHA",
    "AES256-GCM-SHA384",
    "AES256-SHA",
    "DES-CBC3-SHA",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-PSK-AES128-CBC-SHA",
    "ECDHE-PSK-AES256-CBC-SHA",
    "ECDHE-PSK-CHACHA20-POLY1305",
];

/// The curves that it has.
const CURVES: [&str; 10] = [
    "X25519",
    "x25519",
    "P-256",
    "prime256v1",
    "P-384",
    "secp384r1",
    "P-521",
    "secp521r1",
    "X25519MLKEM768",
    "MLKEM1024",
];

/// One cipher, or several of equal rank, as `[A|B]`. Envoy refuses a listener for one that it does not know.
///
/// BoringSSL's words for many at once (`ECDHE+AESGCM`, `!aPSK`) and the standard's own names (`TLS_…`) are let pass.
fn cipher(node: &Node<'_>) -> Option<String> {
    let text = node.non_empty()?;
    let inner = text.trim_start_matches('[').trim_end_matches(']');
    for name in inner.split(['|', ':']) {
        let newest = ["TLS_AES_", "TLS_CHACHA20_"];
        if newest.iter().any(|start| name.starts_with(start)) {
            return node.error(format!(
                "{name:?} is a cipher of TLS 1.3, all of which are always on"
            ));
        }
        let name_of_many = name.trim_start_matches(['!', '-', '+']);
        let is_many = name.starts_with("TLS_") || name_of_many.split('+').all(is_alias);
        if !CIPHERS.contains(&name) && !is_many {
            return node.error(format!(
                "{name:?} is not a cipher that Envoy knows, as ECDHE-RSA-AES128-GCM-SHA256"
            ));
        }
    }
    Some(text)
}

/// BoringSSL's words for many ciphers at once.
fn is_alias(word: &str) -> bool {
    [
        "ALL",
        "kRSA",
        "kECDHE",
        "kEECDH",
        "kPSK",
        "aRSA",
        "aECDSA",
        "aPSK",
        "aGENERIC",
        "RSA",
        "ECDHE",
        "EECDH",
        "PSK",
        "ECDSA",
        "3DES",
        "AES128",
        "AES256",
        "AES",
        "AESGCM",
        "CHACHA20",
        "SHA1",
        "SHA",
        "SSLv3",
        "TLSv1",
        "TLSv1.2",
        "HIGH",
        "FIPS",
        "@STRENGTH",
    ]
    .contains(&word)
}

/// A curve. The same holds.
fn curve(node: &Node<'_>) -> Option<String> {
    let text = node.non_empty()?;
    match text.split(':').find(|name| !CURVES.contains(name)) {
        None => Some(text),
        Some(name) => node.error(format!(
            "{name:?} is not a curve that Envoy knows: {}",
            CURVES.join(", ")
        )),
    }
}

fn ordered(parameters: SslParameters, fields: &Fields<'_>) -> Option<SslParameters> {
    let minimum = parameters.minimum_protocol_version;
    if let (Some(minimum), Some(maximum)) = (minimum, parameters.maximum_protocol_version)
        && maximum != TlsVersion::Auto
        && minimum > maximum
    {
        fields.error("minimumProtocolVersion is above maximumProtocolVersion");
    }
    Some(parameters)
}
