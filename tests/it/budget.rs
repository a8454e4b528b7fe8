//! Several caches below one bound.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use larder::{Budget, BuildError, Cache, Capacity, Clock, Limits, Nanos, Refusal, RemovalCause};

use super::tools::{SetAtEnd, ends, maintain_fully};

const BOUND: u64 = 8 << 20;

fn of(budget: &Budget) -> Cache<[u8]> {
    Cache::builder().budget(budget).stripes(4).build().unwrap()
}

/// Inserts values of a kilobyte until so many bytes were given.
fn fill(cache: &Cache<[u8]>, bytes: u64, check: impl Fn()) {
    for n in 0..bytes >> 10 {
        cache.insert(n, &[7; 1000][..]).unwrap();
        check();
    }
}

#[test]
fn what_one_cache_does_not_use_is_lent_and_comes_back_to_who_needs_its_share() {
    let budget = Budget::new(BOUND).unwrap();
    let (first, second) = (of(&budget), of(&budget));
    assert_eq!(budget.share_bytes(), BOUND / 2);
    let check = || {
        let both = first.weight() + second.weight();
        assert!(both <= BOUND, "{both} bytes are above {BOUND}");
        assert!(budget.used_bytes() <= BOUND);
    };
    fill(&first, 3 * BOUND, check);
    assert!(first.weight() > BOUND / 10 * 9, "{}", first.weight());
    fill(&second, 3 * BOUND, check);
    for cache in [&first, &second] {
        let weight = cache.weight();
        assert!(weight > BOUND / 10 * 4, "{weight} is well below the share");
        assert!(weight < BOUND / 10 * 6, "{weight} is well above the share");
    }
    // It has its share, and takes no more from the other.
    let before = first.weight();
    fill(&second, 3 * BOUND, check);
    assert!(first.weight() > before - BOUND / 20);
}

#[test]
fn what_was_cleared_or_has_expired_goes_to_the_others() {
    let budget = Budget::new(BOUND).unwrap();
    let (first, second) = (of(&budget), of(&budget));
    fill(&first, 3 * BOUND, || ());
    first.clear();
    maintain_fully(&first);
    assert!(budget.used_bytes() < BOUND / 4, "{budget:?}");
    fill(&second, 3 * BOUND, || ());
    assert!(second.weight() > BOUND / 10 * 9, "{}", second.weight());
}

#[test]
fn a_cache_that_ends_leaves_its_bytes_and_its_share_to_the_others() {
    let budget = Budget::new(BOUND).unwrap();
    let (first, second) = (of(&budget), of(&budget));
    fill(&first, 3 * BOUND, || ());
    drop(first);
    assert_eq!(budget.share_bytes(), BOUND);
    fill(&second, 3 * BOUND, || ());
    assert!(second.weight() > BOUND / 10 * 9, "{}", second.weight());
    drop(second);
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn a_bound_that_is_lowered_is_followed_by_all_and_one_that_is_raised_as_well() {
    let budget = Budget::new(BOUND).unwrap();
    let (first, second) = (of(&budget), of(&budget));
    fill(&first, 3 * BOUND, || ());
    fill(&second, 3 * BOUND, || ());
    budget.set_max_bytes(BOUND / 4).unwrap();
    assert_eq!(first.capacity(), Capacity::bytes(BOUND / 4));
    let begun = first.maintain(100);
    assert!(
        begun.more && begun.steps > 0,
        "a janitor goes on: {begun:?}"
    );
    maintain_fully(&first);
    maintain_fully(&second);
    let both = first.weight() + second.weight();
    assert!(both <= BOUND / 4, "{both} bytes are above {}", BOUND / 4);
    assert!(budget.used_bytes() <= BOUND / 4, "{budget:?}");
    assert!(!first.is_empty() && !second.is_empty());
    budget.set_max_bytes(2 * BOUND).unwrap();
    fill(&first, 3 * BOUND, || ());
    assert!(first.weight() > BOUND, "{}", first.weight());
}

#[test]
fn a_lowered_bound_is_followed_by_writes_too() {
    let budget = Budget::new(BOUND).unwrap();
    let (first, second) = (of(&budget), of(&budget));
    fill(&first, BOUND, || ());
    fill(&second, BOUND, || ());
    budget.set_max_bytes(BOUND / 2).unwrap();
    fill(&first, 3 * BOUND, || ());
    fill(&second, 3 * BOUND, || ());
    let both = first.weight() + second.weight();
    assert!(both <= BOUND / 2, "{both} bytes are above {}", BOUND / 2);
}

#[test]
fn the_bound_holds_under_threads_of_three_caches_of_different_values() {
    ends("three caches", || {
        let budget = Budget::new(BOUND).unwrap();
        let (bytes, text) = (of(&budget), Cache::<str>::builder().budget(&budget));
        let text = text.build().unwrap();
        let lists = Cache::<Vec<u64>>::builder().budget(&budget);
        let lists = lists
            .weigher(|_, list| 8 * list.capacity() as u64)
            .build()
            .unwrap();
        let done = AtomicBool::new(false);
        let n_looks = AtomicU64::new(0);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert!(budget.used_bytes() <= BOUND, "{budget:?}");
                    n_looks.fetch_add(1, Ordering::Relaxed);
                }
            });
            threads.spawn(|| {
                let _end = SetAtEnd(&done);
                std::thread::scope(|writers| {
                    writers.spawn(|| {
                        for n in 0..40_000_u64 {
                            let len = (n % 61) as usize * 100;
                            bytes.insert(n, &vec![1; len][..]).unwrap();
                        }
                    });
                    writers.spawn(|| {
                        for n in 0..40_000_u64 {
                            text.insert(n, "a text of some length").unwrap();
                            if n % 10_000 == 9_999 {
                                text.clear();
                            }
                        }
                    });
                    writers.spawn(|| {
                        for n in 0..2_000_u64 {
                            lists.insert(n, vec![n; 10_000]).unwrap();
                        }
                    });
                });
            });
        });
        assert!(n_looks.load(Ordering::Relaxed) > 0);
        let stats = [bytes.stats(), text.stats(), lists.stats()];
        assert!(stats.iter().all(|stats| stats.refused == 0), "{stats:?}");
        assert!(lists.stats().evicted > 0);
    });
}

#[test]
fn the_listener_hears_of_what_left_for_another_cache_and_may_use_that() {
    ends("a listener that writes elsewhere", || {
        let budget = Budget::new(1 << 20).unwrap();
        let second = of(&budget);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (ear, other) = (Arc::clone(&heard), second.clone());
        let first: Cache<[u8]> = Cache::builder()
            .budget(&budget)
            .stripes(1)
            .listener(move |key, _, cause| {
                ear.lock().unwrap().push(cause);
                other.insert(("left", key.to_string()), &[1][..]).unwrap();
            })
            .build()
            .unwrap();
        fill(&first, 900 << 10, || ());
        let before = heard.lock().unwrap().len();
        assert_eq!(before as u64, first.stats().evicted);
        fill(&second, 3 << 20, || ());
        let heard = heard.lock().unwrap();
        assert!(heard.len() > before + 100, "{} notices", heard.len());
        assert!(heard.iter().all(|&cause| cause == RemovalCause::Evicted));
        assert_eq!(heard.len() as u64, first.stats().evicted);
    });
}

#[test]
fn a_large_entry_is_given_room_by_a_cache_that_has_too_much() {
    let budget = Budget::new(BOUND).unwrap();
    let (first, second) = (of(&budget), of(&budget));
    fill(&first, 3 * BOUND, || ());
    second
        .insert("large", &vec![1; BOUND as usize / 4][..])
        .unwrap();
    assert!(second.weight() > BOUND / 4);
    assert!(first.weight() + second.weight() <= BOUND);
    // What can't ever fit is told with the largest that can.
    let larger = vec![1; BOUND as usize];
    let refused = second.insert("larger", &larger[..]);
    let refusal = refused.unwrap_err().refusal;
    assert!(matches!(refusal, Refusal::TooLarge { bytes_max, .. } if bytes_max < BOUND));
}

#[test]
fn guarantees_of_tenants_are_part_of_a_caches_share() {
    let budget = Budget::new(BOUND).unwrap();
    let first = of(&budget);
    let limits = Limits {
        guaranteed_bytes: BOUND / 10 * 6,
        ..Limits::default()
    };
    first.create_tenant("acme", limits).unwrap();
    let below = |error: BuildError| {
        let guaranteed = BOUND / 10 * 6;
        assert_eq!(error, BuildError::BelowGuarantees { guaranteed });
    };
    below(
        Cache::<[u8]>::builder()
            .budget(&budget)
            .build()
            .map(drop)
            .unwrap_err(),
    );
    below(budget.set_max_bytes(BOUND / 2).unwrap_err());
    assert_eq!(budget.share_bytes(), BOUND, "nothing has changed");
    assert_eq!(budget.max_bytes(), BOUND);
    assert!(first.delete_tenant("acme"));
    let second = of(&budget);
    fill(&second, BOUND, || ());
    assert_eq!(budget.share_bytes(), BOUND / 2);
}

#[test]
fn a_bound_beside_a_budget_is_refused_and_so_is_one_that_cannot_be_counted() {
    let budget = Budget::new(BOUND).unwrap();
    let both = Cache::<[u8]>::builder().budget(&budget).max_bytes(1 << 20);
    assert_eq!(both.build().map(drop), Err(BuildError::OfBudget));
    let cache = of(&budget);
    let changed = cache.set_capacity(Capacity::bytes(1 << 20));
    assert_eq!(changed, Err(BuildError::OfBudget));
    assert_eq!(cache.capacity(), Capacity::bytes(BOUND));
    let too_large = Budget::new(u64::MAX).map(drop).unwrap_err();
    assert!(matches!(too_large, BuildError::BoundTooLarge { .. }));
    assert_eq!(budget.set_max_bytes(u64::MAX), Err(too_large));
    let unweighed = Cache::<Vec<u8>>::builder().budget(&budget).build();
    assert_eq!(unweighed.map(drop), Err(BuildError::NoWeigher));
    // A cache that wasn't built has no share.
    assert_eq!(budget.share_bytes(), BOUND);
}

#[test]
fn a_budget_of_nothing_stores_nothing() {
    let budget = Budget::new(0).unwrap();
    let cache = of(&budget);
    let refused = cache.insert("key", &[1][..]).unwrap_err();
    assert_eq!(refused.refusal, Refusal::NoCapacity);
}

#[test]
fn entries_may_be_bounded_for_one_cache_of_a_budget() {
    let budget = Budget::new(BOUND).unwrap();
    let few: Cache<[u8]> = Cache::builder()
        .budget(&budget)
        .max_entries(10)
        .build()
        .unwrap();
    fill(&few, 1 << 20, || ());
    assert_eq!(few.len(), 10);
    few.set_capacity(Capacity::entries(20)).unwrap();
    fill(&few, 1 << 20, || ());
    assert_eq!(few.len(), 20);
    let neither = Cache::<[u8]>::builder().budget(&budget).build().unwrap();
    let other = neither.set_capacity(Capacity::entries(20));
    assert_eq!(other, Err(BuildError::OtherBound));
}

/// Panics while it is told to.
#[derive(Debug)]
struct Moody(Arc<AtomicBool>);

impl Clock for Moody {
    fn now(&self) -> Nanos {
        assert!(!self.0.load(Ordering::Relaxed), "it is out of order");
        Nanos(1)
    }
}

#[test]
fn f34_the_clock_of_another_cache_is_nothing_to_who_is_owed_its_bytes() {
    let budget = Budget::new(BOUND).unwrap();
    let mood = Arc::new(AtomicBool::new(false));
    let first: Cache<[u8]> = Cache::builder()
        .budget(&budget)
        .stripes(4)
        .clock(Moody(Arc::clone(&mood)))
        .build()
        .unwrap();
    fill(&first, 3 * BOUND, || ());
    let second = of(&budget);
    fill(&second, 100 << 10, || ());
    mood.store(true, Ordering::Relaxed);
    // Whatever it needs, it has to do without the other's bytes; some of its own leave instead.
    for n in 0..5_000_u64 {
        let done = catch_unwind(AssertUnwindSafe(|| {
            second.insert(n % 1_000, &[7; 1000][..])
        }));
        if let Ok(done) = done {
            done.unwrap();
        }
    }
    let panics = second.stats().panics;
    assert!(panics > 0, "the other's clock was asked");
    mood.store(false, Ordering::Relaxed);
    drop(first);
    second.clear();
    maintain_fully(&second);
    let left = second.stats();
    assert_eq!((left.live_entries, left.garbage_bytes), (0, 0), "{left:?}");
    let gone = left.replaced + left.evicted + left.removed + left.invalidated;
    assert_eq!(left.inserted, gone, "{left:?}");
}
