//! Status and headers that a function chose for an answer that it streams.

use serde_json::value::RawValue;
use tenon_contract::Sorted;

use crate::invoke::lambda::unwrap::{self, Fields, Unwrapped};

/// Reads them (API Gateway developer guide, "Lambda proxy integration format for response streaming"); the body is
/// what comes later. `None`: they are none.
pub(super) fn read(text: &[u8]) -> Option<Unwrapped> {
    let fields: Fields<'_> = serde_json::from_slice(text).ok()?;
    let given = |name: &str| fields.get(name).filter(|value| !unwrap::is_null(value));
    let mut chosen = Unwrapped {
        status: 200,
        ..Unwrapped::default()
    };
    if let Some(status) = given("statusCode") {
        let status = unwrap::shown(status).parse().ok();
        chosen.status = status.filter(unwrap::is_final_status)?;
    }
    let object = |name| match given(name) {
        Some(headers) => unwrap::read::<Fields<'_>>(headers),
        None => Some(Fields::new()),
    };
    let single = object("headers")?;
    let several = object("multiValueHeaders")?;
    // On the same name the several values win, as in an answer that is not streamed.
    let winners: Sorted<String, ()> = several
        .keys()
        .map(|name| (name.to_ascii_lowercase(), ()))
        .collect();
    for (name, value) in single {
        if !winners.contains_key(&name.to_ascii_lowercase()) {
            unwrap::push(&mut chosen.headers, &name, &unwrap::shown(value));
        }
    }
    for (name, values) in several {
        for value in unwrap::read::<Vec<&RawValue>>(values)? {
            unwrap::push(&mut chosen.headers, &name, &unwrap::shown(value));
        }
    }
    if let Some(cookies) = given("cookies") {
        for cookie in unwrap::read::<Vec<&RawValue>>(cookies)? {
            unwrap::push(&mut chosen.headers, "set-cookie", &unwrap::shown(cookie));
        }
    }
    (!unwrap::is_too_much(&chosen.headers)).then_some(chosen)
}
