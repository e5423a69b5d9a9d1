//! `generate DIR`: writes what is made of the resources' types into `DIR`: JSON Schemas (`schemas/`), definitions for
//! Kubernetes (`crds/`) and pages of reference (`docs/reference/`).

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

use tenon_model::schema::{APIS, Schema, schema};

mod crd;
mod json_schema;
mod page;
mod types;

fn main() -> Result<(), Error> {
    let usage = || Error::new(ErrorKind::InvalidInput, "usage: generate DIR");
    let folder = std::env::args_os().nth(1).ok_or_else(usage)?;
    let folder = Path::new(&folder);
    let write = |path: String, text: String| {
        let path = folder.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, text)
    };
    let kinds: Vec<_> = APIS.iter().map(|api| (api, schema(api.kind))).collect();
    for (api, schema) in &kinds {
        let name = api.file();
        write(
            format!("schemas/{name}.json"),
            json_schema::document(api, schema),
        )?;
        if let Some(definition) = crd::document(api, schema) {
            write(
                format!("crds/{}.{}.yaml", api.plural, api.group),
                definition,
            )?;
        }
    }
    for (name, text) in page::all(&kinds) {
        write(format!("docs/reference/{name}.md"), text)?;
    }
    Ok(())
}

/// The field's own words, those of its type where it has none, and what the names mean that it may have.
fn describe(doc: &str, schema: &Schema) -> String {
    let of_type = match schema {
        Schema::Object(object) => object.doc,
        Schema::Choice(choice) => choice.doc,
        _ => "",
    };
    let mut text = (if doc.is_empty() { of_type } else { doc }).to_owned();
    let names = match schema {
        Schema::Choice(choice) => choice.names.as_slice(),
        _ => &[],
    };
    for (name, doc) in names.iter().filter(|(_, doc)| !doc.is_empty()) {
        text.push_str(&format!("\n- {name}: {}", doc.replace('\n', " ")));
    }
    text
}
