//! TLS from PEM files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Why there is no TLS.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read, or isn't PEM of the kind that is needed.
    File(PathBuf, rustls::pki_types::pem::Error),
    /// Certificate and key don't go together, or aren't supported.
    Config(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Config(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TlsError {}

/// Reads a chain of certificates and its private key; TLS 1.2 and 1.3, HTTP/1.1 alone.
///
/// # Errors
/// [`TlsError`].
pub fn tls_from_pem(certificates: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let of = |path: &Path| {
        let path = path.to_owned();
        move |error| TlsError::File(path, error)
    };
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(of(certificates))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(of(key))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .map_err(TlsError::Config)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
