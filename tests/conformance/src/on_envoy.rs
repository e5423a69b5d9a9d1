//! The table in a real Envoy.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;
use tenon_contract::CALLED_HEADER;
use tenon_e2e::deadline::{DEADLINE, until};
use tenon_e2e::{Envoy, Gate, artefact};

use crate::fake::{Answer, HeaderList};
use crate::observed::{LOGGED, Observed, Protocol};
use crate::scenario::Scenario;

mod alike;
mod client;
mod config;
mod provider;
mod rotation;
mod transform;
mod wire;

pub use alike::differences;
pub use config::{Artefact, Position};
pub use transform::run as run_transform;

use client::Client;
use config::{Clusters, Setup, TOLD, secret_name};
use provider::Provider;
use rotation::Rotation;
use wire::Message;

/// Runs scenarios in one Envoy, one after the other and on one connection, so that what one leaves behind hurts the
/// next.
///
/// # Errors
/// There is no Envoy or no artefact, or Envoy ended.
pub async fn run(
    artefact: Artefact,
    position: Position,
    protocol: Protocol,
    scenarios: &[Scenario],
) -> Result<Vec<Observed>> {
    let mut runner = Runner::start(artefact, position, protocol, scenarios).await?;
    let mut all = Vec::new();
    for scenario in scenarios {
        let observed = runner.run(scenario).await;
        all.push(observed.with_context(|| format!("{}\n{}", scenario.name, runner.envoy.log()))?);
    }
    runner.read_access_log(scenarios, &mut all).await?;
    Ok(all)
}

struct Runner {
    artefact: Artefact,
    position: Position,
    folder: TempDir,
    clusters: Clusters,
    provider: Provider,
    envoy: Envoy,
    client: Client,
    counts: BTreeMap<(String, String), u64>,
    log_read: usize,
}

impl Runner {
    async fn start(
        kind: Artefact,
        position: Position,
        protocol: Protocol,
        scenarios: &[Scenario],
    ) -> Result<Self> {
        let file = artefact(match kind {
            Artefact::Module => "libtenon.so",
            Artefact::Wasm => "tenon.wasm",
        })?;
        let folder = TempDir::with_prefix("tenon-conformance-")?;
        let clusters = Clusters::of(scenarios);
        let provider = Provider::start().await?;
        let config = Setup {
            artefact: kind,
            position,
            file: &file,
            folder: folder.path(),
            provider: provider.address,
            clusters: &clusters,
            scenarios,
        }
        .config()?;
        let envoy = Envoy::start(&config).await?;
        let listener = envoy.listener("http").await?;
        Ok(Self {
            artefact: kind,
            position,
            folder,
            clusters,
            provider,
            envoy,
            client: Client::new(protocol, listener),
            counts: BTreeMap::new(),
            log_read: 0,
        })
    }

    async fn run(&mut self, scenario: &Scenario) -> Result<Observed> {
        let late = self.prepare(scenario);
        let head_seen = self.provider.script().head_seen.clone();
        let pending = format!(
            "cluster.{}.upstream_rq_pending_active",
            self.clusters.name(scenario)
        );
        let admin = self.envoy.admin();
        let has_late = scenario
            .answers
            .iter()
            .any(|it| matches!(it, Answer::Late(_)));
        let (answered, _) = tokio::join!(self.exchange(scenario, &head_seen), async {
            if has_late
                && admin
                    .stat_until(&pending, |waiting| waiting > 0)
                    .await
                    .is_ok()
            {
                late.open();
            }
        });
        let mut problems = Vec::new();
        let message = answered.unwrap_or_else(|error| {
            problems.push(format!("at the client: {error:#}"));
            Message::default()
        });
        let counts = self.counted(scenario).await?;
        let mut script = self.provider.script();
        problems.append(&mut script.problems);
        let mut sent = std::mem::take(&mut script.sent);
        if self.position == Position::Listener {
            // The mark of a call, which has to be there, and is nothing that the table is about.
            for one in &mut sent {
                if one.headers.get(CALLED_HEADER).is_none() {
                    problems.push(format!("{CALLED_HEADER} is missing"));
                }
                one.headers.remove(CALLED_HEADER);
            }
        }
        let log = self.envoy.log();
        let new_log = log.get(self.log_read..).unwrap_or_default().to_owned();
        self.log_read = log.len();
        let status = message.start.split(' ').nth(1).unwrap_or_default();
        Ok(Observed {
            protocol: self.client.protocol(),
            adds_no_body: self.artefact == Artefact::Wasm,
            status: status.parse().unwrap_or_default(),
            headers: message.headers,
            body: message.body,
            trailers: message.trailers,
            cut_off: message.cut_off,
            sent,
            counts,
            problems,
            log: new_log,
            ..Observed::default()
        })
    }

    /// Tells the provider what to do; gives what holds a late answer back.
    fn prepare(&self, scenario: &Scenario) -> Gate {
        let cluster = self.clusters.name(scenario);
        let rotation = scenario.upstream.rotated.clone().map(|text| Rotation {
            file: self.folder.path().join(format!("{cluster}.json")),
            name: secret_name(cluster),
            text,
            admin: self.envoy.admin(),
        });
        let late = Gate::new();
        let mut script = self.provider.script();
        script.answers = scenario.answers.iter().cloned().collect();
        script.rotation = rotation;
        script.late = late.clone();
        script.head_seen = Gate::new();
        late
    }

    async fn exchange(&mut self, scenario: &Scenario, head_seen: &Gate) -> Result<Message> {
        let mut headers = scenario.request.headers().clone();
        headers.add("x-request-id", scenario.name.as_bytes());
        let request = scenario.request.clone().with_headers(headers);
        self.client.exchange(&request, head_seen).await
    }

    /// The counts that came since the last scenario.
    async fn counted(&mut self, scenario: &Scenario) -> Result<Vec<(String, String)>> {
        // A try that is lost is counted when Envoy gets around to end it, so this waits for as many as are due.
        let due = scenario.results().len();
        let end = Instant::now() + DEADLINE;
        loop {
            let now = self.read_counts().await?;
            let mut new = Vec::new();
            for (key, count) in &now {
                let before = self.counts.get(key).copied().unwrap_or_default();
                new.extend((before..*count).map(|_| key.clone()));
            }
            if new.len() >= due || Instant::now() > end {
                self.counts = now;
                return Ok(new);
            }
        }
    }

    async fn read_counts(&self) -> Result<BTreeMap<(String, String), u64>> {
        let admin = self.envoy.admin();
        let text = admin
            .get("/stats?format=prometheus&filter=tenon_calls")
            .await?;
        let counts = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let label = |name: &str| {
                    let start = line.find(&format!("{name}=\""))? + name.len() + 2;
                    Some(line[start..].split('"').next()?.to_owned())
                };
                let count: u64 = line.rsplit(' ').next()?.parse().ok()?;
                Some(((label("function")?, label("result")?), count))
            });
        // Each cluster counts for itself.
        let mut sums = BTreeMap::new();
        for (key, count) in counts {
            *sums.entry(key).or_default() += count;
        }
        Ok(sums)
    }

    /// Fills in what only the access log tells.
    async fn read_access_log(&self, scenarios: &[Scenario], all: &mut [Observed]) -> Result<()> {
        self.envoy.admin().post("/reopen_logs").await?;
        let path = self.folder.path().join("access.log");
        let path = &path;
        let lines = until("the access log", || async move {
            let text = fs::read_to_string(path).unwrap_or_default();
            let lines: BTreeMap<String, Value> = text
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .map(|line| (line["id"].as_str().unwrap_or_default().to_owned(), line))
                .collect();
            Ok((lines.len() >= scenarios.len()).then_some(lines))
        })
        .await?;
        for (scenario, observed) in scenarios.iter().zip(all) {
            let line = lines.get(scenario.name).context(scenario.name)?;
            self.read_line(line, observed);
        }
        Ok(())
    }

    fn read_line(&self, line: &Value, observed: &mut Observed) {
        let text = |value: &Value| {
            let text = value.as_str().unwrap_or_default();
            (!text.is_empty() && text != "-").then(|| text.to_owned())
        };
        let mut logged = HeaderList::default();
        for name in LOGGED {
            if let Some(value) = text(&line[format!("header.{name}")]) {
                logged.add(name, value.as_bytes());
            }
        }
        observed.logged = logged;
        for key in TOLD {
            let value = match self.artefact {
                Artefact::Module => &line["metadata"][key],
                Artefact::Wasm => &line[format!("state.{key}")],
            };
            if let Some(value) = text(value) {
                observed.annotations.insert(key.to_owned(), value);
            }
        }
        observed.details = text(&line["details"]);
    }
}
