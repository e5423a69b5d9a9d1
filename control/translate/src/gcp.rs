//! An upstream of Google's: a cluster for each host and audience, and the tokens that go there.
//!
//! Each function is a cluster of its own (`<upstream>_<namespace>/<function>`): its token is for it alone, its host may be
//! another one, and what befalls it (circuit breakers, connections) befalls no other function.

use tenon_contract::{
    CallConfig, CallTarget, GcpCall, GcpProvider, Provider, UpstreamConfig, VERSION,
};
use tenon_model::{
    Endpoint, FunctionMatcher, GcpDestination, GcpUpstream, Kind, ObjectKey, ObjectRef, Problem,
    Secret,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::cluster::{ClusterForm, Secrets, Towards};
use crate::output::{CredentialSource, Module};
use crate::proto::cluster as envoy;
use crate::proto::hcm;
use crate::{names, provider};

/// Where a cluster's requests go, and for whom its tokens are.
pub(crate) struct Target<'a> {
    /// The cluster's name.
    pub(crate) cluster: String,
    host: &'a str,
    audience: String,
}

/// The clusters of an upstream.
pub(crate) fn targets<'a>(
    key: &ObjectKey,
    gcp: &'a GcpUpstream,
) -> impl Iterator<Item = Target<'a>> {
    let service = gcp.host.as_ref().map(|host| Target {
        cluster: names::cluster(key),
        host,
        audience: match &gcp.audience {
            Some(audience) => audience.clone(),
            None => format!("https://{host}"),
        },
    });
    let upstream = names::cluster(key);
    let functions = gcp.functions.iter().map(move |function| Target {
        cluster: names::function_cluster(&upstream, &function.logical_name),
        host: &function.host,
        audience: function.audience.clone(),
    });
    service.into_iter().chain(functions)
}

/// Completes a cluster of an upstream; gives its filters.
pub(crate) fn cluster(
    key: &ObjectKey,
    gcp: &GcpUpstream,
    target: &Target<'_>,
    towards: &Towards,
    module: &Module,
    cluster: &mut envoy::Cluster,
) -> Vec<hcm::HttpFilter> {
    let endpoint = gcp.endpoint.clone().unwrap_or_else(|| Endpoint {
        tls: true,
        host: target.host.to_owned(),
        port: 443,
    });
    provider::point_at(&endpoint, target.host, towards, cluster);
    let secret = secret_name(gcp, &target.audience);
    let config = UpstreamConfig {
        upstream: names::cluster(key),
        secret: Some(provider::secret_ref(&secret)),
        functions: Vec::new(),
        // Nothing is held, so nothing bounds it but Google.
        max_request_bytes: u64::MAX,
        max_response_bytes: u64::MAX,
        provider: Provider::Gcp(GcpProvider {
            host: target.host.to_owned(),
        }),
    };
    provider::filters(module, config)
}

/// One name for all that send the same token.
fn secret_name(gcp: &GcpUpstream, audience: &str) -> String {
    let base = match &gcp.secret {
        Some(secret) => format!("gcp_{}_{}", secret.namespace, secret.name),
        None => "gcp_default".to_owned(),
    };
    let account = gcp.service_account.as_deref().unwrap_or_default();
    let whose = format!("{account}\0{audience}");
    format!("{base}_{:016x}", xxh3_64(whose.as_bytes()))
}

/// The generic secrets of an upstream's clusters, and where their content comes from.
pub(crate) fn credentials(
    key: &ObjectKey,
    gcp: &GcpUpstream,
    secrets: &impl Secrets,
    form: &mut ClusterForm,
) {
    let own = match &gcp.secret {
        None => Ok(None),
        Some(reference) => {
            let key = reference.key(Kind::Secret);
            let found = secrets.secret(&key);
            form.reads.insert(key);
            match found {
                Some(Secret::Gcp(key)) => Ok(Some(key)),
                Some(_) => Err(format!("secret {reference} holds no key of Google's")),
                None => Err(format!("secret {reference} does not exist")),
            }
        }
    };
    if let Err(reason) = &own {
        let problem = Problem::warning("spec.gcp.secretRef", reason.clone());
        form.problems.push(problem);
    }
    for target in targets(key, gcp) {
        let source = match &own {
            Ok(key) => CredentialSource::Gcp {
                audience: target.audience.clone(),
                key: key.cloned(),
                service_account: gcp.service_account.clone(),
            },
            Err(reason) => CredentialSource::Unavailable(reason.clone()),
        };
        form.credentials
            .insert(secret_name(gcp, &target.audience), source);
    }
}

/// The functions that requests are for by method and path, where a route to the upstream names none.
pub(crate) fn by_path<'a>(
    gcp: &'a GcpUpstream,
    destination: Option<&GcpDestination>,
) -> Option<Vec<(&'a str, &'a FunctionMatcher)>> {
    let named = destination.is_some_and(|it| it.logical_name.is_some());
    let functions = gcp.functions.iter().flat_map(|function| {
        let matchers = function.matchers.iter();
        matchers.map(|matcher| (&*function.logical_name, matcher))
    });
    let functions: Vec<_> = functions.collect();
    // Without a name, an upstream with a host is that service.
    (!named && gcp.host.is_none() && !functions.is_empty()).then_some(functions)
}

/// The cluster and the call of a destination, or why there are none: the field below the destination, and the reason.
pub(crate) fn resolve(
    reference: &ObjectRef,
    gcp: &GcpUpstream,
    destination: Option<&GcpDestination>,
) -> Result<(String, CallConfig), (&'static str, String)> {
    const NAME: &str = ".destinationSpec.gcp.logicalName";
    let names: Vec<_> = gcp.functions.iter().map(|it| &*it.logical_name).collect();
    let known = names.join(", ");
    let asked = destination.cloned().unwrap_or_default();
    let upstream = names::cluster_of(reference);
    let (cluster, function, path_prefix) = match &asked.logical_name {
        None if gcp.host.is_none() => {
            return Err((
                NAME,
                format!("is required, because upstream {reference} has no host; known: {known}"),
            ));
        }
        None => (upstream, reference.name.to_string(), None),
        Some(name) => {
            let found = gcp.functions.iter().find(|it| it.logical_name == *name);
            let function = found.ok_or_else(|| {
                (
                    NAME,
                    format!("unknown function {name:?} on upstream {reference}; known: {known}"),
                )
            })?;
            (
                names::function_cluster(&upstream, name),
                name.clone(),
                function.path_prefix.clone(),
            )
        }
    };
    let call = CallConfig {
        version: VERSION,
        function,
        by_table: false,
        rewrites_path: false,
        target: CallTarget::Gcp(GcpCall {
            path_prefix,
            keep_authorization: asked.keep_authorization.unwrap_or(gcp.keep_authorization),
        }),
    };
    Ok((cluster, call))
}
