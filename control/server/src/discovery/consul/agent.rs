//! An agent of Consul: where it is, who asks, and what it answers.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, header};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tenon_model::{ConsistencyMode, ConsulSettings};
use tenon_translate::ConsulQuery;

use crate::discovery::http::{Http, Tls};

/// Where an agent listens.
const AGENT: &str = "127.0.0.1:8500";
/// Consul's own, for a blocking query.
const WAIT: Duration = Duration::from_secs(300);
/// How long an answer takes that is not held back.
const PATIENCE: Duration = Duration::from_secs(15);
const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");
const INDEX: &str = "x-consul-index";
/// "Whether the results have been filtered by ACLs", since Consul 1.11.
const FILTERED: &str = "x-consul-results-filtered-by-acls";
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An agent of Consul.
pub(super) struct Agent {
    http: Http,
    /// Without a slash at its end.
    url: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    wait: Duration,
}

/// An answer to a blocking query.
#[derive(Debug)]
pub(super) struct Answer {
    /// What to ask with next.
    pub(super) index: u64,
    pub(super) entries: Vec<Entry>,
}

/// An entry of `/v1/health/service/…`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    pub(super) node: Node,
    pub(super) service: Service,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Node {
    #[serde(default)]
    pub(super) address: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Service {
    #[serde(default)]
    pub(super) address: String,
    #[serde(default)]
    pub(super) port: u16,
    /// Consul gives null where there are none.
    #[serde(default)]
    pub(super) tags: Option<Vec<String>>,
}

impl Agent {
    /// What is not in the Settings is as Consul's own environment variables have it.
    pub(super) fn new(
        settings: &ConsulSettings,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let is_set = |name: &str| set(name).map(|it| matches!(&*it, "1" | "t" | "true" | "TRUE"));
        let file =
            |of: &Option<String>, name: &str| of.clone().or_else(|| set(name)).map(PathBuf::from);
        let certificate = file(&settings.cert_file, "CONSUL_CLIENT_CERT");
        let key = file(&settings.key_file, "CONSUL_CLIENT_KEY");
        let unverified = is_set("CONSUL_HTTP_SSL_VERIFY") == Some(false);
        let tls = Tls {
            roots: file(&settings.ca_file, "CONSUL_CACERT"),
            folder_of_roots: file(&settings.ca_path, "CONSUL_CAPATH"),
            identity: certificate.zip(key),
            unverified: settings.insecure_skip_verify || unverified,
        };
        let address = settings.http_address.clone();
        let address = address.or_else(|| set("CONSUL_HTTP_ADDR"));
        let address = address.unwrap_or_else(|| AGENT.to_owned());
        let url = match address.contains("://") {
            true => address.trim_end_matches('/').to_owned(),
            false => {
                // A certificate of ours, or roots, are for TLS.
                let encrypted = is_set("CONSUL_HTTP_SSL") == Some(true) || tls != Tls::default();
                let scheme = if encrypted { "https" } else { "http" };
                format!("{scheme}://{address}")
            }
        };
        let mut headers = Vec::new();
        let token = settings.token.clone().or_else(|| set("CONSUL_HTTP_TOKEN"));
        if let Some(token) = token {
            headers.push((TOKEN, secret(&token, "the token")?));
        }
        let user = settings.username.as_ref().map(|user| {
            let password = settings.password.as_deref().unwrap_or_default();
            format!("{user}:{password}")
        });
        if let Some(user) = user.or_else(|| set("CONSUL_HTTP_AUTH")) {
            let value = format!("Basic {}", STANDARD.encode(user));
            headers.push((header::AUTHORIZATION, secret(&value, "the password")?));
        }
        Ok(Self {
            http: Http::new(&tls)?,
            url,
            headers,
            wait: settings.wait_time.unwrap_or(WAIT),
        })
    }

    /// The data centres that there are.
    pub(super) async fn data_centers(&self) -> Result<Vec<String>, String> {
        let answer = self.ask("/v1/catalog/datacenters", PATIENCE).await?;
        let names: Vec<String> = read(&answer)?;
        match names.is_empty() {
            true => Err("Consul knows no data centre".to_owned()),
            false => Ok(names),
        }
    }

    /// The instances of a service whose health checks pass: at once if `index` is 0, else when they are others than those
    /// of that index, or when `at_most` is over.
    pub(super) async fn instances(
        &self,
        query: &ConsulQuery,
        data_center: &str,
        index: u64,
        at_most: Option<Duration>,
    ) -> Result<Answer, String> {
        let wait = at_most.map_or(self.wait, |most| most.min(self.wait));
        let wait = wait.max(Duration::from_secs(1));
        let patience = match index {
            0 => PATIENCE,
            // "A small random amount of additional wait time is added, […] up to wait / 16".
            _ => wait + wait / 16 + PATIENCE,
        };
        let answer = self
            .ask(&path(query, data_center, index, wait), patience)
            .await?;
        let number = |name: &str| answer.headers().get(name)?.to_str().ok()?.parse().ok();
        let next: u64 = number(INDEX).ok_or("Consul's answer has no index")?;
        let entries: Vec<Entry> = read(&answer)?;
        let is_filtered = answer
            .headers()
            .get(FILTERED)
            .is_some_and(|it| it == "true");
        if entries.is_empty() && is_filtered {
            return Err("the token may not see the service: Consul's ACLs hide it".to_owned());
        }
        Ok(Answer {
            index: match next < index {
                // "Reset the index if it goes backwards."
                true => 0,
                // "Sanity check index is greater than zero": 0 would not wait.
                false => next.max(1),
            },
            entries,
        })
    }

    async fn ask(&self, path: &str, patience: Duration) -> Result<Response<Bytes>, String> {
        let mut request = Request::get(format!("{}{path}", self.url));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::default());
        let request = request.map_err(|_| format!("{:?} is not a URL", self.url))?;
        let answer = tokio::time::timeout(patience, self.http.ask(request)).await;
        let late = |_| format!("Consul does not answer within {} s", patience.as_secs());
        let answer = answer.map_err(late)??;
        match answer.status().as_u16() {
            200 => Ok(answer),
            status => {
                let text = String::from_utf8_lossy(answer.body());
                Err(format!("Consul answered {status}: {}", text.trim()))
            }
        }
    }
}

fn path(query: &ConsulQuery, data_center: &str, index: u64, wait: Duration) -> String {
    let of = if query.connect { "connect" } else { "service" };
    let escape = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let mut path = format!("/v1/health/{of}/{}?passing", escape(&query.service));
    path += &format!("&dc={}", escape(data_center));
    match query.consistency {
        ConsistencyMode::Default => {}
        ConsistencyMode::Stale => path += "&stale",
        ConsistencyMode::Consistent => path += "&consistent",
    }
    // Consul refuses both together.
    if query.use_cache && query.consistency != ConsistencyMode::Consistent {
        path += "&cached";
    }
    if index > 0 {
        path += &format!("&index={index}&wait={}ms", wait.as_millis());
    }
    path
}

fn read<T: for<'a> Deserialize<'a>>(answer: &Response<Bytes>) -> Result<T, String> {
    serde_json::from_slice(answer.body()).map_err(|error| format!("Consul's answer: {error}"))
}

fn secret(text: &str, what: &str) -> Result<HeaderValue, String> {
    // The error would show it.
    let value = HeaderValue::from_str(text);
    let mut value =
        value.map_err(|_| format!("{what} has a character that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn agent(settings: &ConsulSettings, env: &[(&str, &str)]) -> Agent {
        let env: BTreeMap<_, _> = env.iter().copied().collect();
        Agent::new(settings, |name| {
            env.get(name).map(|&value| value.to_owned())
        })
        .unwrap()
    }

    #[test]
    fn the_settings_win_over_the_environment() {
        let env = [
            ("CONSUL_HTTP_ADDR", "consul:8500"),
            ("CONSUL_HTTP_TOKEN", "of the environment"),
            ("CONSUL_HTTP_AUTH", "user:password"),
            ("CONSUL_HTTP_SSL", "true"),
            ("CONSUL_HTTP_SSL_VERIFY", "false"),
        ];
        let none = agent(&ConsulSettings::default(), &[]);
        assert_eq!(
            (&*none.url, none.headers.len()),
            ("http://127.0.0.1:8500", 0)
        );
        let from_environment = agent(&ConsulSettings::default(), &env);
        assert_eq!(from_environment.url, "https://consul:8500");
        assert_eq!(from_environment.headers[0].1, "of the environment");
        assert_eq!(from_environment.headers[1].1, "Basic dXNlcjpwYXNzd29yZA==");
        let settings = ConsulSettings {
            http_address: Some("http://elsewhere:1/".to_owned()),
            token: Some("of the settings".to_owned()),
            ..ConsulSettings::default()
        };
        let from_settings = agent(&settings, &env);
        assert_eq!(from_settings.url, "http://elsewhere:1");
        assert_eq!(from_settings.headers[0].1, "of the settings");
    }

    #[test]
    fn secrets_are_not_shown() {
        let settings = ConsulSettings {
            token: Some("line\nbreak".to_owned()),
            ..ConsulSettings::default()
        };
        let reason = Agent::new(&settings, |_| None).err().unwrap();
        assert_eq!(reason, "the token has a character that no header can carry");
        let shown = format!(
            "{:?}",
            agent(
                &ConsulSettings::default(),
                &[("CONSUL_HTTP_TOKEN", "secret")]
            )
            .headers
        );
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_question_says_all_that_was_asked_for() {
        let mut query = ConsulQuery {
            agent: Default::default(),
            service: "a/b".to_owned(),
            data_centers: Vec::new(),
            consistency: ConsistencyMode::Stale,
            use_cache: true,
            connect: false,
        };
        assert_eq!(
            path(&query, "dc1", 0, WAIT),
            "/v1/health/service/a%2Fb?passing&dc=dc1&stale&cached"
        );
        query.consistency = ConsistencyMode::Consistent;
        query.connect = true;
        assert_eq!(
            path(&query, "dc1", 7, WAIT),
            "/v1/health/connect/a%2Fb?passing&dc=dc1&consistent&index=7&wait=300000ms"
        );
    }
}
