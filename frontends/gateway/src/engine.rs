//! The engine as both halves of the gateway see it: one cache, its further level, and time.
//!
//! # Idea         handles that are cheap to clone; whoever runs a request asks for a tenant, a scope and a view of it anew
//! # Costs        nothing of its own; a call that may wait for a further level is made known to the runtime
//! # Invariants   G1 time comes from here: the engine's clock, limiters and calendar agree
//! # Not here     what is cached

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use larder::{
    Cache, Clock, Key, KeyWriter, LevelMode, LevelOptions, LevelView, Levels, Limits, ManualClock,
    Nanos, Rate, Scope, SystemClock, Tenant, TenantError,
};

/// The clock of engine and limiters, and the calendar.
#[derive(Debug, Clone)]
pub struct Time(Source);

#[derive(Debug, Clone)]
enum Source {
    System {
        clock: SystemClock,
        birth: SystemTime,
    },
    Manual {
        clock: ManualClock,
        birth: SystemTime,
    },
}

impl Time {
    /// The system's.
    pub fn system() -> Self {
        Self(Source::System {
            clock: SystemClock::new(),
            birth: SystemTime::now(),
        })
    }

    /// A clock that is moved by hand, and what the calendar says at its birth.
    pub fn manual(clock: ManualClock, birth: SystemTime) -> Self {
        Self(Source::Manual { clock, birth })
    }

    /// What the calendar said when the clock stood at zero.
    pub fn birth(&self) -> SystemTime {
        match &self.0 {
            Source::System { birth, .. } | Source::Manual { birth, .. } => *birth,
        }
    }

    /// What the calendar says.
    pub fn wall(&self) -> SystemTime {
        match &self.0 {
            Source::System { .. } => SystemTime::now(),
            Source::Manual { clock, birth } => *birth + Duration::from_nanos(clock.now().0),
        }
    }
}

impl Clock for Time {
    fn now(&self) -> Nanos {
        match &self.0 {
            Source::System { clock, .. } => clock.now(),
            Source::Manual { clock, .. } => clock.now(),
        }
    }
}

/// One cache with its further level, if there is one. Clones are the same.
#[derive(Clone)]
pub struct Engine {
    cache: Cache<[u8]>,
    levels: Levels,
    has_level: bool,
    shared_rates: Option<Arc<dyn SharedRates>>,
    time: Time,
}

/// Rates that several gateways keep to together.
pub trait SharedRates: Send + Sync {
    /// Takes so many calls from the rate of a name of some parts, and says how to give them back. May block.
    ///
    /// # Errors
    /// All are taken: when there are more; `None`: never so many.
    fn take(&self, name: &[&str], rate: Rate, n_calls: u64) -> Result<GiveBack, Option<Duration>>;
}

/// Gives calls back that weren't needed.
pub struct GiveBack(pub Box<dyn FnOnce() + Send>);

impl fmt::Debug for GiveBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GiveBack").finish()
    }
}

impl Engine {
    /// A cache alone. The cache should have been built with a clone of `time`.
    pub fn new(cache: Cache<[u8]>, time: Time) -> Self {
        Self {
            cache,
            levels: Levels::none(),
            has_level: false,
            shared_rates: None,
            time,
        }
    }

    /// The same with a further level.
    #[must_use]
    pub fn with_levels(self, levels: Levels) -> Self {
        Self {
            levels,
            has_level: true,
            ..self
        }
    }

    /// The same with rates that it keeps to with others, beside what it keeps to alone.
    #[must_use]
    pub fn with_shared_rates(self, rates: Arc<dyn SharedRates>) -> Self {
        let shared_rates = Some(rates);
        Self {
            shared_rates,
            ..self
        }
    }

    /// Rates that it keeps to with others.
    pub(crate) fn shared_rates(&self) -> Option<&Arc<dyn SharedRates>> {
        self.shared_rates.as_ref()
    }

    /// The cache.
    pub fn cache(&self) -> &Cache<[u8]> {
        &self.cache
    }

    /// Whether there is a further level.
    pub fn has_level(&self) -> bool {
        self.has_level
    }

    /// The clock and the calendar.
    pub fn time(&self) -> &Time {
        &self.time
    }

    /// A tenant, which is made if there is none of the name.
    ///
    /// # Errors
    /// [`TenantError`]: a name that can't be one.
    pub fn tenant(&self, name: &str) -> Result<Tenant<'_, [u8]>, TenantError> {
        self.cache.tenant(name).or_else(|_| {
            let made = self.cache.create_tenant(name, Limits::default());
            // Somebody else may have made it meanwhile.
            made.or_else(|error| self.cache.tenant(name).map_err(|_| error))
        })
    }

    /// A scope through the levels.
    pub fn view<'c>(
        &'c self,
        scope: Scope<'c, [u8]>,
        options: impl Into<LevelOptions>,
    ) -> LevelView<'c> {
        self.levels.view(scope, options)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("cache", &self.cache)
            .field("levels", &self.levels)
            .finish_non_exhaustive()
    }
}

/// Several parts as one key, or as the name of a scope.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'p>(pub &'p [&'p str]);

impl Key for Parts<'_> {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        for part in self.0 {
            out.bytes(part.as_bytes());
        }
    }
}

/// Makes a call that may wait for a further level: the runtime's other tasks go on meanwhile.
pub fn may_wait<R>(mode: LevelMode, call: impl FnOnce() -> R) -> R {
    match mode {
        LevelMode::L1 => call(),
        _ => beside_others(call),
    }
}

/// Makes a call that takes a while: the runtime's other tasks go on meanwhile, where it has threads for that.
pub(crate) fn beside_others<R>(call: impl FnOnce() -> R) -> R {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let has_threads = Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    match has_threads {
        true => tokio::task::block_in_place(call),
        false => call(),
    }
}
