//! Instances of EC2, by its Query API: `aws-sdk-ec2` has more than a million lines for this one question.

use std::env;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as SigningIdentity;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tenon_contract::{AwsCredentials, SecretBlob};
use tenon_translate::Instance;

use super::http::{Http, Tls};
use super::{Teller, wait_after};
use crate::credentials::{Aws, AwsRequest};

mod answer;

/// API reference of Amazon EC2, "DescribeInstances": those that run, as many at a time as it gives.
const QUESTION: &str = "Action=DescribeInstances&Version=2016-11-15&MaxResults=1000\
                        &Filter.1.Name=instance-state-name&Filter.1.Value.1=running";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// A service that gives the same page again and again is not asked for ever.
const MOST_PAGES: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Ec2 {
    aws: Arc<Aws>,
    credentials: AwsRequest,
    region: String,
    url: String,
}

impl Ec2 {
    pub(super) fn new(aws: Arc<Aws>, credentials: AwsRequest, region: &str) -> Self {
        Self {
            aws,
            credentials,
            region: region.to_owned(),
            url: url(region, |name| env::var(name).ok()),
        }
    }

    /// Tells which instances there are, again and again.
    pub(super) async fn watch(self, interval: Duration, mut teller: Teller) {
        let mut failures = 0;
        let mut http = None;
        loop {
            let found = tokio::time::timeout(PATIENCE, self.instances(&mut http)).await;
            let late = || Err(format!("no answer within {} s", PATIENCE.as_secs()));
            match found.unwrap_or_else(|_| late()) {
                Ok(instances) => {
                    failures = 0;
                    teller.tell(Some(instances), None);
                    tokio::time::sleep(interval).await;
                }
                Err(reason) => {
                    failures += 1;
                    teller.tell(None, Some(reason));
                    tokio::time::sleep(wait_after(failures)).await;
                }
            }
        }
    }

    async fn instances(&self, http: &mut Option<Http>) -> Result<Vec<Instance>, String> {
        let http = match http {
            Some(http) => http,
            none => none.insert(Http::new(&Tls::default())?),
        };
        let resolved = self.aws.resolve(&self.credentials).await?;
        let SecretBlob::Aws(keys) = resolved.blob else {
            return Err("these credentials are not AWS's".to_owned());
        };
        let mut instances = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut body = QUESTION.to_owned();
            if let Some(token) = &token {
                body += "&NextToken=";
                body.extend(utf8_percent_encode(token, NON_ALPHANUMERIC));
            }
            let text = self.ask(http, &keys, body).await?;
            let page = answer::page(&text).map_err(|error| format!("EC2's answer: {error}"))?;
            instances.extend(page.instances);
            token = page.next;
            if token.is_none() {
                return Ok(instances);
            }
        }
        Err(format!("EC2 gives more than {MOST_PAGES} pages"))
    }

    async fn ask(
        &self,
        http: &Http,
        keys: &AwsCredentials,
        body: String,
    ) -> Result<String, String> {
        let mut request = Request::post(&self.url).header("content-type", FORM);
        for (name, value) in self.signature(keys, &body)? {
            request = request.header(name, value);
        }
        // The error of a header would show its value.
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| format!("{:?} cannot be asked", self.url))?;
        let answer = http.ask(request).await?;
        let (status, text) = (answer.status(), String::from_utf8_lossy(answer.body()));
        if status.is_success() {
            return Ok(text.into_owned());
        }
        Err(match answer::refusal(&text) {
            Ok((code, message)) => without(format!("{code}: {message}"), keys),
            Err(_) => format!("EC2 answered {status}"),
        })
    }

    fn signature(
        &self,
        keys: &AwsCredentials,
        body: &str,
    ) -> Result<Vec<(String, String)>, String> {
        let failed = |what: &dyn std::fmt::Display| format!("cannot be signed: {what}");
        let identity = SigningIdentity::new(
            &keys.access_key_id,
            &keys.secret_access_key,
            keys.session_token.clone(),
            None,
            "tenon",
        )
        .into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("ec2")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| failed(&error))?
            .into();
        let headers = std::iter::once(("content-type", FORM));
        let body = SignableBody::Bytes(body.as_bytes());
        let request = SignableRequest::new("POST", &self.url, headers, body);
        let signed = sign(request.map_err(|error| failed(&error))?, &parameters);
        let (instructions, _) = signed.map_err(|error| failed(&error))?.into_parts();
        let headers = instructions.headers();
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(headers.collect())
    }
}

/// Where the API is, as AWS's own tools look for it.
fn url(region: &str, env: impl Fn(&str) -> Option<String>) -> String {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let url = set("AWS_ENDPOINT_URL_EC2").or_else(|| set("AWS_ENDPOINT_URL"));
    let url = url.unwrap_or_else(|| {
        let suffix = match region.starts_with("cn-") {
            true => ".cn",
            false => "",
        };
        format!("https://ec2.{region}.amazonaws.com{suffix}")
    });
    format!("{}/", url.trim_end_matches('/'))
}

/// What a service says may quote what it was sent.
fn without(mut text: String, keys: &AwsCredentials) -> String {
    let secrets = [
        Some(&keys.access_key_id),
        Some(&keys.secret_access_key),
        keys.session_token.as_ref(),
    ];
    for secret in secrets.into_iter().flatten().filter(|it| !it.is_empty()) {
        text = text.replace(secret, "[redacted]");
    }
    text
}

#[cfg(test)]
mod tests;
