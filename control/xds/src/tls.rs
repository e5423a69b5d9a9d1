//! The server's certificate, and whose clients it trusts, read anew when the files change.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The files of a server that speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate, with the ones between it and a root (PEM).
    pub certificate: PathBuf,
    /// The certificate's key (PEM).
    pub key: PathBuf,
    /// The roots of the clients' certificates (PEM). With it, each client must have one, and is what its names say.
    pub client_ca: Option<PathBuf>,
}

/// Why files are of no use for TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {error}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        error: pem::Error,
    },
    /// The certificate or its key cannot be used, or not together.
    #[error("{} with {}: {error}", certificate.display(), key.display())]
    Certificate {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        error: rustls::Error,
    },
    /// The roots of the clients cannot be used.
    #[error("{}: {text}", path.display())]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// Why.
        text: String,
    },
}

/// TLS from files.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The files that were read last, whether or not they were of use.
    stamps: Stamps,
    config: Arc<ServerConfig>,
}

/// What tells a file from one that it was before: size, inode and times of its change.
type Stamps = Vec<Option<[i64; 6]>>;

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// They cannot be read, or are of no use.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let stamps = files.stamps();
        let config = files.read()?;
        let state = Mutex::new(State { stamps, config });
        Ok(Self { files, state })
    }

    /// Whether clients must say who they are.
    pub fn knows_clients(&self) -> bool {
        self.files.client_ca.is_some()
    }

    /// What the next connection is served with: the files as they are now, or, while they are of no use, as they were.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = self.files.stamps();
        if state.stamps != stamps {
            state.stamps = stamps;
            match self.files.read() {
                Ok(config) => {
                    tracing::info!("took new certificates for ADS");
                    state.config = config;
                }
                Err(error) => {
                    tracing::error!("the certificates for ADS stay as they were: {error}");
                }
            }
        }
        state.config.clone()
    }
}

impl TlsFiles {
    fn stamps(&self) -> Stamps {
        [
            Some(&self.certificate),
            Some(&self.key),
            self.client_ca.as_ref(),
        ]
        .into_iter()
        .flatten()
        .map(|path| fs::metadata(path).ok().map(|file| stamp(&file)))
        .collect()
    }

    fn read(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificate_error = |error| TlsError::Certificate {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            error,
        };
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(certificate_error)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(roots(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = verifier.build().map_err(|error| client_ca(path, error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let key = contents(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| no_pem(&self.key, error))?;
        let mut config = builder
            .with_single_cert(certificates(&self.certificate)?, key)
            .map_err(certificate_error)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

fn stamp(file: &fs::Metadata) -> [i64; 6] {
    let size = i64::try_from(file.len()).unwrap_or(i64::MAX);
    let inode = file.ino().cast_signed();
    [
        size,
        inode,
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec(),
    ]
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for root in certificates(path)? {
        roots.add(root).map_err(|error| client_ca(path, error))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = contents(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.and_then(|found| match found.is_empty() {
        true => Err(pem::Error::NoItemsFound),
        false => Ok(found),
    });
    found.map_err(|error| no_pem(path, error))
}

fn contents(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::Read {
        path: path.to_owned(),
        error,
    })
}

fn no_pem(path: &Path, error: pem::Error) -> TlsError {
    let path = path.to_owned();
    TlsError::Pem { path, error }
}

fn client_ca(path: &Path, error: impl ToString) -> TlsError {
    TlsError::ClientCa {
        path: path.to_owned(),
        text: error.to_string(),
    }
}
