//! What is done with the requests of a rule.

use std::sync::Arc;

use tenon_model::gateway_api::{HttpBackendRef, HttpRule};
use tenon_model::stateful_session::StatefulSession;
use tenon_model::{
    Action, Destination, DestinationType, MultiDestination, ObjectKey, OptionsRefs, Problem,
    RouteAction, RouteOptions, WeightedDestination, WeightedDestinationOptions,
};

use super::call::Call;
use super::filters::{self, Fate, Filtered, Wrong};
use super::http_route::Rules;
use super::{Known, Reason, Seen, backends, headers, session, tries};

/// What is done with the requests of a rule.
pub(super) struct Done {
    pub(super) action: Action,
    pub(super) options: Arc<RouteOptions>,
    pub(super) references: OptionsRefs,
    pub(super) places: Arc<Places>,
}

/// Where in a rule stands what a route of the Edge API has.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Places {
    /// Its destinations, among the rule's `backendRefs`.
    pub(super) backends: Vec<usize>,
    /// The RouteOptions that it refers to, among the rule's filters.
    pub(super) options: Vec<usize>,
}

/// What a backend comes to.
struct Share {
    place: usize,
    weight: u32,
    to: Destination,
    filters: Filtered,
}

/// A rule that is looked at.
struct Rule<'a> {
    key: &'a ObjectKey,
    number: usize,
    path: String,
    rule: &'a HttpRule,
}

impl Rules {
    pub(super) fn rule(
        &mut self,
        key: &ObjectKey,
        number: usize,
        rule: &HttpRule,
        known: &Seen<'_, impl Known>,
    ) -> Done {
        let at = Rule {
            key,
            number,
            path: format!("spec.rules[{number}]"),
            rule,
        };
        let mut own = filters::read(&rule.filters, at.place(false), known);
        let mut fails = own.fails();
        self.tell(&at, "", &own.wrong);
        let session = self.session(&at).unwrap_or_else(|()| {
            fails = true;
            None
        });
        let mut shares = Vec::new();
        let mut lost = 0;
        for (index, backend) in rule.backend_refs.iter().enumerate() {
            match self.share(&at, index, backend, own.call.as_ref(), known) {
                Ok(Some(share)) => shares.push(share),
                Ok(None) => {}
                Err(Fate::Dropped) => fails = true,
                Err(_) => lost += backend.weight,
            }
        }
        if fails {
            return nowhere();
        }
        if let ([_], [only]) = (&rule.backend_refs[..], &mut shares[..]) {
            own.take_over(std::mem::take(&mut only.filters));
        }
        let (timeout, retries) = tries::of_rule(rule);
        let options = RouteOptions {
            timeout,
            retries,
            session: session.map(Box::new),
            transformations: own.call.as_ref().and_then(Call::transformations).cloned(),
            path_rewrite: own.path.take(),
            host_rewrite: own.host.take().map(tenon_model::HostRewrite::Literal),
            mirrors: std::mem::take(&mut own.mirrors),
            cors: own.cors.take(),
            ..RouteOptions::default()
        };
        own.done(options, shares, lost)
    }

    /// What a backend comes to; nothing, if no requests go there.
    fn share(
        &mut self,
        at: &Rule<'_>,
        index: usize,
        backend: &HttpBackendRef,
        call: Option<&Call>,
        known: &Seen<'_, impl Known>,
    ) -> Result<Option<Share>, Fate> {
        let field = format!(".backendRefs[{index}]");
        let mut filters = filters::read(&backend.filters, at.place(true), known);
        if at.rule.backend_refs.len() > 1 {
            filters.wrong.extend(only_of_all(&filters, backend));
        }
        self.tell(at, &format!("{field}."), &filters.wrong);
        let mut fates = filters.wrong.iter().map(|it| it.fate);
        if fates.any(|it| it == Fate::Dropped) {
            return Err(Fate::Dropped);
        }
        let to = backends::resolve(&backend.backend, at.key, known).and_then(|mut to| {
            if let Some(call) = filters.call.as_ref().or(call) {
                call.put_into(&mut to, known)?;
            }
            Ok(to)
        });
        match to {
            Err(reason) => {
                self.tell_unresolved(format!("{}{field}", at.path), reason);
                Err(Fate::Failed)
            }
            Ok(_) if filters.fails() => Err(Fate::Failed),
            Ok(to) => Ok((backend.weight > 0).then_some(Share {
                place: index,
                weight: backend.weight,
                to,
                filters,
            })),
        }
    }

    fn session(&mut self, at: &Rule<'_>) -> Result<Option<StatefulSession>, ()> {
        let Some(from) = &at.rule.session_persistence else {
            return Ok(None);
        };
        match session::of_rule(from, at.rule, (at.key, at.number)) {
            Ok(session) => Ok(Some(session)),
            Err((field, text)) => {
                let field = format!("{}.sessionPersistence.{field}", at.path);
                self.drop_rule(at.number, field, Reason::new("UnsupportedValue", text));
                Err(())
            }
        }
    }

    fn tell(&mut self, at: &Rule<'_>, before: &str, wrong: &[Wrong]) {
        for it in wrong {
            let dot = if before.is_empty() { "." } else { "" };
            let field = format!("{}{dot}{before}{}", at.path, it.field);
            match it.fate {
                Fate::Dropped => self.drop_rule(at.number, field, it.reason.clone()),
                Fate::Passed | Fate::Failed => self.tell_unresolved(field, it.reason.clone()),
            }
        }
    }

    pub(super) fn tell_unresolved(&mut self, field: String, reason: Reason) {
        let text = reason.message.clone();
        self.problems.push(match reason.reason {
            // It may come yet.
            "BackendNotFound" => Problem::warning(field, text),
            _ => Problem::error(field, text),
        });
        self.unresolved.get_or_insert(reason);
    }

    fn drop_rule(&mut self, number: usize, field: String, reason: Reason) {
        self.problems
            .push(Problem::error(field, reason.message.clone()));
        self.dropped.push((number, reason));
    }
}

impl Rule<'_> {
    fn place(&self, of_backend: bool) -> filters::Place<'_> {
        let matched = match &self.rule.matches[..] {
            [only] => &only.path.value,
            _ => "",
        };
        filters::Place {
            route: self.key,
            matched,
            of_backend,
            has_backends: !self.rule.backend_refs.is_empty(),
        }
    }
}

impl Filtered {
    /// What the only backend of a rule says is said of all requests.
    fn take_over(&mut self, backend: Self) {
        self.requests = self.requests.then(&backend.requests);
        self.responses = self.responses.then(&backend.responses);
        self.host = backend.host.or(self.host.take());
        self.path = backend.path.or(self.path.take());
        self.mirrors.extend(backend.mirrors);
        self.call = backend.call.or(self.call.take());
    }

    fn done(self, mut options: RouteOptions, shares: Vec<Share>, lost: u32) -> Done {
        let changes =
            |it: &Share| !it.filters.requests.is_empty() || !it.filters.responses.is_empty();
        let by_share = shares.iter().any(changes);
        let own = headers::manipulation(&self.requests, &self.responses);
        // Envoy changes headers for a share first and for the route then, but what the share says is to count.
        let mut of_lost = WeightedDestinationOptions::default();
        match by_share {
            true => of_lost.headers = own,
            false => options.headers = own,
        }
        let places = Places {
            backends: shares.iter().map(|it| it.place).collect(),
            options: self.options.iter().map(|(place, _)| *place).collect(),
        };
        let references = self.options.iter().map(|(_, reference)| reference.clone());
        let references = OptionsRefs {
            delegate_options: references.collect(),
        };
        let shares = shares
            .into_iter()
            .map(|it| it.weighted(by_share.then_some(&self)));
        let shares = shares.collect();
        let options = match options == RouteOptions::default() {
            true => RouteOptions::none(),
            false => Arc::new(options),
        };
        Done {
            action: match self.answer {
                Some(answer) => answer,
                None => action(shares, (lost, of_lost)),
            },
            options,
            references,
            places: places.into(),
        }
    }
}

impl Share {
    /// With the headers that all change, if this is where they are changed.
    fn weighted(self, all: Option<&Filtered>) -> WeightedDestination {
        let Filtered {
            requests,
            responses,
            host,
            call,
            ..
        } = self.filters;
        let headers = match all {
            Some(all) => headers::manipulation(
                &all.requests.then(&requests),
                &all.responses.then(&responses),
            ),
            None => headers::manipulation(&requests, &responses),
        };
        WeightedDestination {
            destination: self.to,
            weight: self.weight,
            options: WeightedDestinationOptions {
                headers,
                transformations: call.as_ref().and_then(Call::transformations).cloned(),
                host_rewrite: host,
                ..WeightedDestinationOptions::default()
            },
        }
    }
}

/// What filters of one of several backends say that Envoy can only do for all of them.
fn only_of_all(filters: &Filtered, backend: &HttpBackendRef) -> Vec<Wrong> {
    let said = [
        ("urlRewrite", filters.path.is_some()),
        ("requestMirror", !filters.mirrors.is_empty()),
    ];
    let mut wrong = Vec::new();
    for (name, _) in said.into_iter().filter(|(_, is_said)| *is_said) {
        let mut all = backend.filters.iter();
        let index = all.position(|it| it.field() == name).unwrap_or_default();
        let field = match name {
            "urlRewrite" => format!("filters[{index}].{name}.path"),
            name => format!("filters[{index}].{name}"),
        };
        let text = "is possible only for the only backend of a rule, or for the rule";
        wrong.push(Wrong {
            field,
            reason: Reason::new("UnsupportedValue", text),
            fate: Fate::Dropped,
        });
    }
    wrong
}

/// Requests that cannot go anywhere: 500.
fn nowhere() -> Done {
    Done {
        action: action(Vec::new(), (1, WeightedDestinationOptions::default())),
        options: RouteOptions::none(),
        references: OptionsRefs::default(),
        places: Arc::default(),
    }
}

/// Shares for those that can be reached, and one that is answered with 500 for those that cannot. If there is none at
/// all, or none has a weight, all are.
fn action(
    mut shares: Vec<WeightedDestination>,
    (lost, of_lost): (u32, WeightedDestinationOptions),
) -> Action {
    if let ([only], 0) = (&shares[..], lost)
        && only.options == WeightedDestinationOptions::default()
        && let Some(only) = shares.pop()
    {
        return Action::Route(RouteAction::Single(Box::new(only.destination)));
    }
    if lost > 0 || shares.is_empty() {
        let nowhere = Destination {
            to: DestinationType::Nowhere,
            spec: None,
            subset: None,
        };
        shares.push(WeightedDestination {
            destination: nowhere,
            weight: lost.max(1),
            options: of_lost,
        });
    }
    Action::Route(RouteAction::Multi(MultiDestination {
        destinations: shares,
    }))
}
