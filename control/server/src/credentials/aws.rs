//! AWS: the chain of providers, and roles over STS.

use std::env;
use std::error::Error;
use std::time::Duration;

use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::web_identity_token::{StaticConfiguration, WebIdentityTokenCredentialsProvider};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::date_time::{DateTime, Format};
use aws_smithy_types::error::ErrorMetadata;
use tenon_contract::{AwsCredentials, SecretBlob};

use super::Resolved;

/// The name of our sessions, as in CloudTrail.
const SESSION: &str = "tenon";
/// The whole chain may ask several services in turn.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest reason; it ends up in statuses and in a secret.
const MAX_REASON: usize = 400;
const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

/// What has to be resolved.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) keys: Option<AwsCredentials>,
    pub(crate) role_arn: Option<String>,
    pub(crate) straight: bool,
    pub(crate) region: String,
}

pub(crate) struct Aws {
    http: SharedHttpClient,
    /// Where STS is, if the environment does not say so.
    sts: Option<String>,
}

impl Aws {
    pub(crate) fn new() -> Self {
        let tls = Provider::Rustls(CryptoMode::Ring);
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls)
            .build_https();
        Self { http, sts: None }
    }

    #[cfg(test)]
    pub(super) fn with_sts(url: &str) -> Self {
        Self {
            sts: Some(url.to_owned()),
            ..Self::new()
        }
    }

    /// Resolves credentials; the reason of a failure holds none.
    pub(crate) async fn resolve(&self, request: &Request) -> Result<Resolved, String> {
        let resolved = tokio::time::timeout(PATIENCE, self.provide(request)).await;
        match resolved {
            Ok(Ok(credentials)) => Ok(credentials),
            Ok(Err(error)) => Err(reason(&*error, request.keys.as_ref())),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }

    async fn provide(&self, request: &Request) -> Result<Resolved, Box<dyn Error + Send + Sync>> {
        let region = Region::new(request.region.clone());
        // Read anew each time: the environment's files and profiles may have changed.
        let config = self.config(region.clone()).await;
        let base = match &request.keys {
            Some(keys) => SharedCredentialsProvider::new(static_keys(keys)),
            None => config
                .credentials_provider()
                .ok_or("there is no provider of credentials")?,
        };
        let credentials = match &request.role_arn {
            None => base.provide_credentials().await?,
            Some(role) if request.straight && request.keys.is_none() => {
                let file = env::var_os(TOKEN_FILE)
                    .ok_or_else(|| format!("no web identity: {TOKEN_FILE} is not set"))?;
                let provider = WebIdentityTokenCredentialsProvider::builder()
                    .configure(
                        &ProviderConfig::without_region()
                            .with_region(Some(region))
                            .with_http_client(self.http.clone()),
                    )
                    .static_configuration(StaticConfiguration {
                        web_identity_token_file: file.into(),
                        role_arn: role.clone(),
                        session_name: SESSION.to_owned(),
                    })
                    .build();
                provider.provide_credentials().await?
            }
            Some(role) => {
                let provider = AssumeRoleProvider::builder(role)
                    .configure(&config)
                    .region(region)
                    .session_name(SESSION)
                    .build_from_provider(base)
                    .await;
                provider.provide_credentials().await?
            }
        };
        let expiry = credentials.expiry();
        let expiration = expiry
            .map(|expiry| DateTime::from(expiry).fmt(Format::DateTime))
            .transpose()?;
        Ok(Resolved {
            blob: SecretBlob::Aws(AwsCredentials {
                access_key_id: credentials.access_key_id().to_owned(),
                secret_access_key: credentials.secret_access_key().to_owned(),
                session_token: credentials.session_token().map(str::to_owned),
                expiration,
            }),
            expiry,
        })
    }

    async fn config(&self, region: Region) -> SdkConfig {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(region)
            .http_client(self.http.clone());
        if let Some(sts) = &self.sts {
            loader = loader.endpoint_url(sts);
        }
        loader.load().await
    }
}

fn static_keys(keys: &AwsCredentials) -> aws_credential_types::Credentials {
    aws_credential_types::Credentials::new(
        &keys.access_key_id,
        &keys.secret_access_key,
        keys.session_token.clone(),
        None,
        "tenon",
    )
}

/// An error and its causes on one line, without what is secret.
fn reason(error: &(dyn Error + 'static), keys: Option<&AwsCredentials>) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(answer) = error.downcast_ref::<ErrorMetadata>() {
            // The service's own words say it all. The id of the request is left out: equal reasons are to be equal.
            let (code, message) = (answer.code(), answer.message());
            parts = code.into_iter().chain(message).map(str::to_owned).collect();
            break;
        }
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    let mut text = parts.join(": ");
    for secret in keys.into_iter().flat_map(secrets) {
        text = text.replace(secret, "[redacted]");
    }
    if let Some((cut, _)) = text.char_indices().nth(MAX_REASON) {
        text.truncate(cut);
    }
    text
}

fn secrets(keys: &AwsCredentials) -> impl Iterator<Item = &str> {
    let token = keys.session_token.as_deref();
    [
        Some(&*keys.access_key_id),
        Some(&*keys.secret_access_key),
        token,
    ]
    .into_iter()
    .flatten()
    .filter(|secret| !secret.is_empty())
}
