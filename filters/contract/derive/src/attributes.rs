//! Serde's attributes.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Error, Ident, LitStr};

/// How names are written in JSON.
#[derive(Clone, Copy, Default)]
pub(crate) enum Rename {
    #[default]
    AsTheyAre,
    CamelCase,
    ScreamingSnakeCase,
}

impl Rename {
    /// Of a field, whose name has underscores.
    pub(crate) fn field(self, name: &Ident) -> String {
        let name = name.to_string();
        let name = name.strip_prefix("r#").unwrap_or(&name);
        match self {
            Self::AsTheyAre => name.to_owned(),
            Self::ScreamingSnakeCase => name.to_uppercase(),
            Self::CamelCase => {
                let mut words = name.split('_');
                let first = words.next().unwrap_or_default().to_owned();
                words.fold(first, |all, word| all + &with_first(word, true))
            }
        }
    }

    /// Of a variant, whose name has capitals.
    pub(crate) fn variant(self, name: &Ident) -> String {
        let name = name.to_string();
        match self {
            Self::AsTheyAre => name,
            Self::CamelCase => with_first(&name, false),
            Self::ScreamingSnakeCase => {
                let mut words = String::new();
                for (at, letter) in name.char_indices() {
                    if at > 0 && letter.is_uppercase() {
                        words.push('_');
                    }
                    words.extend(letter.to_uppercase());
                }
                words
            }
        }
    }
}

fn with_first(word: &str, upper: bool) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| match upper {
        true => first.to_ascii_uppercase(),
        false => first.to_ascii_lowercase(),
    });
    first.into_iter().chain(letters).collect()
}

/// What serde is told of a field.
#[derive(Default)]
pub(crate) struct Field {
    pub(crate) rename: Option<String>,
    /// What makes the value where none is given.
    pub(crate) default: Option<TokenStream>,
    pub(crate) flatten: bool,
}

pub(crate) fn rename_all(attributes: &[Attribute]) -> Result<Rename, Error> {
    let mut rename = Rename::default();
    for attribute in serde(attributes) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("rename_all") {
                return Err(meta.error("not known to `Shape`"));
            }
            let style: LitStr = meta.value()?.parse()?;
            rename = match &*style.value() {
                "camelCase" => Rename::CamelCase,
                "SCREAMING_SNAKE_CASE" => Rename::ScreamingSnakeCase,
                _ => return Err(Error::new_spanned(style, "not known to `Shape`")),
            };
            Ok(())
        })?;
    }
    Ok(rename)
}

pub(crate) fn field(attributes: &[Attribute]) -> Result<Field, Error> {
    let mut field = Field::default();
    for attribute in serde(attributes) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") {
                field.rename = Some(meta.value()?.parse::<LitStr>()?.value());
            } else if meta.path.is_ident("default") {
                field.default = Some(match meta.value() {
                    Ok(value) => {
                        let path: syn::Path = value.parse::<LitStr>()?.parse()?;
                        quote!(#path())
                    }
                    Err(_) => quote!(::core::default::Default::default()),
                });
            } else if meta.path.is_ident("flatten") {
                field.flatten = true;
            } else if meta.path.is_ident("skip_serializing_if") {
                let _: LitStr = meta.value()?.parse()?;
            } else {
                return Err(meta.error("not known to `Shape`"));
            }
            Ok(())
        })?;
    }
    Ok(field)
}

fn serde(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"))
}
