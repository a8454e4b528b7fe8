//! Bytes above key and value: `cargo run --release -p rivals --bin memory -- [ENTRIES]`.
//!
//! # Idea         each cache in turn is filled to its bound and then given three capacities of further new keys, behind a counting
//!   allocator; what it holds then, less key and value of each entry, is what an entry costs
//! # Costs        a minute
//! # Invariants   everything the cache has asked of the allocator counts: tables, ghosts, sketch, queues, fixed parts
//! # Not here     time

use std::time::Duration;

use rivals::contender::{Contender, Foyer, Larder, Moka, QuickCache, SccCache};
use rivals::counting::{self, Counting};
use rivals::keys::{KEY_BYTES, VALUE, VALUE_BYTES, key};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const GOAL: f64 = 112.0;
const TTL: Duration = Duration::from_secs(3600);

fn main() {
    let n_entries: usize = match std::env::args().nth(1).map(|argument| argument.parse()) {
        None => 1_000_000,
        Some(Ok(n_entries)) => n_entries,
        Some(Err(_)) => {
            eprintln!("usage: memory [ENTRIES]");
            return;
        }
    };
    println!(
        "bytes an entry above {KEY_BYTES} B key and {VALUE_BYTES} B value; bound: {n_entries} entries, after three capacities of churn"
    );
    println!(
        "{:<20} {:>9} {:>9} {:>12} {:>9}",
        "cache", "entries", "asked", "with malloc", "peak"
    );
    let before = counting::held();
    let (larder, cost) = weigh("larder, ttl", n_entries, || {
        Larder::with_ttl(n_entries, TTL)
    });
    let held = counting::held() - before;
    let stats = larder.0.stats();
    drop(larder);
    weigh("quick_cache, no ttl", n_entries, || {
        QuickCache::new(n_entries)
    });
    weigh("scc, no ttl", n_entries, || SccCache::new(n_entries));
    weigh("foyer, no ttl", n_entries, || Foyer::new(n_entries));
    weigh("moka, ttl", n_entries, || Moka::with_ttl(n_entries, TTL));
    print_budget(&stats, held);
    let verdict = if cost <= GOAL { "held" } else { "LOST" };
    println!("{verdict}: larder {cost:.1} B an entry, goal {GOAL}");
}

/// Fills a cache, churns it, prints a line, and gives the cache and its bytes an entry above key and value.
fn weigh<C>(name: &str, n_entries: usize, build: impl FnOnce() -> C) -> (C, f64)
where
    for<'a> &'a C: Contender,
{
    let (asked, rounded) = (counting::held(), counting::held_rounded());
    counting::reset_peak();
    let cache = build();
    for idx in 0..4 * n_entries as u64 {
        (&mut &cache).insert(&key(idx), &VALUE);
    }
    let n_live = (&mut &cache).settled_len();
    let above = |bytes: usize| bytes as f64 / n_live as f64 - (KEY_BYTES + VALUE_BYTES) as f64;
    let cost = above(counting::held() - asked);
    println!(
        "{name:<20} {n_live:>9} {cost:>9.1} {:>12.1} {:>9.1}",
        above(counting::held_rounded() - rounded),
        above(counting::peak() - asked)
    );
    (cache, cost)
}

/// Where the engine's bytes go, by its own account, beside what the allocator says.
fn print_budget(stats: &larder::Stats, held: usize) {
    let n_live = stats.live_entries as f64;
    let share = |bytes: u64| bytes as f64 / n_live;
    let key_value = (KEY_BYTES + VALUE_BYTES) as f64;
    let charged = stats.live_bytes + stats.structure_bytes + stats.garbage_bytes;
    println!("\nlarder's budget, bytes an entry:");
    let lines = [
        ("key", KEY_BYTES as f64),
        ("value", VALUE_BYTES as f64),
        (
            "charged to the entry above them",
            share(stats.live_bytes) - key_value,
        ),
        ("structure beyond the charges", share(stats.structure_bytes)),
        ("garbage", share(stats.garbage_bytes)),
        ("charged in all", share(charged)),
        ("handed out by the allocator", held as f64 / n_live),
        (
            "handed out but not charged",
            (held as f64 - charged as f64) / n_live,
        ),
    ];
    for (what, bytes) in lines {
        println!("  {what:<34} {bytes:>8.2}");
    }
}
