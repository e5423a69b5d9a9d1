//! `#[derive(Read)]`: how a type that users write is read, and what its schema is, from one declaration.
//!
//! The fields of a struct are read by their names in camelCase. `Option`, `Vec`, `BTreeMap` and `bool` may be left out; any
//! other type is required unless it has a `default`. An enum of variants without values is one of several names, in
//! SCREAMING_SNAKE_CASE; an enum of variants with one value each is one of several fields that exclude each other, as
//! protobuf's `oneof`, and stands in a struct under `#[read(flatten)]`. Doc comments become the descriptions of the schema.
//!
//! Of a struct:
//! - `#[read(ignored("a", "b"))]`: fields that may be there and mean nothing here;
//! - `#[read(later("a", "b"))]`: fields that would change something and are not supported yet;
//! - `#[read(without_effect("a", "b"))]`: fields that may be there and are warned about, since they change nothing;
//! - `#[read(refused(a = "what to use instead"))]`: fields that are never supported, and why;
//! - `#[read(open)]`: any other field may be there too, and means nothing here: Kubernetes' own objects;
//! - `#[read(into = path)]`: a type of another crate with the same fields (or names), which is read so, too;
//! - `#[read(finish = path)]`: `fn(Self, &Fields) -> Option<Self>`, which looks at the fields beside each other.
//!
//! Of a field:
//! - `#[read(name = "…")]`: its name, where it is not the one in camelCase;
//! - `#[read(with = path)]`: `fn(&Node) -> Option<T>`, which reads its value (each, of a list or a map);
//! - `#[read(range(1, 65_535))]`: the least and the most, both included;
//! - `#[read(default)]`, `#[read(default = 10)]`: what it is where it is left out;
//! - `#[read(required)]`: of a list or a map, at least one has to be there;
//! - `#[read(schema = path)]`: `fn() -> Schema`, where the type says too little;
//! - `#[read(flatten)]`: its fields stand beside those of the struct;
//! - `#[read(skip)]`: nobody writes it; it is its type's default until something within makes it another one;
//! - `#[read(merge = path)]`: `fn(&T, &T) -> T`, of those of a struct with `#[derive(Merge)]`: what counts where two places
//!   say it, where that is not simply what the first of them says.
//!
//! Of a variant: `name`, `with`, `range`, `schema` and `skip`, of one that nobody writes. Of an enum: `#[read(one_of)]`, if all its fields are empty messages;
//! `#[read(by_name)]`, if its names cannot be given as their places.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error};

mod attributes;
mod choice;
mod into;
mod merge;
mod names;
mod record;

/// See the crate.
#[proc_macro_derive(Read, attributes(read))]
pub fn derive_read(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    read(&input)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

/// `tenon_model::Merge`, field by field, of a struct with `#[derive(Read)]`.
#[proc_macro_derive(Merge, attributes(read))]
pub fn derive_merge(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    merge::derive(&input)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

fn read(input: &DeriveInput) -> Result<TokenStream, Error> {
    let name = &input.ident;
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(name, "generic types cannot be read"));
    }
    let container = attributes::container(&input.attrs)?;
    let items = match &input.data {
        syn::Data::Struct(data) => record::derive(name, &container, &data.fields)?,
        syn::Data::Enum(data) => choice::derive(name, &container, data)?,
        syn::Data::Union(_) => return Err(Error::new_spanned(name, "unions cannot be read")),
    };
    let into = container
        .into
        .iter()
        .map(|into| into::derive(name, into, &input.data));
    let into = into.collect::<Result<Vec<_>, _>>()?;
    Ok(quote! {
        const _: () = { #items #(#into)* };
    })
}
