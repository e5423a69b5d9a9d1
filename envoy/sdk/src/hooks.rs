//! The entry points that Envoy calls. None lets a panic out.
//!
//! What a panic costs, by where it happens (each seen on Envoy 1.40, in both positions): while no response has gone
//! past the filter, so also in the response's hooks as long as it holds the headers back, the stream gets the config's
//! [`PanicReply`](crate::PanicReply); later, where an answer is under way already, the stream is reset; a config that
//! panics while it is made is refused; a panic in a destructor is logged. The filter is not called again, the worker
//! lives on.

mod config;
mod rescue;
mod stream;

use crate::config::EnvoyHttpFilterConfigImpl;
use crate::http::{EnvoyHttpFilterImpl, HttpFilter, HttpFilterConfig};
use std::any::Any;
use std::cell::Cell;
use std::ffi::c_char;
use std::sync::{Arc, OnceLock};

/// Runs when the module is loaded; `false` refuses the load.
pub type ProgramInitFunction = fn() -> bool;

/// Makes a filter config from a filter's name and its configuration; `None` refuses it. On the main thread.
pub type NewHttpFilterConfigFunction<EC, EHF> = fn(
    envoy_filter_config: &mut EC,
    name: &str,
    config: &[u8],
) -> Option<Box<dyn HttpFilterConfig<EHF>>>;

/// Makes a per-route config; `None` refuses it. On the main thread, with no Envoy to ask.
///
/// A filter that the connection manager lists with `disabled: true` runs on routes whose `typed_per_filter_config` has a
/// `DynamicModuleFilterPerRoute` for it, bare or within a `FilterConfig`, or a `FilterConfig` with `config: {}` (no
/// per-route config then); `FilterConfig{disabled: true}` switches an enabled one off.
///
/// The official SDK's function returns a plain `dyn Any`; ours asks for what reading it on every worker needs.
pub type NewHttpFilterPerRouteConfigFunction =
    fn(name: &str, config: &[u8]) -> Option<Box<dyn Any + Send + Sync>>;

/// Set by [`declare_init_functions!`](crate::declare_init_functions).
#[doc(hidden)]
pub static NEW_HTTP_FILTER_CONFIG_FUNCTION: OnceLock<
    NewHttpFilterConfigFunction<EnvoyHttpFilterConfigImpl, EnvoyHttpFilterImpl>,
> = OnceLock::new();

/// Set by [`declare_init_functions!`](crate::declare_init_functions).
#[doc(hidden)]
pub static NEW_HTTP_FILTER_PER_ROUTE_CONFIG_FUNCTION: OnceLock<
    NewHttpFilterPerRouteConfigFunction,
> = OnceLock::new();

/// What Envoy holds for a per-route config.
pub(crate) type RouteConfig = Arc<dyn Any + Send + Sync>;

/// What Envoy holds for a config.
struct Config {
    module: Box<dyn HttpFilterConfig<EnvoyHttpFilterImpl>>,
    envoy: crate::abi::envoy_dynamic_module_type_http_filter_config_envoy_ptr,
}

/// What Envoy holds for a stream's filter.
struct Filter {
    /// `None` if the config panicked instead of making one.
    module: Option<Box<dyn HttpFilter<EnvoyHttpFilterImpl>>>,
    /// Envoy keeps a config for as long as a filter of it exists.
    config: *const Config,
    state: Cell<State>,
    /// Hooks of this filter that are running: Envoy calls some from within callbacks of others.
    depth: Cell<u32>,
}

/// How far a stream's filter is, for what can still be done after a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No response has gone past this filter: none has come, or it is held back.
    Answerable,
    /// Response headers have gone on.
    Answered,
    /// `new` panicked; there has been no hook yet to answer in.
    Stillborn,
    /// It panicked. Nothing more is asked of it.
    Poisoned,
}

/// The body of `envoy_dynamic_module_on_program_init`. Null refuses the load.
#[doc(hidden)]
pub fn program_init(
    init: ProgramInitFunction,
    new_config: NewHttpFilterConfigFunction<EnvoyHttpFilterConfigImpl, EnvoyHttpFilterImpl>,
    new_route_config: Option<NewHttpFilterPerRouteConfigFunction>,
) -> *const c_char {
    crate::process::install(crate::process::ENVOY);
    crate::panic::remember_places();
    NEW_HTTP_FILTER_CONFIG_FUNCTION.get_or_init(|| new_config);
    if let Some(new_route_config) = new_route_config {
        NEW_HTTP_FILTER_PER_ROUTE_CONFIG_FUNCTION.get_or_init(|| new_route_config);
    }
    match crate::panic::caught("program_init", init) {
        Ok(true) => crate::abi::ABI_VERSION.as_ptr(),
        Ok(false) | Err(_) => std::ptr::null(),
    }
}

/// Makes a shared library a module: defines the symbol that Envoy looks for first.
///
/// Arguments: a [`ProgramInitFunction`], a [`NewHttpFilterConfigFunction`], and, if the module has per-route configs, a
/// [`NewHttpFilterPerRouteConfigFunction`].
#[macro_export]
macro_rules! declare_init_functions {
    ($init:ident, $new_config:expr $(,)?) => {
        $crate::declare_init_functions!(@ $init, $new_config, ::std::option::Option::None);
    };
    ($init:ident, $new_config:expr, $new_route_config:expr $(,)?) => {
        $crate::declare_init_functions!(@ $init, $new_config, ::std::option::Option::Some($new_route_config));
    };
    (@ $init:ident, $new_config:expr, $new_route_config:expr) => {
        #[allow(unsafe_code, reason = "an exported symbol, its name is the ABI's")]
        #[unsafe(no_mangle)]
        extern "C" fn envoy_dynamic_module_on_program_init() -> *const ::std::ffi::c_char {
            $crate::program_init($init, $new_config, $new_route_config)
        }
    };
}
