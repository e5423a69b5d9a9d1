use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::client::{Client, get, post};
use crate::deadline::until;

/// An HTTP endpoint of a process: Envoy's admin, or Tenon's.
#[derive(Debug, Clone, Copy)]
pub struct Admin {
    address: SocketAddr,
}

impl Admin {
    /// The endpoint that listens there.
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The status and body of `GET path`.
    ///
    /// # Errors
    /// No answer.
    pub async fn ask(&self, path: &str) -> Result<(u16, String)> {
        let response = Client::http1(self.address).await?.send(get(path)).await?;
        Ok((response.status, response.text()))
    }

    /// The body of `GET path`.
    ///
    /// # Errors
    /// No answer, or not 200.
    pub async fn get(&self, path: &str) -> Result<String> {
        let (status, body) = self.ask(path).await?;
        ensure!(status == 200, "GET {path}: {status} {body}");
        Ok(body)
    }

    /// The body of `GET path` as JSON.
    ///
    /// # Errors
    /// No answer, not 200, or not JSON.
    pub async fn json(&self, path: &str) -> Result<Value> {
        serde_json::from_str(&self.get(path).await?).with_context(|| format!("GET {path}"))
    }

    /// The body of `POST path`.
    ///
    /// # Errors
    /// No answer, or not 200.
    pub async fn post(&self, path: &str) -> Result<String> {
        let response = Client::http1(self.address)
            .await?
            .send(post(path, ""))
            .await?;
        ensure!(response.status == 200, "POST {path}: {}", response.status);
        Ok(response.text())
    }

    /// Waits until `GET path` answers 200.
    ///
    /// # Errors
    /// It does not within the deadline.
    pub async fn ready(&self, path: &str) -> Result<()> {
        until(&format!("200 from {path}"), || async move {
            Ok(matches!(self.ask(path).await, Ok((200, _))).then_some(()))
        })
        .await
    }

    /// Envoy's counters and gauges, by name.
    ///
    /// # Errors
    /// No answer.
    pub async fn stats(&self) -> Result<BTreeMap<String, u64>> {
        let text = self.get("/stats").await?;
        Ok(text
            .lines()
            .filter_map(|line| {
                let (name, value) = line.rsplit_once(": ")?;
                Some((name.to_owned(), value.parse().ok()?))
            })
            .collect())
    }

    /// A counter or gauge of Envoy's; 0 where it has none of that name (yet).
    ///
    /// # Errors
    /// No answer.
    pub async fn stat(&self, name: &str) -> Result<u64> {
        Ok(self.stats().await?.get(name).copied().unwrap_or_default())
    }

    /// The samples of a metric in the form of Prometheus: labels and value.
    ///
    /// # Errors
    /// No answer.
    pub async fn samples(&self, metric: &str) -> Result<Vec<(BTreeMap<String, String>, u64)>> {
        let text = self.get("/stats/prometheus").await?;
        Ok(text
            .lines()
            .filter_map(|line| {
                let (name, rest) = line.split_at(line.find(['{', ' '])?);
                // Envoy puts the scope of a metric into its name, as `envoy_cluster_<name>_dynamicmodulescustom_`.
                name.ends_with(metric).then(|| sample(rest))?
            })
            .collect())
    }

    /// Waits until a counter or gauge of Envoy's is as wanted.
    ///
    /// # Errors
    /// It is not within the deadline.
    pub async fn stat_until(&self, name: &str, wanted: impl Fn(u64) -> bool) -> Result<u64> {
        let wanted = &wanted;
        until(name, || async move {
            let value = self.stat(name).await?;
            Ok(wanted(value).then_some(value))
        })
        .await
    }

    /// Where Envoy's listener of this name listens, once it does.
    ///
    /// # Errors
    /// It does not within the deadline.
    pub async fn listener(&self, name: &str) -> Result<SocketAddr> {
        until(&format!("listener {name}"), || async move {
            let listeners = self.json("/listeners?format=json").await?;
            listener_address(&listeners, name)
        })
        .await
    }
}

/// Reads `{name="value",…} 1` or ` 1`, what follows a metric's name.
fn sample(rest: &str) -> Option<(BTreeMap<String, String>, u64)> {
    let (labels, value) = match rest.strip_prefix('{') {
        None => ("", rest.strip_prefix(' ')?),
        Some(rest) => rest.rsplit_once("} ")?,
    };
    let labels = labels
        .split_terminator("\",")
        .filter_map(|label| label.split_once("=\""))
        .map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()))
        .collect();
    Some((labels, value.parse().ok()?))
}

fn listener_address(listeners: &Value, name: &str) -> Result<Option<SocketAddr>> {
    let statuses = listeners["listener_statuses"].as_array();
    let Some(status) = statuses
        .into_iter()
        .flatten()
        .find(|status| status["name"] == name)
    else {
        return Ok(None);
    };
    let address = &status["local_address"]["socket_address"];
    let (Some(ip), Some(port)) = (address["address"].as_str(), address["port_value"].as_u64())
    else {
        return Ok(None);
    };
    Ok(Some(SocketAddr::new(ip.parse()?, u16::try_from(port)?)))
}
