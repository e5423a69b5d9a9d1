//! Options in resources of their own: who uses them, and what becomes of those that nobody does.

use std::collections::BTreeMap;
use std::sync::Arc;

use tenon_model::{Object, ObjectKey, Problem, RouteOptions, Spec, VirtualHostOptions};

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
        match self.objects.has(key) {
            true => Absent::Rejected,
            false => Absent::Missing,
        }
    }

    /// What is wrong with options where they are used, which proxies have them, and whether they are of any use at all.
    pub(super) fn add_uses_of_options(
        &self,
        object: &Object,
        problems: &mut Vec<Problem>,
        proxies: &mut BTreeMap<String, Vec<Problem>>,
    ) {
        let (attaches, who) = match &object.spec {
            Spec::RouteOption(option) => (!option.target_refs.is_empty(), "no route refers to it"),
            Spec::VirtualHostOption(option) => (
                !option.target_refs.is_empty(),
                "no VirtualService refers to it",
            ),
            Spec::ListenerOption(option) => (!option.target_refs.is_empty(), ELSEWHERE),
            Spec::HttpListenerOption(option) => (!option.target_refs.is_empty(), ELSEWHERE),
            _ => return,
        };
        let key = &object.key;
        let readers = self.readers.of(key);
        let mut is_used = false;
        for reader in readers {
            is_used = true;
            let unit = self.hosts.get(reader);
            let wrong = unit.into_iter().flat_map(|unit| &unit.problems_of_options);
            let wrong = wrong.filter(|(option, _)| option == key);
            problems.extend(wrong.map(|(_, problem)| self.as_written(reader, problem)));
            for proxy in self.listeners.served(reader) {
                proxies.entry(proxy.to_string()).or_default();
            }
        }
        if !is_used && !attaches {
            problems.push(Problem::warning("", format!("{who}: it has no effect")));
        }
        self.add_targets(object, problems, proxies);
    }
}

/// Gateways say theirs themselves.
const ELSEWHERE: &str =
    "it has no targetRefs, and a Gateway of gateway.solo.io says its options itself";
