//! What is kept of an object's `metadata`, where it matters: who is older, and what annotations say.

use std::collections::BTreeMap;

use crate::Kind;
use crate::read::{Node, Path, Report};

/// What is kept of an object's `metadata` beside its labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// When it was made, in seconds since 1970. Objects in files need not say it.
    pub created: Option<i64>,
    /// Which form of it this is, as Kubernetes counts them.
    pub generation: Option<i64>,
    /// Annotations of the Gateway API, of Gloo and of Tenon.
    pub annotations: BTreeMap<String, String>,
}

/// The domains whose annotations are kept: others may be long, as kubectl's own is.
const DOMAINS: [&str; 4] = [
    "gateway.networking.k8s.io",
    "gloo.solo.io",
    "solo.io",
    "tenon.dev",
];

impl Metadata {
    /// What is kept of objects of that kind; nothing where there is nothing to keep.
    pub(crate) fn read(
        kind: Kind,
        document: &serde_json::Value,
        report: &Report,
    ) -> Option<Box<Self>> {
        if !is_kept(kind) {
            return None;
        }
        let metadata = document.get("metadata")?;
        let field = |name: &'static str, path: &'static str| {
            let value = metadata.get(name).filter(|it| !it.is_null())?;
            Some(Node::new(value, Path::Root(path), report))
        };
        let created = field("creationTimestamp", "metadata.creationTimestamp");
        let generation = field("generation", "metadata.generation");
        let annotations = field("annotations", "metadata.annotations");
        let annotations = annotations.and_then(|node| node.map(|node| node.string()));
        let read = Self {
            created: created.and_then(|node| time(&node)),
            generation: generation.and_then(|node| node.within(0, i64::MAX)),
            annotations: annotations
                .unwrap_or_default()
                .into_iter()
                .filter(|(name, _)| is_known(name))
                .collect(),
        };
        (read != Self::default()).then(|| Box::new(read))
    }
}

fn is_kept(kind: Kind) -> bool {
    kind.is_of_gateway_api()
        || matches!(
            kind,
            Kind::HttpListenerOption
                | Kind::ListenerOption
                | Kind::RouteOption
                | Kind::VirtualHostOption
        )
}

fn is_known(annotation: &str) -> bool {
    let domain = annotation.split('/').next().unwrap_or_default();
    DOMAINS.iter().any(|known| {
        domain
            .strip_suffix(known)
            .is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
}

fn time(node: &Node<'_>) -> Option<i64> {
    let text = node.text()?;
    match seconds(text) {
        Some(seconds) => Some(seconds),
        None => node.error(format!("{text:?} is not a time, as 2026-01-02T03:04:05Z")),
    }
}

/// RFC 3339, without what is less than a second.
fn seconds(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        let fits = digits.bytes().all(|it| it.is_ascii_digit());
        fits.then(|| digits.parse().ok())?
    };
    let is = |at: usize, what: &[u8]| text.as_bytes().get(at).is_some_and(|it| what.contains(it));
    let marks = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let bounds = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    let rest = text.get(19..)?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let offset = match zone {
        "Z" | "z" => 0,
        _ => {
            let sign = match zone.get(..1)? {
                "+" => 1,
                "-" => -1,
                _ => return None,
            };
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            let part =
                |text: &str| -> Option<i64> { (text.len() == 2).then(|| text.parse().ok())? };
            sign * (part(hours)? * 3_600 + part(minutes)? * 60)
        }
    };
    // Days since 1970 of the Gregorian calendar, whose years begin in March here, so that a leap day is the last.
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    (marks && bounds).then(|| days * 86_400 + hour * 3_600 + minute * 60 + second - offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_rfc_3339() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:00Z", Some(951_825_600)),
            ("2026-11-22T16:53:20.123Z", Some(1_795_366_400)),
            ("2026-11-22T18:53:20+02:00", Some(1_795_366_400)),
            ("2026-11-22", None),
            ("2026-13-22T16:53:20Z", None),
            ("2026-11-22T16:53:20", None),
            ("yesterday", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn annotations_of_others_are_not_kept() {
        assert!(is_known(
            "delegation.gateway.solo.io/inherit-parent-matcher"
        ));
        assert!(is_known("gateway.gloo.solo.io/gateway-parameters-name"));
        assert!(!is_known(
            "kubectl.kubernetes.io/last-applied-configuration"
        ));
        assert!(!is_known("notsolo.io/a"));
    }
}
