//! TLS towards an upstream.

use crate::ObjectRef;
use crate::read::Node;

/// TLS towards an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSsl {
    /// Where certificates, keys and roots come from.
    pub certificates: SslCertificates,
    /// The name that is asked for in the handshake.
    pub sni: Option<String>,
    /// Names one of which the other side's certificate must have.
    pub verify_subject_alt_name: Vec<String>,
    /// Versions and ciphers.
    pub parameters: SslParameters,
    /// The protocols to offer, in this order.
    pub alpn_protocols: Vec<String>,
    /// Whether the other side may renegotiate.
    pub allow_renegotiation: bool,
    /// Never present a certificate, even if there is one.
    pub one_way_tls: bool,
}

/// Where certificates, keys and roots come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SslCertificates {
    /// Nowhere: encrypted, not verified.
    None,
    /// A Secret.
    Secret(ObjectRef),
    /// Files on Envoy's machine.
    Files {
        /// The certificate.
        cert: Option<String>,
        /// Its key.
        key: Option<String>,
        /// The roots that the other side is verified with.
        root_ca: Option<String>,
    },
}

/// Versions and ciphers of TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SslParameters {
    /// The oldest version.
    pub minimum: Option<TlsVersion>,
    /// The newest version.
    pub maximum: Option<TlsVersion>,
    /// Names of ciphers as BoringSSL has them.
    pub cipher_suites: Vec<String>,
    /// Names of curves.
    pub ecdh_curves: Vec<String>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// Envoy's choice.
    Auto,
    /// 1.0
    V1_0,
    /// 1.1
    V1_1,
    /// 1.2
    V1_2,
    /// 1.3
    V1_3,
}

const VERSIONS: [(&str, TlsVersion); 5] = [
    ("TLS_AUTO", TlsVersion::Auto),
    ("TLSv1_0", TlsVersion::V1_0),
    ("TLSv1_1", TlsVersion::V1_1),
    ("TLSv1_2", TlsVersion::V1_2),
    ("TLSv1_3", TlsVersion::V1_3),
];

pub(crate) fn read_upstream(node: &Node<'_>, namespace: &str) -> Option<UpstreamSsl> {
    node.object(|fields| {
        let certificates = match fields.one_of(&["secretRef", "sslFiles", "sds"]) {
            Some("secretRef") => fields
                .field("secretRef", |node| node.reference(namespace))
                .map(SslCertificates::Secret),
            Some("sslFiles") => fields.field("sslFiles", |node| read_files(&node)),
            _ => {
                fields.later(&["sds"]);
                Some(SslCertificates::None)
            }
        };
        fields.ignored(&["secretRef", "sslFiles", "sds"]);
        let ssl = UpstreamSsl {
            certificates: certificates?,
            sni: fields.field("sni", |node| node.non_empty()),
            verify_subject_alt_name: fields.list("verifySubjectAltName", |node| node.non_empty()),
            parameters: fields
                .field("parameters", |node| read_parameters(&node))
                .unwrap_or_default(),
            alpn_protocols: fields.list("alpnProtocols", |node| node.non_empty()),
            allow_renegotiation: fields.flag("allowRenegotiation"),
            one_way_tls: fields.flag("oneWayTls"),
        };
        let verified = match &ssl.certificates {
            SslCertificates::None => false,
            SslCertificates::Secret(_) => true,
            SslCertificates::Files { root_ca, .. } => root_ca.is_some(),
        };
        if !ssl.verify_subject_alt_name.is_empty() && !verified {
            fields.error("verifySubjectAltName needs a root certificate to verify with");
        }
        Some(ssl)
    })
}

fn read_files(node: &Node<'_>) -> Option<SslCertificates> {
    node.object(|fields| {
        fields.later(&["ocspStaple"]);
        let cert = fields.field("tlsCert", |node| node.non_empty());
        let key = fields.field("tlsKey", |node| node.non_empty());
        let root_ca = fields.field("rootCa", |node| node.non_empty());
        if cert.is_some() != key.is_some() {
            fields.error("tlsCert and tlsKey go together");
        }
        Some(SslCertificates::Files { cert, key, root_ca })
    })
}

fn read_parameters(node: &Node<'_>) -> Option<SslParameters> {
    node.object(|fields| {
        let parameters = SslParameters {
            minimum: fields.field("minimumProtocolVersion", |node| node.choice(&VERSIONS)),
            maximum: fields.field("maximumProtocolVersion", |node| node.choice(&VERSIONS)),
            cipher_suites: fields.list("cipherSuites", |node| node.non_empty()),
            ecdh_curves: fields.list("ecdhCurves", |node| node.non_empty()),
        };
        if let (Some(minimum), Some(maximum)) = (parameters.minimum, parameters.maximum)
            && maximum != TlsVersion::Auto
            && minimum > maximum
        {
            fields.error("minimumProtocolVersion is above maximumProtocolVersion");
        }
        Some(parameters)
    })
}
