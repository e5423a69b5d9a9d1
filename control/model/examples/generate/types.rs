//! The types that schemas are made of, each with a name of its own.

use std::collections::BTreeMap;

use tenon_model::schema::{Object, Schema};

/// A type that has a name.
#[derive(Clone, Copy)]
pub(crate) struct Type<'a> {
    /// Its schema.
    pub(crate) schema: &'a Schema,
    /// Its path, as `tenon_model::aws::Payload`.
    pub(crate) path: &'static str,
}

/// The types that a schema is made of, itself among them, in the order in which they are met.
pub(crate) fn met_in(schema: &Schema) -> Vec<Type<'_>> {
    let mut types = Vec::new();
    meet(schema, &mut types);
    types
}

fn meet<'a>(schema: &'a Schema, types: &mut Vec<Type<'a>>) {
    if let Some(path) = path(schema)
        && !matches!(schema, Schema::Within(_))
    {
        if types.iter().any(|it| it.path == path) {
            return;
        }
        types.push(Type { schema, path });
    }
    match schema {
        Schema::List { of, .. } | Schema::Map(of) => meet(of, types),
        Schema::Object(Object { fields, .. }) => {
            fields.iter().for_each(|field| meet(&field.schema, types));
        }
        _ => {}
    }
}

/// The path of the type, if it has one.
pub(crate) fn path(schema: &Schema) -> Option<&'static str> {
    let path = match schema {
        Schema::Object(object) => object.path,
        Schema::Choice(choice) => choice.path,
        Schema::Within(path) => path,
        _ => "",
    };
    Some(path).filter(|path| !path.is_empty())
}

/// Names by path: the last part, after the module's where others have the same.
pub(crate) fn names<'a>(
    types: impl IntoIterator<Item = Type<'a>>,
) -> BTreeMap<&'static str, String> {
    let mut by_name: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
    for Type { path, .. } in types {
        let name = path.rsplit("::").next().unwrap_or(path);
        let paths = by_name.entry(name).or_default();
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let mut names = BTreeMap::new();
    for (name, paths) in by_name {
        for path in &paths {
            let module = path.rsplit("::").nth(1).unwrap_or_default();
            let name = match paths.len() {
                1 => name.to_owned(),
                _ => camel_case(module) + name,
            };
            names.insert(*path, name);
        }
    }
    names
}

fn camel_case(module: &str) -> String {
    module
        .split('_')
        .map(|word| match word.split_at_checked(1) {
            Some((first, rest)) => first.to_ascii_uppercase() + rest,
            None => String::new(),
        })
        .collect()
}
