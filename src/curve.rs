//! The miss-ratio curve: what hit ratio the cache would have at other sizes.
//!
//! # Idea         small caches of the engine's own policy see a sample of the keys, one for each size of the curve. An LRU stack would be
//!   cheaper, but what it predicts is LRU, and this cache's policy is another
//! # Costs        off: one branch a look-up. On: see `tracker` and `sims`
//! # Invariants   those of `tracker`, `sims`, `mini` and `slots`
//! # Not here     which operations are noted: module `cache`

mod mini;
mod sims;
mod slots;
mod tracker;

pub(crate) use self::mini::Size;
use self::tracker::Seen;
pub(crate) use self::tracker::{Note, Tracker};

/// The sizes of a curve, in parts of the present one.
const FACTORS: [f64; N_POINTS] = [0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0];
const N_POINTS: usize = 7;

/// No deadline.
const NEVER: u32 = u32::MAX;

/// What a cache, or a tenant, would have missed at other sizes, counted since it is tracked.
///
/// Two curves of one cache, taken at different times, give that of the time between: [`since`](Self::since).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Curve {
    /// From half the present size to four times of it, in ascending order.
    pub points: [CurvePoint; 7],
    /// Look-ups that count: `get`, `read`, and each key of `get_many`.
    pub n_references: u64,
    /// How many of them were simulated.
    pub n_sampled: u64,
    /// The share of the keys that is simulated at present.
    pub rate: f64,
    /// Of which beginning.
    epoch: u64,
}

/// One size of a [`Curve`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct CurvePoint {
    /// The size in parts of the present one.
    pub factor: f64,
    /// Hits of that size in parts of all references; 0 before the first one.
    pub hit_ratio: f64,
    /// The misses of that size, as estimated.
    pub misses: f64,
}

impl CurvePoint {
    fn new(factor: f64, misses: f64, n_references: u64) -> CurvePoint {
        let hit_ratio = if n_references == 0 {
            0.0
        } else {
            (1.0 - misses / n_references as f64).clamp(0.0, 1.0)
        };
        CurvePoint {
            factor,
            hit_ratio,
            misses,
        }
    }
}

impl Curve {
    /// The curve of the references since an `earlier` one of the same cache. Where counting began anew in between, which it does when
    /// the size of the cache is changed, the answer is this curve.
    #[must_use]
    pub fn since(&self, earlier: &Curve) -> Curve {
        if self.epoch != earlier.epoch || self.n_references < earlier.n_references {
            return self.clone();
        }
        let n_references = self.n_references - earlier.n_references;
        Curve {
            points: std::array::from_fn(|at| {
                let (point, before) = (&self.points[at], &earlier.points[at]);
                let misses = (point.misses - before.misses).max(0.0);
                CurvePoint::new(point.factor, misses, n_references)
            }),
            n_references,
            n_sampled: self.n_sampled.saturating_sub(earlier.n_sampled),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests;
