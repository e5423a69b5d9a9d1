//! Hostnames that routes for HTTP and routes for gRPC both want at a listener, of which only one kind gets each.
//!
//! "If a Route (A) of type HTTPRoute or GRPCRoute is attached to a Listener and that listener already has another Route
//! (B) of the other type attached and the intersection of the hostnames of A and B is non-empty, then the implementation
//! MUST accept exactly one of these two routes": the older, then the first by namespace and name.

use std::collections::BTreeMap;

use tenon_model::{Kind, ObjectKey};

use super::hostname;
use super::precedence::RouteOrder;

/// What a route wants of a listener.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) order: &'a RouteOrder,
    pub(crate) route: &'a ObjectKey,
    /// The hosts that both are for.
    pub(crate) hosts: Vec<String>,
}

/// The routes that do not get a listener, and the one of the other kind that has a hostname of theirs there.
pub(crate) fn losers<'a>(mut claims: Vec<Claim<'a>>) -> BTreeMap<&'a ObjectKey, &'a ObjectKey> {
    claims.sort_by_key(|claim| (claim.order, claim.route));
    let mut taken: BTreeMap<Kind, Taken<'a>> = BTreeMap::new();
    let mut losers = BTreeMap::new();
    for Claim { route, hosts, .. } in claims {
        let others = taken.iter().filter(|(kind, _)| **kind != route.kind);
        let mut owners = others.flat_map(|(_, it)| hosts.iter().filter_map(|host| it.meets(host)));
        if let Some(owner) = owners.next() {
            losers.insert(route, owner);
            continue;
        }
        let own = taken.entry(route.kind).or_default();
        for host in hosts {
            own.0.entry(reversed(&host)).or_insert(route);
        }
    }
    losers
}

/// Hosts and whose they are, by the host read backwards: what a `*` stands for goes on where the rest ends.
#[derive(Default)]
struct Taken<'a>(BTreeMap<String, &'a ObjectKey>);

impl<'a> Taken<'a> {
    /// Whose host has hosts in common with this one.
    fn meets(&self, host: &str) -> Option<&'a ObjectKey> {
        let host = reversed(host);
        if let Some(owner) = self.0.get(&host) {
            return Some(owner);
        }
        if let Some(end) = host.strip_suffix(hostname::ANY) {
            let mut within = self.0.range(end.to_owned()..);
            let within = within.next().filter(|(it, _)| it.starts_with(end));
            if let Some((_, owner)) = within {
                return Some(owner);
            }
        }
        // Those with a `*` in the place of some labels of this one.
        let ends = host.match_indices('.').map(|(dot, _)| &host[..=dot]);
        let mut wide = ends.chain([""]).filter_map(|end| {
            let wide = format!("{end}{}", hostname::ANY);
            self.0.get(&wide)
        });
        wide.next().copied()
    }
}

fn reversed(host: &str) -> String {
    host.chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: Kind, name: &str) -> ObjectKey {
        ObjectKey {
            kind,
            namespace: "default".into(),
            name: name.into(),
        }
    }

    /// Whether an HTTPRoute gets a listener where an older GRPCRoute has a host.
    fn loses(host: &str, older: &str) -> bool {
        let keys = [key(Kind::GrpcRoute, "a"), key(Kind::HttpRoute, "b")];
        let orders = keys.each_ref().map(RouteOrder::without_age);
        let claims = keys.iter().zip(&orders).zip([older, host]);
        let claims = claims.map(|((route, order), host)| Claim {
            order,
            route,
            hosts: vec![host.to_owned()],
        });
        let losers = losers(claims.collect());
        assert!(!losers.contains_key(&keys[0]));
        losers.get(&keys[1]) == Some(&&keys[0])
    }

    #[test]
    fn hosts_that_meet_are_those_that_have_an_intersection() {
        let hosts = [
            "*",
            "*.com",
            "*.example.com",
            "*.a.example.com",
            "example.com",
            "a.example.com",
            "b.a.example.com",
            "aexample.com",
            "*.org",
            "example.org",
        ];
        for one in hosts {
            for other in hosts {
                let meet = hostname::intersection(Some(one), Some(other)).is_some();
                assert_eq!(loses(one, other), meet, "{one} {other}");
            }
        }
    }

    #[test]
    fn a_route_that_lost_keeps_nobody_else_away() {
        let keys = [
            key(Kind::HttpRoute, "a"),
            key(Kind::GrpcRoute, "b"),
            key(Kind::HttpRoute, "c"),
        ];
        let orders = keys.each_ref().map(RouteOrder::without_age);
        let hosts = ["one.example.com", "*.example.com", "two.example.com"];
        let claims = keys.iter().zip(&orders).zip(hosts);
        let claims = claims.map(|((route, order), host)| Claim {
            order,
            route,
            hosts: vec![host.to_owned()],
        });
        let losers = losers(claims.rev().collect());
        assert_eq!(losers, BTreeMap::from([(&keys[1], &keys[0])]));
    }
}
