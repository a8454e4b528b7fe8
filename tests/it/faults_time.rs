//! Faults 10 to 18, of `docs/faults.md`: time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::scope;
use std::time::Duration;

use larder::{
    BuildError, Cache, Janitor, ManualClock, Nanos, Refusal, RemovalCause, TtlChange, TtlError,
    WeakCache,
};

use crate::tools::{SetAtEnd, maintain_fully};

const SECOND: Duration = Duration::from_secs(1);
/// The wheel's grain.
const TICK: Duration = Duration::from_nanos(1 << 20);

fn timed() -> (ManualClock, Cache<u64>) {
    let clock = ManualClock::new();
    let cache = Cache::builder()
        .max_entries(1 << 20)
        .stripes(1)
        .clock(clock.clone())
        .build()
        .unwrap();
    (clock, cache)
}

#[test]
fn f10_a_ttl_of_zero_is_refused_everywhere_and_changes_nothing() {
    let (_clock, cache) = timed();
    cache.insert("k", 1).unwrap();
    let error = cache.insert_with_ttl("k", 2, Duration::ZERO).unwrap_err();
    assert_eq!((error.refusal, error.value), (Refusal::ZeroTtl, 2));
    assert_eq!(
        cache.set_ttl("k", Some(Duration::ZERO)),
        Err(TtlError::Zero)
    );
    assert_eq!(cache.get("k").as_deref(), Some(&1));
    assert_eq!(cache.ttl("k"), Some(None));
    for builder in [
        Cache::<u64>::builder().default_ttl(Duration::ZERO),
        Cache::<u64>::builder().time_to_idle(Duration::ZERO),
    ] {
        assert_eq!(
            builder.max_entries(1).build().unwrap_err(),
            BuildError::Ttl(TtlError::Zero)
        );
    }
}

#[test]
fn f11_the_longest_and_the_shortest_ttl_saturate() {
    for start in [0, 1, u64::MAX / 2, u64::MAX - 2, u64::MAX] {
        let (clock, cache) = timed();
        clock.set(Nanos(start));
        cache
            .insert_with_ttl("short", 1, Duration::from_nanos(1))
            .unwrap();
        cache.insert_with_ttl("long", 2, Duration::MAX).unwrap();
        cache
            .insert_with_ttl("years", 3, SECOND * 86_400 * 365 * 500)
            .unwrap();
        assert!(cache.contains_key("short"), "alive at {start}");
        assert_eq!(cache.ttl("long"), Some(None), "for ever");
        let changed = cache.decrease_ttl("long", SECOND * 86_400 * 365 * 500);
        assert_eq!(
            changed,
            Ok(TtlChange::NotSet),
            "500 years are for ever, and no shorter"
        );
        clock.advance(Duration::from_nanos(1));
        // What would expire 292 years after the clock's birth, or later, lives for ever.
        assert_eq!(
            cache.contains_key("short"),
            start >= u64::MAX / 2,
            "at {start}"
        );
        clock.advance(Duration::MAX);
        cache.maintain(100);
        assert_eq!(cache.get("long").as_deref(), Some(&2));
    }
}

#[test]
fn f12_at_its_deadline_a_value_is_gone_for_every_operation_though_no_wheel_has_turned() {
    for operation in 0..9 {
        let (clock, cache) = timed();
        cache.insert_with_ttl("k", 1, SECOND).unwrap();
        clock.advance(SECOND - Duration::from_nanos(1));
        assert!(cache.contains_key("k"));
        clock.advance(Duration::from_nanos(1));
        assert_eq!(cache.len(), 1, "nothing has taken it out yet");
        let found = match operation {
            0 => cache.get("k").is_some(),
            1 => cache.read("k", |_| ()).is_some(),
            2 => cache.peek("k").is_some(),
            3 => cache.get_many(&["k"])[0].is_some(),
            4 => cache.remove("k").is_some(),
            5 => cache.remove_if("k", |_| true).is_some(),
            6 => cache.set_ttl("k", None).unwrap(),
            7 => cache.iter().next().is_some(),
            _ => cache.insert("k", 2).unwrap().is_some(),
        };
        assert!(!found, "operation {operation}");
    }
}

#[test]
fn f12_the_deadline_that_is_checked_is_that_of_the_value_that_is_served() {
    let clock = ManualClock::new();
    let cache: Cache<u64> = Cache::builder()
        .max_entries(8)
        .clock(clock.clone())
        .build()
        .unwrap();
    let done = AtomicBool::new(false);
    let now = |clock: &ManualClock| larder::Clock::now(clock).0;
    scope(|scope| {
        let _done = SetAtEnd(&done);
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // The value is its own deadline.
                    let before = now(&clock);
                    if let Some(deadline) = cache.get("k") {
                        assert!(*deadline > before, "{} was served at {before}", *deadline);
                    }
                }
            });
        }
        for i in 0..30_000u64 {
            // A long one after a short one: a reader must not judge one by the other's deadline.
            let ttl = if i % 2 == 0 { 50 } else { 1_000_000 };
            cache
                .insert_with_ttl("k", now(&clock) + ttl, Duration::from_nanos(ttl))
                .unwrap();
            clock.advance(Duration::from_nanos(60));
        }
    });
}

#[test]
fn f13_nothing_expires_early() {
    let (clock, cache) = timed();
    for i in 1..2_000u64 {
        cache
            .insert_with_ttl(i, i, Duration::from_micros(i * i))
            .unwrap();
    }
    for at in 1..2_000u64 {
        clock.set(Nanos(at * at * 1000 - 1));
        cache.maintain(3);
        assert!(cache.contains_key(at), "{at} is due in a nanosecond");
        assert!(at == 1 || !cache.contains_key(at - 1));
    }
}

#[test]
fn f13_an_idle_deadline_counts_from_the_last_use_though_the_ttl_was_short_then() {
    let clock = ManualClock::new();
    let cache: Cache<u64> = Cache::builder()
        .max_entries(8)
        .clock(clock.clone())
        .time_to_idle(10 * SECOND)
        .build()
        .unwrap();
    cache.insert_with_ttl("k", 1, 15 * SECOND).unwrap();
    clock.advance(8 * SECOND);
    // A use at 8 s: idle from 18 s on, but for the 15 s of its time to live.
    assert!(cache.get("k").is_some());
    cache.set_ttl("k", None).unwrap();
    clock.advance(8 * SECOND);
    assert!(
        cache.contains_key("k"),
        "idle for 8 s of 10 s, and there is no time to live"
    );
    clock.advance(2 * SECOND);
    assert!(!cache.contains_key("k"));
}

#[test]
fn f14_deadlines_on_every_edge_of_the_wheel_are_kept_and_their_memory_comes_back() {
    let tick = TICK.as_nanos() as u64;
    // Level by level, one before the edge, on it, and one after it; then beyond the whole wheel.
    let edges = (0..7)
        .map(|level| tick << (6 * level))
        .flat_map(|edge| [edge - 1, edge, edge + 1]);
    let spans: Vec<u64> = edges
        .chain([tick * 63, tick * 64 * 63, 1 << 58, 1 << 60])
        .collect();
    for start in [0, tick - 1, tick * 64 - 1, tick * 4096 * 63 + 5] {
        for &span in &spans {
            let (clock, cache) = timed();
            clock.set(Nanos(start));
            cache.maintain(0);
            cache
                .insert_with_ttl("k", 1, Duration::from_nanos(span))
                .unwrap();
            // On the way many turns are skipped at once, half of the way first.
            for at in [start + span / 2, start + span - 1] {
                clock.set(Nanos(at));
                maintain_fully(&cache);
                assert!(
                    cache.contains_key("k"),
                    "start {start}, span {span}, at {at}"
                );
            }
            clock.set(Nanos(start + span));
            assert!(!cache.contains_key("k"), "start {start}, span {span}");
            clock.advance(TICK);
            maintain_fully(&cache);
            assert_eq!(cache.len(), 0, "start {start}, span {span}: stranded");
            assert_eq!(cache.stats().expired, 1);
        }
    }
}

#[test]
fn f14_an_expiry_that_files_the_same_key_again_is_told_each_time() {
    let clock = ManualClock::new();
    let (sender, receiver) = mpsc::channel();
    let again: std::sync::Arc<std::sync::OnceLock<WeakCache<u64>>> = std::sync::Arc::default();
    let handle = again.clone();
    let sender = std::sync::Mutex::new(sender);
    let cache: Cache<u64> = Cache::builder()
        .max_entries(100)
        .clock(clock.clone())
        .listener(move |_, value, cause| {
            if cause == RemovalCause::Expired {
                sender.lock().unwrap().send(*value).unwrap();
                let cache = handle.get().and_then(WeakCache::upgrade).unwrap();
                cache.insert_with_ttl("k", *value + 1, TICK).unwrap();
            }
        })
        .build()
        .unwrap();
    assert!(again.set(cache.downgrade()).is_ok());
    cache.insert_with_ttl("k", 0, TICK).unwrap();
    for round in 0..200u64 {
        assert_eq!(cache.get("k").as_deref(), Some(&round));
        clock.advance(2 * TICK);
        maintain_fully(&cache);
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [round]);
    }
}

#[test]
fn f15_an_entry_whose_deadline_was_moved_lives_by_the_new_one() {
    let (clock, cache) = timed();
    for i in 0..300u64 {
        cache.insert_with_ttl(i, i, SECOND).unwrap();
    }
    for i in 0..300u64 {
        match i % 5 {
            0 => assert!(cache.set_ttl(i, Some(3 * SECOND)).unwrap()),
            1 => assert!(cache.set_ttl(i, None).unwrap()),
            2 => assert!(cache.insert(i, i).unwrap().is_some()),
            3 => assert!(cache.remove(i).is_some()),
            _ => assert!(cache.set_ttl(i, Some(SECOND / 2)).unwrap()),
        }
    }
    // Their old records are gone, and others take the places.
    for i in 1000..1300u64 {
        cache.insert_with_ttl(i, i, 2 * SECOND).unwrap();
    }
    for (at, alive) in [
        (SECOND / 2, [0, 1, 2].as_slice()),
        (SECOND * 5 / 2, &[0, 1, 2]),
        (SECOND * 3, &[1, 2]),
    ] {
        clock.set(Nanos(at.as_nanos() as u64));
        maintain_fully(&cache);
        for i in 0..300u64 {
            assert_eq!(
                cache.contains_key(i),
                alive.contains(&(i % 5)),
                "{i} at {at:?}"
            );
        }
        for i in 1000..1300u64 {
            assert_eq!(cache.contains_key(i), at < 2 * SECOND);
        }
    }
}

#[test]
fn f16_a_clock_that_goes_back_stands_still_and_one_that_jumps_expires_in_bounded_steps() {
    for back in [
        Duration::from_nanos(1),
        SECOND,
        3600 * SECOND,
        SECOND * 86_400 * 365 * 100,
    ] {
        let (clock, cache) = timed();
        let start = Nanos(SECOND.as_nanos() as u64 * 7200);
        clock.set(start);
        cache.insert_with_ttl("dead", 1, SECOND).unwrap();
        cache.insert_with_ttl("alive", 2, 10 * SECOND).unwrap();
        clock.advance(SECOND);
        assert!(!cache.contains_key("dead"));
        clock.set(Nanos(start.0.saturating_sub(back.as_nanos() as u64)));
        assert!(
            !cache.contains_key("dead"),
            "revived by a clock set back by {back:?}"
        );
        assert_eq!(cache.ttl("alive"), Some(Some(9 * SECOND)));
        // A deadline that is set meanwhile counts from the latest time that was seen.
        cache.insert_with_ttl("new", 3, SECOND).unwrap();
        maintain_fully(&cache);
        clock.set(Nanos(start.0 + 2_000_000_000 - 1));
        assert!(cache.contains_key("new") && cache.contains_key("alive"));
        clock.set(Nanos(start.0 + 2_000_000_000));
        assert!(!cache.contains_key("new"));
        clock.advance(SECOND * 86_400 * 365 * 30);
        maintain_fully(&cache);
        assert_eq!((cache.len(), cache.stats().expired), (0, 3));
    }
}

#[test]
fn f17_work_for_many_that_fall_due_at_once_is_capped_and_goes_on_later() {
    const N: u64 = 30_000;
    let (clock, cache) = timed();
    for i in 0..N {
        cache.insert_with_ttl(i, i, SECOND).unwrap();
    }
    clock.advance(2 * SECOND);
    assert!((0..N).all(|i| cache.get(i).is_none()), "none is served");
    assert_eq!(cache.len() as u64, N, "readers take nothing out");
    // A write does little; a call of maintenance does what it was given.
    cache.insert("new", 0).unwrap();
    assert!(
        (1..=64).contains(&cache.stats().expired),
        "{:?}",
        cache.stats()
    );
    let mut before = cache.stats().expired;
    let mut calls = 0;
    while cache.maintain(500).more {
        let expired = cache.stats().expired;
        assert!(expired - before <= 500 && expired > before);
        (before, calls) = (expired, calls + 1);
    }
    assert!(calls >= 50);
    assert_eq!(cache.len(), 1);
}

#[test]
fn f18_e74_memory_of_an_idle_cache_comes_back_by_maintenance_and_by_the_janitor() {
    let clock = ManualClock::new();
    let (sender, receiver) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(1 << 26)
        .clock(clock.clone())
        .listener(move |_, _, cause| sender.lock().unwrap().send(cause).unwrap())
        .build()
        .unwrap();
    let janitor = Janitor::start(&cache, Duration::from_millis(1)).unwrap();
    // By the janitor: nobody else calls. More than once, so that no wake-up is lost.
    for _ in 0..3 {
        for i in 0..500u64 {
            cache.insert_with_ttl(i, [0; 100], SECOND).unwrap();
        }
        clock.advance(2 * SECOND);
        for _ in 0..500 {
            assert_eq!(
                receiver.recv_timeout(20 * SECOND),
                Ok(RemovalCause::Expired)
            );
        }
    }
    janitor.stop();
    for i in 0..500u64 {
        cache.insert_with_ttl(i, [0; 100], SECOND).unwrap();
    }
    clock.advance(2 * SECOND);
    maintain_fully(&cache);
    let stats = cache.stats();
    assert_eq!(
        (stats.live_entries, stats.live_bytes, stats.garbage_bytes),
        (0, 0, 0)
    );
    // A janitor ends with its cache, and its handle can still be dropped.
    let janitor = Janitor::start(&cache, Duration::from_millis(1)).unwrap();
    drop(cache);
    crate::tools::ends("stopping a janitor", move || janitor.stop());
}
