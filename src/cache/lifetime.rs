//! How long an entry is to live: what a write says, in the terms of the cache and of who the scope belongs to.

use std::time::Duration;

use super::view::View;
use crate::charter::Charter;
use crate::entry::Value;
use crate::error::TtlError;
use crate::stripe::Lifetime;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::terms::{Span, Ttl};

impl<V: Value + ?Sized> View<'_, V> {
    /// The spans of an entry, in the cache's own terms and those of who the scope belongs to.
    #[inline]
    pub(super) fn lifetime(self, ttl: Ttl) -> Result<Lifetime, TtlError> {
        let own = self.inner.store.lifetime();
        let charter = self.charter();
        match ttl.span {
            Span::Default if charter.is_none() && !ttl.is_refreshed() && ttl.jitter == 0.0 => {
                Ok(own)
            }
            _ => self.lifetime_of(ttl, own, charter),
        }
    }

    fn lifetime_of(
        self,
        ttl: Ttl,
        own: Lifetime,
        charter: Option<&Charter>,
    ) -> Result<Lifetime, TtlError> {
        let (asked, default) = match ttl.span {
            Span::After(Duration::ZERO) => return Err(TtlError::Zero),
            Span::After(ttl) => (Some(ttl), None),
            Span::Default | Span::Keep => {
                let default = charter.and_then(Charter::default_ttl);
                (None, default.or(own.ttl()))
            }
            Span::Never => (None, None),
        };
        // What has no end of its own is never stale either.
        let fresh = asked.or(default).map(|span| self.shorten(span, ttl.jitter));
        let wanted = fresh.map(|fresh| fresh.saturating_add(ttl.stale));
        let hard = match charter {
            None => wanted,
            Some(charter) => charter.bound_ttl(wanted, asked.is_some() && !ttl.is_clamped)?,
        };
        let mut lifetime = own.lasting(hard);
        if let Some(fresh) = fresh.filter(|_| ttl.is_refreshed()) {
            let stale = hard.map_or(fresh, |hard| hard.min(fresh));
            let due = share_of(stale, ttl.ahead);
            lifetime = lifetime.refreshed(due, stale);
        }
        Ok(match ttl.span {
            Span::Keep => lifetime.keeping(),
            _ => lifetime,
        })
    }

    /// A span that is shorter by up to a share of it, and longer than nothing.
    fn shorten(self, span: Duration, share: f64) -> Duration {
        if share <= 0.0 {
            return span;
        }
        let cut = self.inner.jitter.next() * share.min(1.0);
        share_of(span, 1.0 - cut).max(Duration::from_nanos(1))
    }
}

/// Where jitter comes from: numbers that look random, and need not be.
#[derive(Debug)]
pub(crate) struct Jitter(AtomicU64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// From 0 to 1.
    pub(super) fn next(&self) -> f64 {
        // Splitmix64 (Steele, Lea, Flood, OOPSLA 2014); Relaxed: two threads may share a number.
        let mut word = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A share of a span, of all of it at most; the longest spans are beyond what a product of floats can be turned back into.
fn share_of(span: Duration, share: f64) -> Duration {
    if share >= 1.0 {
        return span;
    }
    let secs = span.as_secs_f64() * share.max(0.0);
    Duration::try_from_secs_f64(secs).map_or(span, |part| part.min(span))
}
