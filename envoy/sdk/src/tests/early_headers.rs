//! Early header mutations.

use super::entry_points::Raw;
use super::fake_envoy::{FakeEnvoy, bytes};
use super::run::raw;
use crate::abi::*;
use crate::early_header_mutation::*;
use std::ffi::c_void;

unsafe extern "C" {
    fn envoy_dynamic_module_on_early_header_mutation_config_new(
        e: *mut c_void,
        name: Raw,
        config: Raw,
    ) -> *const c_void;
    fn envoy_dynamic_module_on_early_header_mutation_config_destroy(c: *const c_void);
    fn envoy_dynamic_module_on_early_header_mutation_mutate(
        c: *const c_void,
        e: *mut c_void,
    ) -> bool;
}

/// Writes the value of `from` into `x-to`; panics where there is none.
struct Copies {
    from: String,
}

impl EarlyHeaderMutationConfig for Copies {
    fn mutate(&self, ctx: &mut EarlyHeaderMutationContext) -> bool {
        let value = ctx.get_header(&self.from).unwrap().to_vec();
        ctx.set_header("x-to", &value)
    }
}

fn new(name: &str, config: &[u8]) -> Option<Box<dyn EarlyHeaderMutationConfig>> {
    let from = String::from_utf8(config.to_vec()).unwrap();
    (name == "copies").then(|| Box::new(Copies { from }) as Box<dyn EarlyHeaderMutationConfig>)
}

type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// What the headers are after a request, and whether the extensions behind are to run.
fn request(config: &str) -> (Headers, bool) {
    NEW_EARLY_HEADER_MUTATION_CONFIG_FUNCTION.get_or_init(|| new);
    let host = (b"host".to_vec(), b"a.example.com".to_vec());
    let envoy = FakeEnvoy {
        headers: [vec![host], vec![], vec![], vec![]],
        ..FakeEnvoy::default()
    };
    let envoy = Box::into_raw(Box::new(envoy));
    // SAFETY: the fake lives until it is taken back, and no borrow of it is held.
    unsafe {
        let config = envoy_dynamic_module_on_early_header_mutation_config_new(
            envoy.cast(),
            raw(b"copies"),
            raw(config.as_bytes()),
        );
        assert!(!config.is_null());
        let goes_on = envoy_dynamic_module_on_early_header_mutation_mutate(config, envoy.cast());
        envoy_dynamic_module_on_early_header_mutation_config_destroy(config);
        let [headers, ..] = Box::from_raw(envoy).headers;
        (headers, goes_on)
    }
}

#[test]
fn a_header_is_read_and_set() {
    let (headers, goes_on) = request("host");
    assert!(goes_on);
    assert_eq!(headers[1], (b"x-to".to_vec(), b"a.example.com".to_vec()));
}

#[test]
fn a_panic_leaves_the_request_as_it_is() {
    let (headers, goes_on) = request("x-missing");
    assert!(!goes_on);
    assert_eq!(headers.len(), 1);
}

#[test]
fn an_unknown_name_is_refused() {
    NEW_EARLY_HEADER_MUTATION_CONFIG_FUNCTION.get_or_init(|| new);
    // SAFETY: nothing is lent but the buffers.
    let config = unsafe {
        envoy_dynamic_module_on_early_header_mutation_config_new(
            std::ptr::null_mut(),
            raw(b"other"),
            Raw::EMPTY,
        )
    };
    assert!(config.is_null());
}

mod callbacks {
    use super::*;

    #[unsafe(no_mangle)]
    extern "C" fn envoy_dynamic_module_callback_early_header_mutation_get_header_value(
        raw: *mut c_void,
        key: envoy_dynamic_module_type_module_buffer,
        out: *mut envoy_dynamic_module_type_envoy_buffer,
        index: usize,
        count: *mut usize,
    ) -> bool {
        let fake = FakeEnvoy::at(raw);
        let all = fake.headers[0]
            .iter()
            .filter(|(name, _)| name == bytes(key));
        let values: Vec<&[u8]> = all.map(|(_, value)| value.as_slice()).collect();
        // SAFETY: the module's own.
        unsafe { *count = values.len() };
        super::super::fake_envoy::give(out, values.get(index).copied())
    }

    #[unsafe(no_mangle)]
    extern "C" fn envoy_dynamic_module_callback_early_header_mutation_set_header(
        raw: *mut c_void,
        key: envoy_dynamic_module_type_module_buffer,
        value: envoy_dynamic_module_type_module_buffer,
    ) -> bool {
        let headers = &mut FakeEnvoy::at(raw).headers[0];
        headers.retain(|(name, _)| name != bytes(key));
        headers.push((bytes(key).to_vec(), bytes(value).to_vec()));
        true
    }
}
