//! Where this engine differs from Inja as Gloo has it. Each test has its row in `docs/transformations.md`.

use super::check::{Message, advanced, fails, outcome, refuses, renders};
use tenon_core::inja::Syntax;

#[test]
fn a_minus_begins_a_number_wherever_an_operand_is_due() {
    // Inja: "too few arguments", if the directive before ended with a name, or after `and`, `or`, `in` and `not`.
    renders(&[
        ("{{ title }}{{ -1 }}", "Order-1"),
        ("{{ 1 }}{% if -1 %}x{% endif %}", "1x"),
        ("{{ true and -1 < 0 }}", "true"),
        ("{{ not -1 }}", "false"),
        ("{{ -1 in [-1] }}", "true"),
        ("{% if void %}{% else if -1 %}x{% endif %}", "x"),
    ]);
}

#[test]
fn a_member_is_found_whatever_else_the_message_has() {
    // Inja: "could not find element with given name", as the message has a `title` and a `customer` too; and it knows
    // one name after a bracket only.
    renders(&[
        (
            "{% set all = [{\"title\": \"T\"}] %}{{ first(all).title }}",
            "T",
        ),
        ("{{ context().title }}", "Order"),
        ("{{ context().customer.address.street }}", "Mill Lane"),
        ("{{ (customer).address.number }}", "3"),
    ]);
    advanced(&[("{{ context().customer/address/street }}", "Mill Lane")]);
}

#[test]
fn default_catches_members_and_items_too() {
    renders(&[
        ("{{ default(first(items).colour, \"none\") }}", "none"),
        ("{{ default(at(colours, 7), \"none\") }}", "none"),
        ("{{ default(at(sizes, \"xxl\"), 0) }}", "0"),
        ("{{ default((nope).x, 1) }}", "1"),
    ]);
}

#[test]
fn integers_above_63_bits_are_themselves() {
    // Inja prints -1 for the first, and wraps around in the others.
    let mut message = Message::new();
    message.context = serde_json::json!({"most": u64::MAX, "more": 9_223_372_036_854_775_807_u64});
    for (template, expected) in [
        ("{{ most }}", "18446744073709551615"),
        ("{{ most == -1 }}", "false"),
        ("{{ most - 1 }}", "18446744073709551614"),
        ("{{ more + 1 }}", "9223372036854775808"),
        ("{{ most > more }}", "true"),
    ] {
        let rendered = outcome(template, &Syntax::default(), &message);
        assert_eq!(rendered, Ok(expected.into()), "{template}");
    }
}

#[test]
fn integers_that_do_not_fit_fail() {
    // In C++ they are undefined.
    fails(&[
        (
            "{{ 9223372036854775807 * 4 }}",
            "the result is an integer that is too large (line 1, column 26)",
        ),
        (
            "{{ 10 ^ 30 }}",
            "the result is an integer that is too large (line 1, column 4)",
        ),
        (
            "{{ even(huge) }}",
            "the result is an integer that is too large (line 1, column 9)",
        ),
        (
            "{{ round(1e30, 0) }}",
            "the result is an integer that is too large (line 1, column 4)",
        ),
        (
            "{{ int(\"99999999999999999999999999999999999999999\") }}",
            "the result is an integer that is too large (line 1, column 4)",
        ),
    ]);
    renders(&[(
        "{{ int(\"3000000000\") }} {{ round(3e9, 0) }}",
        "3000000000 3000000000",
    )]);
}

#[test]
fn integers_and_floats_compare_exactly() {
    // Inja makes a float of the integer, and has them equal.
    renders(&[(
        "{{ large == 9007199254740992.0 }} {{ large > 9007199254740992.0 }}",
        "false true",
    )]);
}

#[test]
fn a_float_that_is_not_finite_fails() {
    // Inja prints null.
    fails(&[
        (
            "{{ 1e308 * 10 }}",
            "the result is not a finite number (line 1, column 12)",
        ),
        (
            "{{ (0 - 8) ^ 400 * 1.5 }}",
            "the result is an integer that is too large (line 1, column 4)",
        ),
        (
            "{{ float(\"1e999\") }}",
            "the result is not a finite number (line 1, column 4)",
        ),
    ]);
}

#[test]
fn float_reads_decimal_numbers_only() {
    // C++ reads 31.0, and infinity.
    fails(&[
        (
            "{{ float(\"0x1F\") }}",
            "'0x1F' is not a decimal number (line 1, column 4)",
        ),
        (
            "{{ float(\"inf\") }}",
            "'inf' is not a decimal number (line 1, column 4)",
        ),
    ]);
}

#[test]
fn the_remainder_of_nothing_fails() {
    // Inja takes Envoy down with it.
    fails(&[
        ("{{ 5 % 0 }}", "division by zero (line 1, column 8)"),
        (
            "{{ (0 - 9223372036854775807 - 1) % 0 }}",
            "division by zero (line 1, column 36)",
        ),
    ]);
    renders(&[("{{ (0 - 9223372036854775807 - 1) % -1 }}", "0")]);
}

#[test]
fn ends_of_empty_arrays_fail() {
    // In C++ they are undefined.
    fails(&[
        (
            "{{ first(empty_list) }}",
            "first() of an array that is empty (line 1, column 4)",
        ),
        (
            "{{ last(empty_list) }}",
            "last() of an array that is empty (line 1, column 4)",
        ),
        (
            "{{ max(empty_list) }}",
            "max() of an array that is empty (line 1, column 4)",
        ),
        (
            "{{ min(empty_object) }}",
            "min() of an object that is empty (line 1, column 4)",
        ),
        (
            "{{ first(note) }}",
            "first() of null that is empty (line 1, column 4)",
        ),
    ]);
}

#[test]
fn replace_and_capitalize_of_later_versions_are_there() {
    renders(&[
        ("{{ replace(\"a-b-c\", \"-\", \"+\") }}", "a+b+c"),
        ("{{ replace(title, \"der\", \"\") }}", "Or"),
        ("{{ replace(\"aaa\", \"aa\", \"b\") }}", "ba"),
        ("{{ replace(\"aabaab\", \"aab\", \"x\") }}", "xx"),
        ("{{ replace(\"abababc\", \"ababc\", \"x\") }}", "abx"),
        ("{{ replace(\"abc\", \"\", \"x\") }}", "abc"),
        ("{{ replace(\"é\", \"é\", \"e\") }}", "e"),
        (
            "{{ capitalize(\"hELLO wORLD\") }}|{{ capitalize(\"\") }}",
            "Hello world|",
        ),
    ]);
}

#[test]
fn statements_end_in_the_order_they_began() {
    // Inja takes them in any order, and a second `else` as more of the first.
    refuses(&[
        (
            "{% if paid %}{% for a in counts %}{% endif %}{% endfor %}",
            "'endif' within 'for' of line 1: expected 'endfor' (line 1, column 38)",
        ),
        (
            "{% if paid %}a{% else %}b{% else %}c{% endif %}",
            "this 'if' already has an 'else' (line 1, column 29)",
        ),
        (
            "{% if paid %}{% for a in counts %}{% else %}{% endfor %}{% endif %}",
            "'else' is not in an 'if' (line 1, column 38)",
        ),
        (
            "{% block a %}x",
            "'block' is never closed: expected 'endblock' (line 1, column 4)",
        ),
    ]);
}

#[test]
fn an_empty_expression_is_refused() {
    // Inja fails when it comes to render it.
    refuses(&[
        (
            "{{ }}",
            "expected an expression, got '}}' (line 1, column 4)",
        ),
        (
            "{% if %}x{% endif %}",
            "expected an expression, got '%}' (line 1, column 7)",
        ),
        (
            "{% set x = %}",
            "expected an expression, got '%}' (line 1, column 12)",
        ),
    ]);
}

#[test]
fn a_brace_that_is_left_open_is_refused() {
    // Inja forgets it: it renders `Order}` of the first.
    refuses(&[
        (
            "{{{title}}}",
            "'}}' in an array or object ends the directive: write '} }' for two braces (line 1, column 9)",
        ),
        (
            "{{ {\"a\": {\"b\": 1}} }}",
            "'}}' in an array or object ends the directive: write '} }' for two braces (line 1, column 17)",
        ),
        (
            "{{ title [ }}",
            "expected '}}', got '[' (line 1, column 10)",
        ),
    ]);
}

#[test]
fn operators_stand_between_their_operands() {
    // Inja takes the first for `(not title) in counts`, and makes sense of some others.
    refuses(&[
        (
            "{{ title not in counts }}",
            "'not' stands before its operand: write 'not (a in b)' (line 1, column 10)",
        ),
        ("{{ 1 2 + }}", "expected '}}', got '2' (line 1, column 6)"),
        (
            "{{ + 1 2 }}",
            "expected an expression, got '+' (line 1, column 4)",
        ),
        (
            "{{ 1 + not not 2 }}",
            "'not' needs brackets here (line 1, column 12)",
        ),
        (
            "{{ 1 + 2 * not 0 }}",
            "'not' needs brackets here (line 1, column 12)",
        ),
        (
            "{{ 2 ^ not 0 }}",
            "'not' needs brackets here (line 1, column 8)",
        ),
    ]);
}

#[test]
fn other_templates_are_refused() {
    // Inja as Gloo has it fails when it comes to render them.
    refuses(&[
        (
            "{% include \"other\" %}",
            "'include' is not possible here: a transformation has one template (line 1, column 4)",
        ),
        (
            "## extends \"base\"",
            "'extends' is not possible here: a transformation has one template (line 1, column 4)",
        ),
        (
            "{% block a %}{{ super() }}{% endblock %}",
            "super() needs a template that is extended, and there is none here (line 1, column 17)",
        ),
    ]);
}

#[test]
fn loop_cannot_be_set() {
    refuses(&[
        (
            "{% set loop = 1 %}",
            "'loop' is not a variable that can be set (line 1, column 8)",
        ),
        (
            "{% set loop.index = 1 %}",
            "'loop' is not a variable that can be set (line 1, column 8)",
        ),
        (
            "{% for loop in counts %}{% endfor %}",
            "'loop' is not a variable that can be set (line 1, column 4)",
        ),
    ]);
}

#[test]
fn a_random_text_is_new_in_each_message() {
    // Gloo draws it once for all messages.
    let template = "{{ replace_with_random(\"[B] [B] [C]\", \"[B]\") }}";
    let mut message = Message::new();
    let first = outcome(template, &Syntax::default(), &message).unwrap();
    assert_eq!(
        outcome(template, &Syntax::default(), &message),
        Ok(first.clone())
    );
    message.random = 8;
    assert_ne!(outcome(template, &Syntax::default(), &message), Ok(first));
}

#[test]
fn numbers_in_an_old_list_of_metadata_have_all_their_digits() {
    // Gloo writes 1.23457e+06.
    let mut message = Message::new();
    let values = serde_json::json!({"list": [1_234_567.5, 1e20]});
    message.metadata = serde_json::json!({"cluster": {"io.solo.transformation": values}});
    assert_eq!(
        outcome(
            "{{ clusterMetadata(\"list\") }}",
            &Syntax::default(),
            &message
        ),
        Ok("1234567.5,1e+20".into())
    );
}

#[test]
fn a_negative_zero_of_the_message_is_a_float() {
    // Inja prints 0.
    let mut message = Message::new();
    message.context = serde_json::from_str("{\"zero\": -0}").unwrap();
    assert_eq!(
        outcome("{{ zero }} {{ -0 }}", &Syntax::default(), &message),
        Ok("-0.0 0".into())
    );
}
