//! Google: ID tokens for one audience each.
//!
//! Where they come from, as Google's own libraries look for it ("How Application Default Credentials works"): a
//! service account's key from a Secret; else the file that `GOOGLE_APPLICATION_CREDENTIALS` names, the one that `gcloud`
//! left in its folder, the metadata server. `google-cloud-auth` is not used: it gives no ID tokens for workload identity
//! federation, renews by itself without telling when tokens end or why there are none, and brings a second TLS library.

use std::env;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use aws_smithy_types::date_time::{DateTime, Format};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use tenon_contract::{GcpToken, SecretBlob};
use tenon_model::GcpKey;

use super::Resolved;

mod assertion;
mod http;
mod source;

use http::Http;
use source::Source;

/// Several services may be asked in turn.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest reason; it ends up in statuses and in a secret.
const MAX_REASON: usize = 400;

/// A token that is wanted.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) audience: String,
    /// From a Secret; `None`: as the environment has it.
    pub(super) key: Option<GcpKey>,
    /// Who the token is to be for, if not for whom the credentials are.
    pub(super) service_account: Option<String>,
}

/// Resolves tokens.
pub(super) struct Gcp {
    http: Http,
    surroundings: Surroundings,
}

/// Where credentials and services are.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    /// The file of `GOOGLE_APPLICATION_CREDENTIALS`.
    file: Option<PathBuf>,
    /// The file that `gcloud auth application-default login` writes, if it did.
    well_known: Option<PathBuf>,
    /// Host and port of the metadata server.
    metadata: String,
    /// The IAM Credentials API, as `https://iamcredentials.googleapis.com`.
    iam: String,
}

impl Surroundings {
    /// As the process was started.
    fn of_process() -> Self {
        let folder = |name: &str| env::var_os(name).map(PathBuf::from);
        let gcloud =
            folder("CLOUDSDK_CONFIG").or_else(|| Some(folder("HOME")?.join(".config/gcloud")));
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            file: set("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from),
            well_known: gcloud.map(|folder| folder.join("application_default_credentials.json")),
            metadata: set("GCE_METADATA_HOST")
                .unwrap_or_else(|| "metadata.google.internal".to_owned()),
            iam: "https://iamcredentials.googleapis.com".to_owned(),
        }
    }
}

impl Gcp {
    pub(super) fn new() -> Self {
        Self::with(Surroundings::of_process())
    }

    fn with(surroundings: Surroundings) -> Self {
        Self {
            http: Http::new(),
            surroundings,
        }
    }

    /// Resolves a token; the reason of a failure holds no secret.
    pub(super) async fn resolve(&self, request: &Request) -> Result<Resolved, String> {
        let resolved = tokio::time::timeout(PATIENCE, self.provide(request)).await;
        match resolved {
            Ok(Ok(resolved)) => Ok(resolved),
            Ok(Err(error)) => {
                let mut reason = format!("{error:#}");
                if let Some((cut, _)) = reason.char_indices().nth(MAX_REASON) {
                    reason.truncate(cut);
                }
                Err(reason)
            }
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }

    async fn provide(&self, request: &Request) -> Result<Resolved> {
        // Read anew each time: files may have changed.
        let source = match &request.key {
            Some(key) => Source::parse(key.as_json()).context("the key of the Secret")?,
            None => self.source()?,
        };
        let audience = &request.audience;
        let id_token = match &request.service_account {
            None => source.id_token(self, audience).await?,
            Some(account) => {
                let access_token = source.access_token(self).await?;
                let url = format!(
                    "{}/v1/projects/-/serviceAccounts/{account}:generateIdToken",
                    self.surroundings.iam
                );
                source::generate_id_token(self, &url, &[], &access_token, audience).await?
            }
        };
        let end = end_of(&id_token, audience)?;
        let expiry = UNIX_EPOCH + Duration::from_secs(end);
        ensure!(
            expiry > SystemTime::now(),
            "the token that was given has ended already: is this machine's clock right?"
        );
        let expiration = i64::try_from(end)
            .ok()
            .and_then(|end| DateTime::from_secs(end).fmt(Format::DateTime).ok())
            .context("the token's end is no time")?;
        Ok(Resolved {
            blob: SecretBlob::Gcp(GcpToken {
                id_token,
                expiration: Some(expiration),
            }),
            expiry: Some(expiry),
        })
    }

    fn source(&self) -> Result<Source> {
        let read = |path: &Path| {
            let shown = path.display();
            let text = std::fs::read_to_string(path).with_context(|| format!("{shown}"))?;
            Source::parse(&text).with_context(|| format!("{shown}"))
        };
        if let Some(path) = &self.surroundings.file {
            return read(path).context("GOOGLE_APPLICATION_CREDENTIALS");
        }
        match &self.surroundings.well_known {
            Some(path) if path.is_file() => read(path),
            _ => Ok(Source::Metadata),
        }
    }
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    exp: u64,
}

/// When a token ends, in seconds since the epoch. Its signature is for whom it is shown to.
fn end_of(token: &str, audience: &str) -> Result<u64> {
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        bail!("what was given is no ID token");
    };
    // Neither error shows a part of it.
    let claims = URL_SAFE_NO_PAD.decode(claims).ok();
    let claims: Option<Claims> = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
    let Claims { aud, exp } = claims.context("what was given is no ID token")?;
    ensure!(
        aud == audience,
        "the token that was given is for {aud:?} instead of {audience:?}"
    );
    Ok(exp)
}

#[cfg(test)]
mod tests;
