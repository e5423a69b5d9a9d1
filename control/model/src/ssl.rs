//! TLS towards an upstream.

use tenon_model_derive::Read;

use crate::ObjectRef;
use crate::read::{Fields, Node};

/// TLS towards an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
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
    #[read(with = Node::non_empty)]
    pub cipher_suites: Vec<String>,
    /// Names of curves.
    #[read(with = Node::non_empty)]
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
