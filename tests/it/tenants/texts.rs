//! Keys that are rendered text: what a purge by text takes (E-17), and that nothing reads such text back (E-16).

use std::marker::PhantomData;
use std::str::FromStr;

use larder::{KeyParts, Limits, NamedCache, Part, ScopeParts, Standpoint};

use super::by_hand;

/// The keys of single strings, sorted.
fn texts(cache: &NamedCache<'_, [u8]>) -> Vec<String> {
    let mut found: Vec<String> = cache.iter().map(|entry| entry.key().to_string()).collect();
    found.sort();
    found
}

#[test]
fn e17_a_purge_takes_the_text_itself_and_what_goes_on_with_two_underscores() {
    let (cache, _) = by_hand(1 << 20, 2);
    let tenant = cache.create_tenant("t", Limits::default()).unwrap();
    let rendered = tenant.create_cache("rendered", Limits::default()).unwrap();
    let other = tenant.create_cache("other", Limits::default()).unwrap();
    let keys = [
        "User",
        "User_",
        "User__",
        "User__x",
        "User__y__z",
        "User___",
        "UserToken__x",
        "Other__User__x",
        "user__x",
    ];
    for key in keys {
        rendered.insert(key, [1]).unwrap();
        other.insert(key, [1]).unwrap();
    }
    // A key of parts is no text, though it renders like one.
    rendered.insert(("User", "x"), [2]).unwrap();
    assert_eq!(rendered.purge_text("User"), 5);
    let left = [
        "Other__User__x",
        "UserToken__x",
        "User_",
        "User__x",
        "user__x",
    ];
    let mut left: Vec<String> = left.map(str::to_owned).to_vec();
    left.sort();
    assert_eq!(texts(&rendered), left);
    assert!(rendered.get("User__x").is_none() && rendered.get(("User", "x")).is_some());
    assert_eq!(texts(&other).len(), keys.len());
    // The text may hold the joint itself, and what expired is counted by nobody.
    assert_eq!(other.purge_text("User__y"), 1);
    assert_eq!(other.purge_text("User__y"), 0);
}

#[test]
fn e17_what_has_expired_is_not_counted() {
    let (cache, clock) = by_hand(1 << 20, 1);
    let tenant = cache.create_tenant("t", Limits::default()).unwrap();
    let tenant = tenant.default_cache().unwrap();
    let ttl = std::time::Duration::from_secs(1);
    tenant.insert_with_ttl("a__1", [1], ttl).unwrap();
    tenant.insert("a__2", [1]).unwrap();
    clock.advance(ttl);
    assert_eq!(tenant.purge_text("a"), 1);
}

/// Whether a type can be made from text, asked of the compiler: the inherent constant hides the trait's where its bound holds.
struct FromText<T>(PhantomData<T>);

trait NotFromText {
    const ANSWER: bool = false;
}

impl<T> NotFromText for FromText<T> {}

impl<T: FromStr> FromText<T> {
    const ANSWER: bool = true;
}

#[test]
fn e16_nothing_that_renders_can_be_read_back() {
    const { assert!(FromText::<u32>::ANSWER, "the question is asked rightly") };
    let answers = [
        FromText::<KeyParts<'static>>::ANSWER,
        FromText::<Part<'static>>::ANSWER,
        FromText::<ScopeParts<'static>>::ANSWER,
        FromText::<Standpoint<'static>>::ANSWER,
    ];
    assert_eq!(answers, [false; 4]);
}
