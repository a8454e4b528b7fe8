//! A cache server with a Momento-style HTTP interface, over the Larder engine.
//!
//! # Idea
//! The engine keeps items, limits and time; this crate parses requests, maps them to the engine's operations and renders what they
//! answer. It holds no map of entries and does no arithmetic with deadlines of items.
//!
//! # Modules
//! | module | its one job |
//! |---|---|
//! | `settings`, `profile` | what is configured: file and environment; limits and what they come to |
//! | `auth` | where a request has its token, and what it is answered that has no good one |
//! | `app`, `engine` | the state: the engine, and what of the settings a request looks at; reload |
//! | `query`, `error` | parameters and names; refusals |
//! | `data` | items: GET, HEAD, PUT, DELETE on `/cache/{name}` |
//! | `items` | the other operations on items: POST on `/caches/{name}/items/{op}` |
//! | `control` | caches and tokens: `/caches`, `/tokens` |
//! | `operations` | for those who run it: `/metrics`; `openapi`: `/openapi.json` |
//! | `admission` | rates, and how often they refused |
//! | `console` | the page for people, and its figures |
//! | `routes`, `respond`, `counts` | which handler a path has; what all answers have in common |
//! | `program` | the commands of `larder-http` |
//!
//! Tokens, connections, their deadlines, draining, TLS, logs and `/health` are those of `larder-serve`.
//!
//! # Examples
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! use larder_http::{App, Engine, Settings, router};
//!
//! let settings = Settings::read(None)?;
//! let app = App::new(&settings, Engine::new(settings.max_bytes)?)?;
//! let listener = tokio::net::TcpListener::bind(settings.listen).await?;
//! let never = std::future::pending();
//! larder_serve::serve(listener, None, settings.connections, router(app), never).await;
//! # Ok(())
//! # }
//! ```

mod admission;
mod app;
pub mod auth;
mod console;
mod control;
mod counts;
mod data;
mod engine;
mod error;
mod items;
mod levels;
mod openapi;
mod operations;
mod profile;
#[cfg(feature = "program")]
mod program;
mod query;
mod respond;
mod routes;
mod settings;

pub use self::app::App;
pub use self::engine::Engine;
pub use self::error::ApiError;
pub use self::profile::{AccountSettings, Bound, CacheSettings, Profile, Unlimited};
#[cfg(feature = "program")]
pub use self::program::Program;
pub use self::routes::{Routes, router};
pub use self::settings::{Settings, SettingsError};
