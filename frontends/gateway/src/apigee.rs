//! Apigee-style policies: bundles of flows, and the policies that cache.
//!
//! # Idea
//! A [`Bundle`](bundle::Bundle) is read from files; deployed to an [`Environment`], which has caches, it takes requests: flows of the proxy
//! and the target, in the vendor's order, each step a policy. What fails goes to the fault rules.
//!
//! # Costs
//! A request without a trace allocates for the variables that policies set.
//!
//! # Invariants
//! - A1 Organisation and environment name the engine's tenant: nothing is shared across either.
//! - A2 A key is its prefix, a scope of the engine, and the list of its fragments; the rendered text is for people.
//!
//! # Not here
//! The other vendor's policies; the listener.

mod admin;
pub mod bundle;
pub mod condition;
mod context;
mod deployment;
mod environment;
mod key;
pub mod policy;
pub mod read;
mod rendered;
mod run;
mod template;
mod text;
mod var;

pub use self::admin::administer;
pub use self::context::Context;
pub use self::deployment::{Deployment, Handled};
pub use self::environment::{CacheSettings, CreateError, Environment, EnvironmentOptions};
pub use self::var::Var;
