//! TLS towards clients.
//!
//! Certificates and roots are always served by SDS, those of files on Envoy's machine too: a file that is missing or wrong
//! then costs one certificate, not the listener, and one that is replaced is taken without a new listener.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prost::Message;
use tenon_model::{
    ClientRoots, Kind, ObjectKey, ObjectRef, OcspStaplePolicy, Problem, Secret, SslCertificates,
    SslConfig, SslFiles, TlsSecret,
};
use xxhash_rust::xxh3::xxh3_64;

use super::{names_to_verify, parameters, sds, validation};
use crate::cluster::Secrets;
use crate::filters;
use crate::names;
use crate::proto::tls::certificate_validation_context::TrustChainVerification;
use crate::proto::tls::common_tls_context::ValidationContextType;
use crate::proto::tls::downstream_tls_context::{
    OcspStaplePolicy as EnvoyPolicy, SessionTicketKeysType,
};
use crate::proto::{boolean, file, inline_string, tls};

/// Agree on no protocol: Gloo's way to say so, since an empty list says nothing.
const ALLOW_EMPTY: &str = "allow_empty";

/// What an `sslConfig` comes to, but for the names that it is for. Two that are equal are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListenerTls {
    /// The encoded `DownstreamTlsContext`.
    pub(crate) context: Vec<u8>,
    pub(crate) connect_timeout: Option<Duration>,
    /// It asks for a client's certificate.
    pub(crate) verifies: bool,
    /// The secrets that it is served by.
    pub(crate) secrets: BTreeSet<ObjectKey>,
    /// The encoded SDS resources of files, by name.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// What an `sslConfig` comes to, or why it does not; `path` is its own.
pub(crate) fn translate(
    path: &str,
    ssl: &SslConfig,
    secrets: &impl Secrets,
) -> Result<ListenerTls, Problem> {
    let one_way = ssl
        .one_way_tls
        .unwrap_or_else(|| secrets.settings().gateway.one_way_tls);
    let mut of = ListenerTls {
        context: Vec::new(),
        connect_timeout: ssl
            .transport_socket_connect_timeout
            .filter(|it| !it.is_zero()),
        verifies: false,
        secrets: BTreeSet::new(),
        files: BTreeMap::new(),
    };
    let (certificate, roots) = match &ssl.certificates {
        None => {
            return Err(Problem::error(
                path,
                "expected one of secretRef, sslFiles, sds",
            ));
        }
        Some(SslCertificates::SecretRef(reference)) => {
            let key = reference.key(Kind::Secret);
            let at = format!("{path}.secretRef");
            let tls = with_certificate(&at, reference, secrets)?;
            if ssl.ocsp_staple_policy == OcspStaplePolicy::MustStaple && tls.ocsp_staple.is_none() {
                let at = format!("{path}.ocspStaplePolicy");
                let text = format!("secret {reference} has no OCSP response to staple");
                return Err(Problem::error(at, text));
            }
            if !ssl.verify_subject_alt_name.is_empty() && tls.root_ca.is_none() {
                let at = format!("{path}.verifySubjectAltName");
                let text = format!("secret {reference} has no root certificate to verify with");
                return Err(Problem::error(at, text));
            }
            of.secrets.insert(key);
            let roots = tls.root_ca.is_some();
            (
                filters::sds(&names::tls_certificate(reference)),
                roots.then(|| filters::sds(&names::tls_roots(reference))),
            )
        }
        Some(SslCertificates::SslFiles(files)) => {
            let (certificate, roots) = of_files(files);
            let mut add = |secret: tls::Secret| {
                let config = filters::sds(&secret.name);
                of.files.insert(secret.name.clone(), secret.encode_to_vec());
                config
            };
            (add(certificate), roots.map(add))
        }
        Some(SslCertificates::Sds(theirs)) => {
            let Some(certificate) = &theirs.certificates_secret_name else {
                let at = format!("{path}.sds.certificatesSecretName");
                return Err(Problem::error(at, "is required"));
            };
            let roots = theirs.validation_context_name.as_deref();
            (
                sds::of_users(theirs, certificate),
                roots.map(|name| sds::of_users(theirs, name)),
            )
        }
    };
    let mut certificates = vec![certificate];
    for reference in &ssl.more_certificates {
        with_certificate(&format!("{path}.secretRef"), reference, secrets)?;
        of.secrets.insert(reference.key(Kind::Secret));
        certificates.push(filters::sds(&names::tls_certificate(reference)));
    }
    // Roots alone would make Envoy ask for a certificate, and let clients without one pass.
    let roots = roots.filter(|_| !one_way);
    let clients = ssl.clients.as_ref();
    of.verifies = roots.is_some() || clients.is_some();
    let required = roots.is_some() || clients.is_some_and(|it| it.required);
    let checks = tls::CertificateValidationContext {
        match_typed_subject_alt_names: names_to_verify(&ssl.verify_subject_alt_name),
        ..tls::CertificateValidationContext::default()
    };
    let common = tls::CommonTlsContext {
        tls_params: ssl.parameters.as_ref().and_then(parameters),
        alpn_protocols: protocols(ssl),
        tls_certificate_sds_secret_configs: certificates,
        validation_context_type: match clients {
            Some(clients) => Some(ValidationContextType::ValidationContext(of_clients(
                clients, checks,
            ))),
            None => roots.map(|roots| validation(roots, checks)),
        },
        ..tls::CommonTlsContext::default()
    };
    of.context = tls::DownstreamTlsContext {
        common_tls_context: Some(common),
        require_client_certificate: required.then(|| boolean(true)).flatten(),
        session_ticket_keys_type: ssl.disable_tls_session_resumption.then_some(
            SessionTicketKeysType::DisableStatelessSessionResumption(true),
        ),
        ocsp_staple_policy: match ssl.ocsp_staple_policy {
            OcspStaplePolicy::LenientStapling => EnvoyPolicy::LenientStapling,
            OcspStaplePolicy::StrictStapling => EnvoyPolicy::StrictStapling,
            OcspStaplePolicy::MustStaple => EnvoyPolicy::MustStaple,
        }
        .into(),
        ..tls::DownstreamTlsContext::default()
    }
    .encode_to_vec();
    Ok(of)
}

/// A secret that has a certificate with its key; `at` is the field that names it.
fn with_certificate<'a>(
    at: &str,
    reference: &ObjectRef,
    secrets: &'a impl Secrets,
) -> Result<&'a TlsSecret, Problem> {
    match secrets.secret(&reference.key(Kind::Secret)) {
        Some(Secret::Tls(tls)) if tls.cert_chain.is_some() => Ok(tls),
        Some(Secret::Tls(_)) => {
            let text = format!("secret {reference} has no certificate with its key");
            Err(Problem::error(at, text))
        }
        Some(_) => {
            let text = format!("secret {reference} has no certificate");
            Err(Problem::error(at, text))
        }
        None => {
            let text = format!("secret {reference} does not exist: nothing is served with it");
            Err(Problem::warning(at, text))
        }
    }
}

/// What clients are verified with; one that needs no good certificate is asked for one all the same.
fn of_clients(
    clients: &ClientRoots,
    checks: tls::CertificateValidationContext,
) -> tls::CertificateValidationContext {
    let verification = match clients.required {
        true => TrustChainVerification::VerifyTrustChain,
        false => TrustChainVerification::AcceptUntrusted,
    };
    tls::CertificateValidationContext {
        trusted_ca: inline_string(clients.pem.as_str()),
        trust_chain_verification: verification.into(),
        ..checks
    }
}

/// The secrets that it depends on, of those that are the user's resources.
pub(crate) fn secrets(ssl: &SslConfig) -> impl Iterator<Item = ObjectKey> {
    let first = match &ssl.certificates {
        Some(SslCertificates::SecretRef(reference)) => Some(reference),
        _ => None,
    };
    let all = first.into_iter().chain(&ssl.more_certificates);
    all.map(|reference| reference.key(Kind::Secret))
}

fn protocols(ssl: &SslConfig) -> Vec<String> {
    match &ssl.alpn_protocols[..] {
        [] => vec!["h2".to_owned(), "http/1.1".to_owned()],
        [only] if only == ALLOW_EMPTY => Vec::new(),
        protocols => protocols.to_vec(),
    }
}

/// The SDS resources of files: the certificate, and the roots.
fn of_files(files: &SslFiles) -> (tls::Secret, Option<tls::Secret>) {
    let path = |path: &Option<String>| path.as_deref().and_then(file);
    let paths = [&files.tls_cert, &files.tls_key, &files.ocsp_staple];
    let certificate = tls::Secret {
        name: name("files", &paths),
        r#type: Some(tls::secret::Type::TlsCertificate(tls::TlsCertificate {
            certificate_chain: path(&files.tls_cert),
            private_key: path(&files.tls_key),
            ocsp_staple: path(&files.ocsp_staple),
            ..tls::TlsCertificate::default()
        })),
    };
    let roots = files.root_ca.as_ref().map(|_| tls::Secret {
        name: name("roots", &[&files.root_ca]),
        r#type: Some(tls::secret::Type::ValidationContext(
            tls::CertificateValidationContext {
                trusted_ca: path(&files.root_ca),
                ..tls::CertificateValidationContext::default()
            },
        )),
    });
    (certificate, roots)
}

/// A name that says which files these are.
fn name(what: &str, paths: &[&Option<String>]) -> String {
    let paths = paths.iter().map(|path| path.as_deref().unwrap_or_default());
    let paths: Vec<_> = paths.collect();
    format!("{what}_{:016x}", xxh3_64(paths.join("\0").as_bytes()))
}
