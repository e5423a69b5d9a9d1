//! What a template says that it reads.

use tenon_core::inja::{Syntax, Template};

fn reads(template: &str) -> (bool, bool, Vec<String>) {
    let template = Template::compile(template, &Syntax::default()).unwrap();
    let uses = template.uses().clone();
    assert_eq!(
        template.uses_body(),
        uses.body || uses.context || !uses.variables.is_empty()
    );
    (uses.body, uses.context, uses.variables)
}

#[test]
fn what_a_template_reads_is_known_before_it_is_rendered() {
    for (template, body, context, variables) in [
        ("plain {{ \"text\" }}", false, false, vec![]),
        (
            "{{ header(\"a\") }}{{ extraction(\"b\") }}",
            false,
            false,
            vec![],
        ),
        ("{{ body() }}", true, false, vec![]),
        ("{{ upper(body()) }}", true, false, vec![]),
        ("{{ context() }}", false, true, vec![]),
        ("{{ body }}", true, false, vec!["body"]),
        ("{{ a.b.c + x }}{{ a.d }}", false, false, vec!["a", "x"]),
        ("{{ default(id, \"\") }}", false, false, vec!["id"]),
        (
            "{% if id %}{% endif %}{% for x in list %}{% endfor %}",
            false,
            false,
            vec!["id", "list"],
        ),
        ("{{ exists(\"a.b\") }}", false, false, vec!["a"]),
        ("{{ exists(header(\"n\")) }}", false, true, vec![]),
        // A pointer with escapes in it.
        ("{{ exists(\"a~1b/c\") }}", false, true, vec![]),
    ] {
        let expected: Vec<String> = variables.into_iter().map(str::to_owned).collect();
        assert_eq!(reads(template), (body, context, expected), "{template}");
    }
}

#[test]
fn names_that_the_template_surely_sets_are_not_the_messages() {
    for (template, variables) in [
        ("{% set a = 1 %}{{ a }}", vec![]),
        ("{{ a }}{% set a = 1 %}", vec!["a"]),
        ("{% set a = a %}", vec!["a"]),
        (
            "{% for x in [1] %}{{ x }}{{ loop.index }}{% endfor %}{{ x }}",
            vec![],
        ),
        ("{% for k, v in {} %}{{ k }}{{ v }}{% endfor %}", vec![]),
        (
            "{% if header(\"a\") == \"\" %}{% set a = 1 %}{{ a }}{% endif %}{{ a }}",
            vec!["a"],
        ),
        (
            "{% if false %}{% set a = 1 %}{% else %}{{ a }}{% endif %}",
            vec!["a"],
        ),
        (
            "{% for x in [] %}{% set a = 1 %}{% endfor %}{{ a }}",
            vec!["a"],
        ),
        ("{% block b %}{% set a = 1 %}{% endblock %}{{ a }}", vec![]),
        ("{% set a = 1 %}{{ exists(\"a\") }}", vec!["a"]),
        ("{{ loop.index }}", vec!["loop"]),
    ] {
        let expected: Vec<String> = variables.into_iter().map(str::to_owned).collect();
        assert_eq!(reads(template).2, expected, "{template}");
    }
}

#[test]
fn what_a_template_sets_may_still_be_looked_for_in_the_message() {
    let template = "{% set a = 1 %}{{ a.b }}{% for x in [1] %}{{ loop.is_odd }}{% endfor %}";
    let template = Template::compile(template, &Syntax::default()).unwrap();
    assert_eq!(template.uses().variables, [""; 0]);
    assert_eq!(template.uses().names, ["a", "loop"]);
}

#[test]
fn a_template_that_reads_nothing_is_a_literal() {
    for (template, literal) in [
        ("", Some("")),
        ("text", Some("text")),
        ("a{# note #}b", Some("ab")),
        (
            "a {{- \"b\" -}} {{ 1 }}{{ 2.50 }}{{ null }}{{ [1, {\"a\":2}] }}",
            Some("a b12.5[1,{\"a\":2}]"),
        ),
        ("{% block x %}a{% endblock %}b", Some("ab")),
        ("{{ 1 + 1 }}", None),
        ("{{ header(\"a\") }}", None),
        ("{% set a = 1 %}", None),
    ] {
        let template = Template::compile(template, &Syntax::default()).unwrap();
        assert_eq!(template.literal(), literal);
    }
}

#[test]
fn a_literal_is_escaped_where_that_is_asked_for() {
    let syntax = Syntax {
        advanced: false,
        escape_characters: true,
    };
    let template = Template::compile("\"{{ \"a\\\"b\" }}\"", &syntax).unwrap();
    assert_eq!(template.literal(), Some("\"a\\\"b\""));
}
