//! Counters through the public API:
//! - each moves by its cause, of the cache, tenants, named caches and counted scopes (E-90); what isn't a use moves none;
//! - those of what is deleted stay in those above, and who is made anew begins at zero (E-92);
//! - `threads`: sums are exact once quiet, don't go down before (E-91), and nobody waits for who reads them (E-93).

mod threads;

use std::cell::RefCell;
use std::time::Duration;

use larder::{Cache, Limits, ManualClock, NamedCache, Scope, Stats, Tenant};

use crate::tools::{SEEDS, maintain_fully};

/// A cache of one stripe under a clock that is moved by hand.
fn by_hand() -> (Cache<[u8]>, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_bytes(1 << 20).stripes(1);
    let builder = builder.clock(clock.clone()).hash_seeds(SEEDS);
    (builder.build().unwrap(), clock)
}

/// Hits, misses of what is absent, misses of what has expired.
fn looked(stats: Stats) -> [u64; 3] {
    [stats.hits, stats.misses_absent, stats.misses_expired]
}

/// What came, and what left, by its cause.
fn changed(stats: Stats) -> [u64; 7] {
    [
        stats.inserted,
        stats.replaced,
        stats.removed,
        stats.expired,
        stats.evicted,
        stats.invalidated,
        stats.refused,
    ]
}

/// Each look-up that counts and each that doesn't, on any view: 5 hits, 6 misses, 2 of what has expired.
macro_rules! look {
    ($view:expr, $clock:expr) => {{
        let (view, clock): (_, &ManualClock) = ($view, $clock);
        view.insert("there", [1]).unwrap();
        let ttl = Duration::from_millis(500);
        view.insert_with_ttl("due", [2], ttl).unwrap();
        assert!(view.get("there").is_some() && view.get("absent").is_none());
        assert_eq!(view.read("there", <[u8]>::len), Some(1));
        assert_eq!(view.read("absent", <[u8]>::len), None);
        // A key that can't be in a cache is a miss, one by one and among others.
        assert!(view.get("").is_none() && view.get(["k"; 1].concat().repeat(70_000)).is_none());
        let many = view.get_many(&["there", "absent", "due", "", "there"]);
        assert_eq!(many.iter().flatten().count(), 3);
        clock.advance(ttl);
        assert!(view.get("due").is_none() && view.read("due", |_| ()).is_none());
        // None of these.
        assert!(view.peek("there").is_some() && view.peek("absent").is_none());
        assert!(view.contains_key("there") && !view.contains_key("due"));
        assert!(view.ttl("there").is_some() && view.iter().count() >= 1);
    }};
}

const LOOKED: [u64; 3] = [5, 6, 2];

fn times(n: u64) -> [u64; 3] {
    LOOKED.map(|count| n * count)
}

#[test]
fn look_ups_count_for_the_nearest_and_for_all_above() {
    let (cache, clock) = by_hand();
    look!(&cache, &clock);
    assert_eq!(looked(cache.stats()), LOOKED);
    assert_eq!(cache.stats().hit_ratio(), Some(5.0 / 13.0));
    assert_eq!(cache.stats().misses(), 8);

    let tenant = cache.create_tenant("t", Limits::default()).unwrap();
    let named = tenant.create_cache("c", Limits::default()).unwrap();
    look!(&tenant.default_cache().unwrap(), &clock);
    look!(&named, &clock);
    look!(&named.scope().scope("nested").unwrap(), &clock);
    look!(&cache.scope("free").unwrap(), &clock);
    look!(&tenant.admit(1).unwrap(), &clock);
    assert_eq!(looked(named.stats()), times(2));
    assert_eq!(looked(tenant.stats()), times(4));
    assert_eq!(looked(tenant.default_cache().unwrap().stats()), times(4));
    assert_eq!(looked(cache.stats()), times(6));
    let other = cache.create_tenant("u", Limits::default()).unwrap();
    assert_eq!(other.stats(), Stats::default());
}

#[test]
fn a_counted_scope_counts_what_goes_through_it() {
    let (cache, clock) = by_hand();
    let tenant = cache.create_tenant("t", Limits::default()).unwrap();
    let plain = tenant.default_cache().unwrap().scope();
    let plain = plain.scope("s").unwrap();
    assert_eq!(plain.stats(), None);
    let counted = plain.counted().unwrap();
    let own = |counted: &Scope<'_, [u8]>| counted.stats().unwrap();
    assert_eq!(own(&counted), Stats::default());
    look!(&counted, &clock);
    look!(&plain, &clock);
    let nested = counted.scope("nested").unwrap();
    assert_eq!(nested.stats(), None);
    look!(&nested, &clock);
    assert_eq!(looked(own(&counted)), times(2));
    assert_eq!(looked(tenant.stats()), times(3));
    // Entries are those of the scope, whoever wrote them.
    assert_eq!(own(&counted).live_entries, plain.len() as u64);

    // Another life of the scope, another handle to the view.
    counted.invalidate();
    assert_eq!(own(&counted).live_entries, 0);
    let owned = counted.clone().into_owned();
    look!(&owned, &clock);
    assert_eq!(looked(owned.stats().unwrap()), times(3));
    let inner = nested.counted().unwrap();
    look!(&inner, &clock);
    assert_eq!(looked(own(&inner)), LOOKED);
    assert_eq!(looked(own(&counted)), times(4));

    // One more of the same scope is another one, and what is dropped stays counted above.
    assert_eq!(looked(own(&plain.counted().unwrap())), [0; 3]);
    drop((counted, owned, nested, inner));
    assert_eq!(looked(cache.stats()), times(5));
    assert_eq!(looked(tenant.stats()), times(5));
    cache.delete_tenant("t");
    assert!(plain.counted().is_err());
}

/// Every cause once, in a named cache: 9 come, one of them in another's place.
fn change(
    cache: &Cache<[u8]>,
    tenant: &Tenant<'_, [u8]>,
    named: &NamedCache<'_, [u8]>,
    clock: &ManualClock,
) {
    let limits = tenant.limits().unwrap();
    named.insert("a", [1]).unwrap();
    named.insert("a", [2]).unwrap();
    named.insert("b", [3]).unwrap();
    named.remove("b").unwrap();
    named.insert("c", [4]).unwrap();
    assert!(named.remove_if("c", |_| true).is_some());
    let ttl = Duration::from_secs(1);
    named.insert_with_ttl("d", [5], ttl).unwrap();
    clock.advance(2 * ttl);
    maintain_fully(cache);
    named.insert("e", [6]).unwrap();
    assert!(named.peek("d").is_none());
    // Room for one more, whose place is another's.
    let max_bytes = Some(tenant.usage().bytes);
    tenant
        .set_limits(Limits {
            max_bytes,
            ..limits
        })
        .unwrap();
    assert!(named.insert("too large", vec![0; 100_000]).is_err());
    named.insert("f", [7]).unwrap();
    tenant.set_limits(limits).unwrap();
    named.flush();
    named.insert("g", [8]).unwrap();
    named.insert("h", [9]).unwrap();
    named.clear();
}

#[test]
fn changes_count_by_their_cause_at_each_level() {
    let (cache, clock) = by_hand();
    let tenant = cache.create_tenant("t", Limits::default()).unwrap();
    let named = tenant.create_cache("c", Limits::default()).unwrap();
    change(&cache, &tenant, &named, &clock);
    maintain_fully(&cache);
    // Inserted, replaced, removed, expired, evicted, invalidated, refused.
    let once = [9, 1, 2, 1, 1, 4, 1];
    assert_eq!(changed(named.stats()), once);
    assert_eq!(changed(tenant.stats()), once);
    assert_eq!(changed(cache.stats()), once);
    assert_eq!(
        (named.stats().live_entries, named.stats().live_bytes),
        (0, 0)
    );

    let other = tenant.create_cache("other", Limits::default()).unwrap();
    change(&cache, &tenant, &other, &clock);
    cache.insert("of nobody", [1]).unwrap();
    tenant.default_cache().unwrap().insert("k", [1]).unwrap();
    maintain_fully(&cache);
    assert_eq!(changed(named.stats()), once);
    assert_eq!(changed(other.stats()), once);
    let mut twice = once.map(|count| 2 * count);
    twice[0] += 1;
    assert_eq!(changed(tenant.stats()), twice);
    assert_eq!(tenant.stats().live_entries, 1);
    assert_eq!(tenant.stats().live_bytes, tenant.usage().bytes);
    twice[0] += 1;
    assert_eq!(changed(cache.stats()), twice);
}

/// E-92, at both levels; what was counted before stays in the counters above.
#[test]
fn who_is_made_anew_begins_at_zero() {
    let (cache, clock) = by_hand();
    for life in 1..=100u64 {
        let tenant = cache.create_tenant("t", Limits::default()).unwrap();
        assert_eq!(tenant.stats(), Stats::default());
        for life in 1..=3 {
            let named = tenant.create_cache("c", Limits::default()).unwrap();
            assert_eq!(named.stats(), Stats::default());
            look!(&named, &clock);
            named.clear();
            assert_eq!(looked(named.stats()), LOOKED);
            assert!(tenant.delete_cache("c"));
            let mut expected = times(life);
            expected[1] += 2 * (life - 1);
            assert_eq!(looked(tenant.stats()), expected);
            // What is looked up through a view of what is gone counts as well.
            assert!(named.get("there").is_none());
            assert_eq!(named.stats().misses_absent, LOOKED[1] + 1);
            assert!(named.insert("there", [1]).is_err());
            tenant.default_cache().unwrap().read("none", |_| ());
            let n_all = life * 13 + 2 * life;
            let stats = tenant.stats();
            assert_eq!(stats.hits + stats.misses(), n_all);
        }
        let stats = tenant.stats();
        let before = (stats.hits, stats.misses(), stats.inserted);
        assert_eq!(before, (15, 30, 6));
        assert!(cache.delete_tenant("t"));
        maintain_fully(&cache);
        let stats = cache.stats();
        assert_eq!(stats.hits + stats.misses(), life * 45);
        assert_eq!(stats.inserted, life * 6);
    }
}

#[test]
fn what_was_counted_since_an_earlier_snapshot_is_told_and_what_is_there_as_it_is() {
    let (cache, _) = by_hand();
    cache.insert("a", [1]).unwrap();
    cache.get("a");
    cache.get("b");
    let then = cache.stats();
    cache.insert("a", [2]).unwrap();
    cache.insert("b", [3]).unwrap();
    cache.get("b");
    cache.remove("a");
    let now = cache.stats();
    let since = now.since(&then);
    assert_eq!(looked(since), [1, 0, 0]);
    assert_eq!(changed(since), [2, 1, 1, 0, 0, 0, 0]);
    assert_eq!(since.live_entries, 1);
    assert_eq!(since.live_bytes, now.live_bytes);
    // Of snapshots the wrong way round, nothing.
    assert_eq!(changed(then.since(&now)), [0; 7]);
}

/// A cache under test, for a destructor that runs when its thread's other locals have ended.
struct AtEnd(Cache<[u8]>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.0.get("late");
    }
}

thread_local! {
    static AT_END: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
}

/// Nested look-ups, deeper than the thread has slots for, and those of an ending thread.
#[test]
fn nested_and_late_look_ups_count() {
    fn nest(cache: &Cache<[u8]>, depth: u64) {
        cache.read("key", |_| {
            if depth > 1 {
                nest(cache, depth - 1);
            }
        });
    }
    let (cache, _) = by_hand();
    cache.insert("key", [1]).unwrap();
    nest(&cache, 9);
    assert_eq!(looked(cache.stats()), [9, 0, 0]);
    let late = cache.clone();
    let thread = std::thread::spawn(move || {
        // Destructors run in the order in which locals were used first, or in its reverse: one of the two is late.
        AT_END.with(|_| ());
        late.get("key");
        AT_END.with(|at_end| at_end.replace(Some(AtEnd(late))));
    });
    thread.join().unwrap();
    assert_eq!(looked(cache.stats()), [10, 1, 0]);
}
