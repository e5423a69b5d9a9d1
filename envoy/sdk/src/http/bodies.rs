//! Bodies of a stream.

use super::native::{EnvoyHttpFilterImpl, call};
use crate::abi::{
    self, envoy_dynamic_module_type_envoy_buffer as RawBuffer,
    envoy_dynamic_module_type_http_body_type as BodyType,
    envoy_dynamic_module_type_module_buffer as ModuleBuffer,
};
use crate::buffer::{EnvoyMutBuffer, slice};
use std::cell::Cell;

/// The official SDK's four methods of one body.
macro_rules! body {
    ($body:ident, $get:ident, $size:ident, $drain:ident, $append:ident) => {
        #[doc = concat!("[`EnvoyHttpBodies::get_body`] of `", stringify!($body), "`.")]
        fn $get<'a>(&'a mut self) -> Option<Vec<EnvoyMutBuffer<'a>>> {
            self.get_body(BodyType::$body)
        }

        #[doc = concat!("[`EnvoyHttpBodies::get_body_size`] of `", stringify!($body), "`.")]
        fn $size(&mut self) -> usize {
            self.get_body_size(BodyType::$body)
        }

        #[doc = concat!("[`EnvoyHttpBodies::drain_body`] of `", stringify!($body), "`.")]
        fn $drain(&mut self, number_of_bytes: usize) -> bool {
            self.drain_body(BodyType::$body, number_of_bytes)
        }

        #[doc = concat!("[`EnvoyHttpBodies::append_body`] of `", stringify!($body), "`.")]
        fn $append(&mut self, data: &[u8]) -> bool {
            self.append_body(BodyType::$body, data)
        }
    };
}

/// Bodies of a stream, and how much of them Envoy holds.
///
/// Names are the official SDK's, which has one method per body; those that take the body as a parameter, and the visit
/// that does not allocate, are ours.
pub trait EnvoyHttpBodies {
    /// Visits the pieces of a body in order; without allocating, but for the growth of a list that the thread keeps.
    ///
    /// At the end of a body that was held back, the data may all be in the buffered body and the received one be empty,
    /// or some in each, or (if `received_buffered_…_body`) the same bytes in both.
    fn for_each_body_chunk(&self, body: BodyType, visit: &mut dyn FnMut(&[u8]));
    /// The pieces of a body. `None` if there is no such body in this hook.
    fn get_body<'a>(&'a mut self, body: BodyType) -> Option<Vec<EnvoyMutBuffer<'a>>>;
    /// The length of a body.
    fn get_body_size(&self, body: BodyType) -> usize;
    /// Takes bytes off the front. The caller sees to `content-length`. `false` if there is no such body in this hook.
    fn drain_body(&mut self, body: BodyType, number_of_bytes: usize) -> bool;
    /// Adds bytes at the end. The caller sees to `content-length`.
    fn append_body(&mut self, body: BodyType, data: &[u8]) -> bool;

    body!(
        ReceivedRequestBody,
        get_received_request_body,
        get_received_request_body_size,
        drain_received_request_body,
        append_received_request_body
    );
    body!(
        BufferedRequestBody,
        get_buffered_request_body,
        get_buffered_request_body_size,
        drain_buffered_request_body,
        append_buffered_request_body
    );
    body!(
        ReceivedResponseBody,
        get_received_response_body,
        get_received_response_body_size,
        drain_received_response_body,
        append_received_response_body
    );
    body!(
        BufferedResponseBody,
        get_buffered_response_body,
        get_buffered_response_body_size,
        drain_buffered_response_body,
        append_buffered_response_body
    );

    /// Whether what was received in this hook *is* the buffered request body, sent on by an earlier filter.
    fn received_buffered_request_body(&mut self) -> bool;
    /// The same for the response.
    fn received_buffered_response_body(&mut self) -> bool;
    /// How many bytes Envoy holds back at most.
    fn get_buffer_limit(&self) -> u64;
    /// Changes that limit. Only raise it: other filters have wishes too.
    fn set_buffer_limit(&mut self, limit: u64);
}

thread_local! {
    /// A list of body pieces that grows once and is used for every body of the thread.
    static PIECES: Cell<Vec<RawBuffer>> = const { Cell::new(Vec::new()) };
}

impl EnvoyHttpBodies for EnvoyHttpFilterImpl {
    fn for_each_body_chunk(&self, body: BodyType, visit: &mut dyn FnMut(&[u8])) {
        // Taken out, not borrowed: `visit` may come here again.
        let mut pieces = PIECES.take();
        if self.pieces(body, &mut pieces) {
            for piece in &pieces {
                // SAFETY: Envoy keeps the piece until the body is changed through `&mut self`; `visit` cannot keep it.
                visit(unsafe { slice(piece.ptr, piece.length) });
            }
        }
        PIECES.set(pieces);
    }

    fn get_body<'a>(&'a mut self, body: BodyType) -> Option<Vec<EnvoyMutBuffer<'a>>> {
        let mut pieces = Vec::new();
        self.pieces(body, &mut pieces).then(|| {
            // SAFETY: the pieces of a body do not overlap, and `&mut self` keeps everybody else away from them.
            pieces
                .iter()
                .map(|raw| unsafe { EnvoyMutBuffer::from_raw(*raw) })
                .collect()
        })
    }

    fn get_body_size(&self, body: BodyType) -> usize {
        call!(
            envoy_dynamic_module_callback_http_get_body_size,
            self.raw,
            body.to_raw()
        )
    }

    fn drain_body(&mut self, body: BodyType, number_of_bytes: usize) -> bool {
        call!(
            envoy_dynamic_module_callback_http_drain_body,
            self.raw,
            body.to_raw(),
            number_of_bytes
        )
    }

    fn append_body(&mut self, body: BodyType, data: &[u8]) -> bool {
        let data = ModuleBuffer::of(data);
        call!(
            envoy_dynamic_module_callback_http_append_body,
            self.raw,
            body.to_raw(),
            data
        )
    }

    fn received_buffered_request_body(&mut self) -> bool {
        call!(
            envoy_dynamic_module_callback_http_received_buffered_request_body,
            self.raw
        )
    }

    fn received_buffered_response_body(&mut self) -> bool {
        call!(
            envoy_dynamic_module_callback_http_received_buffered_response_body,
            self.raw
        )
    }

    fn get_buffer_limit(&self) -> u64 {
        call!(
            envoy_dynamic_module_callback_http_get_buffer_limit,
            self.raw
        )
    }

    fn set_buffer_limit(&mut self, limit: u64) {
        call!(
            envoy_dynamic_module_callback_http_set_buffer_limit,
            self.raw,
            limit
        );
    }
}

impl EnvoyHttpFilterImpl {
    /// The pieces of a body into `out`; `false` if there is no such body.
    fn pieces(&self, body: BodyType, out: &mut Vec<RawBuffer>) -> bool {
        // SAFETY: the filter is live.
        let count = unsafe {
            abi::envoy_dynamic_module_callback_http_get_body_chunks_size(self.raw, body.to_raw())
        };
        out.clear();
        out.resize(count, RawBuffer::EMPTY);
        // SAFETY: the filter is live, `out` has room for `count` pieces.
        unsafe {
            abi::envoy_dynamic_module_callback_http_get_body_chunks(
                self.raw,
                body.to_raw(),
                out.as_mut_ptr(),
            )
        }
    }
}
