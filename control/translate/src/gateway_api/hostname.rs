//! Hosts of listeners and of routes: which both are for, and which listener a request belongs to.

/// All hosts.
pub(crate) const ANY: &str = "*";

/// The hosts that two hostnames are both for, as a hostname.
///
/// `*.example.com` is for any number of labels in the place of the `*`, but not for none.
pub(crate) fn intersection(listener: Option<&str>, route: Option<&str>) -> Option<String> {
    let (listener, route) = match (listener, route) {
        (None, None) => return Some(ANY.to_owned()),
        (Some(only), None) | (None, Some(only)) => return Some(only.to_owned()),
        (Some(listener), Some(route)) => (listener, route),
    };
    if covers(listener, route) {
        Some(route.to_owned())
    } else if covers(route, listener) {
        Some(listener.to_owned())
    } else {
        None
    }
}

/// Whether a hostname is for all hosts that another one is for.
pub(crate) fn covers(wide: &str, narrow: &str) -> bool {
    match wide.strip_prefix('*') {
        // `*` and what ends with `.example.com`
        Some(end) => {
            wide == narrow || end.is_empty() || narrow.ends_with(end) && narrow.len() > end.len()
        }
        None => wide == narrow,
    }
}

/// The hostnames of listeners that are for all hosts that another one is for, but for itself; `None`: any host.
pub(crate) fn wider(host: &str) -> impl Iterator<Item = Option<String>> {
    let ends = host.match_indices('.').map(|(at, _)| host.split_at(at).1);
    let wild = ends
        .map(|end| format!("*{end}"))
        .filter(move |it| it != host);
    wild.map(Some).chain([None])
}

/// Which of several listeners the hosts of a hostname belong to: the one whose own is the most specific of those that are
/// for all of them. (Where one is for a part of them only, that has a virtual host of its own.)
pub(crate) fn owner<'a>(
    host: &str,
    listeners: impl Iterator<Item = (usize, Option<&'a str>)>,
) -> Option<usize> {
    let fitting = listeners.filter(|(_, own)| own.is_none_or(|own| covers(own, host)));
    let best = fitting.max_by_key(|(_, own)| {
        let exact = own.is_some_and(|own| !own.starts_with('*'));
        (exact, own.map_or(0, |own| own.split('.').count()))
    });
    best.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_those_that_listener_and_route_are_both_for() {
        for (listener, route, expected) in [
            (None, None, Some("*")),
            (Some("a.example.com"), None, Some("a.example.com")),
            (None, Some("*.example.com"), Some("*.example.com")),
            (
                Some("a.example.com"),
                Some("a.example.com"),
                Some("a.example.com"),
            ),
            (Some("a.example.com"), Some("b.example.com"), None),
            (
                Some("*.example.com"),
                Some("a.example.com"),
                Some("a.example.com"),
            ),
            (
                Some("*.example.com"),
                Some("a.b.example.com"),
                Some("a.b.example.com"),
            ),
            (Some("*.example.com"), Some("example.com"), None),
            (
                Some("a.example.com"),
                Some("*.example.com"),
                Some("a.example.com"),
            ),
            (
                Some("*.example.com"),
                Some("*.a.example.com"),
                Some("*.a.example.com"),
            ),
            (
                Some("*.a.example.com"),
                Some("*.example.com"),
                Some("*.a.example.com"),
            ),
            (
                Some("*.example.com"),
                Some("*.example.com"),
                Some("*.example.com"),
            ),
            (Some("*.example.com"), Some("*.notexample.com"), None),
        ] {
            assert_eq!(
                intersection(listener, route).as_deref(),
                expected,
                "{listener:?} {route:?}"
            );
        }
    }

    #[test]
    fn hosts_are_within_those_of_wider_hostnames() {
        for (host, expected) in [
            ("a.b.com", vec![Some("*.b.com"), Some("*.com"), None]),
            ("*.b.com", vec![Some("*.com"), None]),
            ("local", vec![None]),
        ] {
            let all: Vec<_> = wider(host).collect();
            let all: Vec<_> = all.iter().map(Option::as_deref).collect();
            assert_eq!(all, expected, "{host}");
            assert!(all.iter().flatten().all(|it| covers(it, host)));
        }
    }

    #[test]
    fn a_host_belongs_to_the_most_specific_listener() {
        let listeners = [
            None,
            Some("*.example.com"),
            Some("*.a.example.com"),
            Some("b.example.com"),
        ];
        for (host, expected) in [
            ("other.com", 0),
            ("*", 0),
            ("*.com", 0),
            ("c.example.com", 1),
            ("*.example.com", 1),
            ("b.example.com", 3),
            ("x.a.example.com", 2),
            ("*.b.a.example.com", 2),
        ] {
            let all = listeners.iter().copied().enumerate();
            assert_eq!(owner(host, all), Some(expected), "{host}");
        }
    }
}
