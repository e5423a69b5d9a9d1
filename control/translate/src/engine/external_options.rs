//! Options in resources of their own: who uses them, and what becomes of those that nobody does.

use std::collections::BTreeMap;
use std::sync::Arc;

use tenon_model::{
    ListenerTarget, ObjectKey, Problem, RouteOptions, RouteTarget, Spec, VirtualHostOptions,
};

use super::Translator;
use crate::external_options::{Absent, ExternalOptions};

impl ExternalOptions for Translator {
    fn route_options(&self, key: &ObjectKey) -> Result<&Arc<RouteOptions>, Absent> {
        match self.objects.spec(key) {
            Some(Spec::RouteOption(option)) => Ok(&option.options),
            _ => Err(self.why_not(key)),
        }
    }

    fn virtual_host_options(&self, key: &ObjectKey) -> Result<&Arc<VirtualHostOptions>, Absent> {
        match self.objects.spec(key) {
            Some(Spec::VirtualHostOption(option)) => Ok(&option.options),
            _ => Err(self.why_not(key)),
        }
    }
}

impl Translator {
    fn why_not(&self, key: &ObjectKey) -> Absent {
        match self.objects.0.contains_key(key) {
            true => Absent::Rejected,
            false => Absent::Missing,
        }
    }

    /// What is wrong with options where they are used, which proxies have them, and whether they are of any use at all.
    pub(super) fn add_uses_of_options(
        &self,
        key: &ObjectKey,
        spec: &Spec,
        problems: &mut Vec<Problem>,
        proxies: &mut BTreeMap<String, Vec<Problem>>,
    ) {
        let (targets, who) = match spec {
            Spec::RouteOption(option) => (
                targets(key, &option.target_refs),
                "no route of a VirtualService or RouteTable refers to it",
            ),
            Spec::VirtualHostOption(option) => (
                targets(key, &option.target_refs),
                "no VirtualService refers to it",
            ),
            Spec::ListenerOption(option) => (targets(key, &option.target_refs), ELSEWHERE),
            Spec::HttpListenerOption(option) => (targets(key, &option.target_refs), ELSEWHERE),
            _ => return,
        };
        let readers = self.readers.get(key).into_iter().flatten();
        let mut is_used = false;
        for reader in readers {
            is_used = true;
            let unit = self.hosts.get(reader);
            let wrong = unit.into_iter().flat_map(|unit| &unit.problems_of_options);
            let wrong = wrong.filter(|(option, _)| option == key);
            problems.extend(wrong.map(|(_, problem)| problem.clone()));
            for proxy in self.listeners.served(reader) {
                proxies.entry(proxy.to_string()).or_default();
            }
        }
        if !is_used && targets.is_empty() {
            problems.push(Problem::warning("", format!("{who}: it has no effect")));
        }
        problems.extend(targets);
    }
}

/// Gateways say theirs themselves.
const ELSEWHERE: &str =
    "it has no targetRefs, and a Gateway of gateway.solo.io says its options itself";

/// Something of the Gateway API that options attach to.
trait Target {
    fn kind(&self) -> &'static str;
    fn name(&self) -> &str;
}

impl Target for RouteTarget {
    fn kind(&self) -> &'static str {
        self.kind.name()
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl Target for ListenerTarget {
    fn kind(&self) -> &'static str {
        self.kind.name()
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// What options are to attach to and do not: none of it is served.
fn targets(key: &ObjectKey, targets: &[impl Target]) -> Vec<Problem> {
    let targets = targets.iter().enumerate();
    targets
        .map(|(index, target)| {
            let text = format!(
                "attaches to nothing: no {} {}/{} is served",
                target.kind(),
                key.namespace,
                target.name()
            );
            Problem::warning(format!("spec.targetRefs[{index}]"), text)
        })
        .collect()
}
