//! What the clusters of all providers of functions have in common.

use tenon_contract::{
    FunctionConfig, FunctionEntry, FunctionTarget, SecretRef, UpstreamConfig, ads_config_source,
};
use tenon_model::{Endpoint, FunctionMatcher};

use crate::cluster::{self, Towards};
use crate::output::Module;
use crate::proto::cluster as envoy;
use crate::proto::cluster::cluster::DiscoveryType;
use crate::proto::hcm;
use crate::{filters, tls};

/// Points a cluster at a provider's endpoint, which is verified as the host of this name: credentials go there.
pub(crate) fn point_at(
    endpoint: &Endpoint,
    name: &str,
    towards: &Towards,
    cluster: &mut envoy::Cluster,
) {
    cluster::discovery(
        cluster,
        match endpoint.ip() {
            Some(_) => DiscoveryType::Static,
            None => DiscoveryType::LogicalDns,
        },
    );
    let lb_endpoint = cluster::lb_endpoint(&endpoint.host, endpoint.port);
    cluster.load_assignment = cluster::load_assignment(&cluster.name, vec![lb_endpoint]);
    if endpoint.tls {
        let context = match &towards.configured {
            None => towards.verified(name),
            Some(context) => {
                let verified = match context.sni.as_str() {
                    "" => name,
                    sni => sni,
                };
                // Unlike to other upstreams, tokens go here: never to somebody unverified.
                let context = tls::or_verified(context.clone(), verified);
                let is_ip = name.parse::<std::net::IpAddr>().is_ok();
                match context.sni.is_empty() && !is_ip {
                    true => tls::with_sni(&context, name),
                    false => context,
                }
            }
        };
        cluster.transport_socket = Some(tls::socket(&context));
    }
}

/// A generic secret over ADS.
pub(crate) fn secret_ref(name: &str) -> SecretRef {
    SecretRef {
        name: name.to_owned(),
        config_source: ads_config_source(),
    }
}

/// The filters of a cluster with this configuration.
pub(crate) fn filters(module: &Module, config: UpstreamConfig) -> Vec<hcm::HttpFilter> {
    let secret = config.secret.as_ref().map(|secret| secret.name.clone());
    let config = FunctionConfig::Upstream(config);
    filters::of_function_cluster(module, &config, secret.as_deref())
}

/// A function's entries in the table of its upstream.
pub(crate) fn entries<'a>(
    matchers: &'a [FunctionMatcher],
    function: &'a str,
    target: impl Fn() -> FunctionTarget + 'a,
) -> impl Iterator<Item = FunctionEntry> + 'a {
    matchers.iter().map(move |matcher| FunctionEntry {
        methods: matcher.methods.clone(),
        path: matcher.path.to_string(),
        function: function.to_owned(),
        target: target(),
    })
}
