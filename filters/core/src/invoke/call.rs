//! Calls, compiled.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tenon_contract::{AwsCall, CallConfig, CallTarget, Invocation};

use crate::sign;

/// A call as the filter uses it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: String,
    pub(super) rewrites_path: bool,
    pub(super) aws: AwsCall,
    /// The path of the Invoke API, query included, as on the wire.
    pub(super) path: String,
    /// The same path as signatures show it.
    pub(super) canonical_path: Vec<u8>,
    /// The query of `path`.
    pub(super) query: String,
    /// `x-amz-invocation-type`.
    pub(super) invocation_type: &'static str,
    /// The account that the function belongs to, where its name is an ARN.
    pub(super) account: Option<String>,
}

impl Call {
    fn compile(config: CallConfig) -> Self {
        let CallTarget::Aws(mut aws) = config.target;
        for pattern in &mut aws.text_content_types {
            pattern.make_ascii_lowercase();
        }
        let mut path = String::from("/2015-03-31/functions/");
        encode(&aws.name, &mut path);
        path.push_str("/invocations");
        let canonical_path = sign::canonical_path(path.as_bytes(), true);
        let mut query = String::new();
        if let Some(qualifier) = &aws.qualifier {
            query.push_str("Qualifier=");
            encode(qualifier, &mut query);
            path.push('?');
            path.push_str(&query);
        }
        Self {
            function: config.function,
            rewrites_path: config.rewrites_path,
            invocation_type: match aws.invocation {
                Invocation::RequestResponse => "RequestResponse",
                Invocation::Event => "Event",
            },
            account: account(&aws.name).map(str::to_owned),
            aws,
            path,
            canonical_path,
            query,
        }
    }
}

/// The account of `arn:aws:lambda:<region>:<account>:function:<name>` or `<account>:function:<name>`.
fn account(name: &str) -> Option<&str> {
    let (before, _) = name.split_once(":function:")?;
    let account = before.rsplit(':').next()?;
    (!account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

/// Whether a client can be given what the call asks for.
fn has_a_status(config: &CallConfig) -> bool {
    let CallTarget::Aws(aws) = &config.target;
    (200..=599).contains(&aws.function_error_status)
}

/// Percent-encodes all but RFC 3986's unreserved characters, so that an ARN is one segment of the path.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 0xf] {
                out.extend(
                    char::from_digit(u32::from(digit), 16).map(|digit| digit.to_ascii_uppercase()),
                );
            }
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
    pub(super) fn get(&self, text: &[u8], report: impl FnOnce(&str)) -> Option<Arc<Call>> {
        if let Some(known) = self.compiled.load().get(text) {
            return known.clone();
        }
        let compiled = match CallConfig::from_json(text) {
            Ok(read) if !has_a_status(&read.value) => {
                report("a call has a functionErrorStatus that is none of 200 to 599");
                None
            }
            Ok(read) => {
                if !read.unknown.is_empty() {
                    report(&format!(
                        "a call has fields of a newer control plane, ignored: {}",
                        read.unknown.join(", ")
                    ));
                }
                Some(Arc::new(Call::compile(read.value)))
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

    fn path(name: &str, qualifier: Option<&str>) -> String {
        let mut config = CallConfig::aws("f", name);
        let CallTarget::Aws(aws) = &mut config.target;
        aws.qualifier = qualifier.map(str::to_owned);
        Call::compile(config).path
    }

    #[test]
    fn paths_hold_name_arn_and_qualifier() {
        for (name, qualifier, expected) in [
            ("echo", None, "/2015-03-31/functions/echo/invocations"),
            (
                "echo",
                Some("$LATEST"),
                "/2015-03-31/functions/echo/invocations?Qualifier=%24LATEST",
            ),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:a_b",
                Some("7"),
                "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aa_b/invocations?Qualifier=7",
            ),
        ] {
            assert_eq!(path(name, qualifier), expected);
        }
    }

    #[test]
    fn an_arn_tells_the_account() {
        for (name, expected) in [
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:f:prod",
                Some("123456789012"),
            ),
            ("123456789012:function:f", Some("123456789012")),
            ("f", None),
            ("function:f", None),
            (":function:f", None),
        ] {
            assert_eq!(account(name), expected, "{name}");
        }
    }

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
