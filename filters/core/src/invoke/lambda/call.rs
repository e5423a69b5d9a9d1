//! A call of a Lambda function, compiled.

use tenon_contract::{AwsCall, Invocation};

use crate::sign;

/// A call of a Lambda function as the filter uses it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) aws: AwsCall,
    /// See [`tenon_contract::CallConfig`].
    pub(crate) rewrites_path: bool,
    /// The path of the Invoke API, query included, as on the wire.
    pub(crate) path: String,
    /// The same path as signatures show it.
    pub(crate) canonical_path: Vec<u8>,
    /// The query of `path`.
    pub(crate) query: String,
    /// `x-amz-invocation-type`.
    pub(crate) invocation_type: &'static str,
    /// The account that the function belongs to, where its name is an ARN.
    pub(crate) account: Option<String>,
}

impl Call {
    /// Compiles it, or says why a client cannot be given what it asks for.
    pub(crate) fn compile(mut aws: AwsCall, rewrites_path: bool) -> Result<Self, &'static str> {
        if !(200..=599).contains(&aws.function_error_status) {
            return Err("a call has a functionErrorStatus that is none of 200 to 599");
        }
        // Lambda has no log for who does not wait.
        aws.log_tail &= matches!(
            aws.invocation,
            Invocation::RequestResponse | Invocation::ResponseStream
        );
        for pattern in &mut aws.text_content_types {
            pattern.make_ascii_lowercase();
        }
        let (version, operation) = match aws.invocation {
            Invocation::ResponseStream => ("2021-11-15", "response-streaming-invocations"),
            _ => ("2015-03-31", "invocations"),
        };
        let mut path = format!("/{version}/functions/");
        encode(&aws.name, &mut path);
        path.push('/');
        path.push_str(operation);
        let canonical_path = sign::canonical_path(path.as_bytes(), true);
        let mut query = String::new();
        if let Some(qualifier) = &aws.qualifier {
            query.push_str("Qualifier=");
            encode(qualifier, &mut query);
            path.push('?');
            path.push_str(&query);
        }
        Ok(Self {
            rewrites_path,
            invocation_type: match aws.invocation {
                Invocation::RequestResponse | Invocation::ResponseStream => "RequestResponse",
                Invocation::DryRun => "DryRun",
                Invocation::Event => "Event",
            },
            account: account(&aws.name).map(str::to_owned),
            aws,
            path,
            canonical_path,
            query,
        })
    }
}

/// The account of `arn:aws:lambda:<region>:<account>:function:<name>` or `<account>:function:<name>`.
fn account(name: &str) -> Option<&str> {
    let (before, _) = name.split_once(":function:")?;
    let account = before.rsplit(':').next()?;
    (!account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
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

#[cfg(test)]
mod tests {
    use tenon_contract::AwsCall;

    use super::*;

    fn path(name: &str, qualifier: Option<&str>, invocation: Invocation) -> String {
        let mut aws = AwsCall::new(name);
        aws.qualifier = qualifier.map(str::to_owned);
        aws.invocation = invocation;
        Call::compile(aws, false).unwrap().path
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
            assert_eq!(path(name, qualifier, Invocation::DryRun), expected);
        }
    }
    #[test]
    fn streams_have_an_operation_of_their_own() {
        assert_eq!(
            path("a:b", Some("7"), Invocation::ResponseStream),
            "/2021-11-15/functions/a%3Ab/response-streaming-invocations?Qualifier=7"
        );
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
}
