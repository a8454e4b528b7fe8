//! Numbers that count, and values that grow at their end.

use std::thread::{scope, yield_now};
use std::time::Duration;

use larder::{
    AppendError, Cache, Condition, Counter, IncrementError, KeyError, Refusal, Source, Tag, Ttl,
    WriteOptions,
};

use super::{SECOND, by_hand};
use crate::tools::ends;

#[test]
fn m141_a_missing_key_counts_from_the_initial_value_with_the_options_of_the_call() {
    let (cache, _clock) = by_hand::<str>();
    let options = WriteOptions::new().ttl(9 * SECOND).tag(Tag::Integer);
    assert_eq!(cache.increment("k", 5, 0, options), Ok(5));
    let entry = cache.get("k").unwrap();
    assert_eq!(
        (&*entry, entry.ttl(), entry.tag()),
        ("5", Some(9 * SECOND), Tag::Integer)
    );
    assert_eq!(cache.increment("l", -3, 100, Ttl::DEFAULT), Ok(97));
    assert_eq!(cache.get("l").as_deref(), Some("97"));
    assert_eq!(cache.increment("m", 0, 0, Ttl::DEFAULT), Ok(0));
    assert_eq!(
        cache.get("m").as_deref(),
        Some("0"),
        "it is stored, though nothing was added"
    );
}

#[test]
fn m142_m146_a_present_one_is_added_to_and_keeps_its_deadline_and_tag() {
    let (cache, clock) = by_hand::<[u8]>();
    let kept = WriteOptions::new().ttl(9 * SECOND).tag(Tag::Text);
    cache.insert_with("k", "10", kept).unwrap();
    clock.advance(SECOND);
    let other = WriteOptions::new().ttl(99 * SECOND).tag(Tag::Json);
    for (by, sum) in [
        (90, 100),
        (-1000, -900),
        (0, -900),
        (900, 0),
        (-1, -1),
        (1, 0),
    ] {
        assert_eq!(cache.increment("k", by, 7, other), Ok(sum));
        let entry = cache.get("k").unwrap();
        assert_eq!(&*entry, sum.to_string().as_bytes());
        assert_eq!((entry.ttl(), entry.tag()), (Some(8 * SECOND), Tag::Text));
    }
    clock.advance(8 * SECOND);
    assert_eq!(
        cache.increment("k", 1, 7, other),
        Ok(8),
        "at its deadline it is missing"
    );
    assert_eq!(cache.ttl("k"), Some(Some(99 * SECOND)));
    // For ever stays for ever, and the default is not taken instead.
    cache.insert_with("l", "1", Ttl::NEVER).unwrap();
    assert_eq!(cache.increment("l", 1, 0, SECOND), Ok(2));
    assert_eq!(cache.ttl("l"), Some(None));
}

#[test]
fn m143_m145_what_is_no_plain_number_is_refused_and_stays() {
    let strange = [
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "--1",
        "-+1",
        "+-1",
        "1e3",
        "0x10",
        "1_000",
        "abcxyz",
        "NaN",
        "\u{661}",
        "1\0",
        "12345678901234567890",
        "-12345678901234567890",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999",
    ];
    let (text, _clock) = by_hand::<str>();
    let (bytes, _clock) = by_hand::<[u8]>();
    for value in strange {
        text.insert_with_ttl("k", value, SECOND).unwrap();
        bytes.insert_with_ttl("k", value, SECOND).unwrap();
        let version = text.get("k").unwrap().version();
        for by in [0, 1, -1] {
            assert_eq!(
                text.increment("k", by, 0, Ttl::DEFAULT),
                Err(IncrementError::NotANumber),
                "{value:?}"
            );
            assert_eq!(
                bytes.increment("k", by, 0, Ttl::DEFAULT),
                Err(IncrementError::NotANumber),
                "{value:?}"
            );
        }
        let entry = text.get("k").unwrap();
        assert_eq!(
            (&*entry, entry.version(), entry.ttl()),
            (value, version, Some(SECOND))
        );
        assert_eq!(bytes.get("k").as_deref(), Some(value.as_bytes()));
    }
    bytes.insert("k", [0xFF, b'1']).unwrap();
    assert_eq!(
        bytes.increment("k", 1, 0, Ttl::DEFAULT),
        Err(IncrementError::NotANumber)
    );
    // What is an optional minus sign and digits is one, however it is written.
    for (value, number) in [
        ("-0", 0),
        ("007", 7),
        ("-01", -1),
        ("0", 0),
        ("00000000000000000000000001", 1),
    ] {
        text.insert("k", value).unwrap();
        assert_eq!(
            text.increment("k", 1, 0, Ttl::DEFAULT),
            Ok(number + 1),
            "{value:?}"
        );
        assert_eq!(text.get("k").as_deref(), Some(&*(number + 1).to_string()));
    }
}

/// Checks sums at the edges of 64 bits.
fn check_edges<V: Counter + ?Sized, S: Source<V>>(cache: &Cache<V>, value: impl Fn(i64) -> S) {
    for (start, by, sum) in [
        (i64::MAX, 1, None),
        (i64::MIN, -1, None),
        (i64::MAX, i64::MAX, None),
        (i64::MIN, i64::MIN, None),
        (-1, i64::MIN, None),
        (1, i64::MAX, None),
        (i64::MAX, 0, Some(i64::MAX)),
        (i64::MIN, 0, Some(i64::MIN)),
        (i64::MAX - 1, 1, Some(i64::MAX)),
        (i64::MIN, i64::MAX, Some(-1)),
        (-1, i64::MIN + 1, Some(i64::MIN)),
    ] {
        let expected = sum.ok_or(IncrementError::Overflow);
        cache
            .insert("k", value(start))
            .map_err(|error| error.refusal)
            .unwrap();
        let version = cache.get("k").unwrap().version();
        assert_eq!(
            cache.increment("k", by, 0, Ttl::DEFAULT),
            expected,
            "{start} by {by}"
        );
        let entry = cache.get("k").unwrap();
        assert_eq!(entry.version() == version, sum.is_none());
        drop(entry);
        assert_eq!(
            cache.increment("k", 0, 0, Ttl::DEFAULT),
            Ok(sum.unwrap_or(start))
        );
        // The same for one that is absent.
        assert_eq!(cache.increment("l", by, start, Ttl::DEFAULT), expected);
        assert_eq!(cache.remove("l").is_some(), sum.is_some());
    }
}

#[test]
fn m144_a_sum_beyond_64_bits_is_refused_and_the_value_stays() {
    check_edges(&by_hand::<i64>().0, |number| number);
    check_edges(&by_hand::<str>().0, |number| number.to_string());
    check_edges(&by_hand::<[u8]>().0, |number| {
        number.to_string().into_bytes()
    });
}

#[test]
fn m141_what_cannot_be_stored_is_refused() {
    let (cache, _clock) = by_hand::<i64>();
    let refused = |refusal| Err(IncrementError::Refused(refusal));
    let empty = Refusal::Key(KeyError::Empty);
    assert_eq!(cache.increment("", 1, 0, Ttl::DEFAULT), refused(empty));
    assert_eq!(
        cache.increment("k", 1, 0, Duration::ZERO),
        refused(Refusal::ZeroTtl)
    );
    let full: Cache<i64> = Cache::builder().max_entries(0).build().unwrap();
    assert_eq!(
        full.increment("k", 1, 0, Ttl::DEFAULT),
        refused(Refusal::NoCapacity)
    );
    // Whether a call is right doesn't depend on what is there.
    cache.insert("k", 1).unwrap();
    assert_eq!(
        cache.increment("k", 1, 0, Duration::ZERO),
        refused(Refusal::ZeroTtl)
    );
    assert_eq!(cache.get("k").as_deref(), Some(&1));
}

/// Counts from many threads; each sum is given once.
fn check_e41<V: Counter + ?Sized>() {
    const THREADS: i64 = 8;
    const EACH: i64 = 1000;
    let (cache, _clock) = by_hand::<V>();
    let mut sums: Vec<i64> = scope(|scope| {
        let count = || -> Vec<i64> {
            let one = |i| {
                if i % 16 == 0 {
                    yield_now();
                }
                cache.increment("k", 1, 0, Ttl::DEFAULT).unwrap()
            };
            let sums: Vec<i64> = (0..EACH).map(one).collect();
            assert!(sums.is_sorted_by(|a, b| a < b), "one thread sees them grow");
            sums
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(count)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    sums.sort_unstable();
    assert!(sums.into_iter().eq(1..=THREADS * EACH));
    assert_eq!(cache.increment("k", 0, 0, Ttl::DEFAULT), Ok(THREADS * EACH));
}

#[test]
fn e41_eight_threads_count_to_eight_thousand() {
    ends("increments by eight threads", || {
        check_e41::<i64>();
        check_e41::<str>();
        check_e41::<[u8]>();
    });
}

#[test]
fn f2_append_joins_and_keeps_deadline_and_tag() {
    let (cache, clock) = by_hand::<str>();
    let options = WriteOptions::new().ttl(9 * SECOND).tag(Tag::Text);
    let entry = cache.append("k", "a", options).unwrap();
    assert_eq!(
        (&*entry, entry.ttl(), entry.tag()),
        ("a", Some(9 * SECOND), Tag::Text)
    );
    clock.advance(SECOND);
    let other = WriteOptions::new().ttl(99 * SECOND).tag(Tag::Json);
    for (more, joined) in [("bc", "abc"), ("", "abc"), ("\u{fc}\0", "abc\u{fc}\0")] {
        let entry = cache.append("k", more, other).unwrap();
        assert_eq!((&*entry, entry.tag()), (joined, Tag::Text));
        assert!(entry.same(&cache.get("k").unwrap()));
        assert_eq!(cache.ttl("k"), Some(Some(8 * SECOND)));
    }
    clock.advance(8 * SECOND);
    assert_eq!(
        &*cache.append("k", "new", other).unwrap(),
        "new",
        "it had expired"
    );
    assert_eq!(&*cache.append("empty", "", other).unwrap(), "");
    let empty = AppendError::Refused(Refusal::Key(KeyError::Empty));
    assert_eq!(cache.append("", "a", other).unwrap_err(), empty);
    let bytes: Cache<[u8]> = Cache::builder().max_bytes(1 << 16).build().unwrap();
    bytes.insert("k", [1]).unwrap();
    assert_eq!(
        bytes.append("k", &[2, 0xFF], Ttl::DEFAULT).unwrap()[..],
        [1, 2, 0xFF]
    );
    let large = vec![0; 1 << 17];
    let refused = bytes.append("k", &large, Ttl::DEFAULT);
    assert!(matches!(
        refused,
        Err(AppendError::Refused(Refusal::TooLarge { .. }))
    ));
    assert_eq!(bytes.get("k").unwrap()[..], [1, 2, 0xFF]);
}

#[test]
fn f2_what_many_threads_append_is_all_there() {
    const THREADS: u8 = 6;
    const EACH: usize = 200;
    ends("appends by many threads", || {
        let (cache, _clock) = by_hand::<[u8]>();
        scope(|scope| {
            for thread in 0..THREADS {
                let cache = &cache;
                scope.spawn(move || {
                    for _ in 0..EACH {
                        let joined = cache.append("k", &[thread, thread], Ttl::DEFAULT).unwrap();
                        assert_eq!(joined.last(), Some(&thread), "its own is at the end");
                    }
                });
            }
        });
        let joined = cache.get("k").unwrap();
        let (pairs, rest) = joined.as_chunks::<2>();
        assert!(
            rest.is_empty() && pairs.iter().all(|[a, b]| a == b),
            "each is whole"
        );
        for thread in 0..THREADS {
            assert_eq!(pairs.iter().filter(|pair| pair[0] == thread).count(), EACH);
        }
        let put = cache.put_if("k", [], Ttl::DEFAULT, Condition::equal(&*joined));
        assert!(put.unwrap().is_stored());
    });
}
