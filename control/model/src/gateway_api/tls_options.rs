//! What Gloo reads of `tls.options` of a listener.

use serde_json::{Map, Value, json};

use super::listeners::ListenerTls;
use crate::Problem;
use crate::listener_ssl::SslConfig;
use crate::read::{Node, Path, Read as _, Report};

/// What their names begin with.
const PREFIX: &str = "gateway.gloo.solo.io/ssl/";

impl ListenerTls {
    /// What its options say, with warnings for those that say nothing: as with Gloo they are ignored. `path` is theirs.
    pub fn ssl_options(&self, path: &str) -> (SslConfig, Vec<Problem>) {
        let mut all = SslConfig::default();
        let mut warnings = Vec::new();
        let mut parameters = Map::new();
        for (name, value) in &self.options {
            let mut warn = |text: String| {
                warnings.push(Problem::warning(
                    path,
                    format!("{name} {text}: it is ignored"),
                ));
            };
            let list = || value.split(',').map(str::trim).collect::<Vec<_>>();
            let (field, of) = match name.strip_prefix(PREFIX) {
                Some("cipher-suites") => ("cipherSuites", json!(list())),
                Some("ecdh-curves") => ("ecdhCurves", json!(list())),
                Some("minimum-tls-version") => ("minimumProtocolVersion", json!(value)),
                Some("maximum-tls-version") => ("maximumProtocolVersion", json!(value)),
                Some("one-way-tls") => {
                    match value.to_ascii_lowercase().as_str() {
                        "true" => all.one_way_tls = Some(true),
                        "false" => all.one_way_tls = Some(false),
                        _ => warn(format!("is neither true nor false, but {value:?}")),
                    }
                    continue;
                }
                Some("verify-subject-alt-name") => {
                    let names = list().into_iter().filter(|it| !it.is_empty());
                    all.verify_subject_alt_name = names.map(str::to_owned).collect();
                    continue;
                }
                _ => {
                    warn("is not an option that is known here".to_owned());
                    continue;
                }
            };
            let mut with = parameters.clone();
            with.insert(field.to_owned(), of);
            match read(&with) {
                Ok(read) => {
                    all.parameters = read.parameters;
                    parameters = with;
                }
                Err(text) => warn(text),
            }
        }
        (all, warnings)
    }
}

fn read(parameters: &Map<String, Value>) -> Result<SslConfig, String> {
    let report = Report::new("");
    let value = json!({ "parameters": parameters });
    let read = SslConfig::read(&Node::new(&value, Path::Root("options"), &report));
    let problems = report.into_problems();
    match (read, problems.first()) {
        (Some(read), None) => Ok(read),
        (_, problem) => Err(problem.map(|it| it.text.clone()).unwrap_or_default()),
    }
}
