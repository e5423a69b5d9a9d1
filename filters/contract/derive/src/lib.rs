//! `#[derive(Shape)]`: how a type of the contract is read, after the attributes that serde writes it by.
//!
//! Serde's own code for reading is some kilobytes a type, which the `.wasm` has no room for. What is made here is a table of
//! names and a way to each field; the reading itself is there once (`tenon_contract::json`).
//!
//! Of serde's attributes it knows `rename_all`, `rename`, `default` and `flatten` (of one field, which has to be an enum),
//! and it refuses those that it would have to know. `skip_serializing_if` says nothing about reading.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error};

mod attributes;
mod choice;
mod record;

/// See the crate.
#[proc_macro_derive(Shape, attributes(serde))]
pub fn derive_shape(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    shape(&input)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

fn shape(input: &DeriveInput) -> Result<TokenStream, Error> {
    let rename = attributes::rename_all(&input.attrs)?;
    let name = &input.ident;
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(name, "generic types have no shape"));
    }
    let items = match &input.data {
        syn::Data::Struct(data) => record::derive(name, rename, &data.fields)?,
        syn::Data::Enum(data) => choice::derive(name, rename, data)?,
        syn::Data::Union(_) => return Err(Error::new_spanned(name, "unions have no shape")),
    };
    Ok(quote! {
        const _: () = { #items };
    })
}
