//! Which requests a function of an upstream is for.

use std::collections::BTreeMap;

use tenon_contract::PathTemplate;
use tenon_model_derive::Read;

use crate::read::{Fields, Node, Read};
use crate::schema::Schema;
use crate::virtual_service::first_twice;

/// Which requests a function is for, where the route names none.
#[derive(Debug, Clone, PartialEq, Eq, Read)]
#[read(finish = any_method)]
pub struct FunctionMatcher {
    /// The methods; none, `ANY` or `*`: any.
    #[read(with = method)]
    pub methods: Vec<String>,
    /// The paths, as `/users/{id}`.
    pub path: PathTemplate,
}

/// The requests that functions of one upstream are for, so far: by template's shape and method (`""`: any), with the
/// function's name.
#[derive(Default)]
pub(crate) struct Taken(BTreeMap<(String, String), String>);

const ANY: [&str; 2] = ["ANY", "*"];

impl Taken {
    /// Takes the requests for a function, or tells which one has them.
    pub(crate) fn take(&mut self, matcher: &FunctionMatcher, function: &str) -> Result<(), String> {
        let any = [String::new()];
        let methods = match matcher.methods.is_empty() {
            true => &any[..],
            false => &matcher.methods,
        };
        let path = &matcher.path;
        for method in methods {
            let requests = (path.shape(), method.clone());
            if let Some(other) = self.0.insert(requests, function.to_owned()) {
                return Err(format!("{path} is a path of function {other:?} too"));
            }
        }
        Ok(())
    }
}

/// Checks that the functions of a list have names of their own and are for requests of their own.
pub(crate) fn tell_apart<'a>(
    fields: &Fields<'_>,
    list: &'static str,
    functions: impl Iterator<Item = (&'a String, &'a [FunctionMatcher])> + Clone,
) {
    if let Some(name) = first_twice(functions.clone().map(|(name, _)| name)) {
        fields.error_at(list, format!("{name:?} is there more than once"));
    }
    if fields.items(list) != functions.clone().count() {
        // One of them is wrong, and those after it stand at other places than it seems.
        return;
    }
    let mut taken = Taken::default();
    for (index, (name, matchers)) in functions.enumerate() {
        for (at, matcher) in matchers.iter().enumerate() {
            if let Err(text) = taken.take(matcher, name) {
                fields.error_at(&format!("{list}[{index}].matchers[{at}].path"), text);
            }
        }
    }
}

impl Read for PathTemplate {
    fn read(node: &Node<'_>) -> Option<Self> {
        match Self::parse(node.text()?) {
            Ok(path) => Some(path),
            Err(error) => node.error(error.to_string()),
        }
    }

    fn schema() -> Schema {
        Schema::Text
    }
}

fn any_method(mut matcher: FunctionMatcher, _: &Fields<'_>) -> Option<FunctionMatcher> {
    if matcher.methods.iter().any(|it| ANY.contains(&it.as_str())) {
        matcher.methods.clear();
    }
    Some(matcher)
}

fn method(node: &Node<'_>) -> Option<String> {
    let method = node.non_empty()?;
    let fits = |c: u8| c.is_ascii_uppercase() || c == b'-';
    if !ANY.contains(&method.as_str()) && !method.bytes().all(fits) {
        return node.error(format!("{method:?} is not a method, as GET, nor ANY"));
    }
    Some(method)
}
