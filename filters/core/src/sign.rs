//! AWS Signature Version 4 as a pure function of request, time and credentials.
//!
//! [`Credentials`] come from the contract; a [`Signer`] is made of them once and signs many requests. Each stage can be
//! had alone (canonical request, string to sign, signature), as AWS's own test vectors have them. Nothing here shows a
//! secret, a token or a signature in `Debug` or in an error.
//!
//! ```
//! use std::time::Duration;
//! use tenon_core::sign::{Credentials, EMPTY_PAYLOAD, Path, Request, Signer};
//!
//! let secret = br#"{"aws":{"accessKeyId":"AKIDEXAMPLE","secretAccessKey":"secret"}}"#;
//! let tenon_contract::SecretBlob::Aws(credentials) = tenon_contract::SecretBlob::from_json(secret)? else {
//!     return Ok(());
//! };
//! let signer = Signer::new(Credentials::try_from(credentials)?, "eu-central-1", "lambda");
//! let request = Request {
//!     method: "POST",
//!     path: Path::Wire(b"/2015-03-31/functions/resize/invocations"),
//!     query: b"",
//!     headers: &[("host", b"lambda.eu-central-1.amazonaws.com")],
//!     payload_hash: &EMPTY_PAYLOAD,
//! };
//! let mut buffer = Vec::new();
//! let signed = signer.sign(&request, Duration::from_secs(1_440_938_160), &mut buffer);
//! assert_eq!(&signed.date, b"20150830T123600Z");
//! assert!(signed.authorization.starts_with(b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod canonical;
mod credentials;
mod date;
mod payload;
mod signer;

pub(crate) use date::{common_log, from_http, from_rfc3339};

pub use canonical::{Header, Path, Request, Settings, canonical_path, canonical_request};
pub use credentials::{Credentials, Error};
pub use payload::{EMPTY_PAYLOAD, HexDigest, PayloadHash};
pub use signer::{Signed, Signer};
