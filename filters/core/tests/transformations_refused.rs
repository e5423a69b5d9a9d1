//! Transformations that are refused when they are loaded: where, and why. Gloo refuses them too, unless a row says
//! otherwise.

use serde_json::{Value, json};
use tenon_core::transform::Transformation;

/// What is wrong with a `transformationTemplate`: fields and texts.
fn faults(template: &Value) -> Vec<(String, String)> {
    let config = json!({"transformationTemplate": template});
    let config = serde_json::from_value(config).unwrap();
    let found = Transformation::new(&config).err().unwrap_or_default();
    let found = found.into_iter().map(|it| (it.field, it.text));
    found.collect()
}

fn extractor(mode: &str, more: Value) -> Value {
    let mut extractor = json!({"header": "x", "regex": "(a)", "mode": mode});
    let fields = extractor.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    json!({"extractors": {"e": extractor}})
}

#[test]
fn what_cannot_be_meant_is_refused_at_its_field() {
    for (template, field, text) in [
        (
            extractor("EXTRACT", json!({"replacementText": "b"})),
            "extractors.e.replacementText",
            "is of the modes SINGLE_REPLACE and REPLACE_ALL",
        ),
        (
            extractor("EXTRACT", json!({"subgroup": 2})),
            "extractors.e.subgroup",
            "there is no group 2: the expression has 1",
        ),
        (
            extractor("EXTRACT", json!({"regex": "a)"})),
            "extractors.e.regex",
            "found closing ')' without matching '('",
        ),
        (
            extractor("EXTRACT", json!({"body": {}})),
            "extractors.e",
            "expected one of header and body",
        ),
        (
            extractor("SINGLE_REPLACE", json!({})),
            "extractors.e.replacementText",
            "is required in the mode SINGLE_REPLACE",
        ),
        (
            extractor(
                "SINGLE_REPLACE",
                json!({"subgroup": 2, "replacementText": ""}),
            ),
            "extractors.e.subgroup",
            "there is no group 2: the expression has 1",
        ),
        (
            extractor("REPLACE_ALL", json!({})),
            "extractors.e.replacementText",
            "is required in the mode REPLACE_ALL",
        ),
        (
            extractor(
                "REPLACE_ALL",
                json!({"subgroup": 1, "replacementText": "b"}),
            ),
            "extractors.e.subgroup",
            "must be 0 in the mode REPLACE_ALL",
        ),
        (
            json!({"body": {"text": "{{ a"}}),
            "body.text",
            "expected '}}', got '<end of template>' (line 1, column 5)",
        ),
        (
            json!({"headers": {":status": {"text": "{% if a %}1{% endif %"}}}),
            "headers.:status.text",
            "expected '%}', got '%' (line 1, column 21)",
        ),
        (
            json!({"headersToAppend": [{"key": "x", "value": {"text": "{{ raw_string() }}"}}]}),
            "headersToAppend[0].value.text",
            "function raw_string takes 1 argument, not 0 (line 1, column 4)",
        ),
        (
            json!({"body": {"text": "{{ raw_string(a, b) }}"}}),
            "body.text",
            "function raw_string takes 1 argument, not 2 (line 1, column 4)",
        ),
        (
            json!({"spanTransformer": {"name": {"text": "{{ nope() }}"}}}),
            "spanTransformer.name.text",
            "unknown function nope (line 1, column 4)",
        ),
        (
            json!({"mergeJsonKeys": {"jsonKeys": {"a.b": {"tmpl": {"text": "1"}}}}}),
            "mergeJsonKeys.jsonKeys.a.b",
            "a key must not have dots",
        ),
        (
            json!({"mergeJsonKeys": {"jsonKeys": {}}, "parseBodyBehavior": "DontParse"}),
            "mergeJsonKeys",
            "needs parseBodyBehavior: ParseAsJson",
        ),
        (
            json!({"mergeJsonKeys": {"jsonKeys": {}}, "advancedTemplates": true}),
            "mergeJsonKeys",
            "is not possible with advancedTemplates",
        ),
        // Gloo takes these three.
        (
            json!({"headers": {"Content-Length": {"text": "1"}}}),
            "headers.Content-Length",
            "content-length is what the body makes it",
        ),
        (
            json!({"headersToRemove": ["x-tenon-error"]}),
            "headersToRemove[0]",
            "headers under x-tenon- are Tenon's own",
        ),
        (
            json!({"headersToRemove": [":path"]}),
            "headersToRemove[0]",
            ":path cannot be removed",
        ),
    ] {
        let expected = vec![(field.to_owned(), text.to_owned())];
        let under = |(field, text): (String, String)| {
            let field = field.strip_prefix("transformationTemplate.");
            (field.unwrap_or_default().to_owned(), text)
        };
        let found: Vec<_> = faults(&template).into_iter().map(under).collect();
        assert_eq!(found, expected, "{template}");
    }
}

#[test]
fn what_says_nothing_is_not_refused() {
    for template in [
        json!({}),
        extractor("EXTRACT", json!({"replacementText": ""})),
        extractor("SINGLE_REPLACE", json!({"replacementText": ""})),
        json!({"mergeJsonKeys": {}}),
        json!({"body": {"text": ""}}),
    ] {
        assert_eq!(faults(&template), [], "{template}");
    }
}
