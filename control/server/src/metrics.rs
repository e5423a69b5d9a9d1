//! What is counted, under the names that dashboards rely on.

use std::time::{Duration, Instant, SystemTime};

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tenon_model::Kind;
use tenon_translate::{ResourceType, State};
use tenon_xds::{Refusal, short_name};

use crate::statuses;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ObjectLabels {
    kind: String,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TypeLabels {
    r#type: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RefusalLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SecretLabels {
    secret: String,
}

/// The metrics; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Metrics {
    objects: Family<ObjectLabels, Gauge>,
    translations: Counter,
    translate_seconds: Seconds,
    xds_clients: Gauge,
    xds_refused: Family<RefusalLabels, Counter>,
    xds_pushes: Family<TypeLabels, Counter>,
    xds_nacks: Family<TypeLabels, Counter>,
    edit_to_ack_seconds: Seconds,
    credentials_expiry: Family<SecretLabels, Gauge>,
}

/// A histogram from 0.1 ms to 26 s.
#[derive(Clone)]
struct Seconds(Histogram);

impl Default for Seconds {
    fn default() -> Self {
        Self(Histogram::new(exponential_buckets(0.0001, 2.0, 19)))
    }
}

impl Metrics {
    /// The text that Prometheus reads.
    pub(crate) fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::default();
        let r = &mut registry;
        r.register(
            "tenon_objects",
            "Resources by kind and state",
            self.objects.clone(),
        );
        r.register(
            "tenon_translations",
            "Translations of changes",
            self.translations.clone(),
        );
        r.register(
            "tenon_translate_seconds",
            "Time that a translation takes",
            self.translate_seconds.0.clone(),
        );
        r.register(
            "tenon_xds_clients",
            "Connected Envoys",
            self.xds_clients.clone(),
        );
        r.register(
            "tenon_xds_refused_clients",
            "Streams of Envoys that may not be served",
            self.xds_refused.clone(),
        );
        r.register(
            "tenon_xds_pushes",
            "Responses sent",
            self.xds_pushes.clone(),
        );
        r.register(
            "tenon_xds_nacks",
            "Responses that an Envoy refused",
            self.xds_nacks.clone(),
        );
        r.register(
            "tenon_edit_to_ack_seconds",
            "Time from a change until an Envoy has answered to all of it",
            self.edit_to_ack_seconds.0.clone(),
        );
        r.register(
            "tenon_credentials_expiry_seconds",
            "When credentials end, in seconds since 1970",
            self.credentials_expiry.clone(),
        );
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }

    pub(crate) fn object(&self, kind: Kind, from: Option<State>, to: Option<State>) {
        let gauge = |state: State| {
            self.objects.get_or_create_owned(&ObjectLabels {
                kind: kind.to_string(),
                state: statuses::state(state),
            })
        };
        if let Some(from) = from {
            gauge(from).dec();
        }
        if let Some(to) = to {
            gauge(to).inc();
        }
    }

    pub(crate) fn translated(&self, started: Instant) {
        self.translations.inc();
        self.translate_seconds
            .0
            .observe(started.elapsed().as_secs_f64());
    }

    pub(crate) fn connected(&self) {
        self.xds_clients.inc();
    }

    pub(crate) fn disconnected(&self) {
        self.xds_clients.dec();
    }

    pub(crate) fn refused(&self, reason: Refusal) {
        let reason = match reason {
            Refusal::UnknownProxy => "unknown_proxy",
            Refusal::Identity => "identity",
        };
        self.xds_refused
            .get_or_create(&RefusalLabels { reason })
            .inc();
    }

    pub(crate) fn pushed(&self, kind: ResourceType) {
        let r#type = short_name(kind);
        self.xds_pushes.get_or_create(&TypeLabels { r#type }).inc();
    }

    pub(crate) fn nack(&self, kind: ResourceType) {
        let r#type = short_name(kind);
        self.xds_nacks.get_or_create(&TypeLabels { r#type }).inc();
    }

    pub(crate) fn acknowledged(&self, after: Duration) {
        self.edit_to_ack_seconds.0.observe(after.as_secs_f64());
    }

    /// Notes when credentials end, or that they do not.
    pub(crate) fn expiry(&self, secret: &str, expiry: Option<SystemTime>) {
        let labels = SecretLabels {
            secret: secret.to_owned(),
        };
        let since = expiry.and_then(|expiry| expiry.duration_since(SystemTime::UNIX_EPOCH).ok());
        match since {
            Some(since) => {
                let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
                self.credentials_expiry.get_or_create(&labels).set(seconds);
            }
            None => {
                self.credentials_expiry.remove(&labels);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_the_documented_ones() {
        let metrics = Metrics::default();
        metrics.object(Kind::Upstream, None, Some(State::Pending));
        metrics.object(Kind::Upstream, Some(State::Pending), Some(State::Accepted));
        metrics.translated(Instant::now());
        metrics.connected();
        metrics.refused(Refusal::UnknownProxy);
        metrics.pushed(ResourceType::ScopedRoute);
        metrics.nack(ResourceType::Cluster);
        metrics.acknowledged(Duration::from_millis(3));
        let expiry = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
        metrics.expiry("s", Some(expiry));
        let text = metrics.encode().unwrap();
        for line in [
            r#"tenon_objects{kind="Upstream",state="Accepted"} 1"#,
            r#"tenon_objects{kind="Upstream",state="Pending"} 0"#,
            "tenon_translations_total 1",
            "tenon_translate_seconds_count 1",
            "tenon_xds_clients 1",
            r#"tenon_xds_refused_clients_total{reason="unknown_proxy"} 1"#,
            r#"tenon_xds_pushes_total{type="scopedRoute"} 1"#,
            r#"tenon_xds_nacks_total{type="cluster"} 1"#,
            "tenon_edit_to_ack_seconds_count 1",
            r#"tenon_credentials_expiry_seconds{secret="s"} 5"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
