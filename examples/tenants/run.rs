//! One run: B's requests through a cache of its own making, with A's flood in the middle or without it.
//!
//! # Idea         three phases, each cut into windows; in a window B's requests and A's are spread evenly among each other, or run
//!   on a thread each. Every request is a `get`, and on a miss an `insert`
//! # Costs        what is resident is asked for once a window
//! # Invariants   N1 with one thread, the same traffic and seed give the same figures on every machine: the clock is moved by hand, the
//!   hash has a known secret, and the number of stripes doesn't follow the number of cores
//!   N2 each request is counted once, in the window in which it was made
//! # Not here     printing, drawing

use std::error::Error;
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use larder::{Cache, Cost, Limits, ManualClock, Rate, Rates, Scope, Tenant};

use crate::rates::{Probe, Refusals};
use crate::traffic::{KEY_BYTES, N_PHASES, Traffic, key_of_a, key_of_b};

/// Who is there, and what they are promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    /// Two tenants, of which A does nothing.
    Alone,
    /// The same, and B is lent nothing.
    Confined,
    /// Two tenants with guarantees.
    Shares,
    /// Two scopes of one cache, which are promised nothing.
    Shared,
    /// Two tenants with guarantees, and A may do so many operations in a second.
    Limited(Rate),
}

/// What is the same in all runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) max_bytes: u64,
    pub(crate) guaranteed_a: u64,
    pub(crate) guaranteed_b: u64,
    /// How long an entry of B's lives on average; none for as long as the cache likes.
    pub(crate) ttl: Option<Duration>,
    pub(crate) n_threads: usize,
    pub(crate) seed: u64,
}

/// Requests, and those that found something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) n_requests: u64,
    pub(crate) n_hits: u64,
    /// Inserts that the cache answered with an error.
    pub(crate) n_refused: u64,
}

impl Tally {
    /// None if nothing was asked for.
    pub(crate) fn hit_pct(&self) -> Option<f64> {
        let pct = 100.0 * self.n_hits as f64 / self.n_requests as f64;
        (self.n_requests > 0).then_some(pct)
    }

    fn add(&mut self, other: &Tally) {
        self.n_requests += other.n_requests;
        self.n_hits += other.n_hits;
        self.n_refused += other.n_refused;
    }
}

/// A stretch of a run: a window or a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) a: Tally,
    pub(crate) b: Tally,
    /// Evictions in it, of both.
    pub(crate) n_evicted: u64,
    /// What was charged to each when it ended, and to the cache in all.
    pub(crate) a_bytes: u64,
    pub(crate) b_bytes: u64,
    pub(crate) all_bytes: u64,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// `WINDOWS` for each phase.
    pub(crate) windows: Vec<Stretch>,
    pub(crate) refusals: Refusals,
    /// Of a limited run.
    pub(crate) probe: Option<Probe>,
}

impl Outcome {
    pub(crate) fn phase(&self, phase: usize) -> Stretch {
        let windows = &self.windows[phase * WINDOWS..(phase + 1) * WINDOWS];
        let mut sum = windows[WINDOWS - 1];
        for window in &windows[..WINDOWS - 1] {
            sum.a.add(&window.a);
            sum.b.add(&window.b);
            sum.n_evicted += window.n_evicted;
        }
        sum
    }

    /// Inserts that the cache answered with an error.
    pub(crate) fn n_refused(&self) -> u64 {
        let refused = |window: &Stretch| window.a.n_refused + window.b.n_refused;
        self.windows.iter().map(refused).sum()
    }

    /// The most that was charged at the end of any window.
    pub(crate) fn highest_bytes(&self) -> u64 {
        let charged = self.windows.iter().map(|window| window.all_bytes);
        charged.max().unwrap_or(0)
    }
}

/// Runs the traffic through a new cache.
pub(crate) fn run(
    setup: Setup,
    settings: &Settings,
    traffic: &Traffic,
    bar: &ProgressBar,
) -> Result<Outcome, Box<dyn Error>> {
    let clock = ManualClock::new();
    let cache = build(settings, &clock)?;
    if setup == Setup::Shared {
        let (a, b) = (cache.scope("A")?, cache.scope("B")?);
        // Without tenants nobody counts bytes by owner; all entries are charged the same, so their number says it.
        let entry_bytes = entry_bytes()?;
        let residents = || (a.len() as u64 * entry_bytes, b.len() as u64 * entry_bytes);
        let stage = Stage {
            cache: &cache,
            clock: &clock,
            gate: Gate::Open(a.clone()),
            b: b.clone(),
            ttl: settings.ttl,
        };
        return Ok(stage.play(traffic, settings.n_threads, true, residents, bar));
    }
    let operations = match setup {
        Setup::Limited(rate) => Some(rate),
        _ => None,
    };
    let limits_a = Limits {
        guaranteed_bytes: settings.guaranteed_a,
        rates: Rates {
            operations,
            ..Rates::UNLIMITED
        },
        ..Limits::default()
    };
    let limits_b = Limits {
        guaranteed_bytes: settings.guaranteed_b,
        max_bytes: (setup == Setup::Confined).then_some(settings.guaranteed_b),
        ..Limits::default()
    };
    let a = cache.create_tenant("A", limits_a)?;
    let b = cache.create_tenant("B", limits_b)?;
    let residents = || (a.usage().bytes, b.usage().bytes);
    let gate = match operations {
        Some(_) => Gate::Asks(a.clone()),
        None => Gate::Open(a.default_cache()?.scope()),
    };
    let stage = Stage {
        cache: &cache,
        clock: &clock,
        gate,
        b: b.default_cache()?.scope(),
        ttl: settings.ttl,
    };
    let floods = matches!(setup, Setup::Shares | Setup::Limited(_));
    let mut outcome = stage.play(traffic, settings.n_threads, floods, residents, bar);
    outcome.probe = operations.and_then(|_| Probe::ask(&a, &clock));
    Ok(outcome)
}

fn build(settings: &Settings, clock: &ManualClock) -> Result<Cache<[u8]>, Box<dyn Error>> {
    let stripes = (settings.max_bytes >> 20).clamp(1, 8) as usize;
    let cache = Cache::builder()
        .max_bytes(settings.max_bytes)
        .stripes(1 << stripes.ilog2())
        .clock(clock.clone())
        // A service lets the cache draw its secret; a run that is to repeat itself can't.
        .hash_seeds([settings.seed, 1, 2, 3])
        .build()?;
    Ok(cache)
}

/// What one entry is charged.
pub(crate) fn entry_bytes() -> Result<u64, Box<dyn Error>> {
    let cache: Cache<[u8]> = Cache::builder().max_bytes(1 << 20).stripes(1).build()?;
    let tenant = cache.create_tenant("one entry", Limits::default())?;
    tenant
        .default_cache()?
        .insert(&[0; KEY_BYTES][..], &VALUE[..])?;
    Ok(tenant.usage().bytes)
}

/// How A comes to its scope.
enum Gate<'c> {
    Open(Scope<'c, [u8]>),
    /// It asks to be admitted, each time.
    Asks(Tenant<'c, [u8]>),
}

/// A cache and its two users.
struct Stage<'c> {
    cache: &'c Cache<[u8]>,
    clock: &'c ManualClock,
    gate: Gate<'c>,
    b: Scope<'c, [u8]>,
    /// Of B's entries.
    ttl: Option<Duration>,
}

impl Stage<'_> {
    fn play(
        &self,
        traffic: &Traffic,
        n_threads: usize,
        floods: bool,
        residents: impl Fn() -> (u64, u64),
        bar: &ProgressBar,
    ) -> Outcome {
        let mut outcome = Outcome {
            windows: Vec::with_capacity(N_PHASES * WINDOWS),
            refusals: Refusals::default(),
            probe: None,
        };
        let mut n_evicted = 0;
        for phase in 0..N_PHASES {
            let of_b = traffic.of_b(phase);
            let n_of_a = if floods { traffic.n_of_a(phase) } else { 0 };
            for window in 0..WINDOWS {
                let ids = &of_b[cut(of_b.len(), window)..cut(of_b.len(), window + 1)];
                let [from, to] =
                    [window, window + 1].map(|window| cut(n_of_a as usize, window) as u64);
                let mut stretch = Stretch::default();
                let refusals = &mut outcome.refusals;
                if n_threads == 1 {
                    self.in_turn(ids, from..to, &mut stretch, refusals);
                } else {
                    self.at_once(ids, from..to, &mut stretch, refusals);
                }
                let evicted = self.cache.stats().evicted;
                stretch.n_evicted = evicted - n_evicted;
                n_evicted = evicted;
                (stretch.a_bytes, stretch.b_bytes) = residents();
                stretch.all_bytes = self.cache.weight();
                outcome.windows.push(stretch);
                bar.inc(ids.len() as u64 + (to - from));
            }
        }
        outcome
    }

    /// A's requests are spread evenly among B's.
    fn in_turn(
        &self,
        ids: &[u32],
        numbers: std::ops::Range<u64>,
        stretch: &mut Stretch,
        refusals: &mut Refusals,
    ) {
        let n_of_a = numbers.end - numbers.start;
        let mut next = numbers.start;
        for (idx, id) in ids.iter().enumerate() {
            self.ask_b(*id, &mut stretch.b);
            let due = numbers.start + (idx as u64 + 1) * n_of_a / ids.len() as u64;
            while next < due {
                self.ask_a(next, &mut stretch.a, refusals);
                next += 1;
            }
        }
    }

    /// A and B have a thread each, and wait for each other at the end of the window.
    fn at_once(
        &self,
        ids: &[u32],
        numbers: std::ops::Range<u64>,
        stretch: &mut Stretch,
        refusals: &mut Refusals,
    ) {
        let Stretch { a, b, .. } = stretch;
        thread::scope(|scope| {
            scope.spawn(|| numbers.for_each(|number| self.ask_a(number, a, refusals)));
            ids.iter().for_each(|id| self.ask_b(*id, b));
        });
    }

    fn ask_a(&self, number: u64, tally: &mut Tally, refusals: &mut Refusals) {
        let key = key_of_a(number);
        match &self.gate {
            Gate::Open(scope) => ask(scope, &key, None, tally),
            Gate::Asks(tenant) => match tenant.admit(Cost::calls(1)) {
                Ok(scope) => ask(&scope, &key, None, tally),
                Err(error) => refusals.note(error.retry_after()),
            },
        }
    }

    fn ask_b(&self, id: u32, tally: &mut Tally) {
        self.clock.advance(STEP);
        // From half the mean to one and a half of it, so that what came together doesn't go together.
        let ttl = self.ttl.map(|ttl| ttl / 2 + ttl * (id % 101) / 100);
        ask(&self.b, &key_of_b(id), ttl, tally);
    }
}

fn ask(scope: &Scope<'_, [u8]>, key: &[u8], ttl: Option<Duration>, tally: &mut Tally) {
    tally.n_requests += 1;
    if scope.read(key, |_| ()).is_some() {
        tally.n_hits += 1;
        return;
    }
    let inserted = match ttl {
        Some(ttl) => scope.insert_with_ttl(key, &VALUE[..], ttl).is_ok(),
        None => scope.insert(key, &VALUE[..]).is_ok(),
    };
    tally.n_refused += u64::from(!inserted);
}

/// Where a window of a phase begins.
fn cut(n: usize, window: usize) -> usize {
    n * window / WINDOWS
}

/// Windows of a phase, each a point of the picture.
pub(crate) const WINDOWS: usize = 60;
/// B makes 100,000 requests in a second of the clock's.
pub(crate) const STEP: Duration = Duration::from_micros(10);
pub(crate) const VALUE_BYTES: usize = 256;
const VALUE: [u8; VALUE_BYTES] = [7; VALUE_BYTES];
