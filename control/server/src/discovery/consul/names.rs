//! Names of instances, resolved.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

/// Names, and what they came to last.
#[derive(Default)]
pub(super) struct Names(BTreeMap<String, Vec<IpAddr>>);

impl Names {
    /// Whether there are names that have to be resolved again.
    pub(super) fn has_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Resolves the names among addresses, and forgets all others. One that cannot be resolved is what it was before. Tells
    /// why the first of them cannot.
    pub(super) async fn resolve(&mut self, addresses: &[String]) -> Option<String> {
        let mut before = std::mem::take(&mut self.0);
        let mut problem = None;
        for name in addresses {
            if name.parse::<IpAddr>().is_ok() || self.0.contains_key(name) {
                continue;
            }
            let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((&**name, 0))).await;
            let ips = match found {
                Ok(Ok(found)) => found.map(|it| it.ip()).collect(),
                failed => {
                    let reason = match failed {
                        Ok(Err(error)) => error.to_string(),
                        _ => format!("not resolved within {} s", PATIENCE.as_secs()),
                    };
                    problem.get_or_insert(format!("{name}: {reason}"));
                    before.remove(name).unwrap_or_default()
                }
            };
            self.0.insert(name.clone(), ips);
        }
        problem
    }

    /// The IP addresses of an address.
    pub(super) fn ips(&self, address: &str) -> Vec<IpAddr> {
        match address.parse() {
            Ok(ip) => vec![ip],
            Err(_) => self.0.get(address).cloned().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_cannot_be_resolved_is_what_it_was_before() {
        let mut names = Names::default();
        let all = ["localhost", "192.0.2.1", "no-such-name.invalid"].map(str::to_owned);
        let problem = names.resolve(&all).await.unwrap();
        assert!(problem.starts_with("no-such-name.invalid: "), "{problem}");
        assert!(names.ips("localhost").iter().all(IpAddr::is_loopback));
        assert_eq!(names.ips("192.0.2.1").len(), 1);
        assert_eq!(names.ips("no-such-name.invalid"), [] as [IpAddr; 0]);
        let known = "192.0.2.7".parse().unwrap();
        names
            .0
            .insert("no-such-name.invalid".to_owned(), vec![known]);
        names.resolve(&all).await.unwrap();
        assert_eq!(names.ips("no-such-name.invalid"), [known]);
        assert_eq!(names.resolve(&all[1..2]).await, None);
        assert!(!names.has_any());
    }
}
