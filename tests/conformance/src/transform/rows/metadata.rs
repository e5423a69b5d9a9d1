//! Dynamic metadata, span and log.

use serde_json::json;
use tenon_contract::transform::{
    DynamicMetadataValue, SpanTransformer, TRANSFORM_NAMESPACE, TransformationTemplate,
};

use super::super::{Row, by};
use crate::fake::Request;

const TYPELESS: &str = "filter state, which takes the place of metadata, has texts only";

fn metadata(key: &str, text: &str) -> DynamicMetadataValue {
    DynamicMetadataValue {
        key: key.into(),
        value: text.into(),
        ..DynamicMetadataValue::default()
    }
}

fn typed(key: &str, text: &str) -> DynamicMetadataValue {
    DynamicMetadataValue {
        json_to_proto: true,
        ..metadata(key, text)
    }
}

pub(super) fn all() -> Vec<Row> {
    let row = |name: &'static str, values: Vec<DynamicMetadataValue>| {
        Row::new(name)
            .requests(|it| it.dynamic_metadata_values = values)
            .request(Request::post(
                "/",
                r#"{"a":{"b":[1,"x",null,true]},"s":"text"}"#,
            ))
    };
    let named = DynamicMetadataValue {
        metadata_namespace: "other".into(),
        ..metadata("k", "{{ s }}")
    };
    vec![
        row(
            "metadata-is-set-in-gloo-s-namespace",
            vec![metadata("k", "{{ s }}")],
        )
        .tells(TRANSFORM_NAMESPACE, "k", "text"),
        row("metadata-is-set-in-a-namespace", vec![named]).tells("other", "k", "text"),
        row(
            "metadata-that-comes-out-empty-is-not-set",
            vec![metadata("k", ""), metadata("l", "x")],
        )
        .tells_nothing(TRANSFORM_NAMESPACE, "k")
        .tells(TRANSFORM_NAMESPACE, "l", "x"),
        row("metadata-of-text-stays-text", vec![metadata("k", "12")]).tells(
            TRANSFORM_NAMESPACE,
            "k",
            "12",
        ),
        row("metadata-of-json-is-a-number", vec![typed("k", "12")])
            .not_on_wasm(TYPELESS)
            .tells(TRANSFORM_NAMESPACE, "k", 12),
        row(
            "metadata-of-json-is-a-truth-value",
            vec![typed("k", "true")],
        )
        .not_on_wasm(TYPELESS)
        .tells(TRANSFORM_NAMESPACE, "k", true),
        row(
            "metadata-of-json-is-an-object",
            vec![typed("k", r#"{"x":{"y":[1,"z",null,false]}}"#)],
        )
        .not_on_wasm(TYPELESS)
        .tells(
            TRANSFORM_NAMESPACE,
            "k",
            json!({"x": {"y": [1, "z", null, false]}}),
        ),
        row(
            "metadata-that-is-no-json-is-a-text",
            vec![typed("k", "{{ s }}")],
        )
        .tells(TRANSFORM_NAMESPACE, "k", "text"),
        Row::new("metadata-that-was-set-is-read")
            .requests(|it| {
                it.dynamic_metadata_values = vec![
                    metadata("k", "v"),
                    metadata("l", r#"{{ dynamic_metadata("k") }}w"#),
                ];
                let text = r#"{{ dynamic_metadata("k", "io.solo.transformation") }}"#;
                it.headers.insert("x-k".into(), text.into());
            })
            .not_on_wasm("proxy-wasm cannot write dynamic metadata, so that there is none to read")
            .sends("x-k", ["v"])
            .tells(TRANSFORM_NAMESPACE, "l", "vw"),
        Row::new("metadata-is-set-by-a-response")
            .responses(|it| {
                it.dynamic_metadata_values = vec![metadata("k", r#"{{ header(":status") }}"#)]
            })
            .tells(TRANSFORM_NAMESPACE, "k", "200"),
        Row::new("a-span-that-nobody-traces-is-named-in-vain")
            .requests(|it| {
                it.span_transformer = Some(SpanTransformer {
                    name: Some(r#"{{ header(":path") }}"#.into()),
                });
                it.headers.insert("x-new".into(), "new".into());
            })
            .sends("x-new", ["new"]),
        logging(),
    ]
}

/// What is logged on demand is logged for who debugs only.
fn logging() -> Row {
    let mut transformation = by(|it: &mut TransformationTemplate| {
        it.body = Some("{{ s }}".into());
    });
    transformation.log_request_response_info = true;
    Row::new("a-transformation-that-is-logged-does-the-same")
        .rules(super::request_rule(transformation))
        .request(Request::post("/", r#"{"s":"text"}"#))
        .sends_body("text")
}
