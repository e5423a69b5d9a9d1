//! Path templates and the table of functions: it finds a function if and only if one of the templates matches, and what
//! the parameters took is what stood there.

use tenon_contract::{PathTemplate, Segment, normalize_path};
use tenon_core::matching::Functions;

use crate::input::Input;

/// A path on the first line, and a template on each other.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let path = input.line();
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    let Ok(text) = std::str::from_utf8(input.0) else {
        return;
    };
    for line in text.lines() {
        if let Ok(template) = PathTemplate::parse(line) {
            assert_eq!(
                PathTemplate::parse(template.as_str()).as_ref(),
                Ok(&template)
            );
        }
    }
    let templates: Vec<&str> = text.lines().take(32).collect();
    let Ok(functions) = Functions::compile(templates.iter().map(|path| (&[][..], *path))) else {
        return;
    };
    let found = functions.find(b"GET", path);
    let Ok(path) = std::str::from_utf8(path) else {
        assert!(found.is_err());
        return;
    };
    let path = normalize_path(path);
    match found {
        Ok(matched) => {
            let template = PathTemplate::parse(templates[matched.index]).expect("compiled");
            let mut filled = String::new();
            for segment in template.segments() {
                filled.push('/');
                match segment {
                    Segment::Literal(text) => filled.push_str(text),
                    Segment::Parameter(name) | Segment::Rest(name) => {
                        let taken = matched.parameters.iter().find(|one| one.name == *name);
                        let taken = taken.expect("every parameter took something");
                        assert!(!taken.encoded.is_empty());
                        taken.decoded();
                        filled.push_str(&taken.encoded);
                    }
                }
            }
            assert_eq!(filled, path);
            let names = matched.parameters.iter().map(|one| &*one.name);
            assert!(names.eq(template.names()));
        }
        Err(_) => {
            // Where a better template refuses a path, as one with `..` in a parameter, no other has to take it.
            if path.split('/').any(|segment| matches!(segment, "." | "..")) {
                return;
            }
            for template in templates {
                let template = PathTemplate::parse(template).expect("compiled");
                assert!(!matches(&template, &path), "{template} matches {path}");
            }
        }
    }
}

/// The plain meaning of a template.
fn matches(template: &PathTemplate, path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else {
        return false;
    };
    let mut rest = Some(path);
    for segment in template.segments() {
        let Some(left) = rest else {
            return false;
        };
        let (first, others) = match left.split_once('/') {
            Some((first, others)) => (first, Some(others)),
            None => (left, None),
        };
        match segment {
            Segment::Literal(text) if first == text => {}
            Segment::Parameter(_) if !first.is_empty() => {}
            // An empty first segment is refused where it is the router's to decide; see `matching`.
            Segment::Rest(_) => return left.split('/').all(|one| !one.is_empty()),
            _ => return false,
        }
        rest = others;
    }
    rest.is_none()
}
