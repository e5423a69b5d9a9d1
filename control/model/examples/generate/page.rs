//! Pages of reference: one for each kind, and one for the types that several kinds have.

use std::collections::{BTreeMap, BTreeSet};

use tenon_model::schema::{Api, Choice, Field, Object, Schema, Standing};

use crate::types::{self, Type};

const NOTE: &str =
    "<!-- Made by `make generate` of the types in control/model. Edit those. -->\n\n";
const SHARED: &str = "shared";

/// The pages, by name.
pub(crate) fn all(kinds: &[(&Api, Schema)]) -> Vec<(String, String)> {
    let names = types::names(kinds.iter().flat_map(|(_, schema)| types::met_in(schema)));
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for it in kinds.iter().flat_map(|(_, schema)| types::met_in(schema)) {
        *uses.entry(it.path).or_default() += 1;
    }
    let is_shared = |it: &Type<'_>| uses[it.path] > 1;
    let mut pages = Vec::new();
    for (api, schema) in kinds {
        let all = types::met_in(schema);
        let own: Vec<_> = all.into_iter().filter(|it| !is_shared(it)).collect();
        let page = Page {
            names: &names,
            own: own.iter().map(|it| it.path).collect(),
            is_shared: false,
        };
        pages.push((file(api), page.of_kind(api, schema, &own)));
    }
    let mut seen = BTreeSet::new();
    let shared: Vec<_> = kinds
        .iter()
        .flat_map(|(_, schema)| types::met_in(schema))
        .filter(|it| is_shared(it) && seen.insert(it.path))
        .collect();
    let page = Page {
        names: &names,
        own: seen,
        is_shared: true,
    };
    pages.push((SHARED.to_owned(), page.of_shared(shared)));
    pages.push(("README".to_owned(), index(kinds)));
    pages
}

fn file(api: &Api) -> String {
    api.file()
}

fn index(kinds: &[(&Api, Schema)]) -> String {
    let mut text = format!(
        "{NOTE}# Resources\n\nWhat may be written of each kind. Durations are texts as `10s`, `1.5s` or `250ms`.\n\
         Names of choices may be given as their places, too, counted from 0; fields' names as in Gloo's proto files, too (`bind_port`).\n\n\
         | kind | group | folder | short names |\n|---|---|---|---|\n"
    );
    for (api, _) in kinds {
        let short: Vec<_> = api.short.iter().map(|it| format!("`{it}`")).collect();
        text.push_str(&format!(
            "| [{}]({}.md) | `{}` | {} | {} |\n",
            api.kind,
            file(api),
            api.group,
            match api.has_folder() {
                true => format!("`{}`", api.plural),
                false => String::new(),
            },
            short.join(", ")
        ));
    }
    text.push_str(&format!(
        "\nTypes that several of them have: [{SHARED}]({SHARED}.md).\n"
    ));
    text
}

struct Page<'a> {
    names: &'a BTreeMap<&'static str, String>,
    /// The types that stand on it.
    own: BTreeSet<&'static str>,
    is_shared: bool,
}

impl Page<'_> {
    fn of_kind(&self, api: &Api, schema: &Schema, own: &[Type<'_>]) -> String {
        let versions = api.versions.iter();
        let versions: Vec<_> = versions
            .map(|version| format!("`apiVersion: {}/{version}`", api.group))
            .collect();
        let versions = versions.join(" or ");
        let folder = match api.has_folder() {
            true => format!(
                "; in Gloo's directory form `{}/<namespace>/<name>.yaml`",
                api.plural
            ),
            false => String::new(),
        };
        let mut text = format!(
            "{NOTE}# {kind}\n\n{versions}, `kind: {kind}`{folder}.\n\
             As a [JSON Schema](../../schemas/{file}.json)",
            kind = api.kind,
            file = file(api),
        );
        if api.has_definition() {
            text.push_str(&format!(
                ", as a [definition for Kubernetes](../../crds/{}.{}.yaml)",
                api.plural, api.group
            ));
        }
        text.push_str(".\n");
        if types::path(schema).is_none_or(|path| !self.own.contains(path)) {
            text.push_str(&format!("\nIt says: {}\n", self.of(schema)));
        }
        own.iter().for_each(|it| self.section(it, &mut text));
        text
    }

    fn of_shared(&self, types: Vec<Type<'_>>) -> String {
        let mut types = types;
        types.sort_by_key(|it| &self.names[it.path]);
        let mut text = format!("{NOTE}# Types of several kinds\n");
        types.iter().for_each(|it| self.section(it, &mut text));
        text
    }

    fn section(&self, it: &Type<'_>, text: &mut String) {
        text.push_str(&format!("\n## {}\n", self.names[it.path]));
        match it.schema {
            Schema::Object(object) => self.object(object, text),
            Schema::Choice(choice) => names(choice, text),
            _ => {}
        }
    }

    fn object(&self, object: &Object, text: &mut String) {
        paragraph(object.doc, text);
        if !object.fields.is_empty() {
            text.push_str("\n| field | | |\n|---|---|---|\n");
        }
        for field in &object.fields {
            text.push_str(&self.row(field));
        }
        let list = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            names.join(", ")
        };
        for names in &object.needed {
            let names = list(names);
            text.push_str(&format!("\nExactly one of {names}.\n"));
        }
        for names in object.exclusive.iter().filter(|names| names.len() > 1) {
            text.push_str(&format!("\nAt most one of {}.\n", list(names)));
        }
    }

    fn row(&self, field: &Field) -> String {
        let (of, doc) = match field.standing {
            Standing::Read => (self.of(&field.schema), field.doc.clone()),
            _ => (String::new(), crate::json_schema::description(field)),
        };
        let required = if field.required { ", required" } else { "" };
        let doc = doc.replace('\n', " ").replace('|', "\\|");
        format!("| `{}` | {of}{required} | {doc} |\n", field.name)
    }

    /// The type of a value, in words.
    fn of(&self, schema: &Schema) -> String {
        match schema {
            Schema::Any => "anything".to_owned(),
            Schema::OpenObject => "an object".to_owned(),
            Schema::Flag => "true or false".to_owned(),
            Schema::Text => "a text".to_owned(),
            Schema::Duration => "a duration".to_owned(),
            Schema::Number(number) => {
                let what = if number.whole {
                    "a whole number"
                } else {
                    "a number"
                };
                match number.bounds {
                    Some((least, most)) if most < f64::from(u32::MAX) => {
                        format!("{what} from {least} to {most}")
                    }
                    Some((least, _)) if least > f64::from(i32::MIN) => {
                        format!("{what} from {least} on")
                    }
                    _ => what.to_owned(),
                }
            }
            Schema::List { of, .. } => format!("list: {}", self.of(of)),
            Schema::Map(of) => format!("by name: {}", self.of(of)),
            Schema::Object(_) | Schema::Choice(_) | Schema::Within(_) => {
                match types::path(schema) {
                    Some(path) if self.own.contains(path) || self.is_shared => {
                        format!("`{}`", self.names[path])
                    }
                    Some(path) => format!("[`{}`]({SHARED}.md)", self.names[path]),
                    None => "an empty object".to_owned(),
                }
            }
        }
    }
}

fn names(choice: &Choice, text: &mut String) {
    paragraph(choice.doc, text);
    text.push('\n');
    for (name, doc) in &choice.names {
        let colon = if doc.is_empty() { "" } else { ": " };
        text.push_str(&format!("- `{name}`{colon}{}\n", doc.replace('\n', " ")));
    }
}

fn paragraph(doc: &str, text: &mut String) {
    if !doc.is_empty() {
        text.push_str(&format!("\n{doc}\n"));
    }
}
