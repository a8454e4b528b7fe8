//! Configuration, checked before anything is built.

use std::fmt;
use std::time::Duration;

use crate::cache::{Cache, Capacity, Inner, Jitter, Watch, Weigher};
use crate::charter::Tenants;
use crate::clock::{Clock, TimeSource};
use crate::common::{Budget, Common, Lender};
use crate::entry::{Entry, Stored, Value};
use crate::error::{BuildError, TtlError};
use crate::hash::Hasher64;
use crate::key::KeyParts;
use crate::stats::RemovalCause;
use crate::store::{Config, TypedListener, TypedStore};
use crate::stripe::Lifetime;
use crate::sync::Arc;

/// More stripes than this would only cost memory.
const STRIPES_MAX: usize = 1024;

/// Sets a cache up; made by [`Cache::builder`]. At least one bound has to be set.
pub struct Builder<V: Value + ?Sized> {
    max_bytes: Option<u64>,
    max_entries: Option<u64>,
    common: Option<Arc<Common>>,
    stripes: Option<usize>,
    ttl: Option<Duration>,
    tti: Option<Duration>,
    time: TimeSource,
    weigher: Option<Weigher<V>>,
    listener: Option<TypedListener<V>>,
    seeds: Option<[u64; 4]>,
    #[cfg(test)]
    hash_mask: u64,
    curve_entries: Option<usize>,
    hot_keys: Option<usize>,
}

impl<V: Value + ?Sized> Cache<V> {
    /// Starts a configuration.
    pub fn builder() -> Builder<V> {
        Builder {
            max_bytes: None,
            max_entries: None,
            common: None,
            stripes: None,
            ttl: None,
            tti: None,
            time: TimeSource::system(),
            weigher: None,
            listener: None,
            seeds: None,
            #[cfg(test)]
            hash_mask: u64::MAX,
            curve_entries: None,
            hot_keys: None,
        }
    }
}

impl<V: Value + ?Sized> Builder<V> {
    /// Bounds the bytes: keys, values, the overhead of each entry, what awaits reclamation, and the engine's structure
    /// stay below this together. A bound of zero stores nothing. The fixed part of a cache (about 30 KiB a stripe once
    /// it is full) is not counted.
    ///
    /// A value type that owns memory elsewhere needs a [`weigher`](Self::weigher).
    #[must_use]
    pub fn max_bytes(mut self, max: u64) -> Self {
        self.max_bytes = Some(max);
        self
    }

    /// Bounds the bytes together with other caches, as [`max_bytes`](Self::max_bytes) does alone: the caches of a [`Budget`] share one
    /// bound.
    #[must_use]
    pub fn budget(mut self, budget: &Budget) -> Self {
        self.common = Some(Arc::clone(budget.common()));
        self
    }

    /// Bounds the number of entries. A bound of zero stores nothing. A large full cache makes room before it knows that a key is there: to
    /// overwrite one may leave it short of an entry in each stripe, which the next new key has.
    #[must_use]
    pub fn max_entries(mut self, max: u64) -> Self {
        self.max_entries = Some(max);
        self
    }

    /// Sets the number of stripes, a power of two up to 1024: writers of different stripes don't wait for each other.
    /// By default four a core, but fewer where a stripe would have less than a thousand entries or a megabyte.
    #[must_use]
    pub fn stripes(mut self, n: usize) -> Self {
        self.stripes = Some(n);
        self
    }

    /// Sets the time to live of entries that are inserted without one. By default they live for ever.
    #[must_use]
    pub fn default_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Lets entries expire that were not used for this long; their time to live still holds. A use extends the deadline
    /// when that gains more than a sixteenth of this time, so an idle entry may go that much earlier.
    #[must_use]
    pub fn time_to_idle(mut self, tti: Duration) -> Self {
        self.tti = Some(tti);
        self
    }

    /// Takes the time from this clock instead of the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.time = TimeSource::custom(Arc::new(clock));
        self
    }

    /// Says how many bytes a value owns outside of itself, such as a `Vec`'s buffer; the engine adds key, value and
    /// overhead. Called once an insert, without a lock; its answer is kept for as long as the entry lives.
    #[must_use]
    pub fn weigher(
        mut self,
        weigher: impl Fn(KeyParts<'_>, &V) -> u64 + Send + Sync + 'static,
    ) -> Self {
        self.weigher = Some(Box::new(weigher));
        self
    }

    /// Is told of each value that left the cache, once, and why; per key in the order in which the values lived.
    ///
    /// It runs without a lock, in a thread that happens to use the cache, perhaps after the call that caused it has
    /// returned; one thread at a time for each stripe. It may call the cache, by a [`WeakCache`](crate::WeakCache), since a handle that
    /// it kept would keep the cache; what leaves then is told later. A panic in it is contained and counted in [`Stats::panics`](crate::Stats::panics). What waits to be told is charged, and
    /// writers of a full cache wait for it.
    #[must_use]
    pub fn listener(
        mut self,
        listener: impl Fn(KeyParts<'_>, Entry<V>, RemovalCause) + Send + Sync + 'static,
    ) -> Self {
        self.listener = Some(Box::new(move |entry: Entry<V>, cause| {
            let key = entry.clone();
            listener(key.key(), entry, cause);
        }));
        self
    }

    /// Fixes the secret of the key hash, so that a test repeats itself to the bit. With known seeds, whoever chooses
    /// the keys can make them collide: for tests only.
    #[must_use]
    pub fn hash_seeds(mut self, seeds: [u64; 4]) -> Self {
        self.seeds = Some(seeds);
        self
    }

    /// Lets all hashes agree but in these bits.
    #[cfg(test)]
    pub(crate) fn hash_mask(mut self, mask: u64) -> Self {
        self.hash_mask = mask;
        self
    }

    fn hasher(&self) -> Hasher64 {
        let hasher = self.seeds.map_or_else(Hasher64::new, |[a, b, c, d]| {
            Hasher64::with_seeds(a, b, c, d)
        });
        #[cfg(test)]
        let hasher = hasher.masked(self.hash_mask);
        hasher
    }

    /// Tracks what [`Cache::curve`] tells: the hit ratio at other sizes. For that about `n_entries` of the cache's entries are
    /// simulated, and as many keys as they stand for at the other sizes. Between 256 and 65,536; 2048 keeps the error at a
    /// few tenths of a point.
    ///
    /// Cost: at most 700 bytes for each of `n_entries`, and 200 KiB. Look-ups take up to twice their time for being counted; those of
    /// the sampled keys, `n_entries` in as many as the cache has, some microseconds. While a cache by bytes fills, the share of
    /// sampled keys comes down from all of them.
    #[must_use]
    pub fn track_curve(mut self, n_entries: usize) -> Self {
        self.curve_entries = Some(n_entries);
        self
    }

    /// Tracks what [`Cache::hot_keys`] tells, with `n_keys` counters, between 16 and 1024. Each key that takes more than one in
    /// `n_keys` of the recent look-ups has one.
    ///
    /// Cost: 60 bytes and a key for each counter. Look-ups take up to twice their time for being counted, and one in 32 searches
    /// the counters.
    #[must_use]
    pub fn track_hot_keys(mut self, n_keys: usize) -> Self {
        self.hot_keys = Some(n_keys);
        self
    }

    /// Builds the cache.
    ///
    /// # Errors
    /// [`BuildError`] says what was wrong and what would be right: no bound, one that is too large, or `max_bytes` beside a budget, stripes that are
    /// no power of two, a time of zero, or `max_bytes` for a type that owns memory elsewhere without a weigher.
    pub fn build(self) -> Result<Cache<V>, BuildError> {
        if self.max_bytes.is_some() && self.common.is_some() {
            return Err(BuildError::OfBudget);
        }
        let shared = self.common.as_ref().map(|common| common.purse().max());
        let capacity = Capacity {
            max_bytes: self.max_bytes.or(shared),
            max_entries: self.max_entries,
        };
        if capacity.max_bytes.is_none() && capacity.max_entries.is_none() {
            return Err(BuildError::NoBound);
        }
        capacity.check()?;
        if capacity.max_bytes.is_some() && self.weigher.is_none() && !<V as Stored>::INLINE {
            return Err(BuildError::NoWeigher);
        }
        let times = [self.ttl, self.tti];
        if times.iter().flatten().any(Duration::is_zero) {
            return Err(BuildError::Ttl(TtlError::Zero));
        }
        let stripes = self
            .stripes
            .unwrap_or_else(|| default_stripes(capacity.max_bytes, capacity.max_entries));
        if !stripes.is_power_of_two() || stripes > STRIPES_MAX {
            return Err(BuildError::Stripes(stripes));
        }
        let hasher = self.hasher();
        let seat = self.common.as_ref().map(Common::enter).transpose()?;
        let config = Config {
            max_bytes: self
                .common
                .as_ref()
                .map(|common| common.purse().share())
                .or(self.max_bytes),
            common: seat,
            max_entries: self.max_entries,
            stripes_log2: stripes.trailing_zeros(),
            lifetime: Lifetime::new(self.ttl, self.tti),
            time: self.time,
            hasher,
        };
        let jitter = Jitter::new(config.hasher.hash(0, 0, b"jitter").bits());
        let watch = Watch::default();
        if let Some(n_entries) = self.curve_entries {
            watch.track_curve(capacity, n_entries);
        }
        if let Some(n_keys) = self.hot_keys {
            watch.track_hot_keys(n_keys);
        }
        let store = TypedStore::new(config, self.listener);
        let cache = Cache::from_inner(Inner {
            plain: store.lifetime().stay(),
            store,
            weigher: self.weigher,
            has_tti: self.tti.is_some(),
            tenants: Tenants::default(),
            jitter,
            watch,
        });
        if cache.inner().watch.is_tracking() {
            cache.inner().begin_watch();
        }
        if let Some(common) = &self.common {
            let lender: Arc<dyn Lender> = Arc::clone(cache.inner()) as _;
            common.add(&lender);
        }
        Ok(cache)
    }
}

fn default_stripes(max_bytes: Option<u64>, max_entries: Option<u64>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let by_bytes = max_bytes.map_or(u64::MAX, |max| max >> 20);
    let by_entries = max_entries.map_or(u64::MAX, |max| max / 1000);
    let most = by_bytes.min(by_entries).clamp(1, STRIPES_MAX as u64) as usize;
    // The largest power of two that is not above `most`.
    (cores * 4).next_power_of_two().min(1 << most.ilog2())
}

impl<V: Value + ?Sized> fmt::Debug for Builder<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("max_bytes", &self.max_bytes)
            .field("budget", &self.common.is_some())
            .field("max_entries", &self.max_entries)
            .field("stripes", &self.stripes)
            .field("default_ttl", &self.ttl)
            .field("time_to_idle", &self.tti)
            .finish_non_exhaustive()
    }
}
