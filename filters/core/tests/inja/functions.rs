//! The functions of Inja itself.
//!
//! Every row is what Inja (solo-io's 3.4.0-patch3 with nlohmann/json 3.11.2) renders of it.

use super::check::{fails, renders};

#[test]
fn at_takes_an_index_or_a_name() {
    renders(&[
        (
            "{{ at(colours, 0) }} {{ at(colours, 1) }} {{ at(colours, 1.9) }} {{ at(colours, true) }}",
            "red blue blue blue",
        ),
        (
            "{{ at(sizes, \"l\") }} {{ at(customer, \"name\") }}",
            "2 Ada",
        ),
        ("{{ at(at(matrix, 1), 1) }}", "[4]"),
    ]);
}

#[test]
fn at_of_what_is_not_there_fails() {
    fails(&[
        (
            "{{ at(colours, 2) }}",
            "at() finds nothing there (line 1, column 4)",
        ),
        (
            "{{ at(colours, -1) }}",
            "at() finds nothing there (line 1, column 4)",
        ),
        (
            "{{ at(colours, \"0\") }}",
            "expected a number, got a string (line 1, column 16)",
        ),
        (
            "{{ at(sizes, \"xxl\") }}",
            "at() finds nothing there (line 1, column 4)",
        ),
        (
            "{{ at(sizes, 1) }}",
            "expected a string, got a number (line 1, column 4)",
        ),
        (
            "{{ at(title, 0) }}",
            "expected an array or an object, got a string (line 1, column 4)",
        ),
        (
            "{{ at(note, 0) }}",
            "expected an array or an object, got null (line 1, column 4)",
        ),
    ]);
}

#[test]
fn members_follow_a_bracket() {
    renders(&[
        ("{{ first(items).sku }} {{ last(items).sku }}", "A-1 B-2"),
        ("{{ at(items, 1).price }}", "20.0"),
        (
            "{{ (customer).address }}",
            "{\"number\":3,\"street\":\"Mill Lane\"}",
        ),
        ("{{ first(items) . sku }}", "A-1"),
        ("{{ at(items, 0).count + 1 }}", "3"),
        ("{{ upper(first(items).sku) }}", "A-1"),
    ]);
}

#[test]
fn default_catches_a_variable_that_is_not_there() {
    renders(&[
        (
            "{{ default(nope, \"d\") }} {{ default(title, \"d\") }}",
            "d Order",
        ),
        ("{{ default(nope, default(nada, 3)) }}", "3"),
        (
            "[{{ default(note, 1) }}] [{{ default(comment, 1) }}]",
            "[] []",
        ),
        (
            "{{ default(customer.nope, 5) }} {{ default(colours.7, \"none\") }}",
            "5 none",
        ),
        ("{{ default(nope, id + 1) }}", "1043"),
    ]);
}

#[test]
fn exists_looks_in_the_message_only() {
    renders(&[
        (
            "{{ exists(\"title\") }} {{ exists(\"nope\") }} {{ exists(\"note\") }}",
            "true false true",
        ),
        (
            "{{ exists(\"customer.name\") }} {{ exists(\"customer/name\") }} {{ exists(\"customer.\") }} {{ exists(\"customer.x\") }}",
            "true true true false",
        ),
        (
            "{{ exists(\"colours.0\") }} {{ exists(\"colours.9\") }} {{ exists(\"\") }} {{ exists(\"keys.\") }}",
            "true false false true",
        ),
        (
            "{% set q = 1 %}{{ exists(\"q\") }} {{ exists(title) }}",
            "false false",
        ),
        (
            "{% for c in colours %}{{ exists(\"c\") }}{% endfor %}",
            "falsefalse",
        ),
    ]);
}

#[test]
fn exists_in_looks_for_a_member() {
    renders(&[
        (
            "{{ existsIn(customer, \"name\") }} {{ existsIn(customer, \"nope\") }} {{ existsIn(customer, \"address.street\") }}",
            "true false false",
        ),
        (
            "{{ existsIn(counts, \"0\") }} {{ existsIn(title, \"O\") }}",
            "false false",
        ),
        (
            "{% for item in items %}{{ existsIn(item, \"sku\") }}{% endfor %}",
            "truetrue",
        ),
    ]);
}

#[test]
fn first_and_last_take_the_ends() {
    renders(&[
        ("{{ first(colours) }} {{ last(colours) }}", "red blue"),
        ("{{ first(sizes) }} {{ last(sizes) }}", "2 [1,2]"),
        (
            "{{ first(\"abc\") }} {{ last(5) }} {{ first(true) }}",
            "abc 5 true",
        ),
        ("{{ first(first(matrix)) }}", "1"),
    ]);
}

#[test]
fn max_and_min_take_the_extremes() {
    renders(&[
        ("{{ max(counts) }} {{ min(counts) }}", "3 1"),
        (
            "{{ max([-5.2, 100.2, 2.4]) }} {{ min([-5.2, 100.2, 2.4]) }}",
            "100.2 -5.2",
        ),
        ("{{ max(mixed) }} [{{ min(mixed) }}]", "a []"),
        ("{{ max(sizes) }} {{ min(sizes) }}", "[1,2] 1"),
        (
            "{{ max(\"q\") }} {{ min(5) }} {{ max([\"b\", \"a\"]) }}",
            "q 5 b",
        ),
        (
            "{{ max([1, 1.0]) }} {{ max([1.0, 1]) }} {{ min([1.0, 1]) }}",
            "1 1.0 1.0",
        ),
    ]);
}

#[test]
fn ends_and_extremes_of_nothing_fail() {
    fails(&[
        (
            "{{ first(note) }}",
            "first() of null that is empty (line 1, column 4)",
        ),
        (
            "{{ max(note) }}",
            "max() of null that is empty (line 1, column 4)",
        ),
    ]);
}

#[test]
fn float_and_int_read_what_a_text_begins_with() {
    renders(&[
        (
            "{{ float(\"2.2\") }} {{ float(\"7\") }} {{ float(\" -3.5e2xyz\") }} {{ float(\".5\") }} {{ float(\"5.\") }} {{ float(\"1e\") }} {{ float(\"3.25x\") }}",
            "2.2 7.0 -350.0 0.5 5.0 1.0 3.25",
        ),
        (
            "{{ float(\"0.1\") + 0.2 }} {{ float(number_text) }}",
            "0.30000000000000004 42.0",
        ),
        (
            "{{ int(\"2\") }} {{ int(\" -12abc\") }} {{ int(\"1.9\") }} {{ int(\"+7\") }} {{ int(number_text) + 1 }}",
            "2 -12 1 7 43",
        ),
    ]);
}

#[test]
fn what_begins_with_no_number_fails() {
    fails(&[
        (
            "{{ float(\"abc\") }}",
            "'abc' is not a decimal number (line 1, column 4)",
        ),
        (
            "{{ float(\"\") }}",
            "'' is not a decimal number (line 1, column 4)",
        ),
        (
            "{{ float(\".\") }}",
            "'.' is not a decimal number (line 1, column 4)",
        ),
        (
            "{{ float(1) }}",
            "expected a string, got a number (line 1, column 4)",
        ),
        (
            "{{ int(\"abc\") }}",
            "'abc' is not an integer (line 1, column 4)",
        ),
        ("{{ int(\"\") }}", "'' is not an integer (line 1, column 4)"),
        (
            "{{ int(\" - 5\") }}",
            "'- 5' is not an integer (line 1, column 4)",
        ),
        (
            "{{ int(5) }}",
            "expected a string, got a number (line 1, column 4)",
        ),
    ]);
}

#[test]
fn is_tells_types_apart() {
    renders(&[
        (
            "{{ isString(\"x\") }} {{ isString(1) }} {{ isString(body()) }} {{ isString(note) }}",
            "true false true false",
        ),
        (
            "{{ isArray(counts) }} {{ isArray(\"s\") }} {{ isArray(sizes) }}",
            "true false false",
        ),
        (
            "{{ isObject(sizes) }} {{ isObject(counts) }} {{ isObject(null) }}",
            "true false false",
        ),
        (
            "{{ isNumber(1) }} {{ isNumber(1.5) }} {{ isNumber(\"1\") }} {{ isNumber(true) }}",
            "true true false false",
        ),
        (
            "{{ isInteger(1) }} {{ isInteger(1.0) }} {{ isFloat(1.0) }} {{ isFloat(1) }} {{ isInteger(debt) }}",
            "true false true false true",
        ),
        (
            "{{ isBoolean(true) }} {{ isBoolean(0) }} {{ isBoolean(\"true\") }}",
            "true false false",
        ),
    ]);
}

#[test]
fn join_puts_a_text_between() {
    renders(&[
        (
            "{{ join(colours, \", \") }} {{ join(counts, \"+\") }} {{ join(colours, \"\") }}",
            "red, blue 3+1+2 redblue",
        ),
        (
            "{{ join(mixed, \"|\") }}",
            "1|a|null|true|2.5|[1]|{\"k\":\"v\"}",
        ),
        ("{{ join(sizes, \"-\") }}", "2-1-[1,2]"),
        (
            "{{ join(title, \"x\") }} {{ join(5, \"x\") }} [{{ join(empty_list, \"x\") }}] [{{ join(note, \",\") }}]",
            "Order 5 [] []",
        ),
        ("{{ join(range(4), \"\") }}", "0123"),
    ]);
}

#[test]
fn length_counts_items_and_bytes() {
    renders(&[
        (
            "{{ length(colours) }} {{ length(sizes) }} {{ length(empty_list) }}",
            "2 3 0",
        ),
        (
            "{{ length(\"hello\") }} {{ length(\"é\") }} {{ length(comment) }} {{ length(body()) }}",
            "5 2 0 8",
        ),
        (
            "{{ length(5) }} {{ length(true) }} {{ length(note) }}",
            "1 1 0",
        ),
    ]);
}

#[test]
fn lower_and_upper_change_ascii_letters() {
    renders(&[
        (
            "{{ upper(title) }} {{ lower(\"ABC-1\") }} {{ upper(\"é\") }} {{ lower(\"É\") }}",
            "ORDER abc-1 é É",
        ),
        (
            "{{ upper(lower(\"aB\")) }} {{ upper (title) }} {{ upper(title,) }}",
            "AB ORDER ORDER",
        ),
    ]);
}

#[test]
fn parity_is_of_integers() {
    renders(&[
        (
            "{{ even(2) }} {{ even(3) }} {{ odd(2) }} {{ odd(3) }} {{ odd(debt) }} {{ even(2.9) }}",
            "true false false true true true",
        ),
        (
            "{{ divisibleBy(50, 5) }} {{ divisibleBy(12, 5) }} {{ divisibleBy(5, 0) }} {{ divisibleBy(5.9, 5) }} {{ divisibleBy(\"a\", 0) }}",
            "true false false true false",
        ),
    ]);
}

#[test]
fn range_counts_from_none() {
    renders(&[(
        "{{ range(4) }} {{ range(0) }} {{ range(2.9) }} {{ range(length(colours)) }}",
        "[0,1,2,3] [] [0,1] [0,1]",
    )]);
}

#[test]
fn round_goes_to_so_many_digits() {
    renders(&[
        (
            "{{ round(4.567, 0) }} {{ round(4.567, 1) }} {{ round(4.567, 2) }}",
            "5 4.6 4.57",
        ),
        (
            "{{ round(-2.5, 0) }} {{ round(2.5, 0) }} {{ round(1.005, 2) }}",
            "-3 3 1.0",
        ),
        (
            "{{ round(25, -1) }} {{ round(5, 0) }} {{ round(1234.5, -2) }} {{ round(3, 2) }}",
            "30.0 5 1200.0 3.0",
        ),
    ]);
}

#[test]
fn sort_orders_all_types() {
    renders(&[
        (
            "{{ sort(counts) }} {{ sort([\"b\", \"a\", \"B\"]) }} {{ sort([2.5, 1, -1]) }}",
            "[1,2,3] [\"B\",\"a\",\"b\"] [-1,1,2.5]",
        ),
        (
            "{{ sort(mixed) }}",
            "[null,true,1,2.5,{\"k\":\"v\"},[1],\"a\"]",
        ),
        (
            "{{ sort([[2], [1, 5], []]) }} {{ sort(empty_list) }}",
            "[[],[1,5],[2]] []",
        ),
    ]);
}

#[test]
fn arguments_of_the_wrong_type_fail() {
    fails(&[
        (
            "{{ upper(5) }}",
            "expected a string, got a number (line 1, column 4)",
        ),
        (
            "{{ lower(note) }}",
            "expected a string, got null (line 1, column 4)",
        ),
        (
            "{{ sort(sizes) }}",
            "expected an array, got an object (line 1, column 4)",
        ),
        (
            "{{ sort(title) }}",
            "expected an array, got a string (line 1, column 4)",
        ),
        (
            "{{ range(-1) }}",
            "range() of a negative number (line 1, column 4)",
        ),
        (
            "{{ range(\"a\") }}",
            "expected a number, got a string (line 1, column 10)",
        ),
        (
            "{{ even(\"a\") }}",
            "expected a number, got a string (line 1, column 9)",
        ),
        (
            "{{ round(\"a\", 0) }}",
            "expected a number, got a string (line 1, column 4)",
        ),
        (
            "{{ round(1, \"a\") }}",
            "expected a number, got a string (line 1, column 4)",
        ),
        (
            "{{ join(colours, 1) }}",
            "expected a string, got a number (line 1, column 4)",
        ),
        (
            "{{ exists(1) }}",
            "expected a string, got a number (line 1, column 4)",
        ),
        (
            "{{ existsIn(customer, nope) }}",
            "variable 'nope' not found (line 1, column 23)",
        ),
        (
            "{{ existsIn(customer, 1) }}",
            "expected a string, got a number (line 1, column 4)",
        ),
        (
            "{{ first(items).nope }}",
            "'.nope' not found (line 1, column 4)",
        ),
    ]);
}
