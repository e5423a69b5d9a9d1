//! What the filters of a rule, and of its backends, come to.

use std::sync::Arc;

use tenon_model::gateway_api::{
    CorsFilter, HttpFilter, LocalRef, RequestMirror, RequestRedirect, Scheme, UrlRewrite,
};
use tenon_model::options::cors::Cors;
use tenon_model::options::ext_auth::ExtAuthServer;
use tenon_model::{
    Action, DirectResponse, Kind, ObjectKey, ObjectRef, PathRewrite, Redirect, RedirectStatus,
    Shadowing, Spec,
};

use super::call::Call;
use super::headers::Changes;
use super::{Known, Reason, Seen, backends, external_auth, paths};

/// What filters come to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filtered {
    pub(crate) requests: Changes,
    pub(crate) responses: Changes,
    pub(crate) host: Option<String>,
    pub(crate) path: Option<PathRewrite>,
    pub(crate) mirrors: Vec<Shadowing>,
    pub(crate) cors: Option<Box<Cors>>,
    /// Who is asked whether requests may pass.
    pub(crate) external_auth: Vec<Arc<ExtAuthServer>>,
    /// What takes the place of the backends.
    pub(crate) answer: Option<Action>,
    /// The function of the backends.
    pub(crate) call: Option<Call>,
    /// RouteOptions, and their places among the filters.
    pub(crate) options: Vec<(FilterPlace, ObjectRef)>,
    /// What is wrong with them.
    pub(crate) wrong: Vec<Wrong>,
}

/// Where a filter stands in a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FilterPlace {
    /// The backend whose it is, if it is not the rule's.
    pub(crate) backend: Option<usize>,
    pub(crate) index: usize,
}

/// What is wrong with a filter.
#[derive(Debug, Clone)]
pub(crate) struct Wrong {
    /// Its field, behind the list's.
    pub(crate) field: String,
    pub(crate) reason: Reason,
    pub(crate) fate: Fate,
}

/// What becomes of requests that a filter is for which is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// They are served without it.
    Passed,
    /// They are answered with 500, because it refers to what is not there: "the filter MUST NOT be skipped".
    Failed,
    /// The same, because nobody can do what it says.
    Dropped,
}

/// Where filters stand.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) route: &'a ObjectKey,
    /// The prefix that the rule's only match has, if it is one.
    pub(crate) matched: &'a str,
    /// The backend whose they are, if they are not the rule's.
    pub(crate) backend: Option<usize>,
    /// The rule has backends.
    pub(crate) has_backends: bool,
}

/// Looks at filters.
pub(crate) fn read(
    filters: &[HttpFilter],
    place: Place<'_>,
    known: &Seen<'_, impl Known>,
) -> Filtered {
    let mut to = Filtered::default();
    for (index, filter) in filters.iter().enumerate() {
        if let Err((reason, fate)) = to.add(index, filter, place, known) {
            to.wrong.push(Wrong {
                field: format!("filters[{index}].{}", filter.field()),
                reason,
                fate,
            });
        }
    }
    to
}

type Refused = (Reason, Fate);

fn unsupported(text: impl Into<String>) -> Refused {
    (Reason::new("UnsupportedValue", text), Fate::Dropped)
}

fn incompatible(text: impl Into<String>) -> Refused {
    (Reason::new("IncompatibleFilters", text), Fate::Dropped)
}

fn failed(reason: &'static str, text: impl Into<String>) -> Refused {
    (Reason::new(reason, text), Fate::Failed)
}

impl Filtered {
    /// Whether its requests are to be answered with 500.
    pub(crate) fn fails(&self) -> bool {
        self.wrong.iter().any(|it| it.fate != Fate::Passed)
    }

    fn add(
        &mut self,
        index: usize,
        filter: &HttpFilter,
        place: Place<'_>,
        known: &Seen<'_, impl Known>,
    ) -> Result<(), Refused> {
        match filter {
            HttpFilter::RequestHeaderModifier(it) => {
                let changes = Changes::of(it).map_err(unsupported)?;
                self.requests = self.requests.then(&changes);
            }
            HttpFilter::ResponseHeaderModifier(it) => {
                let changes = Changes::of(it).map_err(unsupported)?;
                self.responses = self.responses.then(&changes);
            }
            HttpFilter::RequestMirror(it) => {
                let mirror = mirror(it, place.route, known);
                self.mirrors
                    .extend(mirror.map_err(|reason| (reason, Fate::Passed))?);
            }
            HttpFilter::RequestRedirect(it) => {
                self.answer(Action::Redirect(redirect(it, place.matched)), place)?;
            }
            HttpFilter::UrlRewrite(UrlRewrite { hostname, path }) => {
                self.host.clone_from(hostname);
                let path = path.as_ref();
                self.path = path.and_then(|path| paths::rewrite(path, place.matched));
            }
            HttpFilter::Cors(it) => self.cors = Some(Box::new(cors(it))),
            HttpFilter::ExtensionRef(it) => self.extension(index, it, place, known)?,
            HttpFilter::ExternalAuth(it) => {
                let server = external_auth::server(it, place.route, known);
                let server = server.map_err(|reason| (reason, Fate::Failed))?;
                self.external_auth.push(Arc::new(server));
            }
        }
        Ok(())
    }

    fn answer(&mut self, action: Action, place: Place<'_>) -> Result<(), Refused> {
        if place.has_backends && place.backend.is_none() {
            return Err(incompatible(
                "answers requests itself, so the rule must not have backendRefs",
            ));
        }
        match self.answer {
            Some(_) => Err(incompatible("another filter answers requests already")),
            None => {
                self.answer = Some(action);
                Ok(())
            }
        }
    }

    fn extension(
        &mut self,
        index: usize,
        it: &LocalRef,
        place: Place<'_>,
        known: &Seen<'_, impl Known>,
    ) -> Result<(), Refused> {
        let reference = ObjectRef {
            namespace: place.route.namespace.clone(),
            name: it.name.as_str().into(),
        };
        match (it.group.as_str(), it.kind.as_str()) {
            ("gateway.solo.io", "RouteOption") => {
                find(&reference, Kind::RouteOption, known)?;
                let backend = place.backend;
                self.options
                    .push((FilterPlace { backend, index }, reference));
                Ok(())
            }
            ("gateway.gloo.solo.io", "DirectResponse") => {
                let Spec::DirectResponse(it) = find(&reference, Kind::DirectResponse, known)?
                else {
                    return Ok(());
                };
                let answer = DirectResponse {
                    status: it.status,
                    body: it.body.clone(),
                };
                self.answer(Action::DirectResponse(answer), place)
            }
            ("gloo.solo.io", "Parameter") if place.backend.is_some() => {
                self.call(Call::Parameter(it.name.clone()))
            }
            ("tenon.dev", "FunctionCall") => {
                let Spec::FunctionCall(it) = find(&reference, Kind::FunctionCall, known)? else {
                    return Ok(());
                };
                self.call(Call::Function(it.clone()))
            }
            (group, kind) => {
                let parameter = match place.backend {
                    Some(_) => "a Parameter of gloo.solo.io, ",
                    None => "",
                };
                let text = format!(
                    "{kind} of {group:?} is no filter here: expected {parameter}a RouteOption of gateway.solo.io, a DirectResponse of gateway.gloo.solo.io, or a FunctionCall of tenon.dev"
                );
                Err(failed("InvalidKind", text))
            }
        }
    }

    fn call(&mut self, call: Call) -> Result<(), Refused> {
        match self.call {
            Some(_) => Err(incompatible("another filter says which function it is")),
            None => {
                self.call = Some(call);
                Ok(())
            }
        }
    }
}

/// An object of the route's namespace, in its last good form.
fn find<'a>(
    reference: &ObjectRef,
    kind: Kind,
    known: &Seen<'a, impl Known>,
) -> Result<&'a Spec, Refused> {
    let key = reference.key(kind);
    if let Some(spec) = known.spec(&key) {
        return Ok(spec);
    }
    let text = match known.is_there(&key) {
        true => format!("{kind} {reference} is rejected; its status says why"),
        false => format!("{kind} {reference} does not exist"),
    };
    // What the specification has for whatever a route refers to and is not there.
    Err(failed("BackendNotFound", text))
}

/// "If the referent cannot be found, this BackendRef is invalid and must be dropped": requests are served without it.
fn mirror(
    from: &RequestMirror,
    route: &ObjectKey,
    known: &Seen<'_, impl Known>,
) -> Result<Option<Shadowing>, Reason> {
    let to = backends::resolve(&from.backend_ref, route, known)?;
    let percentage = match (from.percent, from.fraction) {
        (Some(percent), _) => f64::from(percent),
        (None, Some(it)) => 100.0 * f64::from(it.numerator) / f64::from(it.denominator),
        (None, None) => 100.0,
    };
    Ok((percentage > 0.0).then(|| Shadowing {
        upstream: to.upstream(),
        percentage,
        disable_shadow_host_suffix_append: false,
        host_rewrite_literal: None,
    }))
}

/// "If redirect scheme is not-empty, the redirect port MUST be the well-known port associated with the redirect scheme",
/// which need not be said; "if redirect scheme is empty, the redirect port MUST be the Gateway Listener port".
fn redirect(from: &RequestRedirect, matched: &str) -> Redirect {
    let status = match from.status_code {
        301 => RedirectStatus::MovedPermanently,
        303 => RedirectStatus::SeeOther,
        307 => RedirectStatus::TemporaryRedirect,
        308 => RedirectStatus::PermanentRedirect,
        // The model has no others.
        _ => RedirectStatus::Found,
    };
    // "Implementations SHOULD NOT add the port number in the 'Location' header" where it is that of the scheme.
    let port = match (from.scheme, from.port) {
        (Some(Scheme::Http), Some(80)) | (Some(Scheme::Https), Some(443)) => None,
        (_, port) => port,
    };
    let path = from.path.as_ref();
    Redirect {
        host: from.hostname.clone(),
        path: path.and_then(|path| paths::redirect(path, matched)),
        port,
        status,
        https: from.scheme == Some(Scheme::Https),
        strip_query: false,
        http: from.scheme == Some(Scheme::Http),
        port_of_listener: from.scheme.is_none(),
    }
}

fn cors(from: &CorsFilter) -> Cors {
    let any = |list: &[String]| list.iter().any(|it| it == "*");
    let (patterns, exact): (Vec<_>, Vec<_>) =
        from.allow_origins.iter().partition(|it| it.contains('*'));
    // Browsers take a `*` literally where there are credentials, so it must not be said to them.
    let echo = |list: &[String]| from.allow_credentials && any(list);
    let unless = |echoed: bool, list: &[String]| match echoed {
        true => Vec::new(),
        false => list.to_vec(),
    };
    let echoes_method = echo(&from.allow_methods);
    let echoes_headers = echo(&from.allow_headers);
    Cors {
        allow_origin: exact.into_iter().cloned().collect(),
        allow_origin_regex: patterns.into_iter().map(|it| origins(it)).collect(),
        allow_methods: unless(echoes_method, &from.allow_methods),
        allow_headers: unless(echoes_headers, &from.allow_headers),
        expose_headers: unless(echo(&from.expose_headers), &from.expose_headers),
        max_age: Some(from.max_age.to_string()),
        allow_credentials: from.allow_credentials,
        disable_for_route: false,
        answers_others: true,
        echoes_method,
        echoes_headers,
    }
}

/// "`*` is a greedy match to the left, including any number of DNS labels".
fn origins(pattern: &str) -> String {
    match pattern {
        "*" => ".*".to_owned(),
        pattern => {
            let parts: Vec<_> = pattern.split('*').map(paths::literally).collect();
            parts.join(".*")
        }
    }
}
