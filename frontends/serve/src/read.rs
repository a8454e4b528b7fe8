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
    Ok(builder.add_source(environment).build()?.try_deserialize()?)
}
