//! Two levels.

use std::time::Duration;

use larder::{LevelCall, LevelMode, ManualClock, MemoryLevel};
use larder_gateway::apigee::{CacheSettings, EnvironmentOptions};

use crate::apigee_world::{Edge, key};

fn nodes() -> (Edge, Edge, MemoryLevel, ManualClock) {
    let clock = ManualClock::new();
    let level = MemoryLevel::with_clock(clock.clone());
    (
        Edge::node(&level, &clock),
        Edge::node(&level, &clock),
        level,
        clock,
    )
}

fn inner() -> String {
    key("p", &["x"])
}

fn n_entries(edge: &Edge) -> u64 {
    edge.environment.engine().cache().stats().live_entries
}

#[test]
fn a_130_a_131_an_entry_is_in_its_own_node_and_the_shared_level() {
    let (one, two, level, _) = nodes();
    one.put(&inner(), "v");
    assert_eq!((n_entries(&one), n_entries(&two)), (1, 0));
    assert_eq!(level.calls(LevelCall::Set), 1);
    let asked = level.calls(LevelCall::Get);
    assert_eq!(one.get(&inner()).as_deref(), Some("v"));
    assert_eq!(level.calls(LevelCall::Get), asked);
    // Another node asks the level, and keeps what it brings.
    assert_eq!(two.get(&inner()).as_deref(), Some("v"));
    assert_eq!(two.get(&inner()).as_deref(), Some("v"));
    assert_eq!(
        (level.calls(LevelCall::Get), n_entries(&two)),
        (asked + 1, 1)
    );
}

#[test]
fn a_132_a_copy_lives_a_second_and_never_longer_than_its_entry() {
    let (one, two, level, clock) = nodes();
    one.put(&inner(), "v");
    two.get(&inner());
    let asked = level.calls(LevelCall::Get);
    clock.advance(Duration::from_millis(999));
    two.get(&inner());
    assert_eq!(level.calls(LevelCall::Get), asked);
    clock.advance(Duration::from_millis(1));
    two.get(&inner());
    assert_eq!(level.calls(LevelCall::Get), asked + 1);
    clock.advance(Duration::from_millis(118_500));
    assert_eq!(two.get(&inner()).as_deref(), Some("v"));
    clock.advance(Duration::from_millis(500));
    assert_eq!(two.get(&inner()), None);
}

#[test]
fn a_133_changes_are_seen_elsewhere_within_a_second() {
    let (one, two, _, clock) = nodes();
    one.put(&inner(), "old");
    assert_eq!(two.get(&inner()).as_deref(), Some("old"));
    one.put(&inner(), "new");
    assert_eq!(one.get(&inner()).as_deref(), Some("new"));
    assert_eq!(two.get(&inner()).as_deref(), Some("old"));
    clock.advance(Duration::from_secs(1));
    assert_eq!(two.get(&inner()).as_deref(), Some("new"));
    one.invalidate(&inner());
    assert_eq!(one.get(&inner()), None);
    clock.advance(Duration::from_secs(1));
    assert_eq!(two.get(&inner()), None);
    // A purge, too.
    one.put(&inner(), "again");
    assert_eq!(two.get(&inner()).as_deref(), Some("again"));
    one.invalidate(&format!(
        "{}<PurgeChildEntries>true</PurgeChildEntries>",
        key("p", &["other"])
    ));
    clock.advance(Duration::from_secs(1));
    assert_eq!((one.get(&inner()), two.get(&inner())), (None, None));
}

#[test]
fn a_134_what_leaves_a_full_node_is_served_from_the_level() {
    let (one, _, _, _) = nodes();
    let cache = one.environment.engine().cache();
    cache
        .set_capacity(larder::Capacity::bytes(1 << 20))
        .unwrap();
    let value = "x".repeat(20_000);
    for n in 0..100 {
        one.put(&key("p", &[&n.to_string()]), &value);
    }
    assert!(cache.weight() <= 1 << 20 && cache.stats().evicted > 0);
    for n in 0..100 {
        assert_eq!(
            one.get(&key("p", &[&n.to_string()])).as_deref(),
            Some(&*value),
            "{n}"
        );
    }
}

#[test]
fn a_135_neither_level_has_it() {
    let (one, two, level, _) = nodes();
    assert_eq!((one.get(&inner()), two.get(&inner())), (None, None));
    one.put(&inner(), "v");
    level.clear();
    assert_eq!(two.get(&inner()), None);
}

#[test]
fn what_was_in_memory_alone_is_no_copy_once_a_cache_uses_its_levels() {
    let edge = nodes().0;
    let named = format!("{}<CacheResource>tokens</CacheResource>", inner());
    let says = |mode| CacheSettings {
        mode: Some(mode),
        ..CacheSettings::default()
    };
    let (near, both) = (says(LevelMode::L1), says(LevelMode::L1L2));
    edge.environment
        .create_cache("tokens", near.clone())
        .unwrap();
    edge.put(&named, "old");
    assert!(edge.environment.update_cache("tokens", near));
    assert_eq!(edge.get(&named).as_deref(), Some("old"));
    assert!(edge.environment.update_cache("tokens", both));
    assert_eq!(edge.get(&named), None);
}

#[test]
fn a_136_without_a_level_entries_live_their_full_time() {
    let edge = Edge::new();
    edge.put(&inner(), "v");
    edge.seconds(119);
    assert_eq!(edge.get(&inner()).as_deref(), Some("v"));
}

#[test]
fn a_137_values_are_not_encrypted_which_the_readme_says() {
    let (one, _, level, _) = nodes();
    one.put(&inner(), "plain");
    assert_eq!(level.calls(LevelCall::Set), 1);
    assert!(include_str!("../../README.md").contains("not encrypted"));
}

#[test]
fn a_045_a_113_a_purge_of_texts_in_a_level_takes_what_is_under_the_prefix_and_leaves_the_rest() {
    let clock = ManualClock::new();
    let level = MemoryLevel::with_clock(clock.clone());
    let options = EnvironmentOptions {
        string_keys: true,
        ..EnvironmentOptions::default()
    };
    let [one, two] = [(); 2].map(|()| Edge::node_with(&level, &clock, options.clone()));
    let purge = |prefix: &str| {
        one.invalidate(&format!(
            "{}<PurgeChildEntries>true</PurgeChildEntries>",
            key(prefix, &["other"])
        ));
        clock.advance(Duration::from_secs(1));
    };
    let texts = [
        ("User", vec!["x"]),
        ("User", vec!["y"]),
        ("User", vec!["y", "z"]),
        ("User", vec![]),
        ("User", vec!["", "empty"]),
        ("User__y", vec!["deep", "a", "b", "c"]),
        ("UserToken", vec!["x"]),
        ("Other", vec!["x"]),
        ("Us", vec!["er__x"]),
    ];
    let put = || {
        for (prefix, fragments) in &texts {
            one.put(&key(prefix, fragments), "v");
        }
    };
    let left = |edge: &Edge| -> Vec<bool> {
        let found = texts.iter();
        found
            .map(|(prefix, fragments)| edge.get(&key(prefix, fragments)).is_some())
            .collect()
    };
    let both = || {
        let here = left(&one);
        assert_eq!(left(&two), here);
        here.iter().map(|left| u8::from(*left)).collect::<Vec<_>>()
    };
    put();
    assert_eq!(both(), [1; 9]);
    // What renders alike is the same, whatever its parts are.
    assert!(two.get(&key("User__y", &["z"])).is_some());
    purge("User");
    assert_eq!(both(), [0, 0, 0, 0, 0, 0, 1, 1, 1]);
    put();
    purge("User__y");
    assert_eq!(both(), [1, 0, 0, 1, 1, 0, 1, 1, 1]);
    // Deeper than there are scopes, or ambiguous: all under the prefix goes, and some more.
    put();
    purge("User__y__deep__a");
    assert_eq!(both(), [1, 1, 1, 1, 1, 0, 1, 1, 1]);
    put();
    one.put(&key("User_", &["x"]), "v");
    purge("User_");
    assert_eq!(two.get(&key("User_", &["x"])), None);
    // One key alone.
    put();
    one.invalidate(&key("User", &["y", "z"]));
    clock.advance(Duration::from_secs(1));
    assert_eq!(both(), [1, 1, 0, 1, 1, 1, 1, 1, 1]);
}
