//! The functions of Gloo that read what Envoy has, or bytes that are no text.

use super::check::{Message, escapes, fails, outcome, renders};
use serde_json::{Value, json};
use tenon_core::inja::Syntax;

fn with_metadata(rows: &[(&str, &str)]) {
    let values = json!({
        "text": "a <b>",
        "whole": 5,
        "part": 1.5,
        "yes": true,
        "nothing": null,
        "list": ["a", 1, 2.5, true, null],
        "nested": {"deep": {"er": "x"}, "n": 1},
        "a": {"b": "by path"},
    });
    let mut message = Message::new();
    message.metadata = json!({
        "cluster": {"io.solo.transformation": values, "other": {"key": "elsewhere"}},
        "dynamic": {"io.solo.transformation": values, "envoy.lb": {"canary": "no"}},
        "host": {"io.solo.transformation": values},
    });
    for (template, expected) in rows {
        let rendered = outcome(template, &Syntax::default(), &message);
        let rendered = rendered.map(|text| String::from_utf8(text).unwrap());
        assert_eq!(rendered.as_deref(), Ok(*expected), "{template}");
    }
}

#[test]
fn metadata_is_text_a_float_or_json() {
    with_metadata(&[
        ("{{ cluster_metadata(\"text\") }}", "a <b>"),
        ("{{ dynamic_metadata(\"whole\") }}", "5.0"),
        ("{{ dynamic_metadata(\"part\") }}", "1.5"),
        ("{{ isFloat(host_metadata(\"whole\")) }}", "true"),
        (
            "{{ isString(host_metadata(\"yes\")) }}{{ host_metadata(\"yes\") }}",
            "truetrue",
        ),
        ("[{{ host_metadata(\"nothing\") }}]", "[]"),
        (
            "{{ dynamic_metadata(\"list\") }}",
            "[\"a\",1,2.5,true,null]",
        ),
        (
            "{{ dynamic_metadata(\"nested\") }}",
            "{\"deep\":{\"er\":\"x\"},\"n\":1}",
        ),
    ]);
}

#[test]
fn metadata_has_paths_and_namespaces() {
    with_metadata(&[
        ("{{ cluster_metadata(\"nested:deep:er\") }}", "x"),
        ("{{ cluster_metadata(\"a:b\") }}", "by path"),
        ("{{ cluster_metadata(\"key\", \"other\") }}", "elsewhere"),
        ("{{ dynamic_metadata(\"canary\", \"envoy.lb\") }}", "no"),
        ("[{{ dynamic_metadata(\"nested:nope\") }}]", "[]"),
        ("[{{ host_metadata(\"text\", \"nowhere\") }}]", "[]"),
        ("[{{ host_metadata(5) }}]", "[]"),
    ]);
}

#[test]
fn metadata_that_is_not_there_is_empty() {
    renders(&[
        (
            "[{{ cluster_metadata(\"k\") }}{{ dynamic_metadata(\"k\") }}{{ host_metadata(\"k\") }}]",
            "[]",
        ),
        ("[{{ clusterMetadata(\"k\") }}]", "[]"),
    ]);
}

#[test]
fn the_old_cluster_metadata_joins_lists_and_knows_no_paths() {
    with_metadata(&[
        ("{{ clusterMetadata(\"text\") }}", "a <b>"),
        ("{{ clusterMetadata(\"list\") }}", "a,1,2.5,true,"),
        ("{{ clusterMetadata(\"whole\") }}", "5.0"),
        ("{{ clusterMetadata(\"yes\") }}", "true"),
        ("[{{ clusterMetadata(\"nested\") }}]", "[]"),
        ("[{{ clusterMetadata(\"a:b\") }}]", "[]"),
    ]);
}

#[test]
fn base64_is_with_padding_and_base64url_without() {
    renders(&[
        (
            "{{ base64_encode(\"a\") }} {{ base64_encode(\"\") }}",
            "YQ== ",
        ),
        ("{{ base64_encode(\"???>>>\") }}", "Pz8/Pj4+"),
        (
            "{{ base64url_encode(\"???>>>\") }} {{ base64url_encode(\"a\") }}",
            "Pz8_Pj4- YQ",
        ),
        (
            "{{ base64_decode(\"YQ==\") }}{{ base64url_decode(\"YQ\") }}",
            "aa",
        ),
        ("{{ base64url_decode(\"Pz8_Pj4-\") }}", "???>>>"),
        ("{{ base64_decode(base64_encode(title)) }}", "Order"),
    ]);
}

#[test]
fn what_is_not_base64_decodes_to_nothing() {
    renders(&[
        ("[{{ base64_decode(\"not base64\") }}]", "[]"),
        ("[{{ base64_decode(\"YQ\") }}]", "[]"),
        ("[{{ base64_decode(\"YR==\") }}]", "[]"),
        ("[{{ base64_decode(\"YQ==\\n\") }}]", "[]"),
        ("[{{ base64_decode(\"\") }}]", "[]"),
        ("[{{ base64url_decode(\"YQ==\") }}]", "[]"),
        ("[{{ base64url_decode(\"Pz8/\") }}]", "[]"),
    ]);
}

#[test]
fn bytes_that_are_no_text_come_through() {
    let mut message = Message::new();
    message.body = (0..=255).collect();
    let render = |template: &str| outcome(template, &Syntax::default(), &message).unwrap();
    assert_eq!(render("{{ body() }}"), message.body);
    assert_eq!(render("{% set b = body() %}{{ b }}"), message.body);
    assert_eq!(
        render("{{ base64_decode(base64_encode(body())) }}"),
        message.body
    );
    assert_eq!(render("{{ header(\"x-binary\") }}"), b"\xff\x00");
    assert_eq!(render("{{ substring(body(), 254) + \"!\" }}"), b"\xfe\xff!");
    assert_eq!(render("{{ length(body()) }}"), b"256");
    assert_eq!(render("{% if body() == body() %}same{% endif %}"), b"same");
}

#[test]
fn bytes_that_are_no_text_cannot_be_escaped() {
    fails(&[(
        "{{ raw_string(header(\"x-binary\")) }}",
        "the string is not UTF-8 (line 1, column 4)",
    )]);
    let escaping = Syntax {
        advanced: false,
        escape_characters: true,
    };
    assert_eq!(
        outcome("{{ header(\"x-binary\") }}", &escaping, &Message::new()),
        Err("failed: the string is not UTF-8 (line 1, column 4)".into())
    );
}

#[test]
fn texts_of_envoy_are_found_by_name() {
    renders(&[
        ("{{ env(\"REGION\") }} [{{ env(\"region\") }}]", "north []"),
        (
            "{{ data_source(\"terms\") }} [{{ data_source(\"nope\") }}]",
            "as agreed []",
        ),
        ("[{{ request_header(\":path\") }}]", "[]"),
    ]);
    escapes(&[("{{ data_source(\"terms\") }}", "as agreed")]);
}

#[test]
fn replace_with_random_replaces_a_pattern_by_128_bits() {
    let message = Message::new();
    let render = |template: &str| {
        String::from_utf8(outcome(template, &Syntax::default(), &message).unwrap()).unwrap()
    };
    let one = render("{{ replace_with_random(\"%%\", \"%%\") }}");
    assert_eq!(one.len(), 22);
    assert!(
        one.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
    );
    assert_eq!(
        render("{{ replace_with_random(\"a%%b%%\", \"%%\") }}"),
        format!("a{one}b{one}")
    );
    assert_ne!(render("{{ replace_with_random(\"##\", \"##\") }}"), one);
    assert_eq!(render("{{ replace_with_random(\"abc\", \"\") }}"), "abc");
    assert_eq!(render("{{ replace_with_random(\"abc\", \"x\") }}"), "abc");
}

#[test]
fn a_context_that_is_no_object_has_no_variables() {
    let mut message = Message::new();
    for (context, rendered) in [
        (json!([1, "a"]), "[1,\"a\"] none false"),
        (json!("text"), "text none false"),
        (Value::Null, " none false"),
    ] {
        message.context = context;
        assert_eq!(
            outcome(
                "{{ context() }} {{ default(title, \"none\") }} {{ exists(\"0\") }}",
                &Syntax::default(),
                &message
            ),
            Ok(rendered.into())
        );
    }
}
