use std::fs;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::*;

/// Made for these tests; it opens nothing.
pub(super) const PEM: &str = include_str!("throwaway.pem");

const AUDIENCE: &str = "https://f-4tz3dr-uc.a.run.app";
const ACCOUNT: &str = "invoker@project.iam.gserviceaccount.com";

/// Google's services, all on one port: what was asked, and what they say.
#[derive(Clone, Default)]
struct Google {
    asked: Arc<Mutex<Vec<Asked>>>,
    refusing: Arc<Mutex<bool>>,
    life: Arc<Mutex<Option<i64>>>,
}

#[derive(Debug, Clone)]
struct Asked {
    what: String,
    headers: HeaderMap,
    body: String,
}

impl Asked {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn form(&self, name: &str) -> String {
        let prefix = format!("{name}=");
        let value = self
            .body
            .split('&')
            .find_map(|it| it.strip_prefix(&*prefix));
        percent_encoding::percent_decode_str(value.unwrap_or_default())
            .decode_utf8_lossy()
            .into_owned()
    }
}

fn claims(jwt: &str) -> Value {
    let claims = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

impl Google {
    fn token(&self, audience: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let life = self.life.lock().unwrap().unwrap_or(3600);
        let exp = i64::try_from(now.as_secs()).unwrap() + life;
        let claims = json!({"aud": audience, "exp": exp}).to_string();
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }
}

async fn answer(
    State(google): State<Google>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let asked = Asked {
        what: format!("{method} {uri}"),
        headers,
        body,
    };
    google.asked.lock().unwrap().push(asked.clone());
    if *google.refusing.lock().unwrap() {
        let refusal = json!({"error": "invalid_grant", "error_description": "not yours"});
        return (StatusCode::BAD_REQUEST, axum::Json(refusal)).into_response();
    }
    let ours = "/computeMetadata/v1/instance/service-accounts/default";
    match uri.path() {
        path if path.starts_with(ours) && asked.header("metadata-flavor") != "Google" => {
            StatusCode::FORBIDDEN.into_response()
        }
        path if path == format!("{ours}/identity") => {
            let query = uri.query().unwrap_or_default();
            let audience = query.strip_prefix("audience=").unwrap();
            let audience = audience.split('&').next().unwrap();
            let audience = percent_encoding::percent_decode_str(audience);
            google.token(&audience.decode_utf8_lossy()).into_response()
        }
        path if path == format!("{ours}/token") => {
            axum::Json(json!({"access_token": "access-of-the-machine"})).into_response()
        }
        "/token" if asked.form("grant_type") == "refresh_token" => {
            axum::Json(json!({"access_token": "access-of-a-person"})).into_response()
        }
        "/token" => {
            let claims = claims(&asked.form("assertion"));
            let answer = match claims["target_audience"].as_str() {
                Some(audience) => json!({"id_token": google.token(audience)}),
                None => json!({"access_token": "access-of-the-key"}),
            };
            axum::Json(answer).into_response()
        }
        "/sts" => axum::Json(json!({"access_token": "access-of-the-pool"})).into_response(),
        "/subject" => axum::Json(json!({"value": "token-of-another"})).into_response(),
        path if path.ends_with(":generateIdToken") => {
            let body: Value = serde_json::from_str(&asked.body).unwrap();
            let audience = body["audience"].as_str().unwrap();
            axum::Json(json!({"token": google.token(audience)})).into_response()
        }
        path if path.ends_with(":generateAccessToken") => {
            axum::Json(json!({"accessToken": "access-of-the-account"})).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

struct Fixture {
    google: Google,
    gcp: Gcp,
    address: String,
    folder: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let google = Google::default();
        let router = Router::new().fallback(answer).with_state(google.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let surroundings = Surroundings {
            file: None,
            well_known: None,
            metadata: address.clone(),
            iam: format!("http://{address}"),
        };
        Self {
            google,
            gcp: Gcp::with(surroundings),
            address,
            folder: TempDir::new().unwrap(),
        }
    }

    /// With these credentials in the file that the environment names.
    async fn with_file(credentials: impl FnOnce(&str) -> Value) -> Self {
        let mut fixture = Self::new().await;
        let path = fixture.folder.path().join("credentials.json");
        fs::write(&path, credentials(&fixture.address).to_string()).unwrap();
        fixture.gcp.surroundings.file = Some(path);
        fixture
    }

    async fn resolve(&self) -> Result<Resolved, String> {
        self.resolve_as(None).await
    }

    async fn resolve_as(&self, account: Option<&str>) -> Result<Resolved, String> {
        let request = Request {
            audience: AUDIENCE.into(),
            key: None,
            service_account: account.map(Into::into),
        };
        self.gcp.resolve(&request).await
    }

    fn asked(&self) -> Vec<Asked> {
        self.google.asked.lock().unwrap().clone()
    }

    fn paths(&self) -> Vec<String> {
        let asked = self.asked().into_iter();
        asked
            .map(|asked| asked.what.split('?').next().unwrap().to_owned())
            .collect()
    }
}

/// Whether it is a token for the audience that ends within the hour.
fn check(resolved: &Resolved) {
    let SecretBlob::Gcp(token) = &resolved.blob else {
        panic!("not a token")
    };
    let claims = claims(&token.id_token);
    assert_eq!(claims["aud"], AUDIENCE);
    let left = resolved.expiry.unwrap().duration_since(SystemTime::now());
    assert!((3500..=3600).contains(&left.unwrap().as_secs()));
    let end = DateTime::from_secs(claims["exp"].as_i64().unwrap());
    assert_eq!(token.expiration, Some(end.fmt(Format::DateTime).unwrap()));
}

fn key(address: &str) -> Value {
    json!({
        "type": "service_account", "client_email": ACCOUNT, "private_key_id": "k1",
        "private_key": PEM, "token_uri": format!("http://{address}/token"),
    })
}

fn person(address: &str) -> Value {
    json!({
        "type": "authorized_user", "client_id": "id", "client_secret": "secret-of-the-client",
        "refresh_token": "refresh/token", "token_uri": format!("http://{address}/token"),
    })
}

fn impersonation(address: &str) -> String {
    format!("http://{address}/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken")
}

fn pool(address: &str, source: &Value) -> Value {
    json!({
        "type": "external_account", "audience": "//iam.googleapis.com/pools/p",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("http://{address}/sts"), "credential_source": source,
        "service_account_impersonation_url": impersonation(address),
    })
}

const ID: &str =
    "/v1/projects/-/serviceAccounts/invoker@project.iam.gserviceaccount.com:generateIdToken";

#[tokio::test]
async fn the_metadata_server_gives_a_token_for_the_audience() {
    let fixture = Fixture::new().await;
    check(&fixture.resolve().await.unwrap());
    assert_eq!(
        fixture.paths(),
        ["GET /computeMetadata/v1/instance/service-accounts/default/identity"]
    );
}

#[tokio::test]
async fn a_key_is_exchanged_for_a_token() {
    let fixture = Fixture::with_file(key).await;
    check(&fixture.resolve().await.unwrap());
    let asked = fixture.asked();
    assert_eq!(
        asked[0].form("grant_type"),
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    );
    let claims = claims(&asked[0].form("assertion"));
    assert_eq!(claims["iss"], ACCOUNT);
    assert_eq!(claims["aud"], format!("http://{}/token", fixture.address));
}

#[tokio::test]
async fn a_key_of_a_secret_comes_before_the_environment() {
    let fixture = Fixture::with_file(person).await;
    let request = Request {
        audience: AUDIENCE.into(),
        key: Some(GcpKey::new(key(&fixture.address).to_string())),
        service_account: None,
    };
    check(&fixture.gcp.resolve(&request).await.unwrap());
    assert_eq!(fixture.paths(), ["POST /token"]);
}

#[tokio::test]
async fn the_file_of_gcloud_comes_before_the_metadata_server() {
    let mut fixture = Fixture::with_file(key).await;
    fixture.gcp.surroundings.well_known = fixture.gcp.surroundings.file.take();
    check(&fixture.resolve().await.unwrap());
    assert_eq!(fixture.paths(), ["POST /token"]);
}

#[tokio::test]
async fn another_account_is_acted_as_by_all_that_have_access() {
    for (credentials, access) in [
        (None, "access-of-the-machine"),
        (Some(key as fn(&str) -> Value), "access-of-the-key"),
        (Some(person), "access-of-a-person"),
    ] {
        let fixture = match credentials {
            Some(credentials) => Fixture::with_file(credentials).await,
            None => Fixture::new().await,
        };
        check(&fixture.resolve_as(Some(ACCOUNT)).await.unwrap());
        let asked = fixture.asked();
        let last = asked.last().unwrap();
        assert_eq!(last.what, format!("POST {ID}"));
        assert_eq!(last.header("authorization"), format!("Bearer {access}"));
        let body: Value = serde_json::from_str(&last.body).unwrap();
        assert_eq!(
            body,
            json!({"audience": AUDIENCE, "delegates": [], "includeEmail": true})
        );
    }
}

#[tokio::test]
async fn a_file_may_say_who_to_act_as_and_over_whom() {
    let fixture = Fixture::with_file(|address| {
        json!({
            "type": "impersonated_service_account",
            "service_account_impersonation_url": impersonation(address),
            "delegates": ["projects/-/serviceAccounts/between@p"],
            "source_credentials": person(address),
        })
    })
    .await;
    check(&fixture.resolve().await.unwrap());
    assert_eq!(
        fixture.paths(),
        ["POST /token".to_owned(), format!("POST {ID}")]
    );
    let asked = fixture.asked();
    assert_eq!(asked[0].form("refresh_token"), "refresh/token");
    assert_eq!(
        asked[1].header("authorization"),
        "Bearer access-of-a-person"
    );
    assert!(asked[1].body.contains("between@p"));
}

#[tokio::test]
async fn an_identity_of_another_provider_is_exchanged() {
    let fixture = Fixture::new().await;
    let token = fixture.folder.path().join("subject");
    fs::write(&token, "token-of-another\n").unwrap();
    for source in [
        json!({"file": token}),
        json!({
            "url": format!("http://{}/subject", fixture.address), "headers": {"x-own": "1"},
            "format": {"type": "json", "subject_token_field_name": "value"},
        }),
    ] {
        let fixture = Fixture::with_file(|address| pool(address, &source)).await;
        check(&fixture.resolve().await.unwrap());
        let asked = fixture.asked();
        let [exchange, last] = &asked[..] else {
            panic!("{asked:?}")
        };
        for (name, value) in [
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("audience", "//iam.googleapis.com/pools/p"),
            ("subject_token", "token-of-another"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ] {
            assert_eq!(exchange.form(name), value);
        }
        assert_eq!(last.what, format!("POST {ID}"));
        assert_eq!(last.header("authorization"), "Bearer access-of-the-pool");
    }
}

#[tokio::test]
async fn what_cannot_give_a_token_says_what_is_missing() {
    let alone = |address: &str| {
        let mut pool = pool(address, &json!({"file": "/nowhere"}));
        pool.as_object_mut()
            .unwrap()
            .remove("service_account_impersonation_url");
        pool
    };
    for (credentials, expected) in [
        (person as fn(&str) -> Value, "serviceAccount has to say who"),
        (alone, "serviceAccount has to say who"),
        (
            |_| json!({"type": "service_account", "private_key": "very-secret"}),
            "not complete credentials of type service_account",
        ),
        (
            |_| json!({"type": "gdch_service_account"}),
            "of a type that gives no tokens",
        ),
        (|_| json!(["very-secret"]), "no credentials of Google's"),
    ] {
        let fixture = Fixture::with_file(credentials).await;
        let reason = fixture.resolve().await.err().unwrap();
        assert!(reason.contains(expected), "{reason}");
        assert!(
            reason.contains("GOOGLE_APPLICATION_CREDENTIALS")
                || expected.starts_with("serviceAccount"),
            "{reason}"
        );
        assert!(
            !reason.contains("secret-of-the-client") && !reason.contains("very-secret"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_service_s_words() {
    let fixture = Fixture::with_file(key).await;
    *fixture.google.refusing.lock().unwrap() = true;
    let reason = fixture.resolve().await.err().unwrap();
    let url = format!("http://{}/token", fixture.address);
    assert_eq!(
        reason,
        format!("{url} answered 400: invalid_grant: not yours")
    );
}

#[tokio::test]
async fn a_token_that_is_of_no_use_is_not_taken() {
    let fixture = Fixture::new().await;
    *fixture.google.life.lock().unwrap() = Some(-1);
    let reason = fixture.resolve().await.err().unwrap();
    assert!(reason.contains("has ended already"), "{reason}");

    let token = fixture.google.token("https://other.example");
    assert!(end_of(&token, AUDIENCE).is_err());
    for token in ["", "a.b", "a.b.c", "a.e30.c", "a.b.c.d"] {
        let error = end_of(token, AUDIENCE).unwrap_err().to_string();
        assert_eq!(error, "what was given is no ID token", "{token}");
    }
}
