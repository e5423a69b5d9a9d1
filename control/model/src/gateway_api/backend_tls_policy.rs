//! BackendTLSPolicy: TLS towards backends.

use std::collections::BTreeMap;

use tenon_model_derive::Read;

use super::references::LocalRef;
use super::values;
use crate::read::{Fields, Node};

/// TLS towards backends.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked)]
pub struct BackendTlsPolicy {
    /// The backends.
    #[read(required)]
    pub target_refs: Vec<PolicyTarget>,
    /// Which certificates they have to show.
    pub validation: BackendValidation,
    /// What else is said of it, by names of implementations.
    pub options: BTreeMap<String, String>,
}

/// A backend.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
pub struct PolicyTarget {
    /// The group of its kind; empty: Kubernetes' own.
    #[read(with = values::group)]
    pub group: String,
    /// Its kind.
    #[read(with = values::kind)]
    pub kind: String,
    /// Its name.
    #[read(with = values::object_name)]
    pub name: String,
    /// The name of its port; all where it is left out.
    #[read(with = values::section)]
    pub section_name: Option<String>,
}

/// Which certificates backends have to show.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = checked_validation)]
pub struct BackendValidation {
    /// The roots: ConfigMaps or Secrets with `ca.crt`.
    pub ca_certificate_refs: Vec<LocalRef>,
    /// Roots that are there anyway: `System` are those of Envoy's machine.
    #[read(name = "wellKnownCACertificates", with = well_known)]
    pub well_known: Option<String>,
    /// The name that they are asked for, and that must be in their certificates if `subjectAltNames` says nothing.
    #[read(with = values::precise_hostname)]
    pub hostname: String,
    /// The names of which one must be in their certificates.
    pub subject_alt_names: Vec<SubjectAltName>,
}

/// A name in a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = of_its_type)]
pub struct SubjectAltName {
    /// What it is.
    #[read(name = "type")]
    pub kind: SubjectAltNameType,
    /// A host, which may begin with `*.`.
    #[read(with = values::hostname)]
    pub hostname: Option<String>,
    /// A URI.
    #[read(with = uri)]
    pub uri: Option<String>,
}

/// What a name in a certificate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Read)]
#[read(by_name)]
pub enum SubjectAltNameType {
    /// A host.
    #[read(name = "Hostname")]
    Hostname,
    /// A URI.
    #[read(name = "URI")]
    Uri,
}

fn checked(read: BackendTlsPolicy, fields: &Fields<'_>) -> Option<BackendTlsPolicy> {
    values::at_most(fields, &[("targetRefs", 16), ("options", 16)]);
    for (index, target) in read.target_refs.iter().enumerate() {
        let same = |it: &&PolicyTarget| {
            (&it.group, &it.kind, &it.name) == (&target.group, &target.kind, &target.name)
        };
        for other in read.target_refs.iter().take(index).filter(same) {
            let field = format!("targetRefs[{index}]");
            if other.section_name.is_some() != target.section_name.is_some() {
                fields.error_at(
                    &field,
                    "names the same target as another one: then both need a sectionName",
                );
            } else if other.section_name == target.section_name {
                fields.error_at(&field, "is there already, with the same sectionName");
            }
        }
    }
    Some(read)
}

fn checked_validation(read: BackendValidation, fields: &Fields<'_>) -> Option<BackendValidation> {
    values::at_most(fields, &[("caCertificateRefs", 8), ("subjectAltNames", 5)]);
    match (
        fields.items("caCertificateRefs") > 0,
        fields.has("wellKnownCACertificates"),
    ) {
        (true, true) => {
            fields.error("caCertificateRefs and wellKnownCACertificates exclude each other");
        }
        (false, false) => {
            fields.error("expected one of caCertificateRefs, wellKnownCACertificates");
        }
        _ => {}
    }
    Some(read)
}

fn of_its_type(read: SubjectAltName, fields: &Fields<'_>) -> Option<SubjectAltName> {
    let (own, other, name) = match read.kind {
        SubjectAltNameType::Hostname => ("hostname", "uri", "Hostname"),
        SubjectAltNameType::Uri => ("uri", "hostname", "URI"),
    };
    if !fields.has(own) {
        fields.error_at(own, format!("is required with the type {name}"));
    }
    if fields.has(other) {
        fields.error_at(other, format!("has no place with the type {name}"));
    }
    Some(read)
}

fn uri(node: &Node<'_>) -> Option<String> {
    let uri = values::within(node, 1, 253)?;
    let fits = uri
        .split_once("://")
        .is_some_and(|(scheme, _)| !scheme.is_empty() && !scheme.contains([':', '/', '?', '#']));
    match fits {
        true => Some(uri),
        false => node.error(format!("{uri:?} is not a URI, as spiffe://example.com/a")),
    }
}

fn well_known(node: &Node<'_>) -> Option<String> {
    let name = values::within(node, 1, 253)?;
    let of_domain = name
        .split_once('/')
        .is_some_and(|(domain, name)| values::is_subdomain(domain) && !name.is_empty());
    match name == "System" || of_domain {
        true => Some(name),
        false => node.error(format!(
            "{name:?} is neither System nor as example.com/name"
        )),
    }
}
