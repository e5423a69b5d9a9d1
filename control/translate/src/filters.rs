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
use envoy_types::pb::envoy::extensions::filters::http::upstream_codec::v3::UpstreamCodec;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::http::injected_credentials::generic::v3::Generic;
use envoy_types::pb::envoy::extensions::wasm::v3::{
    FailurePolicy, PluginConfig, ReloadConfig, VmConfig, plugin_config::Vm,
};
use envoy_types::pb::google::protobuf::StringValue;
use serde_json::{Value, json};
use tenon_contract::{
    ERROR_HEADER, FUNCTION_FILTER, FunctionConfig, SECRET_HEADER, UpstreamConfig,
};

use crate::forward_proxy;
use crate::http_filters::{Chain, FORWARD_PROXY, Surroundings};
use crate::http_listener::{self, HttpForm};
use crate::json::to_config;
use crate::output::Module;
use crate::proto::{
    Any, ads, boolean, core, duration, hcm, header, inline_string, local_file, matches, route, tls,
};
use crate::route::INVALID_ROUTE;
use crate::transforms;
use crate::virtual_host::Needs;
use crate::wire::any;

/// The filters of a cluster that calls functions.
pub(crate) fn of_function_cluster(
    module: &Module,
    config: &FunctionConfig,
    secret: Option<&str>,
) -> Vec<hcm::HttpFilter> {
    let mut filters = before_the_codec(module, config, secret);
    filters.push(filter(
        "envoy.filters.http.upstream_codec",
        any(&UpstreamCodec::default()),
    ));
    filters
}

/// The filters of a cluster with REST functions: all but the codec are off, until a route says [`rest_on`].
pub(crate) fn of_rest_cluster(module: &Module, config: UpstreamConfig) -> Vec<hcm::HttpFilter> {
    let mut filters = of_function_cluster(module, &FunctionConfig::Upstream(config), None);
    let codec = filters.len().saturating_sub(1);
    for filter in filters.iter_mut().take(codec) {
        filter.name = REST.to_owned();
        filter.disabled = true;
    }
    filters
}

/// What switches the filters of a cluster with REST functions on: of a route, or of a weighted cluster.
pub(crate) fn rest_on() -> (String, Any) {
    (REST.to_owned(), on())
}

/// The name of all filters that make requests of REST functions.
const REST: &str = "tenon.function.rest";

fn before_the_codec(
    module: &Module,
    config: &FunctionConfig,
    secret: Option<&str>,
) -> Vec<hcm::HttpFilter> {
    let mut filters = Vec::new();
    if let Module::Wasm(_) = module {
        filters.push(lua("tenon.body", GIVE_A_BODY));
        filters.extend(secret.map(credential_injector));
    }
    filters.push(function(module, config));
    filters
}

/// The filters of a cluster that calls functions, but for Envoy's codec, or those of a listener that does, but for the
/// router, in the form of Envoy's configuration files: for an Envoy without a control plane, as in tests. The secret comes
/// from where `config` says.
///
/// `None`: a descriptor is missing.
pub fn function_filters(module: &Module, config: &FunctionConfig) -> Option<Vec<Value>> {
    let secret = match config {
        FunctionConfig::Upstream(upstream) => upstream.secret.as_ref(),
        FunctionConfig::Downstream(downstream) => downstream.upstream.secret.as_ref(),
        FunctionConfig::Guard {} => None,
    };
    let filters = before_the_codec(module, config, secret.map(|it| &*it.name));
    let mut filters: Vec<Value> = filters.iter().map(to_config).collect::<Option<_>>()?;
    for filter in &mut filters {
        let source =
            filter.pointer_mut("/typed_config/credential/typed_config/credential/sds_config");
        if let (Some(source), Some(secret)) = (source, secret) {
            *source = json!(secret.config_source);
        }
    }
    Some(filters)
}

/// Tenon's own filter of a listener, off, in the same form.
pub fn listener_filter(module: &Module) -> Option<Value> {
    to_config(&own_of_listener(module))
}

/// The filters of a listener. Tenon's own is switched on by the routes that need it, so that others do not pay for it:
/// where the listener has access logs, by all routes to functions; else only by those whose response headers can show
/// the request, since nothing else could.
///
/// With the `.so` it is the guard. The `.wasm` has none: it could not reach the request's headers any more, and a trap
/// would fail the whole listener; what it has instead shows its story, which it can only leave in filter state.
///
/// The rest stands in Gloo's order, and is off as well, until a route switches it on.
pub(crate) fn of_listener(
    module: &Module,
    logged: bool,
    needs: &Needs,
    http: &HttpForm,
    surroundings: &Surroundings<'_>,
) -> Vec<hcm::HttpFilter> {
    let own = hcm::HttpFilter {
        name: if logged { FUNCTION_FILTER } else { UNLOGGED }.to_owned(),
        ..own_of_listener(module)
    };
    let mut chain = Chain::default();
    let servers = http.options.servers(surroundings.servers);
    let surroundings = Surroundings {
        servers: &servers,
        forward_proxy: http.options.dynamic_forward_proxy.as_deref(),
        ..*surroundings
    };
    chain.put_native(needs, &surroundings);
    http_listener::put(&mut chain, http);
    transforms::put(&mut chain, module, needs);
    let last = [
        edge(surroundings.alt_svc, needs),
        own,
        http_listener::router(&http.options),
    ];
    chain.into_filters().chain(last).collect()
}

fn own_of_listener(module: &Module) -> hcm::HttpFilter {
    let own = match module {
        Module::So(_) => function(module, &FunctionConfig::Guard {}),
        Module::Wasm(_) => lua(FUNCTION_FILTER, SHOW_THE_STORY),
    };
    off(own)
}

/// A filter that does nothing until a route switches it [`on`].
pub(crate) fn off(filter: hcm::HttpFilter) -> hcm::HttpFilter {
    hcm::HttpFilter {
        disabled: true,
        ..filter
    }
}

/// Takes Tenon's headers off what upstreams are sent, where there is one, and off what they answer. All but the error's,
/// which is the filter's own on routes to functions; other routes remove it themselves. And tells clients of HTTP/3.
fn edge(alt_svc: Option<&str>, needs: &Needs) -> hcm::HttpFilter {
    // Whatever chooses a route again stands before this.
    let forwarded = needs.filters.contains(FORWARD_PROXY);
    let forwarded = forwarded.then(|| mutation::HeaderMutation {
        action: Some(Action::Remove(forward_proxy::HEADER.to_owned())),
    });
    let remove = mutation::HeaderMutation {
        action: Some(Action::RemoveOnMatch(RemoveOnMatch {
            key_matcher: Some(matches(ALL_BUT_THE_ERROR)),
        })),
    };
    let told = alt_svc.map(|value| mutation::HeaderMutation {
        action: Some(Action::Append(header("alt-svc", value, false))),
    });
    let mutations = Mutations {
        request_mutations: forwarded.into_iter().collect(),
        response_mutations: [Some(remove), told].into_iter().flatten().collect(),
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

/// Takes a header off requests.
pub(crate) fn removing(header: &str) -> Any {
    let remove = mutation::HeaderMutation {
        action: Some(Action::Remove(header.to_owned())),
    };
    any(&HeaderMutation {
        mutations: Some(Mutations {
            request_mutations: vec![remove],
            ..Mutations::default()
        }),
        ..HeaderMutation::default()
    })
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

/// The name of what answers for shares of requests that lead nowhere.
const INVALID_SHARE: &str = "tenon.invalid_share";

/// What switches that on, of a weighted cluster.
pub(crate) fn answering_on() -> (String, Any) {
    (INVALID_SHARE.to_owned(), on())
}

/// Answers, with a status and a body, as a route does that is not valid. (A cluster that is not there has Envoy answer
/// without a body, and a share can have no answer of its own.)
pub(crate) fn answering((status, body): (u16, &str)) -> hcm::HttpFilter {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" .,:;!?()/-_".contains(&byte);
    let escaped = body.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("\\{byte:03}"),
    });
    let body: String = escaped.collect();
    let code = format!(
        "function envoy_on_request(handle)\n  handle:respond({{[\":status\"] = \"{status}\", [\"content-type\"] = \"text/plain\", [\"{ERROR_HEADER}\"] = \"{INVALID_ROUTE}\"}}, \"{body}\")\nend\n"
    );
    lua(INVALID_SHARE, &code)
}

fn lua(name: &str, code: &str) -> hcm::HttpFilter {
    let lua = Lua {
        default_source_code: inline_string(code),
        ..Lua::default()
    };
    filter(name, any(&lua))
}

/// The name of Tenon's filter on a listener without access logs.
const UNLOGGED: &str = "tenon.function.unlogged";

/// What switches the guard on for a route to functions: names and values of `typed_per_filter_config`. Envoy ignores a
/// name that the listener does not have. `shown`: the route's response headers can show the request.
pub(crate) fn guard_on(shown: bool) -> impl Iterator<Item = (String, Any)> {
    let names = [Some(FUNCTION_FILTER), shown.then_some(UNLOGGED)];
    let names = names.into_iter().flatten();
    names.map(|name| (name.to_owned(), on()))
}

/// Switches a filter on.
pub(crate) fn on() -> Any {
    any(&route::FilterConfig {
        // Envoy refuses none ("Empty route/virtual host per filter configuration"); an empty one means "on".
        config: Some(Any::default()),
        ..route::FilterConfig::default()
    })
}

pub(crate) fn filter(name: &str, config: Any) -> hcm::HttpFilter {
    hcm::HttpFilter {
        name: name.to_owned(),
        config_type: Some(hcm::http_filter::ConfigType::TypedConfig(config)),
        ..hcm::HttpFilter::default()
    }
}

fn function(module: &Module, config: &FunctionConfig) -> hcm::HttpFilter {
    let typed = hosted(module, FUNCTION_FILTER, FUNCTION_FILTER, config.to_json());
    filter(FUNCTION_FILTER, typed)
}

/// A filter in its host. `name` is this instance's.
pub(crate) fn hosted(module: &Module, kind: &str, name: &str, config: String) -> Any {
    let config = Some(any(&StringValue { value: config }));
    match module {
        Module::So(path) => any(&DynamicModuleFilter {
            dynamic_module_config: Some(DynamicModuleConfig {
                module: local_file(path),
                // A module that is unloaded while its threads or statics live on would take Envoy down.
                do_not_close: true,
                ..DynamicModuleConfig::default()
            }),
            filter_name: kind.to_owned(),
            filter_config: config,
            terminal_filter: false,
        }),
        Module::Wasm(path) => any(&Wasm {
            config: Some(PluginConfig {
                name: name.to_owned(),
                root_id: kind.to_owned(),
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
    }
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

#[cfg(test)]
mod tests {
    use tenon_contract::{AwsProvider, Provider, SecretRef};

    use super::*;

    #[test]
    fn the_filters_of_a_configuration_file_are_those_of_the_control_plane() {
        let source = json!({"path_config_source": {"path": "/sds.json"}});
        let config = FunctionConfig::Upstream(UpstreamConfig {
            upstream: "aws".into(),
            secret: Some(SecretRef {
                name: "key".into(),
                config_source: serde_json::from_value(source.clone()).unwrap(),
            }),
            functions: Vec::new(),
            max_request_bytes: 1,
            max_response_bytes: 1,
            provider: Provider::Aws(AwsProvider {
                region: "us-east-1".into(),
                host: "localhost".into(),
                propagate_original_routing: false,
            }),
        });
        let module = Module::Wasm("/tenon.wasm".into());
        let filters = function_filters(&module, &config).unwrap();
        let served = of_function_cluster(&module, &config, Some("key"));
        let names = filters
            .iter()
            .map(|filter| filter["name"].as_str().unwrap());
        let served = served.iter().map(|filter| filter.name.as_str());
        let codec = ["envoy.filters.http.upstream_codec"];
        assert!(names.chain(codec).eq(served));
        let [_, injector, function] = &filters[..] else {
            panic!("{filters:?}");
        };
        let credential = &injector["typed_config"]["credential"]["typed_config"]["credential"];
        assert_eq!(*credential, json!({"name": "key", "sds_config": source}));
        let plugin = &function["typed_config"]["config"];
        assert_eq!(
            plugin["vm_config"]["code"]["local"]["filename"],
            "/tenon.wasm"
        );
        assert_eq!(plugin["configuration"]["value"], config.to_json());
    }

    #[test]
    fn the_filter_of_a_listener_is_off() {
        for module in [Module::So("/a.so".into()), Module::Wasm("/a.wasm".into())] {
            let filter = listener_filter(&module).unwrap();
            assert_eq!(filter["name"], FUNCTION_FILTER);
            assert_eq!(filter["disabled"], true);
        }
    }
}
