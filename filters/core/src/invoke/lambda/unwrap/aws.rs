//! Answers as API Gateway, function URLs and load balancers read them.
//!
//! * `API_GATEWAY_V1`: AWS, "Lambda proxy integrations in API Gateway", "Output format of a Lambda function for proxy
//!   integration".
//! * `API_GATEWAY_V2`: AWS, "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway", response format 2.0, and
//!   "Invoking Lambda function URLs".
//! * `ALB`, `ALB_MULTI_VALUE`: AWS, "Use Lambda functions as targets of an Application Load Balancer", "Respond to the load
//!   balancer".
//!
//! An answer that AWS would not take is answered as AWS does, with a 502 and its own words. What is `null` counts as not
//! there, which is kinder than a load balancer.

use base64::Engine as _;
use serde_json::value::RawValue;
use tenon_contract::Sorted;

use super::{BASE64, Fields, Unwrapped, is_final_status, is_null, is_too_much, push, read, string};

/// Payload format 1.0.
pub(super) fn api_gateway_v1(answer: &[u8]) -> Unwrapped {
    let read = || {
        let fields: Fields<'_> = serde_json::from_slice(answer).ok()?;
        let mut unwrapped = Unwrapped {
            status: match present(&fields, "statusCode") {
                Some(status) => number_or_digits(status)?,
                // Whatever else there is would be lost.
                None => fields.keys().all(|name| is_of_v1(name)).then_some(200)?,
            },
            ..Unwrapped::default()
        };
        for (name, values) in object(&fields, "multiValueHeaders")? {
            match read::<Vec<&RawValue>>(values) {
                Some(values) => {
                    for value in values {
                        put_scalar(&mut unwrapped, &name, value)?;
                    }
                }
                None => put_scalar(&mut unwrapped, &name, values)?,
            }
        }
        merge(&mut unwrapped, object(&fields, "headers")?)?;
        finish(unwrapped, &fields, "application/json")
    };
    read().unwrap_or_else(|| {
        malformed(
            "application/json",
            r#"{"message": "Internal server error"}"#,
        )
    })
}

/// Whether format 1.0 has such a field. API Gateway answers 200 where a status is missing, and 502 where there is any
/// other field (recorded of a REST API in the snapshots of localstack's `test_apigateway_lambda.py`).
fn is_of_v1(field: &str) -> bool {
    matches!(
        field,
        "statusCode" | "headers" | "multiValueHeaders" | "body" | "isBase64Encoded"
    )
}

/// Adds what `headers` has to the several values of names, which come first; the same value in both counts once.
fn merge(unwrapped: &mut Unwrapped, headers: Fields<'_>) -> Option<()> {
    let several = unwrapped.headers.iter().cloned();
    let several: Sorted<_, ()> = several.map(|header| (header, ())).collect();
    for (name, value) in headers {
        let end = unwrapped.headers.len();
        put_scalar(unwrapped, &name, value)?;
        if matches!(unwrapped.headers.get(end), Some(header) if several.contains_key(header)) {
            unwrapped.headers.truncate(end);
        }
    }
    Some(())
}

/// Payload format 2.0.
pub(super) fn api_gateway_v2(answer: &[u8]) -> Unwrapped {
    read_v2(answer)
        .unwrap_or_else(|| malformed("application/json", r#"{"message":"Internal Server Error"}"#))
}

fn read_v2(answer: &[u8]) -> Option<Unwrapped> {
    let fields: Fields<'_> = serde_json::from_slice(answer).unwrap_or_default();
    let Some(status) = present(&fields, "statusCode") else {
        // Whatever else it is, it is the body.
        let whole: &RawValue = serde_json::from_slice(answer).ok()?;
        return Some(Unwrapped {
            status: 200,
            headers: vec![("content-type".into(), "application/json".into())],
            body: whole.get().as_bytes().to_owned(),
            malformed: false,
        });
    };
    let mut unwrapped = Unwrapped {
        status: number_or_digits(status)?,
        ..Unwrapped::default()
    };
    for (name, value) in object(&fields, "headers")? {
        put_scalar(&mut unwrapped, &name, value)?;
    }
    if let Some(cookies) = present(&fields, "cookies") {
        for cookie in read::<Vec<&RawValue>>(cookies)? {
            push(&mut unwrapped.headers, "set-cookie", &string(cookie)?);
        }
    }
    finish(unwrapped, &fields, "application/json")
}

/// What a load balancer reads: `headers_field` is `headers` or, of a target group with multi-value headers,
/// `multiValueHeaders`; the other one it does not look at.
pub(super) fn load_balancer(answer: &[u8], headers_field: &str) -> Unwrapped {
    let read = || {
        let fields: Fields<'_> = serde_json::from_slice(answer).ok()?;
        let status: u16 = present(&fields, "statusCode")?.get().parse().ok()?;
        // The reason that follows the status in it is not sent: HTTP/2 has none, and Envoy writes its own.
        if let Some(description) = present(&fields, "statusDescription") {
            string(description)?;
        }
        let mut unwrapped = Unwrapped {
            status: Some(status).filter(is_final_status)?,
            ..Unwrapped::default()
        };
        for (name, value) in object(&fields, headers_field)? {
            if headers_field == "headers" {
                push(&mut unwrapped.headers, &name, &string(value)?);
                continue;
            }
            for value in read::<Vec<&RawValue>>(value)? {
                push(&mut unwrapped.headers, &name, &string(value)?);
            }
        }
        finish(unwrapped, &fields, "application/octet-stream")
    };
    read().unwrap_or_else(|| malformed("text/html", BAD_GATEWAY))
}

/// A load balancer's own page.
const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";

fn malformed(content_type: &str, body: &str) -> Unwrapped {
    Unwrapped {
        status: 502,
        headers: vec![("content-type".into(), content_type.into())],
        body: body.into(),
        malformed: true,
    }
}

/// Adds the body, and the type that it has where the function names none.
fn finish(mut unwrapped: Unwrapped, fields: &Fields<'_>, content_type: &str) -> Option<Unwrapped> {
    let encoded = match present(fields, "isBase64Encoded") {
        Some(flag) => read::<bool>(flag)?,
        None => false,
    };
    if let Some(body) = present(fields, "body") {
        let body = string(body)?;
        unwrapped.body = match encoded {
            true => BASE64.decode(body.as_bytes()).ok()?,
            false => body.into_owned().into_bytes(),
        };
    }
    let typed = unwrapped
        .headers
        .iter()
        .any(|(name, _)| name == "content-type");
    if !typed && !matches!(unwrapped.status, 204 | 304) {
        push(&mut unwrapped.headers, "content-type", content_type);
    }
    (!is_too_much(&unwrapped.headers)).then_some(unwrapped)
}

/// A field that is there and not null.
fn present<'a>(fields: &Fields<'a>, name: &str) -> Option<&'a RawValue> {
    fields.get(name).copied().filter(|value| !is_null(value))
}

/// An object that may be left out. `None`: it is something else.
fn object<'a>(fields: &Fields<'a>, name: &str) -> Option<Fields<'a>> {
    match present(fields, name) {
        Some(value) => read(value),
        None => Some(Fields::new()),
    }
}

/// API Gateway takes digits in a string, too: AWS's own `microservice-http-endpoint` blueprint answers so.
fn number_or_digits(status: &RawValue) -> Option<u16> {
    let digits = string(status).unwrap_or(status.get().into());
    digits.parse().ok().filter(is_final_status)
}

/// A header's value: a string, a number or a boolean; null is none.
fn put_scalar(unwrapped: &mut Unwrapped, name: &str, value: &RawValue) -> Option<()> {
    match string(value) {
        Some(text) => push(&mut unwrapped.headers, name, &text),
        None if is_null(value) => {}
        None if value.get().starts_with(['{', '[']) => return None,
        None => push(&mut unwrapped.headers, name, value.get()),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(unwrapped: &'a Unwrapped, name: &str) -> Vec<&'a str> {
        let all = unwrapped.headers.iter();
        all.filter(|(own, _)| own == name)
            .map(|(_, value)| &**value)
            .collect()
    }

    #[test]
    fn what_has_no_status_is_the_body_of_an_http_api() {
        for answer in [
            r#"{"message": "hello"}"#,
            r#""Hello, world!""#,
            "[1, 2]",
            "7",
            "null",
            "true",
            r#"{"statusCode":null}"#,
        ] {
            let unwrapped = api_gateway_v2(format!(" {answer}\n").as_bytes());
            assert_eq!(unwrapped.status, 200);
            assert_eq!(unwrapped.body, answer.as_bytes());
            assert_eq!(header(&unwrapped, "content-type"), ["application/json"]);
            assert!(!unwrapped.malformed);
        }
    }

    #[test]
    fn what_is_no_answer_gets_aws_s_own_words() {
        for answer in ["", "nothing", "{", r#"{"statusCode":200"#] {
            let words = |unwrapped: Unwrapped| {
                assert!(unwrapped.malformed && unwrapped.status == 502, "{answer}");
                String::from_utf8(unwrapped.body).unwrap()
            };
            let answer = answer.as_bytes();
            assert_eq!(
                words(api_gateway_v1(answer)),
                r#"{"message": "Internal server error"}"#
            );
            assert_eq!(
                words(api_gateway_v2(answer)),
                r#"{"message":"Internal Server Error"}"#
            );
            assert!(words(load_balancer(answer, "headers")).contains("<h1>502 Bad Gateway</h1>"));
        }
    }
}
