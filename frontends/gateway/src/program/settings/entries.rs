//! Who may call, what is called, and who may be asked.
//!
//! # Idea         plain values; an address of somebody to ask is checked where it is read, since one that can't be meant is met by no call
//! # Costs        read at the start and at each reload
//! # Invariants   none
//! # Not here     documents: module `read`

use std::path::PathBuf;

use larder_serve::words::RIGHT;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::SettingsError;

/// Somebody who may call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionEntry {
    /// The key that is sent.
    pub key: String,
    /// The name.
    pub id: String,
    /// What was subscribed to.
    pub product: Option<String>,
}

/// An API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiEntry {
    /// Its id.
    pub id: String,
    /// Its name, if another than its id.
    pub name: Option<String>,
    /// What its paths begin with.
    #[serde(default)]
    pub prefix: String,
    /// The file of its policies.
    pub document: PathBuf,
    /// Its backend.
    #[serde(default, deserialize_with = "backend")]
    pub backend: Option<Url>,
    /// Its operations, which limits may name.
    #[serde(default)]
    pub operations: Vec<OperationEntry>,
}

/// An operation of an API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationEntry {
    /// Its id.
    pub id: String,
    /// Its name, if another than its id.
    pub name: Option<String>,
    /// Its method.
    pub method: String,
    /// Its path behind the prefix, such as `/items/{id}`.
    pub path: String,
}

/// Reads a backend, as [`backend_of`] does.
fn backend<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Url>, D::Error> {
    let said = String::deserialize(from)?;
    backend_of(&said).map(Some).map_err(D::Error::custom)
}

/// The URL of a backend.
pub(in crate::program) fn backend_of(said: &str) -> Result<Url, String> {
    let url = Url::parse(said).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let right = "a URL of http or https, such as https://backend.example/v1";
    url.ok_or_else(|| format!("{said:?} can't be meant{RIGHT}{right}"))
}

/// Refuses what isn't a host as calls are compared with: one that was written otherwise would allow nothing.
pub(in crate::program) fn check_host(said: &str) -> Result<(), SettingsError> {
    let url = Url::parse(&format!("ftp://{said}/")).ok();
    let is_host = url.is_some_and(|url| {
        let host = url.host_str().unwrap_or_default();
        let host = match url.port_or_known_default() {
            // The scheme's own, which a URL leaves out.
            Some(21) => [host.to_owned(), format!("{host}:21")],
            Some(port) => [format!("{host}:{port}"), String::new()],
            None => Default::default(),
        };
        host.contains(&said.to_ascii_lowercase())
    });
    let right = "a name, or a name and a port, such as profiles.example or profiles.example:8443";
    is_host.then_some(()).ok_or_else(|| {
        SettingsError(format!(
            "backends.hosts: {said:?} can't be meant{RIGHT}{right}"
        ))
    })
}
