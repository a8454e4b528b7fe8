//! Two levels: a cache and a slower one that several processes share. Below: what comes late or at the same time (`races`),
//! failures (`outages`), changes that are told (`follow`), values that are no bytes (`codecs`), leases (`lease`), loaders behind both (`loads`, `overtaken`), and scopes in the level (`scopes`).

mod codecs;
mod follow;
mod lease;
mod loads;
mod outages;
mod overtaken;
mod races;
mod scopes;

use std::time::Duration;

use larder::{
    Cache, LevelCall, LevelMode, LevelOptions, LevelRefusal, LevelView, Levels, Limits, Lookup,
    ManualClock, MemoryLevel, MissReason, Tag, Ttl, WriteOptions,
};

use LevelMode::{L1, L1L2, L2};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A process: a cache, and what it has of the level.
struct Node {
    cache: Cache<[u8]>,
    levels: Levels,
}

impl Node {
    fn new(world: &World) -> Self {
        let cache = Cache::builder()
            .max_bytes(1 << 22)
            .clock(world.clock.clone())
            .build()
            .unwrap();
        let levels = Levels::new(world.level.clone(), b"test");
        Self { cache, levels }
    }

    fn view(&self, options: impl Into<LevelOptions>) -> LevelView<'_> {
        self.levels.view(self.cache.scope("s").unwrap(), options)
    }
}

/// What processes share.
struct World {
    clock: ManualClock,
    level: MemoryLevel,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new();
        let level = MemoryLevel::with_clock(clock.clone());
        Self { clock, level }
    }

    fn nodes<const N: usize>(&self) -> [Node; N] {
        std::array::from_fn(|_| Node::new(self))
    }

    fn calls(&self) -> [u64; 4] {
        use LevelCall::{Delete, End, Get, Set};
        [Get, Set, Delete, End].map(|call| self.level.calls(call))
    }
}

fn value(found: Lookup<[u8]>) -> Option<Vec<u8>> {
    found.entry().map(|entry| entry.to_vec())
}

fn get(view: &LevelView<'_>, key: &str) -> Option<Vec<u8>> {
    view.get(key).map(|entry| entry.to_vec())
}

fn reason(found: Lookup<[u8]>) -> MissReason {
    match found {
        Lookup::Miss(reason) => reason,
        found => panic!("{found:?} is no miss"),
    }
}

fn bytes(value: &[u8]) -> Option<Vec<u8>> {
    Some(value.to_vec())
}

#[test]
fn e50_mode_l1_never_asks_the_level_and_keeps_the_whole_time_to_live() {
    let world = World::new();
    let [node] = world.nodes();
    let view = node.view(L1);
    let put = view.put("k", b"v", MINUTE).unwrap();
    assert_eq!((put.in_l1, put.in_l2, put.error), (true, false, None));
    world.clock.advance(MINUTE - Duration::from_nanos(1));
    assert_eq!(get(&view, "k"), bytes(b"v"));
    assert_eq!(view.ttl("k"), Ok(Some(Duration::from_nanos(1))));
    world.clock.advance(Duration::from_nanos(1));
    assert!(get(&view, "k").is_none() && view.ttl("k").is_err());
    view.put("k", b"v", MINUTE).unwrap();
    assert_eq!(view.remove("k"), Ok(true));
    view.put("k", b"v", MINUTE).unwrap();
    view.purge().unwrap();
    assert!(view.get("k").is_none());
    // What looks and changes in one step is there, and only there.
    assert_eq!(
        view.atomic().unwrap().increment("n", 1, 0, Ttl::DEFAULT),
        Ok(1)
    );
    for mode in [L1L2, L2] {
        assert_eq!(node.view(mode).atomic().unwrap_err().mode, mode);
    }
    assert_eq!(world.calls(), [0; 4]);
}

#[test]
fn e51_a_put_goes_to_the_level_first_and_its_copy_stays_no_longer_than_it_may() {
    let world = World::new();
    let [node] = world.nodes();
    let view = node.view(L1L2);
    let here = node.cache.scope("s").unwrap();
    let hold = world.level.hold_before(LevelCall::Set);
    std::thread::scope(|scope| {
        let put = scope.spawn(|| view.put("k", b"v", MINUTE).unwrap());
        hold.wait();
        assert!(here.get("k").is_none());
        hold.release();
        let put = put.join().unwrap();
        assert_eq!((put.in_l1, put.in_l2, put.error), (true, true, None));
    });
    assert_eq!(here.ttl("k"), Some(Some(SECOND)));
    assert_eq!(view.ttl("k"), Ok(Some(MINUTE)));

    let short = Duration::from_millis(300);
    view.put("short", b"v", short).unwrap();
    assert_eq!(here.ttl("short"), Some(Some(short)));
    // A level that tells of others' writes.
    let tracked = node.view(LevelOptions::new(L1L2).l1_lifetime(None));
    tracked.put("long", b"v", MINUTE).unwrap();
    assert_eq!(here.ttl("long"), Some(Some(MINUTE)));
    tracked.put("ever", b"v", Ttl::NEVER).unwrap();
    assert_eq!(
        (here.ttl("ever"), tracked.ttl("ever")),
        (Some(None), Ok(None))
    );
    view.put("ever", b"v", Ttl::NEVER).unwrap();
    assert_eq!(
        (here.ttl("ever"), view.ttl("ever")),
        (Some(Some(SECOND)), Ok(None))
    );
}

#[test]
fn e51_the_level_alone_keeps_nothing_here() {
    let world = World::new();
    let [node] = world.nodes();
    let view = node.view(L2);
    let put = view
        .put("k", b"v", WriteOptions::new().ttl(MINUTE).tag(Tag::Json))
        .unwrap();
    assert_eq!((put.in_l1, put.in_l2), (false, true));
    world.clock.advance(SECOND);
    let entry = view.get("k").unwrap();
    assert_eq!((&*entry, entry.tag()), (&b"v"[..], Tag::Json));
    assert_eq!(entry.ttl(), Some(MINUTE - SECOND));
    assert_eq!(entry.key().to_string(), "k");
    assert!(node.cache.is_empty());
    assert_eq!(view.remove("k"), Ok(true));
    assert_eq!(view.remove("k"), Ok(false));
    assert_eq!(reason(view.lookup("k", SECOND)), MissReason::Absent);
}

#[test]
fn e52_a_fill_has_what_is_left_of_the_time_to_live() {
    let world = World::new();
    let [one, two] = world.nodes();
    let options = LevelOptions::new(L1L2).l1_lifetime(None);
    one.view(L1L2)
        .put(
            "k",
            b"v",
            WriteOptions::new().ttl(10 * SECOND).tag(Tag::Text),
        )
        .unwrap();
    world.clock.advance(4 * SECOND);
    let there = two.view(options);
    let entry = there.get("k").unwrap();
    assert_eq!((&*entry, entry.tag()), (&b"v"[..], Tag::Text));
    assert_eq!(
        two.cache.scope("s").unwrap().ttl("k"),
        Some(Some(6 * SECOND))
    );
    // From the copy.
    assert_eq!(world.level.calls(LevelCall::Get), 1);
    there.get("k").unwrap();
    assert_eq!(world.level.calls(LevelCall::Get), 1);
    // At the deadline it is absent everywhere.
    world.clock.advance(6 * SECOND - Duration::from_nanos(1));
    assert!(there.get("k").is_some() && one.view(L1L2).get("k").is_some());
    world.clock.advance(Duration::from_nanos(1));
    assert!(there.get("k").is_none() && one.view(L1L2).get("k").is_none());
}

#[test]
fn e48_typed_values_come_back_through_the_level() {
    let world = World::new();
    let [one, two] = world.nodes();
    let tags = [
        Tag::Bytes,
        Tag::Text,
        Tag::Boolean,
        Tag::Integer,
        Tag::Float,
        Tag::Json,
    ];
    for (number, tag) in (0..).zip(tags) {
        one.view(L1L2)
            .put(number, [0xFF, number as u8], tag)
            .unwrap();
        let entry = two.view(L1L2).get(number).unwrap();
        assert_eq!((&*entry, entry.tag()), (&[0xFF, number as u8][..], tag));
    }
    one.view(L1L2).put("empty", b"", Ttl::DEFAULT).unwrap();
    assert_eq!(get(&two.view(L2), "empty"), bytes(b""));
}

#[test]
fn e53_another_engine_sees_puts_at_once_and_changes_within_a_lifetime() {
    let world = World::new();
    let [one, two] = world.nodes();
    let (here, there) = (one.view(L1L2), two.view(L1L2));
    assert!(there.get("k").is_none());
    here.put("k", b"1", MINUTE).unwrap();
    assert_eq!(get(&there, "k"), bytes(b"1"));
    // One more after a part of the copy's life, so that an answer can't come from what was written just now.
    world.clock.advance(SECOND / 2);
    here.put("k", b"2", MINUTE).unwrap();
    assert_eq!(get(&here, "k"), bytes(b"2"));
    assert_eq!(get(&there, "k"), bytes(b"1"));
    world.clock.advance(SECOND / 2);
    assert_eq!(get(&there, "k"), bytes(b"2"));
    here.remove("k").unwrap();
    assert!(here.get("k").is_none());
    world.clock.advance(SECOND);
    assert!(there.get("k").is_none());
    here.put("k", b"3", MINUTE).unwrap();
    assert_eq!(get(&there, "k"), bytes(b"3"));
    here.purge().unwrap();
    world.clock.advance(SECOND);
    assert!(here.get("k").is_none() && there.get("k").is_none());
}

#[test]
fn e56_what_is_too_large_for_the_level_takes_the_older_record_with_it() {
    let world = World::new();
    let [one, two] = world.nodes();
    for (limit_of_level, mode) in [(true, L1L2), (false, L1L2), (true, L2)] {
        world.level.limit_values(limit_of_level.then_some(4));
        let own = (!limit_of_level).then_some(4);
        let options = LevelOptions::new(mode).value_bytes_max(own);
        let (here, there) = (one.view(options), two.view(options));
        let put = here.put("k", b"four", MINUTE).unwrap();
        assert!(put.in_l2);
        let put = here.put("k", b"above", MINUTE).unwrap();
        let value_bytes_max = 4;
        let error = larder::LevelError::TooLarge { value_bytes_max };
        assert_eq!(
            (put.in_l1, put.in_l2, put.error),
            (mode == L1L2, false, Some(error))
        );
        assert_eq!(get(&here, "k"), bytes(b"above").filter(|_| mode == L1L2));
        assert!(there.get("k").is_none());
        // Nothing older comes back when the copy ends.
        world.clock.advance(SECOND);
        assert!(here.get("k").is_none());
    }
    assert_eq!(one.levels.stats().too_large, 3);
}

#[test]
fn what_is_too_large_for_the_cache_is_in_the_level_alone() {
    let world = World::new();
    let [one, two] = world.nodes();
    let view = one.view(L1L2);
    view.put("k", b"old", MINUTE).unwrap();
    let large = vec![7; 5 << 20];
    let put = view.put("k", &large[..], MINUTE).unwrap();
    assert_eq!((put.in_l1, put.in_l2), (false, true));
    assert_eq!(get(&view, "k"), Some(large.clone()));
    assert_eq!(get(&two.view(L1L2), "k"), Some(large));
}

#[test]
fn what_the_cache_refuses_does_not_reach_the_level() {
    let world = World::new();
    let [node] = world.nodes();
    let limits = Limits {
        item_bytes_max: Some(10),
        ttl_max: Some(MINUTE),
        ..Limits::default()
    };
    let tenant = node.cache.create_tenant("t", limits).unwrap();
    let view = node
        .levels
        .view(tenant.default_cache().unwrap().scope(), L1L2);
    let refusal = |error: larder::LevelPutError<&[u8]>| error.refusal;
    let is_refused = |put: Result<_, larder::LevelPutError<&[u8]>>| {
        matches!(put.map_err(refusal), Err(LevelRefusal::Refused(_)))
    };
    assert!(is_refused(view.put("k", &b"more than ten"[..], MINUTE)));
    assert!(is_refused(view.put("k", &b"v"[..], 2 * MINUTE)));
    assert!(is_refused(view.put("k", &b"v"[..], Duration::ZERO)));
    assert!(is_refused(view.put("", &b"v"[..], MINUTE)));
    let kept = view.put("k", &b"v"[..], Ttl::KEEP).map_err(refusal);
    assert_eq!(kept, Err(LevelRefusal::KeepsTtl));
    assert_eq!(world.calls(), [0; 4]);
    // What isn't asked for is cut, in the level as well.
    view.put("k", b"v", Ttl::DEFAULT).unwrap();
    assert_eq!(view.ttl("k"), Ok(Some(MINUTE)));
}

#[test]
fn e90_lookups_at_the_level_are_counted_by_what_came_of_them() {
    let world = World::new();
    let [node] = world.nodes();
    let view = node.view(L2);
    view.put("k", b"v", SECOND).unwrap();
    assert_eq!(value(view.lookup("k", SECOND)), bytes(b"v"));
    assert_eq!(reason(view.lookup("l", SECOND)), MissReason::Absent);
    world.clock.advance(SECOND);
    assert_eq!(reason(view.lookup("k", SECOND)), MissReason::Absent);
    let stats = node.levels.stats();
    assert_eq!((stats.hits, stats.misses_absent, stats.puts), (1, 2, 1));
}
