//! What is left of scopes: nothing; and in which steps it goes.

use larder::Cache;

use crate::tools::maintain_fully;

/// Scopes that are used once; a million where that takes seconds, not minutes.
const N_SCOPES: u64 = if cfg!(debug_assertions) {
    50_000
} else {
    1_000_000
};

/// A cache that has had scopes before, so that what it keeps in any case is there.
fn used_cache(stripes: usize) -> Cache<u64> {
    let cache = Cache::builder()
        .max_bytes(1 << 30)
        .stripes(stripes)
        .build()
        .unwrap();
    for n in 0..2_000_u64 {
        let scope = cache.scope(("before", n)).unwrap();
        scope.insert("k", n).unwrap();
        scope.invalidate();
    }
    maintain_fully(&cache);
    cache
}

#[test]
fn a_million_scopes_that_are_used_once_leave_nothing_behind() {
    for ends in [
        "invalidate",
        "remove",
        "clear",
        "all at last",
        "never written",
    ] {
        let cache = used_cache(4);
        let (weight, before) = (cache.weight(), cache.stats());
        let mut weight_max = 0;
        for n in 0..N_SCOPES {
            let scope = cache.scope(("once", n)).unwrap();
            if ends != "never written" {
                scope.insert("k", n).unwrap();
            }
            match ends {
                "invalidate" => scope.invalidate(),
                "remove" => assert_eq!(scope.remove("k").as_deref(), Some(&n)),
                "clear" => scope.clear(),
                _ => assert!(scope.get("absent").is_none()),
            }
            weight_max = weight_max.max(if n % 1000 == 0 { cache.weight() } else { 0 });
        }
        let mut rest = 0;
        if ends == "all at last" {
            // The scopes live as long as their entries.
            assert_eq!(cache.retain(|_| false), N_SCOPES as usize);
            assert!(weight_max > weight + 100 * N_SCOPES / 2);
            // Of each kind of list, a stripe keeps a chunk; and the table keeps room for what it has just held, and its directories
            // for good: 20 bytes for each segment that the largest had room for, each of which had 192 entries at least.
            rest = (32 << 10) + N_SCOPES * 20 / 192;
            for _ in 0..N_SCOPES / 500 {
                cache.maintain(100);
            }
        } else {
            assert!(
                weight_max < weight + (1 << 18),
                "{ends}: {weight} grew to {weight_max}"
            );
        }
        maintain_fully(&cache);
        let after = cache.stats();
        assert_eq!((after.live_entries, after.live_bytes), (0, 0), "{ends}");
        assert_eq!(
            (after.garbage_bytes, after.unreachable_bytes),
            (0, 0),
            "{ends}"
        );
        assert!(
            after.structure_bytes <= before.structure_bytes + rest
                && cache.weight() <= weight + rest,
            "{ends}: {before:?}, {after:?}"
        );
    }
}

/// Entries of scopes that are ended.
const N_DEAD: u64 = if cfg!(debug_assertions) {
    20_000
} else {
    100_000
};

/// A cache in which so many entries are unreachable, in that many scopes; and another scope, with one entry.
fn cache_with_dead(n_scopes: u64) -> Cache<u64> {
    let cache = Cache::builder()
        .max_entries(1 << 20)
        .stripes(4)
        .build()
        .unwrap();
    let above = cache.scope("above").unwrap();
    for n in 0..N_DEAD {
        above.scope(n % n_scopes).unwrap().insert(n, n).unwrap();
    }
    cache.scope("lives").unwrap().insert("k", 1).unwrap();
    above.invalidate();
    cache
}

#[test]
fn maintenance_sweeps_as_many_as_its_budget_and_says_that_there_is_more() {
    for n_scopes in [1, 100, N_DEAD] {
        for budget in [10, 1000] {
            let cache = cache_with_dead(n_scopes);
            let (mut n_calls, mut n_looks) = (0, 0);
            loop {
                let before = cache.stats();
                let done = cache.maintain(budget);
                let after = cache.stats();
                let n_swept = after.invalidated - before.invalidated;
                assert!(done.steps <= budget, "{n_scopes}: {done:?} of {budget}");
                assert!(n_swept <= done.steps as u64, "{n_scopes}: {done:?}");
                n_looks += done.steps as u64 - n_swept;
                assert_eq!(before.live_entries - after.live_entries, n_swept);
                n_calls += 1;
                if !done.more {
                    break;
                }
                assert!(
                    n_swept > 0 || after.live_entries == 1,
                    "{n_scopes}: {after:?}"
                );
            }
            let stats = cache.stats();
            assert_eq!((stats.live_entries, stats.unreachable_bytes), (1, 0));
            // A look in vain is at the one scope that lives, with what was left of a budget.
            assert!(n_looks <= 2 * budget as u64, "{n_looks} looks in vain");
            let fewest = N_DEAD as usize / budget;
            assert!(
                (fewest..fewest + fewest / 10 + 10).contains(&n_calls),
                "{n_calls} calls"
            );
            assert!(cache.scope("lives").unwrap().contains_key("k"));
        }
    }
}

#[test]
fn writes_and_a_walk_over_everything_sweep_too() {
    let cache = cache_with_dead(100);
    for n in 0..N_DEAD / 3 {
        cache.insert(n, n).unwrap();
    }
    let stats = cache.stats();
    assert_eq!((stats.invalidated, stats.unreachable_bytes), (N_DEAD, 0));

    let cache = cache_with_dead(N_DEAD);
    assert_eq!(cache.iter().count(), 1);
    assert_eq!(cache.stats().invalidated, N_DEAD);
}

/// How many scopes a write looks at, to find out which have ended, before it evicts an entry of another.
const SEEN_PER_WRITE: u64 = 20;

/// Fills a cache with entries that are alive, in some scopes, and a fifth of others whose scope is then ended; then stores
/// new ones, fewer than those. Gives back how many of the living went for them.
fn n_living_evicted(stripes: usize, n_scopes: u64) -> u64 {
    const MAX: u64 = 10_000;
    let cache = Cache::builder()
        .max_entries(MAX)
        .stripes(stripes)
        .hash_seeds([1, 2, 3, 4])
        .build()
        .unwrap();
    for n in 0..MAX * 4 / 5 {
        cache
            .scope(("lives", n % n_scopes))
            .unwrap()
            .insert(n, n)
            .unwrap();
    }
    let dead = cache.scope("dead").unwrap();
    for n in 0..MAX / 5 {
        dead.insert(n, n).unwrap();
    }
    assert_eq!(cache.len() as u64, MAX - cache.stats().evicted);
    let before = cache.stats();
    dead.invalidate();
    for n in 0..MAX / 6 {
        cache.insert(("new", n), n).unwrap();
        assert!(cache.contains_key(("new", n)));
    }
    let after = cache.stats();
    assert!(after.invalidated - before.invalidated > MAX / 6);
    after.evicted - before.evicted
}

#[test]
fn e71_what_has_ended_leaves_before_anything_alive_is_evicted() {
    for stripes in [1, 4, 16] {
        for n_scopes in [1, 3, 10] {
            assert_eq!(
                n_living_evicted(stripes, n_scopes),
                0,
                "{stripes}, {n_scopes}"
            );
        }
        // Among many scopes, it has to be found first.
        for n_scopes in [100, 1000] {
            let n_evicted = n_living_evicted(stripes, n_scopes);
            let seen_before = stripes as u64 * (n_scopes / SEEN_PER_WRITE + 1);
            assert!(
                n_evicted <= seen_before,
                "{stripes}, {n_scopes}: {n_evicted}"
            );
        }
    }
}
