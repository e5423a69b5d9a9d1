//! The virtual hosts of a listener: who gets which domain, and what is to be written anew after a change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_contract::scope::{PLACES, part, place};
use tenon_model::{ObjectKey, Problem};

use crate::keyed::Keyed;
use crate::route_table::Cut;

/// So many virtual hosts with wildcards, which are in every part of a table, a table in parts may have. With more, it is
/// one table however large it is.
const MOST_WILDCARDS: usize = 32;

/// How many parts a table in parts has at first.
const FEWEST_PARTS: u32 = 64;
/// It grows by this each time that it has grown so much, so that a part stays as large as it is.
const GROWTH: u32 = 4;

type Host = Arc<ObjectKey>;

/// Which hosts of requests a domain is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    /// One host, which has this place.
    Place(u32),
    /// Several.
    Wildcard,
}

/// A part of a listener's routes, which is one route configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// The hosts of this one of so many parts, and all with wildcards.
    One { parts: u32, number: u32 },
}

/// Of two virtual services that ask for the same domain the first gets it, in the order of their keys, because Envoy would
/// refuse the whole table.
#[derive(Default)]
pub(super) struct HostTable {
    /// What each virtual service asks for, in its own order.
    hosts: Keyed<Host, Vec<Arc<str>>>,
    /// Those that get a domain only if nobody else asks for it.
    last: BTreeSet<Host>,
    /// Who asks for a domain, sorted: the first gets it.
    claims: Keyed<Arc<str>, Vec<Host>>,
    /// The domains that somebody asks for, in no order that means anything.
    domains: BTreeMap<Slot, Vec<Arc<str>>>,
    dirty: BTreeSet<Slot>,
}

impl HostTable {
    /// Takes in which domains a virtual service asks for, and that it changed. Tells whose domains are other ones now.
    /// `is_last`: it gets one only if nobody else asks for it.
    pub(super) fn set(
        &mut self,
        key: &ObjectKey,
        domains: &[String],
        is_last: bool,
    ) -> BTreeSet<ObjectKey> {
        let old = self.hosts.remove_entry(key);
        if old.is_none() && domains.is_empty() {
            return BTreeSet::new();
        }
        let (host, old) = old.unwrap_or_else(|| (Arc::new(key.clone()), Vec::new()));
        let other_rank = match is_last {
            true => self.last.insert(host.clone()),
            false => self.last.remove(&host),
        };
        let mut changed = BTreeSet::new();
        if old.len() != domains.len() || old.iter().zip(domains).any(|(old, new)| **old != **new) {
            changed.insert(key.clone());
        }
        for domain in &old {
            self.dirty.insert(slot(domain));
            if other_rank || !domains.iter().any(|new| **new == **domain) {
                changed.extend(self.give_up(&host, domain));
            }
        }
        let mut asked = Vec::with_capacity(domains.len());
        for domain in domains {
            let kept = old.iter().find(|old| ***old == **domain);
            let domain = kept.cloned().unwrap_or_else(|| Arc::from(domain.as_str()));
            self.dirty.insert(slot(&domain));
            if other_rank || kept.is_none() {
                changed.extend(self.claim(&host, &domain));
            }
            asked.push(domain);
        }
        if !asked.is_empty() {
            self.hosts.insert(host, asked);
        }
        changed
    }

    /// Whose statuses are other ones now: those of all others, since the losers' name the winner.
    fn give_up(&mut self, host: &Host, domain: &Arc<str>) -> Vec<ObjectKey> {
        let Some(claimants) = self.claims.get_mut(domain) else {
            return Vec::new();
        };
        let was_first = claimants.first() == Some(host);
        claimants.retain(|it| it != host);
        let others = match was_first {
            true => keys(claimants),
            false => Vec::new(),
        };
        if claimants.is_empty() {
            self.claims.remove(domain);
            if let Some(domains) = self.domains.get_mut(&slot(domain)) {
                domains.retain(|it| it != domain);
            }
        }
        others
    }

    /// The same.
    fn claim(&mut self, host: &Host, domain: &Arc<str>) -> Vec<ObjectKey> {
        let claimants = self.claims.entry(domain.clone()).or_default();
        if claimants.is_empty() {
            let domains = self.domains.entry(slot(domain)).or_default();
            domains.push(domain.clone());
        }
        let rank = |it: &Host| (self.last.contains(it), it.clone());
        let place = claimants.partition_point(|it| rank(it) < rank(host));
        let others = match place {
            0 => keys(claimants),
            _ => Vec::new(),
        };
        claimants.insert(place, host.clone());
        others
    }

    fn owner(&self, domain: &Arc<str>) -> Option<&Host> {
        self.claims.get(domain)?.first()
    }

    fn has(&self, key: &ObjectKey, domain: &Arc<str>) -> bool {
        self.owner(domain).is_some_and(|owner| **owner == *key)
    }

    /// Whether a virtual service gets a domain.
    pub(super) fn serves(&self, key: &ObjectKey) -> bool {
        let domains = self.hosts.get(key);
        domains.is_some_and(|domains| domains.iter().any(|domain| self.has(key, domain)))
    }

    /// The virtual services that are in the table, with or without a domain, in no order that means anything.
    pub(super) fn keys(&self) -> impl Iterator<Item = &ObjectKey> {
        self.hosts.keys().map(|host| &**host)
    }

    /// What is wrong with a virtual service beside others.
    pub(super) fn problems(&self, key: &ObjectKey) -> Vec<Problem> {
        let domains = self.hosts.get(key).into_iter().flatten().enumerate();
        let lost = domains.filter_map(|(index, domain)| {
            let owner = self.owner(domain).filter(|owner| ***owner != *key)?;
            let text = format!(
                "domain {domain:?} is served by VirtualService {}/{} already",
                owner.namespace, owner.name
            );
            let field = format!("spec.virtualHost.domains[{index}]");
            Some(Problem::error(field, text))
        });
        lost.collect()
    }

    /// How it is to be served: with more than `parts_above` virtual hosts in parts, and with more than `more_parts_above` in
    /// more of them.
    pub(super) fn cut(&self, parts_above: usize, more_parts_above: usize) -> Cut {
        let hosts = self.hosts.len();
        let wildcards = self.domains.get(&Slot::Wildcard).map_or(0, Vec::len);
        if hosts <= parts_above || wildcards > MOST_WILDCARDS {
            return Cut::Whole;
        }
        let (mut parts, mut most) = (FEWEST_PARTS, more_parts_above);
        while hosts > most && parts < PLACES {
            parts *= GROWTH;
            most = most.saturating_mul(GROWTH as usize);
        }
        Cut::Parts(parts)
    }

    /// What changed since the last call.
    pub(super) fn take_changed(&mut self, cut: Cut) -> BTreeSet<Part> {
        let dirty = std::mem::take(&mut self.dirty);
        let parts = match (cut, dirty.last()) {
            (_, None) => return BTreeSet::new(),
            (Cut::Whole, _) | (_, Some(Slot::Wildcard)) => return Part::all(cut).collect(),
            (Cut::Parts(parts), _) => parts,
        };
        let places = dirty.into_iter().filter_map(|slot| match slot {
            Slot::Place(place) => Some(place),
            Slot::Wildcard => None,
        });
        let numbers = places.map(|place| part(place, parts));
        numbers.map(|number| Part::One { parts, number }).collect()
    }

    /// The virtual services of a part, in the order of their keys, and which domains they get there.
    pub(super) fn part(&self, part: Part) -> Vec<(&ObjectKey, Vec<&str>)> {
        let Part::One { parts, number } = part else {
            let hosts = self.hosts.sorted();
            return hosts
                .filter_map(|(host, asked)| self.domains_in((host, asked), None))
                .collect();
        };
        let each = PLACES / parts.max(1);
        let first = number.saturating_mul(each);
        let places = (
            Slot::Place(first),
            Slot::Place(first.saturating_add(each - 1)),
        );
        let mut owners: Vec<&Host> = [places, (Slot::Wildcard, Slot::Wildcard)]
            .into_iter()
            .flat_map(|(first, last)| self.domains.range(first..=last))
            .flat_map(|(_, domains)| domains)
            .filter_map(|domain| self.owner(domain))
            .collect();
        owners.sort_unstable();
        owners.dedup();
        owners
            .into_iter()
            .filter_map(|host| {
                let asked = self.hosts.get(host)?;
                self.domains_in((host, asked), Some((number, parts)))
            })
            .collect()
    }

    fn domains_in<'a>(
        &'a self,
        (host, asked): (&'a Host, &'a [Arc<str>]),
        of: Option<(u32, u32)>,
    ) -> Option<(&'a ObjectKey, Vec<&'a str>)> {
        let is_there = |domain: &Arc<str>| match (slot(domain), of) {
            (_, None) | (Slot::Wildcard, _) => true,
            (Slot::Place(place), Some((number, parts))) => part(place, parts) == number,
        };
        let domains: Vec<&str> = asked
            .iter()
            .filter(|domain| is_there(domain) && self.has(host, domain))
            .map(|domain| &**domain)
            .collect();
        (!domains.is_empty()).then_some((host, domains))
    }
}

impl Part {
    /// All parts of a table.
    pub(super) fn all(cut: Cut) -> Box<dyn Iterator<Item = Self>> {
        match cut {
            Cut::Parts(parts) => {
                Box::new((0..parts).map(move |number| Self::One { parts, number }))
            }
            Cut::Whole => Box::new(std::iter::once(Self::Whole)),
        }
    }
}

fn keys(hosts: &[Host]) -> Vec<ObjectKey> {
    hosts.iter().map(|host| ObjectKey::clone(host)).collect()
}

/// The model has a `*` at the start or end of a domain only.
fn slot(domain: &str) -> Slot {
    match domain.contains('*') {
        true => Slot::Wildcard,
        false => Slot::Place(place(domain.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use tenon_model::Kind;

    use super::*;

    #[test]
    fn parts_stay_as_large_in_a_table_of_any_size() {
        let mut table = HostTable::default();
        let mut sizes = Vec::new();
        let mut hosts: usize = 0;
        for most in [800, 3_200, 12_800, 51_200, 100_000] {
            while hosts < most {
                let key = ObjectKey {
                    kind: Kind::VirtualService,
                    namespace: "default".into(),
                    name: format!("h{hosts}").into(),
                };
                table.set(&key, &[format!("h{hosts}.example.com")], false);
                hosts += 1;
            }
            let Cut::Parts(parts) = table.cut(200, 800) else {
                panic!("{hosts} are whole");
            };
            let each = parts as usize;
            sizes.push((parts, hosts.div_ceil(each)));
            let number = part(place(b"h7.example.com"), parts);
            let edited = table.part(Part::One { parts, number });
            assert!(edited.len() < 40, "{hosts}: {}", edited.len());
        }
        assert_eq!(
            sizes,
            [(64, 13), (256, 13), (1_024, 13), (4_096, 13), (16_384, 7)]
        );
    }
}
