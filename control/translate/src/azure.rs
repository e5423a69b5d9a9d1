//! An Azure upstream: where the function app is, and which keys open its functions.

use tenon_contract::{
    AuthLevel, AzureCall, AzureKeys, AzureProvider, CallConfig, FunctionTarget, Provider,
    UpstreamConfig,
};
use tenon_model::{
    AzureDestination, AzureFunction, AzureUpstream, Endpoint, Kind, ObjectKey, ObjectRef, Problem,
    Secret,
};

use crate::cluster::{ClusterForm, Secrets, Towards};
use crate::output::{CredentialSource, Module};
use crate::proto::cluster as envoy;
use crate::proto::hcm;
use crate::{names, provider};

/// Completes the cluster of an Azure upstream; gives its filters.
pub(crate) fn cluster(
    key: &ObjectKey,
    app: &AzureUpstream,
    towards: &Towards,
    module: &Module,
    cluster: &mut envoy::Cluster,
) -> Vec<hcm::HttpFilter> {
    let endpoint = endpoint(app);
    provider::point_at(&endpoint, &endpoint.host, towards, cluster);
    let functions = app.functions.iter();
    let functions = functions.flat_map(|function| {
        let target = || FunctionTarget::Azure(call(function));
        provider::entries(&function.matchers, &function.name, target)
    });
    let config = UpstreamConfig {
        upstream: names::cluster(key),
        secret: app
            .secret
            .as_ref()
            .map(|it| provider::secret_ref(&secret_name(it))),
        functions: functions.collect(),
        // Nothing is held, so nothing bounds it but Azure.
        max_request_bytes: u64::MAX,
        max_response_bytes: u64::MAX,
        provider: Provider::Azure(AzureProvider {
            host: endpoint.authority(),
            route_prefix: app.route_prefix.clone(),
            key_in: app.key_in,
        }),
    };
    provider::filters(module, config)
}

fn endpoint(app: &AzureUpstream) -> Endpoint {
    app.endpoint.clone().unwrap_or_else(|| Endpoint {
        tls: true,
        host: format!("{}.azurewebsites.net", app.app_name),
        port: 443,
    })
}

fn secret_name(secret: &ObjectRef) -> String {
    format!("azure_{}_{}", secret.namespace, secret.name)
}

/// The name of the generic secret and where its content comes from, if the upstream needs one.
pub(crate) fn credentials(
    app: &AzureUpstream,
    secrets: &impl Secrets,
    form: &mut ClusterForm,
) -> Option<(String, CredentialSource)> {
    let reference = app.secret.as_ref()?;
    let key = reference.key(Kind::Secret);
    let found = secrets.secret(&key);
    form.reads.insert(key);
    let reason = match found {
        Some(Secret::Azure(keys)) => {
            form.problems.extend(locked_out(app, reference, keys));
            let source = CredentialSource::Azure(keys.clone());
            return Some((secret_name(reference), source));
        }
        Some(_) => format!("secret {reference} holds no keys of Azure"),
        None => format!("secret {reference} does not exist"),
    };
    form.problems
        .push(Problem::warning("spec.azure.secretRef", reason.clone()));
    Some((
        secret_name(reference),
        CredentialSource::Unavailable(reason),
    ))
}

/// Warns of functions for which there is no key.
fn locked_out(app: &AzureUpstream, secret: &ObjectRef, keys: &AzureKeys) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (
        index,
        AzureFunction {
            name, auth_level, ..
        },
    ) in app.functions.iter().enumerate()
    {
        let wanted = match auth_level {
            AuthLevel::Anonymous => continue,
            AuthLevel::Function => format!("{name}, default or _master"),
            AuthLevel::Admin => "_master".to_owned(),
        };
        if keys.for_function(name, *auth_level).is_none() {
            problems.push(Problem::warning(
                format!("spec.azure.functions[{index}]"),
                format!("secret {secret} has no key for function {name:?}: {wanted}"),
            ));
        }
    }
    problems
}

/// The call of a destination, or why there is none: the field below the destination, and the reason.
pub(crate) fn resolve(
    reference: &ObjectRef,
    app: &AzureUpstream,
    destination: Option<&AzureDestination>,
) -> Result<CallConfig, (&'static str, String)> {
    if app.functions.is_empty() {
        return Err((
            ".upstream",
            format!("upstream {reference} has no functions"),
        ));
    }
    let names: Vec<_> = app.functions.iter().map(|it| it.name.as_str()).collect();
    let known = names.join(", ");
    let field = ".destinationSpec.azure.functionName";
    let Some(name) = destination.and_then(|it| it.function_name.as_ref()) else {
        if app.functions.iter().all(|it| it.matchers.is_empty()) {
            return Err((
                field,
                format!(
                    "is required, because upstream {reference} calls functions and none has matchers; known: {known}"
                ),
            ));
        }
        let nothing = AzureCall {
            name: String::new(),
            route: None,
            auth_level: AuthLevel::default(),
        };
        return Ok(CallConfig {
            by_table: true,
            ..CallConfig::azure("", nothing)
        });
    };
    let Some(function) = app.functions.iter().find(|it| it.name == *name) else {
        return Err((
            field,
            format!("unknown function {name:?} on upstream {reference}; known: {known}"),
        ));
    };
    if let Some(route) = function.route.as_ref().filter(|route| route.contains('{')) {
        return Err((
            field,
            format!(
                "function {name:?} can only be called by its matchers: its route {route:?} has parameters"
            ),
        ));
    }
    Ok(CallConfig::azure(name, call(function)))
}

fn call(function: &AzureFunction) -> AzureCall {
    AzureCall {
        name: function.name.clone(),
        route: function.route.clone(),
        auth_level: function.auth_level,
    }
}
