//! The same intent in both APIs: `tests/golden/pairs/<case>/{edge,gateway-api}.yaml`, each beside `common.yaml` and the
//! API's own gateway (`edge.yaml`, `gateway-api.yaml`), unless the case has one.
//!
//! Both come to the same configuration of Envoy, whatever the names in it. What differs is written down in
//! `differences.yaml`, with the reason: of all pairs, and of a case. `tests/e2e/tests/gateway_api/pairs.rs` sends the same
//! requests (`requests.yaml`) to an Envoy of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tenon_model::Parsed;
use tenon_translate::{Change, Module, State, Translator, TranslatorOptions, to_json};

const LEAST_PAIRS: usize = 30;

/// Lines of configuration that only one of both has, and why.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Difference {
    why: String,
    #[serde(default)]
    edge: Vec<String>,
    #[serde(default)]
    gateway_api: Vec<String>,
}

#[test]
fn the_same_intent_comes_to_the_same_configuration() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/pairs");
    let of_all = differences(&root);
    let mut wrong = Vec::new();
    let cases = cases(&root);
    for case in &cases {
        let [edge, gateway_api] = ["edge.yaml", "gateway-api.yaml"].map(|api| {
            let own = read(&case.join(api));
            let gateway = match own.contains("kind: Gateway\n") {
                true => String::new(),
                false => read(&root.join(api)),
            };
            let common = read(&root.join("common.yaml"));
            lines(
                case,
                &[&common, &gateway, &own]
                    .map(|it| it.as_str())
                    .join("\n---\n"),
            )
        });
        let mut known: Vec<_> = differences(case);
        let is_there = |it: &&Difference| it.gateway_api.iter().all(|it| gateway_api.contains(it));
        known.extend(of_all.iter().filter(is_there).map(Difference::again));
        let told = |of: fn(&Difference) -> &Vec<String>| -> BTreeSet<String> {
            known.iter().flat_map(of).cloned().collect()
        };
        assert!(known.iter().all(|it| !it.why.is_empty()));
        for (api, only, told) in [
            ("edge", edge.difference(&gateway_api), told(|it| &it.edge)),
            (
                "gatewayApi",
                gateway_api.difference(&edge),
                told(|it| &it.gateway_api),
            ),
        ] {
            let only: BTreeSet<_> = only.cloned().collect();
            if only != told {
                let name = case.file_name().unwrap().to_string_lossy();
                let more: Vec<_> = only.difference(&told).collect();
                let less: Vec<_> = told.difference(&only).collect();
                wrong.push(format!("{name}, {api}: {more:#?}, but not {less:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= LEAST_PAIRS, "only {} pairs", cases.len());
}

impl Difference {
    fn again(&self) -> Self {
        Self {
            why: self.why.clone(),
            edge: self.edge.clone(),
            gateway_api: self.gateway_api.clone(),
        }
    }
}

fn cases(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).unwrap().map(|it| it.unwrap().path());
    let mut cases: Vec<_> = entries.filter(|it| it.is_dir()).collect();
    cases.sort();
    cases
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn differences(folder: &Path) -> Vec<Difference> {
    match fs::read_to_string(folder.join("differences.yaml")) {
        Ok(text) => serde_saphyr::from_str(&text).unwrap(),
        Err(_) => Vec::new(),
    }
}

/// All that Envoy is told, a line for each value, without names that say nothing.
fn lines(case: &Path, text: &str) -> BTreeSet<String> {
    let parsed = tenon_model::parse("input.yaml", text).into_iter();
    let changes = parsed.map(|parsed| match parsed {
        Parsed::Object(object) => Change::Upsert(Arc::new(*object)),
        other => panic!("{}: {other:?}", case.display()),
    });
    let mut translator = Translator::new(TranslatorOptions {
        module: Module::So("/usr/lib/tenon/libtenon.so".into()),
        default_bind: "127.0.0.1:8080".parse().unwrap(),
        parts_above: TranslatorOptions::PARTS_ABOVE,
        more_parts_above: TranslatorOptions::MORE_PARTS_ABOVE,
        trees_above: TranslatorOptions::TREES_ABOVE,
        header_secrets_of_upstreams_namespace: false,
    });
    let update = translator.apply(changes.collect());
    for (key, status) in &update.statuses {
        if let Some(status) = status {
            assert_ne!(
                status.state,
                State::Rejected,
                "{}: {key} {status:?}",
                case.display()
            );
        }
    }
    let resources = update.resources.into_iter();
    let resources: BTreeMap<_, _> = resources.filter_map(|(id, it)| Some((id, it?))).collect();
    let all = to_json(&resources, &BTreeMap::new());
    // The usual proxy's stands alone where there is no other.
    let mut proxies: Vec<_> = all.as_object().unwrap().values().collect();
    if all.get("listeners").is_some() {
        proxies = vec![&all];
    }
    let [proxy] = proxies[..] else {
        panic!("{}: {} proxies", case.display(), proxies.len());
    };
    let mut lines = BTreeSet::new();
    flatten(proxy, "", &mut lines);
    lines
}

fn flatten(value: &Value, path: &str, lines: &mut BTreeSet<String>) {
    let join = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}/{name}"),
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if !is_only_a_name(path, name) {
                    flatten(value, &join(name), lines);
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                flatten(value, &join(&index.to_string()), lines);
            }
        }
        value => {
            lines.insert(format!("{path} = {value}"));
        }
    }
}

/// Names of listeners, tables, virtual hosts and routes, and what statistics are counted under.
fn is_only_a_name(path: &str, field: &str) -> bool {
    let parent = path.rsplit('/').nth(1).unwrap_or_default();
    let named = ["listeners", "routes", "virtualHosts", "filterChains"];
    match field {
        "name" => named.contains(&parent),
        "routeConfigName" | "statPrefix" => true,
        _ => false,
    }
}
