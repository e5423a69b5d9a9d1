//! Requests of a session, which go to the same endpoint.

use tenon_model::ObjectKey;
use tenon_model::gateway_api::{
    CookieLifetime, HttpRule, PathMatchType, SessionPersistence, SessionType,
};
use tenon_model::stateful_session::{
    CookieBased, HeaderBased, SessionCookie, SessionState, StatefulSession,
};

/// What a rule says of sessions: or which field nobody can do as it says, and why.
pub(crate) fn of_rule(
    from: &SessionPersistence,
    rule: &HttpRule,
    place: (&ObjectKey, usize),
) -> Result<StatefulSession, (&'static str, String)> {
    let name = match from.session_name.as_deref() {
        None | Some("") => default_name(place),
        Some(name) => checked(name)?,
    };
    if from.idle_timeout.is_some() {
        let text = "is not possible: Envoy does not know when a session was last used";
        return Err(("idleTimeout", text.to_owned()));
    }
    let lifetime = from.cookie_config.map(|it| it.lifetime_type);
    let permanent = lifetime == Some(CookieLifetime::Permanent);
    if from.absolute_timeout.is_some() && !permanent {
        let text = "is possible only with cookieConfig.lifetimeType Permanent: Envoy has it in the cookie's lifetime";
        return Err(("absoluteTimeout", text.to_owned()));
    }
    let state = match from.kind {
        SessionType::Cookie => SessionState::CookieBased(CookieBased {
            cookie: SessionCookie {
                name,
                path: Some(path(rule)),
                ttl: from.absolute_timeout,
            },
        }),
        SessionType::Header => SessionState::HeaderBased(HeaderBased { header_name: name }),
    };
    Ok(StatefulSession {
        state,
        strict: false,
    })
}

fn checked(name: &str) -> Result<String, (&'static str, String)> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let lower = name.to_ascii_lowercase();
    if !name.chars().all(token) {
        let text = format!("{name:?} is neither the name of a cookie nor of a header");
        return Err(("sessionName", text));
    }
    if lower == "host" || lower.starts_with(tenon_contract::HEADER_PREFIX) {
        return Err((
            "sessionName",
            format!("{name:?} cannot be used for sessions"),
        ));
    }
    Ok(name.to_owned())
}

/// "Session name … should be unique": of the rule, and it tells clients nothing.
fn default_name((route, rule): (&ObjectKey, usize)) -> String {
    // FNV-1a.
    let text = format!("{}/{}/{rule}", route.namespace, route.name);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("session-{hash:016x}")
}

/// GEP-1619: the cookie's path is that of the rule's match, where it has one.
fn path(rule: &HttpRule) -> String {
    let path = match &rule.matches[..] {
        [only] if only.path.kind != PathMatchType::RegularExpression => {
            only.path.value.trim_end_matches('/')
        }
        _ => "",
    };
    match path {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}
