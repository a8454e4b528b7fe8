//! How a cache uses its levels.

use std::time::Duration;

/// Which levels a cache uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LevelMode {
    /// The cache of the process alone; the default.
    #[default]
    L1,
    /// Both: what is written goes to the further level and to the cache, where a copy of it stays for a short while. The cache's time to
    /// idle ends copies alone.
    L1L2,
    /// The further level alone.
    L2,
}

impl LevelMode {
    pub(super) fn has_l1(self) -> bool {
        self != Self::L2
    }
}

/// What a write does when the further level fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnLevelError {
    /// It succeeds: with both levels it is done in the cache alone, with the further level alone nowhere. An older record is not
    /// read again by this process; it is deleted before its key is next read or written.
    #[default]
    Ignore,
    /// It fails, and whether it was done in the further level isn't known. A put leaves the cache as it was; a removal and a purge
    /// are done there in either case.
    Fail,
}

/// How a view uses its levels. The default is the cache alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LevelOptions {
    /// Which levels.
    pub mode: LevelMode,
    /// How long a copy stays in the cache before the further level is asked again, and so how long the writes of other processes may
    /// go unseen; a second by default. What is read from a level that
    /// [follows](super::Level::follow) changes at the moment stays as long as the record (in 65,536 scopes at most). `None`: as long as the record lives, which is for levels that tell of others' writes.
    pub l1_lifetime: Option<Duration>,
    /// How long an operation may take in the further level, waits for other callers included; half a second by default.
    pub timeout: Duration,
    /// What a write does when the further level fails.
    pub on_error: OnLevelError,
    /// How long this process may keep others from loading what it loads ([`LevelView::get_or_load`](super::LevelView::get_or_load)), and
    /// waits for others at most; `None`, the default: each process loads for itself.
    pub lease: Option<Duration>,
    /// The longest value that goes to the further level; its own limit holds as well. `None`: only that.
    pub value_bytes_max: Option<u64>,
}

impl LevelOptions {
    /// The defaults for a mode.
    pub const fn new(mode: LevelMode) -> Self {
        Self {
            mode,
            l1_lifetime: Some(Duration::from_secs(1)),
            timeout: Duration::from_millis(500),
            on_error: OnLevelError::Ignore,
            lease: None,
            value_bytes_max: None,
        }
    }

    /// The same with another lifetime of copies in the cache; zero is taken as a nanosecond.
    #[must_use]
    pub const fn l1_lifetime(self, l1_lifetime: Option<Duration>) -> Self {
        Self {
            l1_lifetime,
            ..self
        }
    }

    /// The same with another limit on the time of an operation.
    #[must_use]
    pub const fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The same with another policy.
    #[must_use]
    pub const fn on_error(self, on_error: OnLevelError) -> Self {
        Self { on_error, ..self }
    }

    /// The same with another span of leases.
    #[must_use]
    pub const fn lease(self, lease: Option<Duration>) -> Self {
        Self { lease, ..self }
    }

    /// The same with another limit on the size of values.
    #[must_use]
    pub const fn value_bytes_max(self, value_bytes_max: Option<u64>) -> Self {
        Self {
            value_bytes_max,
            ..self
        }
    }

    /// The longest that a copy may stay.
    pub(super) fn copy_ttl_max(&self) -> Option<Duration> {
        self.l1_lifetime
            .map(|lifetime| lifetime.max(Duration::from_nanos(1)))
    }
}

impl Default for LevelOptions {
    fn default() -> Self {
        Self::new(LevelMode::L1)
    }
}

impl From<LevelMode> for LevelOptions {
    fn from(mode: LevelMode) -> Self {
        Self::new(mode)
    }
}
