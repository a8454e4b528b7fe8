//! The program: a reverse proxy that runs policies in front of backends.
//!
//! # Idea
//! What is deployed is a [`Site`], read from files and checked; an [`App`] puts limits around it, and swaps it for another at a
//! reload. Everything that all of Larder's servers do is `larder-serve`'s.
//!
//! ```text
//! gateway.toml -> Settings -> read: documents, bundles, findings -> Site
//! socket -> larder-serve -> front: limits, hygiene -> Site::handle -> Client -> backend
//! ```
//!
//! # Costs
//! A request and its answer are whole in memory, each up to its limit.
//!
//! # Invariants
//! - P1 A message is put together anew on both sides: no length, no coding and no connection's header of one side is seen by the other.
//! - P2 Neither a subscription's key nor a key or value of a cache is written to the log, unless its level is `trace`.
//!
//! # Not here
//! What policies do.

mod admin;
mod app;
mod bodies;
mod client;
mod command;
mod explain;
mod forwarding;
mod front;
mod level;
mod read;
mod settings;
mod site;

pub use self::app::{App, StartError};
pub use self::client::Client;
pub use self::command::Program;
pub use self::explain::{parse_request, tell};
pub use self::settings::{
    ApiEntry, ApigeeSettings, AzureSettings, Backends, CacheEntry, OperationEntry, Settings,
    SettingsError, SubscriptionEntry,
};
pub use self::site::{Loaded, Site};
