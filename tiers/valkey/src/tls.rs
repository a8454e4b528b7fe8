//! TLS by setting: whom to trust, and who we are.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::config::{Address, ConfigError};
use crate::fault::Fault;

/// How connections are kept private.
///
/// Servers have to show a certificate that one of the given authorities has signed, for the host's name or address.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: Option<String>,
}

impl Tls {
    /// Trusts the authorities whose certificates these are, as PEM.
    ///
    /// # Errors
    /// [`ConfigError::Certificate`]: there is none in it, or it can't be read.
    pub fn trusting(authorities_pem: &[u8]) -> Result<Self, ConfigError> {
        Self::new(authorities_pem, None)
    }

    /// The same, and shows servers a certificate of its own: the chain and its private key, as PEM.
    ///
    /// # Errors
    /// [`ConfigError::Certificate`]: one of them can't be read, or they don't belong together.
    pub fn with_identity(
        authorities_pem: &[u8],
        chain_pem: &[u8],
        key_pem: &[u8],
    ) -> Result<Self, ConfigError> {
        Self::new(authorities_pem, Some((chain_pem, key_pem)))
    }

    /// The same for servers whose certificates are for this name, whatever they are reached by.
    #[must_use]
    pub fn server_name(self, name: impl Into<String>) -> Self {
        let name = Some(name.into());
        Self { name, ..self }
    }

    fn new(authorities_pem: &[u8], identity: Option<(&[u8], &[u8])>) -> Result<Self, ConfigError> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(authorities_pem)? {
            roots.add(authority).map_err(|_| ConfigError::Certificate)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| ConfigError::Certificate)?
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let key =
                    PrivateKeyDer::from_pem_slice(key).map_err(|_| ConfigError::Certificate)?;
                builder
                    .with_client_auth_cert(certificates(chain)?, key)
                    .map_err(|_| ConfigError::Certificate)?
            }
        };
        Ok(Self {
            config: Arc::new(config),
            name: None,
        })
    }

    pub(crate) fn session(&self, address: &Address) -> Result<ClientConnection, Fault> {
        let name = self.name.clone().unwrap_or_else(|| address.host.clone());
        let name = ServerName::try_from(name).map_err(|_| Fault::Lost)?;
        ClientConnection::new(Arc::clone(&self.config), name).map_err(|_| Fault::Lost)
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(ConfigError::Certificate),
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("server_name", &self.name)
            .finish_non_exhaustive()
    }
}
