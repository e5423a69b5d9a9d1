//! A stream's bodies, in pieces.

use super::MockHttpFilter;
use crate::abi::envoy_dynamic_module_type_http_body_type as BodyType;
use crate::buffer::EnvoyMutBuffer;
use crate::http::EnvoyHttpBodies;

impl EnvoyHttpBodies for MockHttpFilter {
    fn for_each_body_chunk(&self, body: BodyType, visit: &mut dyn FnMut(&[u8])) {
        for piece in self.bodies.get(&body).into_iter().flatten() {
            visit(piece);
        }
    }

    fn get_body<'a>(&'a mut self, body: BodyType) -> Option<Vec<EnvoyMutBuffer<'a>>> {
        let pieces = self.bodies.get_mut(&body)?;
        Some(
            pieces
                .iter_mut()
                .map(|piece| EnvoyMutBuffer::new(piece))
                .collect(),
        )
    }

    fn get_body_size(&self, body: BodyType) -> usize {
        let pieces = self.bodies.get(&body).into_iter().flatten();
        pieces.map(Vec::len).sum()
    }

    fn drain_body(&mut self, body: BodyType, number_of_bytes: usize) -> bool {
        let Some(pieces) = self.bodies.get_mut(&body) else {
            return false;
        };
        let all = pieces.concat();
        let rest = all.get(number_of_bytes..).unwrap_or_default().to_vec();
        *pieces = if rest.is_empty() { vec![] } else { vec![rest] };
        true
    }

    fn append_body(&mut self, body: BodyType, data: &[u8]) -> bool {
        let buffered = matches!(
            body,
            BodyType::BufferedRequestBody | BodyType::BufferedResponseBody
        );
        if buffered {
            // Envoy makes a buffer where there is none: so a message without a body gets one.
            self.bodies.entry(body).or_default().push(data.to_vec());
            return true;
        }
        let Some(pieces) = self.bodies.get_mut(&body) else {
            return false;
        };
        pieces.push(data.to_vec());
        true
    }

    fn received_buffered_request_body(&mut self) -> bool {
        self.received_buffered.0
    }

    fn received_buffered_response_body(&mut self) -> bool {
        self.received_buffered.1
    }

    fn get_buffer_limit(&self) -> u64 {
        self.buffer_limit
    }

    fn set_buffer_limit(&mut self, limit: u64) {
        self.buffer_limit = limit;
    }
}
