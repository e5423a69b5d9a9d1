//! The upstream's secret, prepared for signing.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tenon_contract::SecretBlob;
use zeroize::Zeroizing;

use super::call::Call;
use crate::sign::{Credentials, Header, HexDigest, Path, Request, Signed, Signer};

/// Credentials and what signing derives from them.
pub(super) struct Secret {
    signer: Signer,
}

impl Secret {
    /// Whether the credentials can be used at `now`, or why not.
    pub(super) fn at(&self, now: Duration) -> Result<(), Arc<str>> {
        if self.signer.credentials().expired(now) {
            return Err("the credentials have expired".into());
        }
        Ok(())
    }

    /// The session's token, which is a header of its own.
    pub(super) fn session_token(&self) -> Option<&str> {
        self.signer.credentials().session_token()
    }

    /// Signs an Invoke request over the headers that no later hop edits. `buffer` is for the signer's own use.
    pub(super) fn sign_invoke<'b>(
        &self,
        call: &Call,
        host: &[u8],
        content_type: Option<&[u8]>,
        payload_hash: &HexDigest,
        (now, buffer): (Duration, &'b mut Vec<u8>),
    ) -> Signed<'b> {
        let headers: [Header<'_>; 3] = [
            ("content-type", content_type.unwrap_or_default()),
            ("host", host),
            ("x-amz-invocation-type", call.invocation_type.as_bytes()),
        ];
        let request = Request {
            method: "POST",
            path: Path::Canonical(&call.canonical_path),
            query: call.query.as_bytes(),
            headers: headers
                .get(usize::from(content_type.is_none())..)
                .unwrap_or_default(),
            payload_hash,
        };
        self.signer.sign(&request, now, buffer)
    }
}

/// An upstream's secret, prepared once per text: a rotation is noticed by its other bytes.
pub(super) struct Secrets {
    region: String,
    current: ArcSwapOption<Prepared>,
}

struct Prepared {
    text: Zeroizing<Vec<u8>>,
    secret: Result<Arc<Secret>, Arc<str>>,
}

impl Secrets {
    pub(super) fn new(region: &str) -> Self {
        Self {
            region: region.to_owned(),
            current: ArcSwapOption::empty(),
        }
    }

    /// The secret of a text, or why it is none; the reason holds nothing secret.
    pub(super) fn get(&self, text: &[u8]) -> Result<Arc<Secret>, Arc<str>> {
        if let Some(current) = &*self.current.load()
            && current.text.as_slice() == text
        {
            return current.secret.clone();
        }
        let secret = self.prepare(text);
        self.current.store(Some(Arc::new(Prepared {
            text: Zeroizing::new(text.to_owned()),
            secret: secret.clone(),
        })));
        secret
    }

    fn prepare(&self, text: &[u8]) -> Result<Arc<Secret>, Arc<str>> {
        if text.is_empty() {
            return Err("the secret is empty".into());
        }
        match SecretBlob::from_json(text).map_err(|error| error.to_string())? {
            SecretBlob::Unavailable(reason) => Err(reason.into()),
            SecretBlob::Aws(credentials) => {
                let credentials =
                    Credentials::try_from(credentials).map_err(|error| error.to_string())?;
                Ok(Arc::new(Secret {
                    signer: Signer::new(credentials, self.region.as_str(), "lambda"),
                }))
            }
        }
    }
}
