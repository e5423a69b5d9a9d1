//! Headers that a route adds and removes.

use crate::read::{Fields, Node};

/// Headers to add and remove.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderManipulation {
    /// On the way to the upstream.
    pub request_add: Vec<HeaderToAdd>,
    /// On the way to the upstream.
    pub request_remove: Vec<String>,
    /// On the way to the client.
    pub response_add: Vec<HeaderToAdd>,
    /// On the way to the client.
    pub response_remove: Vec<String>,
}

/// A header to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderToAdd {
    /// Its name.
    pub name: String,
    /// Its value, in which Envoy's `%…%` is filled in.
    pub value: String,
    /// Whether what is there already stays.
    pub append: bool,
}

pub(crate) fn read_manipulation(node: &Node<'_>) -> Option<HeaderManipulation> {
    node.object(|fields| {
        Some(HeaderManipulation {
            request_add: fields.list("requestHeadersToAdd", |node| read_to_add(&node)),
            request_remove: fields.list("requestHeadersToRemove", |node| name(&node)),
            response_add: fields.list("responseHeadersToAdd", |node| read_to_add(&node)),
            response_remove: fields.list("responseHeadersToRemove", |node| name(&node)),
        })
    })
}

fn read_to_add(node: &Node<'_>) -> Option<HeaderToAdd> {
    node.object(|fields| {
        fields.later(&["headerSecretRef"]);
        let header = match fields.has("headerSecretRef") {
            true => fields.field("header", |node| node.object(read_header)),
            false => fields.required("header", |node| node.object(read_header)),
        };
        let append = fields.field("append", |node| node.boolean());
        let (name, value) = header?;
        Some(HeaderToAdd {
            name,
            value,
            append: append.unwrap_or(true),
        })
    })
}

fn read_header(fields: &mut Fields<'_>) -> Option<(String, String)> {
    let name = fields.required("key", |node| name(&node));
    let value = fields.field("value", |node| {
        let value = value(&node)?;
        match check_format(&value) {
            Ok(()) => Some(value),
            Err(reason) => node.error(reason),
        }
    });
    Some((name?, value.unwrap_or_default()))
}

/// The name of a header that may be changed.
fn name(node: &Node<'_>) -> Option<String> {
    let name = matched_name(node)?;
    let lower = name.to_ascii_lowercase();
    if lower.starts_with(':') || lower == "host" {
        return node.error(format!(
            "{name:?} cannot be added or removed; see hostRewrite and prefixRewrite"
        ));
    }
    if lower.starts_with(tenon_contract::HEADER_PREFIX) {
        return node.error(format!("{name:?} is one of Tenon's own headers"));
    }
    Some(name)
}

/// The name of a header that is only looked at.
pub(crate) fn matched_name(node: &Node<'_>) -> Option<String> {
    let name = node.non_empty()?;
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if !name.strip_prefix(':').unwrap_or(&name).chars().all(token) {
        return node.error(format!("{name:?} is not the name of a header"));
    }
    Some(name)
}

/// A text that can stand in a header.
pub(crate) fn value(node: &Node<'_>) -> Option<String> {
    let value = node.string()?;
    if value.contains(['\0', '\r', '\n']) {
        return node.error("a header cannot hold a line break or NUL");
    }
    Some(value)
}

/// What Envoy 1.40 fills in between percent signs.
const COMMANDS: [&str; 83] = [
    "ACCESS_LOG_TYPE",
    "BYTES_RECEIVED",
    "BYTES_SENT",
    "CLUSTER_METADATA",
    "COMMON_DURATION",
    "CONNECTION_ID",
    "CONNECTION_TERMINATION_DETAILS",
    "COALESCE",
    "CUSTOM_FLAGS",
    "DOWNSTREAM_DETECTED_CLOSE_TYPE",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_REMOTE_PORT",
    "DOWNSTREAM_HANDSHAKE_DURATION",
    "DOWNSTREAM_HEADER_BYTES_RECEIVED",
    "DOWNSTREAM_HEADER_BYTES_SENT",
    "DOWNSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_CLOSE_REASON",
    "DOWNSTREAM_LOCAL_DNS_SAN",
    "DOWNSTREAM_LOCAL_PORT",
    "DOWNSTREAM_LOCAL_SUBJECT",
    "DOWNSTREAM_LOCAL_URI_SAN",
    "DOWNSTREAM_PEER_CERT",
    "DOWNSTREAM_PEER_CERT_V_END",
    "DOWNSTREAM_PEER_CERT_V_START",
    "DOWNSTREAM_PEER_DNS_SAN",
    "DOWNSTREAM_PEER_FINGERPRINT_1",
    "DOWNSTREAM_PEER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_ISSUER",
    "DOWNSTREAM_PEER_SERIAL",
    "DOWNSTREAM_PEER_SUBJECT",
    "DOWNSTREAM_PEER_URI_SAN",
    "DOWNSTREAM_REMOTE_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_REMOTE_PORT",
    "DOWNSTREAM_TLS_CIPHER",
    "DOWNSTREAM_TLS_SESSION_ID",
    "DOWNSTREAM_TLS_VERSION",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    "DOWNSTREAM_WIRE_BYTES_RECEIVED",
    "DOWNSTREAM_WIRE_BYTES_SENT",
    "DURATION",
    "DYNAMIC_METADATA",
    "EMIT_TIME",
    "ENVIRONMENT",
    "FILTER_CHAIN_NAME",
    "FILTER_STATE",
    "HOSTNAME",
    "LISTENER_METADATA",
    "PATH",
    "PER_REQUEST_STATE",
    "PROTOCOL",
    "QUERY_PARAM",
    "QUERY_PARAMS",
    "REQ",
    "REQUESTED_SERVER_NAME",
    "REQUEST_DURATION",
    "REQUEST_HEADERS_BYTES",
    "REQUEST_TX_DURATION",
    "REQ_WITHOUT_QUERY",
    "RESP",
    "RESPONSE_CODE",
    "RESPONSE_CODE_DETAILS",
    "RESPONSE_DURATION",
    "RESPONSE_FLAGS",
    "RESPONSE_FLAGS_LONG",
    "ROUTE_NAME",
    "ROUNDTRIP_DURATION",
    "START_TIME",
    "START_TIME_LOCAL",
    "STREAM_ID",
    "TRACE_ID",
    "UPSTREAM_CLUSTER",
    "UPSTREAM_CLUSTER_RAW",
    "UPSTREAM_HOST",
    "UPSTREAM_HOST_NAME",
    "UPSTREAM_LOCAL_ADDRESS",
    "UPSTREAM_METADATA",
    "UPSTREAM_REMOTE_ADDRESS",
    "UPSTREAM_REMOTE_PORT",
    "VIRTUAL_CLUSTER_NAME",
];

/// Envoy refuses a whole table of routes for one value that it cannot fill in, as `100%`.
fn check_format(value: &str) -> Result<(), String> {
    let mut rest = value;
    while let Some(start) = rest.find('%') {
        rest = &rest[start + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            rest = after;
            continue;
        }
        let name_end =
            rest.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
        let (name, after) = rest.split_at(name_end.unwrap_or(rest.len()));
        let after = match after.strip_prefix('(') {
            Some(arguments) => arguments.split_once(')').map(|(_, after)| after),
            None => Some(after),
        };
        let after = after.map(|after| match after.strip_prefix(':') {
            Some(length) => length.trim_start_matches(|c: char| c.is_ascii_digit()),
            None => after,
        });
        let Some(after) = after.and_then(|after| after.strip_prefix('%')) else {
            return Err(format!(
                "{value:?}: a single % starts one of Envoy's commands, as %REQ(x-id)%; write %% for the sign"
            ));
        };
        if !COMMANDS.contains(&name) {
            return Err(format!("{value:?}: Envoy has no command {name:?}"));
        }
        rest = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_envoy_can_fill_in_are_taken() {
        for value in [
            "",
            "plain",
            "100%%",
            "%REQ(x-id)%",
            "a %START_TIME(%s.%3f)% b",
            "%REQ(a?b):3%",
        ] {
            assert_eq!(check_format(value), Ok(()), "{value}");
        }
    }

    #[test]
    fn values_that_envoy_cannot_fill_in_are_refused() {
        for value in ["100%", "%nope%", "%REQ(x%", "%NO_SUCH_COMMAND%", "%", "% %"] {
            assert!(check_format(value).is_err(), "{value}");
        }
    }

    #[test]
    fn the_commands_are_sorted_enough_to_be_unique() {
        let mut sorted = COMMANDS.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), COMMANDS.len());
    }
}
