//! Events from other threads to the thread of a stream or of a config.

use crate::abi;

/// Sends events to a stream's worker; they arrive in [`HttpFilter::on_scheduled`](crate::HttpFilter::on_scheduled), or
/// nowhere if the stream has ended.
pub trait EnvoyHttpFilterScheduler: Send + Sync {
    /// Sends an event.
    fn commit(&self, event_id: u64);
}

/// Sends events to the main thread, to
/// [`HttpFilterConfig::on_scheduled`](crate::HttpFilterConfig::on_scheduled) of its config, if that is still there.
pub trait EnvoyHttpFilterConfigScheduler: Send + Sync {
    /// Sends an event.
    fn commit(&self, event_id: u64);
}

impl EnvoyHttpFilterScheduler for Box<dyn EnvoyHttpFilterScheduler> {
    fn commit(&self, event_id: u64) {
        (**self).commit(event_id);
    }
}

impl EnvoyHttpFilterConfigScheduler for Box<dyn EnvoyHttpFilterConfigScheduler> {
    fn commit(&self, event_id: u64) {
        (**self).commit(event_id);
    }
}

type Raw = abi::envoy_dynamic_module_type_http_filter_scheduler_module_ptr;

/// Envoy's scheduler of a stream or of a config: which, says what it was made by.
pub(crate) struct NativeScheduler {
    raw: Raw,
    commit: unsafe extern "C" fn(Raw, u64),
    delete: unsafe extern "C" fn(Raw),
}

// SAFETY: the ABI allows commit and delete from any thread; Envoy's side holds a weak reference to what it wakes.
unsafe impl Send for NativeScheduler {}
// SAFETY: as above; commit takes no exclusive state.
unsafe impl Sync for NativeScheduler {}

impl NativeScheduler {
    /// # Safety
    /// `filter` is the filter of a hook that is running.
    pub(crate) unsafe fn of_stream(
        filter: abi::envoy_dynamic_module_type_http_filter_envoy_ptr,
    ) -> Self {
        Self {
            // SAFETY: the filter is live.
            raw: unsafe { abi::envoy_dynamic_module_callback_http_filter_scheduler_new(filter) },
            commit: abi::envoy_dynamic_module_callback_http_filter_scheduler_commit,
            delete: abi::envoy_dynamic_module_callback_http_filter_scheduler_delete,
        }
    }

    /// # Safety
    /// `config` is a config that Envoy has not destroyed.
    pub(crate) unsafe fn of_config(
        config: abi::envoy_dynamic_module_type_http_filter_config_envoy_ptr,
    ) -> Self {
        Self {
            // SAFETY: the config is live.
            raw: unsafe {
                abi::envoy_dynamic_module_callback_http_filter_config_scheduler_new(config)
            },
            commit: abi::envoy_dynamic_module_callback_http_filter_config_scheduler_commit,
            delete: abi::envoy_dynamic_module_callback_http_filter_config_scheduler_delete,
        }
    }

    fn send(&self, event_id: u64) {
        if !self.raw.is_null() {
            // SAFETY: `raw` came from the matching `new` and is deleted only in drop.
            unsafe { (self.commit)(self.raw, event_id) }
        }
    }
}

impl EnvoyHttpFilterScheduler for NativeScheduler {
    fn commit(&self, event_id: u64) {
        self.send(event_id);
    }
}

impl EnvoyHttpFilterConfigScheduler for NativeScheduler {
    fn commit(&self, event_id: u64) {
        self.send(event_id);
    }
}

impl Drop for NativeScheduler {
    fn drop(&mut self) {
        if !self.raw.is_null() {
            // SAFETY: ours, and not used again.
            unsafe { (self.delete)(self.raw) }
        }
    }
}
