//! A further level of the Larder cache engine on Valkey or Redis.

mod envelope;
mod time;

pub use envelope::{Flaw, open, seal};
