//! YAML (and so JSON) text to values, document by document: a broken one leaves its neighbours alone.

use serde_json::Value;
use serde_saphyr::{DuplicateKeyPolicy, Options};

/// Why a document is not read.
pub(crate) struct Broken {
    /// Lower case, with the line.
    pub(crate) text: String,
    /// The document as far as it can be understood, to tell which resource it is.
    pub(crate) guess: Option<Value>,
}

/// More fields than a resource has beside each other.
const MOST_GUESSES: usize = 8;

/// The documents of a text that are not empty.
pub(crate) fn documents(text: &str) -> Vec<Result<Value, Broken>> {
    split(text)
        .into_iter()
        .filter(|(_, text)| !is_blank(text))
        .map(|(line, text)| read(text, line))
        .filter(|read| !matches!(read, Ok(Value::Null)))
        .collect()
}

/// Cuts at the lines `---`. They cannot be anything else: YAML allows none inside a scalar at the start of a line.
fn split(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut start_line, mut at) = (0, 0, 0);
    for (line, content) in text.split_inclusive('\n').enumerate() {
        let marker = content
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        if marker {
            documents.push((start_line, &text[start..at]));
            (start, start_line) = (at, line);
        }
        at += content.len();
    }
    documents.push((start_line, &text[start..]));
    documents
}

fn is_blank(text: &str) -> bool {
    text.lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---" || line.starts_with('%')
    })
}

fn read(text: &str, first_line: usize) -> Result<Value, Broken> {
    serde_saphyr::from_str_with_options(text, options(DuplicateKeyPolicy::Error)).map_err(|error| {
        let line = error.location().map(|at| at.line());
        let line = line
            .and_then(|line| usize::try_from(line).ok())
            .unwrap_or(1);
        Broken {
            text: format!(
                "not valid YAML at line {}: {}",
                first_line + line,
                reason(&error)
            ),
            guess: guess(text, line),
        }
    })
}

/// What is wrong, as somebody who writes YAML would say it.
fn reason(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    // It counts lines from the start of the document.
    let first = first.split(" at line ").next().unwrap_or_default();
    if let Some(key) = first.strip_prefix("duplicate mapping key: ") {
        let key = key.split(", set Dup").next().unwrap_or_default();
        return format!("{key:?} is there twice");
    }
    for (start, meaning) in [
        (
            "budget breached",
            "too much of it, counting what aliases stand for",
        ),
        (
            "recursive references",
            "an alias of what it is itself within",
        ),
        ("recursion limit", "nested too deeply"),
        (
            "expected string scalar",
            "the name of a field is not a text; quote it if it is meant as one",
        ),
        ("non-finite float", "a number that is too large"),
    ] {
        if first.starts_with(start) {
            return meaning.to_owned();
        }
    }
    first.to_owned()
}

/// As much of a document as can be understood: with the last of equal keys, or else what stands before the field in which
/// the fault is.
fn guess(text: &str, line: usize) -> Option<Value> {
    let read = |text: &str| -> Option<Value> {
        serde_saphyr::from_str_with_options(text, options(DuplicateKeyPolicy::LastWins)).ok()
    };
    let mut ends = Vec::new();
    let mut end = 0;
    for content in text.split_inclusive('\n').take(line) {
        if content.starts_with(|c: char| !c.is_whitespace() && !"#-".contains(c)) {
            ends.push(end);
        }
        end += content.len();
    }
    let before = ends.into_iter().rev().filter(|end| *end > 0);
    read(text).or_else(|| {
        before
            .take(MOST_GUESSES)
            .find_map(|end| read(text.get(..end)?))
    })
}

fn options(duplicate_keys: DuplicateKeyPolicy) -> Options {
    serde_saphyr::options! {
        duplicate_keys: duplicate_keys,
        // As kubectl reads it: YAML 1.1, where 010 is eight and `no` is false.
        legacy_octal_numbers: true,
        strict_booleans: false,
        with_snippet: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<Value, String> {
        let mut documents = documents(text);
        assert_eq!(documents.len(), 1, "{text}");
        documents.remove(0).map_err(|broken| broken.text)
    }

    #[test]
    fn duplicate_keys_are_refused_with_their_line() {
        let error = one("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert!(
            error.contains("line 3") && error.contains("\"a\" is there twice"),
            "{error}"
        );
    }

    #[test]
    fn untyped_words_are_booleans_as_kubectl_reads_them() {
        assert_eq!(
            one("[yes, no, on, off, 'no']").unwrap(),
            serde_json::json!([true, false, true, false, "no"])
        );
    }

    #[test]
    fn leading_zeros_are_octal_as_kubectl_reads_them() {
        assert_eq!(one("[010, 8080]").unwrap(), serde_json::json!([8, 8080]));
    }

    #[test]
    fn alias_bombs_are_stopped() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..10 {
            let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
            text += &format!("a{n}: &a{n} [{aliases}]\n");
        }
        assert!(one(&text).is_err());
    }

    #[test]
    fn a_broken_document_leaves_its_neighbours_alone() {
        let read = documents("a: 1\n---\nb: [\n---\n# only a comment\n---\nc: 3\n");
        let good: Vec<_> = read.iter().map(Result::is_ok).collect();
        assert_eq!(good, [true, false, true]);
        let Err(broken) = &read[1] else { panic!() };
        assert!(
            broken.text.contains("at line 3: unclosed"),
            "{}",
            broken.text
        );
    }

    #[test]
    fn what_stands_before_a_fault_says_which_resource_it_is() {
        let guess = |text: &str| {
            let Err(broken) = documents(text).remove(0) else {
                panic!()
            };
            broken.guess
        };
        let expected = serde_json::json!({"kind": "A", "metadata": {"name": "b"}});
        for spec in [
            "spec: {a: [",
            "spec:\n\ta: b",
            "spec:\n<<<<<<<\n",
            "spec: {a: *b}",
        ] {
            let text = format!("kind: A\nmetadata: {{name: b}}\n{spec}\n");
            let mut found = guess(&text).unwrap();
            found.as_object_mut().unwrap().remove("spec");
            assert_eq!(found, expected, "{spec}");
        }
        assert_eq!(guess("[a, b"), None);
    }

    #[test]
    fn json_is_read() {
        assert_eq!(
            one(r#"{"a": [1, "b"]}"#).unwrap(),
            serde_json::json!({"a": [1, "b"]})
        );
    }
}
