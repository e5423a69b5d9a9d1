//! Enums.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, Error, Fields, Ident};

use crate::attributes::{self, Container};
use crate::{names, record};

pub(crate) fn derive(
    name: &Ident,
    container: &Container,
    data: &DataEnum,
) -> Result<TokenStream, Error> {
    let units = data
        .variants
        .iter()
        .all(|variant| matches!(variant.fields, Fields::Unit));
    match units && !container.one_of {
        true => names_of(name, container, data),
        false => one_of(name, container, data),
    }
}

/// One of several names.
fn names_of(name: &Ident, container: &Container, data: &DataEnum) -> Result<TokenStream, Error> {
    let mut choices = Vec::new();
    let mut docs = Vec::new();
    for variant in &data.variants {
        let of = attributes::field(&variant.attrs)?;
        let ident = &variant.ident;
        let json = of
            .name
            .unwrap_or_else(|| names::screaming_snake_case(ident));
        choices.push(quote!((#json, Self::#ident)));
        let doc = of.doc;
        docs.push(quote!((#json, #doc)));
    }
    let doc = &container.doc;
    let path = record::path(name);
    let places = !container.by_name;
    let reader = match places {
        true => quote!(choice),
        false => quote!(named),
    };
    Ok(quote! {
        impl crate::read::Read for #name {
            fn read(node: &crate::read::Node<'_>) -> Option<Self> {
                node.#reader(&[#(#choices),*])
            }
            fn schema() -> crate::schema::Schema {
                crate::schema::Schema::Choice(crate::schema::Choice {
                    path: #path,
                    doc: #doc,
                    names: vec![#(#docs),*],
                    places: #places,
                })
            }
        }
    })
}

/// One of several fields.
fn one_of(name: &Ident, container: &Container, data: &DataEnum) -> Result<TokenStream, Error> {
    let mut jsons = Vec::new();
    let mut reads = Vec::new();
    let mut describes = Vec::new();
    for variant in &data.variants {
        let of = attributes::field(&variant.attrs)?;
        if of.skip {
            continue;
        }
        let ident = &variant.ident;
        let json = of
            .name
            .clone()
            .unwrap_or_else(|| names::lower_camel_case(ident));
        let doc = &of.doc;
        match &variant.fields {
            Fields::Unit => {
                reads.push(quote! {
                    fields.field(#json, |node| node.object(|_| Some(Self::#ident)))
                });
                describes.push(quote! {
                    object.field(#json, #doc, crate::schema::Schema::empty_object(), false);
                });
            }
            Fields::Unnamed(values) if values.unnamed.len() == 1 => {
                let inner = &values.unnamed[0].ty;
                let reader = record::reader(&of, inner);
                let schema = record::schema(&of, inner);
                reads.push(quote! {
                    fields.field(#json, |node| #reader(&node)).map(Self::#ident)
                });
                describes.push(quote!(object.field(#json, #doc, #schema, false);));
            }
            _ => {
                return Err(Error::new_spanned(
                    variant,
                    "a variant is a field, with one value or none",
                ));
            }
        }
        jsons.push(json);
    }
    let doc = &container.doc;
    let path = record::path(name);
    Ok(quote! {
        impl crate::read::ReadFields for #name {
            fn read_fields(fields: &mut crate::read::Fields<'_>) -> Option<Self> {
                let names = <Self as crate::read::OneOf>::NAMES;
                let there = fields.one_of(names);
                let mut read = None;
                #(
                    // Those that are too many are looked at too: what is wrong in them is told as well.
                    let found = #reads;
                    if there == Some(#jsons) {
                        read = found;
                    }
                )*
                read
            }
            fn read_needed(fields: &mut crate::read::Fields<'_>) -> Option<Self> {
                fields.one::<Self>()
            }
            fn describe(object: &mut crate::schema::Object) {
                #(#describes)*
                object.one_of(<Self as crate::read::OneOf>::NAMES);
            }
        }
        impl crate::read::OneOf for #name {
            const NAMES: &'static [&'static str] = &[#(#jsons),*];
        }
        impl crate::read::Read for #name {
            fn read(node: &crate::read::Node<'_>) -> Option<Self> {
                node.object(|fields| fields.one::<Self>())
            }
            fn schema() -> crate::schema::Schema {
                crate::schema::Object::of::<Self>(#path, #doc)
            }
        }
    })
}
