//! How the section's words are read.
//!
//! # Idea         as module `words` has it
//! # Costs        read at the start
//! # Invariants   none of its own
//! # Not here     what they mean

use serde::{Deserialize, Deserializer};

use super::{LevelKind, OnError};
use crate::words::word;

impl<'de> Deserialize<'de> for LevelKind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let kinds = [
            ("one", Self::One),
            ("sentinel", Self::Sentinel),
            ("cluster", Self::Cluster),
        ];
        word(from, &kinds)
    }
}

impl<'de> Deserialize<'de> for OnError {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        word(from, &[("fail", Self::Fail), ("ignore", Self::Ignore)])
    }
}
