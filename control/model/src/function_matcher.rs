//! Which requests a function of an upstream is for.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tenon_contract::PathTemplate;

use crate::read::{Fields, Node};

/// Which requests a function is for, where the route names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionMatcher {
    /// The methods; none: any.
    pub methods: Vec<String>,
    /// The paths.
    pub path: PathTemplate,
}

/// The requests that functions of one upstream are for, so far: by template's shape and method (`""`: any), with the
/// function's name.
#[derive(Default)]
pub(crate) struct Taken(RefCell<BTreeMap<(String, String), String>>);

const ANY: [&str; 2] = ["ANY", "*"];

/// Reads the `matchers` of a function.
pub(crate) fn read_all(
    fields: &mut Fields<'_>,
    taken: &Taken,
    function: Option<&str>,
) -> Vec<FunctionMatcher> {
    fields.list("matchers", |node| read(&node, taken, function))
}

/// Reads one of them.
pub(crate) fn read(
    node: &Node<'_>,
    taken: &Taken,
    function: Option<&str>,
) -> Option<FunctionMatcher> {
    node.object(|fields| {
        let methods = fields.list("methods", |node| read_method(&node));
        let any = methods.is_empty() || methods.iter().any(|it| ANY.contains(&it.as_str()));
        let methods = if any { Vec::new() } else { methods };
        let path = fields.required("path", |node| {
            let path = PathTemplate::parse(node.text()?)
                .map_err(|error| node.error::<()>(error.to_string()))
                .ok()?;
            // A function without a name is refused for that.
            if let Some(other) = take(taken, &path, &methods, function.unwrap_or_default()) {
                return node.error(format!("{path} is a path of function {other:?} too"));
            }
            Some(path)
        });
        Some(FunctionMatcher {
            methods,
            path: path?,
        })
    })
}

fn read_method(node: &Node<'_>) -> Option<String> {
    let method = node.non_empty()?;
    let fits = |c: u8| c.is_ascii_uppercase() || c == b'-';
    if !ANY.contains(&method.as_str()) && !method.bytes().all(fits) {
        return node.error(format!("{method:?} is not a method, as GET, nor ANY"));
    }
    Some(method)
}

/// Takes the requests for a function, or tells which one has them.
fn take(taken: &Taken, path: &PathTemplate, methods: &[String], function: &str) -> Option<String> {
    let any = [String::new()];
    let methods = if methods.is_empty() { &any } else { methods };
    let mut taken = taken.0.borrow_mut();
    methods
        .iter()
        .find_map(|method| taken.insert((path.shape(), method.clone()), function.to_owned()))
}
