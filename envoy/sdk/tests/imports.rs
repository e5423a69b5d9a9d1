//! Envoy loads modules with `RTLD_NOW`: one imported callback that it does not export refuses the whole module.

use object::{Object, ObjectSymbol};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const CALLBACK: &str = "envoy_dynamic_module_callback_";

/// What Envoy 1.40.0 exports, one name a line, sorted.
fn exported_by_the_pinned_envoy() -> BTreeSet<String> {
    include_str!("../exported-callbacks-1.40.txt")
        .lines()
        .map(str::to_owned)
        .collect()
}

/// The dynamic symbols of a file: those it imports, if `undefined`, else those it exports.
fn dynamic_symbols(path: &Path, undefined: bool) -> BTreeSet<String> {
    let bytes =
        std::fs::read(path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
    let file = object::File::parse(&*bytes).expect("an ELF file");
    file.dynamic_symbols()
        .filter(|symbol| symbol.is_undefined() == undefined)
        .map(|symbol| symbol.name().expect("a name in UTF-8").to_owned())
        .collect()
}

/// `cargo test` builds examples next to the folder of the tests.
fn example() -> PathBuf {
    let tests = std::env::current_exe().expect("the test's own path");
    let target = tests.ancestors().nth(2).expect("target/<profile>");
    target.join("examples/libidentity.so")
}

#[test]
fn every_callback_that_the_example_imports_is_exported_by_envoy() {
    let imports = dynamic_symbols(&example(), true);
    let callbacks: BTreeSet<_> = imports
        .into_iter()
        .filter(|name| name.starts_with(CALLBACK))
        .collect();
    assert!(!callbacks.is_empty());
    let missing: Vec<_> = callbacks
        .difference(&exported_by_the_pinned_envoy())
        .cloned()
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

/// The example uses few of them; a module may use them all.
#[test]
fn every_callback_that_is_declared_is_exported_by_envoy() {
    let source = include_str!("../src/abi/callbacks.rs");
    let declared: BTreeSet<String> = source
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(CALLBACK))
        .map(str::to_owned)
        .collect();
    assert!(declared.len() > 80, "only {} found", declared.len());
    let missing: Vec<_> = declared
        .difference(&exported_by_the_pinned_envoy())
        .cloned()
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn a_module_exports_every_hook_that_envoy_asks_for() {
    let exports = dynamic_symbols(&example(), false);
    let filter = "envoy_dynamic_module_on_http_filter_";
    let mut hooks = vec!["envoy_dynamic_module_on_program_init".to_owned()];
    hooks.extend(
        [
            "config_new",
            "config_destroy",
            "config_scheduled",
            "config_http_callout_done",
            "config_http_stream_headers",
            "config_http_stream_data",
            "config_http_stream_trailers",
            "config_http_stream_complete",
            "config_http_stream_reset",
            "per_route_config_new",
            "per_route_config_destroy",
            "new",
            "destroy",
            "request_headers",
            "request_body",
            "request_trailers",
            "response_headers",
            "response_body",
            "response_trailers",
            "stream_complete",
            "http_callout_done",
            "http_stream_headers",
            "http_stream_data",
            "http_stream_trailers",
            "http_stream_complete",
            "http_stream_reset",
            "scheduled",
            "downstream_above_write_buffer_high_watermark",
            "downstream_below_write_buffer_low_watermark",
            "local_reply",
        ]
        .map(|hook| format!("{filter}{hook}")),
    );
    hooks.extend(
        ["config_new", "config_destroy", "mutate"]
            .map(|hook| format!("envoy_dynamic_module_on_early_header_mutation_{hook}")),
    );
    let missing: Vec<_> = hooks
        .into_iter()
        .filter(|hook| !exports.contains(hook))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

/// Run where `TENON_ENVOY` names the pinned binary (a wrapper script will not do).
#[test]
#[allow(clippy::print_stderr, reason = "a test that checks nothing says so")]
fn the_list_of_exports_is_that_of_the_pinned_envoy() {
    let Some(envoy) = std::env::var_os("TENON_ENVOY") else {
        eprintln!("skipped: TENON_ENVOY is not set");
        return;
    };
    let exports: BTreeSet<_> = dynamic_symbols(Path::new(&envoy), false)
        .into_iter()
        .filter(|name| name.starts_with(CALLBACK))
        .collect();
    assert_eq!(exports, exported_by_the_pinned_envoy());
}
