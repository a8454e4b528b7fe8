//! Processes that share servers: each a cache with a clock of its own, and what it has of the level.

use std::thread;
use std::time::{Duration, Instant};

use larder::{Cache, LevelOptions, LevelView, Levels, Lookup, ManualClock, MissReason};
use larder_valkey::{Config, Valkey};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// Far more than any call takes that is answered, also on a busy machine.
pub(crate) const PATIENT: Duration = Duration::from_secs(20);

/// Waits for what others bring about, and lets them.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENT, "{what}");
        thread::yield_now();
    }
}

pub(crate) struct Node {
    pub(crate) cache: Cache<[u8]>,
    pub(crate) clock: ManualClock,
    pub(crate) servers: Valkey,
    pub(crate) levels: Levels,
}

impl Node {
    pub(crate) fn new(config: Config) -> Self {
        Self::with_name_space(config, b"test")
    }

    pub(crate) fn with_name_space(config: Config, name_space: &[u8]) -> Self {
        let clock = ManualClock::new();
        let cache = Cache::builder()
            .max_bytes(1 << 22)
            .clock(clock.clone())
            .build()
            .unwrap();
        let servers = Valkey::new(config).unwrap();
        let levels = Levels::new(servers.clone(), name_space);
        Self {
            cache,
            clock,
            servers,
            levels,
        }
    }

    /// A scope, with time enough for every call.
    pub(crate) fn view(&self, options: impl Into<LevelOptions>) -> LevelView<'_> {
        let options = options.into().timeout(PATIENT);
        self.levels.view(self.cache.scope("s").unwrap(), options)
    }
}

pub(crate) fn get(view: &LevelView<'_>, key: &str) -> Option<Vec<u8>> {
    view.get(key).map(|entry| entry.to_vec())
}

pub(crate) fn bytes(value: &[u8]) -> Option<Vec<u8>> {
    Some(value.to_vec())
}

pub(crate) fn reason(found: Lookup<[u8]>) -> MissReason {
    match found {
        Lookup::Miss(reason) => reason,
        found => panic!("{found:?} is no miss"),
    }
}
