//! Lends Rust slices to the ABI for one call, without an allocation where there are few.

use crate::abi::{
    envoy_dynamic_module_type_module_buffer as ModuleBuffer,
    envoy_dynamic_module_type_module_http_header as ModuleHeader,
};

/// As many as a usual reply or callout has.
const HEADERS: usize = 24;
const LABELS: usize = 8;
const PAIRS: usize = 8;

/// Calls `use_them` with pairs of strings in the ABI's layout, which is that of headers.
pub(crate) fn with_pairs<R>(
    pairs: &[(&str, &str)],
    use_them: impl FnOnce(*const ModuleHeader, usize) -> R,
) -> R {
    let lend = |(key, value): &(&str, &str)| header(key, value.as_bytes());
    lend_each::<_, _, _, PAIRS>(pairs, header("", b""), lend, use_them)
}

/// Calls `use_them` with `headers` in the ABI's layout. (A Rust tuple's layout is not defined, so no cast can do this.)
pub(crate) fn with_headers<R>(
    headers: &[(&str, &[u8])],
    use_them: impl FnOnce(*const ModuleHeader, usize) -> R,
) -> R {
    let lend = |(key, value): &(&str, &[u8])| header(key, value);
    lend_each::<_, _, _, HEADERS>(headers, header("", b""), lend, use_them)
}

fn header(key: &str, value: &[u8]) -> ModuleHeader {
    ModuleHeader {
        key_ptr: key.as_ptr().cast(),
        key_length: key.len(),
        value_ptr: value.as_ptr().cast(),
        value_length: value.len(),
    }
}

/// Calls `use_them` with the values of a metric's labels, or their names.
pub(crate) fn with_labels<R>(
    labels: &[&str],
    use_them: impl FnOnce(*const ModuleBuffer, usize) -> R,
) -> R {
    let lend = |label: &&str| ModuleBuffer::of(label.as_bytes());
    lend_each::<_, _, _, LABELS>(labels, ModuleBuffer::NULL, lend, use_them)
}

fn lend_each<T, L: Copy, R, const N: usize>(
    items: &[T],
    blank: L,
    lend: impl Fn(&T) -> L,
    use_them: impl FnOnce(*const L, usize) -> R,
) -> R {
    if items.len() > N {
        let lent: Vec<L> = items.iter().map(lend).collect();
        return use_them(lent.as_ptr(), lent.len());
    }
    let mut lent = [blank; N];
    for (slot, item) in lent.iter_mut().zip(items) {
        *slot = lend(item);
    }
    use_them(lent.as_ptr(), items.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::slice;

    #[test]
    fn few_and_many_headers_arrive_in_order() {
        for count in [0, 1, HEADERS, HEADERS + 1, 100] {
            let names: Vec<String> = (0..count).map(|i| format!("x-{i}")).collect();
            let headers: Vec<(&str, &[u8])> =
                names.iter().map(|n| (n.as_str(), n.as_bytes())).collect();
            let seen = with_headers(&headers, |first, len| {
                (0..len)
                    .map(|i| {
                        // SAFETY: `first` points at `len` headers that borrow from `names`.
                        let header = unsafe { &*first.add(i) };
                        // SAFETY: as above.
                        let key = unsafe { slice(header.key_ptr, header.key_length) };
                        // SAFETY: as above.
                        let value = unsafe { slice(header.value_ptr, header.value_length) };
                        assert_eq!(key, value);
                        String::from_utf8(key.to_vec()).unwrap()
                    })
                    .collect::<Vec<_>>()
            });
            assert_eq!(seen, names);
        }
    }

    #[test]
    fn an_empty_value_is_not_null_because_null_removes() {
        with_headers(&[("x-empty", b"")], |first, _| {
            // SAFETY: one header was lent.
            assert!(!unsafe { &*first }.value_ptr.is_null());
        });
    }
}
