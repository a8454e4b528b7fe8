//! What a level is told: which servers, as whom, how many connections, and what it does with them.

use std::error::Error;
use std::fmt;
use std::time::Duration;

#[cfg(feature = "tls")]
use crate::tls::Tls;

/// Where a server listens. An IPv6 address stands without brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Address {
    /// A host and a port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        let host = host.into();
        Self { host, port }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Which servers keep the records.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Servers {
    /// One.
    One(Address),
    /// The one that these sentinels name as the master at the moment.
    Sentinel {
        /// The sentinels.
        sentinels: Vec<Address>,
        /// The name that they know the master by.
        master: String,
    },
    /// A cluster, of which these are some nodes.
    Cluster(Vec<Address>),
}

/// The version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// The one that every server knows; the default.
    #[default]
    Resp2,
    /// From version 6 on.
    Resp3,
}

/// When a server that fails is left alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Breaking {
    /// After so many failures in a row; 5 by default.
    pub failures: u32,
    /// At first for so long, or up to twice that; 50 ms by default. It doubles with each trial that fails.
    pub pause_min: Duration,
    /// And at last for so long, or up to twice that; 2 s by default.
    pub pause_max: Duration,
}

impl Default for Breaking {
    fn default() -> Self {
        Self {
            failures: 5,
            pause_min: Duration::from_millis(50),
            pause_max: Duration::from_secs(2),
        }
    }
}

/// How a level reaches its servers, and what it stores there.
///
/// # Examples
/// ```
/// use larder_valkey::{Address, Config, Protocol};
///
/// let config = Config::one(Address::new("127.0.0.1", 6379))
///     .credentials(Some("shop"), "secret")
///     .database(2)
///     .protocol(Protocol::Resp3)
///     .connections_max(8);
/// assert_eq!(config.connections_max, 8);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The servers.
    pub servers: Servers,
    /// The user; the default one without.
    pub user: Option<String>,
    /// The password; nobody is told who we are without.
    pub password: Option<String>,
    /// The same for sentinels, which have users of their own.
    pub sentinel_user: Option<String>,
    /// The same.
    pub sentinel_password: Option<String>,
    /// The number of the database; a cluster has only 0.
    pub database: u32,
    /// The version of the protocol.
    pub protocol: Protocol,
    /// By TLS, if it is set; sentinels as well.
    #[cfg(feature = "tls")]
    pub tls: Option<Tls>,
    /// Most connections to one server, and so calls at a time; 16 by default.
    pub connections_max: usize,
    /// When a server that fails is left alone.
    pub breaking: Breaking,
    /// Values of at least so many bytes are compressed, if that makes them shorter; `None`, the default: none is. It takes less of the
    /// server's memory and of the network, and more of the processor's time at each end: the README has figures. What others have
    /// compressed is read in either case.
    pub compress_from: Option<usize>,
    /// The longest value that is stored or read; 64 MiB by default.
    pub value_bytes_max: u64,
    /// Whether the servers are asked to tell of changes, so that copies of what others write are dropped at once; not by default. It
    /// takes servers from version 6 on, and a thread.
    pub tracking: bool,
}

impl Config {
    /// The defaults for these servers.
    pub fn new(servers: Servers) -> Self {
        Self {
            servers,
            user: None,
            password: None,
            sentinel_user: None,
            sentinel_password: None,
            database: 0,
            protocol: Protocol::default(),
            #[cfg(feature = "tls")]
            tls: None,
            connections_max: 16,
            breaking: Breaking::default(),
            compress_from: None,
            value_bytes_max: 64 << 20,
            tracking: false,
        }
    }

    /// The defaults for one server.
    pub fn one(address: Address) -> Self {
        Self::new(Servers::One(address))
    }

    /// The defaults for the master that sentinels name.
    pub fn sentinel(sentinels: Vec<Address>, master: impl Into<String>) -> Self {
        let master = master.into();
        Self::new(Servers::Sentinel { sentinels, master })
    }

    /// The defaults for a cluster, of which these are some nodes.
    pub fn cluster(nodes: Vec<Address>) -> Self {
        Self::new(Servers::Cluster(nodes))
    }

    /// The same for a user, or the default one, with a password.
    #[must_use]
    pub fn credentials(self, user: Option<&str>, password: &str) -> Self {
        Self {
            user: user.map(str::to_owned),
            password: Some(password.to_owned()),
            ..self
        }
    }

    /// The same with what sentinels are told of who we are; they aren't told what their masters are.
    #[must_use]
    pub fn sentinel_credentials(self, user: Option<&str>, password: &str) -> Self {
        Self {
            sentinel_user: user.map(str::to_owned),
            sentinel_password: Some(password.to_owned()),
            ..self
        }
    }

    /// The same in another database.
    #[must_use]
    pub fn database(self, database: u32) -> Self {
        Self { database, ..self }
    }

    /// The same by another version of the protocol.
    #[must_use]
    pub fn protocol(self, protocol: Protocol) -> Self {
        Self { protocol, ..self }
    }

    /// The same by TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        let tls = Some(tls);
        Self { tls, ..self }
    }

    /// The same with another limit on connections; at least one.
    #[must_use]
    pub fn connections_max(self, connections_max: usize) -> Self {
        Self {
            connections_max: connections_max.max(1),
            ..self
        }
    }

    /// The same with other patience for a server that fails.
    #[must_use]
    pub fn breaking(self, breaking: Breaking) -> Self {
        Self { breaking, ..self }
    }

    /// The same with values compressed from another length on.
    #[must_use]
    pub fn compress_from(self, compress_from: Option<usize>) -> Self {
        Self {
            compress_from,
            ..self
        }
    }

    /// The same with another limit on values; at most 256 MiB.
    #[must_use]
    pub fn value_bytes_max(self, value_bytes_max: u64) -> Self {
        Self {
            value_bytes_max: value_bytes_max.min(256 << 20),
            ..self
        }
    }

    /// The same with or without tracking.
    #[must_use]
    pub fn tracking(self, tracking: bool) -> Self {
        Self { tracking, ..self }
    }

    /// Refuses what can't be meant.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let (n_servers, is_cluster) = match &self.servers {
            Servers::One(_) => (1, false),
            Servers::Sentinel { sentinels, .. } => (sentinels.len(), false),
            Servers::Cluster(nodes) => (nodes.len(), true),
        };
        if n_servers == 0 {
            return Err(ConfigError::NoServers);
        }
        if is_cluster && self.database != 0 {
            return Err(ConfigError::DatabaseOfCluster);
        }
        Ok(())
    }
}

impl fmt::Debug for Config {
    /// Without the passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("servers", &self.servers)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("protocol", &self.protocol)
            .field("connections_max", &self.connections_max)
            .finish_non_exhaustive()
    }
}

/// Why a level can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no server in the list.
    NoServers,
    /// A cluster has no other database than 0.
    DatabaseOfCluster,
    /// A certificate or key can't be read, or they don't belong together.
    Certificate,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoServers => "no server is given",
            Self::DatabaseOfCluster => "a cluster has no other database than 0",
            Self::Certificate => "a certificate or key can't be used",
        })
    }
}

impl Error for ConfigError {}
