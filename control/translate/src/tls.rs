//! TLS towards an upstream.

use tenon_model::{
    BackendRoots, SslCertificates, SslParameters, TlsSecret, TlsVersion, UpstreamSsl, VerifiedName,
};

use crate::filters::sds;
use crate::names;
use crate::proto::tls::common_tls_context::{
    CombinedCertificateValidationContext, ValidationContextType,
};
use crate::proto::tls::subject_alt_name_matcher::SanType;
use crate::proto::tls::tls_parameters::TlsProtocol;
use crate::proto::{core, exactly, file, inline_string, tls};
use crate::wire::any;

pub(crate) mod listener;
pub(crate) mod sds;

/// The bundle of Debian, Ubuntu and Envoy's images.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Verified with the system's roots, as one name.
pub(crate) fn verified(host: &str) -> tls::UpstreamTlsContext {
    let is_ip = host.parse::<std::net::IpAddr>().is_ok();
    let roots = tls::CertificateValidationContext {
        trusted_ca: file(SYSTEM_ROOTS),
        match_typed_subject_alt_names: vec![subject(
            host,
            if is_ip {
                SanType::IpAddress
            } else {
                SanType::Dns
            },
        )],
        ..tls::CertificateValidationContext::default()
    };
    tls::UpstreamTlsContext {
        // RFC 6066: no IP addresses in SNI.
        sni: if is_ip {
            String::new()
        } else {
            host.to_owned()
        },
        common_tls_context: Some(tls::CommonTlsContext {
            validation_context_type: Some(ValidationContextType::ValidationContext(roots)),
            ..tls::CommonTlsContext::default()
        }),
        ..tls::UpstreamTlsContext::default()
    }
}

/// As an upstream's `sslConfig` says; `secret` is the one that it names, if there is one, and `defaults` hold where it says
/// nothing of versions and ciphers.
pub(crate) fn configured(
    ssl: &UpstreamSsl,
    secret: Option<&TlsSecret>,
    defaults: &SslParameters,
) -> tls::UpstreamTlsContext {
    if let Some(backend) = &ssl.backend {
        return of_policy(ssl, backend, defaults);
    }
    let mut common = tls::CommonTlsContext {
        tls_params: parameters(&ssl.parameters).or_else(|| parameters(defaults)),
        alpn_protocols: ssl.alpn_protocols.clone(),
        ..tls::CommonTlsContext::default()
    };
    let checks = tls::CertificateValidationContext {
        match_typed_subject_alt_names: names_to_verify(&ssl.verify_subject_alt_name),
        ..tls::CertificateValidationContext::default()
    };
    match &ssl.certificates {
        None => {}
        Some(SslCertificates::SecretRef(reference)) => {
            if secret.is_some_and(|secret| secret.cert_chain.is_some()) && !ssl.one_way_tls {
                common.tls_certificate_sds_secret_configs =
                    vec![sds(&names::tls_certificate(reference))];
            }
            // Without the secret the roots are waited for: better no connection than an unverified one.
            if secret.is_none_or(|secret| secret.root_ca.is_some()) {
                let roots = sds(&names::tls_roots(reference));
                common.validation_context_type = Some(validation(roots, checks));
            }
        }
        Some(SslCertificates::Sds(theirs)) => {
            let certificate = theirs.certificates_secret_name.as_deref();
            let roots = theirs.validation_context_name.as_deref();
            common.tls_certificate_sds_secret_configs = certificate
                .map(|name| sds::of_users(theirs, name))
                .into_iter()
                .collect();
            common.validation_context_type =
                roots.map(|name| validation(sds::of_users(theirs, name), checks));
        }
        Some(SslCertificates::SslFiles(files)) => {
            if let (Some(cert), Some(key), false) =
                (&files.tls_cert, &files.tls_key, ssl.one_way_tls)
            {
                common.tls_certificates = vec![tls::TlsCertificate {
                    certificate_chain: file(cert),
                    private_key: file(key),
                    ocsp_staple: files.ocsp_staple.as_deref().and_then(file),
                    ..tls::TlsCertificate::default()
                }];
            }
            common.validation_context_type = files.root_ca.as_deref().map(|root_ca| {
                ValidationContextType::ValidationContext(tls::CertificateValidationContext {
                    trusted_ca: file(root_ca),
                    ..checks
                })
            });
        }
    }
    tls::UpstreamTlsContext {
        sni: ssl.sni.clone().unwrap_or_default(),
        allow_renegotiation: ssl.allow_renegotiation,
        common_tls_context: Some(common),
        ..tls::UpstreamTlsContext::default()
    }
}

/// As a BackendTLSPolicy says.
fn of_policy(
    ssl: &UpstreamSsl,
    backend: &BackendRoots,
    defaults: &SslParameters,
) -> tls::UpstreamTlsContext {
    let names = backend.names.iter().map(|name| match name {
        VerifiedName::Host(host) => subject(host, SanType::Dns),
        VerifiedName::Uri(uri) => subject(uri, SanType::Uri),
    });
    let checks = tls::CertificateValidationContext {
        trusted_ca: match &backend.pem {
            Some(pem) => inline_string(pem.as_str()),
            None => file(SYSTEM_ROOTS),
        },
        match_typed_subject_alt_names: names.collect(),
        ..tls::CertificateValidationContext::default()
    };
    // Of the gateway whose proxy it is.
    let certificate = match &ssl.certificates {
        Some(SslCertificates::SecretRef(reference)) => {
            Some(sds(&names::tls_certificate(reference)))
        }
        _ => None,
    };
    tls::UpstreamTlsContext {
        sni: ssl.sni.clone().unwrap_or_default(),
        common_tls_context: Some(tls::CommonTlsContext {
            tls_params: parameters(defaults),
            alpn_protocols: ssl.alpn_protocols.clone(),
            tls_certificate_sds_secret_configs: certificate.into_iter().collect(),
            validation_context_type: Some(ValidationContextType::ValidationContext(checks)),
            ..tls::CommonTlsContext::default()
        }),
        ..tls::UpstreamTlsContext::default()
    }
}

/// Roots from a secret, and what else is checked.
pub(crate) fn validation(
    roots: tls::SdsSecretConfig,
    checks: tls::CertificateValidationContext,
) -> ValidationContextType {
    match checks.match_typed_subject_alt_names.is_empty() {
        true => ValidationContextType::ValidationContextSdsSecretConfig(roots),
        false => {
            ValidationContextType::CombinedValidationContext(CombinedCertificateValidationContext {
                default_validation_context: Some(checks),
                validation_context_sds_secret_config: Some(roots),
                ..CombinedCertificateValidationContext::default()
            })
        }
    }
}

/// The same, verified with the system's roots, as one name, if it names no roots itself.
pub(crate) fn or_verified(
    mut context: tls::UpstreamTlsContext,
    name: &str,
) -> tls::UpstreamTlsContext {
    let common = context.common_tls_context.get_or_insert_default();
    if common.validation_context_type.is_none() {
        let verified = verified(name).common_tls_context.unwrap_or_default();
        common.validation_context_type = verified.validation_context_type;
    }
    context
}

/// The same, asking for another name.
pub(crate) fn with_sni(context: &tls::UpstreamTlsContext, sni: &str) -> tls::UpstreamTlsContext {
    tls::UpstreamTlsContext {
        sni: sni.to_owned(),
        ..context.clone()
    }
}

pub(crate) fn socket(context: &tls::UpstreamTlsContext) -> core::TransportSocket {
    core::TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(core::transport_socket::ConfigType::TypedConfig(any(
            context,
        ))),
    }
}

fn subject(name: &str, kind: SanType) -> tls::SubjectAltNameMatcher {
    tls::SubjectAltNameMatcher {
        san_type: kind.into(),
        matcher: Some(exactly(name)),
        ..tls::SubjectAltNameMatcher::default()
    }
}

/// Gloo's names do not say of which kind they are, so each kind that it can be is allowed.
pub(crate) fn names_to_verify(names: &[String]) -> Vec<tls::SubjectAltNameMatcher> {
    let kinds = |name: &str| {
        if name.contains("://") {
            SanType::Uri
        } else if name.parse::<std::net::IpAddr>().is_ok() {
            SanType::IpAddress
        } else if name.contains('@') {
            SanType::Email
        } else {
            SanType::Dns
        }
    };
    let names = names.iter();
    names.map(|name| subject(name, kinds(name))).collect()
}

/// Versions and ciphers; nothing where nothing is said of them.
pub(crate) fn parameters(parameters: &SslParameters) -> Option<tls::TlsParameters> {
    if *parameters == SslParameters::default() {
        return None;
    }
    let version = |version: Option<TlsVersion>| match version {
        None | Some(TlsVersion::Auto) => TlsProtocol::TlsAuto,
        Some(TlsVersion::V1_0) => TlsProtocol::TlSv10,
        Some(TlsVersion::V1_1) => TlsProtocol::TlSv11,
        Some(TlsVersion::V1_2) => TlsProtocol::TlSv12,
        Some(TlsVersion::V1_3) => TlsProtocol::TlSv13,
    };
    Some(tls::TlsParameters {
        tls_minimum_protocol_version: version(parameters.minimum_protocol_version).into(),
        tls_maximum_protocol_version: version(parameters.maximum_protocol_version).into(),
        cipher_suites: parameters.cipher_suites.clone(),
        ecdh_curves: parameters.ecdh_curves.clone(),
        ..tls::TlsParameters::default()
    })
}
