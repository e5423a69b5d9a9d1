//! The wire contract: what can be read is read the same when it is written again, and no error quotes a secret.

use tenon_contract::{CallConfig, FunctionConfig, SecretBlob};
use tenon_core::invoke::Upstream;

use crate::input::Input;

pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    match input.choice(3) {
        0 => call(input.0),
        1 => config(input.0),
        _ => secret(input.0),
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
