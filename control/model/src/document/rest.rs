//! What can be read of a virtual service or a route table that is wrong in parts.
//!
//! Only what is wrong in known places is left out, and nothing is guessed: a route that cannot be read answers for its own
//! matchers; of a virtual service whose routes cannot be told apart, all of its domains do. What is wrong elsewhere leaves
//! nothing to be served.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Form, object};
use crate::{Kind, Matcher, Object, ObjectKey, Parsed, Problem, ProblemLevel, Spec};

/// What is left of a document with these problems.
pub(super) fn read(
    key: &ObjectKey,
    form: Form,
    document: &Value,
    problems: &[Problem],
) -> Option<Object> {
    let (routes, spec) = match key.kind {
        Kind::VirtualService => ("spec.virtualHost.routes", "spec.virtualHost"),
        Kind::RouteTable => ("spec.routes", "spec"),
        _ => return None,
    };
    let errors = problems.iter();
    let errors = errors.filter(|it| it.level == ProblemLevel::Error);
    let fields: Vec<&str> = errors.map(|it| it.field.as_str()).collect();
    let broken: Option<BTreeSet<usize>> = fields.iter().map(|it| route(it, routes)).collect();
    let mut rest = document.clone();
    let host = rest.pointer_mut(&pointer(spec, form))?.as_object_mut()?;
    // Without any it would be for all hosts, perhaps by a slip of the pen.
    let some = |domains: &Value| domains.as_array().is_some_and(|it| !it.is_empty());
    if key.kind == Kind::VirtualService && !host.get("domains").is_some_and(some) {
        return None;
    }
    let broken = broken.filter(|broken| mark(host, broken, key.kind).is_some());
    if broken.is_none() {
        let known = ["domains", "sslConfig"];
        let within = |it: &&str| it.starts_with("spec.virtualHost.");
        let unknown = |it: &&str| known.iter().any(|known| it.contains(known));
        if key.kind != Kind::VirtualService
            || !fields.iter().all(within)
            || fields.iter().any(unknown)
        {
            return None;
        }
        let domains = host.get("domains").cloned();
        host.clear();
        host.extend(domains.map(|it| ("domains".to_owned(), it)));
        host.insert("routes".to_owned(), json!([stand_in()]));
    }
    let Parsed::Object(mut rest) = object(key.clone(), form, &rest) else {
        return None;
    };
    let routes = match &mut rest.spec {
        Spec::VirtualService(service) => &mut service.routes,
        Spec::RouteTable(table) => &mut table.routes,
        _ => return None,
    };
    match broken {
        Some(broken) => {
            for index in broken {
                routes.get_mut(index)?.is_broken = true;
            }
        }
        None => {
            let route = routes.first_mut()?;
            route.is_broken = true;
            route.matchers = vec![Matcher::default()];
        }
    }
    Some(*rest)
}

/// Puts something that can be read in the place of routes that cannot, with their matchers.
fn mark(host: &mut Map<String, Value>, broken: &BTreeSet<usize>, kind: Kind) -> Option<()> {
    let mut marked = host.get("routes")?.as_array()?.clone();
    for index in broken {
        let route = marked.get_mut(*index)?;
        let old = route.as_object()?;
        // Of a table, a route without matchers is for all that leads to it, as the table is.
        if kind == Kind::RouteTable && !old.contains_key("matchers") {
            return None;
        }
        let kept = ["matchers", "inheritableMatchers", "inheritablePathMatchers"];
        let kept = old.iter().filter(|(name, _)| kept.contains(&name.as_str()));
        let mut new = stand_in();
        new.as_object_mut()?
            .extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        *route = new;
    }
    host.insert("routes".to_owned(), Value::Array(marked));
    Some(())
}

fn stand_in() -> Value {
    json!({"directResponseAction": {"status": 500}})
}

/// The number of the route that a field is within, if it is not about its matchers.
fn route(field: &str, routes: &str) -> Option<usize> {
    let (index, within) = field
        .strip_prefix(routes)?
        .strip_prefix('[')?
        .split_once(']')?;
    let matchers = within.starts_with(".matchers") || within.starts_with(".inheritable");
    (!matchers).then(|| index.parse().ok()).flatten()
}

/// Where a field of the Kubernetes form stands in the document.
fn pointer(field: &str, form: Form) -> String {
    let field = match form {
        Form::Bare => field.strip_prefix("spec").unwrap_or(field),
        _ => field,
    };
    let parts = field.split('.').filter(|part| !part.is_empty());
    parts.map(|part| format!("/{part}")).collect()
}
