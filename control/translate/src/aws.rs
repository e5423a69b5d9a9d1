//! An AWS upstream: where Lambda is, and whose credentials are used.

use tenon_contract::{
    AwsFunction, AwsProvider, FunctionTarget, LAMBDA_PAYLOAD_LIMIT, Provider, UpstreamConfig,
    UrlAuthType,
};
use tenon_model::{
    AwsSettings, AwsUpstream, Endpoint, FunctionUrl, Kind, LambdaFunction, ObjectKey, Problem,
    Secret, Upstream,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::cluster::{ClusterForm, Secrets, Towards};
use crate::output::{CredentialSource, Module};
use crate::proto::cluster as envoy;
use crate::proto::{BUFFER_LIMIT, hcm, uint};
use crate::{names, provider};

/// Completes the cluster of a Lambda upstream; gives its filters.
pub(crate) fn cluster(
    key: &ObjectKey,
    (lambda, settings): (&AwsUpstream, AwsSettings),
    upstream: &Upstream,
    towards: &Towards,
    module: &Module,
    cluster: &mut envoy::Cluster,
) -> Vec<hcm::HttpFilter> {
    let endpoint = endpoint(lambda);
    provider::point_at(&endpoint, &endpoint.host, towards, cluster);
    let asked = upstream
        .connection_config
        .per_connection_buffer_limit_bytes
        .unwrap_or_default();
    cluster.per_connection_buffer_limit_bytes = Some(uint(asked.max(BUFFER_LIMIT)));
    let functions = lambda.functions.iter();
    let functions = functions.flat_map(|function| {
        let target = || {
            FunctionTarget::Aws(AwsFunction {
                name: arn_or_name(lambda, function),
                qualifier: function.qualifier.clone(),
            })
        };
        provider::entries(&function.matchers, &function.logical_name, target)
    });
    let config = UpstreamConfig {
        upstream: names::cluster(key),
        secret: Some(provider::secret_ref(&secret_name(lambda))),
        functions: functions.collect(),
        max_request_bytes: LAMBDA_PAYLOAD_LIMIT,
        max_response_bytes: LAMBDA_PAYLOAD_LIMIT,
        provider: Provider::Aws(AwsProvider {
            region: lambda.region.clone(),
            host: endpoint.authority(),
            propagate_original_routing: settings.propagate_original_routing,
        }),
    };
    provider::filters(module, config)
}

/// Completes the cluster of a function with a URL of its own; gives its filters.
pub(crate) fn url_cluster(
    key: &ObjectKey,
    (lambda, url): (&AwsUpstream, &FunctionUrl),
    upstream: &Upstream,
    towards: &Towards,
    module: &Module,
    cluster: &mut envoy::Cluster,
) -> Vec<hcm::HttpFilter> {
    provider::point_at(&url.endpoint, &url.endpoint.host, towards, cluster);
    let signed = url.auth_type == UrlAuthType::AwsIam;
    if signed {
        // Bodies are held, because a signature covers them.
        let asked = upstream
            .connection_config
            .per_connection_buffer_limit_bytes
            .unwrap_or_default();
        cluster.per_connection_buffer_limit_bytes = Some(uint(asked.max(BUFFER_LIMIT)));
    }
    let config = UpstreamConfig {
        upstream: names::cluster(key),
        secret: signed.then(|| provider::secret_ref(&secret_name(lambda))),
        functions: Vec::new(),
        max_request_bytes: LAMBDA_PAYLOAD_LIMIT,
        // Responses are not held, so nothing bounds them.
        max_response_bytes: LAMBDA_PAYLOAD_LIMIT,
        provider: Provider::Aws(AwsProvider {
            region: lambda.region.clone(),
            host: url.endpoint.authority(),
            // The function sees the client's path and method by itself.
            propagate_original_routing: false,
        }),
    };
    provider::filters(module, config)
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
        Some(_) => format!("secret {reference} holds no keys of AWS"),
        None => format!("secret {reference} does not exist"),
    };
    form.problems
        .push(Problem::warning("spec.aws.secretRef", reason.clone()));
    (name, CredentialSource::Unavailable(reason))
}

/// A function of another account goes by its ARN.
pub(crate) fn arn_or_name(lambda: &AwsUpstream, function: &LambdaFunction) -> String {
    match &lambda.account_id {
        Some(account) if !function.name.starts_with("arn:") => format!(
            "arn:{}:lambda:{}:{account}:function:{}",
            partition(&lambda.region),
            lambda.region,
            function.name
        ),
        _ => function.name.clone(),
    }
}
