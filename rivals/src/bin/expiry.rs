//! A million entries due at one moment: `cargo run --release -p rivals --bin expiry -- [ENTRIES]`.
//!
//! # Idea         twice: first nobody calls and the allocator says how much came back within a second of the deadline; then one thread
//!   calls on, and the longest calls are compared with those of the time before the deadline
//! # Costs        about twenty seconds; real time, on the system's clock
//! # Invariants   every entry has the same deadline, to the grain of the clock
//! # Not here     peers: none has a thread that would give memory back

use std::thread;
use std::time::{Duration, Instant};

use larder::Janitor;
use rivals::contender::{Contender, Larder};
use rivals::counting::{self, Counting};
use rivals::keys::{Key, VALUE, key, run};
use rivals::time::now;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const INTERVAL: Duration = Duration::from_millis(50);
const WITHIN: Duration = Duration::from_secs(1);
/// From the first insert to the deadline: the fill, and a quiet second to compare with.
const UNTIL_DUE: Duration = Duration::from_secs(6);
const SHARE_GOAL: f64 = 0.99;
const LONGEST_GOAL: Duration = Duration::from_micros(100);

fn main() {
    let n_entries: usize = match std::env::args().nth(1).map(|argument| argument.parse()) {
        None => 1_000_000,
        Some(Ok(n_entries)) => n_entries,
        Some(Err(_)) => {
            eprintln!("usage: expiry [ENTRIES]");
            return;
        }
    };
    let mut n_lost = 0;
    n_lost += usize::from(!untouched(n_entries));
    n_lost += usize::from(!called(n_entries));
    println!("rows lost: {n_lost} of 2");
}

/// Fills a cache with entries that are all due at the moment that is returned.
fn filled(n_entries: usize, room: usize) -> (Larder, Instant) {
    let cache = Larder::new(room);
    let deadline = now() + UNTIL_DUE;
    for idx in 0..n_entries as u64 {
        let ttl = deadline
            .saturating_duration_since(now())
            .max(Duration::from_millis(1));
        let answer = cache.0.insert_with_ttl(&key(idx)[..], &VALUE[..], ttl);
        assert!(answer.is_ok(), "an entry this small is never refused");
    }
    if now() > deadline {
        println!(
            "the machine was too slow to fill the cache before the deadline: these figures are void"
        );
    }
    (cache, deadline)
}

fn untouched(n_entries: usize) -> bool {
    let empty = counting::held();
    let (cache, deadline) = filled(n_entries, n_entries * 5 / 4);
    let janitor = Janitor::start(&cache.0, INTERVAL).expect("a thread can be had");
    let n_full = cache.0.len();
    let full = counting::held();
    println!(
        "nobody calls: {n_full} entries, {} bytes, janitor each {INTERVAL:?}",
        full - empty
    );
    // Tables and the policy's memory are the cache's, not the entries'.
    let entries = cache.0.stats().live_bytes as f64;
    let share = |held: usize| full.saturating_sub(held) as f64 / entries;
    let mut after_max = None;
    for step in 1..=40 {
        let after = WITHIN * step / 20;
        thread::sleep((deadline + after).saturating_duration_since(now()));
        let held: f64 = share(counting::held());
        if step % 4 == 0 {
            println!(
                "  {:>5} ms after the deadline: {:>6.2} % of the entries' bytes given back, {:>6.2} % of all",
                after.as_millis(),
                100.0 * held.min(1.0),
                100.0 * held * entries / (full - empty) as f64
            );
        }
        if held >= SHARE_GOAL && after_max.is_none() {
            after_max = Some(after);
        }
    }
    let stats = cache.0.stats();
    println!(
        "  left: {} entries, {} live, {} garbage, {} structure bytes",
        stats.live_entries, stats.live_bytes, stats.garbage_bytes, stats.structure_bytes
    );
    janitor.stop();
    let is_held = after_max.is_some_and(|after| after <= WITHIN);
    let when = after_max.map_or_else(
        || "not within two seconds".to_owned(),
        |after| format!("after {after:?}"),
    );
    println!(
        "{}: {} % were back {when}, goal {WITHIN:?}",
        verdict(is_held),
        100.0 * SHARE_GOAL
    );
    is_held
}

fn called(n_entries: usize) -> bool {
    let (cache, deadline) = filled(n_entries, n_entries * 5 / 4);
    let janitor = Janitor::start(&cache.0, INTERVAL).expect("a thread can be had");
    let known = run(0, 100_000);
    let fresh = run(1 << 40, 100_000);
    let before = latencies(
        &cache,
        deadline - WITHIN,
        deadline - INTERVAL,
        &known,
        &fresh,
    );
    let during = latencies(&cache, deadline, deadline + WITHIN, &known, &fresh);
    janitor.stop();
    println!("calls by one thread, get and insert in turn, nanoseconds:");
    println!(
        "  {:<28} {:>9} {:>7} {:>7} {:>8} {:>9} {:>10}",
        "", "calls", "median", "p99", "p99.9", "p99.99", "longest"
    );
    for (name, times) in [
        ("in the second before", &before),
        ("in the second after", &during),
    ] {
        let at = |share: f64| {
            times
                .get(((times.len() as f64 * share) as usize).min(times.len() - 1))
                .copied()
                .unwrap_or(0)
        };
        println!(
            "  {name:<28} {:>9} {:>7} {:>7} {:>8} {:>9} {:>10}",
            times.len(),
            at(0.5),
            at(0.99),
            at(0.999),
            at(0.9999),
            at(1.0)
        );
    }
    let p9999 = Duration::from_nanos(during[(during.len() as f64 * 0.9999) as usize]);
    let is_held = p9999 <= LONGEST_GOAL;
    println!(
        "{}: p99.99 of a call while a million expire {p9999:?}, goal {LONGEST_GOAL:?}",
        verdict(is_held)
    );
    is_held
}

/// What each call took between the two moments, in order of length.
fn latencies(
    cache: &Larder,
    begin: Instant,
    end: Instant,
    known: &[Key],
    fresh: &[Key],
) -> Vec<u64> {
    let mut times = Vec::with_capacity(8_000_000);
    thread::sleep(begin.saturating_duration_since(now()));
    let mut cache = cache;
    let mut last = now();
    for idx in (0..known.len()).cycle() {
        if idx % 2 == 0 {
            cache.get(&known[idx]);
        } else {
            cache.insert(&fresh[idx], &VALUE);
        }
        let time = now();
        if times.len() < times.capacity() {
            times.push((time - last).as_nanos() as u64);
        }
        last = time;
        if time >= end {
            break;
        }
    }
    times.sort_unstable();
    times
}

fn verdict(is_held: bool) -> &'static str {
    if is_held { "held" } else { "LOST" }
}
