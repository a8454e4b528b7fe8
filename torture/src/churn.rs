//! Ever-new keys at a small bound, with tenants, scopes, limits and values on the heap that come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use larder::{Algorithm, Anchor, Cache, Limiter, Limits};

use crate::report::Report;
use crate::value::{self, Random};

/// The bound of the cache of bytes.
pub(crate) const BYTES_MAX: u64 = 16 << 20;
/// The bound of the cache of values on the heap, and what each is said to weigh.
const COUNTED_MAX: u64 = 2 << 20;
const COUNTED_BYTES: usize = 200;

/// How many values on the heap are alive.
static ALIVE: AtomicI64 = AtomicI64::new(0);

/// A value that knows whether it was dropped.
struct Counted(Box<[u8; COUNTED_BYTES]>);

impl Counted {
    fn new(key: u64) -> Counted {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Counted(Box::new([key as u8 | 1; COUNTED_BYTES]))
    }

    fn is(&self, key: u64) -> bool {
        self.0.iter().all(|&byte| byte == key as u8 | 1)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert_ne!(self.0[0], 0, "a value ends twice");
        self.0.fill(0);
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) struct Churn {
    bytes: Cache<[u8]>,
    counted: Cache<Counted>,
    limiter: Limiter,
    told: Arc<AtomicU64>,
    next: AtomicU64,
    report: Arc<Report>,
}

impl Churn {
    pub(crate) fn new(report: Arc<Report>) -> Churn {
        let bytes = Cache::builder().max_bytes(BYTES_MAX).stripes(4);
        let told = Arc::new(AtomicU64::new(0));
        let ear = Arc::clone(&told);
        let counted = Cache::builder()
            .max_bytes(COUNTED_MAX)
            .stripes(2)
            .weigher(|_, _| COUNTED_BYTES as u64 + 16)
            .listener(move |_, _, _| {
                ear.fetch_add(1, Ordering::Relaxed);
            });
        let limiter = Limiter::builder(Algorithm::FixedWindow {
            calls: Some(5),
            bytes: None,
            period: Duration::from_millis(50),
            anchor: Anchor::default(),
        });
        Churn {
            bytes: bytes.build().expect("these bounds make a cache"),
            counted: counted.build().expect("these bounds make a cache"),
            limiter: limiter.max_keys(10_000).build().expect("a limit"),
            told,
            next: AtomicU64::new(0),
            report,
        }
    }

    /// Bytes that are charged, by both caches.
    pub(crate) fn charged(&self) -> [(u64, u64); 2] {
        [
            (self.bytes.weight(), BYTES_MAX),
            (self.counted.weight(), COUNTED_MAX),
        ]
    }

    pub(crate) fn limiter_bytes(&self) -> u64 {
        self.limiter.memory_bytes()
    }

    /// What both caches may hold together.
    pub(crate) fn bound() -> u64 {
        BYTES_MAX + COUNTED_MAX
    }

    pub(crate) fn step(&self, random: &mut Random) {
        self.report.count_operations(1);
        match random.below(1000) {
            0..500 => self.insert(random),
            500..700 => self.look(random),
            700..850 => self.count(random),
            850..900 => drop(self.limiter.check(random.word(), 1)),
            900..940 => self.scoped(random),
            940..950 => self.tenant(random),
            950..960 => drop(self.bytes.maintain(100)),
            960..962 => drop(self.counted.maintain(100)),
            962 => drop(self.limiter.maintain(100)),
            _ => self.remove(random),
        }
    }

    /// A key that is new, or one of the last thousands.
    fn key(&self, random: &mut Random) -> u64 {
        let next = self.next.load(Ordering::Relaxed);
        next.saturating_sub(random.below(20_000))
    }

    fn insert(&self, random: &mut Random) {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let len = match random.below(100) {
            0 => random.below(40_000),
            1..10 => random.below(4_000),
            _ => random.below(400),
        };
        let value = value::make(key, key, len as usize);
        let stored = match random.below(3) {
            0 => {
                let ttl = Duration::from_micros(1 << random.below(24));
                self.bytes.insert_with_ttl(key, value, ttl)
            }
            _ => self.bytes.insert(key, value),
        };
        if let Err(error) = stored {
            self.report
                .violate(&format!("a small value is refused: {error}"));
        }
    }

    fn look(&self, random: &mut Random) {
        let key = self.key(random);
        let found = self.bytes.read(key, |value| value::check(key, value));
        match found {
            Some(Ok(version)) if version == key => self.report.count_checked(1),
            Some(Ok(_)) => self.report.violate("a value of another version"),
            Some(Err(what)) => self.report.violate(what),
            None => {}
        }
    }

    fn remove(&self, random: &mut Random) {
        let key = self.key(random);
        let removed = self.bytes.remove(key);
        let wrong = removed.and_then(|value| value::check(key, &value).err());
        if let Some(what) = wrong {
            self.report.violate(what);
        }
        if self.bytes.contains_key(key) {
            self.report.violate("a removed value is found");
        }
    }

    fn count(&self, random: &mut Random) {
        let key = random.below(20_000);
        match random.below(3) {
            0 => drop(self.counted.remove(key)),
            1 => {
                let is_right = self.counted.get(key).is_none_or(|value| value.is(key));
                if !is_right {
                    self.report
                        .violate("a value is of another key, or has ended");
                }
            }
            _ => drop(self.counted.insert(key, Counted::new(key))),
        }
    }

    /// A scope that is seen once or a few times, and ends.
    fn scoped(&self, random: &mut Random) {
        let name = random.below(1 << 40);
        let Ok(scope) = self.bytes.scope(("seen", name)) else {
            return self.report.violate("there is no scope");
        };
        for key in 0..random.below(8) {
            drop(scope.insert(key, value::make(key, name, 40)));
            let found = scope.read(key, |value| value::check(key, value));
            if !matches!(found, Some(Ok(version)) if version == name) && found.is_some() {
                self.report.violate("a scope gives what is not its own");
            }
        }
        if random.below(2) == 0 {
            scope.invalidate();
            if scope.contains_key(0_u64) {
                self.report.violate("a scope outlives its end");
            }
        }
    }

    /// A tenant that is seen once.
    fn tenant(&self, random: &mut Random) {
        let name = format!("tenant {}", random.word());
        let limits = Limits {
            max_bytes: Some(200_000),
            ..Limits::default()
        };
        let Ok(tenant) = self.bytes.create_tenant(&name, limits) else {
            return self.report.violate("there is no tenant");
        };
        if let Ok(cache) = tenant.default_cache() {
            let scope = cache.scope();
            for key in 0..random.below(20) {
                drop(scope.insert(key, value::make(key, 1, 400)));
            }
        }
        if tenant.usage().bytes > 200_000 {
            self.report.violate("a tenant is above its maximum");
        }
        self.bytes.delete_tenant(&name);
    }

    /// Ends the caches, and sees that all has ended with them.
    pub(crate) fn finish(self) {
        while self.counted.maintain(10_000).more {}
        while self.bytes.maintain(10_000).more {}
        let (counted, bytes) = (self.counted.stats(), self.bytes.stats());
        let left = counted.inserted - counted.live_entries;
        if self.told.load(Ordering::Relaxed) != left {
            self.report
                .violate("not each value that left was told of once");
        }
        if counted.panics + bytes.panics > 0 {
            self.report
                .violate("user code has panicked inside the cache");
        }
        println!(
            "torture: churn: {} inserted, {} evicted, {} expired, {} swept; {} tenants and {} keys of limits left",
            bytes.inserted,
            bytes.evicted,
            bytes.expired,
            bytes.invalidated,
            self.bytes.tenants().len(),
            self.limiter.len(),
        );
        drop(self.counted);
        let alive = ALIVE.load(Ordering::Relaxed);
        if alive != 0 {
            self.report
                .violate(&format!("{alive} values have not ended, or ended twice"));
        }
    }
}
