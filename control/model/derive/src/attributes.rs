//! The attributes, and doc comments.

use syn::parse::Parse;
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Expr, Ident, Lit, LitStr, Meta, Path, Token};

/// What is said of a type.
#[derive(Default)]
pub(crate) struct Container {
    pub(crate) ignored: Vec<LitStr>,
    pub(crate) later: Vec<LitStr>,
    pub(crate) without_effect: Vec<LitStr>,
    pub(crate) refused: Vec<(String, LitStr)>,
    pub(crate) finish: Option<Path>,
    pub(crate) one_of: bool,
    pub(crate) by_name: bool,
    pub(crate) open: bool,
    pub(crate) into: Option<Path>,
    pub(crate) doc: String,
}

/// What is said of a field or variant.
#[derive(Default)]
pub(crate) struct Field {
    pub(crate) name: Option<String>,
    pub(crate) with: Option<Path>,
    pub(crate) schema: Option<Path>,
    pub(crate) range: Option<(Expr, Expr)>,
    pub(crate) default: Option<Option<Expr>>,
    pub(crate) required: bool,
    pub(crate) flatten: bool,
    pub(crate) skip: bool,
    pub(crate) merge: Option<Path>,
    pub(crate) doc: String,
}

/// `a = "why"`
struct Refused(String, LitStr);

impl Parse for Refused {
    fn parse(input: syn::parse::ParseStream<'_>) -> Result<Self, Error> {
        let name: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Self(name.to_string(), input.parse()?))
    }
}

pub(crate) fn container(attributes: &[Attribute]) -> Result<Container, Error> {
    let mut container = Container {
        doc: doc(attributes),
        ..Container::default()
    };
    for attribute in of_ours(attributes) {
        attribute.parse_nested_meta(|meta| {
            let names = |meta: &syn::meta::ParseNestedMeta<'_>| {
                let list;
                syn::parenthesized!(list in meta.input);
                Punctuated::<LitStr, Token![,]>::parse_terminated(&list)
            };
            if meta.path.is_ident("ignored") {
                container.ignored.extend(names(&meta)?);
            } else if meta.path.is_ident("later") {
                container.later.extend(names(&meta)?);
            } else if meta.path.is_ident("without_effect") {
                container.without_effect.extend(names(&meta)?);
            } else if meta.path.is_ident("refused") {
                let list;
                syn::parenthesized!(list in meta.input);
                let all = Punctuated::<Refused, Token![,]>::parse_terminated(&list)?;
                container
                    .refused
                    .extend(all.into_iter().map(|Refused(name, why)| (name, why)));
            } else if meta.path.is_ident("finish") {
                container.finish = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("one_of") {
                container.one_of = true;
            } else if meta.path.is_ident("by_name") {
                container.by_name = true;
            } else if meta.path.is_ident("open") {
                container.open = true;
            } else if meta.path.is_ident("into") {
                container.into = Some(meta.value()?.parse()?);
            } else {
                return Err(meta.error("not known to `Read`"));
            }
            Ok(())
        })?;
    }
    Ok(container)
}

pub(crate) fn field(attributes: &[Attribute]) -> Result<Field, Error> {
    let mut field = Field {
        doc: doc(attributes),
        ..Field::default()
    };
    for attribute in of_ours(attributes) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("name") {
                field.name = Some(meta.value()?.parse::<LitStr>()?.value());
            } else if meta.path.is_ident("with") {
                field.with = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("schema") {
                field.schema = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("range") {
                let bounds;
                syn::parenthesized!(bounds in meta.input);
                let least = bounds.parse()?;
                bounds.parse::<Token![,]>()?;
                field.range = Some((least, bounds.parse()?));
            } else if meta.path.is_ident("default") {
                field.default = Some(match meta.value() {
                    Ok(value) => Some(value.parse()?),
                    Err(_) => None,
                });
            } else if meta.path.is_ident("required") {
                field.required = true;
            } else if meta.path.is_ident("flatten") {
                field.flatten = true;
            } else if meta.path.is_ident("skip") {
                field.skip = true;
            } else if meta.path.is_ident("merge") {
                field.merge = Some(meta.value()?.parse()?);
            } else {
                return Err(meta.error("not known to `Read`"));
            }
            Ok(())
        })?;
    }
    Ok(field)
}

fn of_ours(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("read"))
}

/// The text of a doc comment.
fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        match (&pair.value, pair.path.is_ident("doc")) {
            (Expr::Lit(literal), true) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}
