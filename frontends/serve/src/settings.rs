//! What of a server's settings concerns connections, TLS and the log.

use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::words::some;

/// hyper reads a head into no less.
pub(crate) const HEAD_BYTES_MIN: usize = 8192;

/// hyper makes room for as many with each head, whether they come or not, and knows no map of more than 24,576.
const HEADERS_MAX: usize = 16_384;

/// Connections, and what their clients may take. Times are written in milliseconds, as `header_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connections {
    /// How many there may be at a time; more wait to be accepted.
    #[serde(deserialize_with = "some")]
    pub max: usize,
    /// From a request's first byte to the end of its head; also for a TLS handshake.
    #[serde(rename = "header_ms", deserialize_with = "some_ms")]
    pub header: Duration,
    /// For a request's body, beside what its bytes take at `bytes_per_second`.
    #[serde(rename = "body_ms", deserialize_with = "some_ms")]
    pub body: Duration,
    /// Between two requests.
    #[serde(rename = "idle_ms", deserialize_with = "some_ms")]
    pub idle: Duration,
    /// For taking an answer, beside what its bytes take at `bytes_per_second`.
    #[serde(rename = "write_ms", deserialize_with = "some_ms")]
    pub write: Duration,
    /// The slowest pace of bodies and answers.
    pub bytes_per_second: u32,
    /// For requests in flight once the server is to end; what takes longer is cut off.
    #[serde(rename = "drain_ms", deserialize_with = "ms")]
    pub drain: Duration,
    /// How many bytes a request's line and headers may have together.
    #[serde(deserialize_with = "at_least::<HEAD_BYTES_MIN, _>")]
    pub head_bytes_max: usize,
    /// How many headers a request may have, 16,384 at most.
    #[serde(deserialize_with = "headers")]
    pub headers_max: usize,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            max: 20_000,
            header: Duration::from_secs(10),
            body: Duration::from_secs(15),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(15),
            bytes_per_second: 16 << 10,
            drain: Duration::from_secs(10),
            head_bytes_max: 128 << 10,
            headers_max: 100,
        }
    }
}

impl Connections {
    /// The time that so many bytes may take, beside the grace of their kind.
    pub(crate) fn pace(&self, n_bytes: u64) -> Duration {
        Duration::from_secs(n_bytes / u64::from(self.bytes_per_second.max(1)))
    }
}

/// Reads a time that is written in milliseconds.
pub(crate) fn ms<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_millis)
}

/// The same of what passes for everybody at once if it is zero.
fn some_ms<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    some(from).map(Duration::from_millis)
}

fn at_least<'de, const MIN: usize, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let number = usize::deserialize(from)?;
    match number >= MIN {
        true => Ok(number),
        false => Err(D::Error::custom(format!("{number} is below {MIN}"))),
    }
}

fn headers<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let number = some(from)?;
    match number <= HEADERS_MAX {
        true => Ok(number),
        false => Err(D::Error::custom(format!("{number} is above {HEADERS_MAX}"))),
    }
}

/// The files of TLS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The chain of certificates, in PEM.
    pub certificates: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Whether each line is a JSON object.
    pub json: bool,
    /// A level, or levels by target: `info,larder=debug`.
    #[cfg_attr(feature = "program", serde(deserialize_with = "crate::logs::filter"))]
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            json: false,
            filter: "info".into(),
        }
    }
}
