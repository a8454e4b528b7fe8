//! The numbers of the policy, each with what another choice cost.
//!
//! The figures are points of the mean hit ratio over the optimum's, over 60 pairs of trace and capacity. Each is one run against one
//! of the same stage of tuning, not all against the values below; other seeds move the mean by about 0.05, so 0 means "within that".

/// Ticks in which as many keys are inserted as the cache holds. 8: 0; 32: -0.1; 12: -0.2, nearly all of it in one trace.
pub(super) const TICKS_PER_CAPACITY: u64 = 16;

/// What was learned fades to 1/e in so many capacities of inserts. 5: -0.2; 6: -0.1; 30: 0.
pub(super) const MEMORY_CAPACITIES: f32 = 12.5;

/// ... but not in fewer inserts than this, or small caches would know next to nothing. 5,000 or 10,000: -0.05; 50,000 or 60,000: 0.
pub(super) const MEMORY_MIN: f32 = 20_000.0;

/// ... nor in more, so that the sums of `f32` stay far from where adding one changes nothing.
pub(super) const MEMORY_MAX: f32 = 8_000_000.0;

/// Index rebuilds in a capacity of inserts, if there are inserts enough for the pieces. 4: -0.1; 64: 0.
pub(super) const PASS_PARTS: u64 = 16;

/// ... but not more often than once in so many inserts, or small caches would do little else.
pub(super) const PASS_MIN: u64 = 512;

/// Keys that a frequency step borrows from all. 4 or 50: -0.1.
pub(super) const PRIOR_FREQUENCY: f32 = 16.0;

/// Keys that a class borrows from its frequency step. 4 or 50: -0.1; 30: 0.
pub(super) const PRIOR_CLASS: f32 = 16.0;

/// Keys that all borrow from the guess of the start. 10: 0.
pub(super) const PRIOR_GLOBAL: f32 = 1.0;

/// Evicted keys that are remembered, 4 bytes each. 1: -0.4; 1.5: -0.15; 3: +0.15; 4, with four times the sketch: +0.4.
pub(super) const GHOSTS_PER_ENTRY: f32 = 2.0;

/// Records of the long, sampled memory, 4 bytes each. 0.5: 0.
pub(super) const LONG_PER_ENTRY: f32 = 0.25;

/// Counters of the sketch, a quarter of a byte each. 32: +0.1; half as many of four bits: -0.1.
pub(super) const SKETCH_COUNTERS: f32 = 16.0;

/// Counters a key has. 4: -0.2.
pub(super) const SKETCH_PROBES: u32 = 2;

/// All counters are halved in so many capacities of counted uses, and an eighth more: the use that halves a word is beyond them.
/// 8: -0.1; 2: -0.1.
pub(super) const SKETCH_AGE: f32 = 4.0;

/// The highest frequency step. 5: 0.
pub(super) const FREQ_MAX: u32 = 7;

/// The highest octave code of the last reuse age. 8: -0.1, and a table half as large again.
pub(super) const OCTAVE_MAX: u32 = 5;

/// While the cache fills, a tick is this part of the inserts so far. 4 or 16: 0 on average.
pub(super) const GROWING_TICKS: u64 = 8;

/// How many capacities the long memory looks back. 32: 0.
pub(super) const LONG_HORIZON: f32 = 16.0;

/// Records of the long memory beyond its share, for small caches. 512: 0.
pub(super) const LONG_FLOOR: usize = 256;

/// Ghosts beyond their share, for small caches. 0: -0.05 together with the next.
pub(super) const GHOSTS_FLOOR: usize = 128;

/// Entries beyond its share that the sketch is made for.
pub(super) const SKETCH_FLOOR: usize = 128;
