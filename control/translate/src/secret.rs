//! TLS secrets as SDS resources, so that a rotation touches neither clusters nor listeners.

use tenon_model::{ObjectRef, TlsSecret};

use crate::names;
use crate::proto::{core, inline_string, tls};

/// The resources of a secret.
pub(crate) fn translate(reference: &ObjectRef, secret: &TlsSecret) -> Vec<tls::Secret> {
    let mut resources = Vec::new();
    if let (Some(chain), Some(key)) = (&secret.cert_chain, &secret.private_key) {
        let ocsp_staple = secret.ocsp_staple.as_ref().map(|staple| core::DataSource {
            specifier: Some(core::data_source::Specifier::InlineBytes(staple.clone())),
            ..core::DataSource::default()
        });
        resources.push(tls::Secret {
            name: names::tls_certificate(reference),
            r#type: Some(tls::secret::Type::TlsCertificate(tls::TlsCertificate {
                certificate_chain: inline_string(chain),
                private_key: inline_string(key),
                ocsp_staple,
                ..tls::TlsCertificate::default()
            })),
        });
    }
    if let Some(roots) = &secret.root_ca {
        resources.push(tls::Secret {
            name: names::tls_roots(reference),
            r#type: Some(tls::secret::Type::ValidationContext(
                tls::CertificateValidationContext {
                    trusted_ca: inline_string(roots),
                    ..tls::CertificateValidationContext::default()
                },
            )),
        });
    }
    resources
}
