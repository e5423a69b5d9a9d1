//! The text of a generic secret.

use std::fmt;

use serde::Serialize;
use tenon_contract_derive::Shape;

use crate::json::{Reader, Wrong};
use crate::{AzureKeys, Error};

/// The content of a generic secret, as JSON.
#[derive(Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub enum SecretBlob {
    /// Credentials of AWS.
    Aws(AwsCredentials),
    /// An ID token of Google's.
    Gcp(GcpToken),
    /// Keys of a function app of Azure's.
    Azure(AzureKeys),
    /// There are none, and why: the control plane serves this rather than nothing, so that no listener waits.
    Unavailable(String),
}

/// Credentials of AWS. Neither `Debug` nor any error shows them.
#[derive(Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct AwsCredentials {
    /// The id of the access key.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: String,
    /// The token of a session, where they are of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<String>,
    /// When they end (RFC 3339), where they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<String>,
}

/// An ID token of Google's, for one audience. Neither `Debug` nor any error shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Shape)]
#[serde(rename_all = "camelCase")]
pub struct GcpToken {
    /// The token: a JWT.
    pub id_token: String,
    /// When it ends (RFC 3339), if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<String>,
}

impl SecretBlob {
    /// Reads a secret's text.
    ///
    /// # Errors
    /// Not a secret. The error never holds a part of the text.
    pub fn from_json(text: &[u8]) -> Result<Self, Error> {
        let read = |text| Reader::new(text)?.whole();
        read(text).map_err(|wrong: Wrong| Error::Shape {
            what: "secret",
            reason: wrong.redacted(),
        })
    }

    /// Writes a secret's text.
    pub fn to_json(&self) -> String {
        crate::write(self)
    }
}

impl fmt::Debug for SecretBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws(credentials) => credentials.fmt(f),
            Self::Gcp(token) => token.fmt(f),
            Self::Azure(keys) => keys.fmt(f),
            Self::Unavailable(reason) => f.debug_tuple("Unavailable").field(reason).finish(),
        }
    }
}

impl fmt::Debug for AwsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsCredentials")
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for GcpToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcpToken")
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> AwsCredentials {
        AwsCredentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "very-secret".into(),
            session_token: Some("token-of-session".into()),
            expiration: Some("2030-01-01T00:00:00Z".into()),
        }
    }

    fn token() -> GcpToken {
        GcpToken {
            id_token: "header.claims.signature".into(),
            expiration: Some("2030-01-01T00:00:00Z".into()),
        }
    }

    fn keys() -> AzureKeys {
        AzureKeys {
            function_keys: [("f".to_owned(), "key-of-f".to_owned())].into(),
        }
    }

    #[test]
    fn the_text_of_azure_s_keys_is_the_documented_one() {
        assert_eq!(
            SecretBlob::Azure(keys()).to_json(),
            r#"{"azure":{"functionKeys":{"f":"key-of-f"}}}"#
        );
    }

    #[test]
    fn secrets_survive_a_round_trip() {
        for blob in [
            SecretBlob::Aws(credentials()),
            SecretBlob::Gcp(token()),
            SecretBlob::Azure(keys()),
            SecretBlob::Unavailable("no such secret".into()),
        ] {
            assert_eq!(
                SecretBlob::from_json(blob.to_json().as_bytes()).unwrap(),
                blob
            );
        }
    }

    #[test]
    fn secrets_are_never_printed() {
        let shown = format!(
            "{:?} {:?} {:?} {:?}",
            credentials(),
            SecretBlob::Aws(credentials()),
            SecretBlob::Gcp(token()),
            SecretBlob::Azure(keys())
        );
        let error = SecretBlob::from_json(
            br#"{"aws":{"accessKeyId":"AKIDEXAMPLE","secretAccessKey":["very-secret"]}}"#,
        )
        .unwrap_err()
        .to_string();
        for secret in [
            "AKIDEXAMPLE",
            "very-secret",
            "token-of-session",
            "claims",
            "key-of-f",
        ] {
            assert!(
                !shown.contains(secret) && !error.contains(secret),
                "{shown} {error}"
            );
        }
    }
}
