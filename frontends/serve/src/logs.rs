//! Logs to standard error, as text or as JSON; what is asked for, to standard output.

use std::io::Write;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::Log;
use crate::words::RIGHT;

impl Log {
    /// Starts logging, for the rest of the process.
    ///
    /// # Errors
    /// The filter can't be read, or logging was started before.
    pub fn start(&self) -> Result<(), String> {
        let filter = EnvFilter::try_new(&self.filter).map_err(|error| error.to_string())?;
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr);
        match self.json {
            false => builder.with_ansi(false).try_init(),
            true => builder.json().try_init(),
        }
        .map_err(|error| error.to_string())
    }
}

/// Reads a filter, and takes none that logging wouldn't start with.
pub(crate) fn filter<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let filter = String::deserialize(from)?;
    // A lone word that is no level would be taken for a target, and nothing else be told.
    if filter.chars().all(char::is_alphabetic) && LevelFilter::from_str(&filter).is_err() {
        return Err(D::Error::custom(format!(
            "{filter:?} can't be meant{RIGHT}off, error, warn, info, debug or trace, or such by target, as in info,larder=debug"
        )));
    }
    let read = EnvFilter::try_new(&filter).map_err(D::Error::custom);
    read.map(|_| filter)
}

/// Prints a line that somebody waits for.
///
/// # Errors
/// Nobody does any more.
pub fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
