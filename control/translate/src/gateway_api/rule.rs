//! What is done with the requests of a rule.

use std::sync::Arc;
use std::time::Duration;

use tenon_model::gateway_api::{HttpBackendRef, HttpRule};
use tenon_model::stateful_session::StatefulSession;
use tenon_model::{
    Action, Destination, DestinationType, MultiDestination, ObjectKey, OptionsRefs, Problem,
    RetryPolicy, RouteAction, RouteOptions, WeightedDestination, WeightedDestinationOptions,
};

use super::call::Call;
use super::filters::{self, Fate, FilterPlace, Filtered, Wrong};
use super::http_route::Rules;
use super::{Known, Reason, Seen, backends, headers, session, tries};

/// What is done with the requests of a rule.
pub(super) struct Done {
    /// One route with all of them, most of the time; else one for each share, of which each but the last one says how far it
    /// reaches.
    pub(super) parts: Vec<Part>,
    /// None of them can be served.
    pub(super) fails: bool,
}

/// What is done with requests of a rule: with all, or with a share.
pub(super) struct Part {
    /// Of a million requests, the first so many; nothing: all that are left.
    pub(super) up_to: Option<u32>,
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
    /// The RouteOptions that it refers to, among the filters of the rule and its backends.
    pub(super) options: Vec<FilterPlace>,
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
        let mut own = filters::read(&rule.filters, at.place(None), known);
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
        let several = rule.backend_refs.len() > 1;
        let apart = several && shares.iter().any(|it| it.filters.are_of_a_route());
        let settings = Settings::of(rule, session);
        let parts = match (apart, &mut shares[..]) {
            (true, _) => apart_from_each_other(&own, &settings, shares, lost),
            (false, [only]) if !several => {
                own.take_over(std::mem::take(&mut only.filters));
                vec![own.done(&settings, shares, lost)]
            }
            _ => vec![own.done(&settings, shares, lost)],
        };
        Done {
            parts,
            fails: false,
        }
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
        let filters = filters::read(&backend.filters, at.place(Some(index)), known);
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
    fn place(&self, backend: Option<usize>) -> filters::Place<'_> {
        let matched = match &self.rule.matches[..] {
            [only] => &only.path.value,
            _ => "",
        };
        filters::Place {
            route: self.key,
            matched,
            backend,
            has_backends: !self.rule.backend_refs.is_empty(),
        }
    }
}

/// What a rule says besides its filters.
struct Settings {
    timeout: Option<Duration>,
    retries: Option<RetryPolicy>,
    session: Option<Box<StatefulSession>>,
}

impl Settings {
    fn of(rule: &HttpRule, session: Option<StatefulSession>) -> Self {
        let (timeout, retries) = tries::of_rule(rule);
        Self {
            timeout,
            retries,
            session: session.map(Box::new),
        }
    }
}

impl Filtered {
    /// What a backend says is said of all requests that there are: it is the only one, or it has a route of its own.
    fn take_over(&mut self, backend: Self) {
        self.requests = self.requests.then(&backend.requests);
        self.responses = self.responses.then(&backend.responses);
        self.host = backend.host.or(self.host.take());
        self.path = backend.path.or(self.path.take());
        self.mirrors.extend(backend.mirrors);
        self.cors = backend.cors.or(self.cors.take());
        self.external_auth.extend(backend.external_auth);
        self.answer = backend.answer.or(self.answer.take());
        self.call = backend.call.or(self.call.take());
        // What is said at the backend counts before what is said of all.
        self.options.splice(0..0, backend.options);
    }

    /// Whether they say what Envoy can do for a route only, not for one of the clusters among which a route chooses.
    fn are_of_a_route(&self) -> bool {
        self.path.is_some()
            || !self.mirrors.is_empty()
            || self.cors.is_some()
            || !self.external_auth.is_empty()
            || self.answer.is_some()
            || !self.options.is_empty()
    }

    fn done(mut self, settings: &Settings, shares: Vec<Share>, lost: u32) -> Part {
        let mut options = RouteOptions {
            timeout: settings.timeout,
            retries: settings.retries.clone(),
            session: settings.session.clone(),
            transformations: self.call.as_ref().and_then(Call::transformations).cloned(),
            path_rewrite: self.path.take(),
            host_rewrite: self.host.take().map(tenon_model::HostRewrite::Literal),
            mirrors: std::mem::take(&mut self.mirrors),
            cors: self.cors.take(),
            external_auth: std::mem::take(&mut self.external_auth),
            ..RouteOptions::default()
        };
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
            ..OptionsRefs::default()
        };
        let shares = shares
            .into_iter()
            .map(|it| it.weighted(by_share.then_some(&self)));
        let shares = shares.collect();
        let options = match options == RouteOptions::default() {
            true => RouteOptions::none(),
            false => Arc::new(options),
        };
        Part {
            up_to: None,
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

/// A route for each share, since some say what Envoy can do for a route only. A request has the same number on all of
/// them, so that the shares are those of the weights, to a millionth, and a request that has its route chosen again has the
/// same one.
fn apart_from_each_other(
    own: &Filtered,
    settings: &Settings,
    shares: Vec<Share>,
    lost: u32,
) -> Vec<Part> {
    let weights = shares.iter().map(|it| u64::from(it.weight));
    let total = weights.sum::<u64>() + u64::from(lost);
    let mut before = 0;
    let mut parts = Vec::new();
    for mut share in shares {
        before += u64::from(share.weight);
        let mut all = own.clone();
        all.take_over(std::mem::take(&mut share.filters));
        let up_to = (before < total).then(|| before * MILLION / total);
        parts.push(Part {
            up_to: up_to.and_then(|it| u32::try_from(it).ok()),
            ..all.done(settings, vec![share], 0)
        });
    }
    if lost > 0 || parts.is_empty() {
        parts.push(own.clone().done(settings, Vec::new(), lost));
    }
    parts
}

const MILLION: u64 = 1_000_000;

/// Requests that cannot go anywhere: 500.
fn nowhere() -> Done {
    let part = Part {
        up_to: None,
        action: action(Vec::new(), (1, WeightedDestinationOptions::default())),
        options: RouteOptions::none(),
        references: OptionsRefs::default(),
        places: Arc::default(),
    };
    Done {
        parts: vec![part],
        fails: true,
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
