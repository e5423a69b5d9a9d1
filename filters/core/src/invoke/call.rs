//! Calls, compiled.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tenon_contract::{CallConfig, CallTarget, Provider};

use super::gcp;
use super::header::{Reach, Scheme};
use super::lambda;

/// A call as the filter uses it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: String,
    pub(super) target: Target,
}

/// The provider's part of a call.
#[derive(Debug)]
pub(super) enum Target {
    Lambda(lambda::Call),
    Gcp(gcp::Call),
}

impl Call {
    fn compile(config: CallConfig) -> Result<Self, &'static str> {
        let target = match config.target {
            CallTarget::Aws(aws) => {
                Target::Lambda(lambda::Call::compile(aws, config.rewrites_path)?)
            }
            CallTarget::Gcp(gcp) => Target::Gcp(gcp::Call::compile(gcp)?),
        };
        Ok(Self {
            function: config.function,
            target,
        })
    }
}

impl Target {
    /// Whether it is a call of this provider.
    pub(super) fn is_of(&self, provider: &Provider) -> bool {
        match (self, provider) {
            (Self::Lambda(_), Provider::Aws(_)) | (Self::Gcp(_), Provider::Gcp(_)) => true,
            (Self::Lambda(_) | Self::Gcp(_), _) => false,
        }
    }

    /// Whether the whole request has to be there before any of it can be sent: a signature covers all of it.
    pub(super) fn holds_request(&self) -> bool {
        match self {
            Self::Lambda(_) => true,
            Self::Gcp(_) => false,
        }
    }

    /// Which of the request's headers it reads, takes and writes.
    pub(super) fn reach(&self) -> Reach {
        match self {
            Self::Lambda(call) => Reach {
                all: lambda::event::is_built(call),
                scheme: Scheme::Aws,
            },
            Self::Gcp(_) => Reach {
                all: false,
                scheme: Scheme::Google,
            },
        }
    }

    /// The version or alias of the function, as dynamic metadata tells it.
    pub(super) fn qualifier(&self) -> Option<&str> {
        match self {
            Self::Lambda(call) => call.aws.qualifier.as_deref(),
            Self::Gcp(_) => None,
        }
    }
}

/// Calls by the text that they were compiled from. Reads take no lock; a text that was never seen is compiled once.
#[derive(Default)]
pub(super) struct Calls {
    compiled: ArcSwap<Compiled>,
}

/// `None`: the text is no call.
type Compiled = HashMap<Arc<[u8]>, Option<Arc<Call>>>;

/// More texts than a route table would hold: beyond it the cache starts anew rather than growing with every edit.
const MOST_CALLS: usize = 16_384;

impl Calls {
    /// The call of a text, or why it is none. `report` hears of a text once, when it is compiled.
    pub(super) fn get(&self, text: &[u8], mut report: impl FnMut(&str)) -> Option<Arc<Call>> {
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
                Call::compile(read.value)
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
                HashMap::new()
            };
            known.insert(text.into(), compiled.clone());
            known
        });
        compiled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_compiled_once_and_a_bad_one_reported_once() {
        let calls = Calls::default();
        let text = CallConfig::aws("f", "f").to_json();
        let first = calls.get(text.as_bytes(), |_| {}).unwrap();
        let second = calls.get(text.as_bytes(), |_| {}).unwrap();
        assert!(Arc::ptr_eq(&first, &second));

        let mut reports = Vec::new();
        for _ in 0..2 {
            assert!(
                calls
                    .get(b"{}", |report| reports.push(report.to_owned()))
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
            let call = Calls::default().get(text.as_bytes(), |_| {});
            assert_eq!(call.is_some(), accepted, "{status}");
        }
    }
}
