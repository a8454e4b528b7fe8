//! Many entries due at one moment.
//!
//! # Idea         once nobody calls, and the allocator says how much came back within a second of the deadline; once a thread calls
//!   on, and the longest of its calls is looked for
//! # Costs        two seconds and eight microseconds an entry; real time, on the system's clock
//! # Invariants   EX1 every entry has the same deadline, to the grain of the clock, but for mini-moka, which knows one time to live for
//!   all: there the last entry is due at that moment; EX2 a call during which the system took the core away isn't called long
//! # Not here     peers without a time to live

use std::thread;
use std::time::{Duration, Instant};

use larder::Janitor;

use super::Answer;
use crate::contender::{Contender, Larder, MiniMoka, Moka, Stretto};
use crate::counting;
use crate::keys::{FRESH_FIRST, VALUE, key};
use crate::kind::Bytes;
use crate::latency::Latency;
use crate::time::{now, preemptions};

/// Of larder's own thread.
const INTERVAL: Duration = Duration::from_millis(50);
const WITHIN: Duration = Duration::from_secs(1);
/// From the first insert to the deadline: a quiet time, and what filling takes.
const QUIET: Duration = Duration::from_secs(2);
const FILL_EACH: Duration = Duration::from_micros(8);
/// Calls that are shorter aren't looked into.
const SUSPECT: Duration = Duration::from_micros(10);

/// A cache whose entries have deadlines.
trait Expiring: Sync {
    /// Room for this many, all of which are due at that moment.
    fn new(n_entries: usize, deadline: Instant) -> Self;
    /// Stores an entry that is due then.
    fn put(&self, idx: u64, deadline: Instant);
    /// Looks an entry up.
    fn get(&self, idx: u64);
    /// Stores an entry that stays.
    fn add(&self, idx: u64);
    /// The cache is full; whatever works in the background may begin.
    fn begin(&mut self) {}
    /// Bytes of the entries alone, if the cache tells them from its own.
    fn entry_bytes(&self) -> Option<u64> {
        None
    }
}

pub(super) fn untouched(contender: &str, n_entries: usize) -> Result<Answer, String> {
    match contender {
        "larder" => untouched_of::<LarderDue>(n_entries),
        "moka" => untouched_of::<Moka<Bytes>>(n_entries),
        "mini-moka" => untouched_of::<MiniMoka<Bytes>>(n_entries),
        "stretto" => untouched_of::<Stretto<Bytes>>(n_entries),
        _ => Err(format!("{contender} has no time to live")),
    }
}

pub(super) fn called(contender: &str, n_entries: usize) -> Result<Answer, String> {
    match contender {
        "larder" => called_of::<LarderDue>(n_entries),
        "moka" => called_of::<Moka<Bytes>>(n_entries),
        "mini-moka" => called_of::<MiniMoka<Bytes>>(n_entries),
        "stretto" => called_of::<Stretto<Bytes>>(n_entries),
        _ => Err(format!("{contender} has no time to live")),
    }
}

/// A full cache, and the moment when its entries are due.
fn filled<C: Expiring>(n_entries: usize) -> Result<(C, Instant), String> {
    let deadline = now() + QUIET + FILL_EACH * n_entries as u32;
    let mut cache = C::new(n_entries * 5 / 4, deadline);
    for idx in 0..n_entries as u64 {
        cache.put(idx, deadline);
    }
    cache.begin();
    if now() + WITHIN > deadline {
        return Err("the machine was too slow to fill the cache in time".to_owned());
    }
    Ok((cache, deadline))
}

fn untouched_of<C: Expiring>(n_entries: usize) -> Result<Answer, String> {
    let empty = counting::held();
    let (cache, deadline) = filled::<C>(n_entries)?;
    let full = counting::held();
    let grown = (full - empty) as f64;
    // Tables and the policy's memory are the cache's, not the entries'.
    let entries = cache.entry_bytes().map_or(grown, |bytes| bytes as f64);
    let mut answer = Answer::new();
    for step in 1..=4 {
        let after = WITHIN * step / 4;
        thread::sleep((deadline + after).saturating_duration_since(now()));
        let back = full.saturating_sub(counting::held()) as f64;
        let name = format!("back after {} ms, %", after.as_millis());
        answer.insert(name, 100.0 * (back / entries).min(1.0));
        answer.insert("back of all, %".to_owned(), 100.0 * back / grown);
    }
    drop(cache);
    Ok(answer)
}

fn called_of<C: Expiring>(n_entries: usize) -> Result<Answer, String> {
    let (cache, deadline) = filled::<C>(n_entries)?;
    let before = calls(&cache, deadline - WITHIN / 2, deadline - INTERVAL);
    let during = calls(&cache, deadline, deadline + WITHIN);
    let us = |ns: u64| ns as f64 / 1e3;
    let p9999 = |calls: &Calls| calls.all.get_ns(0.9999).max(calls.all.insert_ns(0.9999)) / 1e3;
    let figures = [
        ("longest, us", us(during.longest_ns)),
        ("longest with preemptions, us", us(during.all.longest_ns())),
        ("p99.99, us", p9999(&during)),
        ("before: longest, us", us(before.longest_ns)),
        ("before: p99.99, us", p9999(&before)),
    ];
    drop(cache);
    Ok(figures
        .map(|(name, figure)| (name.to_owned(), figure))
        .into())
}

/// What calls took.
struct Calls {
    all: Latency,
    /// The longest of those that weren't interrupted.
    longest_ns: u64,
}

/// One thread gets and inserts in turn, from one moment to the other.
fn calls(cache: &impl Expiring, begin: Instant, end: Instant) -> Calls {
    thread::sleep(begin.saturating_duration_since(now()));
    let mut calls = Calls {
        all: Latency::new(),
        longest_ns: 0,
    };
    let mut n_preempted = preemptions();
    for idx in 0.. {
        // Among a hundred thousand, so that neither the keys nor what is added outgrow the cache.
        let at = idx / 2 % 100_000;
        let called = now();
        if called >= end {
            break;
        }
        if idx % 2 == 0 {
            cache.get(at);
            calls.all.get(called.elapsed());
        } else {
            cache.add(FRESH_FIRST + at);
            calls.all.insert(called.elapsed());
        }
        let took = called.elapsed();
        if took > SUSPECT {
            let n_now = preemptions();
            if n_now == n_preempted {
                calls.longest_ns = calls.longest_ns.max(took.as_nanos() as u64);
            }
            n_preempted = n_now;
        }
    }
    calls
}

/// Larder, with its thread that gives memory back.
struct LarderDue {
    cache: Larder<[u8]>,
    janitor: Option<Janitor>,
}

impl Expiring for LarderDue {
    fn new(n_entries: usize, _: Instant) -> Self {
        Self {
            cache: Larder::<[u8]>::new(n_entries),
            janitor: None,
        }
    }

    fn put(&self, idx: u64, deadline: Instant) {
        let ttl = until(deadline);
        let answer = self.cache.0.insert_with_ttl(&key(idx)[..], &VALUE[..], ttl);
        assert!(answer.is_ok(), "an entry this small is never refused");
    }

    fn get(&self, idx: u64) {
        (&mut &self.cache).get(&key(idx));
    }

    fn add(&self, idx: u64) {
        (&mut &self.cache).insert(&key(idx), &VALUE);
    }

    fn begin(&mut self) {
        let janitor = Janitor::start(&self.cache.0, INTERVAL);
        self.janitor = Some(janitor.expect("a thread can be had"));
    }

    fn entry_bytes(&self) -> Option<u64> {
        Some(self.cache.0.stats().live_bytes)
    }
}

impl Expiring for Moka<Bytes> {
    fn new(n_entries: usize, deadline: Instant) -> Self {
        Self::due_at(n_entries, deadline)
    }

    fn put(&self, idx: u64, _: Instant) {
        (&mut &*self).insert(&key(idx), &VALUE);
    }

    fn get(&self, idx: u64) {
        (&mut &*self).get(&key(idx));
    }

    fn add(&self, idx: u64) {
        (&mut &*self).insert(&key(idx), &VALUE);
    }

    fn begin(&mut self) {
        (&mut &*self).settled_len();
    }
}

impl Expiring for MiniMoka<Bytes> {
    fn new(n_entries: usize, deadline: Instant) -> Self {
        // The fill takes its time: the last entry is due a little later than the first.
        Self::with_ttl(n_entries, until(deadline))
    }

    fn put(&self, idx: u64, _: Instant) {
        (&mut &*self).insert(&key(idx), &VALUE);
    }

    fn get(&self, idx: u64) {
        (&mut &*self).get(&key(idx));
    }

    fn add(&self, idx: u64) {
        (&mut &*self).insert(&key(idx), &VALUE);
    }

    fn begin(&mut self) {
        (&mut &*self).settled_len();
    }
}

impl Expiring for Stretto<Bytes> {
    fn new(n_entries: usize, _: Instant) -> Self {
        Self::new(n_entries)
    }

    fn put(&self, idx: u64, deadline: Instant) {
        self.insert_for(&key(idx), &VALUE, until(deadline));
    }

    fn get(&self, idx: u64) {
        (&mut &*self).get(&key(idx));
    }

    fn add(&self, idx: u64) {
        (&mut &*self).insert(&key(idx), &VALUE);
    }

    fn begin(&mut self) {
        (&mut &*self).settled_len();
    }
}

fn until(deadline: Instant) -> Duration {
    let left = deadline.saturating_duration_since(now());
    left.max(Duration::from_millis(1))
}
