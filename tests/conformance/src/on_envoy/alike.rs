//! Whether two hosts did the same.

use crate::fake::{HeaderList, Sent};
use crate::observed::{Observed, comparable, show};

/// In what two hosts differ. Nothing is said where they agree.
pub fn differences(one: &Observed, other: &Observed) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, one: String, other: String| {
        if one != other {
            differences.push(format!("{what}: {one} on one host, {other} on the other"));
        }
    };
    compare("status", one.status.to_string(), other.status.to_string());
    let without_body = other.adds_no_body && other.body.is_empty();
    compare(
        "cut off",
        one.cut_off.to_string(),
        other.cut_off.to_string(),
    );
    if !(without_body || one.cut_off && other.cut_off) {
        compare("body", show(&one.body), show(&other.body));
    }
    compare(
        "headers",
        framed(&one.headers, &one.body),
        framed(&other.headers, &other.body),
    );
    compare(
        "trailers",
        format!("{:?}", one.trailers),
        format!("{:?}", other.trailers),
    );
    compare(
        "tries",
        one.sent.len().to_string(),
        other.sent.len().to_string(),
    );
    for (index, (one, other)) in one.sent.iter().zip(&other.sent).enumerate() {
        let what = |what: &str| format!("try {}: {what}", index + 1);
        compare(&what("headers"), asked(one), asked(other));
        compare(&what("body"), timeless(&one.body), timeless(&other.body));
        compare(
            &what("trailers"),
            format!("{:?}", one.trailers),
            format!("{:?}", other.trailers),
        );
    }
    compare(
        "counts",
        format!("{:?}", one.counts),
        format!("{:?}", other.counts),
    );
    compare(
        "metadata",
        format!("{:?}", told(one)),
        format!("{:?}", told(other)),
    );
    differences
}

fn told(observed: &Observed) -> Vec<(&String, &String)> {
    let told = observed.annotations.iter();
    told.filter(|(_, value)| !value.is_empty()).collect()
}

/// Headers without a length that is the body's: which of two right framings is used is the codec's business.
fn framed(headers: &HeaderList, body: &[u8]) -> String {
    let length = body.len().to_string();
    let all = comparable(headers).into_iter();
    let all = all.filter(|(name, value)| name != "content-length" || *value != length);
    format!("{:?}", all.collect::<Vec<_>>())
}

fn asked(sent: &Sent) -> String {
    let mut headers = sent.headers.clone();
    for name in [":scheme", "authorization", "x-amz-date"] {
        headers.remove(name);
    }
    framed(&headers, &sent.body)
}

/// An event without its times.
fn timeless(body: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(body) else {
        return show(body);
    };
    let is_text: fn(char) -> bool = |c| c != '"';
    let is_digit: fn(char) -> bool = |c| c.is_ascii_digit();
    let times = [
        ("\"requestTime\":\"", is_text),
        ("\"requestTimeEpoch\":", is_digit),
        ("\"time\":\"", is_text),
        ("\"timeEpoch\":", is_digit),
        ("\"x-amzn-trace-id\":\"Root=1-", is_text),
        ("\"x-amzn-trace-id\":[\"Root=1-", is_text),
    ];
    let text = times
        .iter()
        .fold(text.to_owned(), |text, (label, is_value)| {
            without(&text, label, *is_value)
        });
    show(text.as_bytes())
}

/// The text without what follows the first `label`.
fn without(text: &str, label: &str, is_value: fn(char) -> bool) -> String {
    match text.split_once(label) {
        None => text.to_owned(),
        Some((before, after)) => {
            let after = after.trim_start_matches(is_value);
            format!("{before}{label}{after}")
        }
    }
}
