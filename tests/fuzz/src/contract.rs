//! The wire contract: what can be read is read the same when it is written again, and no error quotes a secret.

use tenon_contract::transform::{RouteTransformations, TransformConfig};
use tenon_contract::{CallConfig, FunctionConfig, SecretBlob};
use tenon_core::invoke::Upstream;
use tenon_core::transform::{RouteRules, Transformer};

use crate::input::Input;

pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    match input.choice(5) {
        0 => call(input.0),
        1 => config(input.0),
        2 => secret(input.0),
        3 => transform(input.0),
        _ => transformations(input.0),
    }
}

fn call(text: &[u8]) {
    let Ok(read) = CallConfig::from_json(text) else {
        return;
    };
    let again = CallConfig::from_json(read.value.to_json().as_bytes()).expect("its own text");
    assert_eq!(again.value, read.value);
    assert_eq!(again.unknown, [""; 0]);
}

fn config(text: &[u8]) {
    let Ok(read) = FunctionConfig::from_json(text) else {
        return;
    };
    let again = FunctionConfig::from_json(read.value.to_json().as_bytes()).expect("its own text");
    assert_eq!(again.value, read.value);
    assert_eq!(again.unknown, [""; 0]);
    if let FunctionConfig::Upstream(upstream) = read.value {
        let name = upstream.upstream.clone();
        if let Ok(compiled) = Upstream::new(upstream) {
            assert_eq!(compiled.name(), name);
        }
    }
}

fn transform(text: &[u8]) {
    let Ok(read) = TransformConfig::from_json(text) else {
        return;
    };
    let again = TransformConfig::from_json(read.value.to_json().as_bytes()).expect("its own text");
    assert_eq!(again.value, read.value);
    assert_eq!(again.unknown, [""; 0]);
    if let Err(faults) = Transformer::new(&read.value) {
        assert!(faults.iter().all(|fault| !fault.field.is_empty()));
    }
}

fn transformations(text: &[u8]) {
    let Ok(read) = RouteTransformations::from_json(text) else {
        return;
    };
    let again = read.value.to_json();
    let again = RouteTransformations::from_json(again.as_bytes()).expect("its own text");
    assert_eq!(again.value, read.value);
    assert_eq!(again.unknown, [""; 0]);
    if let Err(faults) = RouteRules::new(&read.value) {
        assert!(faults.iter().all(|fault| !fault.field.is_empty()));
    }
}

fn secret(text: &[u8]) {
    match SecretBlob::from_json(text) {
        Ok(read) => {
            let again = SecretBlob::from_json(read.to_json().as_bytes()).expect("its own text");
            assert!(again == read, "another secret than was written");
        }
        Err(error) => {
            // Whatever it says, it says it without a word of the input.
            let plain = error.to_string().replace(|c: char| c.is_ascii_digit(), "");
            assert!(
                ["Syntax", "Data", "Eof", "Io"].iter().any(|kind| {
                    plain == format!("not a valid secret: {kind} error at line  column ")
                }),
                "{plain}"
            );
        }
    }
}
