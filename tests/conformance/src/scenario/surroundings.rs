//! What surrounds a scenario's request.

use tenon_contract::{
    AwsCredentials, AwsProvider, AzureKeys, AzureProvider, CallConfig, FunctionEntry, GcpProvider,
    GcpToken, KeyIn, Provider, SecretBlob, SecretRef, UpstreamConfig,
};

/// The region of every upstream of AWS.
pub const REGION: &str = "us-east-1";

/// Who runs the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Cloud {
    /// AWS Lambda.
    #[default]
    Lambda,
    /// A Lambda function by its URL.
    FunctionUrl,
    /// One that everybody may call.
    OpenFunctionUrl,
    /// Cloud Functions or Cloud Run.
    Google,
    /// Azure Functions.
    Azure,
    /// Azure Functions, with keys in the query.
    AzureQuery,
}

impl Cloud {
    /// The provider's host.
    pub fn host(self) -> &'static str {
        match self {
            Self::Lambda => "lambda.us-east-1.amazonaws.com",
            Self::FunctionUrl | Self::OpenFunctionUrl => "a1b2c3.lambda-url.us-east-1.on.aws",
            Self::Google => "f-4tz3dr-uc.a.run.app",
            Self::Azure | Self::AzureQuery => "shop.azurewebsites.net",
        }
    }

    fn provider(self, propagate_original_routing: bool) -> Provider {
        let host = self.host().into();
        match self {
            Self::Lambda | Self::FunctionUrl | Self::OpenFunctionUrl => {
                Provider::Aws(AwsProvider {
                    region: REGION.into(),
                    host,
                    propagate_original_routing,
                })
            }
            Self::Google => Provider::Gcp(GcpProvider { host }),
            Self::Azure | Self::AzureQuery => Provider::Azure(AzureProvider {
                host,
                route_prefix: "api".into(),
                key_in: match self {
                    Self::AzureQuery => KeyIn::Query,
                    _ => KeyIn::Header,
                },
            }),
        }
    }
}

/// The name of every upstream.
pub const UPSTREAM: &str = "lambda_default";

/// A route: which call it is, and what else it does.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// Strings of metadata, by key.
    pub metadata: Vec<(String, String)>,
    /// The header that the weighted cluster sets.
    pub weight: Option<String>,
    /// What it makes of the path.
    pub rewrite: Option<Rewrite>,
}

/// A prefix of the path and what is put in its place.
#[derive(Debug, Clone, Copy)]
pub struct Rewrite {
    /// The prefix.
    pub from: &'static str,
    /// What is put in its place.
    pub to: &'static str,
}

impl Route {
    /// One without a call.
    pub fn calling_nothing() -> Self {
        Self::default()
    }

    /// One with a call.
    pub fn calling(call: &CallConfig) -> Self {
        Self::with(tenon_contract::CALL_KEY, call.to_json())
    }

    /// One with any text where the call should be.
    pub fn with(key: &str, text: impl Into<String>) -> Self {
        Self::default().and(key, text)
    }

    /// One whose weighted clusters have a call each, and which chose the one at `chosen`.
    pub fn weighted(calls: &[CallConfig], chosen: usize) -> Self {
        let mut route = Self::default();
        for (index, call) in calls.iter().enumerate() {
            route = route.and(&CallConfig::weighted_key(index), call.to_json());
        }
        route.weight = Some(CallConfig::weighted_key(chosen));
        route
    }

    /// Adds a string of metadata.
    pub fn and(mut self, key: &str, text: impl Into<String>) -> Self {
        self.metadata.push((key.to_owned(), text.into()));
        self
    }

    /// Rewrites the path.
    pub fn rewriting(mut self, from: &'static str, to: &'static str) -> Self {
        self.rewrite = Some(Rewrite { from, to });
        self
    }
}

/// An upstream's limits and secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Upstream {
    /// Who runs its functions.
    pub cloud: Cloud,
    /// Its table of functions, as JSON, which has an order.
    pub functions: String,
    /// The largest request.
    pub max_request_bytes: u64,
    /// The largest response.
    pub max_response_bytes: u64,
    /// The secret's text; `None`: there is no secret.
    pub secret: Option<String>,
    /// What the secret is changed to before the second try.
    pub rotated: Option<String>,
    /// The provider is told the client's path and method.
    pub propagates_routing: bool,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            cloud: Cloud::Lambda,
            functions: "[]".into(),
            max_request_bytes: tenon_contract::LAMBDA_PAYLOAD_LIMIT,
            max_response_bytes: tenon_contract::LAMBDA_PAYLOAD_LIMIT,
            secret: Some(Key::User.secret()),
            rotated: None,
            propagates_routing: false,
        }
    }
}

impl Upstream {
    /// One with these limits.
    pub fn limits(max_request_bytes: u64, max_response_bytes: u64) -> Self {
        Self {
            max_request_bytes,
            max_response_bytes,
            ..Self::default()
        }
    }

    /// One of Google's, without limits.
    pub fn google() -> Self {
        Self {
            cloud: Cloud::Google,
            max_request_bytes: u64::MAX,
            max_response_bytes: u64::MAX,
            secret: Some(Key::Google.secret()),
            ..Self::default()
        }
    }

    /// A function's URL.
    pub fn function_url() -> Self {
        Self {
            cloud: Cloud::FunctionUrl,
            ..Self::default()
        }
    }

    /// A function's URL that everybody may call, without a secret.
    pub fn open_function_url() -> Self {
        Self {
            cloud: Cloud::OpenFunctionUrl,
            secret: None,
            ..Self::default()
        }
    }

    /// One of Azure's, without limits.
    pub fn azure() -> Self {
        Self {
            cloud: Cloud::Azure,
            secret: Some(Key::Azure.secret()),
            ..Self::google()
        }
    }

    /// One of Azure's with keys in the query.
    pub fn azure_query() -> Self {
        Self {
            cloud: Cloud::AzureQuery,
            ..Self::azure()
        }
    }

    /// The same, with these functions.
    pub fn with_functions(mut self, functions: &[FunctionEntry]) -> Self {
        self.functions = serde_json::to_string(functions).expect("a table is JSON");
        self
    }

    /// The same, with this secret.
    pub fn with_secret(mut self, text: Option<String>) -> Self {
        self.secret = text;
        self
    }

    /// One with this secret.
    pub fn secret(text: Option<String>) -> Self {
        Self {
            secret: text,
            ..Self::default()
        }
    }

    /// Its filter's configuration; `secret` says where the secret is, where the filter has to fetch it.
    pub fn config(&self, secret: Option<SecretRef>) -> UpstreamConfig {
        UpstreamConfig {
            upstream: UPSTREAM.into(),
            secret,
            functions: tenon_contract::json::Reader::new(self.functions.as_bytes())
                .and_then(|mut reader| reader.whole())
                .expect("a table of functions"),
            max_request_bytes: self.max_request_bytes,
            max_response_bytes: self.max_response_bytes,
            provider: self.cloud.provider(self.propagates_routing),
        }
    }

    /// One that tells the provider the client's path and method.
    pub fn propagating_routing() -> Self {
        Self {
            propagates_routing: true,
            ..Self::default()
        }
    }

    /// The same, with another secret from the second try on.
    pub fn rotated(mut self, text: String) -> Self {
        self.rotated = Some(text);
        self
    }
}

/// Credentials of the tests. Their values are searched for wherever no secret may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A user's.
    User,
    /// A session's.
    Session,
    /// Others of a session, that replace those.
    Rotated,
    /// An ID token of Google's.
    Google,
    /// Another one, that replaces it.
    GoogleRotated,
    /// Keys of a function app of Azure's.
    Azure,
    /// Others, that replace those.
    AzureRotated,
}

impl Key {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::User,
        Self::Session,
        Self::Rotated,
        Self::Google,
        Self::GoogleRotated,
        Self::Azure,
        Self::AzureRotated,
    ];

    /// The id of the access key, or a token's claims, or an app's master key.
    pub fn id(self) -> &'static str {
        match self {
            Self::User => "AKIDUSERUSERUSER",
            Self::Session => "ASIASESSIONSESSI",
            Self::Rotated => "ASIAROTATEDROTAT",
            Self::Google => "ClaimsOfTheToken",
            Self::GoogleRotated => "ClaimsOfTheNextToken",
            Self::Azure => "MasterKeyOfTheApp==",
            Self::AzureRotated => "NextMasterKeyOfTheApp==",
        }
    }

    /// The secret key, or the token, or the key of the function `f`.
    pub fn secret_key(self) -> &'static str {
        match self {
            Self::User => "SecretOfTheUser/+0123456789abcdefghijklm",
            Self::Session => "SecretOfTheSession/+0123456789abcdefghij",
            Self::Rotated => "SecretOfTheNextSession/+0123456789abcdef",
            Self::Google => "eyJhbGciOiJSUzI1NiJ9.ClaimsOfTheToken.c2ln-_",
            Self::GoogleRotated => "eyJhbGciOiJSUzI1NiJ9.ClaimsOfTheNextToken.c2ln-_",
            Self::Azure => "KeyOfTheFunction/+0==",
            Self::AzureRotated => "NextKeyOfTheFunction/+0==",
        }
    }

    /// The session's token, or the app's default key.
    pub fn token(self) -> Option<&'static str> {
        match self {
            Self::User | Self::Google | Self::GoogleRotated => None,
            // The app's own key, for all functions.
            Self::Azure => Some("DefaultKeyOfTheApp=="),
            Self::AzureRotated => Some("NextDefaultKeyOfTheApp=="),
            Self::Session => Some("TokenOfTheSession//////////=="),
            Self::Rotated => Some("TokenOfTheNextSession//////=="),
        }
    }

    /// The text of a secret.
    pub fn secret(self) -> String {
        self.secret_until(None)
    }

    /// The text of a secret that expires.
    pub fn secret_until(self, expiration: Option<&str>) -> String {
        let expiration = expiration.map(Into::into);
        if matches!(self, Self::Google | Self::GoogleRotated) {
            let id_token = self.secret_key().into();
            return SecretBlob::Gcp(GcpToken {
                id_token,
                expiration,
            })
            .to_json();
        }
        if let (Self::Azure | Self::AzureRotated, Some(default)) = (self, self.token()) {
            let keys = [
                ("f", self.secret_key()),
                ("default", default),
                ("_master", self.id()),
            ];
            return SecretBlob::Azure(AzureKeys {
                function_keys: keys.map(|(name, key)| (name.into(), key.into())).into(),
            })
            .to_json();
        }
        SecretBlob::Aws(AwsCredentials {
            access_key_id: self.id().into(),
            secret_access_key: self.secret_key().into(),
            session_token: self.token().map(Into::into),
            expiration,
        })
        .to_json()
    }
}

/// When a request is tried again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Retry {
    /// On these statuses, and when a try is lost.
    pub on: &'static [u16],
    /// At most so often.
    pub times: usize,
}
