//! Streams, whole and damaged; what comes back, and what doesn't.

mod beside;
mod damage;
mod policy;

use std::time::Duration;

use proptest::prelude::*;

use super::record::{self, WallNs};
use super::*;
use crate::charter::{Limits, LongTtl};
use crate::clock::ManualClock;
use crate::codec::CodecError;
use crate::limits::{Rate, Rates};
use crate::terms::{Tag, Ttl};
use crate::{LoadOptions, Lookup};

const SECOND: Duration = Duration::from_secs(1);
const BEGUN: WallNs = 1_700_000_000_000_000_000;

fn cache() -> (Cache<[u8]>, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_bytes(64 << 20).clock(clock.clone());
    (builder.build().unwrap(), clock)
}

fn stream<V: Codec + ?Sized>(cache: &Cache<V>) -> Vec<u8> {
    let mut stream = Vec::new();
    let snapshot = write::write(cache, &mut stream, || BEGUN).unwrap();
    assert_eq!(snapshot.bytes, stream.len() as u64);
    stream
}

/// After so much of the wall clock's time.
fn back<V: Codec + ?Sized>(cache: &Cache<V>, stream: &[u8], after: Duration) -> Restored {
    let wall = BEGUN + after.as_nanos() as u64;
    read::read(cache, stream, || wall).unwrap()
}

#[test]
fn what_a_cache_holds_comes_back_with_its_times_and_places() {
    let (old, clock) = cache();
    clock.advance(1000 * SECOND);
    old.insert("plain", b"1").unwrap();
    old.insert(("user", 42u64, -7i64, u128::MAX), b"2").unwrap();
    old.insert(7u8, b"3").unwrap();
    old.insert_with("text", b"4", Tag::Text).unwrap();
    old.insert_with_ttl("short", b"5", 10 * SECOND).unwrap();
    let stale = Ttl::after(2 * SECOND).stale(20 * SECOND);
    old.insert_with("stale", b"6", stale).unwrap();
    let users = old.scope(("shop", "users")).unwrap();
    users.insert("ada", b"7").unwrap();
    users.prefix("deep").unwrap().insert("ada", b"8").unwrap();
    let limits = Limits {
        max_bytes: Some(1 << 20),
        ttl_max: Some(100 * SECOND),
        ..Limits::default()
    };
    let acme = old.create_tenant("acme", limits).unwrap();
    acme.default_cache().unwrap().insert("k", b"9").unwrap();
    let sessions = acme.create_cache("sessions", Limits::default()).unwrap();
    sessions.insert("k", b"10").unwrap();
    sessions
        .scope()
        .scope("part")
        .unwrap()
        .insert("k", b"11")
        .unwrap();
    let gone = old.scope("gone").unwrap();
    gone.insert("k", b"12").unwrap();
    gone.invalidate();
    let stream = stream(&old);

    let (new, clock) = cache();
    let restored = back(&new, &stream, 3 * SECOND);
    assert_eq!(
        (restored.entries, restored.tenants),
        (11, 1),
        "{restored:?}"
    );
    assert!(restored.is_whole && restored.damaged_bytes == 0);
    assert_eq!(
        (restored.refused, restored.present, restored.expired),
        (0, 0, 0)
    );
    let is = |found: Option<crate::Entry<[u8]>>, value: &[u8]| {
        assert_eq!(found.as_deref(), Some(value));
    };
    is(new.get("plain"), b"1");
    is(new.get(("user", 42u64, -7i64, u128::MAX)), b"2");
    is(new.get(7u8), b"3");
    assert_eq!(new.get("text").unwrap().tag(), Tag::Text);
    assert_eq!(new.ttl("plain"), Some(None));
    assert_eq!(new.ttl("short"), Some(Some(7 * SECOND)));
    assert_eq!(new.ttl("stale"), Some(Some(19 * SECOND)));
    assert!(matches!(new.lookup("stale"), Lookup::Stale(entry) if &*entry == b"6"));
    let users = new.scope(("shop", "users")).unwrap();
    is(users.get("ada"), b"7");
    is(users.prefix("deep").unwrap().get("ada"), b"8");
    let acme = new.tenant("acme").unwrap();
    assert_eq!(acme.limits().unwrap(), limits);
    is(acme.default_cache().unwrap().get("k"), b"9");
    let sessions = acme.cache("sessions").unwrap();
    is(sessions.get("k"), b"10");
    is(sessions.scope().scope("part").unwrap().get("k"), b"11");
    assert!(sessions.ttl("k").unwrap().unwrap() <= 97 * SECOND);
    assert!(new.scope("gone").unwrap().get("k").is_none());
    clock.advance(7 * SECOND);
    assert!(new.get("short").is_none());
}

#[test]
fn what_is_over_by_the_wall_clock_stays_out() {
    let (old, _clock) = cache();
    old.insert_with_ttl("a", b"1", 10 * SECOND).unwrap();
    old.insert_with_ttl("b", b"2", 10 * SECOND + Duration::from_nanos(1))
        .unwrap();
    let stream = stream(&old);
    let (new, _clock) = cache();
    let restored = back(&new, &stream, 10 * SECOND);
    assert_eq!((restored.entries, restored.expired), (1, 1));
    assert!(new.get("a").is_none() && new.get("b").is_some());
    // A wall clock that was set back makes nothing live longer than to the deadline that it shows.
    let (new, _clock) = cache();
    let earlier = || BEGUN - SECOND.as_nanos() as u64;
    read::read(&new, &stream[..], earlier).unwrap();
    assert_eq!(new.ttl("a"), Some(Some(11 * SECOND)));
}

#[test]
fn what_was_due_when_it_was_written_is_not_in_it() {
    let (old, clock) = cache();
    old.insert_with_ttl("a", b"1", SECOND).unwrap();
    clock.advance(SECOND);
    let mut out = Vec::new();
    let snapshot = write::write(&old, &mut out, || BEGUN).unwrap();
    assert_eq!((snapshot.entries, snapshot.skipped), (0, 0));
}

#[test]
fn what_was_written_since_stays() {
    let (old, _clock) = cache();
    old.insert("a", b"old").unwrap();
    let old_limits = Limits {
        max_bytes: Some(1 << 20),
        ..Limits::default()
    };
    old.create_tenant("acme", old_limits).unwrap();
    let stream = stream(&old);
    let (new, _clock) = cache();
    new.insert("a", b"new").unwrap();
    new.create_tenant("acme", Limits::default()).unwrap();
    let restored = back(&new, &stream, SECOND);
    assert_eq!((restored.entries, restored.present), (0, 1));
    assert_eq!(new.get("a").as_deref(), Some(&b"new"[..]));
    assert_eq!(new.tenant("acme").unwrap().limits(), Ok(Limits::default()));
}

#[test]
fn that_there_is_no_value_comes_back() {
    let (old, _clock) = cache();
    let load = || Ok::<_, String>(crate::Loaded::<Vec<u8>>::Absent(9 * SECOND));
    let loaded = old.get_or_load("a", LoadOptions::default(), load);
    assert!(loaded.is_ok_and(|loaded| loaded.is_none()));
    let stream = stream(&old);
    let (new, _clock) = cache();
    assert_eq!(back(&new, &stream, SECOND).entries, 1);
    assert!(matches!(new.lookup("a"), Lookup::Negative));
}

#[test]
fn a_tenant_that_would_take_too_much_is_refused_with_its_entries() {
    let (old, _clock) = cache();
    let limits = Limits {
        guaranteed_bytes: 32 << 20,
        ..Limits::default()
    };
    let acme = old.create_tenant("acme", limits).unwrap();
    acme.default_cache().unwrap().insert("k", b"1").unwrap();
    old.insert("k", b"2").unwrap();
    let stream = stream(&old);
    let new: Cache<[u8]> = Cache::builder().max_bytes(1 << 20).build().unwrap();
    let restored = back(&new, &stream, SECOND);
    assert_eq!((restored.entries, restored.refused), (1, 1));
    assert_eq!((restored.tenants, restored.refused_tenants), (0, 1));
}

/// A value that refuses to be written, or to be read, or panics.
struct Moody(u8);

impl Codec for Moody {
    const NAME: &'static str = "moody";
    type Decoded<'a> = Moody;

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        assert_ne!(self.0, 3, "as planned");
        out.push(self.0);
        if self.0 == 1 { Err(CodecError) } else { Ok(()) }
    }

    fn decode(bytes: &[u8]) -> Result<Moody, CodecError> {
        match *bytes {
            [2] | [] => Err(CodecError),
            [n, ..] => Ok(Moody(n)),
        }
    }
}

fn moody(values: &[u8]) -> Cache<Moody> {
    let cache = Cache::builder().max_entries(100).build().unwrap();
    for &n in values {
        cache.insert(n, Moody(n)).unwrap();
    }
    cache
}

#[test]
fn what_a_codec_refuses_is_counted_and_the_rest_goes_on() {
    let old = moody(&[0, 1, 2]);
    let mut out = Vec::new();
    let snapshot = old.snapshot_to(&mut out).unwrap();
    assert_eq!((snapshot.entries, snapshot.skipped), (2, 1));
    let new = moody(&[]);
    let restored = new.restore_from(&out[..]).unwrap();
    assert_eq!((restored.entries, restored.undecodable), (1, 1));
    assert_eq!(new.get(0u8).map(|entry| entry.0), Some(0));
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let dir = std::env::temp_dir().join(format!("larder-snapshot-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("warm");
    moody(&[0]).snapshot(&path).unwrap();
    let before = std::fs::read(&path).unwrap();
    let panicked = std::panic::catch_unwind(|| moody(&[0, 3]).snapshot(&path));
    assert!(panicked.is_err());
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(
        std::fs::read_dir(&dir).unwrap().count(),
        1,
        "a file was left beside"
    );
    moody(&[0, 4]).snapshot(&path).unwrap();
    #[cfg(unix)]
    {
        let mode = std::fs::metadata(&path).unwrap().permissions();
        let mode = std::os::unix::fs::PermissionsExt::mode(&mode);
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(moody(&[]).restore(&path).unwrap().entries, 2);
    assert!(matches!(
        moody(&[]).snapshot(dir.join("no/such")),
        Err(SnapshotError::Io(_))
    ));
    assert!(matches!(
        moody(&[]).restore(dir.join("none")),
        Err(RestoreError::Io(_))
    ));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_a_process_left_that_was_killed_is_deleted_by_the_next() {
    let dir = std::env::temp_dir().join(format!("larder-left-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    // More than the names that are tried, of this process's number, as in a container each has the same.
    let left = (0..100).map(|n| dir.join(format!(".warm.{}-{n}.partial", std::process::id())));
    for path in left {
        std::fs::write(path, b"half").unwrap();
    }
    let mut others = [
        ".warm.1-x.partial",
        ".warms.1-0.partial",
        ".warm.7-0.partial",
    ];
    for name in others {
        std::fs::write(dir.join(name), b"theirs").unwrap();
    }
    let at_work = std::fs::File::open(dir.join(".warm.7-0.partial")).unwrap();
    at_work.lock().unwrap();
    moody(&[0]).snapshot(dir.join("warm")).unwrap();
    others.sort_unstable();
    let there = || {
        let names = std::fs::read_dir(&dir).unwrap();
        let names = names.map(|found| found.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != "warm").collect();
        names.sort_unstable();
        names
    };
    assert_eq!(there(), others);
    drop(at_work);
    moody(&[0]).snapshot(dir.join("warm")).unwrap();
    assert_eq!(there(), [".warm.1-x.partial", ".warms.1-0.partial"]);
    assert_eq!(moody(&[]).restore(dir.join("warm")).unwrap().entries, 1);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_is_no_snapshot_of_such_values_is_told_apart() {
    let (bytes, _clock) = cache();
    let foreign = |stream: &[u8]| bytes.restore_from(stream).unwrap_err();
    assert!(matches!(foreign(b""), RestoreError::NoSnapshot));
    assert!(matches!(foreign(&[7; 100]), RestoreError::NoSnapshot));
    let other = stream(&moody(&[0]));
    let error = foreign(&other);
    assert!(matches!(&error, RestoreError::Codec { found, wanted: "bytes" } if found == "moody"));
    assert!(error.to_string().contains("moody"), "{error}");
}

#[test]
fn keys_are_read_as_they_were_written() {
    fn good<K: crate::Key>(key: K) {
        crate::key::with_key(&key, |key| {
            let again = crate::key::KeyRef::from_outside(key.shape(), key.bytes());
            assert_eq!(again, Some(key));
        })
        .unwrap();
    }
    good("a");
    good(1u8);
    good(-1i64);
    good(u128::MAX);
    good(i128::MIN);
    good(("user", 42u64, -7i64, u128::MAX, i128::MIN, [7u8; 300]));
    good(("", ""));
}

fn limits() -> impl Strategy<Value = Limits> {
    let rate = || {
        let rate = (any::<u64>(), 1..u64::MAX, any::<u64>());
        let rate = rate.prop_map(|(n, period, burst)| {
            Rate::new(n, Duration::from_nanos(period))
                .unwrap()
                .burst(burst)
        });
        prop::option::of(rate)
    };
    let span = || prop::option::of(any::<u64>().prop_map(Duration::from_nanos));
    let number = || prop::option::of(any::<u64>());
    let sizes = (any::<u64>(), number(), number(), number());
    (
        sizes,
        rate(),
        rate(),
        span(),
        span(),
        any::<bool>(),
        (number(), number()),
    )
        .prop_map(
            |(
                (guaranteed_bytes, max, item, key),
                operations,
                bytes,
                ttl,
                ttl_max,
                clamps,
                (n, entries),
            )| {
                Limits {
                    guaranteed_bytes,
                    max_bytes: max,
                    max_entries: entries,
                    rates: Rates { operations, bytes },
                    item_bytes_max: item,
                    key_bytes_max: key,
                    default_ttl: ttl,
                    ttl_max,
                    long_ttl: if clamps {
                        LongTtl::Clamp
                    } else {
                        LongTtl::Reject
                    },
                    caches_max: n.map(|n| n as usize),
                }
            },
        )
}

proptest! {
    #[test]
    fn limits_are_read_as_they_were_written(name in "[a-z]{1,9}", limits in limits()) {
        let mut out = Vec::new();
        record::put_limits(&mut out, &name, &limits);
        let mut from = &out[..];
        prop_assert_eq!(record::take_limits(&mut from), Some((&name[..], limits)));
        prop_assert!(from.is_empty());
        for end in 0..out.len() {
            prop_assert_eq!(record::take_limits(&mut &out[..end]), None);
        }
    }
}
