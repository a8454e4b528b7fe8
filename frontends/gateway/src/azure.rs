//! Azure-style policies: documents in their published form, and their execution.
//!
//! # Idea
//! [`read`](read::read) makes a document of a text. A [`Gateway`] has documents for APIs, and runs the one that a request is for:
//! inbound, backend, outbound, and on-error if something fails.
//!
//! # Costs
//! A request without a trace allocates for what it sets, and for the futures of nested blocks.
//!
//! # Invariants
//! - Z1 What a request leaves behind is in the engine or in a limiter, under the name of the service and region.
//! - Z2 A policy that fails ends its section; what is answered then never depends on what the failed policy meant to do.
//!
//! # Not here
//! The other vendor's policies; the listener.

pub mod expr;
mod gateway;
mod jwt;
mod meters;
pub mod policy;
pub mod read;
mod run;
mod settings;

pub use self::gateway::{Gateway, Handled};
pub use self::jwt::{Key, Validator};
pub use self::settings::{ApiSettings, Operation, Settings};
