//! The credentials of AWS, as a signer keeps them.

use std::fmt;
use std::time::Duration;

use tenon_contract::AwsCredentials;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::date;

/// Why credentials cannot sign. Never holds a part of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A part that every signature needs is empty.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// A part goes into a header, and cannot.
    #[error("the {0} has a character that a header cannot carry")]
    Character(&'static str),
    /// The expiration is not RFC 3339.
    #[error("the expiration is not a time of RFC 3339")]
    Expiration,
}

/// The credentials of AWS. Overwritten when dropped, never printed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    #[zeroize(skip)]
    expiration: Option<Duration>,
}

impl Credentials {
    /// The id of the access key.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The session token, to be sent as `x-amz-security-token`.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// When they end, since the epoch.
    pub fn expiration(&self) -> Option<Duration> {
        self.expiration
    }

    /// Whether they have ended.
    pub fn expired(&self, now: Duration) -> bool {
        self.expiration.is_some_and(|end| end <= now)
    }

    pub(super) fn secret_access_key(&self) -> &str {
        &self.secret_access_key
    }

    fn check(&self) -> Result<(), Error> {
        if self.secret_access_key.is_empty() {
            return Err(Error::Empty("secret access key"));
        }
        check_header_value("access key id", &self.access_key_id)?;
        match &self.session_token {
            Some(token) => check_header_value("session token", token),
            None => Ok(()),
        }
    }
}

fn check_header_value(what: &'static str, value: &str) -> Result<(), Error> {
    if value.is_empty() {
        return Err(Error::Empty(what));
    }
    // Also no space: Lambda would read another value than the one that was signed.
    if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::Character(what));
    }
    Ok(())
}

impl TryFrom<AwsCredentials> for Credentials {
    type Error = Error;

    /// Takes the contract's credentials over, so that no second copy of them stays behind.
    fn try_from(given: AwsCredentials) -> Result<Self, Error> {
        // Built before anything is checked: what is refused is overwritten too.
        let mut credentials = Self {
            access_key_id: given.access_key_id,
            secret_access_key: given.secret_access_key,
            // The control plane and users write both "none" and "".
            session_token: given.session_token.filter(|token| !token.is_empty()),
            expiration: None,
        };
        credentials.check()?;
        if let Some(text) = given.expiration {
            credentials.expiration = Some(date::from_rfc3339(&text).ok_or(Error::Expiration)?);
        }
        Ok(credentials)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given() -> AwsCredentials {
        AwsCredentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "very-secret".into(),
            session_token: Some("token-of-session".into()),
            expiration: Some("2015-08-30T12:36:00Z".into()),
        }
    }

    #[test]
    fn the_contract_s_credentials_are_taken_over() {
        let credentials = Credentials::try_from(given()).unwrap();
        assert_eq!(credentials.access_key_id(), "AKIDEXAMPLE");
        assert_eq!(credentials.secret_access_key(), "very-secret");
        assert_eq!(credentials.session_token(), Some("token-of-session"));
        assert_eq!(
            credentials.expiration(),
            Some(Duration::from_secs(1_440_938_160))
        );
    }

    #[test]
    fn an_empty_session_token_is_none() {
        let credentials = Credentials::try_from(AwsCredentials {
            session_token: Some(String::new()),
            ..given()
        })
        .unwrap();
        assert_eq!(credentials.session_token(), None);
    }

    #[test]
    fn credentials_end_at_their_expiration() {
        let credentials = Credentials::try_from(given()).unwrap();
        assert!(!credentials.expired(Duration::from_millis(1_440_938_159_999)));
        assert!(credentials.expired(Duration::from_secs(1_440_938_160)));
        let endless = Credentials::try_from(AwsCredentials {
            expiration: None,
            ..given()
        })
        .unwrap();
        assert!(!endless.expired(Duration::MAX));
    }

    #[test]
    fn what_cannot_sign_is_refused() {
        let refused = |change: fn(&mut AwsCredentials)| {
            let mut given = given();
            change(&mut given);
            Credentials::try_from(given).unwrap_err()
        };
        assert_eq!(
            refused(|it| it.access_key_id.clear()),
            Error::Empty("access key id")
        );
        assert_eq!(
            refused(|it| it.secret_access_key.clear()),
            Error::Empty("secret access key")
        );
        assert_eq!(
            refused(|it| it.access_key_id = "AKID\r\nx: y".into()),
            Error::Character("access key id")
        );
        assert_eq!(
            refused(|it| it.session_token = Some("a b".into())),
            Error::Character("session token")
        );
        assert_eq!(
            refused(|it| it.expiration = Some("tomorrow".into())),
            Error::Expiration
        );
    }

    #[test]
    fn credentials_are_overwritten_and_never_printed() {
        fn overwritten_on_drop<T: ZeroizeOnDrop>(_: &T) {}
        let mut credentials = Credentials::try_from(given()).unwrap();
        overwritten_on_drop(&credentials);
        let shown = format!("{credentials:?}");
        for secret in ["AKIDEXAMPLE", "very-secret", "token-of-session"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        credentials.zeroize();
        assert_eq!(
            (
                credentials.access_key_id.as_str(),
                credentials.secret_access_key.as_str(),
                credentials.session_token.as_deref()
            ),
            ("", "", None)
        );
    }
}
