//! Keys that tokens are verified with, in the forms in which they are given.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use x509_parser::asn1_rs::FromDer as _;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_SIG_ED25519,
};
use x509_parser::pem::parse_x509_pem;
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::read::{Node, Read};

const WRONG: &str =
    "expected a set of keys (JWKS) or one key (JWK), as JSON, or a public key in PEM";

/// The keys as a set (JWKS), the only form that Envoy takes.
pub(super) fn read(node: &Node<'_>) -> Option<String> {
    let text = String::read(node)?;
    let pem = text.trim_start();
    if pem.starts_with("-----BEGIN") {
        return match of_pem(pem) {
            Ok(key) => Some(set_of(&key)),
            Err(error) => node.error(error),
        };
    }
    let Ok(json) = serde_json::from_str::<Value>(&text) else {
        return node.error(WRONG);
    };
    if json["keys"].as_array().is_some_and(|keys| !keys.is_empty()) {
        return Some(text);
    }
    match json["kty"].is_string() {
        true => Some(set_of(&json)),
        false => node.error(WRONG),
    }
}

fn set_of(key: &Value) -> String {
    json!({ "keys": [key] }).to_string()
}

/// A public key as a JWK (RFC 7517, 7518, 8037), of any algorithm that it is fit for.
fn of_pem(text: &str) -> Result<Value, String> {
    let (_, pem) = parse_x509_pem(text.as_bytes()).map_err(|_| "is not good PEM")?;
    match pem.label.as_str() {
        "PUBLIC KEY" => of_spki(&pem.contents),
        "RSA PUBLIC KEY" => match RSAPublicKey::from_der(&pem.contents) {
            Ok((_, key)) => Ok(rsa(&key)),
            Err(_) => Err("is not an RSA public key".to_owned()),
        },
        // The label is the user's; what stands below it may be a private key.
        _ => Err(
            "expected PUBLIC KEY or RSA PUBLIC KEY in PEM; a certificate or private key is neither"
                .to_owned(),
        ),
    }
}

fn of_spki(der: &[u8]) -> Result<Value, String> {
    let (_, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| "is not a public key")?;
    let bits = &info.subject_public_key.data;
    if info.algorithm.algorithm == OID_SIG_ED25519 {
        return Ok(json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(bits) }));
    }
    if info.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = info.algorithm.parameters.as_ref();
        let curve = curve.and_then(|curve| curve.as_oid().ok());
        let curve = curve.and_then(|curve| {
            CURVES
                .iter()
                .find(|(oid, ..)| *oid == curve)
                .map(|(_, name, size)| (*name, *size))
        });
        // A point that is not compressed: 4, x, y (SEC 1, 2.3.3).
        return match (curve, bits.split_first()) {
            (Some((name, size)), Some((4, point))) if point.len() == 2 * size => {
                let (x, y) = point.split_at(size);
                Ok(json!({ "kty": "EC", "crv": name, "x": encoded(x), "y": encoded(y) }))
            }
            _ => Err("expected a point, not compressed, on P-256, P-384 or P-521".to_owned()),
        };
    }
    match info.parsed() {
        Ok(PublicKey::RSA(key)) => Ok(rsa(&key)),
        _ => Err("expected a key for RSA, ECDSA or Ed25519".to_owned()),
    }
}

/// The curves of JWKs, and how many bytes a coordinate has.
const CURVES: [(x509_parser::asn1_rs::Oid<'static>, &str, usize); 3] = [
    (OID_EC_P256, "P-256", 32),
    (OID_NIST_EC_P384, "P-384", 48),
    (OID_NIST_EC_P521, "P-521", 66),
];

fn rsa(key: &RSAPublicKey<'_>) -> Value {
    // DER has a zero before a number that would look negative.
    let number = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        encoded(bytes.get(zeros..).unwrap_or_default())
    };
    json!({ "kty": "RSA", "n": number(key.modulus), "e": number(key.exponent) })
}

fn encoded(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{Path, Report};

    fn told(text: &str) -> Result<Value, String> {
        let report = Report::new("default");
        let keys = read(&Node::new(&text.into(), Path::Root("key"), &report));
        let problems = report.into_problems().into_iter().map(|it| it.text);
        match keys {
            Some(keys) => serde_json::from_str(&keys).map_err(|error| error.to_string()),
            None => Err(problems.collect()),
        }
    }

    /// Made by OpenSSL; so are the numbers, from what it shows of the keys.
    #[test]
    fn a_public_key_in_pem_is_one_in_a_set() {
        let rsa = json!({"kty": "RSA", "e": "AQAB", "n": "tZgOWmTRu63w0KVeT9y0oV-RnV3G3kTONT3aXs-ERs3dAz4ogodBRE5p_z9cbI5M8-lYKTtNc1PCdMAk6qV0lKXgAC2Sz2ENt6yV253dhyoOECbnZjyv1I641QPQkdjkdsXr40C6t-6HtT5GCowW6KOHqVBFpTf1n2iYabn-4j0"});
        for (pem, key) in [
            (RSA, rsa.clone()),
            (RSA_PKCS1, rsa),
            (
                EC_256,
                json!({"kty": "EC", "crv": "P-256", "x": "PEmx_koUMEbovC7wTFdbvXl9eitgi2xd2O0NE6v9gyE", "y": "Pw6OFKp08zStoWs_RQFzhuqKaIC4_RktUlXZ4k5e2Vs"}),
            ),
            (
                EC_384,
                json!({"kty": "EC", "crv": "P-384", "x": "q1sr7HbEr54aT3lYIwTSS7bmweN4UlvZRL_2ckweCFdn31R-YPKAJLoMohUZjf_2", "y": "VapyOr5dCJDXba2X4BYkA9d2IaCui7UUK2dRmRouAtYARJRuoxBHDEb1I6ErYBgk"}),
            ),
            (
                EC_521,
                json!({"kty": "EC", "crv": "P-521", "x": "AJDBZocCRQZHV9958zrt7PSV5C6tSM2Ooz1QVdw_vU-WwE81UzMwrZdFBn_8P3EwT4fpEIAOttTzTsPbwc08_r3A", "y": "APmFqnsQI4KAIottRg6x4nOHHSxpw9rHgND-r6LfQ4dEPZk_xyCaxNsSeXcWkAXiuefDuKe6sbz1SyCtilxNtylf"}),
            ),
            (
                ED25519,
                json!({"kty": "OKP", "crv": "Ed25519", "x": "c4jUYCqdUW5iW7IK4TQxYz3606CCb9qOh7fqy0udBiA"}),
            ),
        ] {
            let indented = format!("\n{pem}\n");
            assert_eq!(told(&indented), Ok(json!({ "keys": [key] })), "{pem}");
        }
    }

    #[test]
    fn keys_in_json_are_a_set_too() {
        let key = json!({"kty": "oct", "k": "c2VjcmV0"});
        let set = json!({ "keys": [key] });
        assert_eq!(told(&key.to_string()), Ok(set.clone()));
        assert_eq!(told(&set.to_string()), Ok(set));
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        let cut = RSA.replacen("MIGf", "MIG", 1);
        let private = RSA.replace("PUBLIC", "PRIVATE");
        for (text, error) in [
            ("", WRONG),
            ("{}", WRONG),
            (r#"{"keys": []}"#, WRONG),
            ("-----BEGIN PUBLIC KEY-----\n", "is not good PEM"),
            (&cut, "is not good PEM"),
            (
                &private,
                "expected PUBLIC KEY or RSA PUBLIC KEY in PEM; a certificate or private key is neither",
            ),
            (
                EC_OTHER,
                "expected a point, not compressed, on P-256, P-384 or P-521",
            ),
        ] {
            assert_eq!(told(text), Err(error.to_owned()), "{text}");
        }
    }

    const RSA: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC1mA5aZNG7rfDQpV5P3LShX5Gd
XcbeRM41Pdpez4RGzd0DPiiCh0FETmn/P1xsjkzz6VgpO01zU8J0wCTqpXSUpeAA
LZLPYQ23rJXbnd2HKg4QJudmPK/UjrjVA9CR2OR2xevjQLq37oe1PkYKjBboo4ep
UEWlN/WfaJhpuf7iPQIDAQAB
-----END PUBLIC KEY-----
";
    const RSA_PKCS1: &str = "\
-----BEGIN RSA PUBLIC KEY-----
MIGJAoGBALWYDlpk0but8NClXk/ctKFfkZ1dxt5EzjU92l7PhEbN3QM+KIKHQURO
af8/XGyOTPPpWCk7TXNTwnTAJOqldJSl4AAtks9hDbesldud3YcqDhAm52Y8r9SO
uNUD0JHY5HbF6+NAurfuh7U+RgqMFuijh6lQRaU39Z9omGm5/uI9AgMBAAE=
-----END RSA PUBLIC KEY-----
";
    const EC_256: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEPEmx/koUMEbovC7wTFdbvXl9eitg
i2xd2O0NE6v9gyE/Do4UqnTzNK2haz9FAXOG6opogLj9GS1SVdniTl7ZWw==
-----END PUBLIC KEY-----
";
    const EC_384: &str = "\
-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEq1sr7HbEr54aT3lYIwTSS7bmweN4UlvZ
RL/2ckweCFdn31R+YPKAJLoMohUZjf/2VapyOr5dCJDXba2X4BYkA9d2IaCui7UU
K2dRmRouAtYARJRuoxBHDEb1I6ErYBgk
-----END PUBLIC KEY-----
";
    const EC_521: &str = "\
-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAkMFmhwJFBkdX33nzOu3s9JXkLq1I
zY6jPVBV3D+9T5bATzVTMzCtl0UGf/w/cTBPh+kQgA621PNOw9vBzTz+vcAA+YWq
exAjgoAii21GDrHic4cdLGnD2seA0P6vot9Dh0Q9mT/HIJrE2xJ5dxaQBeK558O4
p7qxvPVLIK2KXE23KV8=
-----END PUBLIC KEY-----
";
    const ED25519: &str = "\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAc4jUYCqdUW5iW7IK4TQxYz3606CCb9qOh7fqy0udBiA=
-----END PUBLIC KEY-----
";
    /// On the curve of secp256k1, which no JWK of JWT's core has.
    const EC_OTHER: &str = "\
-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEwoGpwwPL5YrHwRtCQDUADxihQJXnUJ33
aqD2gpMHxyrI8kImR/lf4RddOSMSRI5fNcd1pvrFfXMf9g4zdZwCsw==
-----END PUBLIC KEY-----
";
}
