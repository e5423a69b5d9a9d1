//! The upstream's secret, prepared for use.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tenon_contract::{Provider, SecretBlob};
use zeroize::Zeroizing;

use super::azure::Keys;
use super::gcp::Token;
use crate::sign::{Credentials, Signer};

/// Credentials and what is derived from them.
pub(super) enum Secret {
    /// Keys of AWS.
    Aws(Signer),
    /// An ID token of Google's.
    Gcp(Token),
    /// Keys of a function app of Azure's.
    Azure(Keys),
}

impl Secret {
    /// Whether the credentials can be used at `now`, or why not.
    pub(super) fn at(&self, now: Duration) -> Result<(), Arc<str>> {
        let expired = match self {
            Self::Aws(signer) => signer.credentials().expired(now),
            Self::Gcp(token) => token.expired(now),
            Self::Azure(_) => false,
        };
        if expired {
            return Err("the credentials have expired".into());
        }
        Ok(())
    }
}

/// An upstream's secret, prepared once per text: a rotation is noticed by its other bytes.
pub(super) struct Secrets {
    provider: Provider,
    current: ArcSwapOption<Prepared>,
}

struct Prepared {
    text: Zeroizing<Vec<u8>>,
    secret: Result<Arc<Secret>, Arc<str>>,
}

impl Secrets {
    pub(super) fn new(provider: Provider) -> Self {
        Self {
            provider,
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
        let blob = SecretBlob::from_json(text).map_err(|error| error.to_string())?;
        match (&self.provider, blob) {
            (_, SecretBlob::Unavailable(reason)) => Err(reason.into()),
            (Provider::Aws(aws), SecretBlob::Aws(credentials)) => {
                let credentials =
                    Credentials::try_from(credentials).map_err(|error| error.to_string())?;
                Ok(Arc::new(Secret::Aws(Signer::new(
                    credentials,
                    aws.region.as_str(),
                    "lambda",
                ))))
            }
            (Provider::Gcp(_), SecretBlob::Gcp(token)) => {
                let token = Token::try_from(token).map_err(|error| error.to_string())?;
                Ok(Arc::new(Secret::Gcp(token)))
            }
            (Provider::Azure(_), SecretBlob::Azure(keys)) => {
                let keys = Keys::try_from(keys).map_err(|error| error.to_string())?;
                Ok(Arc::new(Secret::Azure(keys)))
            }
            _ => Err("the secret is another provider's".into()),
        }
    }
}
