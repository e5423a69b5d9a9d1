//! Statuses of gateways, ListenerSets and their listeners.

use std::collections::BTreeMap;

use tenon_model::gateway_api::KubernetesGateway;
use tenon_model::{ObjectKey, Problem, ProblemLevel};

use super::super::Translator;
use super::DISTRIBUTED;
use super::statuses::Found;
use crate::gateway_api::Reason;
use crate::gateway_api::conditions::{CONTROLLER, Condition, Conditions, ListenerConditions};
use crate::gateway_api::listeners::{GatewayForm, ListenerForm, gateway_key};
use crate::output::ResourceType;
use crate::{shortened, tls};

impl Translator {
    pub(super) fn of_gateway(
        &self,
        key: &ObjectKey,
        gateway: &KubernetesGateway,
        generation: Option<i64>,
    ) -> Found {
        let Some(form) = self.front.gateways.get(key) else {
            let class = &gateway.gateway_class_name;
            let text = match class.as_str() {
                DISTRIBUTED => "is for other clusters: it is not served here".to_owned(),
                _ => format!(
                    "GatewayClass {class} is not of this control plane ({CONTROLLER}): it is not served here"
                ),
            };
            return Found {
                problems: vec![Problem::warning("spec.gatewayClassName", text)],
                ..Found::default()
            };
        };
        let mut of = self.of_owner(key, (key, form), generation);
        of.found.problems.extend(form.own_problems());
        let mut own = of.summary(("Invalid", "no listener can be served"), generation);
        if let (Some(reason), Some(accepted)) = (form.refused(), own.first_mut()) {
            *accepted = Condition::of("Accepted", Err(reason), generation);
        }
        if let (Some(reason), Some(programmed)) = (form.unprogrammed(), own.last_mut())
            && programmed.status == Some(true)
        {
            *programmed = Condition::of("Programmed", Err(&reason), generation);
        }
        let resolved = form.unresolved(key);
        let resolved = resolved.as_ref().map_or(Ok("ResolvedRefs"), Err);
        own.push(Condition::of("ResolvedRefs", resolved, generation));
        if form.is_insecure {
            let kind = "InsecureFrontendValidationMode";
            let reason = "ConfigurationChanged";
            own.push(Condition::of(kind, Ok(reason), generation));
        }
        of.found.conditions = Some(Conditions {
            own,
            listeners: of.listeners,
            attached_sets: Some(form.attached_sets()),
            ..Conditions::default()
        });
        of.found
    }

    pub(super) fn of_set(&self, key: &ObjectKey, generation: Option<i64>) -> Found {
        let Some((gateway, form)) = self.gateway_with(key) else {
            // Whoever serves its gateway tells of it.
            let text = self.why_no_gateway(key);
            return Found {
                problems: vec![Problem::warning("spec.parentRef", text)],
                ..Found::default()
            };
        };
        let outcome = form.sets.get(key).and_then(|it| it.as_ref().err());
        if let Some(why) = outcome {
            let programmed = match why.reason {
                "NotAllowed" => why.clone(),
                _ => Reason::new("ParentNotProgrammed", why.message.clone()),
            };
            return Found {
                problems: vec![Problem::error("spec.parentRef", why.message.clone())],
                conditions: Some(Conditions {
                    own: vec![
                        Condition::of("Accepted", Err(why), generation),
                        Condition::of("Programmed", Err(&programmed), generation),
                    ],
                    ..Conditions::default()
                }),
                ..Found::default()
            };
        }
        let mut of = self.of_owner(key, (&gateway, form), generation);
        let none = ("ListenersNotValid", "none of its listeners can be served");
        let mut own = of.summary(none, generation);
        let above = self.of_owner(&gateway, (&gateway, form), generation);
        if let (Some(why), None) = (&above.unprogrammed, &of.unprogrammed)
            && let Some(programmed) = own.last_mut()
            && programmed.status == Some(true)
        {
            let text = format!("{gateway} is not programmed: {}", why.message);
            let reason = Reason::new("ParentNotProgrammed", text);
            *programmed = Condition::of("Programmed", Err(&reason), generation);
        }
        of.found.conditions = Some(Conditions {
            own,
            listeners: of.listeners,
            ..Conditions::default()
        });
        of.found
    }

    /// The listeners of a gateway itself or of one of its ListenerSets.
    fn of_owner(
        &self,
        owner: &ObjectKey,
        (key, form): (&ObjectKey, &GatewayForm),
        generation: Option<i64>,
    ) -> OfOwner {
        let mut of = OfOwner::default();
        of.found.problems.extend(form.problems(owner));
        let mut refused: BTreeMap<u16, Reason> = BTreeMap::new();
        let mut pending: BTreeMap<u16, Reason> = BTreeMap::new();
        for port in form.ports() {
            let at = |it: &&ListenerForm| it.bound == port && it.is_served();
            let Some(first) = form.of(owner).map(|(_, it)| it).find(at) else {
                continue;
            };
            let within = gateway_key(key, port);
            for proxy in self.listeners.bound(&within) {
                of.found.proxies.entry(proxy.to_string()).or_default();
            }
            pending.extend(self.unanswered(&within).map(|why| (port, why)));
            for problem in self.problems_within(&within) {
                if problem.level == ProblemLevel::Error {
                    let reason = Reason::new("Invalid", problem.text.clone());
                    refused.entry(port).or_insert(reason);
                }
                of.found.problems.push(Problem {
                    field: first.path.clone(),
                    ..problem
                });
            }
        }
        let attached = self.front.attached.get(key);
        let mut refused_certificates = Vec::new();
        for (index, listener) in form.of(owner) {
            let attached = attached.and_then(|counts| counts.get(&index));
            let attached = attached.copied().unwrap_or_default();
            let bound = &listener.bound;
            let certificate = self.refused_certificate(listener);
            if let Some(why) = &certificate {
                let problem = Problem::error(listener.path.as_str(), why.message.as_str());
                of.found.problems.push(problem);
                refused_certificates.push(why.clone());
            }
            let unprogrammed = refused.get(bound).or(certificate.as_ref());
            let unprogrammed = unprogrammed.or_else(|| pending.get(bound));
            of.is_served |= listener.is_served();
            if !listener.is_served() {
                of.bad.push(listener.name.clone());
            }
            let told = of_listener(listener, attached, unprogrammed, generation);
            of.listeners.push(told);
        }
        let refused = refused.into_values().chain(refused_certificates);
        of.unprogrammed = refused.chain(pending.into_values()).next();
        of
    }

    /// What an Envoy says against a listener's certificate of which it has no other form.
    fn refused_certificate(&self, listener: &ListenerForm) -> Option<Reason> {
        let verdicts = self.verdicts.iter();
        let mut verdicts = verdicts.filter(|(id, _)| id.kind == ResourceType::Secret);
        verdicts.find_map(|(id, words)| {
            let resource = self.resources.get(id)?;
            let ssl = listener.tls.ssl.iter();
            let mut secrets = ssl.flat_map(|ssl| tls::listener::secrets(ssl));
            let secret = secrets.find(|it| resource.provenance.contains(it))?;
            let words = shortened::middle(words);
            let text = format!("Envoy refuses {secret}: {words}");
            Some(Reason::new("Invalid", text))
        })
    }
}

/// What is found of the listeners of a gateway itself or of one of its ListenerSets.
#[derive(Default)]
struct OfOwner {
    found: Found,
    listeners: Vec<ListenerConditions>,
    /// The names of those that are not served.
    bad: Vec<String>,
    is_served: bool,
    /// Why one that is served is not what Envoy does.
    unprogrammed: Option<Reason>,
}

impl OfOwner {
    /// What is told of all of them together; `none` is why nothing is programmed where none is served.
    fn summary(
        &self,
        (reason, text): (&'static str, &str),
        generation: Option<i64>,
    ) -> Vec<Condition> {
        let mut accepted = Condition::of("Accepted", Ok("Accepted"), generation);
        if !self.bad.is_empty() {
            accepted.reason = "ListenersNotValid";
            accepted.message = format!("not valid: {}", self.bad.join(", "));
            accepted.status = Some(self.bad.len() < self.listeners.len());
        }
        let none = (!self.is_served).then(|| Reason::new(reason, text));
        let programmed = none.as_ref().or(self.unprogrammed.as_ref());
        let programmed = programmed.map_or(Ok("Programmed"), Err);
        vec![
            accepted,
            Condition::of("Programmed", programmed, generation),
        ]
    }
}

fn of_listener(
    listener: &ListenerForm,
    attached_routes: usize,
    unprogrammed: Option<&Reason>,
    generation: Option<i64>,
) -> ListenerConditions {
    let outcome = |reason: Option<&'_ Reason>, good| match reason {
        Some(reason) => Err(Reason::clone(reason)),
        None => Ok(good),
    };
    let own = listener.refused.as_ref().or(listener.conflict.as_ref());
    let accepted = outcome(own, "Accepted");
    let resolved = outcome(listener.unresolved.as_ref(), "ResolvedRefs");
    let conflicted = outcome(listener.conflict.as_ref(), "NoConflicts");
    let invalid = own.or(listener.tls.unusable.as_ref());
    let invalid = invalid.map(|why| Reason::new("Invalid", why.message.clone()));
    // The conformance tests of ListenerSets want the conflict's own reason here, those of Gateways do not look.
    let invalid = listener.conflict.clone().or(invalid);
    let programmed = outcome(invalid.as_ref().or(unprogrammed), "Programmed");
    let of = |kind, outcome: &Result<&'static str, Reason>| {
        Condition::of(kind, outcome.as_ref().copied(), generation)
    };
    let mut conditions = vec![
        of("Accepted", &accepted),
        Condition::against("Conflicted", conflicted.as_ref().copied(), generation),
        of("Programmed", &programmed),
        of("ResolvedRefs", &resolved),
    ];
    if let Some(other) = &listener.overlap {
        // "This is a negative polarity condition and MUST NOT be set when it is False."
        let text = format!("some of its hosts are those of listener {other}, too");
        let overlap = Reason::new("OverlappingHostnames", text);
        let told = Condition::against("OverlappingTLSConfig", Err(&overlap), generation);
        conditions.push(told);
    }
    ListenerConditions {
        name: listener.name.clone(),
        supported_kinds: listener.supported_kinds(),
        attached_routes,
        conditions,
    }
}
