//! Who may be served, by certificates.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tenon_xds::{Event, Refusal, Tls, TlsFiles};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Code;
use tonic::transport::Endpoint as Address;

use crate::client::*;

/// Who issues certificates, and a folder of them.
struct Issuer {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key, as PEM.
struct Issued {
    certificate: String,
    key: String,
}

impl Issuer {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
            folder: TempDir::new().unwrap(),
        }
    }

    fn issue(&self, name: SanType) -> Issued {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate().unwrap();
        Issued {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// The files of a server that asks its clients for certificates of this issuer.
    fn files(&self) -> TlsFiles {
        let path = |name: &str| self.folder.path().join(name);
        let files = TlsFiles {
            certificate: path("server.pem"),
            key: path("server.key"),
            client_ca: Some(path("clients.pem")),
        };
        write(&files, &self.server());
        fs::write(path("clients.pem"), self.issuer.pem()).unwrap();
        files
    }

    fn server(&self) -> Issued {
        self.issue(dns("localhost"))
    }
}

/// In one step for each file, as whoever rotates certificates does it.
fn write(files: &TlsFiles, issued: &Issued) {
    for (path, text) in [
        (&files.certificate, &issued.certificate),
        (&files.key, &issued.key),
    ] {
        replace(path, text);
    }
}

fn replace(path: &PathBuf, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, path).unwrap();
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

/// Connects with a certificate, or without; gives the connection and the server's certificate.
async fn connect(
    server: &Server,
    trusts: &Issuer,
    with: Option<&Issued>,
) -> Result<Connection, tonic::transport::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(trusts.issuer.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match with {
        None => config.with_no_client_auth(),
        Some(issued) => {
            let certificate = CertificateDer::from_pem_slice(issued.certificate.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes());
            config
                .with_client_auth_cert(vec![certificate.unwrap()], key.unwrap())
                .unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    let address = server.address().trim_start_matches("http://").to_owned();
    let connect = tower::service_fn(move |_| {
        let (connector, address) = (connector.clone(), address.clone());
        async move {
            let stream = TcpStream::connect(address).await?;
            let name = ServerName::try_from("localhost").unwrap();
            connector.connect(name, stream).await.map(TokioIo::new)
        }
    });
    let address = Address::from_static("http://localhost");
    let channel = address.connect_with_connector(connect).await?;
    Ok(AggregatedDiscoveryServiceClient::new(channel))
}

/// A server over TLS, with a cluster for each proxy.
async fn serving(files: TlsFiles) -> Server {
    let server = Server::start_with(Some(Tls::open(files).unwrap())).await;
    server.put_for("edge", &[(Cluster, "e@1"), (Secret, "of-edge@1")]);
    server.put_for(
        "gateway-proxy",
        &[(Cluster, "g@1"), (Secret, "of-gateway@1")],
    );
    server.cache.go_live();
    server
}

async fn as_role(connection: Connection, role: &str) -> DeltaClient {
    let client = delta_over(connection, node_with(Some(role), "envoy", &[])).await;
    client.subscribe(Cluster, &[]).await;
    client
}

#[tokio::test]
async fn a_client_is_served_as_the_proxy_that_its_certificate_names() {
    let issuer = Issuer::new();
    let server = serving(issuer.files()).await;
    for name in [
        uri("spiffe://example.org/proxy/edges/edge"),
        dns("edge.edges"),
    ] {
        let issued = issuer.issue(name);
        let connection = connect(&server, &issuer, Some(&issued)).await.unwrap();
        let mut client = as_role(connection, "edges~edge").await;
        client.accept(Cluster, &["e@1"]).await;
        client.subscribe(Secret, &["of-edge", "of-gateway"]).await;
        client.accept(Secret, &["of-edge@1", "-of-gateway"]).await;
    }
}

#[tokio::test]
async fn a_client_is_refused_another_proxy_in_words() {
    let issuer = Issuer::new();
    let mut server = serving(issuer.files()).await;
    let issued = issuer.issue(uri("spiffe://example.org/proxy/edges/edge"));
    let connection = connect(&server, &issuer, Some(&issued)).await.unwrap();
    // Whether or not there is such a proxy.
    for role in ["gloo-system~gateway-proxy", "edges~nobody", "others~edge"] {
        let node = node_with(Some(role), "envoy", &[]);
        let status = delta_over(connection.clone(), node).await.refusal().await;
        assert_eq!(status.code(), Code::PermissionDenied);
        let needs = format!(
            "role {role} needs a client certificate for the URI spiffe://<trust domain>/proxy/"
        );
        assert!(status.message().starts_with(&needs), "{status}");
        assert!(
            status
                .message()
                .ends_with("this one is for spiffe://example.org/proxy/edges/edge"),
            "{status}"
        );
        server
            .event(|event| (event == Event::Refused(Refusal::Identity)).then_some(()))
            .await;
    }
    // Nor by saying nothing: then it is the default proxy.
    let mut client = delta_over(connection, node_with(None, "envoy", &[])).await;
    assert_eq!(client.refusal().await.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_client_without_a_certificate_or_with_one_of_others_gets_no_connection() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let server = serving(issuer.files()).await;
    let forged = other.issue(uri("spiffe://example.org/proxy/edges/edge"));
    for with in [None, Some(&forged)] {
        let refused = match connect(&server, &issuer, with).await {
            Err(_) => true,
            // With TLS 1.3 the client hears of it after its own handshake.
            Ok(mut connection) => {
                let (_, nothing) = tokio::sync::mpsc::channel(1);
                let requests = tokio_stream::wrappers::ReceiverStream::new(nothing);
                connection
                    .delta_aggregated_resources(requests)
                    .await
                    .is_err()
            }
        };
        assert!(refused, "with a certificate: {}", with.is_some());
    }
}

#[tokio::test]
async fn without_roots_of_clients_nobody_has_to_say_who_it_is() {
    let issuer = Issuer::new();
    let files = TlsFiles {
        client_ca: None,
        ..issuer.files()
    };
    let server = serving(files).await;
    let connection = connect(&server, &issuer, None).await.unwrap();
    as_role(connection, "edges~edge")
        .await
        .accept(Cluster, &["e@1"])
        .await;
}

#[tokio::test]
async fn rotated_files_are_taken_for_the_next_connection_and_broken_ones_are_not() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let files = old.files();
    let server = serving(files.clone()).await;
    let edge = |issuer: &Issuer| issuer.issue(dns("edge.edges"));
    let (of_old, of_new) = (edge(&old), edge(&new));
    let connection = connect(&server, &old, Some(&of_old)).await.unwrap();
    let mut before = as_role(connection, "edges~edge").await;
    before.accept(Cluster, &["e@1"]).await;

    // In the middle of a rotation: the certificate is new, its key is not there yet.
    let rotated = new.server();
    replace(&files.certificate, &rotated.certificate);
    let connection = connect(&server, &old, Some(&of_old)).await.unwrap();
    as_role(connection, "edges~edge")
        .await
        .accept(Cluster, &["e@1"])
        .await;

    write(&files, &rotated);
    replace(files.client_ca.as_ref().unwrap(), &new.issuer.pem());
    let connection = connect(&server, &new, Some(&of_new)).await.unwrap();
    as_role(connection, "edges~edge")
        .await
        .accept(Cluster, &["e@1"])
        .await;
    assert!(
        connect(&server, &old, Some(&of_old)).await.is_err(),
        "the old certificate is gone"
    );

    // What is connected stays.
    server.put_for("edge", &[(Cluster, "e@2")]);
    before.accept(Cluster, &["e@2"]).await;

    replace(&files.certificate, "no certificate");
    let connection = connect(&server, &new, Some(&of_new)).await.unwrap();
    as_role(connection, "edges~edge")
        .await
        .accept(Cluster, &["e@2"])
        .await;
}

#[test]
fn files_of_no_use_are_named() {
    let issuer = Issuer::new();
    let files = issuer.files();
    let error = |files: TlsFiles| Tls::open(files).unwrap_err().to_string();
    let none = PathBuf::from("/none");
    let missing = TlsFiles {
        certificate: none.clone(),
        ..files.clone()
    };
    assert!(error(missing).starts_with("cannot read /none: "));
    let swapped = TlsFiles {
        key: files.certificate.clone(),
        ..files.clone()
    };
    assert!(error(swapped).contains("server.pem: "));
    let no_roots = TlsFiles {
        client_ca: Some(files.key.clone()),
        ..files.clone()
    };
    assert!(error(no_roots).contains("server.key: "));
    replace(&files.key, &issuer.server().key);
    let text = error(files);
    assert!(
        text.contains("server.pem with ") && text.contains("server.key: "),
        "{text}"
    );
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_handshake_holds_up_nobody() {
    let issuer = Issuer::new();
    let server = serving(issuer.files()).await;
    let address = server.address().trim_start_matches("http://").to_owned();
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(&address).await.unwrap());
    }
    let issued = issuer.issue(dns("edge.edges"));
    let connection = connect(&server, &issuer, Some(&issued)).await.unwrap();
    as_role(connection, "edges~edge")
        .await
        .accept(Cluster, &["e@1"])
        .await;
}
