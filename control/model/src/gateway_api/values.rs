//! Values that several kinds have, with the bounds that the CRDs of the Gateway API have for them.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::duration;
use crate::read::{Fields, Node};

/// A host, perhaps with `*.` in the place of its first labels; "IPs are not allowed".
pub(crate) fn hostname(node: &Node<'_>) -> Option<String> {
    let host = node.text()?;
    let inner = host.strip_prefix("*.").unwrap_or(host);
    if inner.parse::<std::net::IpAddr>().is_ok() {
        return node.error(format!("{host:?} is an address, not a name"));
    }
    match host.len() <= 253 && is_subdomain(inner) {
        true => Some(host.to_owned()),
        false => node.error(format!(
            "{host:?} is not a hostname, which has lower case letters, digits, '-' and '.', and may begin with *."
        )),
    }
}

/// A host.
pub(crate) fn precise_hostname(node: &Node<'_>) -> Option<String> {
    subdomain_or(
        node,
        "a hostname without wildcard, which has lower case letters, digits, '-' and '.'",
    )
}

/// The name of a listener or of a rule.
pub(crate) fn section(node: &Node<'_>) -> Option<String> {
    subdomain_or(
        node,
        "a name, which has lower case letters, digits, '-' and '.'",
    )
}

fn subdomain_or(node: &Node<'_>, expected: &str) -> Option<String> {
    let text = node.text()?;
    match text.len() <= 253 && is_subdomain(text) {
        true => Some(text.to_owned()),
        false => node.error(format!("{text:?} is not {expected}")),
    }
}

/// The name of an object.
pub(crate) fn object_name(node: &Node<'_>) -> Option<String> {
    within(node, 1, 253)
}

/// The group of a kind; empty: Kubernetes' own.
pub(crate) fn group(node: &Node<'_>) -> Option<String> {
    let group = node.text()?;
    match group.is_empty() || group.len() <= 253 && is_subdomain(group) {
        true => Some(group.to_owned()),
        false => node.error(format!(
            "{group:?} is not a group, as gateway.networking.k8s.io"
        )),
    }
}

/// A kind.
pub(crate) fn kind(node: &Node<'_>) -> Option<String> {
    let kind = node.text()?;
    let fits = kind.starts_with(|c: char| c.is_ascii_alphabetic())
        && !kind.ends_with('-')
        && kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    match fits && kind.len() <= 63 {
        true => Some(kind.to_owned()),
        false => node.error(format!("{kind:?} is not a kind, as Service")),
    }
}

/// A namespace.
pub(crate) fn namespace(node: &Node<'_>) -> Option<String> {
    let namespace = node.text()?;
    match namespace.len() <= 63 && is_label(namespace) {
        true => Some(namespace.to_owned()),
        false => node.error(format!(
            "{namespace:?} is not a namespace, which has lower case letters, digits and '-'"
        )),
    }
}

/// The name of a header or of a query parameter.
pub(crate) fn header_name(node: &Node<'_>) -> Option<String> {
    let name = within(node, 1, 256)?;
    match crate::header::is_name(&name) {
        true => Some(name),
        false => node.error(format!("{name:?} is not the name of a header")),
    }
}

/// The value of a header: visible characters, with single spaces or tabs between them.
pub(crate) fn header_value(node: &Node<'_>) -> Option<String> {
    let value = within(node, 1, 4_096)?;
    let mut after_space = true;
    let fits = value.chars().all(|c| {
        let space = c == ' ' || c == '\t';
        let fits = c.is_ascii_graphic() || space && !after_space;
        after_space = space;
        fits
    });
    match fits && !after_space {
        true => Some(value),
        false => node
            .error("must have visible ASCII characters, with single spaces between them at most"),
    }
}

/// GEP-2257: `1h30m`, of whole numbers with at most five digits.
pub(crate) fn time(node: &Node<'_>) -> Option<Duration> {
    let text = node.text()?;
    let mut rest = text;
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        let after = &rest[digits..];
        let unit = ["ms", "h", "m", "s"]
            .into_iter()
            .find(|unit| after.starts_with(unit));
        parts += 1;
        match unit {
            Some(unit) if (1..=5).contains(&digits) && parts <= 4 => rest = &after[unit.len()..],
            _ => {
                parts = 0;
                break;
            }
        }
    }
    let time = duration::parse(text).filter(|_| parts > 0);
    match time {
        Some(time) => Some(time),
        None => node.error(format!(
            "{text:?} is not a duration; expected whole numbers with h, m, s or ms, as 1h30m or 500ms"
        )),
    }
}

/// A text of some length, in characters.
pub(crate) fn within(node: &Node<'_>, least: usize, most: usize) -> Option<String> {
    let text = node.text()?;
    match text.chars().count() {
        0 if least > 0 => node.error("must not be empty"),
        length if length > most => node.error(format!(
            "has {length} characters; at most {most} are possible"
        )),
        _ => Some(text.to_owned()),
    }
}

/// As RFC 1123 has the names of hosts.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Lists and maps that must not be longer.
pub(crate) fn at_most(fields: &Fields<'_>, limits: &[(&str, usize)]) {
    for (name, most) in limits {
        let count = fields.items(name);
        if count > *most {
            fields.error_at(
                name,
                format!("has {count} items; at most {most} are possible"),
            );
        }
    }
}

/// A list whose items must differ in something.
pub(crate) fn distinct<'a>(
    fields: &Fields<'_>,
    name: &str,
    items: impl IntoIterator<Item = &'a str>,
) {
    let mut seen = BTreeSet::new();
    for item in items {
        if !seen.insert(item) {
            fields.error_at(name, format!("{item:?} is there more than once"));
        }
    }
}
