//! JSON Schemas of whole resources, for editors and for checks without a control plane.
//!
//! Draft 7: the newest that editors' YAML servers know as a whole.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tenon_model::Kind;
use tenon_model::schema::{Api, Choice, Field, Number, Object, Schema, Standing};

use crate::{describe, types};

type Names = BTreeMap<&'static str, String>;

/// The schema of a kind, as JSON.
pub(crate) fn document(api: &Api, spec: &Schema) -> String {
    let names = types::names(types::met_in(spec));
    let definitions: Map<_, _> = types::met_in(spec)
        .into_iter()
        .map(|it| {
            let mut value = own(it.schema, &names);
            value["description"] = describe("", it.schema).into();
            (names[it.path].clone(), value)
        })
        .collect();
    let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let mut properties = json!({
        "apiVersion": versions(api),
        "kind": { "const": api.kind.to_string() },
        "metadata": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": { "type": "string" },
                "namespace": { "type": "string" },
                "labels": texts,
                "annotations": texts,
            },
        },
        "status": { "type": "object" },
        "namespacedStatuses": { "type": "object" },
    });
    let mut document = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": api.kind.to_string(),
        "description": describe("", spec),
        "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "definitions": definitions,
    });
    match own(spec, &names) {
        // The fields of a Secret stand beside those that all resources have.
        Value::Object(own) if api.kind == Kind::Secret => {
            for (name, field) in own["properties"].as_object().into_iter().flatten() {
                properties[name] = field.clone();
            }
            document["allOf"] = own["allOf"].clone();
        }
        _ => {
            properties["spec"] = reference(spec, &names);
            document["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
        }
    }
    document["properties"] = properties;
    document["additionalProperties"] = false.into();
    format!("{document:#}\n")
}

fn versions(api: &Api) -> Value {
    let versions = api.versions.iter();
    let versions: Vec<_> = versions
        .map(|version| format!("{}/{version}", api.group))
        .collect();
    match &versions[..] {
        [one] => json!({ "const": one }),
        several => json!({ "enum": several }),
    }
}

/// What stands where a type is used.
fn reference(schema: &Schema, names: &Names) -> Value {
    match types::path(schema) {
        Some(path) => json!({ "$ref": format!("#/definitions/{}", names[path]) }),
        None => own(schema, names),
    }
}

fn own(schema: &Schema, names: &Names) -> Value {
    match schema {
        // What stands within it is always referred to.
        Schema::Any | Schema::Within(_) => json!({}),
        Schema::OpenObject => json!({ "type": "object" }),
        Schema::Flag => json!({ "type": "boolean" }),
        Schema::Text => json!({ "type": "string" }),
        Schema::Duration => duration(),
        Schema::Number(it) => number(it),
        Schema::Choice(choice) => json!({ "enum": values(choice) }),
        Schema::List { of, some } => {
            let mut list = json!({ "type": "array", "items": reference(of, names) });
            if *some {
                list["minItems"] = 1.into();
            }
            list
        }
        Schema::Map(of) => {
            json!({ "type": "object", "additionalProperties": reference(of, names) })
        }
        Schema::Object(it) => object(it, names),
    }
}

fn object(it: &Object, names: &Names) -> Value {
    let properties: Map<_, _> = it
        .fields
        .iter()
        .map(|field| {
            let mut value = reference(&field.schema, names);
            let text = description(field);
            if !text.is_empty() {
                value["description"] = text.into();
            }
            (field.name.to_owned(), value)
        })
        .collect();
    let mut value = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": it.open,
    });
    constrain(it, &mut value);
    value
}

/// What a field says, with what becomes of it.
pub(crate) fn description(field: &Field) -> String {
    match field.standing {
        Standing::Read => describe(&field.doc, &field.schema),
        Standing::Ignored => "Let pass: it means nothing here.".to_owned(),
        Standing::WithoutEffect => "Has no effect, of which there is a warning.".to_owned(),
        Standing::Later => "Not supported yet.".to_owned(),
        Standing::Refused => format!("Not supported: {}.", field.doc),
    }
}

/// As `1m30s` or `1.5s`.
pub(crate) fn duration() -> Value {
    json!({ "type": "string", "pattern": "^([0-9.]+(h|m|s|ms|us|µs|ns))+$" })
}

pub(crate) fn number(number: &Number) -> Value {
    let mut value = match number.text {
        true => json!({ "type": ["integer", "string"], "pattern": "^-?[0-9]+$" }),
        false => json!({ "type": if number.whole { "integer" } else { "number" } }),
    };
    let (least, most) = number.bounds.unzip();
    for (name, bound) in [("minimum", least), ("maximum", most)] {
        let Some(bound) = bound else { continue };
        let whole = bound as i64;
        value[name] = match whole as f64 == bound {
            true => whole.into(),
            false => bound.into(),
        };
    }
    value
}

/// The names, and their places where protobuf's JSON takes both.
pub(crate) fn values(choice: &Choice) -> Vec<Value> {
    let names = choice.names.iter().map(|(name, _)| Value::from(*name));
    let places = match choice.places {
        true => choice.names.len(),
        false => 0,
    };
    names.chain((0..places).map(Value::from)).collect()
}

/// Which fields have to be there, and which exclude each other.
pub(crate) fn constrain(it: &Object, value: &mut Value) {
    let required: Vec<_> = it
        .fields
        .iter()
        .filter(|it| it.required)
        .map(|it| it.name)
        .collect();
    if !required.is_empty() {
        value["required"] = required.into();
    }
    let there = |names: &[&str]| -> Vec<Value> {
        names
            .iter()
            .map(|name| json!({ "required": [name] }))
            .collect()
    };
    let exclusive = it.exclusive.iter().map(|names| {
        let mut cases = there(names);
        cases.push(json!({ "not": { "anyOf": there(names) } }));
        json!({ "oneOf": cases })
    });
    let needed = it
        .needed
        .iter()
        .map(|names| json!({ "oneOf": there(names) }));
    let all: Vec<_> = exclusive.chain(needed).collect();
    if !all.is_empty() {
        value["allOf"] = all.into();
    }
}
