//! BackendTLSPolicies: TLS towards the Services that they name.

use std::collections::BTreeMap;

use tenon_model::gateway_api::{BackendTlsPolicy, LocalRef, SubjectAltNameType};
use tenon_model::{
    BackendRoots, Kind, Object, ObjectKey, ObjectRef, Problem, Spec, UpstreamSsl, VerifiedName,
};

use super::precedence::RouteOrder;
use super::{Known, Reason, Seen, listener_tls};

/// A name that no certificate has: better no connection than an unverified one.
const NOBODY: &str = "policy-is-not-valid.invalid";

/// What a policy comes to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Policy {
    /// Of several policies for the same backend the first counts.
    pub(crate) order: RouteOrder,
    pub(crate) ssl: UpstreamSsl,
    /// The Services, and the names of their ports where it is for one only.
    pub(crate) targets: BTreeMap<(ObjectKey, Option<String>), usize>,
    /// What it refers to and is not there.
    pub(crate) unresolved: Option<Reason>,
    /// Why it is not accepted.
    pub(crate) refused: Option<Reason>,
    pub(crate) problems: Vec<Problem>,
}

pub(crate) fn compile(
    key: &ObjectKey,
    object: &Object,
    policy: &BackendTlsPolicy,
    known: &Seen<'_, impl Known>,
) -> Policy {
    let mut form = Policy {
        order: RouteOrder::of(key, object),
        ssl: UpstreamSsl::default(),
        targets: BTreeMap::new(),
        unresolved: None,
        refused: None,
        problems: Vec::new(),
    };
    form.find_targets(key, policy, known);
    let validation = &policy.validation;
    let names = validation.subject_alt_names.iter();
    let names = names.filter_map(|name| match name.kind {
        SubjectAltNameType::Hostname => name.hostname.clone().map(VerifiedName::Host),
        SubjectAltNameType::Uri => name.uri.clone().map(VerifiedName::Uri),
    });
    let mut names: Vec<_> = names.collect();
    if names.is_empty() {
        names.push(VerifiedName::Host(validation.hostname.clone()));
    }
    let pem = form.roots(key, policy, known);
    if form.refused.is_some() {
        names = vec![VerifiedName::Host(NOBODY.to_owned())];
    }
    for name in policy.options.keys() {
        let text = format!("{name} is not an option that is known here: it is ignored");
        form.problems.push(Problem::warning("spec.options", text));
    }
    form.ssl = UpstreamSsl {
        sni: Some(validation.hostname.clone()),
        backend: Some(BackendRoots { pem, names }),
        ..UpstreamSsl::default()
    };
    form
}

impl Policy {
    fn find_targets(
        &mut self,
        key: &ObjectKey,
        policy: &BackendTlsPolicy,
        known: &Seen<'_, impl Known>,
    ) {
        for (index, target) in policy.target_refs.iter().enumerate() {
            let field = format!("spec.targetRefs[{index}]");
            if !["", "core"].contains(&&*target.group) || target.kind != "Service" {
                let text = format!(
                    "policies give TLS to a Service, not to kind {}",
                    target.kind
                );
                self.problems.push(Problem::error(field, text));
                continue;
            }
            let service = ObjectKey {
                kind: Kind::Service,
                namespace: key.namespace.clone(),
                name: target.name.as_str().into(),
            };
            let section = target.section_name.clone();
            match (known.spec(&service), &section) {
                (Some(Spec::Service(found)), Some(name))
                    if !found.ports.iter().any(|port| port.name == *name) =>
                {
                    let text = format!("{service} has no port of the name {name}");
                    self.problems.push(Problem::warning(field, text));
                }
                (Some(_), _) => {}
                (None, _) => {
                    let text = format!("{service} does not exist");
                    self.problems.push(Problem::warning(field, text));
                }
            }
            self.targets.insert((service, section), index);
        }
    }

    /// The roots, or nothing: those of Envoy's machine.
    fn roots(
        &mut self,
        key: &ObjectKey,
        policy: &BackendTlsPolicy,
        known: &Seen<'_, impl Known>,
    ) -> Option<String> {
        let validation = &policy.validation;
        match validation.well_known.as_deref() {
            None => {}
            Some("System") => return None,
            Some(other) => {
                let text = format!("there are no roots of the name {other}: expected System");
                let field = "spec.validation.wellKnownCACertificates";
                self.problems.push(Problem::error(field, text.clone()));
                self.refused = Some(Reason::new("Invalid", text));
                return None;
            }
        }
        let mut pem = String::new();
        for (index, reference) in validation.ca_certificate_refs.iter().enumerate() {
            match bundle(key, reference, known) {
                Ok(roots) => {
                    pem.push_str(roots.trim_end());
                    pem.push('\n');
                }
                Err(reason) => {
                    let field = format!("spec.validation.caCertificateRefs[{index}]");
                    let text = reason.message.clone();
                    self.problems.push(Problem::error(field, text));
                    self.unresolved.get_or_insert(reason);
                }
            }
        }
        if pem.is_empty() {
            let text = "none of its caCertificateRefs can be used";
            self.refused = Some(Reason::new("NoValidCACertificate", text));
            return None;
        }
        Some(pem)
    }
}

fn bundle<'a>(
    key: &ObjectKey,
    reference: &LocalRef,
    known: &Seen<'a, impl Known>,
) -> Result<&'a str, Reason> {
    let kind = match (reference.group.as_str(), reference.kind.as_str()) {
        ("" | "core", "ConfigMap") => Kind::ConfigMap,
        ("" | "core", "Secret") => Kind::Secret,
        (_, kind) => {
            let text = format!("roots are in ConfigMaps or Secrets, not in a {kind}");
            return Err(Reason::new("InvalidKind", text));
        }
    };
    let named = ObjectRef {
        namespace: key.namespace.clone(),
        name: reference.name.as_str().into(),
    };
    listener_tls::bundle(kind, &named, known)
        .map_err(|text| Reason::new("InvalidCACertificateRef", text))
}
