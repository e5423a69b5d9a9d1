//! Tenon's filters, in either host.

use std::time::Duration;

use envoy_types::pb::envoy::config::common::mutation_rules::v3 as mutation;
use envoy_types::pb::envoy::config::common::mutation_rules::v3::header_mutation::{
    Action, RemoveOnMatch,
};
use envoy_types::pb::envoy::extensions::dynamic_modules::v3::DynamicModuleConfig;
use envoy_types::pb::envoy::extensions::filters::http::credential_injector::v3::CredentialInjector;
use envoy_types::pb::envoy::extensions::filters::http::dynamic_modules::v3::DynamicModuleFilter;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{
    HeaderMutation, Mutations,
};
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::Lua;
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::http::upstream_codec::v3::UpstreamCodec;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::http::injected_credentials::generic::v3::Generic;
use envoy_types::pb::envoy::extensions::wasm::v3::{
    FailurePolicy, PluginConfig, ReloadConfig, VmConfig, plugin_config::Vm,
};
use envoy_types::pb::google::protobuf::StringValue;
use tenon_contract::{FUNCTION_FILTER, FunctionConfig, SECRET_HEADER};

use crate::output::Module;
use crate::proto::{
    Any, ads, boolean, core, duration, hcm, inline_string, local_file, matches, route, tls,
};
use crate::wire::any;

/// The filters of a cluster that calls functions.
pub(crate) fn of_function_cluster(
    module: &Module,
    config: &FunctionConfig,
    secret: &str,
) -> Vec<hcm::HttpFilter> {
    let mut filters = Vec::new();
    if let Module::Wasm(_) = module {
        filters.push(lua("tenon.body", GIVE_A_BODY));
        filters.push(credential_injector(secret));
    }
    filters.push(function(module, config));
    filters.push(filter(
        "envoy.filters.http.upstream_codec",
        any(&UpstreamCodec::default()),
    ));
    filters
}

/// The filters of a listener: Tenon's own is switched on by the routes to functions, so that others do not pay for it.
///
/// With the `.so` it is the guard. The `.wasm` has none: it could not reach the request's headers any more, and a trap
/// would fail the whole listener; what it has instead shows its story, which it can only leave in filter state.
pub(crate) fn of_listener(module: &Module) -> Vec<hcm::HttpFilter> {
    let own = match module {
        Module::So(_) => function(module, &FunctionConfig::Guard {}),
        Module::Wasm(_) => lua(FUNCTION_FILTER, SHOW_THE_STORY),
    };
    vec![
        forged_responses(),
        hcm::HttpFilter {
            disabled: true,
            ..own
        },
        filter("envoy.filters.http.router", any(&Router::default())),
    ]
}

/// Takes Tenon's headers off what upstreams answer. All but the error's, which is the filter's own on routes to functions;
/// other routes remove it themselves.
fn forged_responses() -> hcm::HttpFilter {
    let remove = mutation::HeaderMutation {
        action: Some(Action::RemoveOnMatch(RemoveOnMatch {
            key_matcher: Some(matches(ALL_BUT_THE_ERROR)),
        })),
    };
    let mutations = Mutations {
        response_mutations: vec![remove],
        ..Mutations::default()
    };
    filter(
        "envoy.filters.http.header_mutation",
        any(&HeaderMutation {
            mutations: Some(mutations),
            ..HeaderMutation::default()
        }),
    )
}

/// Names under `x-tenon-` other than `x-tenon-error`, in printable ASCII: RE2 has no "but not", and this is small enough
/// for any Envoy's limit.
const ALL_BUT_THE_ERROR: &str = "x-tenon-([!-df-~][!-~]*|e([!-qs-~][!-~]*|r([!-qs-~][!-~]*|r([!-np-~][!-~]*|o([!-qs-~][!-~]*|r[!-~]+)?)?)?)?)?";

/// Gives a body, an empty one, to each request that ends with its headers: Envoy lets no proxy-wasm filter do so, nor
/// put such a request's headers back once they went on.
const GIVE_A_BODY: &str = r#"function envoy_on_request(handle)
  local headers = handle:headers()
  local length = headers:get("content-length")
  local streams = headers:get("transfer-encoding") ~= nil
    or string.sub(headers:get("content-type") or "", 1, 16) == "application/grpc"
  if length == "0" or (length == nil and not streams) then
    handle:body(true)
  end
end
"#;

/// Copies what the `.wasm` leaves in filter state to where access logs look: proxy-wasm cannot write dynamic metadata.
const SHOW_THE_STORY: &str = r#"local keys = {
  "upstream", "function", "qualifier", "executed_version", "request_id", "function_error", "error",
}
function envoy_on_response(handle)
  local info = handle:streamInfo()
  local state = info:filterState()
  for _, key in ipairs(keys) do
    local value = state:get("wasm.tenon." .. key)
    if value ~= nil and value ~= "" then
      info:dynamicMetadata():set("tenon", key, value)
    end
  end
end
"#;

fn lua(name: &str, code: &str) -> hcm::HttpFilter {
    let lua = Lua {
        default_source_code: inline_string(code),
        ..Lua::default()
    };
    filter(name, any(&lua))
}

/// What switches the guard on: name and value of `typed_per_filter_config`.
pub(crate) fn guard_on() -> (String, Any) {
    (
        FUNCTION_FILTER.to_owned(),
        any(&route::FilterConfig {
            // Envoy refuses none ("Empty route/virtual host per filter configuration"); an empty one means "on".
            config: Some(Any::default()),
            ..route::FilterConfig::default()
        }),
    )
}

fn filter(name: &str, config: Any) -> hcm::HttpFilter {
    hcm::HttpFilter {
        name: name.to_owned(),
        config_type: Some(hcm::http_filter::ConfigType::TypedConfig(config)),
        ..hcm::HttpFilter::default()
    }
}

fn function(module: &Module, config: &FunctionConfig) -> hcm::HttpFilter {
    let config = Some(any(&StringValue {
        value: config.to_json(),
    }));
    let typed = match module {
        Module::So(path) => any(&DynamicModuleFilter {
            dynamic_module_config: Some(DynamicModuleConfig {
                module: local_file(path),
                // A module that is unloaded while its threads or statics live on would take Envoy down.
                do_not_close: true,
                ..DynamicModuleConfig::default()
            }),
            filter_name: FUNCTION_FILTER.to_owned(),
            filter_config: config,
            terminal_filter: false,
        }),
        Module::Wasm(path) => any(&Wasm {
            config: Some(PluginConfig {
                name: FUNCTION_FILTER.to_owned(),
                root_id: FUNCTION_FILTER.to_owned(),
                configuration: config,
                // Never open: the secret's header would go to the provider.
                failure_policy: FailurePolicy::FailReload.into(),
                reload_config: Some(ReloadConfig {
                    // A VM that trapped is replaced at once, unless it is younger than this. Envoy 1.40 divides by zero
                    // at 1 ms.
                    backoff: Some(core::BackoffStrategy {
                        base_interval: Some(duration(Duration::from_millis(10))),
                        max_interval: Some(duration(Duration::from_millis(100))),
                    }),
                }),
                allow_on_headers_stop_iteration: boolean(true),
                vm: Some(Vm::VmConfig(VmConfig {
                    vm_id: "tenon".to_owned(),
                    runtime: "envoy.wasm.runtime.v8".to_owned(),
                    code: local_file(path),
                    ..VmConfig::default()
                })),
                ..PluginConfig::default()
            }),
        }),
    };
    filter(FUNCTION_FILTER, typed)
}

/// Hands the secret to the `.wasm`, which cannot subscribe to it.
fn credential_injector(secret: &str) -> hcm::HttpFilter {
    let generic = Generic {
        credential: Some(sds(secret)),
        header: SECRET_HEADER.to_owned(),
        ..Generic::default()
    };
    filter(
        "envoy.filters.http.credential_injector",
        any(&CredentialInjector {
            overwrite: true,
            allow_request_without_credential: false,
            credential: Some(core::TypedExtensionConfig {
                name: "envoy.http.injected_credentials.generic".to_owned(),
                typed_config: Some(any(&generic)),
            }),
        }),
    )
}

/// A secret over ADS.
pub(crate) fn sds(name: &str) -> tls::SdsSecretConfig {
    tls::SdsSecretConfig {
        name: name.to_owned(),
        sds_config: ads(),
    }
}
