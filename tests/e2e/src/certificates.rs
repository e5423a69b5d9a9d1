//! Certificates of the tests' own authorities, and servers that show them.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::client::tls_client;

/// An authority, and what it signs.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    /// A new one, that nobody trusts yet.
    ///
    /// # Errors
    /// No key can be made.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        Ok(Self(CertifiedIssuer::self_signed(params, key)?))
    }

    /// Signs a certificate for a name.
    ///
    /// # Errors
    /// It is no name.
    pub fn sign(&self, name: &str) -> Result<Identity> {
        self.sign_for(&[name])
    }

    /// The same for several names.
    ///
    /// # Errors
    /// One is no name.
    pub fn sign_for(&self, names: &[&str]) -> Result<Identity> {
        let key = KeyPair::generate()?;
        let all: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(all)?;
        // Of the authority's own name it would be taken for signed by itself.
        let own = names.concat();
        params.distinguished_name.push(DnType::CommonName, own);
        Ok(Identity {
            certificate: params.signed_by(&key, &self.0)?,
            key,
        })
    }

    /// A client that trusts it, with or without a certificate of its own.
    ///
    /// # Errors
    /// The certificates are of no use to a client.
    pub fn client(&self, own: Option<&Identity>) -> Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone())?;
        let config = tls_client().with_root_certificates(roots);
        Ok(Arc::new(match own {
            None => config.with_no_client_auth(),
            Some(own) => config.with_client_auth_cert(vec![own.der().clone()], own.key())?,
        }))
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its certificate in a ConfigMap, as the Gateway API has it.
    pub fn config_map(&self, name: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "default"},
            "data": {"ca.crt": self.pem()},
        })
    }
}

impl Identity {
    /// Its certificate.
    pub fn der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.serialize_der().into())
    }

    /// A Secret with it, and with what the other side is verified with.
    pub fn secret(&self, name: &str, roots: Option<&Authority>) -> Value {
        let mut data = json!({
            "tls.crt": self.certificate.pem(),
            "tls.key": self.key.serialize_pem(),
        });
        if let Some(roots) = roots {
            data["ca.crt"] = json!(roots.pem());
        }
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": name, "namespace": "default"},
            "stringData": data,
        })
    }

    /// Starts a server on loopback that shows it, and answers one request on each connection with a text. It ends with the
    /// test's runtime.
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn serve(&self, text: &'static str) -> Result<SocketAddr> {
        self.serve_those_of(None, text).await
    }

    /// The same, for nobody but those who show a certificate that this authority signed.
    ///
    /// # Errors
    /// As [`Identity::serve`].
    pub async fn serve_those_of(
        &self,
        clients: impl Into<Option<&Authority>>,
        text: &'static str,
    ) -> Result<SocketAddr> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = match clients.into() {
            None => WebPkiClientVerifier::no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.0.der().clone())?;
                WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
                    .build()?
            }
        };
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![self.der().clone()], self.key())?;
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut stream = acceptor.accept(stream).await?;
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await?);
                    }
                    let length = text.len();
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{text}"
                    );
                    stream.write_all(answer.as_bytes()).await?;
                    stream.shutdown().await
                });
            }
        });
        Ok(address)
    }
}
