//! What counts where several places say it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields};

use crate::{attributes, names};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream, Error> {
    let name = &input.ident;
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(name, "only structs can be merged"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(name, "only named fields can be merged"));
    };
    let mut sets = Vec::new();
    let mut merged = Vec::new();
    let mut kept = Vec::new();
    for field in &fields.named {
        let of = attributes::field(&field.attrs)?;
        let Some(ident) = &field.ident else { continue };
        let merge = match &of.merge {
            Some(merge) => quote!(#merge),
            None => quote!(crate::merge::first),
        };
        merged.push(quote!(#ident: #merge(&self.#ident, &other.#ident)));
        if of.skip {
            continue;
        }
        let is_meant = match of.flatten {
            true => {
                let inner = &field.ty;
                quote!(<#inner as crate::merge::Named>::has(name))
            }
            false => {
                let json = of.name.unwrap_or_else(|| names::camel_case(ident));
                quote!(name == #json)
            }
        };
        kept.push(quote! {
            if names.iter().any(|name| {
                let name = name.as_str();
                #is_meant
            }) {
                only.#ident = self.#ident.clone();
            }
        });
        sets.push(quote! {
            if #is_meant {
                return !crate::merge::Unset::is_unset(&self.#ident);
            }
        });
    }
    Ok(quote! {
        const _: () = {
            impl crate::merge::Merge for #name {
                fn sets(&self, name: &str) -> bool {
                    #(#sets)*
                    false
                }
                fn only(&self, names: &std::collections::BTreeSet<String>) -> Self {
                    let mut only = Self::default();
                    #(#kept)*
                    only
                }
                fn or(&self, other: &Self) -> Self {
                    Self { #(#merged),* }
                }
            }
        };
    })
}
