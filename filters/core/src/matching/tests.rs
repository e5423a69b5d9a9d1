use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

type Given = (Vec<String>, String);

fn given(functions: &[(&str, &str)]) -> Vec<Given> {
    let function = |(methods, path): &(&str, &str)| {
        let methods = methods.split_whitespace().map(str::to_owned).collect();
        (methods, (*path).to_owned())
    };
    functions.iter().map(function).collect()
}

fn compile(functions: &[Given]) -> Result<Functions, Error> {
    Functions::compile(
        functions
            .iter()
            .map(|(methods, path)| (&methods[..], &path[..])),
    )
}

fn table(functions: &[(&str, &str)]) -> Functions {
    compile(&given(functions)).unwrap()
}

fn refused(functions: &[(&str, &str)]) -> String {
    compile(&given(functions)).unwrap_err().to_string()
}

fn found(table: &Functions, method: &str, path: &str) -> Option<usize> {
    let found = table.find(method.as_bytes(), path.as_bytes()).ok()?;
    Some(found.index)
}

#[test]
fn literals_win_over_parameters_and_parameters_over_catch_alls() {
    let table = table(&[
        ("", "/{*rest}"),
        ("", "/users/{proxy+}"),
        ("", "/users/{id}"),
        ("", "/users/me"),
        ("", "/{kind}/me/{*rest}"),
        ("", "/users/{id}/posts"),
    ]);
    for (path, index) in [
        ("/users/me", 3),
        ("/users/7", 2),
        ("/users/7/posts", 5),
        ("/users/7/likes", 1),
        ("/users/me/likes", 4),
        ("/groups/me/likes", 4),
        ("/groups/7", 0),
        ("/users", 0),
        ("/users/me?x=/users/7", 3),
    ] {
        assert_eq!(found(&table, "GET", path), Some(index), "{path}");
    }
    assert_eq!(
        found(&table, "GET", "/"),
        None,
        "a catch-all takes something"
    );
}

#[test]
fn a_method_of_its_own_wins_over_any_and_head_is_served_by_get() {
    let table = table(&[
        ("GET POST", "/a"),
        ("", "/a"),
        ("HEAD", "/b"),
        ("GET", "/b"),
        ("*", "/c/{x}"),
        ("ANY", "/d"),
        ("POST", "/c/d"),
        ("GET", "/{*rest}"),
    ]);
    for (method, path, index) in [
        ("GET", "/a", Some(0)),
        ("HEAD", "/a", Some(0)),
        ("DELETE", "/a", Some(1)),
        ("PROPFIND", "/a", Some(1)),
        ("HEAD", "/b", Some(2)),
        ("GET", "/c/d", Some(4)),
        ("POST", "/c/d", Some(6)),
        ("HEAD", "/c/d", Some(4)),
        ("GET", "/d", Some(5)),
        ("HEAD", "/e", Some(7)),
        ("POST", "/e", None),
        ("get", "/e", None),
    ] {
        assert_eq!(found(&table, method, path), index, "{method} {path}");
    }
}

#[test]
fn no_match_tells_the_methods_that_there_are() {
    let table = table(&[("GET PUT", "/a/{id}"), ("POST", "/a"), ("", "/b")]);
    let allowed = |path: &str| table.find(b"DELETE", path.as_bytes()).unwrap_err().allowed;
    assert_eq!(allowed("/a/1"), ["GET", "HEAD", "PUT"]);
    assert_eq!(allowed("/a"), ["POST"]);
    assert_eq!(allowed("/c"), [""; 0]);
    assert!(table.find(b"\xff", b"/b").is_ok(), "any method");
    assert_eq!(table.find(b"GET", b"/\xff").unwrap_err().allowed, [""; 0]);
}

#[test]
fn parameters_are_told_encoded_and_decoded() {
    let table = table(&[("", "/u/{id}/f/{*rest}")]);
    let found = table
        .find(b"GET", b"/u/a%2fb%20%C3%BC+%zz/f/x/y%2Fz/?q=1")
        .unwrap();
    let told: Vec<_> = found
        .parameters
        .iter()
        .map(|it| (it.name.as_str(), it.encoded.as_str(), it.decoded()))
        .collect();
    assert_eq!(
        told,
        [
            ("id", "a%2Fb%20%C3%BC+%zz", "a/b \u{fc}+%zz".into()),
            ("rest", "x/y%2Fz/", "x/y/z/".into()),
        ]
    );
}

#[test]
fn equal_paths_match_however_they_are_encoded_and_a_trailing_slash_matters() {
    let table = table(&[("", "/caf\u{e9}/%7Ebar"), ("", "/users/"), ("", "/{id}")]);
    for (path, index) in [
        ("/caf%c3%a9/~bar", Some(0)),
        ("/caf%C3%A9/%7ebar", Some(0)),
        ("/users/", Some(1)),
        ("/users", Some(2)),
        ("/x/", None),
        ("//", None),
        ("", None),
        ("*", None),
    ] {
        assert_eq!(found(&table, "GET", path), index, "{path}");
    }
}

#[test]
fn parameters_never_climb() {
    let table = table(&[("", "/a/{id}"), ("", "/b/{*rest}")]);
    for path in [
        "/a/..",
        "/a/%2e%2E",
        "/a/.",
        "/b/x/../y",
        "/b/.%2e",
        "/b/x/%2e",
    ] {
        assert_eq!(found(&table, "GET", path), None, "{path}");
    }
    assert_eq!(found(&table, "GET", "/a/..."), Some(0));
}

#[test]
fn what_cannot_be_told_apart_is_refused_with_both_places() {
    for (functions, expected) in [
        (
            &[
                ("GET", "/a/{id}"),
                ("", "/a/{id}"),
                ("PUT GET", "/a/{name}"),
            ][..],
            "functions[2].path: GET /a/{name} is that of functions[0] too",
        ),
        (
            &[("ANY", "/{*a}"), ("*", "/{b+}")],
            "functions[1].path: ANY /{b+} is that of functions[0] too",
        ),
        (
            &[("", "/a"), ("", "a")],
            r#"functions[1].path: "a" does not begin with /"#,
        ),
        (
            &[("get", "/a")],
            r#"functions[0].methods: "get" is no method"#,
        ),
    ] {
        assert_eq!(refused(functions), expected);
    }
}

/// The least of several measurements, so that what else runs does not count.
#[expect(clippy::disallowed_methods, reason = "the cost is what is tested")]
fn cost(functions: usize) -> Duration {
    let given: Vec<Given> = (0..functions)
        .map(|index| {
            (
                vec!["GET".to_owned()],
                format!("/shop/f{index:05}/items/{{id}}"),
            )
        })
        .collect();
    let table = compile(&given).unwrap();
    let path = format!("/shop/f{:05}/items/42", functions / 2);
    let rounds = (0..50).map(|_| {
        let start = Instant::now();
        for _ in 0..200 {
            assert!(found(&table, "GET", std::hint::black_box(&path)).is_some());
        }
        start.elapsed()
    });
    rounds.min().unwrap()
}

#[test]
fn a_lookup_among_ten_thousand_costs_what_one_among_ten_costs() {
    let (few, many) = (cost(10), cost(10_000));
    // A search would cost a thousand times as much.
    assert!(many < few * 5, "{few:?} among 10, {many:?} among 10,000");
}

/// What the module's documentation says, in the plainest form.
fn plainly(functions: &[Given], path: &str) -> Option<usize> {
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let rank = |(index, (_, path)): (usize, &Given)| {
        let template = PathTemplate::parse(path).unwrap();
        let pattern = template.segments();
        let before = pattern.len() - usize::from(template.is_greedy());
        if segments.len() < pattern.len() || (segments.len() > before && !template.is_greedy()) {
            return None;
        }
        let mut kinds = Vec::new();
        for (segment, pattern) in segments.iter().zip(&pattern[..before]) {
            match pattern {
                Segment::Literal(text) if text == segment => kinds.push(0),
                Segment::Parameter(_) if !segment.is_empty() => kinds.push(1),
                _ => return None,
            }
        }
        if template.is_greedy() && segments[before..].join("/").is_empty() {
            return None;
        }
        let greedy = template.is_greedy().then_some(Reverse(before));
        Some((greedy, kinds, index))
    };
    let ranked = functions.iter().enumerate().filter_map(rank);
    ranked.min().map(|(_, _, index)| index)
}

fn templates() -> impl Strategy<Value = Vec<Given>> {
    let segment = prop::sample::select(vec!["a", "b", "ab", "{x}"]);
    let end = prop::sample::select(vec!["", "/", "/{*rest}", "/a", "/{y}"]);
    let template = (vec(segment, 0..4), end).prop_map(|(segments, end)| {
        let mut path = String::new();
        for (index, segment) in segments.iter().enumerate() {
            path.push('/');
            path.push_str(&segment.replace('x', &format!("x{index}")));
        }
        path.push_str(end);
        if path.is_empty() {
            "/".to_owned()
        } else {
            path
        }
    });
    vec(template, 1..12).prop_map(|paths| {
        let mut shapes = BTreeSet::new();
        let paths = paths.into_iter();
        paths
            .filter(|path| shapes.insert(PathTemplate::parse(path).unwrap().shape()))
            .map(|path| (Vec::new(), path))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2048, ..ProptestConfig::default() })]

    #[test]
    fn lookups_find_what_the_rules_say(functions in templates(), paths in vec("(/(a|b|ab|c)?){0,5}", 8)) {
        let table = compile(&functions).unwrap();
        for path in paths {
            prop_assert_eq!(found(&table, "GET", &path), plainly(&functions, &path), "{}", path);
        }
    }

    #[test]
    fn no_request_does_harm(method in ".{0,6}", path in vec(any::<u8>(), 0..40)) {
        let table = table(&[("GET", "/a/{b}"), ("", "/{*c}")]);
        let _ = table.find(method.as_bytes(), &path);
    }
}
