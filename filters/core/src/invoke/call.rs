//! Calls, compiled.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tenon_contract::{CallConfig, CallTarget, Provider};

use super::azure;
use super::gcp;
use super::header::{Reach, Scheme};
use super::lambda;
use super::rest;
use super::table::{CallByTable, Entry, Table};
use crate::text_hash::TextHasher;

/// A call as the filter uses it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: String,
    pub(super) target: Target,
    /// The template that the request's path matches, where the call was found by it.
    pub(super) resource: Option<String>,
}

/// What a route says.
#[derive(Debug)]
pub(super) enum Listed {
    /// This function.
    Call(Arc<Call>),
    /// The one that the request is for.
    ByTable(CallByTable),
}

/// The provider's part of a call.
#[derive(Debug)]
pub(super) enum Target {
    Lambda(lambda::Call),
    Url(lambda::UrlCall),
    Gcp(gcp::Call),
    Azure(azure::Call),
    Rest(rest::Call),
}

impl Call {
    /// Compiles it, or says why it cannot be. `found` is the function, where a table has it.
    pub(super) fn compile(
        config: CallConfig,
        provider: &Provider,
        found: Option<&Entry>,
    ) -> Result<Self, Cow<'static, str>> {
        let target = match config.target {
            CallTarget::Aws(aws) => {
                Target::Lambda(lambda::Call::compile(aws, config.rewrites_path)?)
            }
            CallTarget::AwsUrl(url) => Target::Url(lambda::UrlCall::compile(url)),
            CallTarget::Gcp(gcp) => Target::Gcp(gcp::Call::compile(gcp)?),
            CallTarget::Azure(azure) => Target::Azure(azure::Call::compile(azure)?),
            CallTarget::Rest(rest) => Target::Rest(rest::Call::compile(rest, provider, found)?),
        };
        Ok(Self {
            function: config.function,
            target,
            resource: found.map(|entry| entry.path().to_owned()),
        })
    }
}

impl Listed {
    /// Compiles what a route or a rule says, or tells why it cannot be.
    pub(super) fn compile(
        config: CallConfig,
        table: &Table,
        provider: &Provider,
    ) -> Result<Self, Cow<'static, str>> {
        // One by table is compiled all the same, to see whether it can be.
        let by_table = config.by_table.then(|| table.call(config.clone()));
        let call = Call::compile(config, provider, None)?;
        Ok(by_table.map_or_else(|| Self::Call(Arc::new(call)), Self::ByTable))
    }
}

impl Target {
    /// Whether it is a call of this provider.
    pub(super) fn is_of(&self, provider: &Provider) -> bool {
        match (self, provider) {
            (Self::Lambda(_) | Self::Url(_), Provider::Aws(_))
            | (Self::Gcp(_), Provider::Gcp(_))
            | (Self::Azure(_), Provider::Azure(_))
            | (Self::Rest(_), Provider::Rest(_)) => true,
            (Self::Lambda(_) | Self::Url(_) | Self::Gcp(_) | Self::Azure(_) | Self::Rest(_), _) => {
                false
            }
        }
    }

    /// Whether the whole request has to be there before any of it can be sent: a signature covers all of it, or a template
    /// reads it.
    pub(super) fn holds_request(&self) -> bool {
        match self {
            Self::Lambda(_) => true,
            Self::Url(call) => call.signed,
            Self::Rest(call) => call.holds_request(),
            Self::Gcp(_) | Self::Azure(_) => false,
        }
    }

    /// Whether requests that are not held are bounded too.
    pub(super) fn bounds_what_passes(&self) -> bool {
        !matches!(self, Self::Rest(_))
    }

    /// Whether it cannot be made without credentials.
    pub(super) fn needs_secret(&self) -> bool {
        match self {
            Self::Lambda(_) | Self::Gcp(_) => true,
            Self::Url(call) => call.signed,
            Self::Azure(call) => call.needs_key(),
            Self::Rest(_) => false,
        }
    }

    /// Which of the request's headers it reads, takes and writes.
    pub(super) fn reach(&self) -> Reach<'_> {
        let none: &[String] = &[];
        let (all, scheme, writes) = match self {
            Self::Lambda(call) => (lambda::event::is_built(call), Scheme::Aws, none),
            Self::Gcp(_) => (false, Scheme::Google, none),
            Self::Url(call) if call.signed => (false, Scheme::Aws, none),
            Self::Url(_) => (false, Scheme::None, none),
            Self::Azure(_) => (false, Scheme::Azure, none),
            Self::Rest(call) => (false, Scheme::Rest, &*call.writes),
        };
        Reach {
            all,
            scheme,
            writes,
        }
    }

    /// The version or alias of the function, as dynamic metadata tells it.
    pub(super) fn qualifier(&self) -> Option<&str> {
        match self {
            Self::Lambda(call) => call.aws.qualifier.as_deref(),
            Self::Url(_) | Self::Gcp(_) | Self::Azure(_) | Self::Rest(_) => None,
        }
    }
}

/// Calls by the text that they were compiled from. Reads take no lock; a text that was never seen is compiled once.
#[derive(Default)]
pub(super) struct Calls {
    compiled: ArcSwap<Compiled>,
}

/// `None`: the text is no call.
type Compiled = HashMap<Arc<[u8]>, Option<Arc<Listed>>, BuildHasherDefault<TextHasher>>;

/// More texts than a route table would hold: beyond it the cache starts anew rather than growing with every edit.
const MOST_CALLS: usize = 16_384;

impl Calls {
    /// The call of a text, or why it is none. `report` hears of a text once, when it is compiled.
    pub(super) fn get(
        &self,
        text: &[u8],
        (table, provider): (&Table, &Provider),
        mut report: impl FnMut(&str),
    ) -> Option<Arc<Listed>> {
        if let Some(known) = self.compiled.load().get(text) {
            return known.clone();
        }
        let compiled = match CallConfig::from_json(text) {
            Ok(read) => {
                if !read.unknown.is_empty() {
                    report(&format!(
                        "a call has fields of a newer control plane, ignored: {}",
                        read.unknown.join(", ")
                    ));
                }
                Listed::compile(read.value, table, provider)
                    .map(Arc::new)
                    .inspect_err(|reason| report(reason))
                    .ok()
            }
            Err(error) => {
                report(&error.to_string());
                None
            }
        };
        self.compiled.rcu(|known| {
            let mut known = if known.len() < MOST_CALLS {
                HashMap::clone(known)
            } else {
                Compiled::default()
            };
            known.insert(text.into(), compiled.clone());
            known
        });
        compiled
    }
}

#[cfg(test)]
mod tests {
    use tenon_contract::AwsProvider;

    use super::*;

    fn aws() -> Provider {
        Provider::Aws(AwsProvider {
            region: "us-east-1".into(),
            host: "localhost".into(),
            propagate_original_routing: false,
        })
    }

    #[test]
    fn a_text_is_compiled_once_and_a_bad_one_reported_once() {
        let calls = Calls::default();
        let text = CallConfig::aws("f", "f").to_json();
        let first = calls
            .get(text.as_bytes(), (&Table::default(), &aws()), |_| {})
            .unwrap();
        let second = calls
            .get(text.as_bytes(), (&Table::default(), &aws()), |_| {})
            .unwrap();
        assert!(Arc::ptr_eq(&first, &second));

        let mut reports = Vec::new();
        for _ in 0..2 {
            assert!(
                calls
                    .get(b"{}", (&Table::default(), &aws()), |report| reports
                        .push(report.to_owned()))
                    .is_none()
            );
        }
        assert_eq!(reports.len(), 1, "{reports:?}");
    }

    #[test]
    fn a_status_that_no_client_understands_is_refused() {
        for (status, accepted) in [
            (0, false),
            (199, false),
            (200, true),
            (599, true),
            (600, false),
        ] {
            let text = format!(
                r#"{{"version":1,"function":"f","aws":{{"name":"f","functionErrorStatus":{status}}}}}"#
            );
            let call = Calls::default().get(text.as_bytes(), (&Table::default(), &aws()), |_| {});
            assert_eq!(call.is_some(), accepted, "{status}");
        }
    }
}
