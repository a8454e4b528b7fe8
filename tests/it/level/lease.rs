//! One load among all processes, by leases of the level.

use std::sync::{Arc, Mutex};

use larder::{
    Level, LevelAnswer, LevelError, LevelKey, LevelLease, LevelRecord, LevelScope, Loaded, Seen,
};

use super::*;

type Meanwhile = Box<dyn FnOnce() + Send>;

/// A level in memory whose leases are as the test wants them.
#[derive(Clone)]
struct Leasing {
    level: MemoryLevel,
    /// What is done while a lease is asked for.
    meanwhile: Arc<Mutex<Option<Meanwhile>>>,
    granted: Arc<Mutex<Result<LevelLease, LevelError>>>,
    events: Arc<Mutex<Vec<String>>>,
}

impl Level for Leasing {
    fn get(&self, key: &LevelKey<'_>, within: Duration) -> Result<LevelAnswer, LevelError> {
        self.level.get(key, within)
    }

    fn set(
        &self,
        key: &LevelKey<'_>,
        record: LevelRecord<&[u8]>,
        within: Duration,
    ) -> Result<(), LevelError> {
        self.note("set");
        self.level.set(key, record, within)
    }

    fn replace(
        &self,
        key: &LevelKey<'_>,
        seen: Seen,
        record: Option<LevelRecord<&[u8]>>,
        within: Duration,
    ) -> Result<bool, LevelError> {
        self.note("replace");
        self.level.replace(key, seen, record, within)
    }

    fn delete(&self, key: &LevelKey<'_>, within: Duration) -> Result<bool, LevelError> {
        self.level.delete(key, within)
    }

    fn end(&self, scope: &LevelScope<'_>, within: Duration) -> Result<(), LevelError> {
        self.level.end(scope, within)
    }

    fn lease(
        &self,
        _: &LevelKey<'_>,
        span: Duration,
        within: Duration,
    ) -> Result<LevelLease, LevelError> {
        assert!(span == MINUTE && within > MINUTE);
        self.note("lease");
        if let Some(meanwhile) = self.meanwhile.lock().unwrap().take() {
            meanwhile();
        }
        *self.granted.lock().unwrap()
    }

    fn release(&self, _: &LevelKey<'_>, lease: LevelLease, _: Duration) {
        assert_eq!(Ok(lease), *self.granted.lock().unwrap());
        self.note("release");
    }
}

impl Leasing {
    fn note(&self, what: &str) {
        self.events.lock().unwrap().push(what.to_owned());
    }

    fn grant(&self, granted: Result<LevelLease, LevelError>) {
        *self.granted.lock().unwrap() = granted;
    }
}

const LEASE: LevelLease = LevelLease { token: 7 };

/// A node whose leases are granted.
fn leasing(world: &World) -> (Node, Leasing) {
    let [mut node] = world.nodes();
    let level = Leasing {
        level: world.level.clone(),
        meanwhile: Arc::default(),
        granted: Arc::new(Mutex::new(Ok(LEASE))),
        events: Arc::default(),
    };
    node.levels = Levels::new(level.clone(), b"test");
    (node, level)
}

/// Loads a key, and says what came and what the level was asked.
fn load(node: &Node, level: &Leasing, key: &str) -> (Option<Vec<u8>>, Vec<String>) {
    let view = node.view(LevelOptions::new(L1L2).lease(Some(MINUTE)));
    let found = view.get_or_load(key, MINUTE, || {
        level.note("load");
        Ok::<_, ()>(Loaded::Value(b"loaded"))
    });
    let found = found.unwrap().map(|entry| entry.to_vec());
    (found, std::mem::take(&mut level.events.lock().unwrap()))
}

#[test]
fn e46_who_loads_has_the_lease_until_others_can_find_what_was_loaded() {
    let world = World::new();
    let (node, level) = leasing(&world);
    let (found, events) = load(&node, &level, "k");
    assert_eq!(found, bytes(b"loaded"));
    assert_eq!(events, ["lease", "load", "replace", "release"]);
    // A hit in either level takes none.
    assert!(load(&node, &level, "k").1.is_empty());
    world.clock.advance(SECOND);
    assert!(load(&node, &level, "k").1.is_empty());
    // A loader that fails or panics gives it back.
    let view = node.view(LevelOptions::new(L1L2).lease(Some(MINUTE)));
    let fails = view.get_or_load("l", MINUTE, || Err::<Loaded<&[u8]>, _>(()));
    assert!(fails.is_err());
    let panics = || view.get_or_load("l", MINUTE, || -> Result<Loaded<&[u8]>, ()> { panic!() });
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    let events = std::mem::take(&mut *level.events.lock().unwrap());
    assert_eq!(events, ["lease", "release", "lease", "release"]);
}

#[test]
fn e46_who_gets_the_lease_looks_again_and_loads_only_what_is_still_absent() {
    let world = World::new();
    let [other] = world.nodes();
    let (node, level) = leasing(&world);
    *level.meanwhile.lock().unwrap() = Some(Box::new(move || {
        other.view(L1L2).put("k", b"of another", MINUTE).unwrap();
    }));
    let (found, events) = load(&node, &level, "k");
    assert_eq!(found, bytes(b"of another"));
    assert_eq!(events, ["lease", "release"]);
    let (found, events) = load(&node, &level, "l");
    assert_eq!(found, bytes(b"loaded"));
    assert_eq!(events, ["lease", "load", "replace", "release"]);
}

#[test]
fn e46_without_a_lease_it_is_loaded_nevertheless() {
    let world = World::new();
    let (node, level) = leasing(&world);
    for error in [LevelError::Timeout, LevelError::Unavailable] {
        level.grant(Err(error));
        let (found, events) = load(&node, &level, &error.to_string());
        assert_eq!(found, bytes(b"loaded"));
        assert_eq!(events, ["lease", "load", "replace"]);
    }
    // Nor where none is asked for.
    let view = node.view(L1L2);
    let load = || Ok::<_, ()>(Loaded::Value(b"loaded"));
    view.get_or_load("k", MINUTE, load).unwrap();
    assert_eq!(*level.events.lock().unwrap(), ["replace"]);
}
