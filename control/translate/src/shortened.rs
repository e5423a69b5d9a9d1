//! Texts of bounded length.

/// What is kept of either end of a longer text.
const END: usize = 500;
/// The longest text, in bytes, that is left as it is.
pub(crate) const LONGEST: usize = 2 * END;

/// A text without its middle: what is wrong stands at an end.
pub(crate) fn middle(text: &str) -> String {
    let (first, last) = (
        text.floor_char_boundary(END),
        text.ceil_char_boundary(text.len().saturating_sub(END)),
    );
    match (text.get(..first), text.get(last..)) {
        (Some(start), Some(end)) if first < last => format!("{start} […] {end}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_lose_their_middle() {
        assert_eq!(middle("no such thing"), "no such thing");
        let long = format!("start{}end", "é".repeat(1_000));
        let short = middle(&long);
        assert!(
            short.starts_with("starté") && short.ends_with("éend"),
            "{short}"
        );
        assert!(short.len() < 1_020, "{}", short.len());
    }
}
