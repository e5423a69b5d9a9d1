//! Bytes that live on the Envoy side.

use crate::abi;
use std::ffi::c_char;

/// Bytes owned by Envoy, readable until the hook ends or a method takes the stream mutably: the borrow checker knows.
///
/// Header values are bytes, not always UTF-8.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EnvoyBuffer<'a> {
    bytes: &'a [u8],
}

impl<'a> EnvoyBuffer<'a> {
    /// A buffer over a string, for tests.
    pub fn new(text: &'a str) -> Self {
        Self::from(text.as_bytes())
    }

    /// The bytes.
    pub fn as_slice(&self) -> &'a [u8] {
        self.bytes
    }

    /// # Safety
    /// `raw` is null, or its memory is readable and unchanged for `'a`.
    pub(crate) unsafe fn from_raw(raw: abi::envoy_dynamic_module_type_envoy_buffer) -> Self {
        // SAFETY: the caller's promise is the callee's.
        Self::from(unsafe { slice(raw.ptr, raw.length) })
    }
}

impl<'a> From<&'a [u8]> for EnvoyBuffer<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

impl std::ops::Deref for EnvoyBuffer<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

/// A piece of a body owned by Envoy, which may be changed in place. Its length cannot: see `append_…` and `drain_…`.
#[derive(Debug, Default)]
pub struct EnvoyMutBuffer<'a> {
    bytes: &'a mut [u8],
}

impl<'a> EnvoyMutBuffer<'a> {
    /// A buffer over a slice, for tests.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes
    }

    /// The bytes, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes
    }

    /// # Safety
    /// `raw` is null, or its memory is ours alone for `'a`.
    pub(crate) unsafe fn from_raw(raw: abi::envoy_dynamic_module_type_envoy_buffer) -> Self {
        if raw.ptr.is_null() || raw.length == 0 {
            return Self::default();
        }
        // SAFETY: not null, and the caller promises that the memory is ours. Body slices of Envoy are writable.
        Self::new(unsafe {
            std::slice::from_raw_parts_mut(raw.ptr.cast_mut().cast::<u8>(), raw.length)
        })
    }
}

/// A slice from what the ABI gives, where `(NULL, 0)` is a usual empty buffer: `from_raw_parts(NULL, 0)` would be
/// undefined behaviour.
///
/// # Safety
/// `ptr` is null, or `length` bytes behind it are readable and unchanged for `'a`.
pub(crate) unsafe fn slice<'a>(ptr: *const c_char, length: usize) -> &'a [u8] {
    if ptr.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: not null; the rest is the caller's promise.
    unsafe { std::slice::from_raw_parts(ptr.cast::<u8>(), length) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::envoy_dynamic_module_type_envoy_buffer as Raw;

    #[test]
    fn a_null_buffer_is_an_empty_slice() {
        // SAFETY: null is allowed.
        let (shared, unique) = unsafe {
            (
                EnvoyBuffer::from_raw(Raw::EMPTY),
                EnvoyMutBuffer::from_raw(Raw::EMPTY),
            )
        };
        assert_eq!(shared.as_slice(), b"");
        assert_eq!(unique.as_slice(), b"");
    }

    #[test]
    fn a_body_piece_is_changed_in_place() {
        let mut body = *b"hello";
        let raw = Raw {
            ptr: body.as_mut_ptr().cast(),
            length: body.len(),
        };
        // SAFETY: `body` outlives the buffer and is not used meanwhile.
        let mut piece = unsafe { EnvoyMutBuffer::from_raw(raw) };
        piece.as_mut_slice()[0] = b'j';
        assert_eq!(piece.as_slice(), b"jello");
        assert_eq!(&body, b"jello");
    }
}
