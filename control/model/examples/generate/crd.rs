//! CustomResourceDefinitions, whose schemas Kubernetes wants to be structural.
//!
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use tenon_model::Kind;
use tenon_model::schema::{Api, Object, Schema};

use crate::describe;

const HEADER: &str = "# Made by `make generate` of the types in control/model. Edit those.\n";

/// The definition of a kind, as YAML; nothing of those whose definitions are others'.
pub(crate) fn document(api: &Api, spec: &Schema) -> Option<String> {
    let Api {
        kind,
        group,
        versions,
        plural,
        short,
    } = api;
    if !api.has_definition() {
        return None;
    }
    let singular = plural.strip_suffix('s').unwrap_or(plural);
    let singular = if ["settings", "gatewayparameters"].contains(plural) {
        plural
    } else {
        singular
    };
    let mut own = structural(spec, &mut BTreeSet::new());
    own.insert("description".into(), describe("", spec).into());
    let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.{group}") },
        "spec": {
            "group": group,
            "names": {
                "categories": ["gloo-gateway"],
                "kind": kind.to_string(),
                "listKind": format!("{kind}List"),
                "plural": plural,
                "shortNames": short,
                "singular": singular,
            },
            "scope": "Namespaced",
            "versions": [{
                "name": versions.first(),
                "served": true,
                "storage": true,
                "subresources": { "status": {} },
                "additionalPrinterColumns": columns(*kind),
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "required": ["spec"],
                    "properties": {
                        "apiVersion": { "type": "string" },
                        "kind": { "type": "string" },
                        "metadata": { "type": "object" },
                        "spec": own,
                        "status": open,
                    },
                } },
            }],
        },
    });
    let text = serde_saphyr::to_string(&definition).unwrap_or_default();
    Some(HEADER.to_owned() + &text)
}

/// What `kubectl get` shows. Gloo has no more than the age.
fn columns(kind: Kind) -> Vec<Value> {
    let column =
        |name: &str, path: &str, of: &str| json!({ "name": name, "jsonPath": path, "type": of });
    let own = match kind {
        Kind::VirtualService => Some(column("Domains", ".spec.virtualHost.domains", "string")),
        Kind::Gateway => Some(column("Port", ".spec.bindPort", "integer")),
        _ => None,
    };
    let age = column("Age", ".metadata.creationTimestamp", "date");
    own.into_iter().chain([age]).collect()
}

/// `told` has the types that were described before: their fields are not described again, since `kubectl apply` takes
/// 256 KiB.
fn structural(schema: &Schema, told: &mut BTreeSet<&'static str>) -> Map<String, Value> {
    let value = match schema {
        Schema::Any => json!({ "x-kubernetes-preserve-unknown-fields": true }),
        // Structural schemas cannot refer to themselves.
        Schema::OpenObject | Schema::Within(_) => {
            json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
        }
        Schema::Flag => json!({ "type": "boolean" }),
        Schema::Text => json!({ "type": "string" }),
        Schema::Duration => crate::json_schema::duration(),
        Schema::Number(number) => {
            let mut value = crate::json_schema::number(number);
            if let Some(fields) = value.as_object_mut().filter(|_| number.text) {
                fields.remove("type");
                fields.insert("x-kubernetes-int-or-string".to_owned(), true.into());
            }
            value
        }
        Schema::Choice(choice) if !choice.places => json!({
            "type": "string",
            "enum": crate::json_schema::values(choice),
        }),
        Schema::Choice(choice) => json!({
            "x-kubernetes-int-or-string": true,
            "enum": crate::json_schema::values(choice),
        }),
        Schema::List { of, some } => {
            let mut list = json!({ "type": "array", "items": structural(of, told) });
            if *some {
                list["minItems"] = 1.into();
            }
            list
        }
        Schema::Map(of) => {
            json!({ "type": "object", "additionalProperties": structural(of, told) })
        }
        Schema::Object(it) => object(it, told),
    };
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn object(it: &Object, told: &mut BTreeSet<&'static str>) -> Value {
    let is_new = it.path.is_empty() || told.insert(it.path);
    let mut value = json!({ "type": "object" });
    if it.open {
        value["x-kubernetes-preserve-unknown-fields"] = true.into();
    }
    let properties: Map<_, _> = it
        .fields
        .iter()
        .map(|field| {
            let mut schema = structural(&field.schema, told);
            let text = crate::json_schema::description(field);
            if is_new && !text.is_empty() {
                schema.insert("description".into(), text.into());
            }
            (field.name.to_owned(), schema.into())
        })
        .collect();
    if !properties.is_empty() {
        value["properties"] = properties.into();
    }
    crate::json_schema::constrain(it, &mut value);
    value
}
