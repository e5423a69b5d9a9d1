//! Structs.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Fields, GenericArgument, Ident, PathArguments, Type};

use crate::attributes::{self, Container, Field};
use crate::names;

/// What a field holds.
enum Holds<'a> {
    Maybe(&'a Type),
    List(&'a Type),
    Map(&'a Type),
    Flag,
    One(&'a Type),
}

pub(crate) fn derive(
    name: &Ident,
    container: &Container,
    fields: &Fields,
) -> Result<TokenStream, Error> {
    let Fields::Named(fields) = fields else {
        return Err(Error::new_spanned(name, "only named fields can be read"));
    };
    let mut reads = Vec::new();
    let mut takes = Vec::new();
    let mut describes = Vec::new();
    for field in &fields.named {
        let of = attributes::field(&field.attrs)?;
        let Some(ident) = &field.ident else { continue };
        if of.skip {
            takes.push(quote!(#ident: Default::default()));
            continue;
        }
        let holds = holds(&field.ty);
        let json = of.name.clone().unwrap_or_else(|| names::camel_case(ident));
        let (read, optional) = read(&json, &of, &holds);
        reads.push(quote!(let #ident = #read;));
        takes.push(match optional {
            true => quote!(#ident),
            false => quote!(#ident: #ident?),
        });
        describes.push(describe(&json, &of, &holds, optional));
    }
    let Container {
        ignored,
        later,
        without_effect,
        refused,
        doc,
        ..
    } = container;
    let reads_refused = refused
        .iter()
        .map(|(name, why)| quote!(fields.refused(#name, #why);));
    let describes_refused = refused.iter().map(
        |(name, why)| quote!(object.beside(&[#name], crate::schema::Standing::Refused, #why);),
    );
    let open = container.open.then(|| quote!(fields.open();));
    let describes_open = container.open.then(|| quote!(object.open = true;));
    let read = quote! {
        #open
        fields.ignored(&[#(#ignored),*]);
        fields.later(&[#(#later),*]);
        fields.without_effect(&[#(#without_effect),*]);
        #(#reads_refused)*
        #(#reads)*
        let read = Self { #(#takes),* };
    };
    let finish = match &container.finish {
        Some(finish) => quote!(#finish(read, fields)),
        None => quote!(Some(read)),
    };
    let path = path(name);
    Ok(quote! {
        impl crate::read::ReadFields for #name {
            fn read_fields(fields: &mut crate::read::Fields<'_>) -> Option<Self> {
                #read
                #finish
            }
            fn describe(object: &mut crate::schema::Object) {
                #describes_open
                #(#describes)*
                object.beside(&[#(#ignored),*], crate::schema::Standing::Ignored, "");
                object.beside(&[#(#later),*], crate::schema::Standing::Later, "");
                object.beside(&[#(#without_effect),*], crate::schema::Standing::WithoutEffect, "");
                #(#describes_refused)*
            }
        }
        impl crate::read::Read for #name {
            fn read(node: &crate::read::Node<'_>) -> Option<Self> {
                node.object(<Self as crate::read::ReadFields>::read_fields)
            }
            fn schema() -> crate::schema::Schema {
                crate::schema::Object::of::<Self>(#path, #doc)
            }
        }
    })
}

/// The type's path, by which generated files tell types apart.
pub(crate) fn path(name: &Ident) -> TokenStream {
    quote!(concat!(module_path!(), "::", stringify!(#name)))
}

/// How the value is read, and whether it is there even if the field is not.
fn read(json: &str, of: &Field, holds: &Holds<'_>) -> (TokenStream, bool) {
    let required = of.required;
    match holds {
        Holds::Maybe(inner) if of.flatten => (
            quote!(<#inner as crate::read::ReadFields>::read_fields(fields)),
            true,
        ),
        Holds::One(inner) if of.flatten => (
            quote!(<#inner as crate::read::ReadFields>::read_needed(fields)),
            false,
        ),
        Holds::Maybe(inner) => {
            let reader = reader(of, inner);
            (quote!(fields.field(#json, |node| #reader(&node))), true)
        }
        Holds::List(inner) => {
            let reader = reader(of, inner);
            match required {
                true => (
                    quote!(fields.required(#json, |node| node.some(|node| #reader(&node)))),
                    false,
                ),
                false => (quote!(fields.list(#json, |node| #reader(&node))), true),
            }
        }
        Holds::Map(inner) => {
            let reader = reader(of, inner);
            let read = quote!(|node| Some(node.map(|node| #reader(&node))?.into_iter().collect()));
            match required {
                true => (quote!(fields.required(#json, #read)), false),
                false => (quote!(fields.field(#json, #read).unwrap_or_default()), true),
            }
        }
        Holds::Flag if of.default.is_none() && of.with.is_none() => {
            (quote!(fields.flag(#json)), true)
        }
        Holds::Flag => with_default(json, of, &syn::parse_quote!(bool)),
        Holds::One(inner) => with_default(json, of, inner),
    }
}

fn with_default(json: &str, of: &Field, inner: &Type) -> (TokenStream, bool) {
    let reader = reader(of, inner);
    match &of.default {
        Some(Some(value)) => (
            quote!(fields.field(#json, |node| #reader(&node)).unwrap_or_else(|| (#value).into())),
            true,
        ),
        Some(None) => (
            quote!(fields.field(#json, |node| #reader(&node)).unwrap_or_default()),
            true,
        ),
        None => (quote!(fields.required(#json, |node| #reader(&node))), false),
    }
}

/// What reads a value.
pub(crate) fn reader(of: &Field, inner: &Type) -> TokenStream {
    match (&of.with, &of.range) {
        (Some(with), _) => quote!(#with),
        (None, Some((least, most))) => {
            quote!((|node: &crate::read::Node<'_>| node.within::<#inner>(#least, #most)))
        }
        (None, None) => quote!(<#inner as crate::read::Read>::read),
    }
}

/// What the schema of a value is.
pub(crate) fn schema(of: &Field, inner: &Type) -> TokenStream {
    let schema = match &of.schema {
        Some(schema) => quote!(#schema()),
        None => quote!(<#inner as crate::read::Read>::schema()),
    };
    match &of.range {
        Some((least, most)) => quote!(#schema.bounded((#least) as f64, (#most) as f64)),
        None => schema,
    }
}

fn describe(json: &str, of: &Field, holds: &Holds<'_>, optional: bool) -> TokenStream {
    let doc = &of.doc;
    let required = !optional;
    let schema = match holds {
        Holds::Maybe(inner) | Holds::One(inner) if of.flatten => {
            let required = matches!(holds, Holds::One(_));
            return quote!(object.flatten::<#inner>(#required););
        }
        Holds::Maybe(inner) | Holds::One(inner) => schema(of, inner),
        Holds::List(inner) => {
            let inner = schema(of, inner);
            let some = of.required;
            quote!(crate::schema::Schema::list(#inner, #some))
        }
        Holds::Map(inner) => {
            let inner = schema(of, inner);
            quote!(crate::schema::Schema::map(#inner))
        }
        Holds::Flag => quote!(<bool as crate::read::Read>::schema()),
    };
    quote!(object.field(#json, #doc, #schema, #required);)
}

fn holds(of: &Type) -> Holds<'_> {
    let Type::Path(path) = of else {
        return Holds::One(of);
    };
    let Some(last) = path.path.segments.last() else {
        return Holds::One(of);
    };
    let arguments: Vec<&Type> = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(inner) => Some(inner),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    match (last.ident.to_string().as_str(), arguments.as_slice()) {
        ("Option", [inner]) => Holds::Maybe(inner),
        ("Vec", [inner]) => Holds::List(inner),
        ("BTreeMap" | "Sorted", [_, inner]) => Holds::Map(inner),
        ("bool", []) => Holds::Flag,
        _ => Holds::One(of),
    }
}
