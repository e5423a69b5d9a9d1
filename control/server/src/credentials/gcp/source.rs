//! Whose credentials there are, and how they become tokens.
//!
//! The files are Google's ("Application Default Credentials", AIP-4112 to AIP-4117). Of workload identity federation,
//! subject tokens come from a file or a URL; those of AWS, executables and certificates are refused.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::Gcp;
use super::assertion::Assertion;
use super::http::{Body, ESCAPED};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const METADATA: (&str, &str) = ("metadata-flavor", "Google");

/// Whose credentials there are.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source {
    /// The machine's own service account.
    #[serde(skip)]
    Metadata,
    /// A service account's key.
    ServiceAccount(ServiceAccount),
    /// A person, logged in with `gcloud`.
    AuthorizedUser(AuthorizedUser),
    /// A service account that others may act as.
    ImpersonatedServiceAccount(Impersonated),
    /// An identity of another provider.
    ExternalAccount(Box<ExternalAccount>),
}

#[derive(Deserialize)]
pub(super) struct ServiceAccount {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    #[serde(default = "token_endpoint")]
    token_uri: String,
}

#[derive(Deserialize)]
pub(super) struct AuthorizedUser {
    client_id: String,
    client_secret: String,
    refresh_token: String,
    #[serde(default = "token_endpoint")]
    token_uri: String,
}

#[derive(Deserialize)]
pub(super) struct Impersonated {
    service_account_impersonation_url: String,
    #[serde(default)]
    delegates: Vec<String>,
    source_credentials: Box<Source>,
}

#[derive(Deserialize)]
pub(super) struct ExternalAccount {
    audience: String,
    subject_token_type: String,
    token_url: String,
    credential_source: SubjectToken,
    service_account_impersonation_url: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    workforce_pool_user_project: Option<String>,
}

/// Where the other provider's token is.
#[derive(Deserialize)]
struct SubjectToken {
    file: Option<String>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    format: SubjectFormat,
    environment_id: Option<String>,
}

#[derive(Deserialize, Default)]
struct SubjectFormat {
    #[serde(rename = "type")]
    kind: Option<String>,
    subject_token_field_name: Option<String>,
}

fn token_endpoint() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

/// Never its content.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "Metadata",
            Self::ServiceAccount(_) => "ServiceAccount",
            Self::AuthorizedUser(_) => "AuthorizedUser",
            Self::ImpersonatedServiceAccount(_) => "ImpersonatedServiceAccount",
            Self::ExternalAccount(_) => "ExternalAccount",
        })
    }
}

#[derive(Deserialize)]
struct IdToken {
    // The token endpoint calls it so, IAM `token`.
    #[serde(alias = "token")]
    id_token: String,
}

#[derive(Deserialize)]
struct AccessToken {
    #[serde(alias = "accessToken")]
    access_token: String,
}

impl Source {
    /// Reads a file of credentials. The error shows nothing of it.
    pub(super) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            let place = (error.line(), error.column());
            let named: Option<Value> = serde_json::from_str(text).ok();
            let kind = named.as_ref().and_then(|it| it.get("type")?.as_str());
            match kind {
                Some(
                    kind @ ("service_account"
                    | "authorized_user"
                    | "impersonated_service_account"
                    | "external_account"),
                ) => anyhow!("not complete credentials of type {kind}"),
                Some(_) => anyhow!("credentials of a type that gives no tokens here"),
                None => anyhow!(
                    "no credentials of Google's: line {}, column {}",
                    place.0,
                    place.1
                ),
            }
        })
    }

    /// A token that says to an audience who asks.
    pub(super) async fn id_token(&self, gcp: &Gcp, audience: &str) -> Result<String> {
        match self {
            Self::Metadata => {
                let wanted = percent_encoding::utf8_percent_encode(audience, ESCAPED);
                let url = format!(
                    "{}/identity?audience={wanted}&format=full",
                    metadata_url(gcp)
                );
                gcp.http.text(&url, &[METADATA], Body::None).await
            }
            Self::ServiceAccount(account) => {
                let given: IdToken = account.exchange(gcp, ("target_audience", audience)).await?;
                Ok(given.id_token)
            }
            Self::ImpersonatedServiceAccount(account) => {
                let access_token = account.source_credentials.access_token(gcp).await?;
                let url = id_token_url(&account.service_account_impersonation_url)?;
                generate_id_token(gcp, &url, &account.delegates, &access_token, audience).await
            }
            Self::ExternalAccount(account) => {
                let url = account.service_account_impersonation_url.as_ref().context(
                    "an identity of another provider has no ID tokens of Google's: serviceAccount has to say who to act as",
                )?;
                let access_token = account.exchange(gcp).await?;
                generate_id_token(gcp, &id_token_url(url)?, &[], &access_token, audience).await
            }
            Self::AuthorizedUser(_) => bail!(
                "a person has no ID tokens for an audience: serviceAccount has to say who to act as"
            ),
        }
    }

    /// A token for Google's own services.
    pub(super) fn access_token<'a>(
        &'a self,
        gcp: &'a Gcp,
    ) -> Pin<Box<dyn Future<Output = Result<String>> + Send + 'a>> {
        // Boxed: one may be the source of another.
        Box::pin(async move {
            match self {
                Self::Metadata => {
                    let url = format!("{}/token", metadata_url(gcp));
                    let given: AccessToken = gcp.http.json(&url, &[METADATA], Body::None).await?;
                    Ok(given.access_token)
                }
                Self::ServiceAccount(account) => {
                    let given: AccessToken = account.exchange(gcp, ("scope", SCOPE)).await?;
                    Ok(given.access_token)
                }
                Self::AuthorizedUser(user) => user.refresh(gcp).await,
                Self::ImpersonatedServiceAccount(account) => {
                    let own = account.source_credentials.access_token(gcp).await?;
                    let url = &account.service_account_impersonation_url;
                    generate_access_token(gcp, url, &account.delegates, &own).await
                }
                Self::ExternalAccount(account) => {
                    let own = account.exchange(gcp).await?;
                    match &account.service_account_impersonation_url {
                        Some(url) => generate_access_token(gcp, url, &[], &own).await,
                        None => Ok(own),
                    }
                }
            }
        })
    }
}

fn metadata_url(gcp: &Gcp) -> String {
    format!(
        "http://{}/computeMetadata/v1/instance/service-accounts/default",
        gcp.surroundings.metadata
    )
}

impl ServiceAccount {
    async fn exchange<T: serde::de::DeserializeOwned>(
        &self,
        gcp: &Gcp,
        wanted: (&str, &str),
    ) -> Result<T> {
        let assertion = Assertion {
            issuer: &self.client_email,
            key_id: self.private_key_id.as_deref(),
            audience: &self.token_uri,
            wanted,
        };
        let assertion = assertion.sign(&self.private_key, SystemTime::now())?;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", &assertion),
        ];
        gcp.http.json(&self.token_uri, &[], Body::Form(&form)).await
    }
}

impl AuthorizedUser {
    async fn refresh(&self, gcp: &Gcp) -> Result<String> {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("client_secret", &self.client_secret),
            ("refresh_token", &self.refresh_token),
        ];
        let given: AccessToken = gcp
            .http
            .json(&self.token_uri, &[], Body::Form(&form))
            .await?;
        Ok(given.access_token)
    }
}

impl ExternalAccount {
    /// Exchanges the other provider's token for one of Google's (RFC 8693).
    async fn exchange(&self, gcp: &Gcp) -> Result<String> {
        let subject_token = self.credential_source.fetch(gcp).await?;
        let options = self
            .workforce_pool_user_project
            .as_ref()
            .map(|project| json!({"userProject": project}).to_string());
        let mut form = vec![
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("audience", self.audience.as_str()),
            ("scope", SCOPE),
            (
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("subject_token", &subject_token),
            ("subject_token_type", &self.subject_token_type),
        ];
        form.extend(options.as_deref().map(|options| ("options", options)));
        let login = self.client_id.as_ref().map(|id| {
            let secret = self.client_secret.as_deref().unwrap_or_default();
            format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
        });
        let login = login.as_deref().map(|login| ("authorization", login));
        let headers = login.as_slice();
        let given: AccessToken = gcp
            .http
            .json(&self.token_url, headers, Body::Form(&form))
            .await?;
        Ok(given.access_token)
    }
}

impl SubjectToken {
    async fn fetch(&self, gcp: &Gcp) -> Result<String> {
        let text = match (&self.file, &self.url) {
            (Some(file), _) => {
                std::fs::read_to_string(file).with_context(|| format!("the token in {file}"))?
            }
            (None, Some(url)) if self.environment_id.is_none() => {
                let headers = self.headers.iter();
                let headers: Vec<_> = headers.map(|(k, v)| (k.as_str(), v.as_str())).collect();
                gcp.http.text(url, &headers, Body::None).await?
            }
            _ => bail!("only tokens from a file or a URL can be exchanged"),
        };
        if self.format.kind.as_deref() != Some("json") {
            return Ok(text.trim().to_owned());
        }
        let field = self.format.subject_token_field_name.as_deref();
        let value: Option<Value> = serde_json::from_str(&text).ok();
        value
            .as_ref()
            .zip(field)
            .and_then(|(value, field)| value.get(field)?.as_str())
            .map(str::to_owned)
            .context("the other provider's token is not where subject_token_field_name says")
    }
}

/// The files name the method for access tokens.
fn id_token_url(url: &str) -> Result<String> {
    let account = url
        .strip_suffix(":generateAccessToken")
        .context("service_account_impersonation_url does not end in :generateAccessToken")?;
    Ok(format!("{account}:generateIdToken"))
}

/// IAM Credentials API, `projects.serviceAccounts.generateIdToken`.
pub(super) async fn generate_id_token(
    gcp: &Gcp,
    url: &str,
    delegates: &[String],
    access_token: &str,
    audience: &str,
) -> Result<String> {
    let body = json!({"audience": audience, "delegates": delegates, "includeEmail": true});
    let bearer = format!("Bearer {access_token}");
    let headers = [("authorization", &*bearer)];
    let given: IdToken = gcp.http.json(url, &headers, Body::Json(&body)).await?;
    Ok(given.id_token)
}

/// IAM Credentials API, `projects.serviceAccounts.generateAccessToken`.
async fn generate_access_token(
    gcp: &Gcp,
    url: &str,
    delegates: &[String],
    access_token: &str,
) -> Result<String> {
    let body = json!({"scope": [SCOPE], "delegates": delegates});
    let bearer = format!("Bearer {access_token}");
    let headers = [("authorization", &*bearer)];
    let given: AccessToken = gcp.http.json(url, &headers, Body::Json(&body)).await?;
    Ok(given.access_token)
}
