//! What `tenon check` does with whatever is in a folder: each resource is read or refused, all get a status, and what the
//! filters are told is what they take.

use std::sync::Arc;

use serde_json::Value;
use tenon_contract::transform::{RouteTransformations, TransformConfig};
use tenon_contract::{CALL_KEY, CallConfig, FunctionConfig, NAMESPACE};
use tenon_core::invoke::Upstream;
use tenon_core::transform::{RouteRules, Transformer};
use tenon_model::{Parsed, parse};
use tenon_translate::{
    Change, Module, State, Translator, TranslatorOptions, Update, to_json, to_proto_json,
};

/// Where a file may be: in no folder of Gloo's, or in one that says what it is.
const PATHS: [&str; 5] = [
    "input.yaml",
    "upstreams/default/u.yaml",
    "virtualservices/default/v.yaml",
    "gateways/gloo-system/g.yaml",
    "secrets/default/s.yaml",
];

/// A file of resources.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let all = PATHS.map(|path| changes(path, text));
    // One that says itself what it is, or one of the others: what these hold is seldom more than one kind.
    let chosen = all.into_iter().max_by_key(Vec::len).unwrap_or_default();
    for module in [
        Module::So("/libtenon.so".into()),
        Module::Wasm("/tenon.wasm".into()),
    ] {
        translate(&module, &chosen);
    }
}

fn changes(path: &str, text: &str) -> Vec<Change> {
    let parsed = parse(path, text).into_iter();
    let changes = parsed.filter_map(|parsed| match parsed {
        Parsed::Object(object) => {
            assert!(!object.key.name.is_empty());
            Some(Change::Upsert(Arc::new(*object)))
        }
        Parsed::Rejected {
            key,
            problems,
            rest,
        } => {
            assert!(!problems.is_empty(), "{key:?} is rejected without a reason");
            Some(Change::rejected(key, problems, rest.map(Arc::from)))
        }
        Parsed::Unreadable(problem) => {
            assert!(!problem.text.is_empty());
            None
        }
        Parsed::Ignored { .. } => None,
    });
    changes.collect()
}

fn translate(module: &Module, changes: &[Change]) {
    let options = TranslatorOptions {
        module: module.clone(),
        default_bind: ([127, 0, 0, 1], 8080).into(),
        parts_above: TranslatorOptions::PARTS_ABOVE,
        more_parts_above: TranslatorOptions::MORE_PARTS_ABOVE,
        trees_above: TranslatorOptions::TREES_ABOVE,
        header_secrets_of_upstreams_namespace: false,
    };
    let mut translator = Translator::new(options.clone());
    let update = translator.apply(changes.to_vec());
    for change in changes {
        let key = match change {
            Change::Upsert(object) => &object.key,
            Change::Reject(key, _) => key,
            Change::RejectInPart(rest, _) => &rest.key,
            _ => continue,
        };
        let status = update.statuses.get(key).and_then(Option::as_ref);
        let status = status.unwrap_or_else(|| panic!("no status of {key:?}"));
        if status.state == State::Rejected {
            assert!(
                !status.messages.is_empty(),
                "{key:?} is rejected in silence"
            );
        }
    }
    let again = Translator::new(options).apply(changes.to_vec());
    assert_eq!(again.statuses, update.statuses);
    let resources: Vec<_> = update.resources.iter().collect();
    let same = again.resources.iter().eq(resources.iter().copied());
    assert!(same, "other resources the second time");
    for (id, resource) in resources {
        let resource = resource.as_ref().expect("nothing was there to go");
        assert!(to_proto_json(id, resource).is_some(), "{id:?}");
    }
    filters_take(&shown(update));
}

fn shown(update: Update) -> Value {
    let present = update.resources.into_iter();
    let resources = present.filter_map(|(id, resource)| Some((id, resource?)));
    let present = update.credentials.into_iter();
    let credentials = present.filter_map(|(name, source)| Some((name, source?)));
    to_json(&resources.collect(), &credentials.collect())
}

/// Everything in there that is for a filter, read and compiled as the filter does it.
fn filters_take(value: &Value) {
    match value {
        Value::Array(all) => all.iter().for_each(filters_take),
        Value::Object(fields) => {
            if let Some(Value::Object(told)) = fields
                .get("filterMetadata")
                .and_then(|all| all.get(NAMESPACE))
            {
                told.iter().for_each(|(key, text)| of_route(key, text));
            }
            let of_module = (fields.get("filterName"), fields.get("filterConfig"));
            let of_wasm = (fields.get("rootId"), fields.get("configuration"));
            for (name, config) in [of_module, of_wasm] {
                if let (Some(Value::String(name)), Some(config)) = (name, config) {
                    of_filter(name, config);
                }
            }
            fields.values().for_each(filters_take);
        }
        _ => {}
    }
}

fn of_route(key: &str, text: &Value) {
    let text = text.as_str().unwrap_or_default().as_bytes();
    if key == CALL_KEY || key.starts_with("call.") {
        let read = CallConfig::from_json(text).expect("a call");
        assert_eq!(read.unknown, [""; 0]);
    } else if key == tenon_contract::transform::TRANSFORM_KEY {
        let read = RouteTransformations::from_json(text).expect("transformations");
        assert_eq!(read.unknown, [""; 0]);
        RouteRules::new(&read.value).expect("transformations that compile");
    }
}

fn of_filter(name: &str, config: &Value) {
    let Some(text) = config.get("value").and_then(Value::as_str) else {
        return;
    };
    match name {
        tenon_contract::FUNCTION_FILTER => {
            let read =
                FunctionConfig::from_json(text.as_bytes()).expect("a filter's configuration");
            assert_eq!(read.unknown, [""; 0]);
            if let FunctionConfig::Upstream(config) = read.value {
                Upstream::new(config).expect("an upstream that compiles");
            }
        }
        tenon_contract::transform::TRANSFORM_FILTER => {
            let read =
                TransformConfig::from_json(text.as_bytes()).expect("a filter's configuration");
            assert_eq!(read.unknown, [""; 0]);
            Transformer::new(&read.value).expect("a transformer");
        }
        _ => {}
    }
}
