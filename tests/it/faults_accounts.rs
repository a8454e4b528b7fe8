//! Faults 24 to 28, of `docs/faults.md`: the accounts.
//!
//! Fault 27 (the allocator refuses) needs an allocator of its own, and so a binary of its own: `tests/alloc.rs`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::scope;
use std::time::Duration;

use larder::{Cache, ManualClock, Refusal};

use crate::tools::{Census, Counted, maintain_fully, panics};

#[test]
fn f24_a_weigher_may_answer_anything() {
    // Nothing: entries are bounded by what they take themselves.
    let census = Census::default();
    let none: Cache<Counted> = Cache::builder()
        .max_bytes(1 << 18)
        .stripes(1)
        .weigher(|_, _| 0)
        .build()
        .unwrap();
    for i in 0..20_000u64 {
        none.insert(i, census.value(i)).unwrap();
    }
    assert!(
        none.weight() <= 1 << 18 && none.len() < 5_000 && none.len() > 500,
        "{}",
        none.len()
    );
    // Too much to count: refused, and the value comes back.
    for answer in [
        u64::MAX,
        u64::MAX - 15,
        1 << 62,
        u64::from(u32::MAX) << 4,
        1 << 19,
    ] {
        let huge: Cache<Counted> = Cache::builder()
            .max_bytes(1 << 18)
            .weigher(move |_, _| answer)
            .build()
            .unwrap();
        let error = huge.insert("k", census.value(9)).unwrap_err();
        assert!(
            matches!(error.refusal, Refusal::TooLarge { .. }),
            "{answer}: {error:?}"
        );
        assert_eq!(error.value.number, 9);
        assert_eq!((huge.len(), huge.stats().live_bytes), (0, 0));
    }
    // Another answer each time: it is asked once for each insert, and that answer is given back.
    let asked = AtomicU64::new(0);
    let asked = Arc::new(asked);
    let count = asked.clone();
    let moody: Cache<Counted> = Cache::builder()
        .max_bytes(1 << 18)
        .stripes(1)
        .weigher(move |_, _| (count.fetch_add(1, Ordering::Relaxed) * 7_919) % 5_000)
        .build()
        .unwrap();
    for i in 0..5_000u64 {
        moody.insert(i % 700, census.value(i)).unwrap();
        assert!(moody.weight() <= 1 << 18);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 5_000);
    moody.clear();
    maintain_fully(&moody);
    assert_eq!(
        (moody.stats().live_bytes, moody.stats().garbage_bytes),
        (0, 0)
    );
}

#[test]
fn f24_a_weigher_that_panics_leaves_the_cache_as_it_was() {
    let census = Census::default();
    let cache: Cache<Counted> = Cache::builder()
        .max_bytes(1 << 18)
        .weigher(|_, value: &Counted| {
            if value.number == 13 {
                panic!("thirteen")
            } else {
                100
            }
        })
        .build()
        .unwrap();
    cache.insert("k", census.value(1)).unwrap();
    let before = cache.stats();
    assert!(panics(|| drop(cache.insert("k", census.value(13)))));
    assert!(panics(|| drop(cache.insert("new", census.value(13)))));
    assert_eq!(cache.stats(), before);
    assert_eq!(
        census.alive(),
        1,
        "the values of the refused inserts have ended"
    );
    assert_eq!(cache.get("k").unwrap().number, 1);
    cache.insert("new", census.value(2)).unwrap();
    assert_eq!(cache.len(), 2);
}

#[test]
fn f25_an_entry_that_leaves_in_many_ways_at_once_is_given_back_once() {
    let clock = ManualClock::new();
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(1 << 17)
        .max_entries(300)
        .stripes(2)
        .clock(clock.clone())
        .build()
        .unwrap();
    scope(|scope| {
        for seed in 0..4u64 {
            let (cache, clock) = (&cache, &clock);
            scope.spawn(move || {
                for i in 0..4_000u64 {
                    // What is stored in one step is taken out in the next two, by whoever is first.
                    let key = |back: u64| i.saturating_sub(back) * (seed + 1) % 97;
                    match (i + seed) % 5 {
                        0 if i % 2 == 0 => drop(cache.remove(key(1))),
                        0 => {}
                        1 if i % 3 == 0 => drop(cache.remove_if(key(2), |_| true)),
                        1 => {}
                        2 => drop(cache.insert((seed, i), vec![0; 2_000])),
                        3 => {
                            clock.advance(Duration::from_millis(1));
                            cache.maintain(5);
                        }
                        _ => drop(cache.insert_with_ttl(
                            key(0),
                            [0; 50],
                            Duration::from_millis(1 + i % 5),
                        )),
                    }
                }
            });
        }
    });
    // At rest the accounts agree with a walk over what is there; and emptied, nothing is left of them.
    let stats = cache.stats();
    let left = stats.replaced + stats.evicted + stats.expired + stats.removed;
    assert_eq!(stats.inserted, stats.live_entries + left);
    assert!(
        stats.expired > 0 && stats.evicted > 0 && stats.removed > 0,
        "{stats:?}"
    );
    cache.clear();
    maintain_fully(&cache);
    let stats = cache.stats();
    assert_eq!(
        (stats.live_entries, stats.live_bytes, stats.garbage_bytes),
        (0, 0, 0)
    );
    // Claims that were lost or counted twice would leave less, or more, than the bound for the next ones.
    for i in 0..1_000u64 {
        cache.insert(i, [0; 10]).unwrap();
    }
    assert_eq!(cache.len(), 300);
}

#[test]
fn f26_every_value_ends_once_whatever_is_left_open_when_the_cache_ends() {
    let census = Census::default();
    let clock = ManualClock::new();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let ear = kept.clone();
    let cache: Cache<Counted> = Cache::builder()
        .max_entries(500)
        .clock(clock.clone())
        .listener(move |_, entry, _| {
            let mut kept = ear.lock().unwrap();
            if kept.len() < 10 {
                kept.push(entry);
            }
        })
        .build()
        .unwrap();
    for i in 0..900u64 {
        cache
            .insert_with_ttl(i, census.value(i), Duration::from_secs(1 + i))
            .unwrap();
    }
    let held = cache.get(899u64).unwrap();
    let removed = cache.remove(898u64).unwrap();
    let replaced = cache.insert(897u64, census.value(0)).unwrap().unwrap();
    clock.advance(Duration::from_secs(450));
    let mut walk = cache.iter();
    let seen = walk.next().unwrap();
    drop(cache);
    assert!(census.alive() > 100, "the walk keeps the cache");
    drop(walk);
    let kept = std::mem::take(&mut *kept.lock().unwrap());
    let handles = 4 + kept.len();
    assert!(
        census.alive() <= handles,
        "{} values for {handles} handles",
        census.alive()
    );
    assert_eq!(
        [held.number, removed.number, replaced.number],
        [899, 898, 897]
    );
    drop((held, removed, replaced, seen, kept));
    assert_eq!(census.alive(), 0);
}

#[test]
fn f28_memory_stays_flat_while_ever_new_keys_pass_through() {
    let clock = ManualClock::new();
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(1 << 18)
        .stripes(2)
        .clock(clock.clone())
        .build()
        .unwrap();
    for i in 0..90_000u64 {
        let ttl = Duration::from_millis(1 + i * 7_919 % 100_000);
        cache
            .insert_with_ttl(i, vec![0; (i * 31 % 400) as usize], ttl)
            .unwrap();
        clock.advance(Duration::from_millis(1));
        if i % 1_000 == 0 {
            // How many entries fit changes with what the policy prefers; what each costs does not. A slot at the lowest
            // occupancy takes 22 bytes and a wheel record 16; chunks and segments come whole, four kilobytes each.
            let stats = cache.stats();
            let bound = stats.live_entries * 44 + 2 * 4 * 4_500;
            assert!(
                stats.structure_bytes <= bound,
                "{stats:?} after {i} inserts"
            );
        }
    }
    assert!(cache.weight() <= 1 << 18);
}

#[test]
fn f21_a_large_update_that_fails_leaves_the_old_value() {
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(1 << 20)
        .stripes(1)
        .weigher(|_, value: &[u8]| {
            if value[0] == 13 {
                panic!("thirteen")
            } else {
                0
            }
        })
        .build()
        .unwrap();
    cache.insert("large", vec![1; 300_000]).unwrap();
    for i in 0..600u64 {
        cache.insert(i, vec![2; 1_000]).unwrap();
    }
    assert!(cache.contains_key("large"));
    // The room for it is made before it is built; the heaviest entry is the policy's first choice.
    assert!(panics(|| {
        let _ = cache.insert("large", vec![13; 400_000]);
    }));
    assert_eq!(cache.read("large", |value| value[0]), Some(1));
    assert!(cache.stats().evicted > 0, "room was made for it");
}
