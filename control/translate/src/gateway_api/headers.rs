//! Headers that filters change.

use tenon_model::gateway_api::{FilterHeader, HeaderModifier};
use tenon_model::{AddedHeader, HeaderManipulation, HeaderTemplate, HeaderToAdd};

/// What becomes of headers: some go, then some are set, then some are added.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Changes {
    remove: Vec<String>,
    set: Vec<FilterHeader>,
    add: Vec<FilterHeader>,
}

impl Changes {
    /// What a filter says, or which header it cannot change, and why.
    pub(crate) fn of(from: &HeaderModifier) -> Result<Self, String> {
        let named = from.set.iter().chain(&from.add).map(|it| &it.name);
        for name in named.chain(&from.remove) {
            check(name)?;
        }
        Ok(Self {
            remove: from.remove.clone(),
            set: from.set.clone(),
            add: from.add.clone(),
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// These, and then others: Envoy would carry out what it is told of a share of the requests first, and then what of all.
    pub(crate) fn then(&self, later: &Self) -> Self {
        let is_removed = |it: &FilterHeader| has(&later.remove, &it.name);
        let is_set = |it: &FilterHeader| {
            let mut set = later.set.iter();
            set.any(|other| same(&other.name, &it.name))
        };
        let stays = |it: &&FilterHeader| !is_removed(it) && !is_set(it);
        let remove = self.remove.iter().chain(&later.remove);
        let set = self.set.iter().filter(stays).chain(&later.set);
        let add = self.add.iter().filter(stays).chain(&later.add);
        Self {
            remove: remove.cloned().collect(),
            set: set.cloned().collect(),
            add: add.cloned().collect(),
        }
    }

    fn to_add(&self) -> Vec<HeaderToAdd> {
        let set = self.set.iter().map(|it| (it, false));
        let add = self.add.iter().map(|it| (it, true));
        set.chain(add)
            .map(|(header, append)| HeaderToAdd {
                header: AddedHeader::Header(HeaderTemplate {
                    name: header.name.clone(),
                    // Envoy would fill in what stands between two of them.
                    value: header.value.replace('%', "%%"),
                }),
                append,
            })
            .collect()
    }
}

/// The same in the terms of the Edge API.
pub(crate) fn manipulation(requests: &Changes, responses: &Changes) -> HeaderManipulation {
    HeaderManipulation {
        request_add: requests.to_add(),
        request_remove: requests.remove.clone(),
        response_add: responses.to_add(),
        response_remove: responses.remove.clone(),
    }
}

fn check(name: &str) -> Result<(), String> {
    let lower = name.to_ascii_lowercase();
    if lower == "host" {
        return Err(format!(
            "{name:?} cannot be set, added or removed; a URLRewrite changes the host"
        ));
    }
    match lower.starts_with(tenon_contract::HEADER_PREFIX) {
        true => Err(format!("{name:?} is one of Tenon's own headers")),
        false => Ok(()),
    }
}

fn has(names: &[String], name: &str) -> bool {
    names.iter().any(|it| same(it, name))
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> FilterHeader {
        FilterHeader {
            name: name.into(),
            value: value.into(),
        }
    }

    #[test]
    fn what_is_said_later_counts() {
        let first = Changes {
            remove: vec!["gone".into()],
            set: vec![header("a", "1"), header("b", "1")],
            add: vec![header("c", "1"), header("d", "1")],
        };
        let later = Changes {
            remove: vec!["B".into()],
            set: vec![header("A", "2")],
            add: vec![header("c", "2")],
        };
        let expected = Changes {
            remove: vec!["gone".into(), "B".into()],
            set: vec![header("A", "2")],
            add: vec![header("c", "1"), header("d", "1"), header("c", "2")],
        };
        assert_eq!(first.then(&later), expected);
    }

    #[test]
    fn values_are_literal() {
        let changes = Changes {
            set: vec![header("a", "100%PROTOCOL%")],
            ..Changes::default()
        };
        let AddedHeader::Header(template) = &changes.to_add()[0].header else {
            panic!("{changes:?}")
        };
        assert_eq!(template.value, "100%%PROTOCOL%%");
    }

    #[test]
    fn the_host_and_our_own_headers_stay() {
        for name in ["Host", "x-tenon-call", "X-Tenon-Error"] {
            let modifier = HeaderModifier {
                set: vec![header(name, "x")],
                ..HeaderModifier::default()
            };
            assert!(Changes::of(&modifier).is_err(), "{name}");
        }
    }
}
