//! The comparison of larder with its peers, kept apart so that the engine's own benches stay light.
//!
//! # Idea         every contender behind one small trait; a row runs all of its lanes in turn, round after round, in one process
//! # Costs        a few gigabytes of memory and some minutes; `--quick` stays below 90 s
//! # Invariants   R1 all lanes of a row see the same keys in the same order; R2 nothing but cache calls is timed, but for reading
//!   the next key of a prepared stream and one byte of each value that is found; R3 a row that is lost is printed as such
//! # Not here     benches of the engine alone, hit ratios on traces

pub mod alone;
pub mod contender;
pub mod counting;
pub mod judge;
pub mod keys;
pub mod kind;
pub mod latency;
pub mod measure;
pub mod report;
pub mod rows;
pub mod threads;
pub mod time;
