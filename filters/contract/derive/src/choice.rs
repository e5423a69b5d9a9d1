//! Enums: a name where no variant holds anything, else an object with one field, the variant's.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, Error, Fields, Ident, Variant};

use crate::attributes::Rename;

pub(crate) fn derive(name: &Ident, rename: Rename, data: &DataEnum) -> Result<TokenStream, Error> {
    if let Some(attribute) = data.variants.iter().find_map(|variant| {
        let mut all = variant.attrs.iter();
        all.find(|attribute| attribute.path().is_ident("serde"))
    }) {
        return Err(Error::new_spanned(attribute, "not known to `Shape`"));
    }
    let names = data.variants.iter().map(|it| rename.variant(&it.ident));
    let names = quote!(&[#(#names),*]);
    if data
        .variants
        .iter()
        .all(|it| matches!(it.fields, Fields::Unit))
    {
        Ok(names_alone(name, &names, data))
    } else {
        with_values(name, &names, data)
    }
}

fn names_alone(name: &Ident, names: &TokenStream, data: &DataEnum) -> TokenStream {
    let first = data.variants.first().map(|it| &it.ident);
    let others = data.variants.iter().enumerate().skip(1);
    let others = others.map(|(index, Variant { ident, .. })| quote!(#index => Self::#ident));
    quote! {
        impl crate::json::Shape for #name {
            fn blank() -> Self {
                Self::#first
            }
            fn read(&mut self, reader: &mut crate::json::Reader<'_>) -> crate::json::Result<()> {
                *self = match reader.name(#names)? {
                    #(#others,)*
                    _ => Self::#first,
                };
                Ok(())
            }
        }
    }
}

fn with_values(name: &Ident, names: &TokenStream, data: &DataEnum) -> Result<TokenStream, Error> {
    let mut blank = None;
    let mut ways = Vec::new();
    for (index, Variant { ident, fields, .. }) in data.variants.iter().enumerate() {
        let value = match fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let held = fields.unnamed.iter().map(|it| &it.ty);
                ways.push(quote! {
                    #index => {
                        let mut value = #(<#held as crate::json::Shape>::blank())*;
                        crate::json::Shape::read(&mut value, reader)?;
                        *self = Self::#ident(value);
                    }
                });
                quote!(Self::#ident(crate::json::Shape::blank()))
            }
            Fields::Named(fields) if fields.named.is_empty() => {
                ways.push(quote! {
                    #index => {
                        reader.record(&mut crate::json::Nothing)?;
                        *self = Self::#ident {};
                    }
                });
                quote!(Self::#ident {})
            }
            _ => {
                let message = "holds what is neither one value nor `{}`";
                return Err(Error::new_spanned(ident, message));
            }
        };
        blank.get_or_insert(value);
    }
    Ok(quote! {
        impl crate::json::Shape for #name {
            fn blank() -> Self {
                #blank
            }
            fn read(&mut self, reader: &mut crate::json::Reader<'_>) -> crate::json::Result<()> {
                reader.choice(self)
            }
        }
        impl crate::json::Choice for #name {
            fn names(&self) -> &'static [&'static str] {
                #names
            }
            fn read_as(
                &mut self,
                index: usize,
                reader: &mut crate::json::Reader<'_>,
            ) -> crate::json::Result<()> {
                match index {
                    #(#ways)*
                    _ => {}
                }
                Ok(())
            }
        }
    })
}
