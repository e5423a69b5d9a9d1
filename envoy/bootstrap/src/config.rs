use std::net::SocketAddr;

use serde_json::{Value, json};

/// The name of the cluster of the control plane in the bootstrap.
pub const XDS_CLUSTER: &str = "tenon_xds";

/// What differs from one Envoy to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapOptions {
    /// `node.id`: this Envoy.
    pub node_id: String,
    /// `node.cluster`: the Envoys that it belongs to.
    pub node_cluster: String,
    /// `node.metadata.role`: which proxy it is, as `gloo-system~gateway-proxy`.
    pub role: String,
    /// Where the control plane serves ADS.
    pub xds_addr: SocketAddr,
    /// Where Envoy's admin endpoint listens; with port 0, `--admin-address-path` tells where. Keep it on loopback: it is
    /// open to whoever reaches it.
    pub admin_addr: SocketAddr,
    /// Delta xDS rather than state of the world.
    pub delta: bool,
}

/// The bootstrap configuration as JSON text, for `--config-yaml` or a file `*.json`.
///
/// Listeners, clusters and all they refer to come over one ADS stream. No filter that subscribes to a secret over ADS may
/// be put on a cluster in here: Envoy 1.40.0 crashes at start, as ADS is not up yet.
pub fn bootstrap(options: &BootstrapOptions) -> String {
    json!({
        "node": {
            "id": options.node_id,
            "cluster": options.node_cluster,
            "metadata": {"role": options.role},
        },
        "admin": {
            "address": socket_address(options.admin_addr),
            "ignore_global_conn_limit": true,
        },
        "dynamic_resources": {
            "ads_config": ads_config(options.delta),
            "cds_config": over_ads(),
            "lds_config": over_ads(),
        },
        "static_resources": {"clusters": [xds_cluster(options.xds_addr)]},
        "layered_runtime": layered_runtime(),
        "overload_manager": overload_manager(),
        "stats_config": stats_config(),
        // A cluster without traffic costs no traffic statistics: they are most of the memory of a large configuration.
        "deferred_stat_options": {"enable_deferred_creation_stats": true},
    })
    .to_string()
}

fn ads_config(delta: bool) -> Value {
    json!({
        "api_type": if delta { "DELTA_GRPC" } else { "GRPC" },
        "transport_api_version": "V3",
        "set_node_on_first_message_only": true,
        "grpc_services": [{
            "envoy_grpc": {
                "cluster_name": XDS_CLUSTER,
                // A restarted control plane is found again within a second or two, not within Envoy's own 30 s.
                "retry_policy": {"retry_back_off": {"base_interval": "0.25s", "max_interval": "2s"}},
            },
        }],
    })
}

fn over_ads() -> Value {
    json!({"ads": {}, "resource_api_version": "V3"})
}

fn xds_cluster(address: SocketAddr) -> Value {
    json!({
        "name": XDS_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": XDS_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket_address(address)}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {
                    "http2_protocol_options": {
                        // Finds a control plane that is gone without a word.
                        "connection_keepalive": {"interval": "10s", "timeout": "5s"},
                    },
                },
            },
        },
    })
}

fn layered_runtime() -> Value {
    json!({
        "layers": [
            // Gloo's limit of a regular expression's size; Envoy's own, 100, refuses what Gloo's users have.
            {"name": "static", "static_layer": {"re2": {"max_program_size": {"error_level": 1024}}}},
            {"name": "admin", "admin_layer": {}},
        ],
    })
}

fn overload_manager() -> Value {
    json!({
        "resource_monitors": [{
            "name": "envoy.resource_monitors.global_downstream_max_connections",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                "max_active_downstream_connections": 50_000,
            },
        }],
    })
}

/// Leaves out what grows with every cluster and that nobody graphs: the state of each circuit breaker, the inner life of
/// the load balancer, and the statistics of each endpoint's zone; and, of a route table in parts, those of the subscription
/// to each part, which are a third of what a part takes. Makes labels of what the `.wasm` can only write into a
/// metric's name, as `;function=echo`.
fn stats_config() -> Value {
    let patterns = [
        r"^cluster\..*\.circuit_breakers\..*",
        r"^cluster\..*\.lb_.*",
        r"^cluster\..*\.zone\..*",
        r"^http\..*\.rds\..*-routes-[0-9]+-[0-9a-f]+\..*",
    ];
    let patterns: Vec<_> = patterns
        .iter()
        .map(|pattern| json!({"safe_regex": {"regex": pattern}}))
        .collect();
    let tags = ["upstream", "function", "result"].map(|label| {
        json!({"tag_name": label, "regex": format!(r"^wasmcustom\.tenon_call.*?(;{label}=([^;]*))")})
    });
    json!({
        "stats_matcher": {"exclusion_list": {"patterns": patterns}},
        "stats_tags": tags,
    })
}

fn socket_address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(delta: bool) -> BootstrapOptions {
        BootstrapOptions {
            node_id: "gateway-1".into(),
            node_cluster: "gateway".into(),
            role: "gloo-system~gateway-proxy".into(),
            xds_addr: "127.0.0.1:9977".parse().unwrap(),
            admin_addr: "[::1]:0".parse().unwrap(),
            delta,
        }
    }

    fn parsed(delta: bool) -> Value {
        serde_json::from_str(&bootstrap(&options(delta))).unwrap()
    }

    #[test]
    fn the_role_says_which_proxy_it_is() {
        assert_eq!(
            parsed(true).pointer("/node/metadata/role"),
            Some(&json!("gloo-system~gateway-proxy"))
        );
    }

    #[test]
    fn asks_for_delta_or_for_the_state_of_the_world() {
        for (delta, api) in [(true, "DELTA_GRPC"), (false, "GRPC")] {
            assert_eq!(
                parsed(delta).pointer("/dynamic_resources/ads_config/api_type"),
                Some(&json!(api))
            );
        }
    }
}
