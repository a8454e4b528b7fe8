//! The settings: a file, the environment over it, and what holds where neither says anything.
//!
//! # Idea         everything has a default, so that a server starts without a file; an unknown name is an error, so that none is misspelt
//! # Costs        read at the start and at each reload
//! # Invariants   none of its own
//! # Not here     what limits come to: module `profile`

use std::collections::BTreeMap;
use std::net::SocketAddr;

use larder_serve::words::{address, some};
use larder_serve::{Connections, Level, LevelSettingsError, Log, Tls, Warm};
use serde::Deserialize;

use crate::auth::{SigningKey, StaticKey};
use crate::profile::{AccountSettings, Bound, Profile};

/// All settings. The commented example file has them one by one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where to listen.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// The limits of accounts and caches that say nothing of their own.
    pub profile: Profile,
    /// The bytes that all caches may take together.
    pub max_bytes: u64,
    /// The longest body of a request, whatever limits say.
    #[serde(deserialize_with = "some")]
    pub body_bytes_max: u64,
    /// How many bytes the bodies of requests may have together until these are answered.
    #[serde(deserialize_with = "some")]
    pub bodies_bytes_max: u64,
    /// How many requests may need the second level at a time, those that wait for it included.
    #[serde(deserialize_with = "some")]
    pub level_requests_max: usize,
    /// The region that tokens have to be for, if they name one.
    pub region: Option<String>,
    /// The account whose super users see the figures of all accounts in the console; others see their own.
    pub operator: Option<String>,
    /// How many entries of each account are simulated at other sizes, for the console's curve; 0: none, and no cost.
    pub curve_entries: usize,
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
    /// A level that several servers share; `None`: each has its memory alone.
    pub level: Option<Level>,
    /// A file that keeps what is in memory beyond the process; `None`: it ends with it.
    pub warm: Option<Warm>,
    /// Who has caches.
    pub accounts: BTreeMap<String, AccountSettings>,
    /// Static tokens.
    pub keys: Vec<StaticKey>,
    /// Keys of signed tokens; the first that can sign does.
    pub signing_keys: Vec<SigningKey>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            profile: Profile::Open,
            max_bytes: 256 << 20,
            body_bytes_max: 64 << 20,
            bodies_bytes_max: 256 << 20,
            level_requests_max: 4096,
            region: None,
            operator: None,
            curve_entries: 2048,
            cors: None,
            basic_auth: false,
            metrics_public: false,
            permissions_max: None,
            log: Log::default(),
            tls: None,
            connections: Connections::default(),
            level: None,
            warm: None,
            accounts: BTreeMap::new(),
            keys: Vec::new(),
            signing_keys: Vec::new(),
        }
    }
}

/// Why settings can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(pub(crate) String);

impl From<LevelSettingsError> for SettingsError {
    fn from(error: LevelSettingsError) -> Self {
        Self(error.to_string())
    }
}

impl Settings {
    /// Reads a file, if there is one, and the environment over it: `LARDER_PROFILE`, `LARDER_CONNECTIONS__MAX`.
    ///
    /// # Errors
    /// What can't be read or isn't known, and where.
    #[cfg(feature = "program")]
    pub fn read(file: Option<&std::path::Path>) -> Result<Self, SettingsError> {
        larder_serve::read_settings(file).map_err(|error| SettingsError(error.to_string()))
    }

    /// The names of settings that aren't as in those that the process started with, and that a reload doesn't take up.
    pub fn waiting(&self, started: &Self) -> impl Iterator<Item = &'static str> {
        let requests_max = (self.level_requests_max, started.level_requests_max);
        let differ = [
            ("listen", self.listen != started.listen),
            ("max_bytes", self.max_bytes != started.max_bytes),
            ("level_requests_max", requests_max.0 != requests_max.1),
            ("log", self.log != started.log),
            ("tls", self.tls != started.tls),
            ("connections", self.connections != started.connections),
            ("level", self.level != started.level),
            ("warm", self.warm != started.warm),
        ];
        differ
            .into_iter()
            .filter(|(_, differs)| *differs)
            .map(|(name, _)| name)
    }

    /// Whether there are keys, without which nobody but the machine itself may be listened to.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty() || !self.signing_keys.is_empty()
    }
}
