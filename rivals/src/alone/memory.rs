//! Bytes above key and value.
//!
//! # Idea         a cache is filled to its bound and then given three capacities of further new keys; what it holds then, less key and
//!   value of each entry, is what an entry costs: by the allocator, and by the pages that the process has
//! # Costs        up to a minute
//! # Invariants   ME1 everything the cache has asked of the allocator counts: tables, ghosts, sketch, queues, fixed parts
//! # Not here     time

use std::fs;
use std::time::Duration;

use super::Answer;
use crate::contender::{Contender, Foyer, Larder, MiniMoka, Moka, QuickCache, SccCache, TinyUfo};
use crate::counting;
use crate::keys::{KEY_BYTES, VALUE, VALUE_BYTES, key};
use crate::kind::Bytes;

const TTL: Duration = Duration::from_secs(3600);

/// Weighs a cache; every entry has a deadline where the cache has those.
pub(super) fn run(contender: &str, n_entries: usize) -> Result<Answer, String> {
    let n = n_entries;
    let answer = match contender {
        "larder" => {
            let before = counting::held();
            let (larder, mut answer) = weigh(n, || Larder::<[u8]>::with_ttl(n, TTL));
            answer.extend(account(&larder.0.stats(), counting::held() - before));
            answer
        }
        "quick_cache" => weigh(n, || QuickCache::<Bytes>::new(n)).1,
        "moka" => weigh(n, || Moka::<Bytes>::with_ttl(n, TTL)).1,
        "mini-moka" => weigh(n, || MiniMoka::<Bytes>::with_ttl(n, TTL)).1,
        "foyer" => weigh(n, || Foyer::<Bytes>::new(n)).1,
        "TinyUFO" => weigh(n, || TinyUfo::<Bytes>::new(n)).1,
        "scc" => weigh(n, || SccCache::<Bytes>::new(n)).1,
        _ => return Err(format!("there is no bounded cache {contender:?}")),
    };
    Ok(answer)
}

/// Fills a cache, churns it, and says what an entry takes.
fn weigh<C>(n_entries: usize, build: impl FnOnce() -> C) -> (C, Answer)
where
    for<'a> &'a C: Contender<Bytes>,
{
    let (asked, rounded, resident) = (counting::held(), counting::held_rounded(), resident());
    counting::reset_peak();
    let cache = build();
    for idx in 0..4 * n_entries as u64 {
        (&mut &cache).insert(&key(idx), &VALUE);
    }
    let n_live = (&mut &cache).settled_len();
    let above = |bytes: usize| bytes as f64 / n_live as f64 - (KEY_BYTES + VALUE_BYTES) as f64;
    let figures = [
        ("asked", above(counting::held() - asked)),
        ("rounded", above(counting::held_rounded() - rounded)),
        ("peak", above(counting::peak() - asked)),
        ("resident", above(self::resident().saturating_sub(resident))),
        ("entries", n_live as f64),
    ];
    let answer = figures.map(|(name, figure)| (name.to_owned(), figure));
    (cache, answer.into())
}

/// Where the engine's bytes go, by its own account, an entry.
fn account(stats: &larder::Stats, held: usize) -> Answer {
    let n_live = stats.live_entries as f64;
    let share = |bytes: u64| bytes as f64 / n_live;
    let charged = share(stats.live_bytes + stats.structure_bytes + stats.garbage_bytes);
    let figures = [
        (
            "charged to the entry",
            share(stats.live_bytes) - (KEY_BYTES + VALUE_BYTES) as f64,
        ),
        ("structure", share(stats.structure_bytes)),
        ("garbage", share(stats.garbage_bytes)),
        ("not charged", held as f64 / n_live - charged),
    ];
    figures
        .map(|(name, figure)| (format!("account: {name}"), figure))
        .into()
}

/// Bytes of the process that are in memory; none where the system doesn't tell.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    resident_pages(&text).unwrap_or(0) * PAGE_BYTES
}

fn resident_pages(statm: &str) -> Option<usize> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

const PAGE_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_word_of_statm_is_what_is_resident() {
        assert_eq!(resident_pages("5512 301 280 15 0 97 0\n"), Some(301));
        assert_eq!(resident_pages(""), None);
    }

    #[test]
    fn every_bounded_cache_can_be_weighed() {
        for contender in ["larder", "quick_cache", "foyer", "scc", "TinyUFO"] {
            let answer = run(contender, 200).unwrap();
            assert!(answer["entries"] > 0.0, "{contender}");
        }
    }
}
