//! What a gateway serves over HTTP, and with which certificates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenon_model::{HttpGateway, Merge, ObjectKey, Problem, SslConfig, VirtualServices};
use xxhash_rust::xxh3::xxh3_64;

use super::super::Objects;
use super::super::host_table::{HostTable, Part};
use super::parts::Origin;
use crate::cluster::Secrets;
use crate::http_listener::{Found, HttpForm};
use crate::misdirected;
use crate::names;
use crate::route_table::Cut;
use crate::tls::listener::{self, ListenerTls};
use crate::virtual_host::Needs;

/// HTTP on some connections of a gateway.
pub(super) struct Site {
    pub(super) origin: Origin,
    pub(super) form: HttpForm,
    /// What its options depend on.
    pub(super) reads: BTreeSet<ObjectKey>,
    /// What the names of its route tables begin with.
    base: String,
    /// The virtual services that it has.
    pub(super) chosen: VirtualServices,
    pub(super) is_tls: bool,
    /// What each of them is served with, if it is for TLS.
    ssl: BTreeMap<ObjectKey, Ssl>,
    pub(super) plan: Plan,
    /// The route tables, by what their names begin with.
    pub(super) tables: BTreeMap<String, Table>,
    /// Its tables are of now, with all that changed.
    pub(super) is_new: bool,
}

/// What a virtual service is served with.
#[derive(PartialEq)]
pub(super) struct Ssl {
    /// As it says.
    pub(super) given: Arc<SslConfig>,
    /// The secrets of it that there were.
    pub(super) had: BTreeSet<ObjectKey>,
    /// Others' names go first.
    pub(super) is_last: bool,
}

/// A route table, and the filters that its routes need.
#[derive(Default)]
pub(super) struct Table {
    pub(super) hosts: HostTable,
    /// The virtual services that need filters of the listener, and which.
    pub(super) needs: BTreeMap<ObjectKey, Needs>,
    /// In which form it was told.
    cut: Option<Cut>,
}

/// Who is served with which certificate.
#[derive(Default, PartialEq)]
pub(super) struct Plan {
    pub(super) groups: Vec<Group>,
    /// The route tables of virtual services.
    homes: BTreeMap<ObjectKey, String>,
    problems: BTreeMap<ObjectKey, Problem>,
    /// The secrets that were looked at.
    reads: BTreeSet<ObjectKey>,
}

/// Virtual services whose `sslConfig` is the same, but for the names that it is for.
#[derive(PartialEq)]
pub(super) struct Group {
    pub(super) tls: ListenerTls,
    /// Their names are theirs only if nobody else asks for them.
    pub(super) is_last: bool,
    /// Their route table.
    pub(super) base: String,
    /// What they are told apart by from others in their table.
    pub(super) listener: Option<String>,
    /// They, and their names; none: any.
    pub(super) members: Vec<(ObjectKey, Vec<String>)>,
}

impl Site {
    pub(super) fn new(
        (base, origin): (&str, Origin),
        http: &HttpGateway,
        found: Found,
        is_tls: bool,
    ) -> Self {
        let mut tables = BTreeMap::new();
        if !is_tls {
            tables.insert(base.to_owned(), Table::default());
        }
        Self {
            origin,
            form: found.form,
            reads: found.reads,
            base: base.to_owned(),
            chosen: http.virtual_services(),
            is_tls,
            ssl: BTreeMap::new(),
            plan: Plan::default(),
            tables,
            is_new: true,
        }
    }

    /// Whether it has the virtual services of another one, in tables of the same names.
    pub(super) fn has_what(&self, other: &Self) -> bool {
        self.base == other.base && self.chosen == other.chosen && self.is_tls == other.is_tls
    }

    /// Goes on with what an earlier form of it came to.
    pub(super) fn take_over(&mut self, old: Self) {
        self.ssl = old.ssl;
        self.plan = old.plan;
        self.tables = old.tables;
        self.is_new = false;
    }

    /// Takes in a virtual service's `sslConfig`, and tells whether it is another one than before.
    pub(super) fn set_ssl(&mut self, host: &ObjectKey, ssl: Option<Ssl>) -> bool {
        match ssl.filter(|_| self.is_tls) {
            Some(ssl) if self.ssl.get(host) == Some(&ssl) => false,
            Some(ssl) => {
                self.ssl.insert(host.clone(), ssl);
                true
            }
            None => self.ssl.remove(host).is_some(),
        }
    }

    /// Finds out who is served with which certificate.
    ///
    /// Gloo has one route table for all, so that a client that is let in for one virtual service can ask for the host of
    /// another one, whatever certificate that one demands. Here virtual services that demand one are apart, if they do not
    /// turn away such requests themselves.
    pub(super) fn plan(&self, objects: &Objects) -> Plan {
        let isolates = Secrets::settings(objects)
            .gateway
            .isolate_virtual_hosts_by_ssl_config;
        let mut plan = Plan::default();
        let mut places: BTreeMap<(bool, &[String], ListenerTls), usize> = BTreeMap::new();
        for (host, own) in &self.ssl {
            let (given, is_last) = (&own.given, &own.is_last);
            let ssl = match &self.origin.defaults {
                Some(defaults) => &Arc::new(given.or(defaults)),
                None => given,
            };
            plan.reads.extend(listener::secrets(ssl));
            let tls = match listener::translate("spec.sslConfig", ssl, &objects.as_served(&own.had))
            {
                Ok(tls) => tls,
                Err(problem) => {
                    plan.problems.insert(host.clone(), problem);
                    continue;
                }
            };
            let names = match ssl.is_apart {
                true => &given.sni_domains[..],
                false => &[],
            };
            let place =
                *places
                    .entry((*is_last, names, tls))
                    .or_insert_with_key(|(is_last, _, tls)| {
                        let listener = misdirected::listener(ssl).map(str::to_owned);
                        let base = match (tls.verifies || isolates) && listener.is_none() {
                            true => format!("{}-{:016x}", self.base, xxh3_64(&tls.context)),
                            false => self.base.clone(),
                        };
                        plan.groups.push(Group {
                            tls: tls.clone(),
                            is_last: *is_last,
                            base,
                            listener,
                            members: Vec::new(),
                        });
                        plan.groups.len() - 1
                    });
            if let Some(group) = plan.groups.get_mut(place) {
                group.members.push((host.clone(), ssl.sni_domains.clone()));
                plan.homes.insert(host.clone(), group.base.clone());
            }
        }
        plan
    }

    /// What the name of a virtual service's route table begins with, if it has one.
    pub(super) fn table_of(&self, host: &ObjectKey) -> Option<&String> {
        match self.is_tls {
            true => self.plan.homes.get(host),
            false => Some(&self.base),
        }
    }

    /// Drops tables that nobody is in any more.
    pub(super) fn drop_tables(&mut self) {
        if self.is_tls {
            let plan = &self.plan;
            self.tables
                .retain(|base, _| plan.bases().any(|it| it == base));
        }
    }

    /// The virtual services that it has.
    pub(super) fn hosts(&self) -> impl Iterator<Item = ObjectKey> {
        let tables = self.tables.values().flat_map(|table| table.hosts.keys());
        tables.chain(self.plan.problems.keys()).cloned()
    }

    /// What is wrong with a virtual service beside others.
    pub(super) fn problems(&self, host: &ObjectKey) -> Vec<Problem> {
        let tables = self.tables.values();
        let mut problems: Vec<_> = tables.flat_map(|it| it.hosts.problems(host)).collect();
        problems.extend(self.plan.problems.get(host).cloned());
        problems
    }
}

impl Table {
    /// Takes in what a virtual service needs, and tells whether that is anything else than before.
    pub(super) fn set_needs(&mut self, key: &ObjectKey, needs: Option<&Needs>) -> bool {
        match needs.filter(|needs| !needs.is_empty()) {
            Some(needs) if self.needs.get(key) == Some(needs) => false,
            Some(needs) => {
                self.needs.insert(key.clone(), needs.clone());
                true
            }
            None => self.needs.remove(key).is_some(),
        }
    }

    /// Which parts changed since the last call; `None`: it is in another form than it was.
    pub(super) fn settle(&mut self, cut: Cut) -> Option<BTreeSet<Part>> {
        let changed = self.hosts.take_changed(cut);
        let before = self.cut.replace(cut);
        (before == Some(cut)).then_some(changed)
    }

    /// How it is served.
    pub(super) fn cut(&self) -> Cut {
        self.cut.unwrap_or_default()
    }
}

impl Plan {
    /// What the names of the route tables begin with.
    pub(super) fn bases(&self) -> impl Iterator<Item = &String> {
        self.groups.iter().map(|group| &group.base)
    }

    /// The virtual services that are in another table than by an earlier plan.
    pub(super) fn moved(&self, old: &Self) -> BTreeSet<ObjectKey> {
        let hosts = self.homes.keys().chain(old.homes.keys());
        let moved = hosts.filter(|host| self.homes.get(*host) != old.homes.get(*host));
        moved.cloned().collect()
    }

    /// The virtual services of which there is something else to tell than by an earlier plan.
    pub(super) fn restated(&self, old: &Self) -> BTreeSet<ObjectKey> {
        let hosts = self.problems.keys().chain(old.problems.keys());
        let restated = hosts.filter(|host| self.problems.get(*host) != old.problems.get(*host));
        restated.cloned().chain(self.moved(old)).collect()
    }

    /// The secrets that it serves.
    pub(super) fn secrets(&self) -> impl Iterator<Item = ObjectKey> {
        self.groups
            .iter()
            .flat_map(|group| group.tls.secrets.iter().cloned())
    }

    /// Whether it depends on a secret.
    pub(super) fn reads(&self, secret: &ObjectKey) -> bool {
        self.reads.contains(secret)
    }
}

impl Part {
    /// The name of its route configuration.
    pub(super) fn name(self, base: &str) -> String {
        match self {
            Self::Whole => names::route_table(base),
            Self::One { parts, number } => names::route_table_part(base, parts, number),
        }
    }
}
