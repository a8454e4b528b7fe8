//! All stripes of a limiter, under one rule.
//!
//! # Idea         the hash says which stripe; one lock is held at a time, and for a bounded number of steps
//! # Costs        one lock an operation; a new key adds one to a shared count. When that is at its bound, a new key's request
//!   looks once a wheel tick at every stripe for keys that are due
//! # Invariants   LK1 a refusal for too many keys comes only after everything that was due had left, as far as the wheel
//!   fires: a tick, about a millisecond, after its end
//! # Not here     the arithmetic, the encoding of keys

use super::answer::{Cost, LimitError, Standing};
use super::keys::Keys;
use super::rule::Rule;
use super::stripe::{Admitted, EXPIRE_STEPS, Failure, Place, Stripe, TICK_NANOS};
use crate::clock::{Nanos, TimeSource};
use crate::hash::{Hasher64, KeyHash};
use crate::key::KeyRef;
use crate::store::Maintained;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{CachePadded, Mutex};

/// What a limiter does, whatever its rule.
pub(super) trait Operations: Send + Sync {
    fn check(&self, key: KeyRef<'_>, cost: Cost) -> Result<Standing, LimitError>;
    fn reserve(&self, key: KeyRef<'_>, cost: Cost) -> Result<Admitted, LimitError>;
    fn probe(&self, key: KeyRef<'_>, cost: Cost) -> Result<(), LimitError>;
    fn peek(&self, key: KeyRef<'_>) -> Standing;
    fn settle(&self, place: Place, reserved_and_actual: (Cost, Cost), at: Nanos);
    fn remove(&self, key: KeyRef<'_>) -> bool;
    fn clear(&self);
    fn maintain(&self, budget: usize) -> Maintained;
    fn len(&self) -> u64;
    fn memory_bytes(&self) -> u64;
}

/// A stripe on cache lines of its own.
type Locked<S> = CachePadded<Mutex<Stripe<S>>>;

/// The stripes of one limiter.
#[derive(Debug)]
pub(super) struct Keyed<R: Rule> {
    rule: R,
    time: TimeSource,
    hasher: Hasher64,
    /// A power of two of them.
    stripes: Box<[Locked<R::State>]>,
    keys: Keys,
    /// The wheel tick of the last look at every stripe: nothing more becomes due within it.
    swept: AtomicU64,
    /// The stripe at which maintenance goes on.
    next_stripe: AtomicU64,
}

impl<R: Rule> Keyed<R> {
    pub(super) fn new(
        rule: R,
        time: TimeSource,
        hasher: Hasher64,
        stripes_log2: u32,
        max_keys: u64,
    ) -> Self {
        let stripe = |_| CachePadded::new(Mutex::new(Stripe::new()));
        Self {
            rule,
            time,
            hasher,
            stripes: (0..1usize << stripes_log2).map(stripe).collect(),
            keys: Keys::new(max_keys),
            swept: AtomicU64::new(u64::MAX),
            next_stripe: AtomicU64::new(0),
        }
    }

    #[inline]
    fn stripe(&self, hash: KeyHash) -> &Mutex<Stripe<R::State>> {
        &self.stripes[hash.stripe(self.stripes.len())]
    }

    /// What to answer after a failure: the same operation is tried once more if keys could be forgotten for it.
    #[cold]
    fn retry<T>(
        &self,
        failure: Failure,
        now: Nanos,
        operation: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, LimitError> {
        let answer = match failure {
            Failure::Full if self.sweep(now) => operation(),
            failure => Err(failure),
        };
        answer.map_err(|failure| match failure {
            Failure::Refused(error) => error,
            Failure::Full => LimitError::TooManyKeys {
                max_keys: self.keys.max(),
            },
        })
    }

    /// Forgets what is due, stripe by stripe, until there is room for a key; whether there is.
    #[cold]
    fn sweep(&self, now: Nanos) -> bool {
        let tick = now.0 / TICK_NANOS;
        // Relaxed: two threads that sweep in one tick do no harm.
        if self.swept.load(Ordering::Relaxed) == tick {
            return self.keys.has_room();
        }
        for stripe in &self.stripes {
            loop {
                let (_, done) = stripe
                    .lock()
                    .expire(&self.rule, &self.keys, STEPS_PER_HOLD, now);
                if self.keys.has_room() {
                    return true;
                }
                if done {
                    break;
                }
            }
        }
        self.swept.store(tick, Ordering::Relaxed);
        self.keys.has_room()
    }
}

impl<R: Rule> Operations for Keyed<R> {
    fn check(&self, key: KeyRef<'_>, cost: Cost) -> Result<Standing, LimitError> {
        self.rule.check_size(cost)?;
        let hash = key.hash(&self.hasher);
        let now = self.time.now();
        let check = || {
            let mut stripe = self.stripe(hash).lock();
            let admitted = stripe.admit(&self.rule, &self.keys, (hash, key), cost, false, now)?;
            Ok(admitted.standing)
        };
        check().or_else(|failure| self.retry(failure, now, check))
    }

    fn reserve(&self, key: KeyRef<'_>, cost: Cost) -> Result<Admitted, LimitError> {
        self.rule.check_size(cost)?;
        let hash = key.hash(&self.hasher);
        let now = self.time.now();
        let reserve = || {
            let mut stripe = self.stripe(hash).lock();
            stripe.admit(&self.rule, &self.keys, (hash, key), cost, true, now)
        };
        reserve().or_else(|failure| self.retry(failure, now, reserve))
    }

    fn probe(&self, key: KeyRef<'_>, cost: Cost) -> Result<(), LimitError> {
        self.rule.check_size(cost)?;
        let hash = key.hash(&self.hasher);
        let now = self.time.now();
        let probe = || {
            self.stripe(hash)
                .lock()
                .probe(&self.rule, &self.keys, (hash, key), cost, now)
        };
        probe().or_else(|failure| self.retry(failure, now, probe))
    }

    fn peek(&self, key: KeyRef<'_>) -> Standing {
        let hash = key.hash(&self.hasher);
        let now = self.time.now();
        self.stripe(hash).lock().peek(&self.rule, (hash, key), now)
    }

    fn settle(&self, place: Place, reserved_and_actual: (Cost, Cost), at: Nanos) {
        let now = self.time.now();
        self.stripe(place.hash)
            .lock()
            .settle(&self.rule, place, reserved_and_actual, at, now);
    }

    fn remove(&self, key: KeyRef<'_>) -> bool {
        let hash = key.hash(&self.hasher);
        self.stripe(hash)
            .lock()
            .remove::<R>((hash, key), &self.keys)
    }

    fn clear(&self) {
        for stripe in &self.stripes {
            let cleared = stripe.lock().clear();
            self.keys.give_back(cleared.len());
        }
    }

    fn maintain(&self, budget: usize) -> Maintained {
        let now = self.time.now();
        let mut maintained = Maintained::default();
        for _ in 0..self.stripes.len() {
            let idx = self.next_stripe.load(Ordering::Relaxed) as usize % self.stripes.len();
            loop {
                let left = budget.saturating_sub(maintained.steps);
                if left == 0 {
                    maintained.more = true;
                    return maintained;
                }
                let mut stripe = self.stripes[idx].lock();
                let (steps, done) =
                    stripe.expire(&self.rule, &self.keys, left.min(STEPS_PER_HOLD), now);
                maintained.steps += steps;
                if done {
                    stripe.release();
                    break;
                }
            }
            // Relaxed: a stripe that two threads maintain, or none, is the next one's turn.
            self.next_stripe.store(idx as u64 + 1, Ordering::Relaxed);
        }
        maintained
    }

    fn len(&self) -> u64 {
        self.keys.len()
    }

    fn memory_bytes(&self) -> u64 {
        let stripes = size_of_val(&*self.stripes) as u64;
        self.stripes.iter().fold(stripes, |bytes, stripe| {
            bytes + stripe.lock().memory_bytes() as u64
        })
    }
}

/// Steps of the wheel in one hold of a lock.
const STEPS_PER_HOLD: usize = 2 * EXPIRE_STEPS;
