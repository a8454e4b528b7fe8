//! Values that are no bytes, through a level: what their codec writes and refuses.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use larder::{Codec, CodecError, LevelError, Loaded, Serde, Stats};

use super::*;

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct User {
    name: String,
    age: u8,
}

fn user(name: &str, age: u8) -> Serde<User> {
    let name = name.to_owned();
    Serde(User { name, age })
}

/// A process whose cache holds values of a type.
struct Typed<V: Codec + ?Sized> {
    cache: Cache<V>,
    levels: Levels,
}

impl<V: Codec + ?Sized> Typed<V> {
    fn new(world: &World) -> Self {
        let clock = world.clock.clone();
        let cache = Cache::builder().max_entries(1000).clock(clock);
        Self {
            cache: cache.build().unwrap(),
            levels: Levels::new(world.level.clone(), b"test"),
        }
    }

    fn view(&self, options: impl Into<LevelOptions>) -> LevelView<'_, V> {
        self.levels.view(self.cache.scope("s").unwrap(), options)
    }
}

thread_local! {
    /// What decoding takes, by this clock.
    static DECODES: RefCell<Option<(ManualClock, Duration)>> = const { RefCell::new(None) };
}

/// A value that takes long to decode.
struct Slow;

impl Codec for Slow {
    const NAME: &'static str = "slow";
    type Decoded<'a> = Slow;

    fn encode(&self, _out: &mut Vec<u8>) -> Result<(), CodecError> {
        Ok(())
    }

    fn decode(_bytes: &[u8]) -> Result<Slow, CodecError> {
        if let Some((clock, takes)) = DECODES.take() {
            clock.advance(takes);
        }
        Ok(Slow)
    }
}

#[test]
fn e52_what_takes_long_to_decode_ends_with_its_record() {
    let world = World::new();
    let [one, two] = [(); 2].map(|()| Typed::<Slow>::new(&world));
    let options = LevelOptions::new(L1L2).l1_lifetime(None);
    one.view(options).put("k", Slow, 10 * SECOND).unwrap();
    DECODES.set(Some((world.clock.clone(), 4 * SECOND)));
    assert!(two.view(options).get("k").is_some());
    let here = two.cache.scope("s").unwrap();
    assert_eq!(here.ttl("k"), Some(Some(6 * SECOND)));
}

#[test]
fn e52_values_of_a_type_go_through_the_level_with_what_is_left_of_their_time() {
    let world = World::new();
    let [one, two] = [(); 2].map(|()| Typed::<Serde<User>>::new(&world));
    let options = WriteOptions::new().ttl(10 * SECOND).tag(Tag::Json);
    let put = one.view(L1L2).put("ada", user("Ada", 36), options).unwrap();
    assert_eq!((put.in_l1, put.in_l2, put.error), (true, true, None));
    world.clock.advance(4 * SECOND);
    for mode in [L2, L1L2] {
        let there = two.view(LevelOptions::new(mode).l1_lifetime(None));
        let entry = there.get("ada").unwrap();
        assert_eq!((&*entry, entry.tag()), (&user("Ada", 36), Tag::Json));
        assert_eq!(entry.ttl(), Some(6 * SECOND));
        assert_eq!(there.ttl("ada"), Ok(Some(6 * SECOND)));
    }
    // A copy is here, and ends when its record does.
    let gets = world.level.calls(LevelCall::Get);
    assert_eq!(two.view(L1L2).get("ada").unwrap().age, 36);
    assert_eq!(world.level.calls(LevelCall::Get), gets);
    world.clock.advance(6 * SECOND);
    assert!(two.view(L1L2).get("ada").is_none());
    let stats = two.levels.stats();
    assert_eq!((stats.misses_corrupt, stats.undecodable), (0, 0));
}

#[test]
fn e53_changes_and_purges_of_values_of_a_type_are_seen_on_the_other_side() {
    let world = World::new();
    let [one, two] = [(); 2].map(|()| Typed::<Serde<User>>::new(&world));
    let (here, there) = (one.view(L1L2), two.view(L1L2));
    here.put("ada", user("Ada", 36), MINUTE).unwrap();
    assert_eq!(there.get("ada").unwrap().age, 36);
    here.put("ada", user("Ada", 37), MINUTE).unwrap();
    world.clock.advance(SECOND);
    assert_eq!(there.get("ada").unwrap().age, 37);
    here.remove("ada").unwrap();
    world.clock.advance(SECOND);
    assert!(there.get("ada").is_none());
    here.put("ada", user("Ada", 38), MINUTE).unwrap();
    there.purge().unwrap();
    world.clock.advance(SECOND);
    assert!(here.get("ada").is_none() && there.get("ada").is_none());
}

#[test]
fn e46_values_of_a_type_are_loaded_by_one_caller_and_found_by_the_other_process() {
    let world = World::new();
    let [one, two] = [(); 2].map(|()| Typed::<Serde<User>>::new(&world));
    let (n_loads, begin) = (AtomicU64::new(0), Barrier::new(8));
    let view = one.view(L1L2);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                begin.wait();
                let found = view.get_or_load("ada", MINUTE, || {
                    n_loads.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, ()>(Loaded::Value(user("Ada", 36)))
                });
                assert_eq!(found.unwrap().unwrap().age, 36);
            });
        }
    });
    assert_eq!(n_loads.into_inner(), 1);
    for mode in [L1L2, L2] {
        let never = || -> Result<Loaded<Serde<User>>, ()> { panic!("it is in the level") };
        let found = two.view(mode).get_or_load("ada", MINUTE, never);
        assert_eq!(found.unwrap().unwrap().age, 36);
    }
    // What is stale is loaded anew, and the loader's failure leaves it.
    let stale = WriteOptions::new().ttl(Ttl::after(SECOND).stale(MINUTE));
    for (key, age) in [("old", 1), ("older", 2)] {
        let (here, there) = (one.view(L2), two.view(L1L2));
        here.put(key, user("Ada", 1), stale).unwrap();
        world.clock.advance(2 * SECOND);
        let load = || match age {
            1 => Err(()),
            _ => Ok(Loaded::Value(user("Ada", age))),
        };
        let found = there.get_or_load(key, stale, load).unwrap();
        assert_eq!(found.unwrap().age, age);
        assert_eq!(here.get(key).unwrap().age, age);
    }
}

#[test]
fn e57_what_another_codec_wrote_is_a_corrupt_record_until_the_next_put() {
    let world = World::new();
    let users = Typed::<Serde<User>>::new(&world);
    let texts = Typed::<str>::new(&world);
    let bytes = Typed::<[u8]>::new(&world);
    for mode in [L1L2, L2] {
        texts.view(mode).put("k", "text", MINUTE).unwrap();
        // These are a text's bytes, and a user's as well.
        let looked = users.view(mode).lookup("k", SECOND);
        assert!(matches!(looked, Lookup::Miss(MissReason::Corrupt)));
        assert_eq!(users.view(L2).ttl("k"), Err(MissReason::Corrupt));
        assert_eq!(
            reason(bytes.view(mode).lookup("k", SECOND)),
            MissReason::Corrupt
        );
        assert_eq!(&*texts.view(L2).get("k").unwrap(), "text");
        // A loader's value takes its place.
        let loads = || Ok::<_, ()>(Loaded::Value(user("Ada", 36)));
        let found = users.view(mode).get_or_load("k", MINUTE, loads).unwrap();
        assert_eq!(found.unwrap().age, 36);
        assert_eq!(users.view(L2).get("k").unwrap().age, 36);
        bytes.view(mode).put("k", b"bytes", MINUTE).unwrap();
        assert_eq!(users.view(L2).get("k").map(|user| user.age), None);
        assert_eq!(&*bytes.view(L2).get("k").unwrap(), b"bytes");
        texts.cache.clear();
        users.cache.clear();
        bytes.cache.clear();
    }
    let stats = users.levels.stats();
    assert_eq!((stats.misses_corrupt, stats.undecodable), (8, 8));
    assert_eq!((stats.overtaken, stats.write_errors), (0, 0));
}

#[test]
fn e57_codecs_of_one_name_read_each_others_records() {
    let world = World::new();
    let (inline, owned) = (Typed::<str>::new(&world), Typed::<String>::new(&world));
    inline.view(L2).put("k", "text", MINUTE).unwrap();
    assert_eq!(*owned.view(L2).get("k").unwrap(), "text");
    let (inline, owned) = (
        Typed::<[u8]>::new(&world),
        Typed::<bytes::Bytes>::new(&world),
    );
    let value = bytes::Bytes::from_static(b"bytes");
    owned.view(L1L2).put("b", value, MINUTE).unwrap();
    assert_eq!(&*inline.view(L1L2).get("b").unwrap(), b"bytes");
}

thread_local! {
    /// What the codec of `Odd` does besides, once.
    static BESIDES: RefCell<Option<Box<dyn FnOnce()>>> = RefCell::default();
}

fn besides(what: impl FnOnce() + 'static) {
    BESIDES.set(Some(Box::new(what)));
}

/// A number whose codec writes no 7 and reads no 13.
#[derive(Debug, PartialEq)]
struct Odd(u64);

impl Codec for Odd {
    const NAME: &'static str = "odd/1";
    type Decoded<'a> = Odd;

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        if let Some(besides) = BESIDES.take() {
            besides();
        }
        out.extend(self.0.to_be_bytes());
        (self.0 != 7).then_some(()).ok_or(CodecError)
    }

    fn decode(bytes: &[u8]) -> Result<Odd, CodecError> {
        if let Some(besides) = BESIDES.take() {
            besides();
        }
        let number = bytes.try_into().map_err(|_| CodecError)?;
        let number = u64::from_be_bytes(number);
        (number != 13).then_some(Odd(number)).ok_or(CodecError)
    }
}

#[test]
fn e57_f50_what_the_codec_refuses_to_read_is_a_miss_and_is_counted() {
    let world = World::new();
    let [one, two] = [(); 2].map(|()| Typed::<Odd>::new(&world));
    for (n, mode) in (1..).zip([L1L2, L2]) {
        assert!(one.view(mode).put("k", Odd(13), MINUTE).unwrap().in_l2);
        let looked = two.view(mode).lookup("k", SECOND);
        assert!(matches!(looked, Lookup::Miss(MissReason::Corrupt)));
        let stats = two.levels.stats();
        assert_eq!(
            (stats.undecodable, stats.misses_corrupt, stats.hits),
            (n, n, 0)
        );
        assert!(two.cache.scope("s").unwrap().is_empty());
    }
    two.view(L1L2).put("k", Odd(14), MINUTE).unwrap();
    assert_eq!(*one.view(L2).get("k").unwrap(), Odd(14));
}

#[test]
fn e56_what_the_codec_refuses_to_write_takes_the_older_record_with_it() {
    let world = World::new();
    let [one, two] = [(); 2].map(|()| Typed::<Odd>::new(&world));
    for mode in [L1L2, L2] {
        let here = one.view(mode);
        here.put("k", Odd(1), MINUTE).unwrap();
        let put = here.put("k", Odd(7), MINUTE).unwrap();
        let refused = (mode == L1L2, false, Some(LevelError::Unencodable));
        assert_eq!((put.in_l1, put.in_l2, put.error), refused);
        assert_eq!(here.get("k").is_some(), mode == L1L2);
        assert!(two.view(mode).get("k").is_none());
        // Nor does it come from a loader, who has it.
        here.remove("k").unwrap();
        let loads = || Ok::<_, ()>(Loaded::Value(Odd(7)));
        let found = here.get_or_load("k", MINUTE, loads).unwrap();
        assert_eq!(*found.unwrap(), Odd(7));
        assert!(two.view(mode).get("k").is_none());
        one.cache.clear();
    }
    let stats = one.levels.stats();
    assert_eq!(
        (stats.unencodable, stats.too_large, stats.write_errors),
        (4, 0, 0)
    );
}

#[test]
fn e56_the_size_that_counts_is_that_of_the_encoded_value() {
    let world = World::new();
    let [one, two] = [(); 2].map(|()| Typed::<Serde<User>>::new(&world));
    let view = one.view(LevelOptions::new(L1L2).value_bytes_max(Some(100)));
    assert!(view.put("k", user("Ada", 1), MINUTE).unwrap().in_l2);
    let long = user(&"a".repeat(200), 2);
    let put = view.put("k", long, MINUTE).unwrap();
    let value_bytes_max = 100;
    let error = LevelError::TooLarge { value_bytes_max };
    assert_eq!((put.in_l1, put.error), (true, Some(error)));
    assert!(two.view(L1L2).get("k").is_none());
    assert_eq!(one.levels.stats().too_large, 1);
}

/// The codec uses the very view, key and cache that it is called for: so no lock of theirs is held.
#[test]
fn e57_the_codec_is_called_with_no_lock_held() {
    let world = World::new();
    let node = Arc::new(Typed::<Odd>::new(&world));
    let uses = |node: &Arc<Typed<Odd>>| {
        let node = Arc::clone(node);
        move || {
            let view = node.view(L1L2);
            assert!(view.get("k").is_none_or(|found| *found != Odd(0)));
            view.put("k", Odd(2), MINUTE).unwrap();
            view.remove("k").unwrap();
            node.cache.insert("k", Odd(3)).unwrap();
            view.purge().unwrap();
            let _: Stats = node.cache.stats();
        }
    };
    for mode in [L1L2, L2] {
        let view = node.view(mode);
        besides(uses(&node));
        view.put("k", Odd(1), MINUTE).unwrap();
        assert!(BESIDES.take().is_none());
        node.cache.clear();
        view.put("k", Odd(1), MINUTE).unwrap();
        node.cache.scope("s").unwrap().clear();
        besides(uses(&node));
        view.get("k");
        assert!(BESIDES.take().is_none());
        besides(uses(&node));
        let loads = || Ok::<_, ()>(Loaded::Value(Odd(1)));
        assert!(view.get_or_load("l", MINUTE, loads).unwrap().is_some());
        assert!(BESIDES.take().is_none());
    }
}

#[test]
fn e57_a_codec_that_panics_leaves_everything_usable() {
    let world = World::new();
    let [one, two] = [(); 2].map(|()| Typed::<Odd>::new(&world));
    let (here, there) = (one.view(L1L2), two.view(L1L2));
    let panics = |call: &dyn Fn()| {
        besides(|| panic!("the codec"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err());
    };
    here.put("k", Odd(1), MINUTE).unwrap();
    // Of a put nothing is done.
    panics(&|| drop(here.put("k", Odd(2), MINUTE)));
    assert_eq!(*here.get("k").unwrap(), Odd(1));
    assert_eq!(*two.view(L2).get("k").unwrap(), Odd(1));
    panics(&|| drop(there.get("k")));
    assert_eq!(*there.get("k").unwrap(), Odd(1));
    panics(&|| drop(here.get_or_load("l", MINUTE, || Ok::<_, ()>(Loaded::Value(Odd(3))))));
    assert!(here.get("l").is_none() && there.get("l").is_none());
    here.put("l", Odd(4), MINUTE).unwrap();
    assert_eq!(*there.get("l").unwrap(), Odd(4));
}
