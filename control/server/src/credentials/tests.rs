use std::collections::BTreeSet;

use super::*;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tenon_contract::AwsCredentials;
use tenon_translate::Update;
use tokio::net::TcpListener;

const ROLE: &str = "arn:aws:iam::123456789012:role/invoker";

/// What the double of STS does next.
#[derive(Clone)]
struct Sts {
    asked: mpsc::UnboundedSender<(HeaderMap, String)>,
    answers: Arc<std::sync::Mutex<Vec<Answer>>>,
}

#[derive(Clone, Copy)]
enum Answer {
    /// A session of so many seconds.
    Session(u64),
    Denied,
}

async fn answer(State(sts): State<Sts>, headers: HeaderMap, body: String) -> Response {
    sts.asked.send((headers, body)).unwrap();
    let mut answers = sts.answers.lock().unwrap();
    let answer = if answers.len() > 1 {
        answers.remove(0)
    } else {
        answers[0]
    };
    match answer {
        Answer::Denied => (
            StatusCode::FORBIDDEN,
            "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
             <Message>not yours, base-secret</Message></Error><RequestId>r</RequestId></ErrorResponse>",
        )
            .into_response(),
        Answer::Session(seconds) => {
            let end = SystemTime::now() + Duration::from_secs(seconds);
            let end = aws_smithy_types::DateTime::from(end)
                .fmt(aws_smithy_types::date_time::Format::DateTime)
                .unwrap();
            format!(
                "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
                 <AccessKeyId>ASIASESSION</AccessKeyId><SecretAccessKey>session-secret</SecretAccessKey>\
                 <SessionToken>session-token</SessionToken><Expiration>{end}</Expiration></Credentials>\
                 </AssumeRoleResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleResponse>"
            )
            .into_response()
        }
    }
}

struct Fixture {
    credentials: Credentials,
    changes: mpsc::UnboundedReceiver<Change>,
    asked: mpsc::UnboundedReceiver<(HeaderMap, String)>,
    cache: Cache,
    metrics: Metrics,
}

impl Fixture {
    async fn new(answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, questions) = mpsc::unbounded_channel();
        let sts = Sts {
            asked,
            answers: Arc::new(std::sync::Mutex::new(answers.to_vec())),
        };
        let router = Router::new().route("/", post(answer)).with_state(sts);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let (cache, _) = Cache::new();
        let metrics = Metrics::default();
        let providers = Providers {
            aws: Aws::with_sts(&url),
            gcp: Gcp::new(),
        };
        let (credentials, changes) = Credentials::with(cache.clone(), metrics.clone(), providers);
        Self {
            credentials,
            changes,
            asked: questions,
            cache,
            metrics,
        }
    }

    fn apply(&mut self, source: Option<CredentialSource>) {
        let secret = source.map(|source| GenericSecret {
            source,
            proxies: BTreeSet::from(["edge".into()]),
        });
        let credentials = BTreeMap::from([("s".to_owned(), secret)]);
        self.credentials.apply(&credentials);
        self.cache.apply(&Update {
            credentials,
            ..Update::default()
        });
    }

    /// The text of the secret that is served.
    fn served(&self) -> Option<String> {
        let served = self.cache.served();
        let secret = served.iter().find(|served| &*served.name == "s")?;
        Some(String::from_utf8_lossy(&secret.resource.value).into_owned())
    }

    async fn next_problem(&mut self) -> Option<String> {
        let next = tokio::time::timeout(Duration::from_secs(120), self.changes.recv());
        match next.await.expect("no change").unwrap() {
            Change::Credentials { problem, .. } => problem,
            change => panic!("{change:?}"),
        }
    }
}

fn keys() -> AwsCredentials {
    AwsCredentials {
        access_key_id: "AKIDBASE".into(),
        secret_access_key: "base-secret".into(),
        session_token: None,
        expiration: None,
    }
}

fn source(role: Option<&str>) -> CredentialSource {
    CredentialSource::Aws {
        keys: Some(keys()),
        role_arn: role.map(str::to_owned),
        disable_role_chaining: false,
        region: "eu-central-1".into(),
    }
}

#[tokio::test]
async fn static_keys_are_served_at_once() {
    let mut fixture = Fixture::new(&[Answer::Denied]).await;
    fixture.apply(Some(source(None)));
    let served = fixture.served().unwrap();
    assert!(served.contains(r#""accessKeyId":"AKIDBASE""#), "{served}");
    assert_eq!(fixture.next_problem().await, None);
    fixture.apply(None);
    assert_eq!(fixture.served(), None);
}

#[tokio::test]
async fn a_secret_that_cannot_be_is_a_tombstone() {
    let mut fixture = Fixture::new(&[Answer::Denied]).await;
    fixture.apply(Some(CredentialSource::Unavailable("no such secret".into())));
    let served = fixture.served().unwrap();
    assert!(
        served.contains(r#"{"unavailable":"no such secret"}"#),
        "{served}"
    );
}

#[tokio::test]
async fn a_role_is_assumed_with_the_base_credentials() {
    let mut fixture = Fixture::new(&[Answer::Session(3600)]).await;
    fixture.apply(Some(source(Some(ROLE))));
    let waiting = fixture.served().unwrap();
    assert!(waiting.contains(r#"{"unavailable":"#), "{waiting}");
    assert_eq!(fixture.next_problem().await, None);
    let served = fixture.served().unwrap();
    for part in [
        "ASIASESSION",
        "session-secret",
        "session-token",
        "expiration",
    ] {
        assert!(served.contains(part), "{part}");
    }
    assert!(!served.contains("base-secret"));
    let (headers, body) = fixture.asked.recv().await.unwrap();
    let authorization = headers["authorization"].to_str().unwrap();
    assert!(
        authorization.contains("Credential=AKIDBASE/"),
        "{authorization}"
    );
    assert!(authorization.contains("/eu-central-1/sts/"));
    assert!(
        body.contains("Action=AssumeRole") && body.contains("role%2Finvoker"),
        "{body}"
    );
    let metrics = fixture.metrics.encode().unwrap();
    assert!(
        metrics.contains(r#"tenon_credentials_expiry_seconds{secret="s"}"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_refused_role_is_a_tombstone_with_the_reason_and_no_secret() {
    let mut fixture = Fixture::new(&[Answer::Denied]).await;
    fixture.apply(Some(source(Some(ROLE))));
    let problem = fixture.next_problem().await.unwrap();
    assert_eq!(problem, "AccessDenied: not yours, [redacted]");
    let served = fixture.served().unwrap();
    assert!(served.contains("AccessDenied"), "{served}");
    for text in [problem, served] {
        assert!(!text.contains("base-secret"), "{text}");
    }
}

#[tokio::test]
async fn a_refusal_is_asked_about_again_and_recovers() {
    let mut fixture = Fixture::new(&[Answer::Denied, Answer::Session(3600)]).await;
    fixture.apply(Some(source(Some(ROLE))));
    assert!(fixture.next_problem().await.is_some());
    assert_eq!(fixture.next_problem().await, None);
    assert!(fixture.served().unwrap().contains("ASIASESSION"));
}

#[tokio::test]
async fn credentials_are_renewed_when_they_are_about_to_end() {
    let mut fixture = Fixture::new(&[Answer::Session(7), Answer::Session(3600)]).await;
    fixture.apply(Some(source(Some(ROLE))));
    for _ in 0..2 {
        assert_eq!(fixture.next_problem().await, None);
        assert!(fixture.served().unwrap().contains("ASIASESSION"));
    }
}

#[tokio::test]
async fn credentials_that_are_still_valid_survive_a_failed_renewal() {
    let mut fixture = Fixture::new(&[Answer::Denied]).await;
    fixture.apply(Some(source(None)));
    assert_eq!(fixture.next_problem().await, None);
    let mut renewal = fixture.credentials.renewal("s", false);
    let ending = |in_seconds: u64| Resolved {
        blob: SecretBlob::Aws(keys()),
        expiry: Some(SystemTime::now() + Duration::from_secs(in_seconds)),
    };
    renewal.resolved(ending(3600));
    assert_eq!(fixture.next_problem().await, None);
    assert_eq!(renewal.failed("denied".to_owned(), 1), FIRST_RETRY);
    assert_eq!(fixture.next_problem().await, Some("denied".to_owned()));
    assert!(fixture.served().unwrap().contains("base-secret"));
    // Those that have ended do not.
    renewal.resolved(ending(0));
    assert_eq!(fixture.next_problem().await, None);
    renewal.failed("denied again".to_owned(), 2);
    assert!(fixture.next_problem().await.is_some());
    let served = fixture.served().unwrap();
    assert!(served.contains("denied again") && !served.contains("base-secret"));
}

#[tokio::test]
async fn a_new_source_leaves_the_old_credentials_until_it_is_refused() {
    let mut fixture = Fixture::new(&[Answer::Denied]).await;
    fixture.apply(Some(source(None)));
    assert_eq!(fixture.next_problem().await, None);
    fixture.apply(Some(source(Some(ROLE))));
    assert!(fixture.served().unwrap().contains("base-secret"));
    assert!(fixture.next_problem().await.is_some());
    assert!(!fixture.served().unwrap().contains("base-secret"));
}

#[test]
fn renewal_comes_early_and_retries_back_off() {
    let seconds = Duration::from_secs;
    assert_eq!(renew_in(seconds(3600)), seconds(3300));
    assert_eq!(renew_in(seconds(900)), seconds(810));
    assert_eq!(renew_in(seconds(1)), AT_MOST_EVERY);
    for chance in [0, 1, 999, u64::MAX] {
        let early = spread(seconds(3300), chance);
        assert!(
            (seconds(3234)..=seconds(3300)).contains(&early),
            "{early:?}"
        );
        assert_eq!(spread(AT_MOST_EVERY, chance), AT_MOST_EVERY);
    }
    assert_ne!(spread(seconds(3300), 1), spread(seconds(3300), 500));
    let retries: Vec<_> = [1, 2, 3, 7, 100].map(|n| retry_in(n).as_secs()).into();
    assert_eq!(retries, [1, 2, 4, 60, 60]);
}
