//! Structs: objects with fields.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Fields, Ident};

use crate::attributes::{self, Rename};

pub(crate) fn derive(name: &Ident, rename: Rename, fields: &Fields) -> Result<TokenStream, Error> {
    let Fields::Named(fields) = fields else {
        return Err(Error::new_spanned(name, "its fields need names"));
    };
    let mut table = Vec::new();
    let mut ways = Vec::new();
    let mut blanks = Vec::new();
    let mut rest = quote!(::core::option::Option::None);
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        let told = attributes::field(&field.attrs)?;
        let required = told.default.is_none();
        let blank = told
            .default
            .unwrap_or_else(|| quote!(crate::json::Shape::blank()));
        blanks.push(quote!(#ident: #blank));
        if told.flatten {
            rest = quote!(::core::option::Option::Some(&mut self.#ident));
            continue;
        }
        let text = told.rename.unwrap_or_else(|| rename.field(ident));
        let index = table.len();
        table.push(quote!(crate::json::Field { name: #text, required: #required }));
        ways.push(quote!(#index => ::core::option::Option::Some(&mut self.#ident)));
    }
    // A bit each, and one for what is flattened.
    if table.len() > 63 {
        return Err(Error::new_spanned(name, "too many fields"));
    }
    Ok(quote! {
        impl crate::json::Shape for #name {
            fn blank() -> Self {
                Self { #(#blanks),* }
            }
            fn read(&mut self, reader: &mut crate::json::Reader<'_>) -> crate::json::Result<()> {
                reader.record(self)
            }
        }
        impl crate::json::Record for #name {
            fn fields(&self) -> &'static [crate::json::Field] {
                &[#(#table),*]
            }
            fn field(&mut self, index: usize) -> ::core::option::Option<&mut dyn crate::json::Shape> {
                match index {
                    #(#ways,)*
                    _ => ::core::option::Option::None,
                }
            }
            fn rest(&mut self) -> ::core::option::Option<&mut dyn crate::json::Choice> {
                #rest
            }
        }
    })
}
