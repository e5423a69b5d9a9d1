//! Gloo's two forms: `unwrapAsApiGateway` (envoy-gloo, `api_gateway_transformer.cc`) and `unwrapAsAlb`
//! (`aws_lambda_filter.cc`). What differs on purpose: values of `set-cookie` stay apart instead of being joined by
//! commas; names and values that would split the response are dropped in both forms; bodies may hold NUL bytes.

use base64::Engine as _;
use serde_json::Number;
use serde_json::value::RawValue;
use tenon_contract::Sorted;

use super::{
    BASE64, Fields, Unwrapped, is_final_status, is_null, is_too_much, push, read, shown, string,
};

/// Gloo's `unwrapAsApiGateway`. Replaces all headers of the provider's response.
pub(super) fn api_gateway(answer: &[u8]) -> Unwrapped {
    match read_api_gateway(answer) {
        Ok(unwrapped) => unwrapped,
        Err(message) => Unwrapped {
            status: 500,
            headers: vec![
                ("content-type".into(), "text/plain".into()),
                ("x-amzn-errortype".into(), "500".into()),
            ],
            body: format!("500: {message}").into_bytes(),
            malformed: true,
        },
    }
}

fn read_api_gateway(answer: &[u8]) -> Result<Unwrapped, &'static str> {
    let fields: Fields<'_> =
        serde_json::from_slice(answer).map_err(|_| "failed to parse response body as JSON")?;
    let mut unwrapped = Unwrapped {
        status: 200,
        ..Unwrapped::default()
    };
    if let Some(status) = fields.get("statusCode") {
        unwrapped.status = status
            .get()
            .parse()
            .ok()
            .filter(is_final_status)
            .ok_or("cannot parse non unsigned integer status code")?;
    }
    let object = |name: &str, error| match fields.get(name).filter(|value| !is_null(value)) {
        Some(headers) => read::<Fields<'_>>(headers).ok_or(error),
        None => Ok(Fields::new()),
    };
    let single = object("headers", "invalid headers object")?;
    let several = object("multiValueHeaders", "invalid multiValueHeaders object")?;
    // On the same name the several values win (AWS: "Lambda proxy integrations", output format).
    let winners: Sorted<String, ()> = several
        .keys()
        .map(|name| (name.to_ascii_lowercase(), ()))
        .collect();
    for (name, value) in single {
        if !winners.contains_key(&name.to_ascii_lowercase()) {
            push(&mut unwrapped.headers, &name, &shown(value));
        }
    }
    for (name, values) in several {
        let values: Vec<&RawValue> = match read(values) {
            Some(values) => values,
            None if values.get().starts_with('{') => {
                return Err("invalid multi header value object");
            }
            None => vec![values],
        };
        for value in values {
            push(&mut unwrapped.headers, &name, &shown(value));
        }
    }
    if is_too_much(&unwrapped.headers) {
        return Err("too many headers");
    }
    unwrapped.body = match fields.get("body") {
        None => b"{}".to_vec(),
        Some(body)
            if fields
                .get("isBase64Encoded")
                .is_some_and(|flag| flag.get() == "true") =>
        {
            BASE64
                .decode(shown(body).as_bytes())
                .map_err(|_| "cannot decode the base64 body")?
        }
        Some(body) => shown(body).into_owned().into_bytes(),
    };
    Ok(unwrapped)
}

/// Gloo's `unwrapAsAlb`. Adds to the headers of the provider's response; `default_status` is that response's.
pub(super) fn alb(answer: &[u8], default_status: u16) -> Unwrapped {
    read_alb(answer, default_status).unwrap_or(Unwrapped {
        status: 500,
        malformed: true,
        ..Unwrapped::default()
    })
}

fn read_alb(answer: &[u8], default_status: u16) -> Option<Unwrapped> {
    let fields: Fields<'_> = serde_json::from_slice(answer).ok()?;
    let mut unwrapped = Unwrapped {
        status: default_status,
        ..Unwrapped::default()
    };
    if let Some(status) = fields.get("statusCode") {
        let status = read::<Number>(status)?.as_f64()?;
        // A whole number of three digits, however it is written.
        unwrapped.status = Some(status as u16).filter(is_final_status)?;
    }
    let encoded = match fields.get("isBase64Encoded") {
        None => false,
        Some(flag) => read::<bool>(flag)?,
    };
    if let Some(body) = fields.get("body").and_then(|body| string(body)) {
        unwrapped.body = if encoded {
            BASE64.decode(body.as_bytes()).ok()?
        } else {
            body.into_owned().into_bytes()
        };
    }
    for (name, value) in fields
        .get("headers")
        .and_then(|headers| read::<Fields<'_>>(headers))
        .unwrap_or_default()
    {
        push(&mut unwrapped.headers, &name, &shown(value));
    }
    let several = fields
        .get("multiValueHeaders")
        .and_then(|headers| read::<Fields<'_>>(headers));
    for (name, values) in several.unwrap_or_default() {
        for value in read::<Vec<&RawValue>>(values).unwrap_or_default() {
            push(&mut unwrapped.headers, &name, &shown(value));
        }
    }
    (!is_too_much(&unwrapped.headers)).then_some(unwrapped)
}
