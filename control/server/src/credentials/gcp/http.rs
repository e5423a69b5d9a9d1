//! Questions to Google's services.

use anyhow::{Context, Result, anyhow, bail};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::causes::causes;

/// Asks, over the client that AWS's services are asked with.
pub(super) struct Http {
    connector: Connector,
}

/// What is sent.
pub(super) enum Body<'a> {
    /// Nothing: a GET.
    None,
    /// A form: a POST.
    Form(&'a [(&'a str, &'a str)]),
    /// JSON: a POST.
    Json(&'a Value),
}

impl Http {
    pub(super) fn new() -> Self {
        let tls = Provider::Rustls(CryptoMode::Ring);
        let connector = Connector::builder().tls_provider(tls).build();
        Self { connector }
    }

    /// Asks for JSON.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Body<'_>,
    ) -> Result<T> {
        let text = self.text(url, headers, body).await?;
        // Serde's own words may quote the token.
        serde_json::from_str(&text)
            .map_err(|_| anyhow!("{}: the answer has no token in it", without_query(url)))
    }

    /// Asks for text. An error has the service's reason, and nothing that was sent.
    pub(super) async fn text(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Body<'_>,
    ) -> Result<String> {
        let shown = without_query(url);
        let answer = self
            .connector
            .call(request(url, headers, body).with_context(|| shown.to_owned())?)
            .await
            .map_err(|error| anyhow!("{shown}: {}", causes(&error)))?;
        let status = answer.status().as_u16();
        let bytes = ByteStream::new(answer.into_body())
            .collect()
            .await
            .with_context(|| shown.to_owned())?
            .into_bytes();
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        if !(200..300).contains(&status) {
            bail!("{shown} answered {status}{}", reason(&text));
        }
        Ok(text)
    }
}

fn request(url: &str, headers: &[(&str, &str)], body: Body<'_>) -> Result<HttpRequest> {
    let (method, kind, body) = match body {
        Body::None => ("GET", None, SdkBody::empty()),
        Body::Form(pairs) => {
            let form = pairs.iter().map(|(name, value)| {
                let value = percent_encoding::utf8_percent_encode(value, ESCAPED);
                format!("{name}={value}")
            });
            let form: Vec<_> = form.collect();
            let kind = "application/x-www-form-urlencoded";
            ("POST", Some(kind), SdkBody::from(form.join("&")))
        }
        Body::Json(value) => (
            "POST",
            Some("application/json"),
            SdkBody::from(value.to_string()),
        ),
    };
    let mut request = HttpRequest::new(body);
    request.set_method(method)?;
    request.set_uri(url)?;
    let all = request.headers_mut();
    for (name, value) in kind
        .map(|kind| ("content-type", kind))
        .iter()
        .chain(headers)
    {
        // The error would show the value.
        all.try_insert((*name).to_owned(), (*value).to_owned())
            .map_err(|_| anyhow!("{name} has a character that a header cannot carry"))?;
    }
    Ok(request)
}

/// All but RFC 3986's unreserved characters.
pub(super) const ESCAPED: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

/// What a service says of its refusal: OAuth's form (RFC 6749, 5.2) or that of Google's APIs.
fn reason(text: &str) -> String {
    let Ok(answer) = serde_json::from_str::<Value>(text) else {
        return String::new();
    };
    let at = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str);
    let parts: Vec<_> = [
        at("/error"),
        at("/error_description"),
        at("/error/status"),
        at("/error/message"),
    ]
    .into_iter()
    .flatten()
    .collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!(": {}", parts.join(": ")),
    }
}
