//! Which connections are whose: Envoy refuses a whole listener for two filter chains that match the same.

use std::collections::{BTreeMap, BTreeSet};

use tenon_model::{ObjectKey, Problem};

use super::site::{Group, Site};

/// A filter chain.
pub(super) struct Link {
    /// The place of its site.
    pub(super) site: usize,
    /// The place of its group there, if it speaks TLS.
    pub(super) group: Option<usize>,
    /// The names that clients ask for; none: any.
    pub(super) names: Vec<String>,
}

type Conflicts = BTreeMap<ObjectKey, BTreeSet<Problem>>;

/// Who has the connections that ask for a name, or for any.
#[derive(Default)]
struct Taken<'a>(BTreeMap<Option<&'a str>, (usize, &'a ObjectKey)>);

/// The chains of a gateway, and the virtual services that ask for what others have.
pub(super) fn connect(sites: &[Site]) -> (Vec<Link>, Conflicts) {
    let mut links = Vec::new();
    let mut conflicts = Conflicts::new();
    let mut taken = Taken::default();
    for (place, site) in sites.iter().enumerate() {
        if !site.is_tls {
            links.push(Link {
                site: place,
                group: None,
                names: Vec::new(),
            });
        }
        for (number, group) in site.plan.groups.iter().enumerate() {
            let id = links.len();
            if let Some(names) = names(id, group, &mut taken, &mut conflicts) {
                links.push(Link {
                    site: place,
                    group: Some(number),
                    names,
                });
            }
        }
    }
    (links, conflicts)
}

/// The names that a group gets, if it gets any.
fn names<'a>(
    id: usize,
    group: &'a Group,
    taken: &mut Taken<'a>,
    conflicts: &mut Conflicts,
) -> Option<Vec<String>> {
    let mut complain = |host: &ObjectKey, problem| {
        conflicts.entry(host.clone()).or_default().insert(problem);
    };
    // As with Gloo: for any name if one of them is.
    if let Some((host, _)) = group.members.iter().find(|(_, names)| names.is_empty()) {
        return match taken.take(None, id, host) {
            Ok(()) => Some(Vec::new()),
            Err(owner) => {
                let text = format!(
                    "connections that ask for any name are served with another certificate, of VirtualService {}/{}",
                    owner.namespace, owner.name
                );
                complain(host, Problem::error("spec.sslConfig", text));
                None
            }
        };
    }
    let mut own = Vec::new();
    for (host, names) in &group.members {
        for (index, name) in names.iter().enumerate() {
            match taken.take(Some(name), id, host) {
                Ok(()) if own.contains(name) => {}
                Ok(()) => own.push(name.clone()),
                Err(owner) => {
                    let text = format!(
                        "{name:?} is served with another certificate, of VirtualService {}/{}",
                        owner.namespace, owner.name
                    );
                    let field = format!("spec.sslConfig.sniDomains[{index}]");
                    complain(host, Problem::error(field, text));
                }
            }
        }
    }
    (!own.is_empty()).then_some(own)
}

impl<'a> Taken<'a> {
    fn take(
        &mut self,
        name: Option<&'a str>,
        id: usize,
        host: &'a ObjectKey,
    ) -> Result<(), &'a ObjectKey> {
        let (owner, of) = self.0.entry(name).or_insert((id, host));
        match *owner == id {
            true => Ok(()),
            false => Err(of),
        }
    }
}
