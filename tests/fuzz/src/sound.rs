//! What holds for whatever goes to a client or a provider.

use tenon_conformance::fake::HeaderList;

/// A response's status: final, and one that there can be.
pub(crate) fn status(status: u16) {
    assert!((200..=599).contains(&status), "{status}");
}

/// Headers that hurt no connection (RFC 9110, 5.1 and 5.5; RFC 9113, 8.2.1).
pub(crate) fn headers(headers: &HeaderList) {
    for (name, value) in headers.iter() {
        let plain = name.strip_prefix(':').unwrap_or(name);
        let token = |c: char| c.is_ascii_graphic() && !"\"(),/:;<=>?@[\\]{}".contains(c);
        assert!(!plain.is_empty() && plain.chars().all(token), "{name:?}");
        assert!(!name.chars().any(|c| c.is_ascii_uppercase()), "{name:?}");
        assert!(
            !value.iter().any(|byte| b"\r\n\0".contains(byte)),
            "{name}: {value:?}"
        );
    }
    let lengths: Vec<_> = headers.all("content-length").collect();
    assert!(lengths.len() <= 1, "{lengths:?}");
}
