use serde::Deserialize;
use serde_json::Value;

use super::{Reader, Wrong};
use crate::transform::{RouteTransformations, TransformConfig};
use crate::{CallConfig, FunctionConfig, SecretBlob};

fn reason<T>(read: Result<T, crate::Error>) -> String {
    match read {
        Ok(_) => "read".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn errors_say_where_they_are() {
    for (text, expected) in [
        (
            "{\"version\":1,\n\"function\":\"f\",\"aws\":{\"name\":1}}",
            "aws.name: a number where a string is expected at line 2 column 29",
        ),
        (
            r#"{"version":1,"function":"f","aws":{}}"#,
            "aws: missing field `name` at line 1 column 36",
        ),
        (
            r#"{"version":1,"function":"f"}"#,
            "missing one of `aws` `awsUrl` `gcp` `azure` at line 1 column 28",
        ),
        (
            r#"{"version":1,"function":"f","function":"g","aws":{"name":"n"}}"#,
            "duplicate field `function` at line 1 column 38",
        ),
        (
            r#"{"version":1,"function":"f","aws":{"name":"n","name":"n"}}"#,
            "aws: duplicate field `name` at line 1 column 52",
        ),
        (
            r#"{"version":1,"function":"f","aws":{"name":"n"},"aws":{"name":"n"}}"#,
            "duplicate field `aws` at line 1 column 52",
        ),
        (
            r#"{"version":1,"function":"f","aws":{"name":"n","invocation":"later"}}"#,
            "aws.invocation: unknown name, expected one of `requestResponse` `event` `dryRun` \
             `responseStream` at line 1 column 66",
        ),
        (
            r#"{"version":1,"function":"f","aws":{"name":"n","functionErrorStatus":65536}}"#,
            "aws.functionErrorStatus: expected a whole number of 16 bits at most at line 1 column 73",
        ),
        (
            r#"{"version":1,"function":"f","aws":{"name":"n","textContentTypes":["a",null]}}"#,
            "aws.textContentTypes[1]: null where a string is expected at line 1 column 70",
        ),
        (
            r#"{"version":1,"function":null,"aws":{"name":"n"}}"#,
            "function: null where a string is expected at line 1 column 24",
        ),
        (
            r#"{"version":1,"function":"\ud800","aws":{"name":"n"}}"#,
            "function: a surrogate without the other at line 1 column 24",
        ),
        (
            r#"{"version":-1}"#,
            "version: expected a whole number of 64 bits at most at line 1 column 13",
        ),
        (
            r#"{"function":"f"}"#,
            "missing field `version` at line 1 column 16",
        ),
        (
            "[]",
            "a list where an object is expected at line 1 column 0",
        ),
        (
            "{\"version\":1,\n",
            "EOF while parsing an object at line 2 column 0",
        ),
        ("{} {}", "trailing characters at line 1 column 4"),
    ] {
        let found = reason(CallConfig::from_json(text.as_bytes()));
        assert_eq!(found, format!("not a valid call: {expected}"), "{text}");
    }
    let found = reason(CallConfig::from_json(b"{\"version\":1,\n\"a\":\"\xff\"}"));
    assert_eq!(
        found,
        "not a valid call: invalid unicode code point at line 2 column 5"
    );
}

#[test]
fn unknown_fields_are_told_by_their_paths_wherever_they_are() {
    let text = br#"{"version":1,"z":[1],"y":{ },"requestTransforms":[{},{"matcher":{"headers":[{"name":"a","b":1}]},
        "later":"x"}],"responseTransforms":[{"responseTransformation":{"transformationTemplate":{"extractors":
        {"e":{"deep":{"er":1}}}}}}]}"#;
    let read = TransformConfig::from_json(text).unwrap();
    assert_eq!(
        read.unknown,
        [
            "requestTransforms[1].later",
            "requestTransforms[1].matcher.headers[0].b",
            "responseTransforms[0].responseTransformation.transformationTemplate.extractors.e.deep",
            "z",
        ]
    );
}

#[test]
fn the_first_of_several_providers_counts() {
    let text = br#"{"version":1,"function":"f","gcp":{"pathPrefix":"/a"},"aws":{"name":"n"}}"#;
    let read = CallConfig::from_json(text).unwrap();
    assert_eq!(read.unknown, ["aws"]);
    assert!(matches!(read.value.target, crate::CallTarget::Gcp(_)));
}

#[test]
fn a_secret_is_of_one_kind() {
    for text in [
        r#"{"unavailable":"a","gcp":{"idToken":"t"}}"#,
        r#"{"ibm":{}}"#,
        "{}",
        r#""unavailable""#,
        r#"{"unavailable":{}}"#,
    ] {
        let error = reason(SecretBlob::from_json(text.as_bytes()));
        assert!(
            error.starts_with("not a valid secret: Data error at line 1"),
            "{error}"
        );
    }
}

#[test]
fn strings_are_unescaped() {
    let whole = |text: &str| Reader::new(text.as_bytes())?.whole::<String>();
    for text in [
        r#""""#,
        r#""plain ü 𝄞""#,
        r#""\"\\\/\b\f\n\r\t""#,
        r#""\u00e4\uD834\udd1e\u0000 \\u0041""#,
        r#"  "\\"  "#,
    ] {
        assert_eq!(
            whole(text).unwrap(),
            serde_json::from_str::<String>(text).unwrap(),
            "{text}"
        );
    }
    for text in [
        r#""\ud834""#,
        r#""\ud834x""#,
        r#""\udd1e\ud834""#,
        r#""\ud834\u0041""#,
    ] {
        assert!(
            whole(text).is_err() && serde_json::from_str::<String>(text).is_err(),
            "{text}"
        );
    }
}

#[test]
fn numbers_are_whole() {
    let whole = |text: &str| Reader::new(text.as_bytes())?.whole::<u64>();
    assert_eq!(whole("18446744073709551615"), Ok(u64::MAX));
    for text in [
        "18446744073709551616",
        "-1",
        "1.0",
        "1e3",
        "\"1\"",
        "null",
        "{}",
        "[1]",
    ] {
        assert!(
            whole(text).is_err() && serde_json::from_str::<u64>(text).is_err(),
            "{text}"
        );
    }
}

/// As serde reads them, whatever order and spacing they have.
#[test]
fn transformations_are_read_as_serde_reads_them() {
    let texts = [
        r#"{"version":1,"early":{"requestTransforms":[{"matcher":{"prefix":"/a","caseSensitive":false},
            "clearRouteCache":true,"requestTransformation":{"logRequestResponseInfo":true,
            "headerBodyTransform":{}}}]},"clusters":{"a":{"regular":null},"b":{"postRouting":{}}}}"#,
        r#" { "clusters" : { "a" : { } , "a" : { "regular" : { } } } , "version" : 1 } "#,
        r#"{"version":1,"regular":{"responseTransforms":[{"matchers":[{"name":"x"}],"responseTransformation":
            {"transformationTemplate":{"extractors":{"a":{"header":null,"mode":"REPLACE_ALL","subgroup":3}},
            "body":{"text":"\u00e4"},"dynamicMetadataValues":[{"key":"k"}],"mergeJsonKeys":{"jsonKeys":{"k":
            {"tmpl":{"text":"1"}}}},"spanTransformer":{"name":{}}}}}]}}"#,
    ];
    for text in texts {
        let serde =
            RouteTransformations::deserialize(&mut serde_json::Deserializer::from_str(text));
        let own = RouteTransformations::from_json(text.as_bytes()).unwrap();
        assert_eq!(own.value, serde.unwrap(), "{text}");
    }
    for text in [
        // Which serde takes for a struct, too.
        r#"{"version":1,"early":[]}"#,
        r#"{"version":1,"early":{"requestTransforms":{}}}"#,
        r#"{"version":1,"clusters":[]}"#,
        r#"{"version":1,"early":{},"early":{}}"#,
    ] {
        assert!(
            RouteTransformations::from_json(text.as_bytes()).is_err(),
            "{text}"
        );
    }
}

#[test]
fn a_config_source_is_any_object() {
    let text = r#"{"version":1,"upstream":{"upstream":"u","gcp":{"host":"h"},"secret":{"name":"s",
        "configSource":{"a":[1,{"b":null}],"c":-1.5}},"maxRequestBytes":1}}"#;
    let read = FunctionConfig::from_json(text.as_bytes()).unwrap();
    assert_eq!(read.unknown, [""; 0]);
    let given: Value = serde_json::from_str(text).unwrap();
    let written: Value = serde_json::from_str(&read.value.to_json()).unwrap();
    assert_eq!(written["upstream"]["secret"], given["upstream"]["secret"]);
}

#[test]
fn depth_is_an_error_and_no_harm() {
    let deep = |inside: &str| format!(r#"{{"version":1,"function":"f","gcp":{{}},"x":{inside}}}"#);
    let lists = deep(&format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20)));
    assert_eq!(
        CallConfig::from_json(lists.as_bytes()).unwrap().unknown,
        ["x"]
    );
    let cut = deep(&"[".repeat(1 << 20));
    assert!(CallConfig::from_json(cut.as_bytes()).is_err());
}

#[test]
fn a_path_is_no_part_of_what_is_said_of_a_secret() {
    let wrong: Wrong = Reader::new(br#"{"aws":{"accessKeyId":["AKIDEXAMPLE"]}}"#)
        .and_then(|mut reader| reader.whole::<SecretBlob>())
        .unwrap_err();
    assert_eq!(wrong.redacted(), "Data error at line 1 column 22");
}
