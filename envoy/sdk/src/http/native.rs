//! The stream's filter over the ABI. What it does is next to the trait that asks for it.

use super::envoy::EnvoyHttpFilter;
use crate::abi::{
    self, envoy_dynamic_module_type_envoy_buffer as RawBuffer,
    envoy_dynamic_module_type_metrics_result as MetricsResult,
    envoy_dynamic_module_type_module_buffer as ModuleBuffer,
};
use crate::buffer::EnvoyBuffer;
use crate::callouts::{EnvoyHttpCallouts, NativeCallouts, callout_methods};
use crate::metrics::{self, Change, EnvoyMetrics, metric_methods};
use crate::scheduler::{EnvoyHttpFilterScheduler, NativeScheduler};
use crate::span::{EnvoySpan, NativeSpan};
use std::marker::PhantomData;

/// Envoy's own filter object of a stream, lent for one hook.
pub struct EnvoyHttpFilterImpl {
    pub(super) raw: abi::envoy_dynamic_module_type_http_filter_envoy_ptr,
    /// Whether this hook has answered or reset the stream already: a panic after that has nothing more to say.
    pub(super) answered: bool,
    /// Whether this hook has let a held response go on.
    pub(super) continued_encoding: bool,
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
    pub(super) fn buffer<'a>(
        &'a self,
        fill: impl FnOnce(*mut RawBuffer) -> bool,
    ) -> Option<EnvoyBuffer<'a>> {
        let mut out = RawBuffer::EMPTY;
        // SAFETY: Envoy keeps what it gave until the hook ends or the filter is changed through `&mut self`.
        fill(&raw mut out).then(|| unsafe { EnvoyBuffer::from_raw(out) })
    }

    /// `count` buffers from a callback that fills in an array.
    pub(super) fn buffers<'a>(
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
    pub(super) fn value<T: Default>(fill: impl FnOnce(*mut T) -> bool) -> Option<T> {
        let mut out = T::default();
        fill(&raw mut out).then_some(out)
    }

    fn callouts(&mut self) -> NativeCallouts<'_> {
        // SAFETY: the filter is live while `self` exists.
        unsafe { NativeCallouts::of_stream(self.raw) }
    }
}

pub(super) fn text(text: &str) -> ModuleBuffer {
    ModuleBuffer::of(text.as_bytes())
}

/// Calls back. Each callback called by this gets `self.raw`, the live filter of the running hook, and buffers that
/// live through the call, which is all that the ABI asks: that is the SAFETY of each call. What goes beyond it is said in
/// place.
macro_rules! call {
    ($callback:ident $(, $argument:expr)* $(,)?) => {
        // SAFETY: see above the macro.
        unsafe { abi::$callback($($argument),*) }
    };
}
pub(super) use call;

impl EnvoyMetrics for EnvoyHttpFilterImpl {
    metric_methods!(change);
}

impl EnvoyHttpCallouts for EnvoyHttpFilterImpl {
    callout_methods!(callouts);
}

impl EnvoyHttpFilter for EnvoyHttpFilterImpl {
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
