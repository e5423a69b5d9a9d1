//! The JSON that a function is given, in the shape that the call asks for. Each shape has a module, which names the
//! document that it follows.
//!
//! The events of all tries of a request are the same bytes: they are made of the client's request as the first try found
//! it, of the time of that, and of what does not change between tries.

use std::borrow::Cow;

use super::super::header;
use super::super::snapshot::Snapshot;
use super::Call;
use crate::percent;
use tenon_contract::{ORIGINAL_PATH, RequestShape, Sorted};

mod alb;
mod api_gateway_v1;
mod api_gateway_v2;
mod body;
mod gloo_api_gateway;
mod metadata;
mod query;
mod request;

pub(crate) use request::Origin;

/// Whether the body is replaced by an event, which shows all headers of the request.
pub(crate) fn is_built(call: &Call) -> bool {
    call.aws.request != RequestShape::Body
}

/// Builds the event of a call; `None` where the body is passed as it is.
pub(crate) fn build(
    call: &Call,
    client: &Snapshot,
    origin: &Origin<'_>,
    body: &[u8],
) -> Option<Vec<u8>> {
    let request = || request::Request::new(call, client, origin);
    let event = match call.aws.request {
        RequestShape::Body => return None,
        RequestShape::Metadata => serde_json::to_vec(&metadata::Metadata::new(call, client, body)),
        RequestShape::ApiGateway => {
            serde_json::to_vec(&gloo_api_gateway::ApiGateway::new(call, client, body))
        }
        RequestShape::ApiGatewayV1 => {
            serde_json::to_vec(&api_gateway_v1::Event::new(&request(), body))
        }
        RequestShape::ApiGatewayV2 => {
            serde_json::to_vec(&api_gateway_v2::Event::new(&request(), body))
        }
        RequestShape::LoadBalancer => serde_json::to_vec(&alb::Single::new(&request(), body)),
        RequestShape::LoadBalancerMultiValue => {
            serde_json::to_vec(&alb::Multiple::new(&request(), body))
        }
    };
    // Strings, maps of strings and numbers always serialise.
    event.ok()
}

/// The client's path and query, as one: the router's, or the one before the route's own rewrite.
pub(crate) fn whole_path<'a>(call: &Call, client: &'a Snapshot) -> &'a [u8] {
    let rewritten = || {
        client
            .headers()
            .find(|(name, _)| *name == ORIGINAL_PATH.as_bytes())
            .map(|(_, value)| value)
    };
    call.rewrites_path
        .then(rewritten)
        .flatten()
        .unwrap_or(client.path())
}

/// The same, apart.
fn client_path<'a>(call: &Call, client: &'a Snapshot) -> (Cow<'a, str>, Cow<'a, str>) {
    let whole = whole_path(call, client);
    let cut = whole.iter().position(|byte| *byte == b'?');
    let (path, query) = match cut {
        Some(cut) => (whole.get(..cut), whole.get(cut + 1..)),
        None => (Some(whole), None),
    };
    (
        String::from_utf8_lossy(path.unwrap_or_default()),
        String::from_utf8_lossy(query.unwrap_or_default()),
    )
}

type Last<'a> = Sorted<Cow<'a, str>, Cow<'a, str>>;
type Multi<'a> = Sorted<Cow<'a, str>, Vec<Cow<'a, str>>>;

fn last<'a>(all: &Multi<'a>) -> Last<'a> {
    all.iter()
        .filter_map(|(name, values)| Some((name.clone(), values.last()?.clone())))
        .collect()
}

/// A query's parameters as Gloo shows them.
fn decoded<'a>(query: &str) -> Multi<'a> {
    let own = |text: &str| Cow::Owned(percent::decode(text).into_owned());
    Sorted::group(query::pairs(query).map(|(name, value)| (own(name), own(value))))
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Headers as an event shows them. Where the route rewrites, `:path` is still the client's.
fn headers<'a>(client: &'a Snapshot, pseudo: impl Fn(&str) -> Option<Cow<'a, str>>) -> Multi<'a> {
    let mut all = Vec::new();
    for (name, value) in client.headers() {
        if header::is_hidden_from_events(name) {
            continue;
        }
        let name = text(name);
        match name.strip_prefix(':') {
            None => all.push((name, text(value))),
            Some(plain) => {
                if let Some(shown) = pseudo(plain) {
                    let value = if plain == "path" {
                        shown.clone()
                    } else {
                        text(value)
                    };
                    let name = if plain == "path" { name } else { shown };
                    all.push((name, value));
                }
            }
        }
    }
    Sorted::group(all)
}

#[cfg(test)]
mod tests;
