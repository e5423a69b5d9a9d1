//! The CustomResourceDefinitions of `crds/` are as Kubernetes wants them.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use tenon_model::schema::APIS;

use super::{files, yaml};

fn definitions() -> Vec<(PathBuf, Value)> {
    let all = files("crds", ".yaml").into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path, yaml(&text).unwrap())
    });
    all.collect()
}

/// What Kubernetes lets a structural schema say, of what we say at all.
const KEYWORDS: [&str; 14] = [
    "additionalProperties",
    "allOf",
    "description",
    "enum",
    "items",
    "maximum",
    "minItems",
    "minimum",
    "pattern",
    "properties",
    "required",
    "type",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
];

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// What is not as Kubernetes wants it in a schema, with its place.
fn not_structural(schema: &Value, place: &str, wrong: &mut Vec<String>) {
    let Some(fields) = schema.as_object() else {
        wrong.push(format!("{place}: no object"));
        return;
    };
    let mut say = |text: &str| wrong.push(format!("{place}: {text}"));
    let is_true = |name: &str| fields.get(name) == Some(&json!(true));
    for name in fields.keys() {
        if !KEYWORDS.contains(&name.as_str()) {
            say(name);
        }
    }
    let of = fields.get("type").and_then(Value::as_str);
    let (either, open) = (
        is_true("x-kubernetes-int-or-string"),
        is_true("x-kubernetes-preserve-unknown-fields"),
    );
    match of {
        None if either || open => {}
        Some(of) if TYPES.contains(&of) && !either => {}
        other => say(&format!("type {other:?}")),
    }
    if fields.contains_key("properties") && fields.contains_key("additionalProperties") {
        say("properties and additionalProperties");
    }
    for (name, belongs_to) in [
        ("items", "array"),
        ("properties", "object"),
        ("additionalProperties", "object"),
    ] {
        if fields.contains_key(name) && of != Some(belongs_to) {
            say(&format!("{name} of {of:?}"));
        }
    }
    if of == Some("array") && !fields.contains_key("items") {
        say("no items");
    }
    let nothing = Map::new();
    let properties = fields.get("properties").and_then(Value::as_object);
    let properties = properties.unwrap_or(&nothing);
    for text in wrong_conditions(fields, properties) {
        say(&text);
    }
    for (name, schema) in properties {
        not_structural(schema, &format!("{place}.{name}"), wrong);
    }
    for name in ["items", "additionalProperties"] {
        if let Some(schema) = fields.get(name) {
            not_structural(schema, &format!("{place}[{name}]"), wrong);
        }
    }
}

/// Below `allOf` and the like, nothing may be said of a field that is not said outside, too.
fn wrong_conditions(fields: &Map<String, Value>, properties: &Map<String, Value>) -> Vec<String> {
    let mut wrong = Vec::new();
    let of = |name: &str| fields.get(name).cloned().unwrap_or_else(|| json!([]));
    let mut conditions = vec![of("allOf"), json!({ "required": of("required") })];
    while let Some(condition) = conditions.pop() {
        let condition = match condition {
            Value::Array(all) => {
                conditions.extend(all);
                continue;
            }
            Value::Object(condition) => condition,
            other => panic!("{other}"),
        };
        for (keyword, value) in condition {
            match keyword.as_str() {
                "allOf" | "anyOf" | "oneOf" | "not" => conditions.push(value),
                "required" => {
                    let names = value.as_array().unwrap().iter();
                    let names = names.map(|name| name.as_str().unwrap());
                    let unknown = names.filter(|name| !properties.contains_key(*name));
                    wrong.extend(unknown.map(|name| format!("{name} is required, but unknown")));
                }
                other => wrong.push(format!("{other} in a condition")),
            }
        }
    }
    wrong
}

#[test]
fn definitions_for_kubernetes_have_structural_schemas() {
    for (path, definition) in definitions() {
        let version = &definition["spec"]["versions"][0];
        let schema = &version["schema"]["openAPIV3Schema"];
        let mut wrong = Vec::new();
        not_structural(schema, "", &mut wrong);
        assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
        assert_eq!(schema["properties"]["metadata"], json!({"type": "object"}));
        assert_eq!(version["subresources"], json!({"status": {}}));
        // `kubectl apply` keeps a copy in an annotation, which may have 256 KiB.
        let size = definition.to_string().len();
        assert!(size < 256 * 1024, "{}: {size} bytes", path.display());
    }
}

#[test]
fn what_is_not_structural_is_found() {
    for (schema, expected) in [
        (json!({"$ref": "#/a", "type": "object"}), ": $ref"),
        (json!({"description": "a"}), ": type None"),
        (json!({"type": "array"}), ": no items"),
        (
            json!({"type": "object", "properties": {"a": {}}}),
            ".a: type None",
        ),
        (
            json!({"type": "object", "properties": {}, "additionalProperties": {"type": "string"}}),
            ": properties and additionalProperties",
        ),
        (
            json!({"type": "object", "allOf": [{"oneOf": [{"required": ["a"]}]}]}),
            ": a is required, but unknown",
        ),
    ] {
        let mut wrong = Vec::new();
        not_structural(&schema, "", &mut wrong);
        assert!(wrong.iter().any(|it| it == expected), "{schema}: {wrong:?}");
    }
}

#[test]
fn every_kind_has_its_definition_under_gloo_s_names() {
    let names: Vec<_> = definitions()
        .into_iter()
        .map(|(path, definition)| {
            let names = &definition["spec"]["names"];
            let text = |name: &str| names[name].as_str().unwrap().to_owned();
            assert_eq!(text("listKind"), format!("{}List", text("kind")));
            let group = definition["spec"]["group"].as_str().unwrap();
            let name = format!("{}.{group}", text("plural"));
            assert_eq!(definition["metadata"]["name"], name.as_str());
            assert!(path.ends_with(format!("{name}.yaml")), "{}", path.display());
            (name, text("kind"))
        })
        .collect();
    let mut expected: Vec<_> = APIS
        .iter()
        .filter(|api| api.has_definition())
        .map(|api| {
            (
                format!("{}.{}", api.plural, api.group),
                api.kind.to_string(),
            )
        })
        .collect();
    expected.sort();
    assert_eq!(names, expected);
}
