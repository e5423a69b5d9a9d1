//! One request to a function URL: as it is, with a signature (AWS: "Invoking Lambda function URLs": signature version 4,
//! service `lambda`, host of the URL). The response comes as the function streams it.

use tenon_contract::{AwsUrlCall, Provider, UrlAuthType};

use super::exchange::{SECURITY_TOKEN, refused};
use super::response::ProviderResponse;
use crate::host::{Host, Side, Step};
use crate::invoke::error::Code;
use crate::invoke::secret::Secret;
use crate::invoke::snapshot::{Snapshot, Written};
use crate::invoke::tries::{Provenance, Try};
use crate::invoke::upstream::Upstream;
use crate::sign::{EMPTY_PAYLOAD, Path, PayloadHash, Request};

/// The headers that a signed request writes, all but the last always.
const WRITTEN: &[&str] = &["authorization", "x-amz-date", SECURITY_TOKEN];

/// A request to a function URL, as the filter makes it.
#[derive(Debug)]
pub(crate) struct UrlCall {
    /// Whether it is signed.
    pub(crate) signed: bool,
}

impl UrlCall {
    /// Compiles it.
    pub(crate) fn compile(call: AwsUrlCall) -> Self {
        Self {
            signed: call.auth_type == UrlAuthType::AwsIam,
        }
    }
}

/// Makes the request the function's, and signs it.
pub(in crate::invoke) fn send(
    one: &mut Try,
    upstream: &Upstream,
    host: &mut impl Host,
    call: &UrlCall,
) -> Step {
    let (Some(client), Provider::Aws(aws)) = (&one.client, &upstream.provider) else {
        return one.refuse(host, Code::Internal, "internal error");
    };
    let authority = aws.host.as_bytes();
    if !call.signed {
        client.clean(host, &[]);
        host.set_header(Side::Request, ":authority", authority);
        return Step::Continue;
    }
    let (Some(Secret::Aws(signer)), Ok(method)) =
        (one.secret.as_deref(), std::str::from_utf8(client.method()))
    else {
        return one.refuse(host, Code::Internal, "internal error");
    };
    client.clean(host, &["authorization", "x-amz-date"]);
    if one.framed && client.content_length().is_none() {
        // The body was held, so its length is known.
        let length = one.request_bytes.to_string();
        host.set_header(Side::Request, "content-length", length.as_bytes());
    }
    let hash = match one.request_bytes {
        0 => EMPTY_PAYLOAD,
        _ => {
            let mut hash = PayloadHash::default();
            host.each_chunk(Side::Request, &mut |chunk| hash.update(chunk));
            hash.finish()
        }
    };
    let mut parts = client.path().splitn(2, |byte| *byte == b'?');
    let request = Request {
        method,
        path: Path::Wire(parts.next().unwrap_or_default()),
        query: parts.next().unwrap_or_default(),
        // All else may be edited by a later hop.
        headers: &[("host", authority)],
        payload_hash: &hash,
    };
    let mut buffer = Vec::new();
    let now = upstream.clock.at(host.now());
    let signed = signer.sign(&request, now, &mut buffer);
    host.set_header(Side::Request, ":authority", authority);
    host.set_header(Side::Request, "x-amz-date", &signed.date);
    match signer.credentials().session_token() {
        Some(token) => host.set_header(Side::Request, SECURITY_TOKEN, token.as_bytes()),
        // An earlier try that was lost may have had one.
        None => host.remove_header(Side::Request, SECURITY_TOKEN),
    }
    host.set_header(Side::Request, "authorization", signed.authorization);
    Step::Continue
}

/// What a try and those before it may have written.
pub(in crate::invoke) fn written(one: &Try, call: &UrlCall, client: &Snapshot) -> Written {
    Written {
        headers: if call.signed { WRITTEN } else { &[] },
        body: false,
        length: call.signed && (one.framed || one.number > 0) && client.content_length().is_none(),
    }
}

/// Lets the response go on, unless it is a refusal of AWS's, which names its type.
pub(in crate::invoke) fn respond(
    one: &mut Try,
    upstream: &Upstream,
    host: &mut impl Host,
    end: bool,
) -> Step {
    let response = ProviderResponse::read(host);
    for name in &response.ours {
        host.remove_header(Side::Response, name);
    }
    let step = match response.refusal() {
        Some(code) => refused(one, upstream, host, &response, (code, end)),
        None => {
            one.result = Some("ok");
            Step::Continue
        }
    };
    one.tell(
        host,
        &Provenance {
            request_id: response.request_id.as_deref(),
            ..Provenance::default()
        },
    );
    step
}
