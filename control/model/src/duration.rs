//! Durations as protobuf's JSON (`1.5s`) and Go (`1m30s`, `250ms`) write them: Gloo has taken both.

use std::time::Duration;

const UNITS: [(&str, u128); 7] = [
    // Longer names first, so that `ms` is not read as `m`.
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
];

/// The longest duration that Envoy takes, in seconds: what fits 64 bits of nanoseconds. Protobuf has longer ones, but with
/// one of those Envoy refuses a route table as a whole.
const MOST: u64 = 9_223_372_035;

pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut nanos: u128 = 0;
    loop {
        let (number, unit, after) = part(rest)?;
        nanos = nanos.checked_add(number.checked_mul(unit)? / 1_000_000_000)?;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    let nanos = u32::try_from(nanos % 1_000_000_000).ok()?;
    (seconds <= MOST).then(|| Duration::new(seconds, nanos))
}

/// A number in billionths, the nanoseconds of its unit, and what follows.
fn part(text: &str) -> Option<(u128, u128, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || whole.len() > 15 || fraction.len() > 9 {
        return None;
    }
    let digits = |text: &str| -> Option<u128> {
        if text.is_empty() {
            return Some(0);
        }
        text.parse().ok()
    };
    let fraction = digits(&format!("{fraction:0<9}"))?;
    let number = digits(whole)?
        .checked_mul(1_000_000_000)?
        .checked_add(fraction)?;
    let (name, unit) = UNITS.iter().find(|(name, _)| rest.starts_with(name))?;
    Some((number, *unit, rest.strip_prefix(name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_are_read() {
        for (text, millis) in [
            ("10s", 10_000),
            ("0s", 0),
            ("1.5s", 1_500),
            (".5s", 500),
            ("0.250s", 250),
            ("250ms", 250),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
            ("9223372035s", 9_223_372_035_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "1d",
            "1.2.3s",
            "1s2",
            "1e3s",
            "99999999999999999s",
            "9223372037s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
