//! Operators, and how they bind.
//!
//! Every row is what Inja (solo-io's 3.4.0-patch3 with nlohmann/json 3.11.2) renders of it.

use super::check::{fails, renders};

#[test]
fn integers_stay_integers_and_division_is_of_floats() {
    renders(&[
        ("{{ 1 + 1 }} {{ 3 - 21 }} {{ 6 * 7 }}", "2 -18 42"),
        (
            "{{ 4 / 2 }} {{ 5 / 2 }} {{ 1 / 3 }}",
            "2.0 2.5 0.3333333333333333",
        ),
        (
            "{{ 1.5 + 1 }} {{ 1 + 1.0 }} {{ 0.1 + 0.2 }} {{ 2 * 1.5 }}",
            "2.5 2.0 0.30000000000000004 3.0",
        ),
        ("{{ 17 % 4 }}", "1"),
        (
            "{{ 0 - 17 % 4 }} {{ (0 - 17) % 4 }} {{ 17 % (0 - 4) }} {{ 5.7 % 2 }}",
            "-1 -1 1 1",
        ),
        (
            "{{ id * 2 - 1 }} {{ total / 2 }} {{ debt + 7 }}",
            "2083 19.5 0",
        ),
        ("{{ large + 1 }}", "9007199254740994"),
        ("{{ 9223372036854775806 + 1 }}", "9223372036854775807"),
    ]);
}

#[test]
fn powers_are_integers_of_integers() {
    renders(&[
        (
            "{{ 5^3 }} {{ 2 ^ 10 }} {{ 0^0 }} {{ 1^99999999999 }}",
            "125 1024 1 1",
        ),
        ("{{ (0 - 1)^99999999999 }} {{ (0 - 3)^3 }}", "-1 -27"),
        (
            "{{ 2^-2 }} {{ 2.0^3 }} {{ 1.5^2 }} {{ 16^0.5 }}",
            "0.25 8.0 2.25 1",
        ),
        (
            "{{ 3^39 }} {{ 3^39 + 1 }} {{ 2^62 }}",
            "4052555153018976256 4052555153018976257 4611686018427387904",
        ),
        ("{{ 2^3^2 }} {{ (2^3)^2 }}", "512 64"),
    ]);
}

#[test]
fn texts_are_joined_by_plus() {
    renders(&[
        ("{{ \"a\" + \"b\" + \"c\" }}", "abc"),
        ("{{ title + \": \" + customer.name }}", "Order: Ada"),
        ("{{ upper(\"a\") + lower(\"B\") }}", "Ab"),
        ("{{ \"n\" + join([1], \"\") }}", "n1"),
    ]);
}

#[test]
fn operators_bind_as_in_inja() {
    renders(&[
        ("{{ 1 + 2 * 3 }} {{ (1 + 2) * 3 }}", "7 9"),
        ("{{ 10 - 2 - 3 }} {{ 100 / 10 / 2 }}", "5 5.0"),
        (
            "{{ 5 % 3 * 2 }} {{ 2 * 3 % 4 }} {{ 2 ^ 2 * 3 }} {{ 3 * 2 ^ 2 }}",
            "4 2 12 12",
        ),
        ("{{ 1 + 2 == 3 }} {{ 1 < 2 == true }}", "true true"),
        ("{{ true or false and false }}", "false"),
        (
            "{{ 1 == 2 or 1 == 1 }} {{ 1 == 1 and 2 == 1 }}",
            "true false",
        ),
        ("{{ not 1 == 2 }} {{ not (1 == 2) }}", "false true"),
        (
            "{{ not 2 in counts }} {{ not (2 in counts) }}",
            "false false",
        ),
        (
            "{{ not true and false }} {{ not (true and false) }}",
            "false true",
        ),
        (
            "{{ 1 + 1 in counts }} {{ 1 in counts == true }}",
            "true true",
        ),
        ("{{ \"a\" == \"a\" and not \"a\" == \"b\" }}", "false"),
        ("{{ ((id)) }}", "1042"),
        ("{{ (1) + (2) }}", "3"),
    ]);
}

#[test]
fn minus_is_a_sign_or_an_operator() {
    renders(&[
        ("{{ 2 - 1 }} {{ 2-1 }} {{ 2 -1 }} {{ (2)-1 }}", "1 1 1 1"),
        ("{{ 1 == -1 }} {{ debt == -7 }}", "false true"),
        (
            "{{ debt - -1 }} {{ 2 * -3 }} {{ [-1, -2.5] }}",
            "-6 -6 [-1,-2.5]",
        ),
        ("{{ max([-5, -2]) }}", "-2"),
    ]);
}

#[test]
fn and_and_or_answer_booleans_and_stop_early() {
    renders(&[
        (
            "{{ 1 and \"a\" }} {{ 0 or \"\" }} {{ 0 or 0 }} {{ note or void }}",
            "true true false false",
        ),
        ("{{ false and nope }} {{ true or nope }}", "false true"),
        (
            "{{ paid and id }} {{ not paid }} {{ not \"\" }} {{ not note }}",
            "true false false true",
        ),
        ("{{ 0 and 1 or 1 }} {{ 1 or 1 and 0 }}", "true false"),
    ]);
}

#[test]
fn values_of_one_type_compare_by_what_they_are() {
    renders(&[
        (
            "{{ 1 < 2 }} {{ 2 <= 2 }} {{ 3 > 4 }} {{ 3 >= 4 }} {{ 1 != 1 }}",
            "true true false false false",
        ),
        (
            "{{ 1 == 1.0 }} {{ 1 < 1.5 }} {{ 2.5 > 2 }}",
            "true true true",
        ),
        (
            "{{ \"a\" < \"b\" }} {{ \"B\" < \"a\" }} {{ \"a\" < \"aa\" }} {{ \"é\" > \"z\" }} {{ \"10\" < \"9\" }}",
            "true true true true true",
        ),
        (
            "{{ [1,2] == [1,2] }} {{ [1] < [1,0] }} {{ [2] > [1,9] }}",
            "true true true",
        ),
        (
            "{{ sizes == sizes }} {{ {\"a\":1} < {\"a\":2} }} {{ {\"a\":9} < {\"b\":0} }}",
            "true true true",
        ),
        (
            "{{ null == null }} {{ true == true }} {{ false < true }}",
            "true true true",
        ),
        ("{{ customer.tags == [\"vip\", \"new\"] }}", "true"),
    ]);
}

#[test]
fn values_of_different_types_compare_by_their_types() {
    renders(&[
        (
            "{{ \"1\" == 1 }} {{ null == false }} {{ true == 1 }} {{ 0 == \"\" }}",
            "false false false false",
        ),
        (
            "{{ null < false }} {{ true < 0 }} {{ 9 < {} }} {{ {} < [] }} {{ [] < \"\" }}",
            "true true true true true",
        ),
        (
            "{{ 1 < \"a\" }} {{ \"a\" > 1 }} {{ \"\" >= [] }} {{ note != \"\" }}",
            "true true true true",
        ),
    ]);
}

#[test]
fn in_looks_among_items_and_values() {
    renders(&[
        (
            "{{ 2 in counts }} {{ 9 in counts }} {{ 2.0 in counts }} {{ \"2\" in counts }}",
            "true false true false",
        ),
        ("{{ 2 in sizes }} {{ \"l\" in sizes }}", "true false"),
        (
            "{{ \"a\" in \"a\" }} {{ \"a\" in \"abc\" }} {{ 1 in note }} {{ 5 in 5 }}",
            "true false false true",
        ),
        ("{{ [3] in [[3], 4] }} {{ null in mixed }}", "true true"),
        (
            "{{ title in [\"Order\", \"Offer\"] }} {{ body() in [\"raw body\"] }} {{ \"raw body\" in body() }}",
            "true true true",
        ),
    ]);
}

#[test]
fn operands_of_the_wrong_type_fail() {
    fails(&[
        (
            "{{ \"a\" + 1 }}",
            "expected a number, got a string (line 1, column 10)",
        ),
        (
            "{{ 1 + \"a\" }}",
            "expected a number, got a string (line 1, column 8)",
        ),
        (
            "{{ true + 1 }}",
            "expected a number, got a boolean (line 1, column 11)",
        ),
        (
            "{{ title - 1 }}",
            "expected a number, got a string (line 1, column 12)",
        ),
        (
            "{{ note * 2 }}",
            "expected a number, got null (line 1, column 11)",
        ),
        (
            "{{ counts / 2 }}",
            "expected a number, got an array (line 1, column 13)",
        ),
        (
            "{{ \"a\" % 2 }}",
            "expected a number, got a string (line 1, column 10)",
        ),
        (
            "{{ 2 ^ \"a\" }}",
            "expected a number, got a string (line 1, column 8)",
        ),
        ("{{ 5 / 0 }}", "division by zero (line 1, column 8)"),
        ("{{ 5 / 0.0 }}", "division by zero (line 1, column 8)"),
        ("{{ 5 % 0 }}", "division by zero (line 1, column 8)"),
        ("{{ 5 % 0.5 }}", "division by zero (line 1, column 8)"),
    ]);
}

#[test]
fn a_variable_that_is_not_there_fails_and_is_named() {
    fails(&[
        ("{{ nope }}", "variable 'nope' not found (line 1, column 4)"),
        (
            "{{ customer.nope }}",
            "variable 'customer.nope' not found (line 1, column 4)",
        ),
        (
            "{{ customer.name.nope }}",
            "variable 'customer.name.nope' not found (line 1, column 4)",
        ),
        (
            "{{ colours.2 }}",
            "variable 'colours.2' not found (line 1, column 4)",
        ),
        (
            "{{ colours.01 }}",
            "variable 'colours.01' not found (line 1, column 4)",
        ),
        (
            "{{ colours.- }}",
            "variable 'colours.-' not found (line 1, column 4)",
        ),
        (
            "{{ colours.red }}",
            "variable 'colours.red' not found (line 1, column 4)",
        ),
        (
            "{{ 1 + nope }}",
            "variable 'nope' not found (line 1, column 8)",
        ),
        (
            "{{ upper(nope) }}",
            "variable 'nope' not found (line 1, column 10)",
        ),
        (
            "{% if nope %}x{% endif %}",
            "variable 'nope' not found (line 1, column 7)",
        ),
        (
            "{% for x in nope %}{% endfor %}",
            "variable 'nope' not found (line 1, column 13)",
        ),
        (
            "{% set x = nope %}",
            "variable 'nope' not found (line 1, column 12)",
        ),
        (
            "{% for item in items %}{{ item.colour }}{% endfor %}",
            "variable 'item.colour' not found (line 1, column 27)",
        ),
        (
            "{{ true and nope }}",
            "variable 'nope' not found (line 1, column 13)",
        ),
        (
            "{{ loop.index }}",
            "variable 'loop.index' not found (line 1, column 4)",
        ),
        (
            "{{ default(nope, nada) }}",
            "variable 'nada' not found (line 1, column 18)",
        ),
        (
            "one\n two {{ three }}",
            "variable 'three' not found (line 2, column 9)",
        ),
    ]);
}

#[test]
fn a_loop_over_what_is_no_array_fails() {
    fails(&[
        (
            "{% for x in sizes %}x{% endfor %}",
            "'for' with one variable goes through an array, not an object (line 1, column 13)",
        ),
        (
            "{% for a, b in counts %}x{% endfor %}",
            "'for' with two variables goes through an object, not an array (line 1, column 16)",
        ),
        (
            "{% for x in title %}x{% endfor %}",
            "'for' with one variable goes through an array, not a string (line 1, column 13)",
        ),
        (
            "{% for x in note %}x{% endfor %}",
            "'for' with one variable goes through an array, not null (line 1, column 13)",
        ),
        (
            "{% for x in 5 %}x{% endfor %}",
            "'for' with one variable goes through an array, not a number (line 1, column 13)",
        ),
    ]);
}

#[test]
fn what_cannot_be_set_fails() {
    fails(&[
        (
            "{% set a = 1 %}{% set a.b = 2 %}",
            "cannot set 'b' of a value that is no object (line 1, column 29)",
        ),
        (
            "{% set a = [1] %}{% set a.b = 2 %}",
            "cannot set 'b' of a value that is no object (line 1, column 31)",
        ),
        (
            "{% set a = body() %}{% set a.b = 2 %}",
            "cannot set 'a' of a value that is no object (line 1, column 34)",
        ),
    ]);
}
