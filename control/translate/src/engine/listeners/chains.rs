//! Which connections are whose: Envoy refuses a whole listener for two filter chains that match the same.

use std::collections::BTreeMap;

use tenon_model::{CidrRange, ObjectKey, Problem};

use super::parts::{Origin, Problems, TcpSite};
use super::site::{Group, Site};

/// A filter chain.
pub(super) struct Link {
    pub(super) to: To,
    /// The names that clients ask for; none: any.
    pub(super) names: Vec<String>,
}

/// Where a filter chain leads.
pub(super) enum To {
    /// To the site at this place.
    Plain(usize),
    /// The same, and a group of it.
    Tls(usize, usize),
    /// To the TCP site at this place, and a chain of it.
    Tcp(usize, usize),
}

/// Who has the connections of these clients that ask for this name, if any.
#[derive(Default)]
struct Taken(BTreeMap<(Option<CidrRange>, Option<String>), (usize, String)>);

/// The chains of a gateway, and who asks for what others have.
pub(super) fn connect(sites: &[Site], tcp: &[TcpSite]) -> (Vec<Link>, Problems) {
    let mut links = Vec::new();
    let mut conflicts = Problems::new();
    let mut taken = Taken::default();
    for (place, site) in sites.iter().enumerate() {
        let id = links.len();
        if !site.is_tls {
            match taken.take(&site.origin, None, id, &site.origin.label()) {
                Ok(()) => links.push(Link {
                    to: To::Plain(place),
                    names: Vec::new(),
                }),
                Err(label) => site
                    .origin
                    .complain(&site.origin.path, &label, &mut conflicts),
            }
        }
        tls((place, site), false, &mut links, &mut taken, &mut conflicts);
    }
    // What they ask for goes to others first.
    for site in sites.iter().enumerate() {
        tls(site, true, &mut links, &mut taken, &mut conflicts);
    }
    for (place, site) in tcp.iter().enumerate() {
        for (number, chain) in site.form.chains.iter().enumerate() {
            let id = links.len();
            let label = format!("{} of {}", chain.path, site.origin.label());
            let mut names = Vec::new();
            let mut refused = false;
            let mut take = |name: Option<&str>| match taken.take(&site.origin, name, id, &label) {
                Ok(()) => names.extend(name.map(str::to_owned)),
                Err(label) => {
                    refused = true;
                    site.origin.complain(&chain.path, &label, &mut conflicts);
                }
            };
            match &chain.names[..] {
                [] => take(None),
                all => all.iter().for_each(|name| take(Some(name))),
            }
            if !refused || !names.is_empty() {
                links.push(Link {
                    to: To::Tcp(place, number),
                    names,
                });
            }
        }
    }
    (links, conflicts)
}

/// The chains of a site's certificates, of those that ask last or of the others.
fn tls(
    (place, site): (usize, &Site),
    is_last: bool,
    links: &mut Vec<Link>,
    taken: &mut Taken,
    conflicts: &mut Problems,
) {
    let groups = site.plan.groups.iter().enumerate();
    for (number, group) in groups.filter(|(_, group)| group.is_last == is_last) {
        if let Some(names) = names(links.len(), &site.origin, group, taken, conflicts) {
            links.push(Link {
                to: To::Tls(place, number),
                names,
            });
        }
    }
}

/// The names that a group gets, if it gets any.
fn names(
    id: usize,
    origin: &Origin,
    group: &Group,
    taken: &mut Taken,
    conflicts: &mut Problems,
) -> Option<Vec<String>> {
    let label = |host: &ObjectKey| format!("VirtualService {}/{}", host.namespace, host.name);
    let mut complain = |host: &ObjectKey, problem| {
        let of_host = conflicts.entry(Some(host.clone())).or_default();
        of_host.insert(problem);
    };
    // As with Gloo: for any name if one of them is.
    if let Some((host, _)) = group.members.iter().find(|(_, names)| names.is_empty()) {
        return match taken.take(origin, None, id, &label(host)) {
            Ok(()) => Some(Vec::new()),
            Err(owner) => {
                let text =
                    format!("connections that ask for any name are served otherwise, by {owner}");
                complain(host, Problem::error("spec.sslConfig", text));
                None
            }
        };
    }
    let mut own = Vec::new();
    for (host, names) in &group.members {
        for (index, name) in names.iter().enumerate() {
            match taken.take(origin, Some(name), id, &label(host)) {
                Ok(()) if own.contains(name) => {}
                Ok(()) => own.push(name.clone()),
                Err(owner) => {
                    let text = format!("{name:?} is served with another certificate, by {owner}");
                    let field = format!("spec.sslConfig.sniDomains[{index}]");
                    complain(host, Problem::error(field, text));
                }
            }
        }
    }
    (!own.is_empty()).then_some(own)
}

impl Taken {
    fn take(
        &mut self,
        origin: &Origin,
        name: Option<&str>,
        id: usize,
        label: &str,
    ) -> Result<(), String> {
        let sources: Vec<_> = match &origin.sources[..] {
            [] => vec![None],
            sources => sources.iter().copied().map(Some).collect(),
        };
        let key = |source| (source, name.map(str::to_owned));
        for source in &sources {
            if let Some((owner, label)) = self.0.get(&key(*source))
                && *owner != id
            {
                return Err(label.clone());
            }
        }
        for source in sources {
            self.0.entry(key(source)).or_insert((id, label.to_owned()));
        }
        Ok(())
    }
}

impl Origin {
    fn label(&self) -> String {
        match &self.owner {
            Some(owner) => format!("{owner}"),
            None => format!("{} of its gateway", self.path),
        }
    }

    fn complain(&self, path: &str, label: &str, conflicts: &mut Problems) {
        let text = format!("the same connections are those of {label} already");
        let of_owner = conflicts.entry(self.owner.clone()).or_default();
        of_owner.insert(Problem::error(path, text));
    }
}
