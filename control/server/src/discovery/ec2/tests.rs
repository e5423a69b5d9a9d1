use std::net::SocketAddr;
use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::net::TcpListener;

use super::*;

/// A service that answers with these pages in turn, and keeps what it was asked.
struct Service {
    pages: Mutex<Vec<(StatusCode, String)>>,
    asked: Mutex<Vec<(HeaderMap, String)>>,
}

async fn serve(pages: Vec<(StatusCode, String)>) -> (SocketAddr, Arc<Service>) {
    let service = Arc::new(Service {
        pages: Mutex::new(pages),
        asked: Mutex::default(),
    });
    let answer = async |State(service): State<Arc<Service>>, headers: HeaderMap, body: String| {
        service.asked.lock().unwrap().push((headers, body));
        service.pages.lock().unwrap().remove(0)
    };
    let router = Router::new()
        .route("/", post(answer))
        .with_state(service.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await });
    (address, service)
}

fn page_of(ip: &str, next: &str) -> (StatusCode, String) {
    let text = format!(
        "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><privateIpAddress>{ip}</privateIpAddress></item></instancesSet></item></reservationSet><nextToken>{next}</nextToken></DescribeInstancesResponse>"
    );
    (StatusCode::OK, text)
}

fn ec2(address: SocketAddr) -> Ec2 {
    let credentials = AwsRequest {
        keys: Some(AwsCredentials {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "a secret".to_owned(),
            session_token: Some("a token".to_owned()),
            expiration: None,
        }),
        role_arn: None,
        straight: false,
        region: "eu-west-1".to_owned(),
    };
    Ec2 {
        url: format!("http://{address}/"),
        ..Ec2::new(Arc::new(Aws::new()), credentials, "eu-west-1")
    }
}

#[tokio::test]
async fn pages_are_asked_for_until_there_are_no_more() {
    let (address, service) =
        serve(vec![page_of("10.0.0.1", "a+b/c="), page_of("10.0.0.2", "")]).await;
    let found = ec2(address).instances(&mut None).await.unwrap();
    let ips: Vec<_> = found.iter().map(|it| it.ip.unwrap().to_string()).collect();
    assert_eq!(ips, ["10.0.0.1", "10.0.0.2"]);
    let asked = service.asked.lock().unwrap();
    assert_eq!(asked[0].1, QUESTION);
    assert_eq!(asked[1].1, format!("{QUESTION}&NextToken=a%2Bb%2Fc%3D"));
    for (headers, _) in &*asked {
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(authorization.contains("AKIDEXAMPLE/"), "{authorization}");
        assert!(
            authorization.contains("/eu-west-1/ec2/aws4_request"),
            "{authorization}"
        );
        assert_eq!(headers["x-amz-security-token"], "a token");
    }
}

#[tokio::test]
async fn one_page_that_fails_fails_all_without_showing_a_key() {
    let refused = "<Response><Errors><Error><Code>AuthFailure</Code><Message>not a secret, AKIDEXAMPLE</Message></Error></Errors></Response>";
    let pages = vec![
        page_of("10.0.0.1", "more"),
        (StatusCode::UNAUTHORIZED, refused.to_owned()),
        (StatusCode::BAD_GATEWAY, "<html>".to_owned()),
    ];
    let (address, _) = serve(pages).await;
    let ec2 = ec2(address);
    let reason = ec2.instances(&mut None).await.unwrap_err();
    assert_eq!(reason, "AuthFailure: not [redacted], [redacted]");
    let reason = ec2.instances(&mut None).await.unwrap_err();
    assert_eq!(reason, "EC2 answered 502 Bad Gateway");
}

#[test]
fn the_environment_says_where_ec2_is() {
    let of = |region: &str, set: &[(&str, &str)]| {
        let value = |name: &str| {
            let found = set.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        url(region, value)
    };
    assert_eq!(of("us-east-1", &[]), "https://ec2.us-east-1.amazonaws.com/");
    assert_eq!(
        of("cn-north-1", &[]),
        "https://ec2.cn-north-1.amazonaws.com.cn/"
    );
    let all = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1/");
    assert_eq!(of("us-east-1", &[all]), "http://127.0.0.1:1/");
    let own = ("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:2");
    assert_eq!(of("us-east-1", &[all, own]), "http://127.0.0.1:2/");
}
