//! Keys as registers: each has one writer, whose versions grow, and any number of readers.
//!
//! # Idea         a writer says which version it begins to write, writes, and says that it has settled. What a reader may be told lies
//!   between what had settled before it asked and what had begun when it was answered
//! # Invariants   R1 no value older than what had settled; R2 none that nobody wrote; R3 nothing that was removed; R4 what is there, has
//!   room and time, is found; R5 nothing is served after its deadline

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder::{Cache, Clock, SystemClock};

use crate::report::Report;
use crate::value::{self, Random};

/// Few, so that threads meet.
const KEYS: u64 = 512;

/// How much later than its deadline a value may be served by the system's clock: nothing, but for a kernel tick that is late.
const GRAIN_NS: u64 = 10_000_000;

/// What is known of a key. A word of `begun` and `settled` is a version, twice, and one more if it is a removal.
#[derive(Debug, Default)]
struct Register {
    begun: AtomicU64,
    settled: AtomicU64,
    /// The deadline of the settled version: not before, and not after; of an odd word of `settled`, nothing.
    not_before: AtomicU64,
    not_after: AtomicU64,
}

pub(crate) struct Registers {
    cache: Cache<[u8]>,
    clock: SystemClock,
    registers: Vec<Register>,
    n_threads: u64,
    report: Arc<Report>,
    latest_ns: AtomicU64,
}

const NEVER: u64 = u64::MAX;

impl Registers {
    pub(crate) fn new(n_threads: usize, report: Arc<Report>) -> Registers {
        // Room for all, so that what is missing is missing without a reason.
        let cache = Cache::builder().max_bytes(64 << 20).stripes(4).build();
        Registers {
            cache: cache.expect("these bounds make a cache"),
            clock: SystemClock::new(),
            registers: (0..KEYS).map(|_| Register::default()).collect(),
            n_threads: n_threads as u64,
            report,
            latest_ns: AtomicU64::new(0),
        }
    }

    /// Bytes that the cache holds.
    pub(crate) fn bytes(&self) -> u64 {
        self.cache.weight()
    }

    fn now(&self) -> u64 {
        self.clock.now().0
    }

    pub(crate) fn step(&self, thread: usize, random: &mut Random) {
        let n = KEYS / self.n_threads;
        let own = (random.below(n.max(1)) * self.n_threads + thread as u64) % KEYS;
        let is_own = own % self.n_threads == thread as u64;
        match random.below(10) {
            0 | 1 if is_own => self.write(own, random),
            2 if is_own => self.remove(own),
            3 => self.read_many(random),
            _ => self.read(random.below(KEYS), random),
        }
        self.report.count_operations(1);
    }

    /// The next version of a key that only this thread writes.
    fn begin(&self, key: u64, is_removal: bool) -> (&Register, u64) {
        let register = &self.registers[key as usize];
        let word = (register.begun.load(Ordering::Relaxed) | 1) + 1 + u64::from(is_removal);
        register.begun.store(word, Ordering::SeqCst);
        (register, word)
    }

    fn write(&self, key: u64, random: &mut Random) {
        let len = if random.below(50) == 0 {
            8000
        } else {
            random.below(300)
        };
        let ttl = (random.below(3) == 0).then(|| Duration::from_micros(1 + random.below(20_000)));
        let (register, word) = self.begin(key, false);
        let value = value::make(key, word / 2, len as usize);
        let before = self.now();
        let stored = match ttl {
            Some(ttl) => self.cache.insert_with_ttl(key, value, ttl),
            None => self.cache.insert(key, value),
        };
        let after = self.now();
        match stored {
            Ok(replaced) => {
                let old = replaced.map(|old| value::check(key, &old));
                if let Some(Err(what)) = old {
                    self.report.violate(what);
                }
                let deadline = |time: u64| ttl.map_or(NEVER, |ttl| time + ttl.as_nanos() as u64);
                register
                    .not_before
                    .store(deadline(before), Ordering::Relaxed);
                register.not_after.store(deadline(after), Ordering::Relaxed);
                register.settled.store(word, Ordering::SeqCst);
            }
            Err(error) => self
                .report
                .violate(&format!("R4: no room in a roomy cache: {error}")),
        }
    }

    fn remove(&self, key: u64) {
        let (register, word) = self.begin(key, true);
        drop(self.cache.remove(key));
        register.settled.store(word, Ordering::SeqCst);
    }

    fn read(&self, key: u64, random: &mut Random) {
        let seen = Seen::before(self, key);
        let version = match random.below(3) {
            0 => self.cache.read(key, |value| value::check(key, value)),
            1 => self.cache.get(key).map(|entry| value::check(key, &entry)),
            _ => self.cache.peek(key).map(|entry| value::check(key, &entry)),
        };
        self.judge(seen, version);
    }

    fn read_many(&self, random: &mut Random) {
        let keys: [u64; 8] = std::array::from_fn(|_| random.below(KEYS));
        let seen: Vec<Seen> = keys.iter().map(|&key| Seen::before(self, key)).collect();
        let found = self.cache.get_many(&keys);
        for ((seen, entry), &key) in seen.into_iter().zip(found).zip(&keys) {
            self.judge(seen, entry.map(|entry| value::check(key, &entry)));
        }
    }

    fn judge(&self, seen: Seen, version: Option<Result<u64, &'static str>>) {
        let register = &self.registers[seen.key as usize];
        let begun = register.begun.load(Ordering::SeqCst);
        let now = self.now();
        let key = seen.key;
        match version {
            Some(Err(what)) => self.report.violate(what),
            Some(Ok(version)) => {
                self.report.count_checked(1);
                if 2 * version < seen.settled {
                    let settled = seen.settled;
                    self.report
                        .violate(&format!("R1, R3: {key} at {version}, after {settled}/2"));
                }
                if 2 * version > begun {
                    self.report
                        .violate(&format!("R2: {key} at {version}, of {begun}/2"));
                }
                if 2 * version == seen.settled && seen.now > seen.not_after {
                    let late = seen.now - seen.not_after;
                    self.latest_ns.fetch_max(late, Ordering::Relaxed);
                    if late > GRAIN_NS {
                        self.report.violate(&format!("R5: {key} {late} ns late"));
                    }
                }
            }
            // Nothing was begun since it settled, it is a value, and its time was not up.
            None if begun == seen.settled
                && begun & 1 == 0
                && begun > 0
                && now < seen.not_before =>
            {
                self.report.violate(&format!("R4: {key} is missing"));
            }
            None => {}
        }
    }

    pub(crate) fn finish(&self) {
        let stats = self.cache.stats();
        if stats.evicted > 0 || stats.panics > 0 {
            self.report
                .violate(&format!("R4: a roomy cache evicts: {stats:?}"));
        }
        println!(
            "torture: registers: latest after its deadline: {} ns by the system's clock",
            self.latest_ns.load(Ordering::Relaxed)
        );
    }
}

/// What was known of a key before it was looked up.
struct Seen {
    key: u64,
    settled: u64,
    not_before: u64,
    not_after: u64,
    now: u64,
}

impl Seen {
    fn before(registers: &Registers, key: u64) -> Seen {
        let register = &registers.registers[key as usize];
        loop {
            let settled = register.settled.load(Ordering::SeqCst);
            let not_before = register.not_before.load(Ordering::SeqCst);
            let not_after = register.not_after.load(Ordering::SeqCst);
            // The deadlines are that version's if neither has changed, nor was about to.
            let is_whole = register.begun.load(Ordering::SeqCst) == settled;
            if register.settled.load(Ordering::SeqCst) == settled {
                return Seen {
                    key,
                    settled,
                    not_before: if is_whole { not_before } else { 0 },
                    not_after: if is_whole { not_after } else { NEVER },
                    now: registers.now(),
                };
            }
        }
    }
}
