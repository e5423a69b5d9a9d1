//! The functions that Gloo adds, which need no more of Envoy than a message.
//!
//! Every row is what Inja renders of it with the functions of envoy-gloo's transformation filter.

use super::check::{fails, renders};

#[test]
fn body_and_context_are_all_of_the_message() {
    renders(&[
        (
            "{{ body() }}|{{ body }}|{{ length(body()) }}",
            "raw body|raw body|8",
        ),
        ("{{ length(context()) }}", "34"),
        ("{{ existsIn(context(), \"title\") }}", "true"),
        (
            "{{ at(context(), \"title\") }}{{ at(context(), \"a/b\") }}",
            "Orderslash",
        ),
    ]);
}

#[test]
fn headers_are_found_in_any_case() {
    renders(&[
        (
            "{{ header(\"x-user\") }} {{ header(\"X-User\") }} {{ header(\":path\") }} [{{ header(\"nope\") }}]",
            "ada ada /orders?id=7 []",
        ),
        (
            "{{ request_header(\"X-USER\") }} [{{ request_header(\"nope\") }}]",
            "ada []",
        ),
        (
            "{{ upper(header(\"x-user\")) }} {{ header(\"x-\" + \"user\") }}",
            "ADA ada",
        ),
    ]);
}

#[test]
fn extractions_have_names() {
    renders(&[(
        "{{ extraction(\"id\") }} [{{ extraction(\"nope\") }}] {{ int(extraction(\"id\")) + 1 }}",
        "42 [] 43",
    )]);
}

#[test]
fn trim_takes_white_space_off_the_ends() {
    renders(&[(
        "{{ trim(\"  a b \\n\") }}|{{ trim(\"\") }}|{{ trim(\" \\t\\r\\n\") }}|{{ trim(\"x\") }}|{{ trim(\"\\u000b\\f x\") }}",
        "a b|||x|x",
    )]);
}

#[test]
fn substring_counts_bytes_and_forgives() {
    renders(&[
        (
            "{{ substring(\"hello\", 1) }}|{{ substring(\"hello\", 1, 2) }}|{{ substring(\"hello\", 0, 5) }}",
            "ello|el|hello",
        ),
        (
            "{{ substring(\"hello\", 0, 0) }}|{{ substring(\"hello\", 1, -5) }}|{{ substring(\"hello\", 1, 99) }}",
            "hello|ello|ello",
        ),
        (
            "[{{ substring(\"hello\", 5) }}] [{{ substring(\"hello\", -1) }}] [{{ substring(\"\", 0) }}]",
            "[] [] []",
        ),
        (
            "[{{ substring(\"hello\", \"1\") }}] [{{ substring(\"hello\", 1.5) }}] [{{ substring(\"hello\", 1, \"2\") }}] [{{ substring(\"hello\", true) }}]",
            "[] [] [] []",
        ),
        (
            "{{ substring(body(), 4) }}{{ substring(title, 1, 3) }}",
            "bodyrde",
        ),
    ]);
}

#[test]
fn raw_string_escapes_a_string_as_json_does() {
    renders(&[
        ("{{ raw_string(quoted) }}", "a\\\"b\\\\c\\n\\té/<"),
        (
            "\"{{ raw_string(\"say \\\"hi\\\"\") }}\" [{{ raw_string(\"\") }}] {{ raw_string(\"é\\u0001\") }}",
            "\"say \\\"hi\\\"\" [] é\\u0001",
        ),
    ]);
}

#[test]
fn word_count_counts_in_all_that_is_in_a_value() {
    renders(&[
        (
            "{{ word_count(\"a b c\") }} {{ word_count(\"  a  b \") }} {{ word_count(\"one\") }} {{ word_count(\"   \") }} {{ word_count(\"\") }}",
            "3 2 1 1 1",
        ),
        (
            "{{ word_count(mixed) }} {{ word_count(sizes) }} {{ word_count(note) }} {{ word_count(5) }} {{ word_count(true) }}",
            "7 7 0 1 1",
        ),
        (
            "{{ word_count(customer) }} {{ word_count(body()) }}",
            "13 2",
        ),
    ]);
}

#[test]
fn arguments_of_the_wrong_type_fail() {
    fails(&[
        (
            "{{ header(1) }}",
            "expected a string, got a number (line 1, column 4)",
        ),
        (
            "{{ extraction(note) }}",
            "expected a string, got null (line 1, column 4)",
        ),
        (
            "{{ trim(1) }}",
            "expected a string, got a number (line 1, column 4)",
        ),
        (
            "{{ substring(5, 1) }}",
            "expected a string, got a number (line 1, column 4)",
        ),
        (
            "{{ substring(\"a\", nope) }}",
            "variable 'nope' not found (line 1, column 19)",
        ),
        (
            "{{ raw_string(5) }}",
            "expected a string, got a number (line 1, column 4)",
        ),
        (
            "{{ raw_string(nope) }}",
            "variable 'nope' not found (line 1, column 15)",
        ),
    ]);
}
