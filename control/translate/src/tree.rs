//! The routes of a virtual service, and of the tables that they delegate to.
//!
//! A table that is wrong is served in its last good form; one that has none has its broken routes answer for themselves.
//! Neither is noticed by who delegates to it, nor by the tables beside it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use tenon_model::{
    Action, Delegation, HeaderSecret, InvalidConfigPolicy, Kind, Matcher, MultiDestination,
    ObjectKey, ObjectRef, Problem, ProblemLevel, Route, RouteAction, RouteOptions, RouteTable,
    Selector, Servers, Settings, TransformationSettings, Upstream, VirtualHostOptions,
};

use crate::external_options::{ExternalOptions, HOST, Said, name_of, option_of};
use crate::inherit::{self, Name, Parent};
use crate::options::{self, Configured, Context};
use crate::piece::{self, Piece};
use crate::route::{self, Routes, Upstreams};
use crate::secret_headers;
use crate::transcoder::Transcoder;
use crate::virtual_host::{Kept, VirtualHostForm};

/// How many tables may stand below each other.
const DEEPEST: usize = 64;
/// How many tables a virtual service may lead to, each counted as often as it is led to.
const MOST_TABLES: usize = 50_000;
/// As how many tables a cycle counts: of tables that all lead to each other there are more than anybody could go.
const CYCLE: usize = 500;
const ROUTES: &str = "spec.routes";

/// Finds route tables.
pub(crate) trait Tables {
    /// The table, in the last form that could be read.
    fn table(&self, key: &ObjectKey) -> Found<'_>;
    /// The last form that was good in all.
    fn good_table(&self, key: &ObjectKey) -> Option<&RouteTable>;
    /// The upstream group, in its last good form, or why there is none.
    fn group(&self, reference: &ObjectRef) -> Result<&MultiDestination, String>;
    /// Those that a selector means, in the order of their keys.
    fn select(&self, selector: &Selector) -> Vec<ObjectKey>;
}

/// What is found of a table.
pub(crate) enum Found<'a> {
    Table(&'a RouteTable),
    /// What can be used of one of which no form could be read.
    Rest(&'a RouteTable),
    /// None of its forms could be read.
    Rejected,
    Missing,
}

/// Translates the routes of one virtual service.
pub(crate) struct Tree<'a, W> {
    world: &'a W,
    seen: Seen<'a, W>,
    options: &'a VirtualHostOptions,
    settings: TransformationSettings,
    /// What answers for what is not valid.
    invalid: InvalidConfigPolicy,
    servers: Arc<Servers>,
    /// None of the routes that are looked at can be served, because of what holds for all of them.
    refuses: bool,
    kept_before: &'a Kept,
    kept: Kept,
    problems: Vec<(ObjectKey, Problem)>,
    problems_of_options: BTreeSet<(ObjectKey, Problem)>,
    tables: BTreeMap<ObjectKey, bool>,
    selectors: BTreeSet<Selector>,
    incomplete: BTreeSet<ObjectKey>,
    visits: usize,
}

/// Where routes stand.
struct Place<'a> {
    key: &'a ObjectKey,
    routes: &'static str,
    /// The route that delegates to them.
    parent: Option<&'a Parent<'a>>,
    /// The way to them.
    way: &'a str,
    depth: usize,
}

impl<'a, W: Upstreams + Tables + ExternalOptions> Tree<'a, W> {
    pub(crate) fn new(world: &'a W, options: &'a VirtualHostOptions, kept: &'a Kept) -> Self {
        let settings = world.settings();
        Self {
            world,
            seen: Seen::new(world),
            options,
            settings: settings.transformations,
            invalid: settings.invalid_config.clone(),
            servers: settings.servers.clone(),
            refuses: false,
            kept_before: kept,
            kept: Kept::new(),
            problems: Vec::new(),
            problems_of_options: BTreeSet::new(),
            tables: BTreeMap::new(),
            selectors: BTreeSet::new(),
            incomplete: BTreeSet::new(),
            visits: 0,
        }
    }

    pub(crate) fn servers(&self) -> &Servers {
        &self.servers
    }

    /// What holds for all routes. If that is wrong, none of them is served: it may say who may pass.
    pub(crate) fn options(
        &mut self,
        key: &ObjectKey,
        said: &Said<'_, VirtualHostOptions>,
        routes: &[Route],
    ) -> Configured {
        self.refuses |= said.is_wrong();
        self.take(key, &said.reads, &said.problems);
        let context = Context {
            of_host: self.options,
            servers: &self.servers,
            upstreams: &self.seen,
        };
        let mut configured = options::of_host(&context);
        if self.seen.keeps_secrets_home() {
            // Where a table's routes lead is not looked at: those can name the secret themselves.
            let homes: BTreeSet<_> = routes.iter().map(|it| route::home(&it.action)).collect();
            let home = homes
                .first()
                .copied()
                .flatten()
                .filter(|_| homes.len() == 1);
            let headers = &self.options.headers.request_add;
            let elsewhere = secret_headers::elsewhere(headers, home);
            configured.problems.extend(elsewhere);
        }
        for problem in &configured.problems {
            self.refuses |= problem.level == ProblemLevel::Error;
            let mut problem = Problem {
                field: format!("{HOST}.options.{}", problem.field),
                ..problem.clone()
            };
            let of_options = said.locate(&mut problem, key);
            self.problems_of_options.extend(of_options);
            self.problems.push((key.clone(), problem));
        }
        if self.seen.missing.take() {
            self.incomplete.insert(key.clone());
        }
        configured
    }

    /// Remembers what was looked at for options, and what of it is not there.
    fn take(&mut self, key: &ObjectKey, reads: &[ObjectKey], problems: &[Problem]) {
        self.seen.reads.borrow_mut().extend(reads.iter().cloned());
        if !problems.is_empty() {
            self.incomplete.insert(key.clone());
        }
        let problems = problems.iter().cloned();
        self.problems
            .extend(problems.map(|problem| (key.clone(), problem)));
    }

    pub(crate) fn virtual_service(&mut self, key: &ObjectKey, routes: &[Route]) -> Vec<Arc<Piece>> {
        let place = Place {
            key,
            routes: "spec.virtualHost.routes",
            parent: None,
            way: "",
            depth: 0,
        };
        self.routes(&place, routes)
    }

    /// What was found out besides the pieces.
    pub(crate) fn into_form(self, key: &ObjectKey) -> VirtualHostForm {
        let mut form = VirtualHostForm {
            tables: self.tables,
            reads: self.seen.reads.into_inner().into(),
            selectors: self.selectors,
            incomplete: self.incomplete.contains(key),
            kept: self.kept,
            problems_of_options: self.problems_of_options,
            ..VirtualHostForm::default()
        };
        for (owner, problem) in self.problems {
            match owner == *key {
                true => form.problems.push(problem),
                false => form
                    .problems_of_tables
                    .entry(owner)
                    .or_default()
                    .push(problem),
            }
        }
        for problems in form.problems_of_tables.values_mut() {
            problems.sort();
            problems.dedup();
        }
        form
    }

    fn routes(&mut self, place: &Place<'_>, routes: &[Route]) -> Vec<Arc<Piece>> {
        let mut pieces = Vec::new();
        for (index, own) in routes.iter().enumerate() {
            let path = format!("{}[{index}]", place.routes);
            let said = Said::of_route(&path, own, self.world);
            self.take(place.key, &said.reads, &said.problems);
            // What cannot be read holds for the routes below, too.
            let refuses = self.refuses || said.is_wrong();
            let refused_before = mem::replace(&mut self.refuses, refuses);
            pieces.extend(self.route(place, index, own, &said));
            self.refuses = refused_before;
        }
        pieces
    }

    fn route(
        &mut self,
        place: &Place<'_>,
        index: usize,
        own: &Route,
        said: &Said<'_, RouteOptions>,
    ) -> Vec<Arc<Piece>> {
        let path = said.path;
        let mut route = Cow::Borrowed(own);
        if said.is_external() {
            route.to_mut().options = said.options();
        }
        if let Some(parent) = place.parent {
            match inherit::below(&route, parent) {
                Ok(below) => route = Cow::Owned(below),
                Err((number, reason)) => {
                    let field = match own.matchers.is_empty() {
                        true => path.to_owned(),
                        false => format!("{path}.matchers[{number}]"),
                    };
                    let text = format!(
                        "{reason} ({} of {}): this route is not served there",
                        parent.said.path, parent.key
                    );
                    self.warn(place.key, field, text);
                    return Vec::new();
                }
            }
        } else if own.matchers.is_empty() {
            route.to_mut().matchers.push(Matcher::default());
        }
        if own.is_broken {
            let broken = vec![route::broken(place.key, &self.invalid)];
            return vec![self.piece((place.key, path, None), &route, broken)];
        }
        let above = place.parent.map(|it| &it.name);
        if let Action::Delegate(to) = &route.action {
            let name = Name::new(above, place.key, own, index);
            return self.delegated(place, (index, said), &route, to, name);
        }
        let name = match above {
            Some(above) => Name::new(Some(above), place.key, own, index).given(),
            None => own.name.clone(),
        };
        let (route, of_group) = self.with_destinations(place, path, route);
        let forms = self.forms(place, of_group, said, &route);
        vec![self.piece((place.key, path, name), &route, forms)]
    }

    /// The route with the destinations of the upstream group that it is for, and whether there is one.
    fn with_destinations<'r>(
        &mut self,
        place: &Place<'_>,
        path: &str,
        route: Cow<'r, Route>,
    ) -> (Cow<'r, Route>, bool) {
        let Action::Route(RouteAction::UpstreamGroup(group)) = &route.action else {
            return (route, false);
        };
        let group_key = group.key(Kind::UpstreamGroup);
        self.seen.reads.borrow_mut().insert(group_key);
        match self.world.group(group) {
            Ok(multi) => {
                let action = Action::Route(RouteAction::Multi(multi.clone()));
                let route = Route {
                    action,
                    ..route.into_owned()
                };
                (Cow::Owned(route), true)
            }
            Err(reason) => {
                self.incomplete.insert(place.key.clone());
                let field = format!("{path}.routeAction.upstreamGroup");
                self.warn(place.key, field, reason);
                (route, true)
            }
        }
    }

    fn piece(
        &mut self,
        (key, path, name): (&ObjectKey, &str, Option<String>),
        route: &Route,
        forms: Vec<route::RouteForm>,
    ) -> Arc<Piece> {
        let (piece, refused) = Piece::new(
            (key, path, name),
            route,
            forms,
            self.options,
            (self.settings, &self.invalid),
        );
        for violation in refused {
            self.error(key, path.to_owned(), violation);
        }
        Arc::new(piece)
    }

    fn forms(
        &mut self,
        place: &Place<'_>,
        of_group: bool,
        said: &Said<'_, RouteOptions>,
        route: &Route,
    ) -> Vec<route::RouteForm> {
        let key = place.key;
        let mut routes = Routes {
            key,
            upstreams: &self.seen,
            of_host: self.options,
            servers: &self.servers,
            of_group,
            problems: Vec::new(),
        };
        let mut forms = routes.translate(said.path, route);
        let problems = routes.problems;
        if self.refuses {
            forms = vec![route::broken(key, &self.invalid)];
        }
        for mut problem in problems {
            let of_options = match option_of(&problem, said.path) {
                Some(option) if !said.sets(name_of(option)) => {
                    tell_inheritance(&mut problem, said.path, place)
                }
                _ => said.locate(&mut problem, key),
            };
            self.problems_of_options.extend(of_options);
            self.problems.push((key.clone(), problem));
        }
        if self.seen.missing.take() {
            self.incomplete.insert(key.clone());
        }
        forms
    }

    /// What the tables come to that a route delegates to.
    fn delegated(
        &mut self,
        place: &Place<'_>,
        (index, said): (usize, &Said<'_, RouteOptions>),
        route: &Route,
        to: &Delegation,
        name: Name,
    ) -> Vec<Arc<Piece>> {
        let path = said.path;
        let matcher = match inherit::delegated(route) {
            Ok(matcher) => matcher,
            Err(reason) => {
                self.error(place.key, format!("{path}.matchers"), reason);
                let broken = vec![route::broken(place.key, &self.invalid)];
                return vec![self.piece((place.key, path, None), route, broken)];
            }
        };
        let parent = Parent {
            above: place.parent,
            key: place.key,
            said,
            matcher,
            options: route.options.clone(),
            matchers: route.inheritable_matchers.unwrap_or_default(),
            path_matchers: route.inheritable_path_matchers.unwrap_or_default(),
            name,
        };
        let field = format!("{path}.delegateAction");
        let tables = self.tables_of(&field, place.key, to);
        let mut pieces = Vec::new();
        for tables in tables.chunk_by(|(weight, _), (next, _)| weight == next) {
            let start = pieces.len();
            for (_, table) in tables {
                let way = format!("{}/{index}/{table}", place.way);
                let at = Place {
                    key: table,
                    routes: ROUTES,
                    parent: Some(&parent),
                    way: &way,
                    depth: place.depth + 1,
                };
                pieces.extend(self.table(&at, &parent));
            }
            if let [(weight, first), _, ..] = tables {
                let others = tables.len() - 1;
                let text = format!(
                    "{first} and {others} more have the weight {weight}: their routes are sorted by path"
                );
                self.warn(place.key, format!("{field}.selector"), text);
                piece::sort(&mut pieces[start..]);
            }
        }
        pieces
    }

    /// The tables, by their weights.
    fn tables_of(
        &mut self,
        field: &str,
        key: &ObjectKey,
        to: &Delegation,
    ) -> Vec<(i32, ObjectKey)> {
        let keys = match to {
            Delegation::Nothing => return Vec::new(),
            Delegation::Table(table) => vec![table.key(Kind::RouteTable)],
            Delegation::Selector(selector) => {
                self.selectors.insert(selector.clone());
                let found = self.world.select(selector);
                if found.is_empty() {
                    self.incomplete.insert(key.clone());
                    let text = "no route table matches";
                    self.warn(key, format!("{field}.selector"), text);
                }
                found
            }
        };
        let mut tables = Vec::new();
        for table in keys {
            self.seen.reads.borrow_mut().insert(table.clone());
            match self.world.table(&table) {
                Found::Table(it) => tables.push((it.weight, table)),
                Found::Rest(it) => {
                    self.incomplete.insert(key.clone());
                    let text = format!("{table} is rejected; its status says why");
                    self.warn(key, field.to_owned(), text);
                    tables.push((it.weight, table));
                }
                Found::Rejected => {
                    self.incomplete.insert(key.clone());
                    let text = format!("{table} is rejected; its status says why");
                    self.warn(key, field.to_owned(), text);
                    tables.push((0, table));
                }
                Found::Missing => {
                    self.incomplete.insert(key.clone());
                    let text = format!("{table} does not exist");
                    self.warn(key, field.to_owned(), text);
                }
            }
        }
        tables.sort();
        tables
    }

    fn table(&mut self, place: &Place<'_>, parent: &Parent<'_>) -> Vec<Arc<Piece>> {
        let key = place.key;
        let invalid = self.invalid.clone();
        let stand_in = || {
            let piece = Piece::standing_in(&parent.matcher, route::broken(key, &invalid));
            vec![Arc::new(piece)]
        };
        if let Some(members) = cycle(key, parent) {
            self.visits += CYCLE;
            self.tell_cycle(&members);
            return stand_in();
        }
        self.visits += 1;
        if place.depth > DEEPEST || self.visits > MOST_TABLES {
            let text = format!(
                "leads to more than {MOST_TABLES} route tables, or to more than {DEEPEST} below each other"
            );
            self.error(
                parent.key,
                format!("{}.delegateAction", parent.said.path),
                text,
            );
            return stand_in();
        }
        let newest = match self.world.table(key) {
            Found::Table(newest) => newest,
            Found::Rest(rest) => {
                let pieces = self.routes(place, &rest.routes);
                self.tables.insert(key.clone(), false);
                return pieces;
            }
            Found::Rejected | Found::Missing => return stand_in(),
        };
        let before = (self.problems.len(), self.incomplete.len());
        let pieces = self.routes(place, &newest.routes);
        if self.is_good(key, before.0) {
            let good = self.tables.entry(key.clone()).or_insert(true);
            *good &= !self.incomplete.contains(key);
            let errors = |(_, problem): &(_, Problem)| problem.level == ProblemLevel::Error;
            // What is kept must not depend on what else was missing at the time.
            if !self.refuses
                && self.incomplete.is_empty()
                && !self.problems[before.0..].iter().any(errors)
            {
                self.kept.insert(place.way.to_owned(), pieces.clone());
            }
            return pieces;
        }
        self.tables.insert(key.clone(), false);
        self.last_good(place, newest, before.0).unwrap_or(pieces)
    }

    /// What is left of a table that is broken: its last good form, or what that came to, as long as there was one.
    fn last_good(
        &mut self,
        place: &Place<'_>,
        newest: &RouteTable,
        start: usize,
    ) -> Option<Vec<Arc<Piece>>> {
        let found = self.problems.split_off(start);
        let again = match self.world.good_table(place.key) {
            Some(good) if !std::ptr::eq(good, newest) => {
                let pieces = self.routes(place, &good.routes);
                self.is_good(place.key, start).then_some(pieces)
            }
            _ => None,
        };
        let kept = || {
            let kept = self.kept_before.get(place.way);
            kept.filter(|_| !self.refuses).cloned()
        };
        let Some(pieces) = again.or_else(kept) else {
            self.problems.truncate(start);
            self.problems.extend(found);
            return None;
        };
        // What is wrong is what is wrong with the newest form; below it, with what is served.
        let own = |(owner, _): &(ObjectKey, Problem)| owner == place.key;
        let mut of_good = self.problems.split_off(start);
        of_good.retain(|it| !own(it));
        self.problems.extend(of_good);
        self.problems.extend(found.into_iter().filter(own));
        let text = "its last good form stays in use";
        self.warn(place.key, String::new(), text);
        self.kept.insert(place.way.to_owned(), pieces.clone());
        Some(pieces)
    }

    /// Whether nothing is wrong with a resource since a number of problems.
    fn is_good(&self, key: &ObjectKey, since: usize) -> bool {
        let mut since = self.problems.iter().skip(since);
        !since.any(|(owner, problem)| owner == key && problem.level == ProblemLevel::Error)
    }

    /// A cycle is the fault of each of its members; it is told in the same words wherever it was entered.
    fn tell_cycle(&mut self, members: &[(&ObjectKey, &str)]) {
        let first = (0..members.len()).min_by_key(|index| members[*index].0);
        let mut in_order = members.to_vec();
        in_order.rotate_left(first.unwrap_or_default());
        let names = in_order.iter().chain(in_order.first());
        let names: Vec<_> = names
            .map(|(key, _)| format!("{}/{}", key.namespace, key.name))
            .collect();
        for (key, path) in in_order {
            self.error(
                key,
                format!("{path}.delegateAction"),
                format!("delegation cycle: {}", names.join(" -> ")),
            );
        }
    }

    fn error(&mut self, key: &ObjectKey, field: String, text: impl Into<String>) {
        self.problems
            .push((key.clone(), Problem::error(field, text)));
    }

    fn warn(&mut self, key: &ObjectKey, field: String, text: impl Into<String>) {
        self.problems
            .push((key.clone(), Problem::warning(field, text)));
    }
}

/// What is wrong with an option that a route has from above does not stand at the route's own field, which is not there.
/// What the status of what says it tells of it, if that is a resource of its own.
fn tell_inheritance(
    problem: &mut Problem,
    path: &str,
    place: &Place<'_>,
) -> Option<(ObjectKey, Problem)> {
    let option = option_of(problem, path)?.to_owned();
    let name = name_of(&option);
    let mut above = place.parent;
    while let Some(parent) = above.filter(|it| !it.said.sets(name)) {
        above = parent.above;
    }
    let from = above?;
    let told = from.said.tell(&option, problem, (path, place.key));
    problem.text = format!(
        "{name}, taken over from {} of {}: {}",
        from.said.path, from.key, problem.text
    );
    problem.field = path.to_owned();
    told.map(|(_, told)| told)
}

/// The routes that lead from a table to itself, and where they stand.
fn cycle<'a>(key: &ObjectKey, parent: &'a Parent<'a>) -> Option<Vec<(&'a ObjectKey, &'a str)>> {
    let mut members = Vec::new();
    let mut next = Some(parent);
    while let Some(parent) = next {
        members.push((parent.key, parent.said.path));
        if parent.key == key {
            members.reverse();
            return Some(members);
        }
        next = parent.above;
    }
    None
}

/// Remembers what was looked at.
pub(crate) struct Seen<'a, U> {
    upstreams: &'a U,
    /// What was looked at.
    pub(crate) reads: RefCell<BTreeSet<ObjectKey>>,
    /// Something of it is missing.
    pub(crate) missing: Cell<bool>,
}

impl<'a, U> Seen<'a, U> {
    pub(crate) fn new(upstreams: &'a U) -> Self {
        Self {
            upstreams,
            reads: RefCell::default(),
            missing: Cell::default(),
        }
    }
}

impl<U: Upstreams> Upstreams for Seen<'_, U> {
    fn upstream(&self, reference: &ObjectRef) -> Result<&Upstream, String> {
        self.reads
            .borrow_mut()
            .insert(reference.key(Kind::Upstream));
        let found = self.upstreams.upstream(reference);
        if found.is_err() {
            self.missing.set(true);
        }
        found
    }

    fn transcoder(&self, reference: &ObjectRef) -> Option<&Transcoder> {
        self.upstreams.transcoder(reference)
    }

    fn settings(&self) -> Cow<'_, Settings> {
        self.upstreams.settings()
    }

    fn header_secret(&self, reference: &ObjectRef) -> Result<&HeaderSecret, String> {
        self.reads.borrow_mut().insert(reference.key(Kind::Secret));
        let found = self.upstreams.header_secret(reference);
        if found.is_err() {
            self.missing.set(true);
        }
        found
    }

    fn most_body(&self) -> usize {
        self.upstreams.most_body()
    }

    fn asked(&self) -> Vec<String> {
        self.upstreams.asked()
    }

    fn keeps_secrets_home(&self) -> bool {
        self.upstreams.keeps_secrets_home()
    }
}
