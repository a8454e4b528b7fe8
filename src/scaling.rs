//! What operations write that other threads may write too, counted: the table of ARCHITECTURE.md.
//!
//! # Idea         the atomics of tests note what the thread writes; what isn't on the thread's own record is on a shared line
//! # Invariants   SC2 an operation is done before it is watched, so that what only its first time costs is over
//! # Not here     counts of `Arc` (`scope/tests`), lines that are written under a stripe's lock without atomics

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cache::Cache;
use crate::charter::Limits;
use crate::clock::ManualClock;
use crate::limits::{Rate, RateLimiter, Rates};
use crate::reclaim;
use crate::scope::Scope;
use crate::sync::counted::{How, Write, writes_of};

/// Writes of shared lines: locked instructions, plain stores, locks taken; and how many lines that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Shared {
    exchanges: usize,
    stores: usize,
    locks: usize,
    lines: usize,
}

const NOTHING: Shared = Shared {
    exchanges: 0,
    stores: 0,
    locks: 0,
    lines: 0,
};

/// Up when the value is handed out, down when the handle is dropped.
const THE_COUNT: Shared = Shared {
    exchanges: 2,
    stores: 0,
    locks: 0,
    lines: 1,
};

const LINE_BYTES: usize = 64;

/// What an operation writes on shared lines, once it has been done before.
fn shared(mut operation: impl FnMut()) -> Shared {
    operation();
    let own = {
        let hazard = reclaim::enter().expect("reads aren't nested here");
        let record = std::ptr::from_ref(hazard.record()).addr();
        record..record + size_of::<reclaim::Record>()
    };
    let writes = writes_of(&mut operation);
    let theirs = || writes.iter().filter(|write| !own.contains(&write.address));
    let count = |how| theirs().filter(|write: &&Write| write.how == how).count();
    let lines: BTreeSet<usize> = theirs().map(|write| write.address / LINE_BYTES).collect();
    Shared {
        exchanges: count(How::Exchange),
        stores: count(How::Store),
        locks: count(How::Lock),
        lines: lines.len(),
    }
}

/// A clock that stands still, so that no operation meets another deadline than the one before it.
fn cache() -> Cache<[u8]> {
    let cache = Cache::builder()
        .max_bytes(1 << 20)
        .clock(ManualClock::new())
        .build()
        .unwrap();
    for idx in 0..100u64 {
        cache.insert(idx, &[1; 64][..]).unwrap();
    }
    cache
        .insert_with_ttl("timed", &[1; 64][..], Duration::from_secs(60))
        .unwrap();
    cache
}

fn filled<'c>(scope: Scope<'c, [u8]>) -> Scope<'c, [u8]> {
    scope.insert(7u64, &[1; 64][..]).unwrap();
    scope
}

fn ample() -> Rates {
    Rates {
        operations: Some(Rate::per_second(1_000_000_000)),
        bytes: Some(Rate::per_second(1_000_000_000)),
    }
}

#[test]
fn a_look_in_place_and_a_miss_write_nothing_shared() {
    let cache = cache();
    let scope = filled(cache.scope("scope").unwrap());
    let check = |name: &str, operation: &mut dyn FnMut()| {
        assert_eq!(shared(operation), NOTHING, "{name}");
    };
    check("read", &mut || assert!(cache.read(7u64, |_| ()).is_some()));
    check("read, timed", &mut || {
        assert!(cache.read("timed", |_| ()).is_some());
    });
    check("contains_key", &mut || assert!(cache.contains_key(7u64)));
    check("ttl", &mut || assert!(cache.ttl("timed").is_some()));
    check("miss", &mut || assert!(cache.get(1000u64).is_none()));
    check("scope read", &mut || {
        assert!(scope.read(7u64, |_| ()).is_some());
    });
    check("scope asked for anew, read", &mut || {
        let scope = cache.scope("scope").unwrap();
        assert!(scope.read(7u64, |_| ()).is_some());
    });
    check("scope miss", &mut || assert!(scope.get(8u64).is_none()));
}

#[test]
fn a_hit_that_is_handed_out_writes_the_entrys_count_and_nothing_else() {
    let cache = cache();
    let scope = filled(cache.scope("scope").unwrap());
    let check = |name: &str, operation: &mut dyn FnMut()| {
        assert_eq!(shared(operation), THE_COUNT, "{name}");
    };
    check("get", &mut || assert!(cache.get(7u64).is_some()));
    check("get, timed", &mut || assert!(cache.get("timed").is_some()));
    check("peek", &mut || assert!(cache.peek(7u64).is_some()));
    check("scope get", &mut || assert!(scope.get(7u64).is_some()));
    check("scope asked for anew, get", &mut || {
        assert!(cache.scope("scope").unwrap().get(7u64).is_some());
    });
    check("get_or_insert_with", &mut || {
        let found = cache.get_or_insert_with(7u64, Duration::from_secs(1), || -> &[u8] {
            unreachable!("it is there")
        });
        assert!(found.is_ok());
    });
}

#[test]
fn a_write_takes_its_stripes_lock_once() {
    let cache = cache();
    let check = |name: &str, exchanges: usize, operation: &mut dyn FnMut()| {
        let found = shared(operation);
        assert_eq!(
            (found.locks, found.exchanges),
            (1, exchanges),
            "{name}: {found:?}"
        );
    };
    let mut keys = 1000u64..;
    check("insert, new", 0, &mut || {
        let key = keys.next().expect("keys don't end");
        assert!(cache.insert(key, &[1; 64][..]).is_ok());
    });
    // The old value is handed out, counted, and given back.
    check("insert, replace", 2, &mut || {
        assert!(cache.insert(7u64, &[2; 64][..]).is_ok());
    });
    let mut keys = 0u64..;
    check("remove", 2, &mut || {
        let key = keys.next().expect("keys don't end");
        assert!(cache.remove(key).is_some());
    });
    check("remove, absent", 0, &mut || {
        assert!(cache.remove(5000u64).is_none())
    });
}

#[test]
fn the_shared_counters_are_seldom_asked_while_there_is_room() {
    const N: usize = 64;
    let cache = cache();
    let mut keys = 1000u64..;
    let found = shared(|| {
        for key in keys.by_ref().take(N) {
            assert!(cache.insert(key, &[1; 64][..]).is_ok());
        }
    });
    assert_eq!(found.locks, N);
    // Some 200 bytes each, claimed by 4 KiB.
    assert!(found.exchanges <= N / 8, "{found:?}");
}

#[test]
fn an_insert_that_evicts_takes_two_locks_of_its_stripe() {
    const N: usize = 2048;
    let cache: Cache<[u8]> = Cache::builder()
        .max_entries(1000)
        .stripes(1)
        .hash_seeds([1, 2, 3, 4])
        .build()
        .unwrap();
    let mut keys = 0u64..;
    let found = shared(|| {
        for key in keys.by_ref().take(N) {
            assert!(cache.insert(key, &[1; 64][..]).is_ok());
        }
    });
    // That of the stripe, and that of the memory it keeps; then the victim's end, whose last count needs none. The rest is for batches,
    // each of which is looked at once and freed in pieces.
    assert!(found.locks <= 2 * N + N / 16, "{found:?}");
    assert!(found.exchanges <= N + N / 16, "{found:?}");
}

#[test]
fn an_expiry_takes_no_lock_of_its_own() {
    let [few, many] = [16, 32].map(expired);
    // 16 entries in a hold of the lock. Each is ended and given up by the stripe.
    assert!(many.locks <= few.locks + 2, "{few:?} {many:?}");
    assert!(
        many.exchanges <= few.exchanges + 2 * 16 + 4,
        "{few:?} {many:?}"
    );
}

/// What it takes to take so many due entries out of one stripe.
fn expired(n_entries: u64) -> Shared {
    let clock = ManualClock::new();
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(1 << 20)
        .stripes(1)
        .clock(clock.clone())
        .build()
        .unwrap();
    for idx in 0..n_entries + 1 {
        let ttl = Duration::from_secs(60 * (1 + idx.min(1)));
        cache.insert_with_ttl(idx, &[1; 64][..], ttl).unwrap();
    }
    let found = shared(|| {
        clock.advance(Duration::from_secs(70));
        while cache.maintain(1000).more {}
    });
    assert!(cache.is_empty());
    found
}

#[test]
fn an_admission_from_a_lease_is_one_exchange_and_a_refusal_writes_nothing() {
    let one = Shared {
        exchanges: 1,
        lines: 1,
        ..NOTHING
    };
    let limiter = RateLimiter::new(ample());
    // A period may end in between, and then it goes to the desk.
    let admits = || shared(|| assert!(limiter.check(1, 1).is_ok()));
    assert!((0..100).any(|_| admits() == one), "{:?}", admits());
    let scant = RateLimiter::new(Rates {
        operations: Some(Rate::per_day(1)),
        ..Rates::UNLIMITED
    });
    assert!(scant.check(1, 1).is_ok());
    assert_eq!(shared(|| assert!(scant.check(1, 1).is_err())), NOTHING);

    let cache: Cache<[u8]> = Cache::builder().max_bytes(1 << 20).build().unwrap();
    let limits = Limits {
        rates: ample(),
        ..Limits::default()
    };
    cache.create_tenant("tenant", limits).unwrap();
    let admits = || {
        shared(|| {
            let tenant = cache.tenant("tenant").unwrap();
            assert!(tenant.admit(1).is_ok());
        })
    };
    assert!((0..100).any(|_| admits() == one), "{:?}", admits());
}
