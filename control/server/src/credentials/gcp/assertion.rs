//! Assertions: what a service account's key signs, to be given a token for it (RFC 7523).

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

/// How long an assertion is good for, in seconds; Google takes no longer ones.
const LIFE: u64 = 3600;

/// A JWT, signed with RS256.
pub(super) struct Assertion<'a> {
    /// The service account's e-mail.
    pub(super) issuer: &'a str,
    /// The number of its key, if it is known.
    pub(super) key_id: Option<&'a str>,
    /// The URL of the token endpoint.
    pub(super) audience: &'a str,
    /// What the token is to be for: `scope` or `target_audience`.
    pub(super) wanted: (&'a str, &'a str),
}

impl Assertion<'_> {
    /// Signs it with a key in PEM. Errors show nothing of the key.
    pub(super) fn sign(&self, pem: &str, now: SystemTime) -> Result<String> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut header = json!({"alg": "RS256", "typ": "JWT"});
        if let Some(id) = self.key_id {
            header["kid"] = id.into();
        }
        let (name, value) = self.wanted;
        let claims = json!({
            "iss": self.issuer, "sub": self.issuer, "aud": self.audience,
            "iat": now, "exp": now + LIFE, name: value,
        });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let pair = key_pair(pem)?;
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            signed.as_bytes(),
            &mut signature,
        )
        .map_err(|_| anyhow!("the private key does not sign"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn key_pair(pem: &str) -> Result<RsaKeyPair> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok();
    let pair = match key.context("the private key is no PEM text")? {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        _ => return Err(anyhow!("the private key is not one of RSA")),
    };
    pair.map_err(|refused| anyhow!("the private key cannot be used: {refused}"))
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;
    use crate::credentials::gcp::tests::PEM;

    fn assertion() -> Assertion<'static> {
        Assertion {
            issuer: "invoker@project.iam.gserviceaccount.com",
            key_id: Some("k1"),
            audience: "https://oauth2.example/token",
            wanted: ("target_audience", "https://f.example"),
        }
    }

    #[test]
    fn the_public_key_verifies_what_the_private_one_signed() {
        let at = UNIX_EPOCH + std::time::Duration::from_secs(1_000);
        let signed = assertion().sign(PEM, at).unwrap();
        let (text, signature) = signed.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = key_pair(PEM).unwrap().public().as_ref().to_vec();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
            .verify(text.as_bytes(), &signature)
            .unwrap();
        let part = |part: &str| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let (header, claims) = text.split_once('.').unwrap();
        assert_eq!(
            part(header),
            json!({"alg": "RS256", "typ": "JWT", "kid": "k1"})
        );
        assert_eq!(
            part(claims),
            json!({
                "iss": "invoker@project.iam.gserviceaccount.com",
                "sub": "invoker@project.iam.gserviceaccount.com",
                "aud": "https://oauth2.example/token",
                "iat": 1_000, "exp": 4_600,
                "target_audience": "https://f.example",
            })
        );
    }

    #[test]
    fn what_is_no_key_is_told_without_it() {
        for pem in [
            "",
            "very secret",
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
        ] {
            let error = assertion().sign(pem, UNIX_EPOCH).unwrap_err();
            let shown = format!("{error:#}");
            assert!(
                !shown.contains("secret") && !shown.contains("c2Vj"),
                "{shown}"
            );
        }
    }
}
