//! What Envoy would refuse is tried on an Envoy that serves nobody (`--mode validate`), once for each shape.
//!
//! Envoy's rules for its own messages are known and are checked at each change; whether it takes an extension's
//! configuration, an expression or two fields beside each other, only it can tell. So a resource of a shape that it was
//! never asked about is tried before it is served ([`Trials`]); all else is served at once. Trials go on beside the
//! translation, one after the other: what there is to be tried while one is under way is tried together after it. What
//! Envoy took is kept in the state folder, by its version.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tenon_bootstrap::{BootstrapOptions, bootstrap};
use tenon_translate::{ResourceType, Trial, Trials, Tried};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How long a trial may take. What takes longer is served.
const LONGEST: Duration = Duration::from_secs(5);
/// How many Envoys are started for what is tried together.
const MOST_TRIALS: usize = 24;
/// What is said of the machine, not of the configuration: Envoy may run on another one.
const OF_THE_MACHINE: [&str; 6] = [
    "No such file or directory",
    "Permission denied",
    "Invalid path",
    "nable to open file",
    "nable to read file",
    "cannot bind",
];

/// What came of trials.
pub(crate) type Answers = Vec<(Trial, Tried)>;

/// What is on trial, and the Envoy that tries it, which ends with this.
pub(crate) struct Canary {
    pub(crate) trials: Trials,
    asks: mpsc::UnboundedSender<Vec<Trial>>,
    _envoy: JoinSet<()>,
}

/// An Envoy that configuration is tried on.
struct Trier {
    envoy: PathBuf,
    /// The folder of the dynamic module.
    modules: Option<PathBuf>,
    /// Where it is kept what Envoy took.
    memory: Option<PathBuf>,
    known: BTreeSet<u64>,
}

/// What is to be tried.
struct Sample {
    trial: Trial,
    config: Value,
}

/// What became of a trial of several.
enum Outcome {
    Taken,
    Refused(String),
    /// It could not be told.
    Unknown,
}

impl Canary {
    /// A canary, with what it remembers, and where its answers come.
    ///
    /// # Errors
    /// There is no such Envoy.
    pub(crate) fn start(
        envoy: &Path,
        modules: Option<PathBuf>,
        state: Option<&Path>,
    ) -> anyhow::Result<(Self, mpsc::UnboundedReceiver<Answers>)> {
        let version = tenon_bootstrap::require_envoy_version(envoy)?;
        let memory = state.map(|folder| folder.join(format!("canary-{version}.json")));
        let known = memory.as_deref().and_then(|file| fs::read(file).ok());
        let known = known.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let trier = Trier {
            envoy: envoy.to_owned(),
            modules,
            memory,
            known: known.unwrap_or_default(),
        };
        let trials = Trials::new(trier.known.iter().copied());
        let (asks, asked) = mpsc::unbounded_channel();
        let (answers, answered) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(trier.run(asked, answers));
        let canary = Self {
            trials,
            asks,
            _envoy: task,
        };
        Ok((canary, answered))
    }

    /// Has these tried.
    pub(crate) fn ask(&self, trials: Vec<Trial>) {
        if !trials.is_empty() {
            // It ends with this only.
            let _ = self.asks.send(trials);
        }
    }
}

impl Trier {
    async fn run(
        mut self,
        mut asked: mpsc::UnboundedReceiver<Vec<Trial>>,
        answers: mpsc::UnboundedSender<Answers>,
    ) {
        while let Some(mut trials) = asked.recv().await {
            while let Ok(more) = asked.try_recv() {
                trials.extend(more);
            }
            let answer = self.judge(trials).await;
            if answers.send(answer).is_err() {
                return;
            }
        }
    }

    /// Tries all together, and apart where they are refused.
    async fn judge(&mut self, trials: Vec<Trial>) -> Answers {
        let (mut answers, mut samples) = (Vec::new(), Vec::new());
        for trial in trials {
            match trial.part().to_config().filter(needs_no_other_machine) {
                Some(config) => samples.push(Sample { trial, config }),
                None => answers.push((trial, Tried::Unknown)),
            }
        }
        let known_before = self.known.len();
        let mut groups = vec![samples];
        let mut started = 0;
        while let Some(mut group) = groups.pop() {
            let outcome = match (group.is_empty(), started < MOST_TRIALS) {
                (true, _) => continue,
                (false, false) => Outcome::Unknown,
                (false, true) => self.attempt(&group).await.unwrap_or_else(|error| {
                    tracing::warn!("nothing can be tried before it is served: {error:#}");
                    Outcome::Unknown
                }),
            };
            started += 1;
            let tried = match outcome {
                Outcome::Taken => Tried::Taken,
                Outcome::Unknown => Tried::Unknown,
                Outcome::Refused(_) if group.len() > 1 => {
                    let second = group.split_off(group.len() / 2);
                    groups.extend([second, group]);
                    continue;
                }
                Outcome::Refused(words) => {
                    let host = group.first().and_then(|it| it.trial.part().host());
                    tracing::warn!(host, words, "envoy would refuse it");
                    Tried::Refused(words)
                }
            };
            if tried == Tried::Taken {
                let shapes = group.iter().flat_map(|it| it.trial.shapes());
                self.known.extend(shapes);
            }
            answers.extend(group.into_iter().map(|it| (it.trial, tried.clone())));
        }
        if self.known.len() > known_before {
            self.remember();
        }
        answers
    }

    async fn attempt(&self, samples: &[Sample]) -> anyhow::Result<Outcome> {
        let folder = TempDir::with_prefix("tenon-canary-")?;
        let none = folder.path().join("none.json");
        fs::write(&none, r#"{"resources": []}"#)?;
        let file = folder.path().join("envoy.json");
        let none = none.to_str().context("a folder of a strange name")?;
        let config = configuration(samples, none)?;
        let mut created = fs::File::create(&file)?;
        created.write_all(config.to_string().as_bytes())?;
        let mut command = Command::new(&self.envoy);
        command
            .args(["--mode", "validate", "--disable-hot-restart"])
            .args(["--log-level", "error", "--concurrency", "1", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C is for the control plane, which ends it by dropping it.
            .process_group(0)
            .kill_on_drop(true);
        if let Some(modules) = &self.modules {
            command.env("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", modules);
        }
        let Ok(output) = tokio::time::timeout(LONGEST, command.output()).await else {
            tracing::warn!("Envoy takes long to try a configuration; it is served untried");
            return Ok(Outcome::Unknown);
        };
        let output = output.with_context(|| format!("cannot run {}", self.envoy.display()))?;
        let words = words(&String::from_utf8_lossy(&output.stderr));
        if let Some(signal) = output.status.signal() {
            let text = format!("it would end an Envoy (signal {signal})");
            return Ok(Outcome::Refused(text));
        }
        let of_the_machine = OF_THE_MACHINE.iter().any(|it| words.contains(it));
        Ok(match (output.status.success(), of_the_machine) {
            (true, _) => Outcome::Taken,
            (false, true) if samples.len() == 1 => Outcome::Unknown,
            (false, _) => Outcome::Refused(words),
        })
    }

    /// Keeps what Envoy took for the next start.
    fn remember(&self) {
        let Some(file) = &self.memory else { return };
        let written = (|| -> anyhow::Result<()> {
            let folder = file.parent().context("no folder")?;
            fs::create_dir_all(folder)?;
            let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
            temporary.write_all(&serde_json::to_vec(&self.known)?)?;
            temporary.persist(file)?;
            Ok(())
        })();
        if let Err(error) = written {
            tracing::warn!(file = %file.display(), "cannot keep what Envoy took: {error:#}");
        }
    }
}

/// The last of what Envoy says, without when and where in its source it says it.
fn words(log: &str) -> String {
    let last = log.lines().rfind(|line| !line.trim().is_empty());
    let last = last.unwrap_or("it says nothing");
    let after = last.split_once("error initializing configuration '");
    let after = after.and_then(|(_, rest)| rest.split_once("': "));
    after.map_or(last, |(_, words)| words).trim().to_owned()
}

/// Samples as the configuration file of an Envoy; `none` is a file without resources.
fn configuration(samples: &[Sample], none: &str) -> anyhow::Result<Value> {
    let of = |kind: ResourceType| {
        let samples = samples.iter();
        let samples = samples.filter(move |sample| sample.trial.kind() == kind);
        samples.map(move |sample| standing(none, sample.config.clone()))
    };
    let mut listeners: Vec<_> = of(ResourceType::Listener).collect();
    let hosts = of(ResourceType::Route).enumerate();
    listeners.extend(hosts.map(|(number, host)| listener_for(number, &host)));
    for (number, listener) in listeners.iter_mut().enumerate() {
        // Two proxies may have one name.
        listener["name"] = json!(format!("{number}"));
    }
    let mut clusters = BTreeMap::new();
    for cluster in of(ResourceType::Cluster) {
        let name = cluster["name"].as_str().unwrap_or_default().to_owned();
        clusters.insert(name, cluster);
    }
    let clusters: Vec<_> = clusters.into_values().collect();
    Ok(json!({
        "node": {"id": "canary", "cluster": "canary"},
        "staticResources": {"clusters": clusters, "listeners": listeners},
        "layeredRuntime": runtime()?,
    }))
}

/// As the Envoys have it that are served.
fn runtime() -> anyhow::Result<Value> {
    let nowhere = ([127, 0, 0, 1], 0).into();
    let options = BootstrapOptions {
        node_id: String::new(),
        node_cluster: String::new(),
        role: String::new(),
        xds_addr: nowhere,
        admin_addr: nowhere,
        delta: true,
    };
    let bootstrap: Value = serde_json::from_str(&bootstrap(&options))?;
    Ok(bootstrap["layered_runtime"].clone())
}

/// A listener whose only virtual host this is.
fn listener_for(number: usize, host: &Value) -> Value {
    let mut host = host.clone();
    host["domains"] = json!(["*"]);
    let router =
        json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "statPrefix": "canary",
        "routeConfig": {"virtualHosts": [host], "validateClusters": false},
        "httpFilters": [{"name": "envoy.filters.http.router", "typedConfig": router}],
        "upgradeConfigs": [{"upgradeType": "websocket"}],
    });
    json!({
        "address": {"pipe": {"path": format!("@/tenon-canary-{number}")}},
        "filterChains": [{"filters": [{"name": "hcm", "typedConfig": manager}]}],
    })
}

/// What comes over ADS, standing in a file: nothing comes.
fn standing(none: &str, value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| match name.as_str() {
                "ads" => ("pathConfigSource".to_owned(), json!({"path": none})),
                "rds" => (
                    "routeConfig".to_owned(),
                    json!({"name": value["routeConfigName"].clone()}),
                ),
                _ => (name, standing(none, value)),
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(values) => values.into_iter().map(|it| standing(none, it)).collect(),
        // The filters' own configuration is a text.
        Value::String(text) => {
            let file = format!(r#""path_config_source":{{"path":"{none}"}}"#);
            text.replace(r#""ads":{}"#, &file).into()
        }
        other => other,
    }
}

/// Whether all files that it names are on this machine.
fn needs_no_other_machine(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().all(|(name, value)| match value.as_str() {
            Some(path) if name == "filename" => Path::new(path).exists(),
            _ => needs_no_other_machine(value),
        }),
        Value::Array(values) => values.iter().all(needs_no_other_machine),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_that_say_why() {
        let log = "[2026-01-01 00:00:00.000][1][critical][main] [source/server/config_validation/server.cc:76] error initializing configuration '/tmp/a.json': Duplicate upgrade websocket\n";
        assert_eq!(words(log), "Duplicate upgrade websocket");
        assert_eq!(words("a\nno such thing\n\n"), "no such thing");
        assert_eq!(words(""), "it says nothing");
    }

    #[test]
    fn nothing_is_asked_of_a_control_plane_that_is_not_there() {
        let config = json!({
            "rds": {"configSource": {"ads": {}}, "routeConfigName": "a"},
            "filter": {"value": r#"{"secret":{"ads":{}}}"#},
        });
        let standing = standing("/none", config);
        assert_eq!(standing["routeConfig"], json!({"name": "a"}));
        let expected = r#"{"secret":{"path_config_source":{"path":"/none"}}}"#;
        assert_eq!(standing["filter"]["value"], expected);
    }
}
