//! The stream's filter over the ABI. (Long because the ABI is: one short method per callback.)

use super::envoy::EnvoyHttpFilter;
use crate::abi::{
    self, envoy_dynamic_module_type_attribute_id as AttributeId,
    envoy_dynamic_module_type_envoy_buffer as RawBuffer,
    envoy_dynamic_module_type_envoy_http_header as RawHeader,
    envoy_dynamic_module_type_http_body_type as BodyType,
    envoy_dynamic_module_type_http_callout_init_result as CalloutInitResult,
    envoy_dynamic_module_type_http_filter_stream_reset_reason as StreamResetReason,
    envoy_dynamic_module_type_http_header_type as HeaderType,
    envoy_dynamic_module_type_metadata_source as MetadataSource,
    envoy_dynamic_module_type_metrics_result as MetricsResult,
    envoy_dynamic_module_type_module_buffer as ModuleBuffer,
};
use crate::buffer::{EnvoyBuffer, EnvoyMutBuffer, slice};
use crate::config::{EnvoySecretId, init_result};
use crate::hooks::RouteConfig;
use crate::lend::{with_headers, with_pairs};
use crate::metrics::{self, Change, EnvoyMetrics, metric_methods};
use crate::scheduler::{EnvoyHttpFilterScheduler, NativeScheduler};
use crate::span::{EnvoySpan, NativeSpan};
use std::any::Any;
use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::Arc;

/// Headers that fit on the stack: more than requests have.
const HEADERS: usize = 64;

thread_local! {
    /// A list of body pieces that grows once and is used for every body of the thread.
    static PIECES: Cell<Vec<RawBuffer>> = const { Cell::new(Vec::new()) };
}

/// Envoy's own filter object of a stream, lent for one hook.
pub struct EnvoyHttpFilterImpl {
    raw: abi::envoy_dynamic_module_type_http_filter_envoy_ptr,
    /// Whether this hook has answered or reset the stream already: a panic after that has nothing more to say.
    answered: bool,
    /// Whether this hook has let a held response go on.
    continued_encoding: bool,
}

impl EnvoyHttpFilterImpl {
    /// # Safety
    /// `raw` is the filter that Envoy calls the running hook for, and stays so for as long as the value exists.
    pub(crate) unsafe fn new(raw: abi::envoy_dynamic_module_type_http_filter_envoy_ptr) -> Self {
        Self {
            raw,
            answered: false,
            continued_encoding: false,
        }
    }

    pub(crate) fn answered(&self) -> bool {
        self.answered
    }

    pub(crate) fn continued_encoding(&self) -> bool {
        self.continued_encoding
    }

    fn change(
        &self,
        change: Change,
        id: usize,
        labels: &[&str],
        value: u64,
    ) -> Result<(), MetricsResult> {
        // SAFETY: the filter is live while `self` exists.
        unsafe { metrics::change_in_stream(self.raw, change, id, labels, value) }
    }

    /// A buffer from a callback that fills one in and says whether it did.
    fn buffer<'a>(&'a self, fill: impl FnOnce(*mut RawBuffer) -> bool) -> Option<EnvoyBuffer<'a>> {
        let mut out = RawBuffer::EMPTY;
        // SAFETY: Envoy keeps what it gave until the hook ends or the filter is changed through `&mut self`.
        fill(&raw mut out).then(|| unsafe { EnvoyBuffer::from_raw(out) })
    }

    /// `count` buffers from a callback that fills in an array.
    fn buffers<'a>(
        &'a self,
        count: usize,
        fill: impl FnOnce(*mut RawBuffer) -> bool,
    ) -> Option<Vec<EnvoyBuffer<'a>>> {
        let mut out = vec![RawBuffer::EMPTY; count];
        fill(out.as_mut_ptr()).then(|| {
            // SAFETY: as in `buffer`.
            out.iter()
                .map(|raw| unsafe { EnvoyBuffer::from_raw(*raw) })
                .collect()
        })
    }

    /// A plain value from a callback that fills one in.
    fn value<T: Default>(fill: impl FnOnce(*mut T) -> bool) -> Option<T> {
        let mut out = T::default();
        fill(&raw mut out).then_some(out)
    }

    /// Calls `use_them` with the headers of a map, as Envoy holds them.
    fn with_raw_headers(&self, map: HeaderType, use_them: &mut dyn FnMut(&RawHeader)) {
        // SAFETY: the filter is live.
        let count = unsafe {
            abi::envoy_dynamic_module_callback_http_get_headers_size(self.raw, map.to_raw())
        };
        let fill = |first: *mut RawHeader| {
            // SAFETY: the filter is live and `first` has room for `count` headers.
            count > 0
                && unsafe {
                    abi::envoy_dynamic_module_callback_http_get_headers(
                        self.raw,
                        map.to_raw(),
                        first,
                    )
                }
        };
        if count > HEADERS {
            let mut many = vec![RawHeader::EMPTY; count];
            if fill(many.as_mut_ptr()) {
                many.iter().for_each(use_them);
            }
            return;
        }
        let mut few = [const { MaybeUninit::<RawHeader>::uninit() }; HEADERS];
        if fill(few.as_mut_ptr().cast()) {
            for header in few.iter().take(count) {
                // SAFETY: Envoy said that it filled in all `count` of them.
                use_them(unsafe { header.assume_init_ref() });
            }
        }
    }

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

fn text(text: &str) -> ModuleBuffer {
    ModuleBuffer::of(text.as_bytes())
}

impl EnvoyMetrics for EnvoyHttpFilterImpl {
    metric_methods!(change);
}

// Every callback below gets `self.raw`, the live filter of the running hook, and buffers that live through the call,
// which is all that the ABI asks. That is the SAFETY of each block here; what goes beyond it is said in place.
macro_rules! call {
    ($callback:ident $(, $argument:expr)* $(,)?) => {
        // SAFETY: see above the macro.
        unsafe { abi::$callback($($argument),*) }
    };
}

impl EnvoyHttpFilter for EnvoyHttpFilterImpl {
    fn get_header_value<'a>(&'a self, map: HeaderType, key: &str) -> Option<EnvoyBuffer<'a>> {
        let none = std::ptr::null_mut();
        self.buffer(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_header,
                self.raw,
                map.to_raw(),
                text(key),
                out,
                0,
                none
            )
        })
    }

    fn get_header_values<'a>(&'a self, map: HeaderType, key: &str) -> Vec<EnvoyBuffer<'a>> {
        let mut count = 0;
        let mut values = Vec::new();
        loop {
            let value = self.buffer(|out| {
                call!(
                    envoy_dynamic_module_callback_http_get_header,
                    self.raw,
                    map.to_raw(),
                    text(key),
                    out,
                    values.len(),
                    &raw mut count
                )
            });
            match value {
                Some(value) => values.push(value),
                None => return values,
            }
            if values.len() >= count {
                return values;
            }
        }
    }

    fn for_each_header(&self, map: HeaderType, visit: &mut dyn FnMut(&[u8], &[u8])) {
        self.with_raw_headers(map, &mut |header| {
            // SAFETY: Envoy keeps the header until it is changed through `&mut self`; `visit` cannot keep it.
            let (key, value) = unsafe { pair(header) };
            visit(&key, &value);
        });
    }

    fn get_headers<'a>(&'a self, map: HeaderType) -> Vec<(EnvoyBuffer<'a>, EnvoyBuffer<'a>)> {
        let mut all = Vec::new();
        self.with_raw_headers(map, &mut |header| {
            // SAFETY: Envoy keeps the header until it is changed through `&mut self`.
            all.push(unsafe { pair(header) });
        });
        all
    }

    fn set_header(&mut self, map: HeaderType, key: &str, value: &[u8]) -> bool {
        let value = ModuleBuffer::of(value);
        call!(
            envoy_dynamic_module_callback_http_set_header,
            self.raw,
            map.to_raw(),
            text(key),
            value
        )
    }

    fn add_header(&mut self, map: HeaderType, key: &str, value: &[u8]) -> bool {
        let value = ModuleBuffer::of(value);
        call!(
            envoy_dynamic_module_callback_http_add_header,
            self.raw,
            map.to_raw(),
            text(key),
            value
        )
    }

    fn remove_header(&mut self, map: HeaderType, key: &str) -> bool {
        let value = ModuleBuffer::NULL;
        call!(
            envoy_dynamic_module_callback_http_set_header,
            self.raw,
            map.to_raw(),
            text(key),
            value
        )
    }

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

    fn send_response(
        &mut self,
        status_code: u32,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        details: Option<&str>,
    ) {
        self.answered = true;
        let body = body.map_or(ModuleBuffer::NULL, ModuleBuffer::of);
        let details = details.map_or(ModuleBuffer::NULL, text);
        with_headers(headers, |first, count| {
            call!(
                envoy_dynamic_module_callback_http_send_response,
                self.raw,
                status_code,
                first,
                count,
                body,
                details
            );
        });
    }

    fn send_response_headers(&mut self, headers: &[(&str, &[u8])], end_stream: bool) {
        self.answered = true;
        with_headers(headers, |first, count| {
            call!(
                envoy_dynamic_module_callback_http_send_response_headers,
                self.raw,
                first,
                count,
                end_stream
            );
        });
    }

    fn send_response_data(&mut self, body: &[u8], end_stream: bool) {
        let body = ModuleBuffer::of(body);
        call!(
            envoy_dynamic_module_callback_http_send_response_data,
            self.raw,
            body,
            end_stream
        );
    }

    fn send_response_trailers(&mut self, trailers: &[(&str, &[u8])]) {
        with_headers(trailers, |first, count| {
            call!(
                envoy_dynamic_module_callback_http_send_response_trailers,
                self.raw,
                first,
                count
            );
        });
    }

    fn add_custom_flag(&mut self, flag: &str) {
        call!(
            envoy_dynamic_module_callback_http_add_custom_flag,
            self.raw,
            text(flag)
        );
    }

    fn reset_stream(&mut self, reason: StreamResetReason, details: &str) {
        self.answered = true;
        call!(
            envoy_dynamic_module_callback_http_filter_reset_stream,
            self.raw,
            reason.to_raw(),
            text(details)
        );
    }

    fn continue_decoding(&mut self) {
        call!(
            envoy_dynamic_module_callback_http_filter_continue_decoding,
            self.raw
        );
    }

    fn continue_encoding(&mut self) {
        self.continued_encoding = true;
        call!(
            envoy_dynamic_module_callback_http_filter_continue_encoding,
            self.raw
        );
    }

    fn clear_route_cache(&mut self) {
        call!(
            envoy_dynamic_module_callback_http_clear_route_cache,
            self.raw
        );
    }

    fn clear_route_cluster_cache(&mut self) {
        call!(
            envoy_dynamic_module_callback_http_clear_route_cluster_cache,
            self.raw
        );
    }

    fn get_worker_index(&self) -> u32 {
        call!(
            envoy_dynamic_module_callback_http_filter_get_worker_index,
            self.raw
        )
    }

    fn get_most_specific_route_config(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.raw_route_config().map(Arc::clone)
    }

    fn route_config(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.raw_route_config().map(|config| &**config)
    }

    fn get_cluster_name<'a>(&'a self) -> Option<EnvoyBuffer<'a>> {
        self.buffer(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_cluster_name,
                self.raw,
                out
            )
        })
    }

    fn get_metadata_string<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<EnvoyBuffer<'a>> {
        self.buffer(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_metadata_string,
                self.raw,
                source.to_raw(),
                text(namespace),
                text(key),
                out
            )
        })
    }

    fn get_metadata_number(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<f64> {
        Self::value(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_metadata_number,
                self.raw,
                source.to_raw(),
                text(namespace),
                text(key),
                out
            )
        })
    }

    fn get_metadata_bool(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<bool> {
        Self::value(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_metadata_bool,
                self.raw,
                source.to_raw(),
                text(namespace),
                text(key),
                out
            )
        })
    }

    fn get_metadata_keys<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
    ) -> Option<Vec<EnvoyBuffer<'a>>> {
        let count = call!(
            envoy_dynamic_module_callback_http_get_metadata_keys_count,
            self.raw,
            source.to_raw(),
            text(namespace)
        );
        self.buffers(count, |first| {
            count > 0
                && call!(
                    envoy_dynamic_module_callback_http_get_metadata_keys,
                    self.raw,
                    source.to_raw(),
                    text(namespace),
                    first
                )
        })
    }

    fn get_metadata_namespaces<'a>(
        &'a self,
        source: MetadataSource,
    ) -> Option<Vec<EnvoyBuffer<'a>>> {
        let count = call!(
            envoy_dynamic_module_callback_http_get_metadata_namespaces_count,
            self.raw,
            source.to_raw()
        );
        self.buffers(count, |first| {
            count > 0
                && call!(
                    envoy_dynamic_module_callback_http_get_metadata_namespaces,
                    self.raw,
                    source.to_raw(),
                    first
                )
        })
    }

    fn get_metadata_list_size(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
    ) -> Option<usize> {
        Self::value(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_metadata_list_size,
                self.raw,
                source.to_raw(),
                text(namespace),
                text(key),
                out
            )
        })
    }

    fn get_metadata_list_string<'a>(
        &'a self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<EnvoyBuffer<'a>> {
        self.buffer(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_metadata_list_string,
                self.raw,
                source.to_raw(),
                text(namespace),
                text(key),
                index,
                out
            )
        })
    }

    fn get_metadata_list_number(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<f64> {
        Self::value(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_metadata_list_number,
                self.raw,
                source.to_raw(),
                text(namespace),
                text(key),
                index,
                out
            )
        })
    }

    fn get_metadata_list_bool(
        &self,
        source: MetadataSource,
        namespace: &str,
        key: &str,
        index: usize,
    ) -> Option<bool> {
        Self::value(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_metadata_list_bool,
                self.raw,
                source.to_raw(),
                text(namespace),
                text(key),
                index,
                out
            )
        })
    }

    fn set_dynamic_metadata_string(&mut self, namespace: &str, key: &str, value: &str) {
        call!(
            envoy_dynamic_module_callback_http_set_dynamic_metadata_string,
            self.raw,
            text(namespace),
            text(key),
            text(value)
        );
    }

    fn set_dynamic_metadata_string_batch(&mut self, namespace: &str, entries: &[(&str, &str)]) {
        with_pairs(entries, |first, count| {
            call!(
                envoy_dynamic_module_callback_http_set_dynamic_metadata_string_batch,
                self.raw,
                text(namespace),
                first,
                count
            );
        });
    }

    fn set_dynamic_metadata_number(&mut self, namespace: &str, key: &str, value: f64) {
        call!(
            envoy_dynamic_module_callback_http_set_dynamic_metadata_number,
            self.raw,
            text(namespace),
            text(key),
            value
        );
    }

    fn set_dynamic_metadata_bool(&mut self, namespace: &str, key: &str, value: bool) {
        call!(
            envoy_dynamic_module_callback_http_set_dynamic_metadata_bool,
            self.raw,
            text(namespace),
            text(key),
            value
        );
    }

    fn get_filter_state_bytes<'a>(&'a self, key: &[u8]) -> Option<EnvoyBuffer<'a>> {
        let key = ModuleBuffer::of(key);
        self.buffer(|out| {
            call!(
                envoy_dynamic_module_callback_http_get_filter_state_bytes,
                self.raw,
                key,
                out
            )
        })
    }

    fn set_filter_state_bytes(&mut self, key: &[u8], value: &[u8]) -> bool {
        let (key, value) = (ModuleBuffer::of(key), ModuleBuffer::of(value));
        call!(
            envoy_dynamic_module_callback_http_set_filter_state_bytes,
            self.raw,
            key,
            value
        )
    }

    fn get_attribute_string<'a>(&'a self, attribute_id: AttributeId) -> Option<EnvoyBuffer<'a>> {
        self.buffer(|out| {
            call!(
                envoy_dynamic_module_callback_http_filter_get_attribute_string,
                self.raw,
                attribute_id.to_raw(),
                out
            )
        })
    }

    fn get_attribute_int(&self, attribute_id: AttributeId) -> Option<i64> {
        let value = Self::value::<u64>(|out| {
            call!(
                envoy_dynamic_module_callback_http_filter_get_attribute_int,
                self.raw,
                attribute_id.to_raw(),
                out
            )
        });
        value.map(u64::cast_signed)
    }

    fn get_attribute_bool(&self, attribute_id: AttributeId) -> Option<bool> {
        Self::value(|out| {
            call!(
                envoy_dynamic_module_callback_http_filter_get_attribute_bool,
                self.raw,
                attribute_id.to_raw(),
                out
            )
        })
    }

    fn get_generic_secret<'a>(&'a self, id: EnvoySecretId) -> Option<EnvoyBuffer<'a>> {
        self.buffer(|out| {
            call!(
                envoy_dynamic_module_callback_http_filter_get_generic_secret,
                self.raw,
                id.0.get(),
                out
            )
        })
    }

    fn send_http_callout(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64) {
        let mut id = 0;
        let body = body.map_or(ModuleBuffer::NULL, ModuleBuffer::of);
        let raw = with_headers(headers, |first, count| {
            call!(
                envoy_dynamic_module_callback_http_filter_http_callout,
                self.raw,
                &raw mut id,
                text(cluster_name),
                first,
                count,
                body,
                timeout_milliseconds
            )
        });
        (init_result(raw), id)
    }

    fn start_http_stream(
        &mut self,
        cluster_name: &str,
        headers: &[(&str, &[u8])],
        body: Option<&[u8]>,
        end_stream: bool,
        timeout_milliseconds: u64,
    ) -> (CalloutInitResult, u64) {
        let mut id = 0;
        let body = body.map_or(ModuleBuffer::NULL, ModuleBuffer::of);
        let raw = with_headers(headers, |first, count| {
            call!(
                envoy_dynamic_module_callback_http_filter_start_http_stream,
                self.raw,
                &raw mut id,
                text(cluster_name),
                first,
                count,
                body,
                end_stream,
                timeout_milliseconds
            )
        });
        (init_result(raw), id)
    }

    fn send_http_stream_data(&mut self, stream: u64, data: &[u8], end_stream: bool) -> bool {
        let data = ModuleBuffer::of(data);
        call!(
            envoy_dynamic_module_callback_http_stream_send_data,
            self.raw,
            stream,
            data,
            end_stream
        )
    }

    fn send_http_stream_trailers(&mut self, stream: u64, trailers: &[(&str, &[u8])]) -> bool {
        with_headers(trailers, |first, count| {
            call!(
                envoy_dynamic_module_callback_http_stream_send_trailers,
                self.raw,
                stream,
                first,
                count
            )
        })
    }

    fn reset_http_stream(&mut self, stream: u64) {
        call!(
            envoy_dynamic_module_callback_http_filter_reset_http_stream,
            self.raw,
            stream
        );
    }

    fn new_scheduler(&self) -> impl EnvoyHttpFilterScheduler + 'static {
        // SAFETY: the filter is live.
        unsafe { NativeScheduler::of_stream(self.raw) }
    }

    fn get_active_span<'a>(&'a self) -> Option<Box<dyn EnvoySpan + 'a>> {
        let raw = call!(envoy_dynamic_module_callback_http_get_active_span, self.raw);
        (!raw.is_null()).then(|| {
            Box::new(NativeSpan {
                raw,
                filter: self.raw,
                stream: PhantomData,
            }) as Box<dyn EnvoySpan + 'a>
        })
    }
}

impl EnvoyHttpFilterImpl {
    fn raw_route_config(&self) -> Option<&RouteConfig> {
        let raw = call!(
            envoy_dynamic_module_callback_get_most_specific_route_config,
            self.raw
        );
        // SAFETY: null, or what `per_route_config_new` made; the stream holds its route, and so the config, through
        // the hook.
        unsafe { raw.cast::<RouteConfig>().as_ref() }
    }
}

/// # Safety
/// `header` is one that Envoy keeps unchanged for `'a`.
unsafe fn pair<'a>(header: &RawHeader) -> (EnvoyBuffer<'a>, EnvoyBuffer<'a>) {
    // SAFETY: the caller's promise.
    let (key, value) = unsafe {
        (
            slice(header.key_ptr, header.key_length),
            slice(header.value_ptr, header.value_length),
        )
    };
    (EnvoyBuffer::from(key), EnvoyBuffer::from(value))
}
