//! What `make generate` writes says of resources what the code that reads them says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};
use tenon_model::schema::APIS;
use tenon_model::{Parsed, parse};

#[path = "generated/definitions.rs"]
mod definitions;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The files below a folder with this end of their names.
fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let mut folders = vec![root().join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn yaml(text: &str) -> Option<Value> {
    let options = serde_saphyr::options! { strict_booleans: false };
    serde_saphyr::from_str_with_options(text, options).ok()
}

/// The resources of golden cases and examples, as they are written.
fn written() -> Vec<(PathBuf, Value)> {
    let golden = files("tests/golden/translate", "input.yaml");
    let examples = files("examples/lambda/resources", ".yaml");
    let mut written = Vec::new();
    for path in golden.into_iter().chain(examples) {
        let text = fs::read_to_string(&path).unwrap();
        let documents = text.split("\n---").filter_map(yaml);
        let known = documents.filter(|it| it.get("apiVersion").is_some());
        written.extend(known.map(|it| (path.clone(), without_nulls(it))));
    }
    written
}

/// A field that is null is one that is left out, for the reader and for Kubernetes, which takes it away.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let there = fields.into_iter().filter(|(_, value)| !value.is_null());
            let there = there.map(|(name, value)| (name, without_nulls(value)));
            Value::Object(there.collect())
        }
        Value::Array(values) => values.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// The schemas of `schemas/`, by kind with its group.
struct Checker {
    schemas: Schemas,
    by_kind: BTreeMap<String, SchemaIndex>,
}

impl Checker {
    fn new() -> Self {
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        let mut by_kind = BTreeMap::new();
        for api in APIS {
            let kind = api.kind.to_string();
            let path = root().join(format!("schemas/{}.json", api.file()));
            let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            let name = format!("file:///{}", api.file());
            compiler.add_resource(&name, schema).unwrap();
            let index = compiler.compile(&name, &mut schemas).unwrap();
            for version in api.versions {
                by_kind.insert(format!("{}/{version} {kind}", api.group), index);
            }
        }
        Self { schemas, by_kind }
    }

    /// What the schema says of a resource; nothing if there is none for it.
    fn check(&self, resource: &Value) -> Option<Result<(), String>> {
        let index = *self.by_kind.get(&kind(resource))?;
        let checked = self.schemas.validate(resource, index);
        Some(checked.map_err(|error| format!("{error:#}")))
    }
}

/// Its group and kind, as `gloo.solo.io/v1 Upstream`.
fn kind(resource: &Value) -> String {
    let text = |name: &str| resource[name].as_str().unwrap_or_default();
    format!("{} {}", text("apiVersion"), text("kind"))
}

/// What is wrong with a resource, by the code that reads it.
fn read(resource: &Value) -> Result<(), String> {
    match parse("it.yaml", &resource.to_string()).remove(0) {
        Parsed::Object(_) => Ok(()),
        Parsed::Rejected { problems, .. } => Err(problems
            .iter()
            .map(|it| format!("{}: {}\n", it.field, it.text))
            .collect()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_read_is_valid_by_its_schema() {
    let checker = Checker::new();
    let mut checked: BTreeMap<String, usize> = BTreeMap::new();
    for (path, resource) in written() {
        let Some(result) = checker.check(&resource) else {
            continue;
        };
        if read(&resource).is_ok() {
            result.unwrap_or_else(|error| panic!("{}: {error}\n{resource:#}", path.display()));
            *checked.entry(kind(&resource)).or_default() += 1;
        }
    }
    for api in APIS {
        let kind = format!("{}/{} {}", api.group, api.versions[0], api.kind);
        let count = checked.get(&kind).copied();
        assert!(count.is_some_and(|count| count > 0), "{kind}: {checked:?}");
    }
}

/// Every value within a value: its place without numbers, as `spec.routes[].name`, and its JSON pointer.
fn places(value: &Value, place: &str, pointer: &str, found: &mut Vec<(String, String)>) {
    found.push((place.to_owned(), pointer.to_owned()));
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                let pointer = format!("{pointer}/{escaped}");
                places(value, &format!("{place}.{name}"), &pointer, found);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                let pointer = format!("{pointer}/{index}");
                places(value, &format!("{place}[]"), &pointer, found);
            }
        }
        _ => {}
    }
}

/// An object with one more field; for other values, one of another type.
fn spoilt(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields = fields.clone();
            fields.insert("tenonHasNoSuchField".to_owned(), json!([[1]]));
            Value::Object(fields)
        }
        Value::Array(_) => json!({"a": 1}),
        _ => json!([[1]]),
    }
}

#[test]
fn unknown_fields_and_wrong_types_are_refused_by_the_schema_where_the_reader_refuses_them() {
    let checker = Checker::new();
    let mut seen = BTreeSet::new();
    let mut differ = Vec::new();
    let mut refused = 0;
    for (_, resource) in written() {
        let valid = checker.check(&resource).is_some_and(|it| it.is_ok());
        if !valid || read(&resource).is_err() {
            continue;
        }
        let mut found = Vec::new();
        let beside = ["apiVersion", "kind", "metadata", "status"];
        for (name, value) in resource.as_object().into_iter().flatten() {
            if !beside.contains(&name.as_str()) {
                let place = format!("{} {name}", kind(&resource));
                places(value, &place, &format!("/{name}"), &mut found);
            }
        }
        for (place, pointer) in found {
            if !seen.insert(place.clone()) {
                continue;
            }
            let mut wrong = resource.clone();
            let value = wrong.pointer_mut(&pointer).unwrap();
            *value = spoilt(value);
            let by_schema = checker.check(&wrong).unwrap();
            refused += usize::from(by_schema.is_err());
            let by_reader = read(&wrong);
            let only_default = |error: &String| error.contains("is not supported");
            let as_reader = match &by_reader {
                Ok(()) => by_schema.is_ok(),
                Err(error) => by_schema.is_err() || only_default(error),
            };
            if !as_reader {
                differ.push(format!("{place}: {by_reader:?} {by_schema:?}"));
            }
        }
    }
    let (bad, all) = (differ.len(), seen.len());
    assert!(differ.is_empty(), "{bad} of {all}: {differ:#?}");
    assert!(refused > 500, "{refused}");
}
