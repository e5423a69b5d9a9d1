//! Texts in which Envoy fills in commands, as `%REQ(x-id)%`.
//!
//! Envoy refuses a whole table of routes, or a listener, for one text that it cannot fill in, as `100%`; so they are
//! checked here. The tables hold what Envoy 1.40 was seen to take.

/// Commands without arguments.
const PLAIN: [&str; 62] = [
    "ACCESS_LOG_TYPE",
    "BYTES_RECEIVED",
    "BYTES_SENT",
    "CONNECTION_ID",
    "CONNECTION_TERMINATION_DETAILS",
    "CUSTOM_FLAGS",
    "DOWNSTREAM_DETECTED_CLOSE_TYPE",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_PORT",
    "DOWNSTREAM_HANDSHAKE_DURATION",
    "DOWNSTREAM_HEADER_BYTES_RECEIVED",
    "DOWNSTREAM_HEADER_BYTES_SENT",
    "DOWNSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_LOCAL_CLOSE_REASON",
    "DOWNSTREAM_LOCAL_DNS_SAN",
    "DOWNSTREAM_LOCAL_PORT",
    "DOWNSTREAM_LOCAL_SUBJECT",
    "DOWNSTREAM_LOCAL_URI_SAN",
    "DOWNSTREAM_PEER_CERT",
    "DOWNSTREAM_PEER_DNS_SAN",
    "DOWNSTREAM_PEER_FINGERPRINT_1",
    "DOWNSTREAM_PEER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_ISSUER",
    "DOWNSTREAM_PEER_SERIAL",
    "DOWNSTREAM_PEER_SUBJECT",
    "DOWNSTREAM_PEER_URI_SAN",
    "DOWNSTREAM_REMOTE_ADDRESS",
    "DOWNSTREAM_REMOTE_PORT",
    "DOWNSTREAM_TLS_CIPHER",
    "DOWNSTREAM_TLS_SESSION_ID",
    "DOWNSTREAM_TLS_VERSION",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    "DOWNSTREAM_WIRE_BYTES_RECEIVED",
    "DOWNSTREAM_WIRE_BYTES_SENT",
    "DURATION",
    "FILTER_CHAIN_NAME",
    "HOSTNAME",
    "LOCAL_REPLY_BODY",
    "PATH",
    "PROTOCOL",
    "QUERY_PARAMS",
    "REQUESTED_SERVER_NAME",
    "REQUEST_DURATION",
    "REQUEST_HEADERS_BYTES",
    "REQUEST_TX_DURATION",
    "RESPONSE_CODE",
    "RESPONSE_DURATION",
    "RESPONSE_FLAGS",
    "RESPONSE_FLAGS_LONG",
    "ROUNDTRIP_DURATION",
    "ROUTE_NAME",
    "STREAM_ID",
    "TRACE_ID",
    "UPSTREAM_CLUSTER",
    "UPSTREAM_CLUSTER_RAW",
    "UPSTREAM_HOST",
    "UPSTREAM_HOST_NAME",
    "UPSTREAM_LOCAL_ADDRESS",
    "UPSTREAM_REMOTE_ADDRESS",
    "UPSTREAM_REMOTE_PORT",
    "VIRTUAL_CLUSTER_NAME",
];

/// Commands with or without arguments.
const OPTIONAL: [&str; 9] = [
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_PEER_CERT_V_END",
    "DOWNSTREAM_PEER_CERT_V_START",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "EMIT_TIME",
    "RESPONSE_CODE_DETAILS",
    "START_TIME",
    "START_TIME_LOCAL",
];

/// Commands with arguments.
const REQUIRED: [&str; 10] = [
    "CLUSTER_METADATA",
    "COMMON_DURATION",
    "DYNAMIC_METADATA",
    "ENVIRONMENT",
    "FILTER_STATE",
    "PER_REQUEST_STATE",
    "QUERY_PARAM",
    "REQ",
    "RESP",
    "UPSTREAM_METADATA",
];

/// Commands that can be cut to a length, as `%REQ(x-id):8%`.
const CUT: [&str; 8] = [
    "DYNAMIC_METADATA",
    "ENVIRONMENT",
    "FILTER_STATE",
    "PATH",
    "QUERY_PARAM",
    "QUERY_PARAMS",
    "REQ",
    "RESP",
];

const UNFINISHED: &str =
    "a single % starts a command of Envoy, as %REQ(x-id)%; write %% for the sign";

/// Why Envoy could not fill in a text.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        rest = match after.strip_prefix('%') {
            Some(after) => after,
            None => command(after).map_err(|reason| format!("{text:?}: {reason}"))?,
        };
    }
    Ok(())
}

/// Checks a command; gives what follows it.
fn command(text: &str) -> Result<&str, String> {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let end = text.find(|c: char| !is_name(c)).ok_or(UNFINISHED)?;
    let (name, rest) = text.split_at(end);
    let (arguments, rest) = match rest.strip_prefix('(') {
        Some(rest) => {
            let (arguments, rest) = rest.split_once(')').ok_or(UNFINISHED)?;
            (Some(arguments), rest)
        }
        None => (None, rest),
    };
    let (cut, rest) = match rest.strip_prefix(':') {
        Some(rest) => (true, rest.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => (false, rest),
    };
    let rest = rest.strip_prefix('%').ok_or(UNFINISHED)?;
    let fits = match arguments {
        None => PLAIN.contains(&name) || OPTIONAL.contains(&name),
        Some(arguments) => {
            OPTIONAL.contains(&name) || REQUIRED.contains(&name) && arguments_fit(name, arguments)
        }
    };
    if fits && (!cut || CUT.contains(&name)) {
        return Ok(rest);
    }
    let written = text.strip_suffix(rest).unwrap_or(text);
    Err(format!("Envoy has no command %{written}"))
}

fn arguments_fit(name: &str, arguments: &str) -> bool {
    let is_header = |name: &str| {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$&'*+-.^_`|~".contains(c);
        let name = name.strip_prefix(':').unwrap_or(name);
        !name.is_empty() && name.chars().all(token)
    };
    match name {
        "REQ" | "RESP" => match arguments.split_once('?') {
            Some((name, other)) => is_header(name) && is_header(other),
            None => is_header(arguments),
        },
        "COMMON_DURATION" => arguments.contains(':'),
        "FILTER_STATE" => match arguments.split_once(':') {
            Some((_, how)) => how == "PLAIN" || how == "TYPED",
            None => !arguments.is_empty(),
        },
        "PER_REQUEST_STATE" => !arguments.is_empty() && !arguments.contains(':'),
        _ => !arguments.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_envoy_can_fill_in_are_taken() {
        for text in [
            "",
            "plain",
            "100%%",
            "%REQ(x-id)%",
            "%REQ(:PATH)%",
            "a %START_TIME(%s.%3f)% b",
            "%REQ(a?b):3%",
            "%DYNAMIC_METADATA(tenon:function)%",
            "%PATH:3%",
            "%RESPONSE_CODE% %PROTOCOL%",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn texts_that_envoy_cannot_fill_in_are_refused() {
        for text in [
            "100%",
            "%nope%",
            "%REQ(x%",
            "%NO_SUCH_COMMAND%",
            "%",
            "% %",
            "%REQ%",
            "%REQ()%",
            "%REQ(a?b?c)%",
            "%REQ(a b)%",
            "%PROTOCOL(a)%",
            "%PROTOCOL:3%",
            "%RESPONSE_CODE",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
