//! The rules of the specification of the Gateway API, and the tests of its conformance suite, each with the tests here that
//! hold us to it: `tests/golden/rules.yaml`. What that names is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    /// What the specification says.
    rules: Vec<Rule>,
    /// The tests of the conformance suite, of v1.5.
    conformance: Vec<Conformance>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    rule: String,
    tests: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conformance {
    name: String,
    #[serde(default)]
    tests: Vec<String>,
    /// Why none.
    #[serde(default)]
    missing: Option<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All the sources below a folder.
fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|it| it == "rs") {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// What is there: golden cases, broken inputs and pairs by their files, other tests by the names of their functions.
struct There {
    end_to_end: String,
    units: String,
}

impl There {
    fn has(&self, test: &str) -> bool {
        let function = |sources: &str, name: &str| sources.contains(&format!("fn {name}("));
        let golden = |folder: &str, name: &str| {
            let path = root().join("tests/golden").join(folder).join(name);
            path.is_dir() || path.with_extension("yaml").is_file()
        };
        match test.split_once(':') {
            Some(("e2e", name)) => function(&self.end_to_end, name),
            Some(("unit", name)) => function(&self.units, name),
            Some(("golden", name)) => golden("translate", name),
            Some(("bad", name)) => golden("bad", name),
            Some(("pairs", name)) => golden("pairs", name),
            _ => false,
        }
    }
}

#[test]
fn each_rule_is_held_by_tests_that_are_there() {
    let text = fs::read_to_string(root().join("tests/golden/rules.yaml")).unwrap();
    let rules: Rules = serde_saphyr::from_str(&text).unwrap();
    let mut there = There {
        end_to_end: String::new(),
        units: String::new(),
    };
    sources(&root().join("tests/e2e/tests"), &mut there.end_to_end);
    for folder in ["control/translate", "control/model"] {
        sources(&root().join(folder), &mut there.units);
    }
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    let of_rules = rules.rules.iter().map(|it| (&it.rule, &it.tests, &None));
    let of_suite = rules
        .conformance
        .iter()
        .map(|it| (&it.name, &it.tests, &it.missing));
    for (name, tests, missing) in of_rules.chain(of_suite) {
        if tests.is_empty() != missing.is_some() {
            wrong.push(format!("{name}: expected tests, or why there are none"));
        }
        if !names.insert(name) {
            wrong.push(format!("{name}: is there twice"));
        }
        let gone = tests.iter().filter(|it| !there.has(it));
        wrong.extend(gone.map(|it| format!("{name}: there is no {it}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rules.rules.len() >= 60, "only {} rules", rules.rules.len());
    assert_eq!(rules.conformance.len(), 108, "tests of the suite");
}
