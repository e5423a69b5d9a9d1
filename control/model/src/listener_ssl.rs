//! TLS towards clients.

use std::time::Duration;

use tenon_model_derive::{Merge, Read};

use crate::ObjectRef;
use crate::read::{Fields, Node};
use crate::ssl::{SslCertificates, SslParameters};

/// TLS towards clients.
#[derive(Debug, Clone, PartialEq, Eq, Default, Read, Merge)]
#[read(finish = checked)]
pub struct SslConfig {
    /// Where the certificate, its key and the roots come from.
    #[read(flatten)]
    pub certificates: Option<SslCertificates>,
    /// The names that clients ask for in the handshake, as `a.example.com` or `*.example.com`; none: any.
    #[read(with = server_name)]
    pub sni_domains: Vec<String>,
    /// Names one of which the client's certificate must have.
    #[read(with = Node::non_empty)]
    pub verify_subject_alt_name: Vec<String>,
    /// Versions and ciphers.
    pub parameters: Option<SslParameters>,
    /// The protocols to agree on, in this order: `h2` and `http/1.1` where it is left out; `allow_empty` alone: none.
    #[read(with = Node::non_empty)]
    pub alpn_protocols: Vec<String>,
    /// Never ask for a client's certificate, even if there are roots to verify it with.
    pub one_way_tls: Option<bool>,
    /// Do not resume sessions by tickets.
    pub disable_tls_session_resumption: bool,
    /// How long a handshake may take.
    pub transport_socket_connect_timeout: Option<Duration>,
    /// What becomes of a certificate without a fresh OCSP response.
    #[read(default)]
    pub ocsp_staple_policy: OcspStaplePolicy,
    /// More certificates, of which the name that the client asks for decides: of a listener of the Gateway API.
    #[read(skip)]
    pub more_certificates: Vec<ObjectRef>,
    /// Those that ask for other names are apart, though nothing else differs: of a listener of the Gateway API.
    #[read(skip)]
    pub is_apart: bool,
    /// Requests for hosts of others with TLS at the same port are turned away: of a listener of the Gateway API.
    #[read(skip)]
    pub turns_away: bool,
    /// What clients are verified with: of a listener of the Gateway API.
    #[read(skip)]
    pub clients: Option<ClientRoots>,
}

/// What clients are verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRoots {
    /// The roots, PEM.
    pub pem: String,
    /// Clients without a good certificate are not served.
    pub required: bool,
}

/// What becomes of a certificate without a fresh OCSP response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Read)]
pub enum OcspStaplePolicy {
    /// It is used.
    #[default]
    LenientStapling,
    /// It is used if there is none, and not if it is too old.
    StrictStapling,
    /// It is not used.
    MustStaple,
}

fn checked(ssl: SslConfig, fields: &Fields<'_>) -> Option<SslConfig> {
    let (certificate, roots, staple) = match &ssl.certificates {
        None | Some(SslCertificates::SecretRef(_)) => (true, true, true),
        Some(SslCertificates::SslFiles(files)) => (
            files.tls_cert.is_some(),
            files.root_ca.is_some(),
            files.ocsp_staple.is_some(),
        ),
        Some(SslCertificates::Sds(sds)) => (
            sds.certificates_secret_name.is_some(),
            sds.validation_context_name.is_some(),
            true,
        ),
    };
    if !certificate {
        fields.error("there is no certificate with its key");
    }
    if !ssl.verify_subject_alt_name.is_empty() && !roots {
        fields.error_at(
            "verifySubjectAltName",
            "needs a root certificate to verify with",
        );
    }
    if ssl.ocsp_staple_policy == OcspStaplePolicy::MustStaple && !staple {
        fields.error_at("ocspStaplePolicy", "there is no OCSP response to staple");
    }
    Some(ssl)
}

fn server_name(node: &Node<'_>) -> Option<String> {
    let name = node.non_empty()?.to_ascii_lowercase();
    let inner = name.strip_prefix("*.").unwrap_or(&name);
    if !crate::upstream::is_host_name(inner) {
        return node.error(format!(
            "{name:?} is neither a host name nor one below *., as *.example.com"
        ));
    }
    Some(name)
}
