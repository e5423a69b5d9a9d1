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
        let text_of_error = error.without_snippet().to_string();
        let first = text_of_error.lines().next().unwrap_or_default();
        // It counts from the start of the document.
        let first = first.split(" at line ").next().unwrap_or_default();
        Broken {
            text: format!("not valid YAML at line {}: {first}", first_line + line),
            guess: serde_saphyr::from_str_with_options(text, options(DuplicateKeyPolicy::LastWins))
                .ok(),
        }
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
            error.contains("line 3") && error.contains("duplicate"),
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
    fn json_is_read() {
        assert_eq!(
            one(r#"{"a": [1, "b"]}"#).unwrap(),
            serde_json::json!({"a": [1, "b"]})
        );
    }
}
