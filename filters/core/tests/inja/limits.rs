//! A template ends, and neither takes the stack nor the memory, whatever it is and whatever it is given.

use super::check::{Message, outcome};
use proptest::prelude::*;
use serde_json::{Value, json};
use tenon_core::inja::{MAX_NESTING, MAX_OUTPUT, Syntax, Template};

/// Without the limits these would take hours, or more memory than there is.
fn failure(template: &str, message: &Message) -> String {
    outcome(template, &Syntax::default(), message).unwrap_err()
}

#[test]
fn a_template_takes_so_many_steps_and_no_more() {
    let message = Message::new();
    for template in [
        "{% for a in range(1001) %}{% for b in range(1001) %}{% endfor %}{% endfor %}",
        "{{ range(1000001) }}",
        "{{ range(9223372036854775807) }}",
        "{% set a = \"0123456789\" %}{% for i in range(60) %}{% set a = a + a %}{% endfor %}",
        "{% set a.0 = 1 %}{% set a.1000001 = 1 %}",
        "{% set a = [1,2,3,4] %}{% for i in range(60) %}{% set b.0 = a %}{% set b.1 = a %}{% set a = b %}{% endfor %}",
    ] {
        let failure = failure(template, &message);
        assert!(
            failure.contains("takes more than 1000000 steps")
                || failure.contains("nested more than"),
            "{failure}"
        );
    }
}

#[test]
fn work_on_a_large_message_counts() {
    let mut message = Message::new();
    let text = "a".repeat(1 << 20);
    message.context = json!({"text": text, "list": vec![text.clone(); 4]});
    for template in [
        "{% for i in range(1000) %}{% if text == text + \"b\" %}{% endif %}{% endfor %}",
        "{% for i in range(1000) %}{% set a = upper(text) %}{% endfor %}",
        "{% for i in range(1000) %}{% if \"b\" in list %}{% endif %}{% endfor %}",
        "{% for i in range(1000) %}{% set a = sort(list) %}{% endfor %}",
        "{% for i in range(1000) %}{% set a = word_count(list) %}{% endfor %}",
        "{{ replace(text, \"a\", text) }}",
        "{{ replace(text, substring(text, 500000) + \"b\", \"\") }}{% for i in range(1000) %}{{ replace(text, text, \"\") }}{% endfor %}",
        "{% for i in range(1000) %}{% set a = join(list, text) %}{% endfor %}",
        "{% for i in range(1000) %}{% set a = base64_encode(text) %}{% endfor %}",
    ] {
        assert!(
            failure(template, &message).contains("takes more than 1000000 steps"),
            "{template}"
        );
    }
}

#[test]
fn a_template_renders_so_many_bytes_and_no_more() {
    let mut message = Message::new();
    message.body = vec![b'a'; MAX_OUTPUT];
    let whole = outcome("{{ body() }}", &Syntax::default(), &message).unwrap();
    assert_eq!(whole.len(), MAX_OUTPUT);
    assert_eq!(
        failure("{{ body() }}\n.", &message),
        "failed: template renders more than 8388608 bytes (line 1, column 1)"
    );
    assert!(failure("{{ body() }}{{ body() }}", &message).contains("renders more than"));
}

#[test]
fn brackets_and_blocks_are_nested_so_deep_and_no_deeper() {
    let message = Message::new();
    let nested = |open: &str, close: &str, depth| {
        format!("{}{}{}", open.repeat(depth), "{{ 1 }}", close.repeat(depth))
    };
    let bracket =
        |open: &str, depth| format!("{{{{ {}1{} }}}}", open.repeat(depth), ")".repeat(depth));
    for (least, most) in [
        (
            nested("{% if true %}", "{% endif %}", MAX_NESTING),
            nested("{% if true %}", "{% endif %}", MAX_NESTING + 1),
        ),
        (
            nested("{% for a in [1] %}", "{% endfor %}", MAX_NESTING),
            nested("{% for a in [1] %}", "{% endfor %}", 100_000),
        ),
        (bracket("(", MAX_NESTING), bracket("(", MAX_NESTING + 1)),
        (bracket("max(", MAX_NESTING), bracket("max(", 100_000)),
        (bracket("(1 + ", MAX_NESTING), bracket("not (", 100_000)),
    ] {
        assert!(
            outcome(&least, &Syntax::default(), &message).is_ok(),
            "{least}"
        );
        let refused = outcome(&most, &Syntax::default(), &message).unwrap_err();
        assert!(refused.contains("nested more than 64 deep"), "{refused}");
    }
}

#[test]
fn the_deepest_template_needs_little_stack() {
    // A `.wasm` has 1 MiB, and is optimised.
    let needed = if cfg!(debug_assertions) {
        2 << 20
    } else {
        256 << 10
    };
    let work = || {
        let depth = MAX_NESTING;
        let mut message = Message::new();
        let mut deep = json!(1);
        for _ in 0..250 {
            deep = json!([deep]);
        }
        message.context = json!({"deep": deep});
        let expression = format!(
            "{}deep{}",
            "max(sort([2]) in [1] or ".repeat(depth - 1),
            ")".repeat(depth - 1)
        );
        let template = format!(
            "{}{{{{ {expression} }}}}{{{{ deep }}}}{{% set b.c = deep %}}{{{{ b == b }}}}{}",
            "{% if true %}".repeat(depth / 2) + &"{% for a in [1] %}".repeat(depth - depth / 2),
            "{% endfor %}".repeat(depth - depth / 2) + &"{% endif %}".repeat(depth / 2)
        );
        outcome(&template, &Syntax::default(), &message).map(|text| text.len())
    };
    let thread = std::thread::Builder::new().stack_size(needed).spawn(work);
    assert_eq!(
        thread.unwrap().join().unwrap(),
        Ok("true".len() + 501 + "true".len())
    );
}

#[test]
fn long_templates_are_not_deep_ones() {
    let message = Message::new();
    for template in [
        format!("{{{{ 0{} }}}}", " + 0".repeat(100_000)),
        format!("{{{{ 1{} }}}}", " ^ 1".repeat(100_000)),
        format!("{{{{ true{} }}}}", " and true or false".repeat(50_000)),
        "{# note #}".repeat(100_000),
        "{% if void %}".to_owned() + &"{% else if void %}".repeat(50_000) + "{% endif %}",
        "{{ id }}".repeat(50_000),
    ] {
        let rendered = outcome(&template, &Syntax::default(), &message);
        assert!(rendered.is_ok(), "{rendered:?}");
    }
}

#[test]
fn a_value_cannot_be_set_into_itself_without_end() {
    let failure = failure(
        "{% set a.b = 1 %}{% for i in range(100000) %}{% set a.b = a %}{% endfor %}",
        &Message::new(),
    );
    assert!(failure.contains("nested more than 256 deep"), "{failure}");
}

#[test]
fn a_context_that_is_too_deep_fails() {
    let mut message = Message::new();
    let mut deep = json!(1);
    for _ in 0..400 {
        deep = json!([deep]);
    }
    message.context = json!({"deep": deep});
    assert!(failure("{{ deep }}", &message).contains("nested more than 256 deep"));
}

/// Pieces of templates, so that arbitrary sequences of them are often nearly right.
fn piece() -> impl Strategy<Value = String> {
    let known = [
        "{{",
        "}}",
        "{{-",
        "-}}",
        "{%",
        "%}",
        "{%-",
        "-%}",
        "{#",
        "#}",
        "\n##",
        "\n",
        " ",
        "if ",
        "else ",
        "endif",
        "for x in ",
        "for k, v in ",
        "endfor",
        "set y = ",
        "set y.0.z = ",
        "block b",
        "endblock",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ".",
        "+",
        "-",
        "*",
        "/",
        "%",
        "^",
        "==",
        "<",
        ">=",
        "and ",
        "or ",
        "not ",
        "in ",
        "upper(",
        "default(",
        "at(",
        "join(",
        "sort(",
        "max(",
        "range(",
        "round(",
        "substring(",
        "replace(",
        "int(",
        "float(",
        "length(",
        "first(",
        "body()",
        "context()",
        "header(\"a\")",
        "x",
        "y",
        "loop.index",
        "customer.name",
        "items",
        "counts",
        "mixed",
        "id",
        "note",
        "1",
        "0",
        "-2",
        "1.5",
        "1e308",
        "9223372036854775807",
        "\"text\"",
        "\"",
        "é",
        "\\",
        "~",
        "~1",
        "|",
    ];
    prop_oneof![
        9 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_template_or_refused(text: String, advanced: bool) {
        let syntax = Syntax { advanced, escape_characters: !advanced };
        if let Ok(template) = Template::compile(&text, &syntax) {
            let _ = template.render(&Message::new());
        }
    }

    #[test]
    fn any_sequence_of_pieces_is_rendered_refused_or_fails(
        pieces in prop::collection::vec(piece(), 0..40),
        body: Vec<u8>,
        context in value(),
    ) {
        let mut message = Message::new();
        message.body = body;
        if context.is_array() {
            message.context = context;
        }
        let _ = outcome(&pieces.concat(), &Syntax::default(), &message);
    }

    #[test]
    fn any_expression_is_rendered_refused_or_fails(pieces in prop::collection::vec(piece(), 1..10)) {
        let _ = outcome(&format!("{{{{ {} }}}}", pieces.concat()), &Syntax::default(), &Message::new());
    }

    #[test]
    fn any_value_can_be_sorted_compared_and_printed(value in value()) {
        let mut message = Message::new();
        message.context = json!({"v": value, "list": [value, value, 1, 1.5, "a"]});
        let templates = [
            "{{ v == v }} {{ v in list }} {{ v < 1 or v >= 1 }}",
            "{{ sort(list) == sort(sort(list)) }}",
            "{{ max(list) >= min(list) }}",
        ];
        for template in templates {
            let rendered = outcome(template, &Syntax::default(), &message);
            prop_assert!(rendered.as_ref().is_ok_and(|text| !text.windows(5).any(|word| word == b"false")), "{rendered:?}");
        }
    }

    #[test]
    fn any_json_is_printed_as_json_of_the_same_value(value in value()) {
        let mut message = Message::new();
        message.context = json!({"v": [value]});
        let rendered = outcome("{{ v }}", &Syntax::default(), &message).unwrap();
        let read: Value = serde_json::from_slice(&rendered).unwrap();
        prop_assert_eq!(&read, &message.context["v"]);
    }
}
