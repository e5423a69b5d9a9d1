//! Certificates and keys as PEM: whether Envoy can use them, as far as that can be told without a clock.

use x509_parser::asn1_rs::Sequence;
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;

const CERTIFICATE: &str = "CERTIFICATE";
const KEYS: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
/// What is wrong with certificates, the first of which is the server's or the client's, and its key; and what is worth a
/// warning.
pub(crate) fn check_pair(chain: &str, key: &str) -> Result<Option<String>, String> {
    let blocks = blocks(chain, "certificate")?;
    let certificates = certificates(&blocks, "certificate")?;
    let key = private_key(key)?;
    let Some(own) = certificates.first() else {
        return Err("the certificate is no PEM text".to_owned());
    };
    if !belongs(&key, own) {
        return Err("the private key is not that of the certificate".to_owned());
    }
    let mut pairs = certificates.windows(2).zip(1..);
    let broken = pairs.find_map(|(pair, number)| match pair {
        [below, above] if below.issuer().as_raw() != above.subject().as_raw() => Some(format!(
            "certificate {} did not issue certificate {number}: whoever has only the roots does not find the way to them",
            number + 1
        )),
        _ => None,
    });
    Ok(broken)
}

/// What is wrong with roots.
pub fn check_roots(roots: &str) -> Result<(), String> {
    let blocks = blocks(roots, "root certificate")?;
    certificates(&blocks, "root certificate").map(|_| ())
}

/// How long before its end a certificate is worth a warning: 14 days, in seconds.
const SOON: i64 = 14 * 24 * 60 * 60;

/// What is worth a warning of the times of certificates, each of which has to be valid; `now` is in seconds since 1970.
pub(crate) fn warning_of_chain(chain: &str, now: i64) -> Option<String> {
    let blocks = blocks(chain, "certificate").ok()?;
    let certificates = certificates(&blocks, "certificate").ok()?;
    let alone = certificates.len() == 1;
    let all = certificates.iter().zip(1..).map(|(certificate, number)| {
        let validity = certificate.validity();
        let name = match alone {
            true => "the certificate".to_owned(),
            false => format!("certificate {number} of the chain"),
        };
        (name, validity.not_before, validity.not_after)
    });
    let all: Vec<_> = all.collect();
    let on = |time: &ASN1Time| time.to_datetime().date();
    let ended = all.iter().find(|(_, _, end)| end.timestamp() < now);
    let early = all.iter().find(|(_, start, _)| start.timestamp() > now);
    let soon = all.iter().find(|(_, _, end)| end.timestamp() < now + SOON);
    ended
        .map(|(name, _, end)| format!("{name} expired on {}", on(end)))
        .or_else(|| {
            early.map(|(name, start, _)| format!("{name} is not valid before {}", on(start)))
        })
        .or_else(|| soon.map(|(name, _, end)| format!("{name} expires on {}", on(end))))
}

/// The same of roots, of which one has to be valid.
pub(crate) fn warning_of_roots(roots: &str, now: i64) -> Option<String> {
    let blocks = blocks(roots, "root certificate").ok()?;
    let roots = certificates(&blocks, "root certificate").ok()?;
    let is_valid = |root: &X509Certificate<'_>| {
        let validity = root.validity();
        (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now)
    };
    (!roots.iter().any(is_valid)).then(|| "no root certificate is valid now".to_owned())
}

fn blocks(text: &str, what: &str) -> Result<Vec<Pem>, String> {
    let blocks: Result<Vec<_>, _> = Pem::iter_from_buffer(text.as_bytes()).collect();
    match blocks {
        Ok(blocks) if !blocks.is_empty() => Ok(blocks),
        Ok(_) => Err(format!("the {what} is no PEM text")),
        Err(_) => Err(format!("the {what} is not good PEM")),
    }
}

fn certificates<'a>(blocks: &'a [Pem], what: &str) -> Result<Vec<X509Certificate<'a>>, String> {
    let mut found = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        if block.label != CERTIFICATE {
            // The label is the user's, and may be a part of a key.
            return Err(format!(
                "the {what} is no PEM text of certificates alone: block {} is something else",
                index + 1
            ));
        }
        match X509Certificate::from_der(&block.contents) {
            Ok((_, certificate)) => found.push(certificate),
            Err(_) => {
                return Err(format!(
                    "block {} of the {what} is not a certificate",
                    index + 1
                ));
            }
        }
    }
    Ok(found)
}

/// The key, DER.
fn private_key(text: &str) -> Result<Vec<u8>, String> {
    if text.contains("ENCRYPTED") {
        return Err("the private key is encrypted, and Envoy is given no password".to_owned());
    }
    let mut keys = blocks(text, "private key")?
        .into_iter()
        .filter(|block| KEYS.contains(&block.label.as_str()));
    match (keys.next(), keys.next()) {
        // Each of its forms is a sequence (RFC 5958, 5915, 8017).
        (Some(key), None) => match Sequence::from_der(&key.contents) {
            Ok(_) => Ok(key.contents),
            Err(_) => Err("the private key is none, whatever its PEM says".to_owned()),
        },
        (Some(_), Some(_)) => Err("there is more than one private key".to_owned()),
        (None, _) => Err("the private key is no PEM text".to_owned()),
    }
}

/// Whether a private key is a certificate's. Its public key stands in it, but for keys of elliptic curves that leave it
/// out: of those it cannot be told.
fn belongs(key: &[u8], certificate: &X509Certificate<'_>) -> bool {
    let Ok(public) = certificate.public_key().parsed() else {
        return true;
    };
    let (public, may_be_missing) = match public {
        PublicKey::RSA(rsa) => (strip(rsa.modulus).to_vec(), false),
        PublicKey::EC(point) => (point.data().to_vec(), true),
        _ => return true,
    };
    let is_there = key.windows(public.len()).any(|part| part == public);
    // With it, no key is shorter than 1.6 times the public one; without it, none is longer than 1.1 times.
    is_there || (may_be_missing && key.len() * 2 < public.len() * 3)
}

/// A number without leading zeros.
fn strip(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
