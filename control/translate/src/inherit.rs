//! What a route takes over from the route that delegates to its table, as Gloo's `converter.go` has it.

use std::cmp::Reverse;
use std::sync::Arc;

use tenon_model::{
    Matcher, Merge, NO_PATH, ObjectKey, OptionsRefs, PathMatcher, Route, RouteOptions,
};

use crate::external_options::Said;

/// A route that delegates, and what the routes that it delegates to take over from it.
pub(crate) struct Parent<'a> {
    /// The one that delegates to it.
    pub(crate) above: Option<&'a Parent<'a>>,
    /// Where it stands.
    pub(crate) key: &'a ObjectKey,
    /// Its path there, and what it says itself.
    pub(crate) said: &'a Said<'a, RouteOptions>,
    /// Which requests it is for.
    pub(crate) matcher: Matcher,
    /// What counts of that, with what it took over itself.
    pub(crate) options: Arc<RouteOptions>,
    /// Whether headers, methods and query are taken over by who does not say otherwise.
    pub(crate) matchers: bool,
    /// Whether the path is.
    pub(crate) path_matchers: bool,
    /// Its name in Envoy.
    pub(crate) name: Name,
}

/// A route's name in Envoy: it tells the way to a route, if a route on the way has a name.
#[derive(Clone)]
pub(crate) struct Name {
    text: String,
    is_given: bool,
}

impl Name {
    /// The name of a route below another.
    pub(crate) fn new(above: Option<&Self>, key: &ObjectKey, route: &Route, index: usize) -> Self {
        let own = match &route.name {
            Some(name) => name.clone(),
            None => format!("<unnamed-{index}>"),
        };
        let kind = match above {
            None => "vs",
            Some(_) => "rt",
        };
        let way = above.map(|above| format!("{}_", above.text));
        Self {
            text: format!(
                "{}{kind}:{}_{}_route:{own}",
                way.unwrap_or_default(),
                key.namespace,
                key.name
            ),
            is_given: route.name.is_some() || above.is_some_and(|above| above.is_given),
        }
    }

    /// The name, if there is one.
    pub(crate) fn given(self) -> Option<String> {
        self.is_given.then_some(self.text)
    }
}

/// Which requests a route delegates, or why it cannot.
pub(crate) fn delegated(route: &Route) -> Result<Matcher, &'static str> {
    match &route.matchers[..] {
        [] => Ok(Matcher::default()),
        [only] => match &only.path {
            None => Ok(Matcher {
                path: Matcher::default().path,
                ..only.clone()
            }),
            Some(PathMatcher::Prefix(_)) => Ok(only.clone()),
            Some(_) => Err("a route that delegates must have a prefix, no other path"),
        },
        _ => Err("a route that delegates must have one matcher or none"),
    }
}

/// A route below its parent, or why its parent does not delegate these requests: the index of the matcher, and the reason.
pub(crate) fn below(child: &Route, parent: &Parent<'_>) -> Result<Route, (usize, String)> {
    let matchers = child.inheritable_matchers.unwrap_or(parent.matchers);
    let path_matchers = child
        .inheritable_path_matchers
        .unwrap_or(parent.path_matchers);
    let mut own = child.matchers.clone();
    if own.is_empty() {
        own.push(Matcher::default());
    }
    for (index, matcher) in own.iter_mut().enumerate() {
        if path_matchers {
            matcher.path.clone_from(&parent.matcher.path);
            matcher.case_sensitive = parent.matcher.case_sensitive;
        }
        if matchers {
            put_before(&mut matcher.headers, &parent.matcher.headers);
            put_before(&mut matcher.query, &parent.matcher.query);
            put_before(&mut matcher.methods, &parent.matcher.methods);
        }
        check(matcher, &parent.matcher).map_err(|reason| (index, reason))?;
    }
    Ok(Route {
        name: child.name.clone(),
        matchers: own,
        action: child.action.clone(),
        options: RouteOptions::shared_or(&child.options, &parent.options),
        options_config_refs: OptionsRefs::default(),
        inheritable_matchers: Some(matchers),
        inheritable_path_matchers: Some(path_matchers),
        is_broken: child.is_broken,
    })
}

fn put_before<T: Clone + PartialEq>(own: &mut Vec<T>, of_parent: &[T]) {
    own.retain(|it| !of_parent.contains(it));
    own.splice(..0, of_parent.iter().cloned());
}

fn check(child: &Matcher, parent: &Matcher) -> Result<(), String> {
    let Some(path) = &child.path else {
        return Err(NO_PATH.to_owned());
    };
    let (path, prefix) = (text(path), parent.path.as_ref().map_or("/", text));
    if child.case_sensitive != parent.case_sensitive {
        return Err(format!(
            "caseSensitive is {}, but its parent's is {}",
            child.case_sensitive, parent.case_sensitive
        ));
    }
    if !starts_with(path, prefix, child.case_sensitive) {
        return Err(format!(
            "{path:?} does not start with its parent's prefix {prefix:?}"
        ));
    }
    if let Some(missing) = missing(&child.headers, &parent.headers) {
        return Err(format!(
            "its parent's matcher of header {:?} is missing",
            missing.name
        ));
    }
    if let Some(missing) = missing(&child.query, &parent.query) {
        return Err(format!(
            "its parent's matcher of query parameter {:?} is missing",
            missing.name
        ));
    }
    match missing(&child.methods, &parent.methods) {
        Some(missing) => Err(format!("its parent's method {missing} is missing")),
        None => Ok(()),
    }
}

fn missing<'a, T: PartialEq>(child: &[T], parent: &'a [T]) -> Option<&'a T> {
    parent.iter().find(|it| !child.contains(it))
}

/// A path as text: an expression is taken as it is written.
fn text(path: &PathMatcher) -> &str {
    match path {
        PathMatcher::Prefix(text)
        | PathMatcher::Parts(text)
        | PathMatcher::Exact(text)
        | PathMatcher::Regex(text) => text,
        PathMatcher::Connect => "",
    }
}

fn starts_with(path: &str, prefix: &str, case_sensitive: bool) -> bool {
    match (case_sensitive, path.get(..prefix.len())) {
        (true, _) => path.starts_with(prefix),
        (false, Some(start)) => start.eq_ignore_ascii_case(prefix),
        (false, None) => false,
    }
}

/// What of a matcher counts where routes are sorted.
#[derive(Clone, PartialEq)]
pub(crate) struct Shape {
    methods: usize,
    path: PathMatcher,
}

impl Shape {
    /// The shape of a matcher that has a path.
    pub(crate) fn of(matcher: &Matcher) -> Option<Self> {
        Some(Self {
            methods: matcher.methods.len(),
            path: matcher.path.clone()?,
        })
    }

    /// Gloo's order: more methods first; an exact path before an expression before a prefix; `/a/b` before `/a`.
    pub(crate) fn order(&self) -> (Reverse<usize>, u8, Reverse<&str>) {
        let kind = match self.path {
            PathMatcher::Connect => 0,
            PathMatcher::Exact(_) => 1,
            PathMatcher::Regex(_) => 2,
            PathMatcher::Prefix(_) | PathMatcher::Parts(_) => 3,
        };
        (Reverse(self.methods), kind, Reverse(text(&self.path)))
    }

    /// Whether its paths are some of those of another, and not all.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        match (&self.path, &other.path) {
            (PathMatcher::Prefix(path), PathMatcher::Prefix(prefix)) => {
                path.len() > prefix.len() && path.starts_with(prefix)
            }
            (PathMatcher::Exact(path) | PathMatcher::Regex(path), PathMatcher::Prefix(prefix)) => {
                path.starts_with(prefix)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(methods: usize, path: PathMatcher) -> Shape {
        Shape { methods, path }
    }

    #[test]
    fn shapes_are_ordered_as_gloo_orders_them() {
        let prefix = |path: &str| PathMatcher::Prefix(path.into());
        let mut shapes = [
            shape(0, prefix("/a")),
            shape(0, PathMatcher::Exact("/b".into())),
            shape(0, prefix("/a/b")),
            shape(0, PathMatcher::Regex("/.*".into())),
            shape(2, prefix("/")),
        ];
        shapes.sort_by(|a, b| a.order().cmp(&b.order()));
        let paths: Vec<_> = shapes.iter().map(|it| text(&it.path)).collect();
        assert_eq!(paths, ["/", "/b", "/.*", "/a/b", "/a"]);
    }

    #[test]
    fn a_prefix_is_compared_as_it_is_matched() {
        assert!(starts_with("/A/b", "/a", false));
        assert!(!starts_with("/A/b", "/a", true));
        assert!(!starts_with("/a", "/a/b", false));
    }
}
