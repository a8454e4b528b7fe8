//! What a limited tenant is told.
//!
//! # Idea         a refusal says when the same operation would pass; here it is counted, and once taken at its word
//! # Not here     how rates work

use std::time::Duration;

use larder::{Cost, ManualClock, Tenant};

/// Refusals, and the times that they named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    pub(crate) n: u64,
    /// Those that would never pass.
    pub(crate) n_never: u64,
    pub(crate) shortest: Option<Duration>,
    pub(crate) longest: Option<Duration>,
    sum: Duration,
}

impl Refusals {
    pub(crate) fn note(&mut self, retry_after: Option<Duration>) {
        self.n += 1;
        let Some(wait) = retry_after else {
            self.n_never += 1;
            return;
        };
        self.sum = self.sum.saturating_add(wait);
        self.shortest = Some(self.shortest.map_or(wait, |other| other.min(wait)));
        self.longest = Some(self.longest.map_or(wait, |other| other.max(wait)));
    }

    pub(crate) fn mean(&self) -> Option<Duration> {
        let n = u128::from(self.n - self.n_never);
        let mean_ns = self.sum.as_nanos().checked_div(n)?;
        Some(Duration::from_nanos(u64::try_from(mean_ns).ok()?))
    }
}

/// A refusal taken at its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) retry_after: Duration,
    /// Whether the same passed a nanosecond too early.
    pub(crate) early_passed: bool,
    /// Whether the same passed then.
    pub(crate) passed: bool,
}

impl Probe {
    /// Takes what the tenant may have, and comes back when the refusal says. None if nothing is refused.
    pub(crate) fn ask(tenant: &Tenant<'_, [u8]>, clock: &ManualClock) -> Option<Probe> {
        let admit = || tenant.admit(Cost::calls(1));
        let refused = (0..ATTEMPTS_MAX).find_map(|_| admit().err())?;
        let retry_after = refused.retry_after()?;
        clock.advance(retry_after.checked_sub(NANOSECOND)?);
        let early_passed = admit().is_ok();
        clock.advance(NANOSECOND);
        let passed = admit().is_ok();
        Some(Probe {
            retry_after,
            early_passed,
            passed,
        })
    }
}

const NANOSECOND: Duration = Duration::from_nanos(1);
/// Above every burst that the options can ask for.
const ATTEMPTS_MAX: u64 = 1 << 24;

#[cfg(test)]
mod tests {
    use larder::{Cache, Limits, Rate, Rates};

    use super::*;

    #[test]
    fn refusals_are_summed_up() {
        let mut refusals = Refusals::default();
        assert_eq!((refusals.mean(), refusals.longest), (None, None));
        for wait_ms in [Some(3), None, Some(1), Some(5)] {
            refusals.note(wait_ms.map(Duration::from_millis));
        }
        assert_eq!((refusals.n, refusals.n_never), (4, 1));
        let ms = |wait: Option<Duration>| wait.unwrap().as_millis();
        assert_eq!(ms(refusals.shortest), 1);
        assert_eq!(ms(refusals.mean()), 3);
        assert_eq!(ms(refusals.longest), 5);
    }

    #[test]
    fn a_refusal_keeps_its_word() {
        let clock = ManualClock::new();
        let cache = Cache::builder()
            .max_bytes(1 << 20)
            .clock(clock.clone())
            .build()
            .unwrap();
        let tenant = |name, operations| {
            let rates = Rates {
                operations,
                ..Rates::UNLIMITED
            };
            let limits = Limits {
                rates,
                ..Limits::default()
            };
            cache.create_tenant(name, limits).unwrap()
        };
        let probe = Probe::ask(&tenant("a", Some(Rate::per_second(1000).burst(3))), &clock);
        let expected = Probe {
            retry_after: Duration::from_millis(1),
            early_passed: false,
            passed: true,
        };
        assert_eq!(probe, Some(expected));
    }
}
