//! The settings: a file, the environment over it, and what holds where neither says anything.
//!
//! # Idea         everything has a default, so that a folder of policies is served without a file; paths are relative to the file
//! # Costs        read at the start and at each reload
//! # Invariants   none
//! # Not here     documents: module `read`

mod entries;
mod restart;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use larder::Expiry;
use larder_serve::words::{address, some};
use larder_serve::{Connections, Level, Log, Mode, Tls, Warm, read_settings};
use serde::Deserialize;

pub use self::entries::{ApiEntry, OperationEntry, SubscriptionEntry};
pub(super) use self::entries::{backend_of, check_host};
use crate::apigee::{CacheSettings, Environment, EnvironmentOptions};
use crate::azure;
use crate::azure::expr::Subscription;
use crate::engine::Engine;

/// Why settings can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(pub String);

impl SettingsError {
    /// With the reason that something else gives.
    pub(super) fn of(error: &dyn fmt::Display) -> Self {
        Self(error.to_string())
    }

    /// A backend beside settings, which name their own.
    pub(super) fn backend() -> Self {
        Self("--backend is for a folder of documents alone: settings and bundles name their backends themselves".into())
    }
}

/// All settings. The commented example file has them one by one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where to listen.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// Where to answer for health and metrics; `None`: nowhere.
    #[serde(deserialize_with = "address")]
    pub admin: Option<SocketAddr>,
    /// The bytes that all caches may take together.
    pub max_bytes: u64,
    /// The longest body of a request.
    pub body_bytes_max: u64,
    /// How many requests may be under way at a time, their bodies read; more are refused.
    #[serde(deserialize_with = "some")]
    pub requests_max: usize,
    /// How many bodies of requests may be read at a time. For one more, that which comes most slowly is given up.
    #[serde(deserialize_with = "some")]
    pub bodies_max: usize,
    /// How long a body isn't given up for another, in milliseconds; where all have only begun, one more is refused.
    pub bodies_grace_ms: u64,
    /// How many bytes the bodies of requests may have together until these are answered; more are refused.
    #[serde(deserialize_with = "some")]
    pub bodies_bytes_max: u64,
    /// Whether a proxy stands before the gateway whose `X-Forwarded-` headers are good; else clients' own are not passed on.
    pub behind_proxy: bool,
    /// The log.
    pub log: Log,
    /// TLS towards clients; `None`: plain.
    pub tls: Option<Tls>,
    /// Connections of clients.
    pub connections: Connections,
    /// Who is asked.
    pub backends: Backends,
    /// A level that several gateways share: the external cache. `None`: there is none.
    pub level: Option<Level>,
    /// A file that keeps what is in memory beyond the process; `None`: it ends with it.
    pub warm: Option<Warm>,
    /// Documents of the Azure kind.
    pub azure: AzureSettings,
    /// Bundles of the Apigee kind.
    pub apigee: ApigeeSettings,
    /// What paths are relative to.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// Who is asked, and within which limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backends {
    /// Hosts that may be asked beside the backends that are configured, each `name` or `name:port`.
    pub hosts: Vec<String>,
    /// Addresses of hosts whose names the system isn't asked for. The port is for URLs that have none.
    pub addresses: BTreeMap<String, SocketAddr>,
    /// For a connection.
    #[serde(deserialize_with = "some")]
    pub connect_ms: u64,
    /// For an answer, its body included, where a policy or a target says nothing; `None`: as the vendors have it, five minutes, and 55 s for
    /// targets of bundles.
    pub timeout_ms: Option<u64>,
    /// The longest body of an answer.
    #[serde(deserialize_with = "some")]
    pub answer_bytes_max: u64,
    /// How many idle connections are kept for each host.
    pub idle_max: usize,
    /// How long.
    pub idle_ms: u64,
    /// Certificates of authorities that are trusted beside the system's, in PEM.
    pub authorities: Option<PathBuf>,
}

/// Documents of the Azure kind, and what they are told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AzureSettings {
    /// The service, whose data is apart from that of all others.
    pub service: String,
    /// The region, which is apart as well.
    pub region: String,
    /// Whether a call without a key is refused; by default, if there are keys.
    pub subscription_required: Option<bool>,
    /// Whether a key of the cache with a null part is an error.
    pub reject_null_in_key: bool,
    /// Whether references may leave the path of their base.
    pub allow_path_climb: bool,
    /// The longest value that is stored.
    pub value_bytes_max: usize,
    /// How long a request waits for another that computes the same value.
    pub wait_ms: u64,
    /// How long this gateway may keep others of the level from computing a value that it computes; `None`: each computes for itself.
    pub lease_ms: Option<u64>,
    /// Where the internal cache is; `None`: in memory alone. With the level, several gateways share it, apart from the external one.
    pub internal: Option<Mode>,
    /// What `{{name}}` stands for.
    pub named_values: BTreeMap<String, String>,
    /// Who may call.
    pub subscriptions: Vec<SubscriptionEntry>,
    /// The APIs.
    pub apis: Vec<ApiEntry>,
}

/// Bundles of the Apigee kind, and the environment that they are deployed to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApigeeSettings {
    /// The organisation, whose data is apart from that of all others.
    pub organization: String,
    /// The environment, which is apart as well.
    pub environment: String,
    /// Folders with an `apiproxy` in each.
    pub bundles: Vec<PathBuf>,
    /// The caches of the environment, by name.
    pub caches: BTreeMap<String, CacheEntry>,
    /// What administrators of caches send as a bearer's token; `None`: there are none.
    pub token: Option<String>,
    /// How many entries a cache may have in memory.
    #[serde(deserialize_with = "some")]
    pub items_max: u64,
    /// The longest value that other gateways see too; longer ones are in memory alone.
    pub value_bytes_max: u64,
    /// Whether keys are their rendered texts, as with the vendor.
    pub string_keys: bool,
    /// Whether a variable that isn't there counts as an empty one in keys.
    pub unresolved_is_empty: bool,
}

/// A cache of the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheEntry {
    /// How long entries are kept that say nothing themselves.
    pub ttl_seconds: Option<u64>,
    /// Values longer than this are not kept.
    pub element_bytes_max: Option<u64>,
    /// Which levels it uses; `None`: what the section of the level says.
    pub level: Option<Mode>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin: None,
            max_bytes: 256 << 20,
            body_bytes_max: 16 << 20,
            requests_max: 1024,
            bodies_bytes_max: 256 << 20,
            bodies_max: 4096,
            bodies_grace_ms: 1_000,
            behind_proxy: false,
            log: Log::default(),
            tls: None,
            connections: Connections::default(),
            backends: Backends::default(),
            level: None,
            warm: None,
            azure: AzureSettings::default(),
            apigee: ApigeeSettings::default(),
            folder: PathBuf::new(),
        }
    }
}

impl Default for Backends {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            addresses: BTreeMap::new(),
            connect_ms: 5_000,
            timeout_ms: None,
            answer_bytes_max: 64 << 20,
            idle_max: 64,
            idle_ms: 60_000,
            authorities: None,
        }
    }
}

impl Default for AzureSettings {
    fn default() -> Self {
        let known = azure::Settings::default();
        Self {
            service: known.service,
            region: known.region,
            subscription_required: None,
            reject_null_in_key: known.reject_null_in_key,
            allow_path_climb: known.allow_path_climb,
            value_bytes_max: known.value_bytes_max,
            wait_ms: 300_000,
            lease_ms: None,
            internal: None,
            named_values: BTreeMap::new(),
            subscriptions: Vec::new(),
            apis: Vec::new(),
        }
    }
}

impl Default for ApigeeSettings {
    fn default() -> Self {
        let known = EnvironmentOptions::default();
        Self {
            organization: "organization".to_owned(),
            environment: "environment".to_owned(),
            bundles: Vec::new(),
            caches: BTreeMap::new(),
            token: None,
            items_max: known.items_max,
            value_bytes_max: known.value_bytes_max,
            string_keys: known.string_keys,
            unresolved_is_empty: known.unresolved_is_empty,
        }
    }
}

impl Backends {
    /// How long an answer may take, if that is said.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }
}

impl ApigeeSettings {
    /// The environment over an engine, without its caches.
    pub(super) fn environment(
        &self,
        engine: &Engine,
        levels: EnvironmentOptions,
    ) -> Result<Environment, SettingsError> {
        let options = EnvironmentOptions {
            items_max: self.items_max,
            value_bytes_max: self.value_bytes_max,
            string_keys: self.string_keys,
            unresolved_is_empty: self.unresolved_is_empty,
            ..levels
        };
        let (organization, name) = (&self.organization, &self.environment);
        let environment = Environment::new(engine.clone(), organization, name, options);
        environment.map_err(|error| SettingsError(format!("apigee: {error}")))
    }

    /// Makes the caches that aren't there, and changes those that are. Others stay, which administrators have made.
    pub(super) fn describe(&self, environment: &Environment) -> Result<(), SettingsError> {
        for (name, entry) in &self.caches {
            if entry.ttl_seconds == Some(0) {
                let message = format!("apigee.caches.{name}.ttl_seconds: 0 is below 1");
                return Err(SettingsError(message));
            }
            let expiry = entry.ttl_seconds.map(Duration::from_secs);
            let settings = CacheSettings {
                expiry: expiry.map(Expiry::after),
                element_bytes_max: entry.element_bytes_max,
                // Said in any case, so that a reload may change it back.
                mode: Some(entry.level.map_or(environment.options().mode, Into::into)),
                ..CacheSettings::default()
            };
            if environment.update_cache(name, settings.clone()) {
                continue;
            }
            let made = environment.create_cache(name, settings);
            made.map_err(|error| SettingsError(format!("apigee.caches.{name}: {error}")))?;
        }
        Ok(())
    }

    /// Undoes `describe`: caches that it made go, and of the others is said what was said before.
    pub(super) fn put_back(
        &self,
        environment: &Environment,
        described: &BTreeMap<String, CacheSettings>,
    ) {
        for name in self.caches.keys() {
            match described.get(name) {
                Some(settings) => drop(environment.update_cache(name, settings.clone())),
                None => drop(environment.forget_cache(name)),
            }
        }
    }
}

impl Settings {
    /// Reads a file, and the environment over it: `LARDER_LISTEN`, `LARDER_BACKENDS__TIMEOUT_MS`.
    ///
    /// # Errors
    /// What can't be read or isn't known, and where.
    pub fn read(file: Option<&Path>) -> Result<Self, SettingsError> {
        let read = read_settings(file);
        let mut settings: Self = read.map_err(|error| SettingsError::of(&error))?;
        let folder = file.and_then(Path::parent);
        settings.folder = folder.map(Path::to_owned).unwrap_or_default();
        Ok(settings)
    }

    /// The file that the cache is kept in, as a path of its own.
    pub(super) fn warm(&self) -> Option<Warm> {
        let warm = self.warm.clone()?;
        let file = self.folder.join(&warm.file);
        Some(Warm { file, ..warm })
    }

    pub(super) fn for_azure(&self) -> Result<azure::Settings, SettingsError> {
        let (of, known) = (&self.azure, azure::Settings::default());
        let level = self.level.as_ref();
        let subscription = |entry: &SubscriptionEntry| Subscription {
            key: entry.key.clone(),
            id: entry.id.clone(),
            product: entry.product.clone(),
        };
        Ok(azure::Settings {
            service: of.service.clone(),
            region: of.region.clone(),
            subscriptions: of.subscriptions.iter().map(subscription).collect(),
            subscription_required: of
                .subscription_required
                .unwrap_or(!of.subscriptions.is_empty()),
            reject_null_in_key: of.reject_null_in_key,
            allow_path_climb: of.allow_path_climb,
            value_bytes_max: of.value_bytes_max,
            backend_timeout: self.backends.timeout().unwrap_or(known.backend_timeout),
            request_timeout: Duration::from_millis(of.wait_ms),
            lease: of.lease_ms.map(Duration::from_millis),
            internal: self.internal_mode()?,
            cache_timeout: level.map_or(known.cache_timeout, |level| level.timeout),
            internal_lifetime: level.map_or(known.internal_lifetime, |level| level.l1_lifetime),
            ..known
        })
    }
}
