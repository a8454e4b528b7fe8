//! A policy gateway over the Larder cache engine: Azure-style and Apigee-style policies, run in front of a backend.
//!
//! # Idea
//! A policy document is read and checked once; a request then walks through it, and all that outlives the request is the engine's:
//! values, deadlines, levels, counters. No module here holds entries or computes deadlines.
//!
//! ```text
//! text -> xml (a tree with lines and columns) -> azure::document | apigee::bundle   (checked: findings)
//! http::Request -> azure::Gateway::handle | apigee::Deployment::handle -> http::Response
//!                      |                        |
//!                      +--- engine::Engine -----+----- upstream::Upstream
//! ```
//!
//! # Layout
//! | module | its one job |
//! |---|---|
//! | [`http`] | requests, responses and outgoing calls, whole in memory |
//! | [`xml`] | a text into a tree of elements with positions; the tolerance that vendor documents need; bounds |
//! | [`finding`] | what is wrong with a document, and where |
//! | [`stored`] | a typed value to bytes and tag, and back |
//! | [`engine`] | the engine as both halves see it: tenants, views through levels, time |
//! | [`upstream`] | who is asked over the network, behind a trait; the list of allowed hosts |
//! | [`trace`] | what happened to one request, step by step |
//! | [`azure`] | documents, expressions, policies and their execution |
//! | [`apigee`] | bundles, flow variables, cache policies and their execution |
//! | `program` | the reverse proxy: settings, listeners, client, commands; behind the feature of its name, which is on by default |
//!
//! `azure` and `apigee` import from the modules above and never from each other.
//!
//! # Not here
//! How connections are served: that is `larder-serve`'s, and shared with the other frontends.

pub mod apigee;
pub mod azure;
pub mod engine;
pub mod finding;
pub mod http;
#[cfg(feature = "program")]
pub mod program;
pub mod stored;
pub mod trace;
pub mod upstream;
pub mod xml;
