//! The compiled configuration of the filter.

use std::sync::Arc;

use tenon_contract::{CALL_KEY, CallRule, DownstreamConfig, Provider, UpstreamConfig};

use super::call::{Call, Calls, Listed};
use super::clock::ProviderClock;
use super::header::Scheme;
use super::secret::Secrets;
use super::snapshot::Snapshot;
use super::table::{Error, Table};
use crate::host::{Host, Level, Side};
use crate::matching::Matched;
use crate::transform::{Place, RequestMatcher};

/// The upstream of a cluster: compiled once, shared by all workers and tries.
pub struct Upstream {
    pub(super) name: String,
    pub(super) provider: Provider,
    pub(super) max_request_bytes: u64,
    pub(super) max_response_bytes: u64,
    pub(super) secrets: Secrets,
    pub(super) clock: ProviderClock,
    pub(super) position: Position,
    table: Table,
    calls: Calls,
}

/// Where the filter is.
pub(super) enum Position {
    /// In a cluster, all of whose requests are calls.
    Cluster,
    /// Among a listener's own filters.
    Listener(Vec<Rule>),
}

/// Which requests of a listener call a function.
pub(super) struct Rule {
    matcher: Option<RequestMatcher>,
    listed: Listed,
}

/// The function that a request calls.
pub(super) struct Called {
    pub(super) call: Arc<Call>,
    /// What its path's parameters took, where it was found by them.
    pub(super) matched: Option<Matched>,
}

/// Why a request calls no function.
pub(super) enum NoCall {
    /// The route has no such key.
    NoKey,
    /// What the route says is no call of this provider.
    Unconfigured,
    /// It is of another provider than the upstream.
    Foreign,
    /// The upstream has none for this method and path.
    NoMatch {
        /// The methods for which it has one at this path.
        allowed: Vec<String>,
    },
}

impl Upstream {
    /// Compiles a configuration.
    ///
    /// # Errors
    /// Its functions cannot be told apart, or are not the provider's.
    pub fn new(config: UpstreamConfig) -> Result<Self, Error> {
        Ok(Self {
            table: Table::compile(config.functions, &config.provider)?,
            name: config.upstream,
            secrets: Secrets::new(config.provider.clone()),
            provider: config.provider,
            max_request_bytes: config.max_request_bytes,
            max_response_bytes: config.max_response_bytes,
            clock: ProviderClock::default(),
            calls: Calls::default(),
            position: Position::Cluster,
        })
    }

    /// Compiles the configuration of the filter among a listener's own.
    ///
    /// # Errors
    /// As [`Upstream::new`]; or a call or its matcher is not valid.
    pub fn downstream(config: DownstreamConfig) -> Result<Self, Error> {
        let mut upstream = Self::new(config.upstream)?;
        let rules = config.calls.into_iter().enumerate();
        let rules = rules.map(|(index, rule)| upstream.rule(index, rule));
        upstream.position = Position::Listener(rules.collect::<Result<_, _>>()?);
        Ok(upstream)
    }

    fn rule(&self, index: usize, rule: CallRule) -> Result<Rule, Error> {
        let mut invalid = Vec::new();
        let mut root = Place::root(&mut invalid);
        let matcher = rule.matcher.as_ref();
        let matcher = matcher.map(|it| RequestMatcher::compile(it, &mut root.at("matcher")));
        if let Some(invalid) = invalid.pop() {
            return Err(Error::Matcher(index, invalid));
        }
        let listed = Listed::compile(rule.call, &self.table, &self.provider);
        let listed = listed.map_err(|reason| Error::Call(index, reason))?;
        if let Listed::Call(call) = &listed
            && !call.target.is_of(&self.provider)
        {
            return Err(Error::Call(
                index,
                "is of another provider than the upstream".into(),
            ));
        }
        Ok(Rule {
            matcher: matcher.flatten(),
            listed,
        })
    }

    /// Which headers its calls write.
    pub(super) fn scheme(&self) -> Scheme {
        match self.provider {
            Provider::Aws(_) => Scheme::Aws,
            Provider::Gcp(_) => Scheme::Google,
            Provider::Azure(_) => Scheme::Azure,
            Provider::Rest(_) => Scheme::Rest,
        }
    }

    /// The call of a listener's request: what the first rule says that it fits, else the route's metadata.
    pub(super) fn call_of_listener(
        &self,
        rules: &[Rule],
        host: &mut impl Host,
    ) -> Result<Called, NoCall> {
        let fits = |rule: &&Rule| rule.matcher.as_ref().is_none_or(|it| it.matches(host));
        match rules.iter().find(fits) {
            Some(rule) => self.resolve(&rule.listed, host, None),
            None => self.call(host, CALL_KEY, None),
        }
    }

    /// The upstream's name, as in metrics.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The largest message that is held back, in bytes; `None`: requests and responses pass as they come.
    pub fn most_held(&self) -> Option<u64> {
        match self.provider {
            Provider::Aws(_) | Provider::Rest(_) => {
                Some(self.max_request_bytes.max(self.max_response_bytes))
            }
            Provider::Gcp(_) | Provider::Azure(_) => None,
        }
    }

    /// The call under a key of the route's metadata; `client` is the request, if this is not its first try.
    pub(super) fn call(
        &self,
        host: &mut impl Host,
        key: &str,
        client: Option<&Snapshot>,
    ) -> Result<Called, NoCall> {
        let mut reports = Vec::new();
        let listed = {
            let text = host.route_metadata(key).ok_or(NoCall::NoKey)?;
            self.calls
                .get(&text, (&self.table, &self.provider), |report| {
                    reports.push(report.to_owned());
                })
        };
        for report in reports {
            host.log(Level::Error, &format!("upstream {}: {report}", self.name));
        }
        let listed = listed.as_deref().ok_or(NoCall::Unconfigured)?;
        self.resolve(listed, host, client)
    }

    fn resolve(
        &self,
        listed: &Listed,
        host: &impl Host,
        client: Option<&Snapshot>,
    ) -> Result<Called, NoCall> {
        let called = match listed {
            Listed::Call(call) => Called {
                call: call.clone(),
                matched: None,
            },
            Listed::ByTable(by_table) => {
                let header = |name| host.header(Side::Request, name).unwrap_or_default();
                let matched = match client {
                    Some(client) => self.table.find(client.method(), client.path()),
                    None => self.table.find(&header(":method"), &header(":path")),
                };
                let matched = matched.map_err(|none| NoCall::NoMatch {
                    allowed: none.allowed,
                })?;
                let call = self.table.resolve(by_table, matched.index, &self.provider);
                Called {
                    call: call.ok_or(NoCall::Unconfigured)?,
                    matched: Some(matched),
                }
            }
        };
        match called.call.target.is_of(&self.provider) {
            true => Ok(called),
            false => Err(NoCall::Foreign),
        }
    }
}

#[cfg(test)]
mod tests {
    use tenon_contract::FunctionConfig;

    use super::*;

    fn compiled(calls: &str) -> Result<Upstream, String> {
        let text = format!(
            r#"{{"version":1,"downstream":{{"calls":{calls},
            "upstream":{{"upstream":"u","aws":{{"region":"us-east-1","host":"h"}}}}}}}}"#
        );
        let read = FunctionConfig::from_json(text.as_bytes()).unwrap();
        assert_eq!(read.unknown, Vec::<String>::new());
        let FunctionConfig::Downstream(config) = read.value else {
            panic!("not a downstream configuration")
        };
        Upstream::downstream(config).map_err(|error| error.to_string())
    }

    #[test]
    fn a_rule_that_cannot_be_used_is_refused_with_its_place() {
        let good = r#"{"call":{"function":"f","aws":{"name":"f"}}}"#;
        assert!(compiled(&format!("[{good}]")).is_ok());
        for (bad, expected) in [
            (
                r#"{"matcher":{"prefix":"/a","exact":"/b"},"call":{"function":"f","aws":{"name":"f"}}}"#,
                "calls[1].matcher: prefix, exact and regex exclude each other",
            ),
            (
                r#"{"matcher":{"regex":"("},"call":{"function":"f","aws":{"name":"f"}}}"#,
                "calls[1].matcher.regex: ",
            ),
            (
                r#"{"call":{"function":"f","gcp":{}}}"#,
                "calls[1].call: is of another provider than the upstream",
            ),
            (
                r#"{"call":{"function":"f","aws":{"name":"f","functionErrorStatus":1}}}"#,
                "calls[1].call: ",
            ),
        ] {
            let error = compiled(&format!("[{good},{bad}]")).err().unwrap();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
