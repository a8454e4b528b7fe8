//! The settings: a file, the environment over it, and what holds where neither says anything.
//!
//! # Idea         everything has a default, so that a server starts without a file; an unknown name is an error, so that none is misspelt
//! # Costs        read at the start and at each reload
//! # Invariants   none of its own
//! # Not here     what limits come to: module `profile`

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::auth::{SigningKey, StaticKey};
use crate::profile::{AccountSettings, Bound, Profile};

/// All settings. The commented example file has them one by one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The limits of accounts and caches that say nothing of their own.
    pub profile: Profile,
    /// The bytes that all caches may take together.
    pub max_bytes: u64,
    /// The longest body of a request, whatever limits say.
    pub body_bytes_max: u64,
    /// The region that tokens have to be for, if they name one.
    pub region: Option<String>,
    /// The origin that may ask from web pages, or `*`; `None`: none.
    pub cors: Option<String>,
    /// Whether `Authorization: Basic` is taken, for the user `momento` with the token as the password.
    pub basic_auth: bool,
    /// Whether `/metrics` answers without a token, and then of all accounts.
    pub metrics_public: bool,
    /// How many permissions a token may have.
    pub permissions_max: Option<Bound>,
    /// The log.
    pub log: Log,
    /// TLS; `None`: plain.
    pub tls: Option<Tls>,
    /// Connections.
    pub connections: Connections,
    /// Who has caches.
    pub accounts: BTreeMap<String, AccountSettings>,
    /// Static tokens.
    pub keys: Vec<StaticKey>,
    /// Keys of signed tokens; the first that can sign does.
    pub signing_keys: Vec<SigningKey>,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Whether each line is a JSON object.
    pub json: bool,
    /// Levels, by target.
    pub filter: String,
}

/// TLS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The chain of certificates, in PEM.
    pub certificates: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

/// Connections, and what their clients may take.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connections {
    /// How many at a time.
    pub max: usize,
    /// For a request's head.
    pub header_ms: u64,
    /// For a request's body, beside its pace.
    pub body_ms: u64,
    /// Between requests.
    pub idle_ms: u64,
    /// For taking an answer, beside its pace.
    pub write_ms: u64,
    /// The slowest pace.
    pub bytes_per_second: u32,
    /// For requests in flight when the server ends.
    pub drain_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            profile: Profile::Open,
            max_bytes: 256 << 20,
            body_bytes_max: 64 << 20,
            region: None,
            cors: None,
            basic_auth: false,
            metrics_public: false,
            permissions_max: None,
            log: Log::default(),
            tls: None,
            connections: Connections::default(),
            accounts: BTreeMap::new(),
            keys: Vec::new(),
            signing_keys: Vec::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            json: false,
            filter: "info".into(),
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        let serve = larder_serve::Listen::default();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            max: serve.connections_max,
            header_ms: ms(serve.deadlines.header),
            body_ms: ms(serve.deadlines.body),
            idle_ms: ms(serve.deadlines.idle),
            write_ms: ms(serve.deadlines.write),
            bytes_per_second: serve.deadlines.bytes_per_second,
            drain_ms: ms(serve.drain),
        }
    }
}

/// Why settings can't be used.
#[derive(Debug)]
pub struct SettingsError(pub(crate) String);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// Reads a file, if there is one, and the environment over it: `LARDER_PROFILE`, `LARDER_CONNECTIONS__MAX`.
    ///
    /// # Errors
    /// What can't be read or isn't known, and where.
    pub fn read(file: Option<&Path>) -> Result<Self, SettingsError> {
        let mut builder = config::Config::builder();
        if let Some(path) = file {
            let source = config::File::from(path).format(config::FileFormat::Toml);
            builder = builder.add_source(source);
        }
        let environment = config::Environment::with_prefix("LARDER")
            .prefix_separator("_")
            .separator("__")
            .try_parsing(true);
        let read = builder.add_source(environment).build();
        read.and_then(config::Config::try_deserialize)
            .map_err(|error| SettingsError(error.to_string()))
    }

    /// Whether there are keys, without which nobody but the machine itself may be listened to.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty() || !self.signing_keys.is_empty()
    }

    /// How connections are served; TLS is read from its files.
    ///
    /// # Errors
    /// The files can't be used.
    pub fn serving(&self) -> Result<larder_serve::Listen, SettingsError> {
        let of = &self.connections;
        let tls = |tls: &Tls| larder_serve::tls_from_pem(&tls.certificates, &tls.key);
        let tls = self.tls.as_ref().map(tls).transpose();
        Ok(larder_serve::Listen {
            tls: tls.map_err(|error| SettingsError(error.to_string()))?,
            connections_max: of.max,
            deadlines: self.deadlines(),
            drain: Duration::from_millis(of.drain_ms),
            ..larder_serve::Listen::default()
        })
    }

    pub(crate) fn deadlines(&self) -> larder_serve::Deadlines {
        let of = &self.connections;
        larder_serve::Deadlines {
            header: Duration::from_millis(of.header_ms),
            body: Duration::from_millis(of.body_ms),
            idle: Duration::from_millis(of.idle_ms),
            write: Duration::from_millis(of.write_ms),
            bytes_per_second: of.bytes_per_second,
        }
    }
}
