//! A stream's headers, in lists.

use super::MockHttpFilter;
use crate::abi::envoy_dynamic_module_type_http_header_type as HeaderType;
use crate::buffer::EnvoyBuffer;
use crate::http::EnvoyHttpHeaders;

impl EnvoyHttpHeaders for MockHttpFilter {
    fn get_header_value<'a>(&'a self, map: HeaderType, key: &str) -> Option<EnvoyBuffer<'a>> {
        self.get_header_values(map, key).first().copied()
    }

    fn get_header_values<'a>(&'a self, map: HeaderType, key: &str) -> Vec<EnvoyBuffer<'a>> {
        let headers = self.headers.get(&map).into_iter().flatten();
        headers
            .filter(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| EnvoyBuffer::from(value.as_slice()))
            .collect()
    }

    fn for_each_header(&self, map: HeaderType, visit: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, value) in self.headers.get(&map).into_iter().flatten() {
            visit(name.as_bytes(), value);
        }
    }

    fn get_headers<'a>(&'a self, map: HeaderType) -> Vec<(EnvoyBuffer<'a>, EnvoyBuffer<'a>)> {
        let headers = self.headers.get(&map).into_iter().flatten();
        headers
            .map(|(name, value)| (EnvoyBuffer::new(name), EnvoyBuffer::from(value.as_slice())))
            .collect()
    }

    fn set_header(&mut self, map: HeaderType, key: &str, value: &[u8]) -> bool {
        let Some(headers) = self.headers.get_mut(&map) else {
            return false;
        };
        // In place, as Envoy does for headers that it has fields for.
        match headers
            .iter()
            .position(|(name, _)| name.eq_ignore_ascii_case(key))
        {
            Some(place) => {
                let mut at = 0;
                headers.retain(|(name, _)| {
                    at += 1;
                    at <= place + 1 || !name.eq_ignore_ascii_case(key)
                });
                if let Some((_, old)) = headers.get_mut(place) {
                    *old = value.to_vec();
                }
            }
            None => headers.push((key.to_ascii_lowercase(), value.to_vec())),
        }
        true
    }

    fn add_header(&mut self, map: HeaderType, key: &str, value: &[u8]) -> bool {
        let Some(headers) = self.headers.get_mut(&map) else {
            return false;
        };
        headers.push((key.to_ascii_lowercase(), value.to_vec()));
        true
    }

    fn remove_header(&mut self, map: HeaderType, key: &str) -> bool {
        let Some(headers) = self.headers.get_mut(&map) else {
            return false;
        };
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case(key));
        true
    }
}
