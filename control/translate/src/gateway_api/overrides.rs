//! What counts where a route leaves requests to another one, and both say options: the parent first, but for those that it
//! lets its children say, as with Gloo.

use std::collections::BTreeSet;
use std::sync::Arc;

use tenon_model::{Merge, Object, ObjectRef, OptionsRefs, Problem, RouteOptions};

use super::delegation::annotation;
use super::http_route::Compiled;

/// On a parent: which options of its children count before its own.
const ANNOTATION: &str = "delegation.gateway.solo.io/enable-policy-overrides";
/// All.
const ALL: &str = "*";

/// Which options of its children count before a parent's own.
pub(super) enum Overrides {
    None,
    All,
    Some(Arc<BTreeSet<String>>),
}

impl Overrides {
    pub(super) fn of(parent: &Object) -> Self {
        let written = annotation(parent, ANNOTATION).map_or("", String::as_str);
        let names: BTreeSet<_> = written.split(',').map(str::trim).collect();
        if names.contains(ALL) {
            return Self::All;
        }
        let known = names
            .iter()
            .filter_map(|name| RouteOptions::option_named(name));
        let known: BTreeSet<_> = known.map(str::to_owned).collect();
        match known.is_empty() {
            true => Self::None,
            false => Self::Some(Arc::new(known)),
        }
    }
}

/// What of a parent's annotation means nothing: the parent's options count.
pub(crate) fn problems_of_overrides(object: &Object) -> Vec<Problem> {
    let Some(written) = annotation(object, ANNOTATION) else {
        return Vec::new();
    };
    let names = written.split(',').map(str::trim);
    let unknown = names.filter(|name| *name != ALL && RouteOptions::option_named(name).is_none());
    let problems = unknown.map(|name| {
        let text = format!("{name:?} is no option of routes: expected *, or names of options with commas between them");
        Problem::warning(format!("metadata.annotations.{ANNOTATION}"), text)
    });
    problems.collect()
}

/// What a rule says of all requests.
pub(super) struct Policy {
    pub(super) options: Arc<RouteOptions>,
    pub(super) references: OptionsRefs,
}

/// A RouteOption that is referred to.
#[derive(Clone)]
struct Entry {
    to: ObjectRef,
    /// Which options of it count, if not all do.
    only: Option<Arc<BTreeSet<String>>>,
    /// Which it is among those of the rule that says what is done.
    own: Option<usize>,
}

impl Policy {
    /// Puts what the rule says over what a child says.
    pub(super) fn put_over(&self, below: &mut Compiled, overrides: &Overrides) {
        let upper = entries(&self.references, |_| None);
        let lower = entries(&below.route.options_config_refs, |place| {
            below.source.own_option(place)
        });
        let (above, own) = (&self.options, &below.route.options);
        let (options, all) = match overrides {
            Overrides::All => (RouteOptions::shared_or(own, above), [lower, upper].concat()),
            Overrides::None => (RouteOptions::shared_or(above, own), [upper, lower].concat()),
            Overrides::Some(names) => {
                let first = Arc::new(own.only(names));
                let then = RouteOptions::shared_or(above, own);
                let some = lower.iter().map(|it| it.only(names)).collect();
                let options = RouteOptions::shared_or(&first, &then);
                (options, [some, upper, lower].concat())
            }
        };
        below.source.order = Some(all.iter().map(|it| it.own).collect());
        let only = all.iter().enumerate();
        let only = only.filter_map(|(place, it)| Some((place, it.only.clone()?)));
        below.route.options_config_refs = OptionsRefs {
            only: only.collect(),
            delegate_options: all.into_iter().map(|it| it.to).collect(),
        };
        below.route.options = options;
    }
}

fn entries(references: &OptionsRefs, own: impl Fn(usize) -> Option<usize>) -> Vec<Entry> {
    let all = references.delegate_options.iter().enumerate();
    let all = all.map(|(place, to)| Entry {
        to: to.clone(),
        only: references.only.get(&place).cloned(),
        own: own(place),
    });
    all.collect()
}

impl Entry {
    fn only(&self, names: &Arc<BTreeSet<String>>) -> Self {
        let only = match &self.only {
            Some(only) => Arc::new(only.intersection(names).cloned().collect()),
            None => names.clone(),
        };
        Self {
            only: Some(only),
            ..self.clone()
        }
    }
}
