//! Types of other crates that are declared here as they are written.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, Error, Fields, Ident, Path};

pub(crate) fn derive(name: &Ident, into: &Path, data: &Data) -> Result<TokenStream, Error> {
    let made = match data {
        Data::Struct(data) => {
            let Fields::Named(fields) = &data.fields else {
                return Err(Error::new_spanned(name, "only named fields can be read"));
            };
            let fields: Vec<_> = fields.named.iter().map(|field| &field.ident).collect();
            quote! {
                let #name { #(#fields),* } = read;
                Self { #(#fields),* }
            }
        }
        Data::Enum(data) => {
            let variants = data.variants.iter().map(|variant| &variant.ident);
            quote!(match read { #(#name::#variants => Self::#variants),* })
        }
        Data::Union(_) => return Err(Error::new_spanned(name, "unions cannot be read")),
    };
    Ok(quote! {
        impl From<#name> for #into {
            fn from(read: #name) -> Self {
                #made
            }
        }
        impl crate::read::Read for #into {
            fn read(node: &crate::read::Node<'_>) -> Option<Self> {
                <#name as crate::read::Read>::read(node).map(Self::from)
            }
            fn schema() -> crate::schema::Schema {
                <#name as crate::read::Read>::schema()
            }
        }
    })
}
