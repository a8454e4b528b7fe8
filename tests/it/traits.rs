//! Traits of the public types that callers count on: what can be shown, cloned, walked through by `for`.

use larder::{
    Cache, Change, Condition, Entry, Limits, Lookup, MissReason, PutIf, RemovalCause, Ttl,
};

fn small() -> Cache<str> {
    Cache::builder().max_entries(100).build().unwrap()
}

/// What a loop over it sees, in order.
fn seen<'a, T>(walked: &'a T) -> Vec<String>
where
    &'a T: IntoIterator<Item = Entry<str>>,
{
    let mut seen = Vec::new();
    for entry in walked {
        seen.push(format!("{}={entry}", entry.key()));
    }
    seen.sort();
    seen
}

#[test]
fn a_loop_walks_over_a_cache_and_each_part_of_it() {
    let cache = small();
    let scope = cache.scope("part").unwrap();
    scope.insert("b", "2").unwrap();
    scope.insert("a", "1").unwrap();
    let tenant = cache.create_tenant("acme", Limits::default()).unwrap();
    let named = tenant.create_cache("prices", Limits::default()).unwrap();
    named.insert("c", "3").unwrap();
    assert_eq!(seen(&scope), ["a=1", "b=2"]);
    assert_eq!(seen(&scope.clone().into_owned()), ["a=1", "b=2"]);
    assert_eq!(seen(&named), ["c=3"]);
    assert_eq!(seen(&cache), ["a=1", "b=2", "c=3"]);
}

#[test]
fn an_entry_shows_its_value_as_the_value_shows_itself() {
    let cache: Cache<f64> = Cache::builder().max_entries(100).build().unwrap();
    cache.insert("pi", 3.25).unwrap();
    let entry = cache.get("pi").unwrap();
    assert_eq!(format!("{entry} {entry:>8.1}"), "3.25      3.2");
}

#[test]
fn causes_and_reasons_are_single_words() {
    let causes = [
        (RemovalCause::Expired, "expired"),
        (RemovalCause::Evicted, "evicted"),
        (RemovalCause::Replaced, "replaced"),
        (RemovalCause::Removed, "removed"),
        (RemovalCause::Invalidated, "invalidated"),
    ];
    for (cause, word) in causes {
        assert_eq!(cause.to_string(), word);
    }
    let reasons = [
        (MissReason::Absent, "absent"),
        (MissReason::Expired, "expired"),
        (MissReason::Timeout, "timeout"),
        (MissReason::Unavailable, "unavailable"),
        (MissReason::Corrupt, "corrupt"),
    ];
    for (reason, word) in reasons {
        assert_eq!(reason.to_string(), word);
    }
    assert_eq!(format!("[{:>8}]", RemovalCause::Evicted), "[ evicted]");
}

#[test]
fn answers_are_cloned_with_the_entries_that_they_hold() {
    let cache = small();
    cache.insert("k", "v").unwrap();
    let found = cache.lookup("k");
    let (Lookup::Hit(first), Lookup::Hit(second)) = (found.clone(), found) else {
        panic!("it was stored");
    };
    assert!(first.same(&second));
    assert!(matches!(
        cache.lookup("absent").clone(),
        Lookup::Miss(MissReason::Absent)
    ));

    let put = cache.put_if("k", "w", Ttl::DEFAULT, Condition::ABSENT);
    let PutIf::Unmet { value, present } = put.unwrap().clone() else {
        panic!("it is there");
    };
    assert_eq!((value, present.as_deref()), ("w", Some("v")));

    let computed = cache.compute("k", |_| Change::Insert("w")).unwrap().clone();
    assert_eq!(computed.was.as_deref(), Some("v"));
    assert_eq!(computed.is.as_deref(), Some("w"));
}
