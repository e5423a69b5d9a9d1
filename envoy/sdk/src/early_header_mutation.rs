//! Early header mutations (`envoy.http.early_header_mutation.dynamic_modules`): request headers are changed before a route
//! is looked for.

use std::ffi::c_void;
use std::sync::OnceLock;

use crate::abi::{
    envoy_dynamic_module_callback_early_header_mutation_get_header_value as get_header_value,
    envoy_dynamic_module_callback_early_header_mutation_set_header as set_header,
    envoy_dynamic_module_type_envoy_buffer as RawBuffer,
    envoy_dynamic_module_type_module_buffer as ModuleBuffer,
};
use crate::buffer::{EnvoyBuffer, slice};
use crate::panic::caught;

/// What a module does with the headers of each request. Made on the main thread, called on all workers.
pub trait EarlyHeaderMutationConfig: Send + Sync {
    /// Changes the headers of a request. `false` keeps the extensions behind this one from doing the same; what was changed
    /// stays changed. So it is after a panic.
    fn mutate(&self, ctx: &mut EarlyHeaderMutationContext) -> bool;
}

/// Makes a config from its name and its configuration; `None` refuses it. On the main thread.
pub type NewEarlyHeaderMutationConfigFunction =
    fn(name: &str, config: &[u8]) -> Option<Box<dyn EarlyHeaderMutationConfig>>;

/// To be set by a module that has such an extension, when it is loaded.
pub static NEW_EARLY_HEADER_MUTATION_CONFIG_FUNCTION: OnceLock<
    NewEarlyHeaderMutationConfigFunction,
> = OnceLock::new();

/// A request, lent for one call.
pub struct EarlyHeaderMutationContext {
    raw: *mut c_void,
}

impl EarlyHeaderMutationContext {
    /// The first value of a header.
    pub fn get_header(&self, key: &str) -> Option<EnvoyBuffer<'_>> {
        let mut out = RawBuffer::EMPTY;
        let mut count = 0;
        // SAFETY: Envoy lends the request for as long as `self` lives, and both out-parameters are ours.
        let found = unsafe {
            get_header_value(
                self.raw,
                ModuleBuffer::of(key.as_bytes()),
                &raw mut out,
                0,
                &raw mut count,
            )
        };
        // SAFETY: Envoy keeps the value until it is changed through `&mut self`.
        found.then(|| unsafe { EnvoyBuffer::from_raw(out) })
    }

    /// Sets a header, in the place of all values that it has.
    pub fn set_header(&mut self, key: &str, value: &[u8]) -> bool {
        // SAFETY: as above; Envoy copies both.
        unsafe {
            set_header(
                self.raw,
                ModuleBuffer::of(key.as_bytes()),
                ModuleBuffer::of(value),
            )
        }
    }
}

/// What Envoy holds for a config.
type Config = Box<dyn EarlyHeaderMutationConfig>;

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_early_header_mutation_config_new(
    _envoy: *mut c_void,
    name: RawBuffer,
    config: RawBuffer,
) -> *const c_void {
    let made = caught("early_header_mutation_config_new", || {
        let new_config = NEW_EARLY_HEADER_MUTATION_CONFIG_FUNCTION.get()?;
        // SAFETY: Envoy lends both buffers for the hook.
        let (name, bytes) = unsafe {
            (
                slice(name.ptr, name.length),
                slice(config.ptr, config.length),
            )
        };
        new_config(&String::from_utf8_lossy(name), bytes)
    });
    match made {
        Ok(Some(config)) => Box::into_raw(Box::<Config>::new(config)).cast(),
        Ok(None) | Err(_) => std::ptr::null(),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_early_header_mutation_config_destroy(
    config: *const c_void,
) {
    if config.is_null() {
        return;
    }
    let _ = caught("early_header_mutation_config_destroy", || {
        // SAFETY: made by `config_new`, and Envoy gives it back once.
        drop(unsafe { Box::from_raw(config.cast_mut().cast::<Config>()) });
    });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_early_header_mutation_mutate(
    config: *const c_void,
    raw: *mut c_void,
) -> bool {
    let done = caught("early_header_mutation_mutate", || {
        // SAFETY: made by `config_new` and not destroyed; workers share it, which its type allows.
        let config = unsafe { config.cast::<Config>().as_ref() }?;
        Some(config.mutate(&mut EarlyHeaderMutationContext { raw }))
    });
    matches!(done, Ok(Some(true)))
}
