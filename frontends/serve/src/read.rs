//! How settings are read.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::SetupError;

/// Reads settings from a file, if there is one, and the environment over it: `LARDER_LISTEN`, `LARDER_CONNECTIONS__MAX`.
///
/// # Errors
/// What can't be read or isn't known, and where.
pub fn read_settings<S: DeserializeOwned>(file: Option<&Path>) -> Result<S, SetupError> {
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
    let read = read.and_then(config::Config::try_deserialize);
    Ok(read.map_err(|error| format!("{error}{}", of_environment()))?)
}

/// Which settings the environment has: a refusal may be of one that nobody remembers. Their values may be secrets.
fn of_environment() -> String {
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("LARDER_")).collect();
    names.sort();
    match names.is_empty() {
        true => String::new(),
        false => format!(" (the environment has {})", names.join(", ")),
    }
}
