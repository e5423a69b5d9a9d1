//! The language: what templates print, and how they branch, repeat and set variables.
//!
//! Every row is what Inja (solo-io's 3.4.0-patch3 with nlohmann/json 3.11.2) renders of it.

use super::check::{advanced, escapes, refuses, renders};

#[test]
fn text_without_directives_stays_as_it_is() {
    renders(&[
        ("", ""),
        ("plain", "plain"),
        ("a { b } c", "a { b } c"),
        ("#", "#"),
        ("# not a line", "# not a line"),
        ("a ## b", "a ## b"),
        ("{ {id} }", "{ {id} }"),
        ("{", "{"),
        ("a{", "a{"),
        ("}}", "}}"),
        ("%}", "%}"),
        ("#}", "#}"),
        ("tab\tand\r\nreturn", "tab\tand\r\nreturn"),
        ("é😀", "é😀"),
    ]);
}

#[test]
fn strings_print_raw_null_prints_nothing_and_the_rest_is_json() {
    renders(&[
        ("{{ title }}|{{title}}|{{  title\t}}", "Order|Order|Order"),
        (
            "{{ id }} {{ debt }} {{ large }}",
            "1042 -7 9007199254740993",
        ),
        ("{{ paid }} {{ void }}", "true false"),
        ("[{{ note }}]", "[]"),
        ("[{{ comment }}]", "[]"),
        ("{{ colours }}", "[\"red\",\"blue\"]"),
        (
            "{{ customer }}",
            "{\"address\":{\"number\":3,\"street\":\"Mill Lane\"},\"city\":\"Leeds\",\"name\":\"Ada\",\"tags\":[\"vip\",\"new\"]}",
        ),
        ("{{ mixed }}", "[1,\"a\",null,true,2.5,[1],{\"k\":\"v\"}]"),
        (
            "{{ matrix }}{{ empty_list }}{{ empty_object }}",
            "[[1,2],[3,[4]]][]{}",
        ),
        ("{{ quoted }}", "a\"b\\c\n\té/<"),
        ("{{ customer.tags }}", "[\"vip\",\"new\"]"),
        ("{{\ntitle\n}}", "Order"),
        ("{{\r\n\ttitle }}", "Order"),
    ]);
}

#[test]
fn numbers_are_written_as_in_the_json_library() {
    renders(&[
        ("{{ total }} {{ rate }} {{ discount }}", "39.0 0.0 0"),
        (
            "{{ tiny }} {{ huge }} {{ precise }} {{ latitude }}",
            "1e-07 1e+20 0.30000000000000004 51.50735091234567",
        ),
        (
            "{{ 1.0 }} {{ 1.50 }} {{ 1e3 }} {{ 1E+2 }} {{ 1.5e-3 }}",
            "1.0 1.5 1000.0 100.0 0.0015",
        ),
        ("{{ 100000000000000000000 }}", "1e+20"),
        (
            "{{ 999999999999999.0 }} {{ 1e15 }} {{ 1.5e15 }} {{ 1e14 }}",
            "999999999999999.0 1e+15 1.5e+15 100000000000000.0",
        ),
        (
            "{{ 0.001 }} {{ 0.0001 }} {{ 0.00001 }} {{ 0.000012 }}",
            "0.001 0.0001 1e-05 1.2e-05",
        ),
        (
            "{{ 5e-324 }} {{ 1.7976931348623157e308 }}",
            "5e-324 1.7976931348623157e+308",
        ),
        ("{{ [1.0, -2.50, 1e20] }}", "[1.0,-2.5,1e+20]"),
        ("{{ 123456789.123456789 }}", "123456789.12345679"),
        (
            "{{ -9223372036854775808 }} {{ 9223372036854775807 }}",
            "-9223372036854775808 9223372036854775807",
        ),
    ]);
}

#[test]
fn literals_are_those_of_json() {
    renders(&[
        ("{{ \"text\" }}", "text"),
        ("{{ \"a\\nb\\t\\u00e9\\\"q\\\\\\/\" }}", "a\nb\té\"q\\/"),
        ("{{ 42 }}", "42"),
        ("{{ -42 }}", "-42"),
        ("{{ -0 }}", "0"),
        ("{{ -0.0 }}", "-0.0"),
        ("{{ true }} {{ false }} [{{ null }}]", "true false []"),
        (
            "{{ [1, 2.50, \"x\", null, true, {\"a\" : 1} ] }}",
            "[1,2.5,\"x\",null,true,{\"a\":1}]",
        ),
        ("{{ {\"b\": 1, \"a\": [1]} }}", "{\"a\":[1],\"b\":1}"),
        ("{{ {\"a\": {\"b\": 1} } }}", "{\"a\":{\"b\":1}}"),
        ("{{ {} }}", "{}"),
        ("{{ [] }}", "[]"),
        ("{{ { } }}", "{}"),
        ("{{ \"{{ not a directive }}\" }}", "{{ not a directive }}"),
        ("{{ \"#}\" }}", "#}"),
        ("{{ [\"]\", \"}\"] }}", "[\"]\",\"}\"]"),
        ("{{ {\"b\": 1, \"b\": 2} }}", "{\"b\":2}"),
        ("{{ \"é😀\" }}", "é😀"),
        ("{{ [1,\n2] }}", "[1,2]"),
    ]);
}

#[test]
fn paths_lead_into_objects_and_arrays() {
    renders(&[
        ("{{ customer.name }}", "Ada"),
        ("{{ customer.address.street }}", "Mill Lane"),
        ("{{ customer.tags.0 }} {{ customer.tags.1 }}", "vip new"),
        ("{{ items.1.sku }} {{ items.0.price }}", "B-2 9.5"),
        ("{{ matrix.1.1.0 }}", "4"),
        ("{{ customer/name }}", "Ada"),
        ("{{ customer/address.number }}", "3"),
        ("{{ keys.0 }} {{ keys.- }}", "zero dash"),
        ("{{ keys.01 }}", "padded"),
        ("{{ customer.name. }}", "Ada"),
    ]);
}

#[test]
fn names_may_hold_dashes_and_begin_with_signs() {
    renders(&[
        ("{{ x-trace }}", "t1"),
        ("{{ $cost }} {{ _internal }} {{ @type }}", "5 6 order"),
        ("{{ id - 1 }} {{ id -1 }} {{ id+1 }}", "1041 1041 1043"),
    ]);
}

#[test]
fn names_of_the_advanced_notation_are_json_pointers() {
    advanced(&[
        ("{{ customer/name }} {{ customer/tags/0 }}", "Ada vip"),
        ("{{ dotted.name }}", "dot"),
        ("{{ a~1b }}", "slash"),
        ("{{ t~0x }}", "tilde"),
        ("{{ items/1/sku }}", "B-2"),
        ("{{ keys/ }}", "nothing"),
        ("{{ default(customer.name, \"one name\") }}", "one name"),
        (
            "{{ exists(\"customer/name\") }} {{ exists(\"customer.name\") }} {{ exists(\"customer~1name\") }}",
            "true true false",
        ),
        (
            "{% for dotted.name in colours %}{{ dotted.name }}{% endfor %}",
            "redblue",
        ),
        ("{% set a.b = 1 %}{{ a/b }}", "1"),
        ("{% set a/c = 1 %}{{ a/c }}", "1"),
        (
            "{% for i in counts %}{{ loop/index1 }}{{ loop/is_last }} {% endfor %}",
            "1false 2false 3true ",
        ),
    ]);
}

#[test]
fn strings_are_escaped_where_that_is_asked_for() {
    escapes(&[
        ("{{ quoted }}", "a\\\"b\\\\c\\n\\té/<"),
        ("\"{{ quoted }}\"", "\"a\\\"b\\\\c\\n\\té/<\""),
        ("{{ title }}", "Order"),
        ("{{ \"a\\\"b\\u0001\\u007fé\" }}", "a\\\"b\\u0001\u{7f}é"),
        (
            "{{ customer }}",
            "{\"address\":{\"number\":3,\"street\":\"Mill Lane\"},\"city\":\"Leeds\",\"name\":\"Ada\",\"tags\":[\"vip\",\"new\"]}",
        ),
        (
            "{{ id }} {{ total }} {{ paid }} [{{ note }}]",
            "1042 39.0 true []",
        ),
        (
            "{{ raw_string(quoted) }}",
            "a\\\\\\\"b\\\\\\\\c\\\\n\\\\té/<",
        ),
        ("{{ upper(quoted) }}", "A\\\"B\\\\C\\n\\té/<"),
        (
            "{% for c in colours %}\"{{ c }}\"{% endfor %}",
            "\"red\"\"blue\"",
        ),
    ]);
}

#[test]
fn white_space_goes_where_a_dash_is() {
    renders(&[
        ("a  {{- title }}  b", "a  Order  b"),
        ("a\n  {{- title }}", "a\nOrder"),
        ("   {{- title -}}   y", "Ordery"),
        ("a\n   {{- title -}}  \n\n  b", "a\nOrderb"),
        ("a {{ title -}} \t\r\n b", "a Orderb"),
        ("a\n\n  {%- if paid -%}\n\n b {% endif %}\n", "a\n\nb \n"),
        ("{% if paid -%}   x   {%- endif %}", "x   "),
        ("a\n\t {%- if paid %}x{% endif -%} \n y", "a\nxy"),
        ("{%+ if paid %}x{%+ endif %}", "x"),
        ("a  \n  {{- id -}}  \n  b", "a  \n1042b"),
        ("line1\r\n{{- title -}}\r\nline2", "line1\r\nOrderline2"),
        ("{{ title -}}\n{{- id }}", "Order1042"),
        ("x\n  \n {{- id }}", "x\n  \n1042"),
        ("{{ customer.name -}} ,", "Ada,"),
    ]);
}

#[test]
fn comments_are_not_there() {
    renders(&[
        ("{# a note #}x", "x"),
        ("x{# a note #}y", "xy"),
        ("{# {{ nope }} {% if %} #}x", "x"),
        ("{##}x", "x"),
        ("{#-#}  y", "y"),
        ("a {#- c -#} b", "a b"),
        ("a\n\t {#- c -#} \t\n\nx", "a\n\nx"),
        ("{# c #}\nx", "\nx"),
        ("{#- c -#}\r\nx", "x"),
        ("{# a #}{# b #}c{# d #}", "c"),
        ("{# two\nlines #}z", "z"),
        ("{# # } #}x", "x"),
        ("  {#- c #}x", "x"),
    ]);
}

#[test]
fn a_line_that_begins_with_two_hashes_is_a_statement() {
    renders(&[
        ("## if paid\nA\n## endif\nB", "A\nB"),
        ("a\n## if void\nA\n## else\nC\n## endif\n", "a\nC\n"),
        ("## for c in colours\n{{ c }}\n## endfor", "red\nblue\n"),
        ("## set a = 1\n{{ a }}", "1"),
        ("##if paid\r\nX\r\n##endif\r\nY", "X\r\nY"),
        ("\n## if paid\nx\n## endif\ny", "\nx\ny"),
        (
            "{% if paid %}\n## if void\na\n## else\nb\n## endif\n{% endif %}",
            "\nb\n",
        ),
        ("  ## if paid\n", "  ## if paid\n"),
        ("## if paid\nx\n## endif", "x\n"),
        ("\u{feff}## if paid\nx\n## endif", "x\n"),
        ("\u{feff}{{ title }}", "Order"),
        ("{# c -#}\n## set a = 2\n{{ a }}", "2"),
    ]);
}

#[test]
fn an_if_takes_the_first_branch_that_holds() {
    renders(&[
        ("{% if paid %}yes{% endif %}", "yes"),
        ("{% if void %}yes{% endif %}", ""),
        ("{% if void %}yes{% else %}no{% endif %}", "no"),
        (
            "{% if id == 1 %}1{% else if id == 1042 %}1042{% else if id == 1042 %}again{% else %}none{% endif %}",
            "1042",
        ),
        (
            "{% if void %}a{% else if void %}b{% else %}c{% endif %}",
            "c",
        ),
        ("{% if void %}a{% else if void %}b{% endif %}", ""),
        (
            "{% if paid %}{% if void %}a{% else if paid %}b{% endif %}c{% endif %}d",
            "bcd",
        ),
        (
            "{% if void %}a{% else %}{% if paid %}b{% endif %}c{% endif %}",
            "bc",
        ),
        (
            "{% if not exists(\"nope\") and exists(\"id\") %}ok{% endif %}",
            "ok",
        ),
        ("{%if paid%}x{%endif%}", "x"),
    ]);
}

#[test]
fn an_if_takes_strings_for_true_even_empty_ones() {
    renders(&[
        ("{% if comment %}true{% else %}false{% endif %}", "true"),
        ("{% if \"\" %}true{% else %}false{% endif %}", "true"),
        ("{% if \"false\" %}true{% else %}false{% endif %}", "true"),
        ("{% if note %}true{% else %}false{% endif %}", "false"),
        ("{% if discount %}true{% else %}false{% endif %}", "false"),
        ("{% if rate %}true{% else %}false{% endif %}", "false"),
        ("{% if debt %}true{% else %}false{% endif %}", "true"),
        ("{% if 0.1 %}true{% else %}false{% endif %}", "true"),
        ("{% if empty_list %}true{% else %}false{% endif %}", "false"),
        (
            "{% if empty_object %}true{% else %}false{% endif %}",
            "false",
        ),
        ("{% if counts %}true{% else %}false{% endif %}", "true"),
        ("{% if sizes %}true{% else %}false{% endif %}", "true"),
        ("{% if [0] %}true{% else %}false{% endif %}", "true"),
        (
            "{% if header(\"nope\") %}true{% else %}false{% endif %}",
            "true",
        ),
    ]);
}

#[test]
fn a_for_goes_through_arrays() {
    renders(&[
        ("{% for c in colours %}{{ c }},{% endfor %}", "red,blue,"),
        ("{% for i in counts %}{{ i * 2 }} {% endfor %}", "6 2 4 "),
        (
            "{% for item in items %}{{ item.sku }}={{ item.count * item.price }};{% endfor %}",
            "A-1=19.0;B-2=20.0;",
        ),
        (
            "{% for row in matrix %}{% for cell in row %}{{ cell }} {% endfor %}/{% endfor %}",
            "1 2 /3 [4] /",
        ),
        ("{% for x in empty_list %}never{% endfor %}", ""),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012"),
        ("{% for i in sort(counts) %}{{ i }}{% endfor %}", "123"),
        (
            "{% for i in default(nope, [7, 8]) %}{{ i }}{% endfor %}",
            "78",
        ),
        (
            "{% for x in [1, \"b\", null] %}[{{ x }}]{% endfor %}",
            "[1][b][]",
        ),
        (
            "{% for t in customer.tags %}{{ t }}{% if not loop.is_last %}, {% endif %}{% endfor %}",
            "vip, new",
        ),
        ("{% for x in at(matrix, 1) %}{{ x }}{% endfor %}", "3[4]"),
    ]);
}

#[test]
fn a_for_goes_through_objects_by_name() {
    renders(&[
        (
            "{% for name, size in sizes %}{{ name }}={{ size }};{% endfor %}",
            "l=2;m=1;xs=[1,2];",
        ),
        ("{% for k, v in empty_object %}never{% endfor %}", ""),
        (
            "{% for k, v in {\"b\": 1, \"a\": 2} %}{{ k }}{{ v }}{% endfor %}",
            "a2b1",
        ),
        (
            "{% for k, v in customer.address %}{{ loop.index1 }}:{{ k }}:{{ v }} {% endfor %}",
            "1:number:3 2:street:Mill Lane ",
        ),
        ("{% for k, k in sizes %}{{ k }};{% endfor %}", "2;1;[1,2];"),
    ]);
}

#[test]
fn loop_tells_where_the_loop_is() {
    renders(&[
        (
            "{% for i in counts %}{{ loop.index }}/{{ loop.index1 }} {{ loop.is_first }} {{ loop.is_last }};{% endfor %}",
            "0/1 true false;1/2 false false;2/3 false true;",
        ),
        (
            "{% for i in counts %}{{ loop }}{% endfor %}",
            "{\"index\":0,\"index1\":1,\"is_first\":true,\"is_last\":false}{\"index\":1,\"index1\":2,\"is_first\":false,\"is_last\":false}{\"index\":2,\"index1\":3,\"is_first\":false,\"is_last\":true}",
        ),
        (
            "{% for i in counts %}{% for c in colours %}{{ loop.parent.index }}{{ loop.index }} {% endfor %}{{ loop.index }};{% endfor %}",
            "00 01 0;10 11 1;20 21 2;",
        ),
        (
            "{% for i in [1] %}{% for j in [1] %}{% for k in [1, 2] %}{{ loop.parent.parent.index }}{{ loop.parent.is_last }}{{ loop }}{% endfor %}{% endfor %}{% endfor %}",
            "0true{\"index\":0,\"index1\":1,\"is_first\":true,\"is_last\":false,\"parent\":{\"index\":0,\"index1\":1,\"is_first\":true,\"is_last\":true,\"parent\":{\"index\":0,\"index1\":1,\"is_first\":true,\"is_last\":true}}}0true{\"index\":1,\"index1\":2,\"is_first\":false,\"is_last\":true,\"parent\":{\"index\":0,\"index1\":1,\"is_first\":true,\"is_last\":true,\"parent\":{\"index\":0,\"index1\":1,\"is_first\":true,\"is_last\":true}}}",
        ),
        (
            "{% for k, v in sizes %}{% for a, b in sizes %}{{ loop.parent.index }}{{ loop.index }} {% endfor %}{% endfor %}",
            "00 01 02 10 11 12 20 21 22 ",
        ),
        (
            "{% for i in [1] %}{{ default(loop.parent.index, \"none\") }}{% endfor %}",
            "none",
        ),
    ]);
}

#[test]
fn a_loop_leaves_its_variables_empty_and_its_loop_behind() {
    renders(&[
        ("[{{ loop }}]", "[]"),
        ("{% for i in counts %}{% endfor %}{{ i }}", "0"),
        ("{% for c in colours %}{% endfor %}[{{ c }}]", "[]"),
        ("{% for t in [true] %}{% endfor %}[{{ t }}]", "[false]"),
        ("{% for f in [1.5] %}{% endfor %}[{{ f }}]", "[0.0]"),
        ("{% for r in matrix %}{% endfor %}[{{ r }}]", "[[]]"),
        ("{% for o in items %}{% endfor %}[{{ o }}]", "[{}]"),
        ("{% for n in [null] %}{% endfor %}[{{ n }}]", "[]"),
        (
            "{% for title in empty_list %}{% endfor %}[{{ title }}]",
            "[]",
        ),
        (
            "{% for k, v in sizes %}{% endfor %}[{{ k }}][{{ v }}]",
            "[][[]]",
        ),
        (
            "{% for i in counts %}{% endfor %}{{ loop }}",
            "{\"index\":2,\"index1\":3,\"is_first\":false,\"is_last\":true,\"parent\":null}",
        ),
        (
            "{% for i in counts %}{% endfor %}{% for c in colours %}{{ loop }}{% endfor %}{{ loop.index }}",
            "{\"index\":0,\"index1\":1,\"is_first\":true,\"is_last\":false,\"parent\":{\"index\":2,\"index1\":3,\"is_first\":false,\"is_last\":true,\"parent\":null}}{\"index\":1,\"index1\":2,\"is_first\":false,\"is_last\":true,\"parent\":{\"index\":2,\"index1\":3,\"is_first\":false,\"is_last\":true,\"parent\":null}}2",
        ),
        (
            "{% for i in empty_list %}{% endfor %}{{ loop }}",
            "{\"is_first\":true,\"is_last\":true,\"parent\":null}",
        ),
        (
            "{% for i in counts %}{% for j in empty_list %}{% endfor %}{{ loop }}{% endfor %}",
            "{\"index\":0,\"index1\":1,\"is_first\":true,\"is_last\":false}{\"index\":1,\"index1\":2,\"is_first\":false,\"is_last\":false}{\"index\":2,\"index1\":3,\"is_first\":false,\"is_last\":true}",
        ),
        (
            "{% for item in items %}{{ default(item.city, \"none\") }}{% endfor %}",
            "nonenone",
        ),
        (
            "{% for customer in items %}{{ customer.sku }} of {{ customer.city }};{% endfor %}",
            "A-1 of Leeds;B-2 of Leeds;",
        ),
    ]);
}

#[test]
fn set_makes_variables_that_hide_the_messages() {
    renders(&[
        ("{% set a = 1 %}{{ a }}", "1"),
        ("{% set a = \"x\" %}{% set a = a + a %}{{ a }}", "xx"),
        ("{% set a = customer.tags %}{{ a.1 }}", "new"),
        ("{% set title=-1 %}{{ title }}", "-1"),
        (
            "{% set a.b = 1 %}{% set a.c = \"x\" %}{{ a }}{{ a.b }}{{ a.c }}",
            "{\"b\":1,\"c\":\"x\"}1x",
        ),
        ("{% set a/b = 3 %}{{ a }}", "{\"b\":3}"),
        ("{% set a.x.0.y = 1 %}{{ a }}", "{\"x\":[{\"y\":1}]}"),
        ("{% set a.0 = 1 %}{% set a.2 = 3 %}{{ a }}", "[1,null,3]"),
        ("{% set a.- = 1 %}{% set a.- = 2 %}{{ a }}", "[1,2]"),
        (
            "{% set a = counts %}{% set a.1 = \"n\" %}{{ a }} {{ counts }}",
            "[3,\"n\",2] [3,1,2]",
        ),
        (
            "{% set customer.name = \"Bob\" %}{{ customer.name }} {{ customer.city }} {{ customer }}",
            "Bob Leeds {\"name\":\"Bob\"}",
        ),
        (
            "{% for i in counts %}{% set last_one = i %}{% endfor %}{{ last_one }}",
            "2",
        ),
        ("{% if paid %}{% set a = 1 %}{% endif %}{{ a }}", "1"),
        ("{% set a = {\"b\": [1, 2] } %}{{ a.b.1 }}", "2"),
        ("{% set a = counts == counts %}{{ a }}", "true"),
        ("{% set a = note %}[{{ a }}]", "[]"),
        ("{% set a = body() %}{{ a }}{{ length(a) }}", "raw body8"),
        (
            "{% set a = {} %}{% set a.b = a %}{% set a.b = a %}{{ a }}",
            "{\"b\":{\"b\":{}}}",
        ),
    ]);
}

#[test]
fn a_block_prints_what_is_in_it() {
    renders(&[
        ("{% block head %}in {{ title }}{% endblock %}", "in Order"),
        (
            "{% block a %}1{% block b %}2{% endblock %}{% endblock %}",
            "12",
        ),
    ]);
}

#[test]
fn what_is_not_a_template_is_refused_with_its_place() {
    refuses(&[
        (
            "a{{ title",
            "expected '}}', got '<end of template>' (line 1, column 10)",
        ),
        ("a{{ title }", "expected '}}', got '}' (line 1, column 11)"),
        (
            "a{{ title %}",
            "expected an expression, got '}' (line 1, column 12)",
        ),
        (
            "{% if paid }}x{% endif %}",
            "expected '%}', got '}' (line 1, column 12)",
        ),
        ("{% endif %}", "'endif' without 'if' (line 1, column 4)"),
        (
            "{% if paid %}",
            "'if' is never closed: expected 'endif' (line 1, column 4)",
        ),
        ("{% else %}", "'else' is not in an 'if' (line 1, column 4)"),
        ("{% endfor %}", "'endfor' without 'for' (line 1, column 4)"),
        (
            "{% for a in counts %}",
            "'for' is never closed: expected 'endfor' (line 1, column 4)",
        ),
        (
            "{% for a counts %}{% endfor %}",
            "expected 'in', got 'counts' (line 1, column 10)",
        ),
        (
            "{% for 1 in counts %}{% endfor %}",
            "expected the name of a variable, got '1' (line 1, column 8)",
        ),
        (
            "{% for a, 1 in counts %}{% endfor %}",
            "expected the name of a variable, got '1' (line 1, column 11)",
        ),
        (
            "{% unknown %}",
            "expected a statement, got 'unknown' (line 1, column 4)",
        ),
        ("{% %}", "expected a statement, got '%}' (line 1, column 4)"),
        (
            "{% if paid paid %}x{% endif %}",
            "expected '%}', got 'paid' (line 1, column 12)",
        ),
        (
            "{% set 1 = 2 %}",
            "expected the name of a variable, got '1' (line 1, column 8)",
        ),
        (
            "{% set x == 2 %}",
            "expected '=', got '==' (line 1, column 10)",
        ),
        ("{% set x 2 %}", "expected '=', got '2' (line 1, column 10)"),
        (
            "{{ shout(title) }}",
            "unknown function shout (line 1, column 4)",
        ),
        (
            "{{ upper() }}",
            "function upper takes 1 argument, not 0 (line 1, column 4)",
        ),
        (
            "{{ upper(title, title) }}",
            "function upper takes 1 argument, not 2 (line 1, column 4)",
        ),
        (
            "{{ upper(title }}",
            "expected ')', got '}}' (line 1, column 16)",
        ),
        (
            "{{ title title }}",
            "expected '}}', got 'title' (line 1, column 10)",
        ),
        ("{{ 1 2 }}", "expected '}}', got '2' (line 1, column 6)"),
        (
            "{{ + 1 }}",
            "expected an expression, got '+' (line 1, column 4)",
        ),
        (
            "{{ 1 + }}",
            "expected an expression, got '}}' (line 1, column 8)",
        ),
        ("{{ (1 + 2 }}", "expected ')', got '}}' (line 1, column 11)"),
        ("{{ 1 + 2) }}", "expected '}}', got ')' (line 1, column 9)"),
        (
            "{{ () }}",
            "expected an expression, got ')' (line 1, column 5)",
        ),
        (
            "{{ 'single' }}",
            "expected an expression, got ''' (line 1, column 4)",
        ),
        (
            "{{ title | upper }}",
            "expected '}}', got '|' (line 1, column 10)",
        ),
        ("{{ title? }}", "expected '}}', got '?' (line 1, column 9)"),
        (
            "{{ title = \"a\" }}",
            "expected '}}', got '=' (line 1, column 10)",
        ),
        (
            "{{ \"unterminated }}",
            "'\"unterminated }}' is not a string as in JSON (line 1, column 4)",
        ),
        (
            "{{ \"bad \\q\" }}",
            "'\"bad \\q\"' is not a string as in JSON (line 1, column 4)",
        ),
        (
            "{{ [1,] }}",
            "not an array or object as in JSON: trailing comma at line 1 column 4 (line 1, column 4)",
        ),
        (
            "{{ [title] }}",
            "not an array or object as in JSON: expected ident at line 1 column 3 (line 1, column 4)",
        ),
        (
            "{{ [1 }, 2] }}",
            "not an array or object as in JSON: expected `,` or `]` at line 1 column 4 (line 1, column 4)",
        ),
        (
            "{{ : }}",
            "expected an expression, got ':' (line 1, column 4)",
        ),
        (
            "{{ , }}",
            "expected an expression, got ',' (line 1, column 4)",
        ),
        (
            "{{ title, id }}",
            "expected '}}', got ',' (line 1, column 9)",
        ),
        (
            "{{ 1. }}",
            "'1.' is not a number as in JSON (line 1, column 4)",
        ),
        (
            "{{ 01 }}",
            "'01' is not a number as in JSON (line 1, column 4)",
        ),
        (
            "{{ 1.2.3 }}",
            "'1.2.3' is not a number as in JSON (line 1, column 4)",
        ),
        (
            "{{ 1e }}",
            "'1e' is not a number as in JSON (line 1, column 4)",
        ),
        (
            "{{ 1e999 }}",
            "'1e999' is not a number as in JSON (line 1, column 4)",
        ),
        (
            "{{ - }}",
            "'-' is not a number as in JSON (line 1, column 4)",
        ),
        (
            "{{ ~a }}",
            "'~' in '~a' is not followed by 0 or 1 (line 1, column 4)",
        ),
        (
            "{{ not }}",
            "expected an expression, got '}}' (line 1, column 8)",
        ),
        (
            "{{ and }}",
            "'and' has nothing before it (line 1, column 4)",
        ),
        ("{{ in }}", "'in' has nothing before it (line 1, column 4)"),
        (
            "{# never closed",
            "the comment is never closed: expected '#}' (line 1, column 1)",
        ),
        (
            "{% block a %}{% endblock %}{% block a %}{% endblock %}",
            "there already is a block 'a' (line 1, column 37)",
        ),
        (
            "{% elif paid %}",
            "expected a statement, got 'elif' (line 1, column 4)",
        ),
        (
            "{% include title %}",
            "'include' is not possible here: a transformation has one template (line 1, column 4)",
        ),
        (
            "x\ny {{ upper() }}",
            "function upper takes 1 argument, not 0 (line 2, column 6)",
        ),
        (
            "{% if paid %}\n\n {% endfor %}",
            "'endfor' within 'if' of line 1: expected 'endif' (line 3, column 5)",
        ),
        (
            "## if paid %}\nx\n## endif",
            "expected an expression, got '}' (line 1, column 13)",
        ),
        ("## # x", "expected a statement, got '#' (line 1, column 4)"),
    ]);
}
