//! Each operation once, on each kind of value.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::{Cache, Capacity, Lookup, ManualClock, MissReason, Refusal, RemovalCause};

fn small() -> Cache<str> {
    Cache::builder().max_entries(100).build().unwrap()
}

#[test]
fn get_after_insert() {
    let cache = small();
    assert!(cache.insert("a", "1").unwrap().is_none());
    let old = cache.insert("a", "2").unwrap().unwrap();
    assert_eq!(&*old, "1");
    assert_eq!(cache.get("a").as_deref(), Some("2"));
    assert!(cache.get("a").unwrap().version() > old.version());
    assert_eq!(cache.read("a", str::len), Some(1));
    assert_eq!(cache.len(), 1);
    assert_eq!(cache.remove("a").as_deref(), Some("2"));
    assert!(cache.get("a").is_none());
    assert!(cache.remove("a").is_none());
}

#[test]
fn values_of_each_kind() {
    let bytes: Cache<[u8]> = Cache::builder().max_bytes(1 << 20).build().unwrap();
    bytes.insert(7u64, vec![1, 2, 3]).unwrap();
    let shared: bytes::Bytes = bytes.get(7u64).unwrap().into();
    assert_eq!(&shared[..], [1, 2, 3]);
    bytes.remove(7u64);
    assert_eq!(&shared[..], [1, 2, 3]);

    struct NoClone(String);
    let objects: Cache<NoClone> = Cache::builder().max_entries(10).build().unwrap();
    assert!(objects.insert("k", NoClone("x".into())).unwrap().is_none());
    assert_eq!(objects.get("k").unwrap().0, "x");
}

#[test]
fn many_entries_grow_the_table_and_are_all_found() {
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(1 << 30)
        .stripes(2)
        .build()
        .unwrap();
    for i in 0..50_000u64 {
        cache.insert(i, i.to_le_bytes()).unwrap();
    }
    for i in 0..50_000u64 {
        assert_eq!(cache.get(i).as_deref(), Some(&i.to_le_bytes()[..]), "{i}");
    }
    let keys: Vec<u64> = (0..1000).collect();
    assert!(cache.get_many(&keys).iter().all(Option::is_some));
    assert_eq!(cache.iter().count(), 50_000);
    assert_eq!(cache.retain(|entry| entry[0] % 2 == 0), 25_000);
    assert_eq!(cache.len(), 25_000);
    cache.clear();
    assert_eq!(cache.len(), 0);
    assert!(cache.get(4u64).is_none());
}

#[test]
fn a_full_cache_holds_its_bounds() {
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(1 << 20)
        .stripes(4)
        .build()
        .unwrap();
    for i in 0..100_000u64 {
        cache.insert(i, vec![0u8; (i % 300) as usize]).unwrap();
        assert!(cache.weight() <= 1 << 20);
    }
    assert!(cache.len() > 1000);
    cache.set_capacity(Capacity::bytes(1 << 18)).unwrap();
    while cache.maintain(1000).more {}
    assert!(cache.weight() <= 1 << 18);
    let entries: Cache<u64> = Cache::builder().max_entries(50).stripes(1).build().unwrap();
    for i in 0..1000u64 {
        entries.insert(i, i).unwrap();
        assert!(entries.len() <= 50);
        assert_eq!(entries.get(i).as_deref(), Some(&i));
    }
    assert_eq!(entries.len(), 50);
}

/// Also where no stripe was ever full, and what comes has the room of what was removed, with a time to live or without.
#[test]
fn writes_go_down_to_a_lowered_bound() {
    for (stripes, ttl) in [(1, None), (4, None), (1, Some(3600)), (4, Some(3600))] {
        let builder = Cache::<u64>::builder().max_entries(10_000);
        let cache = builder.stripes(stripes).build().unwrap();
        let insert = |key: u64| match ttl {
            Some(seconds) => cache.insert_with_ttl(key, key, Duration::from_secs(seconds)),
            None => cache.insert(key, key),
        };
        for i in 0..5_000u64 {
            insert(i).unwrap();
        }
        cache.set_capacity(Capacity::entries(1_000)).unwrap();
        for i in 0..2_000u64 {
            cache.remove(i);
            insert(10_000 + i).unwrap();
        }
        let len = cache.len();
        assert!(
            (900..=1_000).contains(&len),
            "{len} in {stripes}, time to live {ttl:?}"
        );
    }
}

#[test]
fn deadlines_are_kept() {
    let clock = ManualClock::new();
    let cache: Cache<str> = Cache::builder()
        .max_entries(10_000)
        .clock(clock.clone())
        .build()
        .unwrap();
    for i in 0..1000u64 {
        cache
            .insert_with_ttl(i, "x", Duration::from_secs(i + 1))
            .unwrap();
    }
    assert_eq!(cache.ttl(9u64), Some(Some(Duration::from_secs(10))));
    clock.advance(Duration::from_secs(500));
    for i in 0..1000u64 {
        assert_eq!(cache.contains_key(i), i >= 500, "{i}");
    }
    while cache.maintain(100).more {}
    assert!((500..=501).contains(&cache.len()), "{}", cache.len());
    assert!(cache.set_ttl(700u64, None).unwrap());
    assert!(!cache.set_ttl(7u64, None).unwrap());
    clock.advance(Duration::from_secs(5000));
    while cache.maintain(100).more {}
    assert_eq!(cache.len(), 1);
    assert_eq!(
        cache
            .insert_with_ttl("k", "v", Duration::ZERO)
            .unwrap_err()
            .refusal,
        Refusal::ZeroTtl
    );
}

/// Entries that all have a time to live, and their clock.
fn lasting(stripes: usize, n: u64, ttl: Duration) -> (ManualClock, Cache<u64>) {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_entries(1 << 20).stripes(stripes);
    let cache = builder.clock(clock.clone()).build().unwrap();
    for i in 0..n {
        cache.insert_with_ttl(i, i, ttl).unwrap();
    }
    (clock, cache)
}

#[test]
fn the_memory_of_deadlines_that_are_gone_comes_back_by_maintenance_to_its_end() {
    const N: u64 = 1 << 15;
    let (_clock, cache) = lasting(1, N, Duration::from_secs(3600));
    for i in (0..N).filter(|i| i % 16 != 0) {
        cache.remove(i);
    }
    let before = cache.stats().structure_bytes;
    while cache.maintain(64).more {}
    // A quarter of the records may be free, and a chunk, beside half of the table of chunks: of all records, more than nine in ten go.
    let back = before.saturating_sub(cache.stats().structure_bytes);
    assert!(back > N * 16 / 10 * 9, "{back} of {before}");
    assert_eq!(cache.len() as u64, N / 16);
}

/// In chunks of 256 records, the last of which stays.
#[test]
fn what_is_due_leaves_before_a_deadline_is_moved_to_give_memory_back() {
    const N: usize = 1 << 14;
    let (clock, cache) = lasting(1, N as u64, Duration::from_millis(10));
    clock.advance(Duration::from_millis(20));
    let mut steps = 0;
    loop {
        let done = cache.maintain(100);
        assert!(done.steps <= 100);
        steps += done.steps;
        if !done.more {
            break;
        }
    }
    assert_eq!(cache.len(), 0);
    let n_chunks = N / 256;
    assert!(
        (N + n_chunks - 2..=N + n_chunks).contains(&steps),
        "{steps}"
    );
}

#[test]
fn what_is_due_in_any_stripe_leaves_before_memory_is_given_back_in_another() {
    const N: u64 = 1 << 16;
    let (clock, cache) = lasting(16, N, Duration::from_secs(3600));
    for i in (0..N).filter(|i| i % 16 != 0) {
        cache.remove(i);
    }
    for i in N..N + 100 {
        cache
            .insert_with_ttl(i, i, Duration::from_millis(10))
            .unwrap();
    }
    clock.advance(Duration::from_millis(20));
    assert!(cache.maintain(150).more);
    assert_eq!(cache.len() as u64, N / 16);
}

#[test]
fn maintenance_by_single_steps_reaches_a_lowered_bound() {
    let cache = Cache::<u64>::builder().max_entries(1000).build().unwrap();
    for i in 0..1000u64 {
        cache.insert(i, i).unwrap();
    }
    cache.set_capacity(Capacity::entries(100)).unwrap();
    let n_calls = (0..10_000).take_while(|_| cache.maintain(1).more).count();
    assert!(n_calls < 10_000 && cache.len() <= 100, "{}", cache.len());
}

#[test]
fn the_listener_hears_of_each_value_once() {
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let ear = heard.clone();
    let cache: Cache<u64> = Cache::builder()
        .max_entries(10)
        .listener(move |_key, value, cause| ear.lock().unwrap().push((*value, cause)))
        .build()
        .unwrap();
    for i in 0..20u64 {
        cache.insert(i, i).unwrap();
    }
    cache.insert(19u64, 100).unwrap();
    cache.remove(19u64);
    let heard = heard.lock().unwrap();
    assert_eq!(
        heard
            .iter()
            .filter(|(_, cause)| *cause == RemovalCause::Evicted)
            .count(),
        10
    );
    assert!(heard.contains(&(19, RemovalCause::Replaced)));
    assert!(heard.contains(&(100, RemovalCause::Removed)));
}

#[test]
fn keys_that_come_once_take_little_room() {
    let builder = Cache::<str>::builder().max_entries(500).stripes(1);
    let cache = builder.hash_seeds([1, 2, 3, 4]).build().unwrap();
    let (mut n_hits, mut random) = (0, 1u64);
    let n_requests = 40_000;
    for request in 0..n_requests {
        random = random.wrapping_mul(6_364_136_223_846_793_005) + 1;
        let hot = (random >> 33) % 480;
        if cache.get(hot).is_some() {
            n_hits += u32::from(request >= n_requests / 2);
        } else {
            cache.insert(hot, "").unwrap();
        }
        cache.insert(1_000_000 + request, "").unwrap();
    }
    let hit_ratio = f64::from(n_hits) / (n_requests / 2) as f64;
    assert!(hit_ratio > 0.95, "{hit_ratio}");
}

#[test]
fn the_first_entry_of_a_stripe_comes_within_the_bound() {
    const BOUND: u64 = 64 << 10;
    for spare in (4600..5200).step_by(48) {
        let cache: Cache<[u8]> = Cache::builder()
            .max_bytes(BOUND)
            .stripes(16)
            .hash_seeds([1, 2, 3, 4])
            .build()
            .unwrap();
        let scope = cache.scope("scope").unwrap();
        // Nearly all is taken before most stripes have seen an entry.
        let large = vec![0; 63_000 - spare];
        if cache.insert("large", &large[..]).is_err() {
            continue;
        }
        for key in 0..100u64 {
            let _ = cache.insert(key, &[1; 8][..]);
            assert!(cache.weight() <= BOUND, "{spare}: {}", cache.weight());
            let _ = scope.insert(key, &[1; 8][..]);
            assert!(cache.weight() <= BOUND, "{spare}: {}", cache.weight());
        }
    }
}

#[test]
fn e47_a_value_is_shared_and_stays_as_it_was_stored() {
    let bytes: Cache<[u8]> = Cache::builder().max_bytes(1 << 20).build().unwrap();
    for len in [0, 1, 100, 40_000] {
        let mut buffer = vec![7u8; len];
        bytes.insert("k", &buffer[..]).unwrap();
        let (one, two) = (bytes.get("k").unwrap(), bytes.get("k").unwrap());
        // The writer's buffer is its own again, and both readers look at the same bytes.
        buffer.fill(9);
        assert!(std::ptr::eq(&*one, &*two));
        assert_eq!(&*one, &vec![7u8; len][..]);
        // Nor does it change for who holds it when the key gets another value, or none.
        bytes.insert("k", [1]).unwrap();
        bytes.clear();
        assert_eq!(&*two, &vec![7u8; len][..]);
    }
}

#[test]
fn e73_an_eviction_is_a_plain_miss_and_counted_as_one() {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_entries(10).stripes(1);
    let cache: Cache<u64> = builder.clock(clock).build().unwrap();
    for i in 0..30u64 {
        cache
            .insert_with_ttl(i, i, Duration::from_secs(60))
            .unwrap();
    }
    let stats = cache.stats();
    assert_eq!((stats.evicted, stats.expired), (20, 0));
    let reasons: Vec<_> = (0..30u64).map(|i| cache.lookup(i)).collect();
    let n_absent = reasons
        .iter()
        .filter(|found| matches!(found, Lookup::Miss(MissReason::Absent)))
        .count();
    assert_eq!(n_absent, 20);
    let n_hits = reasons
        .iter()
        .filter(|found| matches!(found, Lookup::Hit(_)))
        .count();
    assert_eq!(n_hits, 10);
}

/// A full cache whose every step is the same each time, and what it has evicted.
fn full_and_repeatable() -> (Cache<u64>, Arc<Mutex<Vec<u64>>>) {
    const ROOM: u64 = 2048;
    let evicted = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&evicted);
    let builder = Cache::builder().max_entries(ROOM).stripes(1);
    let cache: Cache<u64> = builder
        .hash_seeds([1, 2, 3, 4])
        .listener(move |_, value, cause| {
            if cause == RemovalCause::Evicted {
                told.lock().unwrap().push(*value);
            }
        })
        .build()
        .unwrap();
    for key in 0..3 * ROOM {
        cache.insert(key, key).unwrap();
    }
    assert_eq!(cache.len() as u64, ROOM);
    (cache, evicted)
}

#[test]
fn who_is_to_leave_next_is_replaced_all_the_same_and_one_of_others_leaves_for_it_at_most() {
    const NEW: u64 = u64::MAX;
    for n_before in 0..8 {
        let [next, (cache, evicted)] = [(); 2].map(|()| {
            let (cache, evicted) = full_and_repeatable();
            for new in 0..n_before {
                cache.insert(NEW - new, NEW - new).unwrap();
            }
            (cache, evicted)
        });
        next.0.insert(NEW / 2, 0).unwrap();
        let victim = *next.1.lock().unwrap().last().unwrap();
        let n_evicted = evicted.lock().unwrap().len();
        // The newcomer's victim is there yet in the cache that has not seen it.
        for round in 1..=3 {
            let old = cache.insert(victim, victim + round).unwrap();
            assert_eq!(old.as_deref(), Some(&(victim + round - 1)));
        }
        let evicted = evicted.lock().unwrap();
        assert!(evicted.len() <= n_evicted + 1);
        assert!(!evicted.contains(&victim));
    }
}
