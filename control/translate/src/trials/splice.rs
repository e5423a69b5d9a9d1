//! Route tables, virtual host by virtual host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use tenon_model::{Kind, ObjectKey};

use super::held::Told;
use crate::output::{Resource, ResourceId, ResourceType};
use crate::route_table::VIRTUAL_HOSTS;
use crate::rules::shape::Part;
use crate::virtual_host::DOMAINS;
use crate::{names, wire};

/// Whose virtual hosts of a table are, by name.
pub(super) fn hosts_of(table: &Resource) -> BTreeMap<String, &ObjectKey> {
    let stems = table.provenance.iter();
    let hosts = stems.filter(|key| key.kind == Kind::VirtualService);
    hosts.map(|key| (names::virtual_host(key), key)).collect()
}

/// The encoded virtual hosts of a table, and whose they are.
pub(super) fn hosts(table: &Resource) -> impl Iterator<Item = (Option<&ObjectKey>, &[u8])> {
    let keys = hosts_of(table);
    let parts = Part::of(ResourceType::Route, table).into_iter();
    parts.map(move |part| {
        let key = part.host().and_then(|name| keys.get(name).copied());
        (key, part.bytes())
    })
}

/// Whether a table has a virtual host in this form.
pub(super) fn has(table: Option<&Resource>, host: &Part<'_>) -> bool {
    let parts = table
        .into_iter()
        .flat_map(|it| Part::of(ResourceType::Route, it));
    host.host().is_some() && parts.into_iter().any(|it| it.bytes() == host.bytes())
}

/// A table with the virtual hosts of before in the place of some: those of its own, or what other tables of the proxy had
/// for its domains. What new ones ask for is theirs.
pub(super) fn splice(
    (told, id): (&Told, &ResourceId),
    table: &Arc<Resource>,
    is_held: impl Fn(&ObjectKey) -> bool,
) -> Arc<Resource> {
    let (head, _) = wire::split(&table.value, VIRTUAL_HOSTS);
    let mut spliced = head.to_vec();
    let held = |key: Option<&ObjectKey>| key.is_some_and(&is_held);
    let mut before: BTreeMap<ObjectKey, Vec<u8>> = BTreeMap::new();
    for (key, host) in told.get(id).iter().flat_map(|it| hosts(it)) {
        if let Some(key) = key.filter(|key| is_held(key)) {
            before.insert(key.clone(), host.to_vec());
        }
    }
    let new = hosts(table).filter(|(key, _)| !held(*key));
    let mut taken: BTreeSet<String> = new.flat_map(|(_, host)| domains(host)).collect();
    let mut stays = |host: Vec<u8>| with_domains(&host, |it| taken.insert(it));
    for (key, host) in hosts(table) {
        let host = match key.filter(|key| is_held(key)) {
            Some(key) => {
                let own = before.remove(key);
                let own = own.or_else(|| host_before((told, id), key, host));
                own.and_then(&mut stays)
            }
            None => Some(host.to_vec()),
        };
        if let Some(host) = host {
            wire::append(&mut spliced, VIRTUAL_HOSTS, &host);
        }
    }
    let mut stems: Vec<ObjectKey> = table.provenance.to_vec();
    for (key, host) in before {
        if let Some(host) = stays(host) {
            wire::append(&mut spliced, VIRTUAL_HOSTS, &host);
            stems.push(key);
        }
    }
    match *spliced == table.value[..] {
        true => table.clone(),
        false => Resource::new(Bytes::from(spliced), stems.into()),
    }
}

/// What other tables of the proxy had of a virtual host, for the domains that it has here.
fn host_before((told, id): (&Told, &ResourceId), key: &ObjectKey, new: &[u8]) -> Option<Vec<u8>> {
    let tables = told
        .iter()
        .filter(|(it, _)| it.proxy == id.proxy && it.kind == ResourceType::Route)
        .filter(|(_, table)| table.provenance.contains(key));
    let all: Vec<&[u8]> = tables
        .flat_map(|(_, table)| hosts(table))
        .filter(|(it, _)| *it == Some(key))
        .map(|(_, host)| host)
        .collect();
    let old: BTreeSet<String> = all.iter().flat_map(|host| domains(host)).collect();
    let (body, _) = wire::split(all.first()?, DOMAINS);
    let mut host = body.to_vec();
    let (_, wanted) = wire::split(new, DOMAINS);
    for domain in wanted {
        wire::append(&mut host, DOMAINS, domain);
    }
    with_domains(&host, |it| old.contains(&it))
}

/// The domains of a virtual host, as Envoy compares them.
fn domains(host: &[u8]) -> Vec<String> {
    let (_, domains) = wire::split(host, DOMAINS);
    domains.into_iter().map(in_lower_case).collect()
}

fn in_lower_case(domain: &[u8]) -> String {
    String::from_utf8_lossy(domain).to_ascii_lowercase()
}

/// A virtual host with those of its domains that may stay; nothing without any.
fn with_domains(host: &[u8], mut stays: impl FnMut(String) -> bool) -> Option<Vec<u8>> {
    let (body, domains) = wire::split(host, DOMAINS);
    let mut all = body.to_vec();
    let mut any = false;
    for domain in domains {
        if stays(in_lower_case(domain)) {
            wire::append(&mut all, DOMAINS, domain);
            any = true;
        }
    }
    any.then_some(all)
}
