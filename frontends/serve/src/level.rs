//! The section `[level]`: a second level on Valkey or Redis that several processes share, as it is written, and what is wrong with it.
//!
//! # Idea
//! All servers read one section, and get a [`Tier`] of it: what the engine's views are asked with, and what is told of it. How each cache
//! uses its levels is a word beside the cache, a [`Mode`].
//!
//! # Costs
//! Read at the start; a thread that asks each second whether the servers are there.
//!
//! # Invariants
//! - LV1 Nothing waits for the servers: a process without them starts, and says so in the log.
//! - LV2 No message says a password.
//!
//! # Not here
//! Connections, records: `larder-valkey`. Which requests may fail with the level: the servers'.

#[cfg(feature = "level")]
mod rates;
#[cfg(feature = "level")]
mod servers;
#[cfg(feature = "level")]
mod watch;
mod words;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use larder::{LevelMode, LevelOptions, Levels, Rate};
use serde::Deserialize;

use crate::settings::ms;

/// The section. The commented example files have it one by one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Level {
    /// What the servers are to each other.
    pub kind: LevelKind,
    /// The server, the sentinels, or some nodes of the cluster: each `host:port`.
    pub servers: Vec<String>,
    /// The name that sentinels know the master by.
    pub master: Option<String>,
    /// The user; the default one without.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The file that holds it, instead.
    pub password_file: Option<PathBuf>,
    /// The same for sentinels.
    pub sentinel_user: Option<String>,
    /// The same.
    pub sentinel_password: Option<String>,
    /// The same.
    pub sentinel_password_file: Option<PathBuf>,
    /// The number of the database; a cluster has only 0.
    pub database: u32,
    /// The version of the protocol: 2 or 3.
    pub protocol: u8,
    /// By TLS.
    pub tls: Option<LevelTls>,
    /// What all keys begin with: those of two name spaces never meet.
    pub name_space: String,
    /// How a cache uses its levels that says nothing itself.
    pub mode: Mode,
    /// For an operation in the level, waits for connections and other callers included.
    #[serde(rename = "timeout_ms", deserialize_with = "ms")]
    pub timeout: Duration,
    /// How long copies stay in memory, unless changes are tracked.
    #[serde(rename = "l1_lifetime_ms", deserialize_with = "ms")]
    pub l1_lifetime: Duration,
    /// Whether the servers are asked to tell of changes, so that copies of what others write are dropped at once.
    pub tracking: bool,
    /// Whether rates hold for all servers together, beside what each keeps to alone.
    pub shared_rates: bool,
    /// What a request becomes that needs the level while it fails; `None`: what is usual for the server.
    pub on_error: Option<OnError>,
    /// The longest value that goes there.
    pub value_bytes_max: u64,
    /// Values of at least so many bytes are compressed; 0: none.
    pub compress_from: usize,
    /// Most connections to one server.
    pub connections_max: usize,
    /// When a server that fails is left alone.
    pub breaker: LevelBreaker,
}

/// What servers are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LevelKind {
    /// There is one.
    #[default]
    One,
    /// They know which one is the master.
    Sentinel,
    /// Each has a part of the keys.
    Cluster,
}

/// TLS towards the servers, in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelTls {
    /// Certificates of the authorities that are trusted.
    pub authorities: PathBuf,
    /// The chain of certificates that is shown.
    pub certificates: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// The name that servers' certificates are for, if another than they are reached by.
    pub name: Option<String>,
}

/// When a server that fails is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LevelBreaker {
    /// After so many failures in a row.
    pub failures: u32,
    /// At first for so long, or up to twice that; it doubles with each trial that fails.
    #[serde(rename = "pause_min_ms", deserialize_with = "ms")]
    pub pause_min: Duration,
    /// And at last for so long.
    #[serde(rename = "pause_max_ms", deserialize_with = "ms")]
    pub pause_max: Duration,
}

/// How a cache uses its levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Mode {
    /// Memory alone.
    L1,
    /// The level, and copies in memory.
    L1L2,
    /// The level alone.
    L2,
}

impl TryFrom<String> for Mode {
    type Error = String;

    fn try_from(said: String) -> Result<Self, String> {
        let all = [Self::L1, Self::L1L2, Self::L2];
        let found = all.into_iter().find(|mode| mode.word() == said);
        found.ok_or_else(|| format!("\"{said}\" is no mode: there are l1, l1+l2 and l2"))
    }
}

impl From<Mode> for LevelMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::L1 => Self::L1,
            Mode::L1L2 => Self::L1L2,
            Mode::L2 => Self::L2,
        }
    }
}

/// What a request becomes that needs the level while it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// An error.
    Fail,
    /// A miss; a write is done in memory alone.
    Ignore,
}

impl Default for Level {
    fn default() -> Self {
        Self {
            kind: LevelKind::One,
            servers: Vec::new(),
            master: None,
            user: None,
            password: None,
            password_file: None,
            sentinel_user: None,
            sentinel_password: None,
            sentinel_password_file: None,
            database: 0,
            protocol: 2,
            tls: None,
            name_space: "larder".into(),
            mode: Mode::L1L2,
            timeout: Duration::from_millis(500),
            l1_lifetime: Duration::from_secs(1),
            tracking: false,
            shared_rates: false,
            on_error: None,
            value_bytes_max: 64 << 20,
            compress_from: 0,
            connections_max: 16,
            breaker: LevelBreaker::default(),
        }
    }
}

impl Default for LevelBreaker {
    fn default() -> Self {
        Self {
            failures: 5,
            pause_min: Duration::from_millis(50),
            pause_max: Duration::from_secs(2),
        }
    }
}

/// What is wrong with the section, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LevelSettingsError {
    /// This program was built without the feature.
    #[error("level: this program was built without second levels (the feature `level`)")]
    NotBuilt,
    /// A number that can't be meant.
    #[error("level.{name}: {said} can't be meant; it has to be {right}")]
    Value {
        /// Where it stands.
        name: &'static str,
        /// What stands there.
        said: String,
        /// What may.
        right: &'static str,
    },
    /// What one setting needs, or rules out.
    #[error("level.{name}: {why}")]
    Together {
        /// The setting.
        name: &'static str,
        /// Why it can't stand so.
        why: &'static str,
    },
    /// A file that can't be read.
    #[error("level.{name}: {}: {why}", path.display())]
    File {
        /// Where it is named.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A mode that needs the section.
    #[error(
        "{name}: the mode `{}` needs a second level: a section [level] with servers = [\"host:port\"]",
        said.word()
    )]
    NoLevel {
        /// Where it stands.
        name: String,
        /// The mode.
        said: Mode,
    },
}

impl Mode {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::L1 => "l1",
            Self::L1L2 => "l1+l2",
            Self::L2 => "l2",
        }
    }

    /// The mode of what says this, or nothing, at a place of the settings.
    ///
    /// # Errors
    /// [`LevelSettingsError::NoLevel`]: it needs a level, and there is none.
    pub fn of(
        said: Option<Self>,
        level: Option<&Level>,
        name: &dyn fmt::Display,
    ) -> Result<LevelMode, LevelSettingsError> {
        match (said, level) {
            (Some(said @ (Self::L1L2 | Self::L2)), None) => Err(LevelSettingsError::NoLevel {
                name: name.to_string(),
                said,
            }),
            (said, Some(level)) => Ok(said.unwrap_or(level.mode).into()),
            (_, None) => Ok(LevelMode::L1),
        }
    }
}

impl Level {
    /// What views are asked with that say nothing of their own.
    pub fn options(&self) -> LevelOptions {
        LevelOptions::new(self.mode.into())
            .timeout(self.timeout)
            .l1_lifetime(Some(self.l1_lifetime))
    }

    /// Whether it can be used, its files included. No server is called.
    ///
    /// # Errors
    /// [`LevelSettingsError`].
    pub fn check(&self) -> Result<(), LevelSettingsError> {
        #[cfg(feature = "level")]
        return servers::config(self).map(drop);
        #[cfg(not(feature = "level"))]
        return Err(LevelSettingsError::NotBuilt);
    }

    /// The level. The servers are asked once whether they are there, for so long as an operation may take, and from then on beside all
    /// requests; the log says what they answer, whenever that changes.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn start(&self) -> Result<Tier, LevelSettingsError> {
        #[cfg(feature = "level")]
        return servers::start(self);
        #[cfg(not(feature = "level"))]
        return Err(LevelSettingsError::NotBuilt);
    }
}

/// A level that was started. Clones are the same; with the last one the thread ends that looks after the servers.
#[derive(Clone)]
pub struct Tier {
    levels: Levels,
    publish: Arc<dyn Fn() + Send + Sync>,
    take: Option<Arc<Take>>,
}

type Take = dyn Fn(&[(&[&str], Option<Rate>)], u64) -> Result<Taken, Spent> + Send + Sync;

/// Calls that were taken from rates of all servers together.
#[must_use]
pub struct Taken(Option<Box<dyn FnOnce() + Send>>);

/// The rates of all servers together have nothing left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Which of those that were asked for, by its place among them.
    pub idx: usize,
    /// When there is more; `None`: never so much.
    pub retry_after: Option<Duration>,
}

impl Tier {
    /// What views are asked of.
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// Tells the recorder of the `metrics` crate what was counted: `larder_level_...` (as `larder::LevelStats::publish`), and, of the
    /// servers, `larder_level_up`, `larder_level_follows`, and `larder_level_servers_total` by `event`.
    pub fn publish(&self) {
        (self.publish)();
    }

    /// Whether rates hold for all servers together.
    pub fn shares_rates(&self) -> bool {
        self.take.is_some()
    }

    /// Takes so many calls from each of some rates, those that are limited, which have names of some parts; or from none. In each period, by the wall clock, all
    /// servers together take no more than a rate's tokens; each leaves less than a sixteenth of them unused. Without
    /// [`shares_rates`](Self::shares_rates), and while the servers of the level are away, all is given.
    ///
    /// # Errors
    /// [`Spent`].
    ///
    /// Cost: a call of the level now and then, some 16 times a period, which blocks.
    pub fn take(&self, rates: &[(&[&str], Option<Rate>)], n_calls: u64) -> Result<Taken, Spent> {
        match &self.take {
            Some(take) => take(rates, n_calls),
            None => Ok(Taken(None)),
        }
    }
}

impl Taken {
    /// Gives them back: they weren't needed.
    pub fn give_back(self) {
        if let Some(give_back) = self.0 {
            give_back();
        }
    }
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Taken").finish()
    }
}

impl fmt::Debug for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tier")
            .field("levels", &self.levels)
            .finish_non_exhaustive()
    }
}
