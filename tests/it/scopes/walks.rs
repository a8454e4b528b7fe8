//! Walks over a scope, while other things happen in it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use larder::{Cache, Iter, Scope};

use super::callbacks::Known;
use crate::tools::{Census, SetAtEnd, ends, maintain_fully};

/// Walks that are under way at once: more than a stripe remembers.
const N_WALKS: usize = 40;
/// Entries that stay. More than one hold of the lock names, so that each walk needs several.
const N_STAY: u64 = 300;

fn cache() -> Cache<u64> {
    Cache::builder()
        .max_entries(100_000)
        .stripes(1)
        .build()
        .unwrap()
}

/// Values from here on are those of entries that come and go.
const PASSING: u64 = 1 << 32;

fn fill(scope: &Scope<'_, u64>) {
    for n in 0..N_STAY {
        scope.insert(n, n).unwrap();
    }
}

/// What a walk has yielded, each with the number of times.
#[derive(Default)]
struct Seen(BTreeMap<u64, u32>);

impl Seen {
    fn note(&mut self, number: u64) {
        *self.0.entry(number).or_default() += 1;
    }

    /// All that stayed, and nothing twice.
    fn check(&self) {
        let stayed = self.0.range(..PASSING);
        assert_eq!(stayed.count(), N_STAY as usize);
        let twice: Vec<_> = self.0.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}

/// Walks that go on in turn; each yields what is to be yielded.
fn walk_in_turn(scope: &Scope<'_, u64>, n_walks: usize, mut between: impl FnMut()) {
    let mut walks: Vec<_> = (0..n_walks)
        .map(|_| (scope.iter(), Seen::default()))
        .collect();
    while !walks.is_empty() {
        between();
        walks.retain_mut(|(walk, seen)| match walk.next() {
            Some(entry) => {
                seen.note(*entry);
                true
            }
            None => {
                seen.check();
                false
            }
        });
    }
}

#[test]
fn more_walks_than_are_remembered_yield_each_entry_that_stays_once() {
    let cache = cache();
    let scope = cache.scope("s").unwrap();
    fill(&scope);
    for n_walks in [1, N_WALKS] {
        let mut rounds = 0..;
        walk_in_turn(&scope, n_walks, || {
            let n = rounds.next().unwrap();
            scope.insert(PASSING + n % 50, PASSING + n).unwrap();
            scope.remove(PASSING + (n * 7 + 3) % 50);
        });
    }
}

#[test]
fn walks_beside_a_writer_yield_each_entry_that_stays_once() {
    let cache = cache();
    let scope = cache.scope("s").unwrap();
    fill(&scope);
    let (is_over, n_changes) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|threads| {
        threads.spawn(|| {
            let own = cache.scope("s").unwrap();
            for n in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                own.insert(PASSING + n % 100, PASSING + n).unwrap();
                own.remove(PASSING + (n * 7) % 100);
                n_changes.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _over = SetAtEnd(&is_over);
        let mut is_met = false;
        while !is_met {
            let before = n_changes.load(Ordering::Relaxed);
            walk_in_turn(&scope, N_WALKS, || {});
            is_met = n_changes.load(Ordering::Relaxed) > before;
        }
    });
}

#[test]
fn a_walk_ends_though_each_step_adds_an_entry() {
    ends("a walk that its own loop feeds", || {
        for stripes in [1, 4] {
            let cache: Cache<u64> = Cache::builder()
                .max_entries(1 << 20)
                .stripes(stripes)
                .build()
                .unwrap();
            let scope = cache.scope("s").unwrap();
            fill(&scope);
            let mut seen = Seen::default();
            for (n, entry) in scope.iter().enumerate() {
                seen.note(*entry);
                let fresh = PASSING + n as u64;
                scope.insert(fresh, fresh).unwrap();
            }
            seen.check();
            let n_passes = scope.retain(|entry| {
                let fresh = PASSING * 2 + **entry;
                scope.insert(fresh, fresh).unwrap();
                false
            });
            assert!(n_passes >= N_STAY as usize);
        }
    });
}

#[test]
fn a_walk_that_is_dropped_midway_or_ended_by_an_invalidation_leaves_nothing_behind() {
    let (cache, census) = (
        Cache::builder()
            .max_entries(100_000)
            .stripes(1)
            .build()
            .unwrap(),
        Census::default(),
    );
    let scope = cache.scope("s").unwrap();
    let structure = |cache: &Cache<_>| {
        maintain_fully(cache);
        cache.stats().structure_bytes
    };
    for n in 0..N_STAY {
        scope.insert(n, census.value(n)).unwrap();
    }
    let before = structure(&cache);
    let mut walks: Vec<Iter<_>> = (0..20).map(|_| scope.iter()).collect();
    for walk in &mut walks {
        assert!(walk.by_ref().take(200).count() == 200);
    }
    assert!(
        structure(&cache) > before,
        "walks that are under way take room"
    );
    drop(walks);
    assert_eq!(structure(&cache), before);

    let mut walk = scope.iter();
    assert!(walk.next().is_some());
    scope.invalidate();
    // What was collected before may still come.
    assert!(walk.by_ref().count() <= 128);
    assert!(walk.next().is_none());
    drop(walk);
    assert_eq!(scope.iter().count(), 0);
    maintain_fully(&cache);
    assert_eq!(census.alive(), 0);
    assert!(structure(&cache) < before);
}

#[test]
fn a_clear_that_an_invalidation_cuts_short_leaves_no_walk_behind() {
    // Each value that leaves ends the scope that is being cleared.
    let known = Known::<u64>::default();
    let inside = known.clone();
    let cache: Cache<u64> = Cache::builder()
        .max_entries(100_000)
        .stripes(1)
        .listener(move |_, value, _| {
            if *value == 100 {
                inside.get().unwrap().scope("s").unwrap().invalidate();
            }
        })
        .build()
        .unwrap();
    known.set(Some(&cache));
    cache.scope("other").unwrap().insert("stays", 0).unwrap();
    let structure = [false, true].map(|is_cleared| {
        let scope = cache.scope("s").unwrap();
        fill(&scope);
        if is_cleared {
            scope.clear();
        } else {
            scope.invalidate();
        }
        assert!(scope.is_empty());
        maintain_fully(&cache);
        cache.stats().structure_bytes
    });
    assert_eq!(structure[0], structure[1]);
    known.set(None);
}
