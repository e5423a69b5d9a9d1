//! Options that say themselves what they attach to: to routes, to listeners and their hosts.

use std::collections::{BTreeMap, BTreeSet};

use tenon_model::gateway_api::{GROUP, ParentRef};
use tenon_model::{
    Gateway, GatewayType, Kind, MatchedGatewayType, Object, ObjectKey, ObjectRef, OptionsRefs,
    Problem, Spec,
};

use super::super::{Entry, Translator, Work};
use super::statuses::ROUTES;
use crate::gateway_api::conditions::{Condition, Conditions, ParentConditions};
use crate::gateway_api::listeners::{GatewayForm, gateway_key};
use crate::gateway_api::options::{self, Attached, Target};
use crate::gateway_api::{Reason, hostname};
use crate::keyed::Readers;
use crate::keys::Keys;
use crate::names;

/// Which options attach to what.
#[derive(Default)]
pub(super) struct Attaching {
    /// The options that name something.
    by_target: Readers,
    /// What options name.
    targets: BTreeMap<ObjectKey, Keys>,
    /// What is attached to gateways.
    gateways: BTreeMap<ObjectKey, Attached>,
}

impl Attaching {
    /// The options that name something.
    pub(super) fn of(&self, target: &ObjectKey) -> impl Iterator<Item = &ObjectKey> {
        self.by_target.sorted_of(target)
    }

    /// What options name.
    pub(super) fn targets_of(&self, options: &ObjectKey) -> impl Iterator<Item = &ObjectKey> {
        let targets = self.targets.get(options).into_iter();
        targets.flat_map(Keys::iter)
    }
}

impl Translator {
    /// Finds out what options name now; that is looked at again.
    pub(super) fn derive_targets(&mut self, key: ObjectKey, work: &mut Work) {
        let spec = self.objects.spec(&key);
        let named = spec.map(|spec| options::targets(&key, spec));
        let named = named.into_iter().flatten().map(|it| it.key);
        let new: Keys = named.collect::<BTreeSet<_>>().into();
        let attaching = &mut self.front.attaching;
        let old = attaching.targets.remove(&key).unwrap_or_default();
        attaching.by_target.reindex(&key, &old, &new);
        for target in old.clone().with(new.iter().cloned()) {
            match target.kind {
                kind if super::is_route(kind) => {
                    // Those that leave it requests have them, too.
                    let above = self.front.readers.of(&target);
                    work.front.routes.extend(above.cloned());
                    work.front.routes.insert(target);
                }
                Kind::ListenerSet => match self.front.sets.gateway(&target) {
                    Some(gateway) => work.front.attached.insert(gateway.clone()),
                    None => continue,
                },
                _ => work.front.attached.insert(target),
            }
        }
        if new.iter().next().is_some() {
            self.front.attaching.targets.insert(key, new);
        }
    }

    /// What is attached to a gateway: its listeners in Envoy have it, and its hosts.
    pub(super) fn derive_attached(&mut self, key: ObjectKey, work: &mut Work) {
        work.front.ports.insert(key.clone());
        let form = self.front.gateways.get(&key).cloned();
        let new = form.as_ref().map(|form| {
            let owners = form.sets.keys().chain([&key]);
            let named: BTreeSet<_> = owners.flat_map(|it| self.front.attaching.of(it)).collect();
            let named = named.into_iter();
            let objects = named.filter_map(|option| self.objects.object(option));
            Attached::new(&key, form, &options::by_age(objects))
        });
        let attaching = &mut self.front.attaching;
        let old = attaching.gateways.remove(&key).unwrap_or_default();
        for owner in self.front.sets.of(&key).chain([&key]) {
            work.statuses.extend(attaching.of(owner).cloned());
        }
        let lost = new.iter().flat_map(|it| it.lost.keys());
        work.statuses.extend(old.lost.keys().chain(lost).cloned());
        let Some(new) = new else {
            return;
        };
        if old.of_hosts != new.of_hosts {
            let hosts = self.front.hosts.keys();
            let own = hosts.filter(|host| place_of(host).is_some_and(|(it, _)| it == key));
            work.front.hosts.extend(own.cloned());
        }
        self.front.attaching.gateways.insert(key, new);
    }

    /// Gives a gateway the options that attach to its port.
    pub(super) fn set_options(&self, key: &ObjectKey, gateway: &mut Gateway) {
        let attached = self.front.attaching.gateways.get(key);
        let port = gateway.bind_port;
        let Some(of_port) = attached.and_then(|it| it.of_ports.get(&port)) else {
            return;
        };
        let spec = |key: &Option<ObjectKey>| self.objects.spec(key.as_ref()?);
        if let Some(Spec::ListenerOption(option)) = spec(&of_port.listener) {
            gateway.options = option.options.clone();
        }
        let Some(Spec::HttpListenerOption(option)) = spec(&of_port.http) else {
            return;
        };
        match &mut gateway.kind {
            Some(GatewayType::HttpGateway(http)) => http.options = option.options.clone(),
            Some(GatewayType::HybridGateway(hybrid)) => {
                for matched in &mut hybrid.matched_gateways {
                    if let MatchedGatewayType::HttpGateway(http) = &mut matched.kind {
                        http.options = option.options.clone();
                    }
                }
            }
            _ => {}
        }
    }

    /// The RouteOptions that name a route, the oldest first.
    pub(super) fn options_of_route(&self, key: &ObjectKey) -> Vec<ObjectRef> {
        let named = self.front.attaching.of(key);
        let objects = named.filter_map(|option| self.objects.object(option));
        let oldest_first = options::by_age(objects).into_iter();
        let references = oldest_first.map(|object| ObjectRef {
            namespace: object.key.namespace.clone(),
            name: object.key.name.clone(),
        });
        references.collect()
    }

    /// The VirtualHostOptions of a host: those of the listener that its requests belong to.
    pub(super) fn options_of_host(&self, host: &ObjectKey, domain: &str) -> OptionsRefs {
        let found = || {
            let (gateway, _, listener) = self.home_of(host, domain)?;
            let attached = self.front.attaching.gateways.get(&gateway)?;
            attached.of_hosts.get(listener).cloned()
        };
        OptionsRefs {
            delegate_options: found().unwrap_or_default(),
            ..OptionsRefs::default()
        }
    }

    /// The gateway of a host, and the place of the listener that its requests belong to.
    pub(super) fn home_of(
        &self,
        host: &ObjectKey,
        domain: &str,
    ) -> Option<(ObjectKey, &GatewayForm, usize)> {
        let (gateway, bound) = place_of(host)?;
        let form = self.front.gateways.get(&gateway)?;
        let all = form.at(bound);
        let all = all.map(|(index, it)| (index, it.hostname.as_deref()));
        let listener = hostname::owner(domain, all)?;
        Some((gateway, form, listener))
    }

    /// A problem with options where they are used, at the place that users wrote.
    pub(in crate::engine) fn as_written(&self, host: &ObjectKey, problem: &Problem) -> Problem {
        let written = || {
            let (text, place) = problem.text.rsplit_once(" (at ")?;
            let Some(rest) = place.strip_prefix(ROUTES) else {
                // Of the whole host.
                let domain = &self.front.hosts.get(host)?.domain(host);
                let (_, form, listener) = self.home_of(host, domain)?;
                let listener = form.listeners.get(listener)?;
                let (path, owner) = (&listener.path, &listener.owner);
                return Some(format!("{text} (at {path} of {owner})"));
            };
            let index: usize = rest.split(']').next()?.parse().ok()?;
            let (owner, compiled) = self.compiled(host).nth(index)?;
            let rule = compiled.source.rule;
            Some(format!("{text} (at spec.rules[{rule}] of {owner})"))
        };
        let text = match names::is_internal(host) {
            true => written(),
            false => None,
        };
        Problem {
            text: text.unwrap_or_else(|| problem.text.clone()),
            ..problem.clone()
        }
    }

    /// What becomes of options where they attach.
    pub(in crate::engine) fn add_targets(
        &self,
        object: &Object,
        problems: &mut Vec<Problem>,
        proxies: &mut BTreeMap<String, Vec<Problem>>,
    ) {
        let targets = options::targets(&object.key, &object.spec);
        for (index, target) in targets.iter().enumerate() {
            if let Err(reason) = self.outcome(target) {
                let field = format!("spec.targetRefs[{index}]");
                let text = format!("attaches to nothing: {}", reason.message);
                problems.push(Problem::warning(field, text));
                continue;
            }
            let Some((key, form)) = self.gateway_with(&target.key) else {
                continue;
            };
            let Some(attached) = self.front.attaching.gateways.get(&key) else {
                continue;
            };
            let lost = attached.lost.get(&object.key).into_iter().flatten();
            let lost = lost.filter(|(place, _)| is_meant(target, form, **place));
            problems.extend(lost.map(|(_, text)| Problem::warning("", text.clone())));
            for (port, of_port) in &attached.of_ports {
                let within = match &object.key {
                    it if of_port.listener.as_ref() == Some(it) => "spec.options",
                    it if of_port.http.as_ref() == Some(it) => "spec.httpGateway.options",
                    _ => continue,
                };
                let gateway = gateway_key(&key, *port);
                for proxy in self.listeners.bound(&gateway) {
                    proxies.entry(proxy.to_string()).or_default();
                }
                problems.extend(self.problems_of_options_of_port(&gateway, within));
            }
        }
    }

    /// What is wrong with a listener's options, where they are written.
    fn problems_of_options_of_port(&self, gateway: &ObjectKey, within: &str) -> Vec<Problem> {
        let problems = self.listeners.problems(gateway).into_iter();
        let own = problems.filter_map(|problem| {
            let rest = problem.field.strip_prefix(within)?;
            let field = format!("spec.options{rest}");
            Some(Problem { field, ..problem })
        });
        own.collect()
    }

    /// Whether there is what options name.
    fn outcome(&self, target: &Target) -> Result<(), Reason> {
        let missing = |text: String| Err(Reason::new("TargetNotFound", text));
        let key = &target.key;
        match key.kind {
            Kind::HttpRoute if self.front.routes.contains_key(key) => return Ok(()),
            Kind::HttpRoute | Kind::KubernetesGateway | Kind::ListenerSet => {}
            kind => return missing(format!("no {kind} {} is served", reference(key))),
        }
        let Some((_, form)) = self.gateway_with(key) else {
            return missing(self.why_no_gateway(key));
        };
        if let Some(Err(why)) = form.sets.get(key) {
            return missing(why.message.clone());
        }
        match &target.section {
            Some(name) if !form.of(key).any(|(_, it)| it.name == *name) => {
                missing(format!("{key} has no listener {name}"))
            }
            _ => Ok(()),
        }
    }

    /// Whether no listener that is meant has options, because of others.
    fn conflict(&self, options: &ObjectKey, target: &Target) -> Result<&'static str, Reason> {
        let lost = || {
            let (gateway, form) = self.gateway_with(&target.key)?;
            let attached = self.front.attaching.gateways.get(&gateway)?;
            let lost = attached.lost.get(options)?;
            let meant = (0..form.listeners.len()).filter(|place| is_meant(target, form, *place));
            let texts: Option<Vec<_>> = meant.map(|place| lost.get(&place).cloned()).collect();
            texts
        };
        match lost() {
            Some(texts) => Err(Reason::new("Conflicted", texts.join("; "))),
            None => Ok("Accepted"),
        }
    }

    /// What became of options at each of those that they name, as policies tell it.
    pub(in crate::engine) fn conditions_of_options(&self, entry: &Entry) -> Option<Conditions> {
        let object = entry.object.as_ref()?;
        let generation = object.metadata.as_ref().and_then(|it| it.generation);
        let targets = options::targets(&object.key, &object.spec);
        let parents = targets.iter().map(|target| {
            let outcome = self.outcome(target);
            let outcome = outcome.and_then(|()| self.conflict(&object.key, target));
            let outcome = outcome.as_ref().copied();
            ParentConditions {
                parent: parent(target),
                conditions: vec![Condition::of("Accepted", outcome, generation)],
            }
        });
        let parents: Vec<_> = parents.collect();
        (!parents.is_empty()).then(|| Conditions {
            parents,
            ..Conditions::default()
        })
    }
}

fn parent(target: &Target) -> ParentRef {
    ParentRef {
        group: GROUP.to_owned(),
        kind: target.key.kind.to_string(),
        namespace: None,
        name: target.key.name.to_string(),
        section_name: target.section.clone(),
        port: None,
    }
}

/// Whether options that name a gateway or a ListenerSet mean one of its listeners.
fn is_meant(target: &Target, form: &GatewayForm, place: usize) -> bool {
    let listener = form.listeners.get(place);
    listener.is_some_and(|it| {
        let of_section = |name: &String| it.owner == target.key && *name == it.name;
        let of_whole = it.owner == target.key || target.key.kind == Kind::KubernetesGateway;
        target.section.as_ref().map_or(of_whole, of_section)
    })
}

fn reference(key: &ObjectKey) -> String {
    format!("{}/{}", key.namespace, key.name)
}

/// The gateway and the port of a host, which are in its name.
fn place_of(host: &ObjectKey) -> Option<(ObjectKey, u16)> {
    let (gateway, rest) = host.name.split_once("~listener~")?;
    let port = rest.split('~').next()?.parse().ok()?;
    let gateway = ObjectKey {
        kind: Kind::KubernetesGateway,
        namespace: host.namespace.clone(),
        name: gateway.into(),
    };
    Some((gateway, port))
}
