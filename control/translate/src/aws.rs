//! An AWS upstream: where Lambda is, and whose credentials are used.

use tenon_contract::{
    AwsProvider, FunctionConfig, LAMBDA_PAYLOAD_LIMIT, Provider, SecretRef, UpstreamConfig,
    ads_config_source,
};
use tenon_model::{AwsUpstream, Endpoint, Kind, ObjectKey, Problem, Secret, TlsSecret, Upstream};
use xxhash_rust::xxh3::xxh3_64;

use crate::cluster::{self, ClusterForm, Secrets};
use crate::output::{CredentialSource, Module};
use crate::proto::cluster as envoy;
use crate::proto::cluster::cluster::DiscoveryType;
use crate::proto::{BUFFER_LIMIT, hcm, uint};
use crate::{filters, names, tls};

/// Completes the cluster of a Lambda upstream; gives its filters.
pub(crate) fn cluster(
    key: &ObjectKey,
    lambda: &AwsUpstream,
    upstream: &Upstream,
    secret: Option<&TlsSecret>,
    module: &Module,
    cluster: &mut envoy::Cluster,
) -> Vec<hcm::HttpFilter> {
    let endpoint = endpoint(lambda);
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
        let context = match &upstream.ssl {
            None => tls::verified(&endpoint.host),
            Some(ssl) => {
                let context = tls::configured(ssl, secret);
                let name = ssl.sni.as_deref().unwrap_or(&endpoint.host);
                // Unlike to other upstreams, tokens go here: never to somebody unverified.
                let context = tls::or_verified(context, name);
                match context.sni.is_empty() && endpoint.ip().is_none() {
                    true => tls::with_sni(&context, &endpoint.host),
                    false => context,
                }
            }
        };
        cluster.transport_socket = Some(tls::socket(&context));
    }
    let asked = upstream.connection.buffer_limit.unwrap_or_default();
    cluster.per_connection_buffer_limit_bytes = Some(uint(asked.max(BUFFER_LIMIT)));
    let secret = secret_name(lambda);
    let config = FunctionConfig::Upstream(UpstreamConfig {
        upstream: names::cluster(key),
        secret: Some(SecretRef {
            name: secret.clone(),
            config_source: ads_config_source(),
        }),
        max_request_bytes: LAMBDA_PAYLOAD_LIMIT,
        max_response_bytes: LAMBDA_PAYLOAD_LIMIT,
        provider: Provider::Aws(AwsProvider {
            region: lambda.region.clone(),
            host: endpoint.authority(),
            propagate_original_routing: false,
        }),
    });
    filters::of_function_cluster(module, &config, &secret)
}

fn endpoint(lambda: &AwsUpstream) -> Endpoint {
    lambda.endpoint.clone().unwrap_or_else(|| {
        let domain = match partition(&lambda.region) {
            "aws-cn" => "amazonaws.com.cn",
            _ => "amazonaws.com",
        };
        Endpoint {
            tls: true,
            host: format!("lambda.{}.{domain}", lambda.region),
            port: 443,
        }
    })
}

/// The part of AWS that a region belongs to.
pub(crate) fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// One name for all that use the same credentials. STS depends on role, chaining and region, so they are part of it.
fn secret_name(lambda: &AwsUpstream) -> String {
    let base = match &lambda.secret {
        Some(secret) => format!("aws_{}_{}", secret.namespace, secret.name),
        None => "aws_chain".to_owned(),
    };
    match &lambda.role_arn {
        None => format!("{base}_{}", lambda.region),
        Some(role) => {
            let how = format!("{role}\0{}", lambda.disable_role_chaining);
            format!("{base}_{}_{:016x}", lambda.region, xxh3_64(how.as_bytes()))
        }
    }
}

/// The name of the generic secret and where its content comes from.
pub(crate) fn credentials(
    lambda: &AwsUpstream,
    secrets: &impl Secrets,
    form: &mut ClusterForm,
) -> (String, CredentialSource) {
    let name = secret_name(lambda);
    let aws = |keys| CredentialSource::Aws {
        keys,
        role_arn: lambda.role_arn.clone(),
        disable_role_chaining: lambda.disable_role_chaining && lambda.role_arn.is_some(),
        region: lambda.region.clone(),
    };
    let Some(reference) = &lambda.secret else {
        return (name, aws(None));
    };
    let key = reference.key(Kind::Secret);
    let found = secrets.secret(&key);
    form.reads.insert(key);
    let reason = match found {
        Some(Secret::Aws(keys)) => return (name, aws(Some(keys.clone()))),
        Some(Secret::Tls(_)) => format!("secret {reference} holds no keys of AWS"),
        None => format!("secret {reference} does not exist"),
    };
    form.problems
        .push(Problem::warning("spec.aws.secretRef", reason.clone()));
    (name, CredentialSource::Unavailable(reason))
}
