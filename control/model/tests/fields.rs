//! Every field that Gloo has is read, or refused by its name with what to use instead: none is unknown.

use serde_json::{Map, Value, json};
use tenon_model::{Parsed, Problem, parse};

/// The fields of the messages of Gloo 1.23's protos, by the kind and the place that they stand in.
const FIELDS: &str = include_str!("gloo-fields.txt");

#[test]
fn every_field_of_gloo_s_is_read_or_refused_by_its_name() {
    let mut unknown = Vec::new();
    let mut count = 0;
    for line in FIELDS.lines() {
        let (place, names) = line.split_once(": ").unwrap();
        let (kind, path) = place.split_once(' ').unwrap();
        for name in names.split(' ') {
            count += 1;
            // Problems of other fields, as of those that are left out, do not matter here.
            let said = problems(kind, path, name);
            if said.iter().any(|it| it.text.contains("unknown")) {
                unknown.push(format!("{place}: {name}"));
            }
        }
    }
    assert!(count > 550, "only {count} fields");
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn a_field_that_gloo_has_not_is_unknown_everywhere() {
    for line in FIELDS.lines() {
        let (place, _) = line.split_once(": ").unwrap();
        let (kind, path) = place.split_once(' ').unwrap();
        let said = problems(kind, path, "noSuchField");
        let is_it = |it: &Problem| it.field.ends_with(".noSuchField") && it.text == "unknown field";
        assert!(said.iter().any(is_it), "{place}: {said:?}");
    }
}

/// What is said of a resource with one field at that place, which is nothing.
fn problems(kind: &str, path: &str, name: &str) -> Vec<Problem> {
    let mut spec = json!({ name: null });
    for segment in path.rsplit('.').filter(|segment| !segment.is_empty()) {
        spec = match segment.strip_suffix("[]") {
            Some(list) => json!({ list: [spec] }),
            None => json!({ segment: spec }),
        };
    }
    let group = match kind {
        "Upstream" | "UpstreamGroup" | "Settings" => "gloo.solo.io/v1",
        _ => "gateway.solo.io/v1",
    };
    let object: Map<String, Value> = [
        ("apiVersion", json!(group)),
        ("kind", json!(kind)),
        (
            "metadata",
            json!({"name": "default", "namespace": "gloo-system"}),
        ),
        ("spec", spec),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect();
    let parsed = parse("a.yaml", &Value::Object(object).to_string());
    match parsed.into_iter().next() {
        Some(Parsed::Rejected { problems, .. }) => problems,
        Some(Parsed::Object(object)) => object.warnings,
        other => panic!("{kind} {path} {name}: {other:?}"),
    }
}
