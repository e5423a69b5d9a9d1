//! Names as they stand in Rust, and as they stand in JSON.

use syn::Ident;

/// `bind_port` as `bindPort`.
pub(crate) fn camel_case(name: &Ident) -> String {
    let name = name.to_string();
    let mut words = name.strip_prefix("r#").unwrap_or(&name).split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |all, word| all + &with_first(word, true))
}

/// `RingHash` as `ringHash`.
pub(crate) fn lower_camel_case(name: &Ident) -> String {
    with_first(&name.to_string(), false)
}

/// `AnyEndpoint` as `ANY_ENDPOINT`.
pub(crate) fn screaming_snake_case(name: &Ident) -> String {
    let mut words = String::new();
    for (at, letter) in name.to_string().char_indices() {
        if at > 0 && letter.is_uppercase() {
            words.push('_');
        }
        words.extend(letter.to_uppercase());
    }
    words
}

fn with_first(word: &str, upper: bool) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| match upper {
        true => first.to_ascii_uppercase(),
        false => first.to_ascii_lowercase(),
    });
    first.into_iter().chain(letters).collect()
}
