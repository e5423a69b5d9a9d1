//! Azure Functions: a request goes on as it is, with the key of its function, and so does its response.
//!
//! Nothing is held: bodies of any length pass as they come, both ways.
//! The facts are Microsoft's ("Azure Functions HTTP trigger": access keys in `x-functions-key` or `?code=`, of which the
//! header is looked at first; `x-functions-clientid` names a key; `route` and `routePrefix`).

use tenon_contract::{
    AuthLevel, AzureCall, AzureKeys, AzureProvider, KeyIn, PathTemplate, Provider, Segment,
};
use zeroize::Zeroize;

use super::error::Code;
use super::header;
use super::secret::Secret;
use super::snapshot::{Snapshot, Written};
use super::tries::Try;
use super::upstream::Upstream;
use crate::host::{Headers, Host, Level, Side, Step};
use crate::matching::Matched;
use crate::percent;

/// The header of a key.
pub(super) const KEY: &str = "x-functions-key";
/// The headers that calls write.
pub(super) const WRITTEN: &[&str] = &[KEY];

/// Whether a client's header would be taken for a key, or for the name of one.
pub(super) fn reserves(name: &[u8]) -> bool {
    matches!(name, b"x-functions-key" | b"x-functions-clientid")
}

/// Whether the request's headers may hold a key of a call's.
pub(super) fn marks(host: &impl Headers) -> bool {
    host.header(Side::Request, KEY).is_some()
        || host
            .header(Side::Request, ":path")
            .is_some_and(|path| may_hold_key(&path))
}

/// Whether a path may be one with a key in its query.
pub(super) fn may_hold_key(path: &[u8]) -> bool {
    path.windows(6).any(|part| part == b"?code=")
}

/// A call of a function, as the filter makes it.
#[derive(Debug)]
pub(super) struct Call {
    name: String,
    auth_level: AuthLevel,
    /// Its path below the prefix.
    route: Vec<Segment>,
}

impl Call {
    /// Compiles it, or says why it cannot be.
    pub(super) fn compile(call: AzureCall) -> Result<Self, &'static str> {
        let route = call.route.as_deref().unwrap_or(&call.name);
        let route = PathTemplate::parse(&format!("/{route}"))
            .map_err(|_| "a call has a route that is none, as products/{id}")?;
        Ok(Self {
            route: route.segments().to_vec(),
            name: call.name,
            auth_level: call.auth_level,
        })
    }

    /// Whether a key has to be sent.
    pub(super) fn needs_key(&self) -> bool {
        self.auth_level != AuthLevel::Anonymous
    }

    /// The function's path; `None`: the request's path gave no value for one of its parameters.
    fn path(&self, azure: &AzureProvider, matched: Option<&Matched>) -> Option<String> {
        let mut path = String::with_capacity(128);
        if !azure.route_prefix.is_empty() {
            path.extend(["/", &azure.route_prefix]);
        }
        for segment in &self.route {
            path.push('/');
            match segment {
                Segment::Literal(text) => path.push_str(text),
                Segment::Parameter(name) | Segment::Rest(name) => {
                    let mut parameters = matched?.parameters.iter();
                    let parameter = parameters.find(|parameter| parameter.name == *name)?;
                    path.push_str(&parameter.encoded);
                }
            }
        }
        Some(path)
    }
}

/// The keys of a function app, ready to be sent. Overwritten when dropped, never printed.
pub(super) struct Keys(AzureKeys);

/// A key cannot be sent. Holds no part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key of {0:?} is empty or has a character that a header cannot carry")]
pub(super) struct Error(String);

impl TryFrom<AzureKeys> for Keys {
    type Error = Error;

    fn try_from(keys: AzureKeys) -> Result<Self, Error> {
        let keys = Self(keys);
        let sendable = |key: &String| !key.is_empty() && key.bytes().all(|c| c.is_ascii_graphic());
        match keys.0.function_keys.iter().find(|(_, key)| !sendable(key)) {
            Some((name, _)) => Err(Error(name.clone())),
            None => Ok(keys),
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.0.function_keys.values_mut().for_each(Zeroize::zeroize);
    }
}

/// Makes the request the function's.
pub(super) fn send(one: &mut Try, upstream: &Upstream, host: &mut impl Host, call: &Call) -> Step {
    let (Some(client), Provider::Azure(azure)) = (&one.client, &upstream.provider) else {
        return one.refuse(host, Code::Internal, "internal error");
    };
    let Some(mut path) = call.path(azure, one.matched.as_ref()) else {
        return one.refuse(host, Code::Internal, "internal error");
    };
    let key = match one.secret.as_deref() {
        Some(Secret::Azure(Keys(keys))) => keys.for_function(&call.name, call.auth_level),
        _ => None,
    };
    if key.is_none() && call.needs_key() {
        host.log(
            Level::Warn,
            &format!(
                "upstream {}: no credentials: the secret has no key for function {}",
                upstream.name(),
                call.name
            ),
        );
        return one.refuse(
            host,
            Code::NoCredentials,
            "no credentials for this upstream",
        );
    }
    let (header, code) = match azure.key_in {
        KeyIn::Header => (key, None),
        KeyIn::Query => (None, key),
    };
    push_query(client, code, &mut path);
    match header {
        Some(key) => {
            client.clean(host, WRITTEN);
            host.set_header(Side::Request, KEY, key.as_bytes());
        }
        None => {
            client.clean(host, &[]);
            // An earlier try may have had one.
            host.remove_header(Side::Request, KEY);
        }
    }
    host.set_header(Side::Request, ":path", path.as_bytes());
    host.set_header(Side::Request, ":authority", azure.host.as_bytes());
    path.zeroize();
    Step::Continue
}

/// Appends the client's query, but for keys of its own, behind the function's.
fn push_query(client: &Snapshot, key: Option<&str>, path: &mut String) {
    let mut separator = '?';
    if let Some(key) = key {
        path.push_str("?code=");
        percent::encode(key, path);
        separator = '&';
    }
    let whole = String::from_utf8_lossy(client.path());
    let Some((_, query)) = whole.split_once('?') else {
        return;
    };
    for pair in query.split('&').filter(|pair| !is_key(pair)) {
        path.push(separator);
        path.push_str(pair);
        separator = '&';
    }
}

/// Whether a query's parameter would be taken for a key: Azure's names have no case.
fn is_key(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    percent::decode(name).trim().eq_ignore_ascii_case("code")
}

/// Lets the function's response go on, and makes a refusal of Azure's an error.
pub(super) fn respond(
    one: &mut Try,
    upstream: &Upstream,
    host: &mut impl Host,
    call: &Call,
    end: bool,
) -> Step {
    match refuses_key(host, call, end) {
        true => one.refused(upstream, host, 401, end),
        false => one.pass_on(host, None),
    }
}

/// Whether Azure refused the key: 401 and nothing else. Its other answers have no mark that those of functions have not,
/// so that they are taken for the function's.
fn refuses_key(host: &impl Host, call: &Call, end: bool) -> bool {
    let is_empty = || {
        let length = host.header(Side::Response, "content-length");
        end || length.as_deref() == Some(b"0")
    };
    call.needs_key()
        && header::status(host) == Some(401)
        && is_empty()
        && host.header(Side::Response, "www-authenticate").is_none()
}

/// What a try may write.
pub(super) fn written() -> Written {
    Written {
        headers: WRITTEN,
        body: false,
        length: false,
    }
}
