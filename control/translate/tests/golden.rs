//! Golden cases: `tests/golden/translate/<area>/<case>/{input.yaml,xds.yaml,status.yaml}`.
//!
//! `UPDATE_GOLDEN=1` writes what comes out; the difference is to be reviewed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tenon_model::{ObjectKey, Parsed, ProblemLevel};
use tenon_translate::{
    Change, Condition, Conditions, GenericSecret, Module, Resource, ResourceId, Status,
    StatusMessage, Translator, TranslatorOptions, Update, to_json, to_proto_json,
};

/// Everything that was told, put together.
#[derive(Default, Clone)]
struct Known {
    resources: BTreeMap<ResourceId, Arc<Resource>>,
    credentials: BTreeMap<String, GenericSecret>,
    statuses: BTreeMap<ObjectKey, Arc<Status>>,
}

impl Known {
    fn take_in(&mut self, update: Update) {
        merge(&mut self.resources, update.resources);
        merge(&mut self.credentials, update.credentials);
        merge(&mut self.statuses, update.statuses);
    }

    fn same(&self, other: &Self) -> bool {
        let versions = |known: &Self| {
            let resources = known.resources.iter();
            let all: BTreeMap<_, _> = resources
                .map(|(id, it)| (id.clone(), (it.version.clone(), it.value.clone())))
                .collect();
            all
        };
        versions(self) == versions(other)
            && self.credentials == other.credentials
            && self.statuses == other.statuses
    }
}

fn merge<K: Ord, V>(all: &mut BTreeMap<K, V>, changes: BTreeMap<K, Option<V>>) {
    for (key, change) in changes {
        match change {
            Some(value) => all.insert(key, value),
            None => all.remove(&key),
        };
    }
}

/// The cases, by area and name.
fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/translate");
    let folders = |path: &Path| {
        let entries =
            fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut paths: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        paths.sort();
        paths
    };
    folders(&root)
        .iter()
        .flat_map(|area| folders(area))
        .collect()
}

fn changes(case: &Path) -> Vec<Change> {
    let text = fs::read_to_string(case.join("input.yaml")).unwrap();
    let parsed = tenon_model::parse("input.yaml", &text).into_iter();
    let changes = parsed.filter_map(|parsed| match parsed {
        Parsed::Object(object) => Some(Change::Upsert(Arc::new(*object))),
        Parsed::Rejected {
            key,
            problems,
            rest,
        } => Some(Change::rejected(key, problems, rest.map(Arc::from))),
        Parsed::Ignored { .. } => None,
        Parsed::Unreadable(problem) => panic!("{}: {problem:?}", case.display()),
    });
    changes.collect()
}

fn translator(case: &Path) -> Translator {
    let wasm = case
        .file_name()
        .is_some_and(|name| name.to_string_lossy().ends_with("wasm"));
    Translator::new(TranslatorOptions {
        module: match wasm {
            true => Module::Wasm("/usr/lib/tenon/tenon.wasm".into()),
            false => Module::So("/usr/lib/tenon/libtenon.so".into()),
        },
        default_bind: "127.0.0.1:8080".parse().unwrap(),
        parts_above: TranslatorOptions::PARTS_ABOVE,
        more_parts_above: TranslatorOptions::MORE_PARTS_ABOVE,
        trees_above: TranslatorOptions::TREES_ABOVE,
        header_secrets_of_upstreams_namespace: false,
    })
}

fn translate(case: &Path, batches: Vec<Vec<Change>>) -> Known {
    let mut translator = translator(case);
    let mut known = Known::default();
    for batch in batches {
        known.take_in(translator.apply(batch));
    }
    known
}

fn statuses(known: &Known) -> Value {
    let messages = |messages: &[StatusMessage]| -> Value {
        let messages = messages.iter().map(|message| {
            let level = match message.level {
                ProblemLevel::Error => "error",
                ProblemLevel::Warning => "warning",
            };
            json!({"level": level, "field": message.field, "text": message.text})
        });
        messages.collect()
    };
    let statuses = known.statuses.iter().map(|(key, status)| {
        let proxies = status
            .proxies
            .iter()
            .map(|(proxy, (state, _))| (proxy.clone(), Value::from(format!("{state:?}"))));
        let mut shown = json!({
            "kind": key.kind.to_string(),
            "namespace": &*key.namespace,
            "name": &*key.name,
            "state": format!("{:?}", status.state),
            "messages": messages(&status.messages),
            "proxies": Value::Object(proxies.collect()),
        });
        if let Some(conditions) = &status.conditions {
            shown["conditions"] = shown_conditions(conditions);
        }
        shown
    });
    statuses.collect()
}

/// Each in a line: `Accepted=True Accepted`, with its words and the generation that it is of.
fn shown_conditions(conditions: &Conditions) -> Value {
    let lines = |conditions: &[Condition]| -> Value {
        let lines = conditions.iter().map(|it| {
            let mut line = format!("{}={} {}", it.kind, it.status(), it.reason);
            if !it.message.is_empty() {
                line += &format!(": {}", it.message);
            }
            if let Some(generation) = it.observed_generation {
                line += &format!(" (generation {generation})");
            }
            line
        });
        lines.collect()
    };
    let mut shown = json!({});
    if !conditions.own.is_empty() {
        shown["own"] = lines(&conditions.own);
    }
    for it in &conditions.parents {
        let parent = &it.parent;
        let namespace = parent.namespace.iter().map(|it| format!("{it}/"));
        let mut name: String = namespace.collect();
        name += &parent.name;
        name.extend(parent.section_name.iter().map(|it| format!("#{it}")));
        name.extend(parent.port.iter().map(|it| format!(":{it}")));
        shown["parents"][name] = lines(&it.conditions);
    }
    if let Some(sets) = conditions.attached_sets.filter(|sets| *sets > 0) {
        shown["attachedListenerSets"] = sets.into();
    }
    for it in &conditions.listeners {
        let kinds: Vec<_> = it.supported_kinds.iter().map(|it| &*it.kind).collect();
        shown["listeners"][&it.name] = json!({
            "attachedRoutes": it.attached_routes,
            "supportedKinds": kinds,
            "conditions": lines(&it.conditions),
        });
    }
    shown
}

/// Compares with what is written down, or writes it down.
fn check(file: &Path, found: &Value) -> Result<(), String> {
    let found = serde_saphyr::to_string(found).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(file, found).unwrap();
        return Ok(());
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    let mut lines = expected.lines().zip(found.lines()).enumerate();
    if expected == found {
        return Ok(());
    }
    let difference = lines.find(|(_, (expected, found))| expected != found);
    Err(format!("{}: {difference:?}", file.display()))
}

#[test]
fn cases_come_out_as_written_down() {
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() >= 25, "only {} cases", cases.len());
    for case in cases {
        let known = translate(&case, vec![changes(&case)]);
        for (id, resource) in &known.resources {
            assert!(
                to_proto_json(id, resource).is_some(),
                "{}: {id:?}",
                case.display()
            );
        }
        let xds = to_json(&known.resources, &known.credentials);
        wrong.extend(check(&case.join("xds.yaml"), &xds).err());
        wrong.extend(check(&case.join("status.yaml"), &statuses(&known)).err());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_order_of_changes_does_not_matter() {
    for case in cases() {
        let all = changes(&case);
        let at_once = translate(&case, vec![all.clone()]);
        let mut order: Vec<usize> = (0..all.len()).collect();
        // A few orders, the same in each run: forwards, backwards, and some from a small generator.
        let mut seed: usize = 12_345;
        for round in 0..8 {
            match round {
                0 => {}
                1 => order.reverse(),
                _ => {
                    for index in (1..order.len()).rev() {
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        order.swap(index, (seed >> 33) % (index + 1));
                    }
                }
            }
            let one_by_one: Vec<_> = order
                .iter()
                .map(|index| vec![all[*index].clone()])
                .collect();
            let known = translate(&case, one_by_one);
            assert!(
                at_once.same(&known),
                "{} in the order {order:?}",
                case.display()
            );
        }
    }
}

#[test]
fn the_same_again_tells_nothing() {
    for case in cases() {
        let mut translator = translator(&case);
        translator.apply(changes(&case));
        let again = translator.apply(changes(&case));
        assert!(
            again.resources.is_empty() && again.credentials.is_empty() && again.statuses.is_empty(),
            "{}",
            case.display()
        );
    }
}

#[test]
fn without_its_objects_nothing_but_the_default_gateway_is_left() {
    for case in cases() {
        let mut translator = translator(&case);
        let mut known = Known::default();
        known.take_in(translator.apply(Vec::new()));
        let empty = known.clone();
        let all = changes(&case);
        known.take_in(translator.apply(all.clone()));
        let deletions = all.into_iter().map(|change| match change {
            Change::Upsert(object) => Change::Delete(object.key.clone()),
            Change::Reject(key, _) => Change::Delete(key),
            Change::RejectInPart(rest, _) => Change::Delete(rest.key.clone()),
            other => other,
        });
        known.take_in(translator.apply(deletions.collect()));
        assert!(known.same(&empty), "{}", case.display());
    }
}
