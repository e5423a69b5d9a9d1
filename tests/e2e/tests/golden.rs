//! What the golden cases say that comes out is what Envoy takes: `envoy --mode validate`, over all of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tenon_bootstrap::find_envoy;

/// Where the golden cases have the filters.
const INSTALLED: &str = "/usr/lib/tenon/";
/// Roots, which golden cases name as files that are not there.
const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

#[test]
fn envoy_takes_what_golden_cases_come_to() -> Result<()> {
    let envoy = find_envoy().context("no Envoy: run `make setup`")?;
    let cases = cases()?;
    assert!(cases.len() >= 50, "only {} cases", cases.len());
    let left = Mutex::new(cases.iter());
    let refused = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let check = || -> Result<()> {
            let folder = TempDir::with_prefix("tenon-golden-")?;
            while let Some(case) = left.lock().ok().and_then(|mut left| left.next()) {
                for (number, config) in configurations(case, folder.path())?.iter().enumerate() {
                    let name = format!("{} {number}", case.display());
                    let words = refusal(&envoy, config, folder.path()).context(name.clone())?;
                    if let (Some(words), Ok(mut refused)) = (words, refused.lock()) {
                        refused.push(format!("{name}: {words}"));
                    }
                }
            }
            Ok(())
        };
        let checkers: Vec<_> = (0..4).map(|_| scope.spawn(check)).collect();
        let all = checkers.into_iter().map(|it| it.join());
        all.map(|it| it.unwrap_or_else(|_| Err(anyhow::anyhow!("a check panicked"))))
            .collect::<Result<Vec<_>>>()
    })?;
    let refused = refused.into_inner().unwrap_or_default();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    Ok(())
}

#[test]
fn envoy_refuses_what_it_does_not_take() -> Result<()> {
    let envoy = find_envoy().context("no Envoy: run `make setup`")?;
    let folder = TempDir::with_prefix("tenon-golden-")?;
    let config = json!({"static_resources": {"clusters": [{"name": "a", "type": "NONE_SUCH"}]}});
    let words = refusal(&envoy, &config, folder.path())?;
    assert!(words.is_some_and(|words| words.contains("NONE_SUCH")));
    Ok(())
}

fn cases() -> Result<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden/translate");
    let mut cases = Vec::new();
    for area in fs::read_dir(root)? {
        for case in fs::read_dir(area?.path())? {
            let file = case?.path().join("xds.yaml");
            if file.exists() {
                cases.push(file);
            }
        }
    }
    cases.sort();
    Ok(cases)
}

/// The resources of each proxy of a case, in the form of Envoy's configuration files.
fn configurations(case: &Path, folder: &Path) -> Result<Vec<Value>> {
    let all: Value = serde_saphyr::from_str(&fs::read_to_string(case)?)?;
    let proxies = match all.get("clusters") {
        Some(_) => vec![&all],
        None => all.as_object().into_iter().flat_map(Map::values).collect(),
    };
    let none = folder.join("none.json");
    fs::write(&none, r#"{"resources": []}"#)?;
    let none = none.to_str().context("a folder of a strange name")?;
    let configurations = proxies.into_iter().map(|resources| {
        let of = |kind: &str| resources[kind].as_array().cloned().unwrap_or_default();
        let routes = of("routes").into_iter().map(|table| {
            let name = table["name"].as_str().unwrap_or_default().to_owned();
            (name, table)
        });
        let file = AsFile {
            routes: routes.collect(),
            none,
        };
        let bare = |kind: &str| -> Vec<Value> {
            let resources = of(kind).into_iter();
            resources
                .map(|it| file.convert("", without_type(it)))
                .collect()
        };
        json!({
            "node": {"id": "golden", "cluster": "golden"},
            "static_resources": {"clusters": bare("clusters"), "listeners": bare("listeners")},
        })
    });
    Ok(configurations.collect())
}

/// Makes resources that come over ADS ones that stand in a file.
struct AsFile<'a> {
    /// The route tables, by name.
    routes: BTreeMap<String, Value>,
    /// A file without resources.
    none: &'a str,
}

impl AsFile<'_> {
    fn convert(&self, field: &str, value: Value) -> Value {
        match value {
            Value::Object(fields) => self.object(field, fields),
            Value::Array(values) => {
                let values = values.into_iter();
                values.map(|value| self.convert(field, value)).collect()
            }
            Value::String(text) => {
                let secret = format!(r#""path_config_source":{{"path":"{}"}}"#, self.none);
                text.replace(INSTALLED, &format!("{}/", dist().display()))
                    .replace(r#""ads":{}"#, &secret)
                    .into()
            }
            other => other,
        }
    }

    fn object(&self, field: &str, fields: Map<String, Value>) -> Value {
        let converted = fields.into_iter().map(|(name, value)| match name.as_str() {
            "ads" => ("pathConfigSource".to_owned(), json!({"path": self.none})),
            "rds" => {
                let table = value["routeConfigName"].as_str().unwrap_or_default();
                let table = self.routes.get(table).cloned().unwrap_or_default();
                let mut table = self.convert("routeConfig", without_type(table));
                // As of those that come over RDS.
                table["validateClusters"] = json!(false);
                ("routeConfig".to_owned(), table)
            }
            "filename" if !value.as_str().is_some_and(|path| Path::new(path).exists()) => {
                let converted = self.convert(&name, value);
                (name, stand_in(field).unwrap_or(converted))
            }
            "protoDescriptor" => {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
                (name, json!(folder.join("shop.pb")))
            }
            _ => (name.clone(), self.convert(&name, value)),
        });
        Value::Object(converted.collect())
    }
}

/// A file in the place of one that is not there.
fn stand_in(field: &str) -> Option<Value> {
    let own = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        json!(folder.join(name))
    };
    match field {
        "trustedCa" => Some(json!(ROOTS)),
        "certificateChain" => Some(own("cert.pem")),
        "privateKey" => Some(own("key.pem")),
        _ => None,
    }
}

fn without_type(mut resource: Value) -> Value {
    if let Some(fields) = resource.as_object_mut() {
        fields.remove("@type");
    }
    resource
}

fn dist() -> PathBuf {
    let dist = std::env::var_os("TENON_DIST").map(PathBuf::from);
    dist.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist"))
}

/// Envoy's words, if it does not take a configuration.
fn refusal(envoy: &Path, config: &Value, folder: &Path) -> Result<Option<String>> {
    let id = format!("{:?}", std::thread::current().id());
    let id: String = id.chars().filter(char::is_ascii_digit).collect();
    let file = folder.join(format!("{id}.json"));
    fs::write(&file, config.to_string())?;
    let output = Command::new(envoy)
        .args(["--mode", "validate", "--disable-hot-restart"])
        .args(["--log-level", "error", "-c"])
        .arg(&file)
        .output()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code().is_some(), "it crashed: {words}");
    Ok((!output.status.success()).then_some(words))
}

/// What the check of expressions goes by: `tests/golden/regexes.txt`.
#[test]
fn envoy_takes_the_regular_expressions_that_it_is_said_to_take() -> Result<()> {
    let envoy = find_envoy().context("no Envoy: run `make setup`")?;
    let folder = TempDir::with_prefix("tenon-regexes-")?;
    let known = include_str!("../../golden/regexes.txt");
    let known = known.lines().filter(|line| !line.starts_with('#'));
    let known: Option<Vec<_>> = known.map(|line| line.split_once(' ')).collect();
    let known = known.context("a line without an answer")?;
    let of = |answer| known.iter().filter(move |(it, _)| *it == answer);
    let all: Vec<_> = of("taken").map(|(_, pattern)| *pattern).collect();
    let refused: Vec<_> = of("refused").map(|(_, pattern)| *pattern).collect();
    ensure!(all.len() > 100 && refused.len() > 80 && all.len() + refused.len() == known.len());
    let words = refusal(&envoy, &matching(&all), folder.path())?;
    ensure!(words.is_none(), "{words:?}");
    for pattern in refused {
        let words = refusal(&envoy, &matching(&[pattern]), folder.path())?;
        ensure!(words.is_some(), "Envoy takes {pattern}");
    }
    Ok(())
}

/// A listener with a route for each expression.
fn matching(patterns: &[&str]) -> Value {
    const TYPES: &str = "type.googleapis.com/envoy.extensions.filters";
    let routes = patterns.iter().map(|pattern| {
        json!({
            "match": {"safe_regex": {"regex": pattern}},
            "direct_response": {"status": 200},
        })
    });
    let routes: Vec<_> = routes.collect();
    let router = json!({"@type": format!("{TYPES}.http.router.v3.Router")});
    let manager = json!({
        "@type": format!("{TYPES}.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "regexes",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "router", "typed_config": router}],
    });
    json!({"static_resources": {"listeners": [{
        "name": "listener",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }]}})
}
