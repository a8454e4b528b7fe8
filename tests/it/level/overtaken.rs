//! What is loaded, and what other processes write meanwhile: the latter stands.

use larder::{Loaded, Seen};

use super::*;

type Loading = Result<Loaded<Vec<u8>>, ()>;

fn load(view: &LevelView<'_>, ttl: Ttl, load: impl FnOnce() -> Loading) -> Option<Vec<u8>> {
    let found = view.get_or_load("k", WriteOptions::new().ttl(ttl), load);
    found.unwrap().map(|entry| entry.to_vec())
}

/// A node loads a key while another one does something with it; what the loader's caller has got, what that node reads next, and what
/// both read after the lifetime of copies.
fn overtaken(
    mode: LevelMode,
    before: Option<Ttl>,
    loaded: Loaded<Vec<u8>>,
    meanwhile: impl FnOnce(&LevelView<'_>),
) -> ([Option<Vec<u8>>; 3], Node) {
    let world = World::new();
    let [one, two] = world.nodes();
    if let Some(ttl) = before {
        let put = WriteOptions::new().ttl(ttl);
        two.view(mode).put("k", b"before", put).unwrap();
        // It is stale where it may be.
        world.clock.advance(2 * SECOND);
    }
    let (here, there) = (one.view(mode), two.view(mode));
    let got = load(&here, Ttl::after(MINUTE), || {
        meanwhile(&there);
        Ok(loaded)
    });
    let next = get(&here, "k");
    world.clock.advance(SECOND);
    let last = get(&here, "k");
    assert_eq!(get(&there, "k"), last);
    ([got, next, last], one)
}

const STALE: Ttl = Ttl::after(SECOND).stale(MINUTE);

#[test]
fn e46_f49_what_is_loaded_does_not_overwrite_another_processs_put() {
    for mode in [L1L2, L2] {
        // For want of a record, in the place of a stale one, and of one that has ended.
        for before in [None, Some(STALE), Some(Ttl::after(SECOND))] {
            let loaded = Loaded::Value(b"loaded".to_vec());
            let (found, node) = overtaken(mode, before, loaded, |there| {
                there.put("k", b"newer", 10 * MINUTE).unwrap();
            });
            // What was loaded is the caller's, and no copy either.
            let newer = bytes(b"newer");
            assert_eq!(found, [bytes(b"loaded"), newer.clone(), newer], "{mode:?}");
            let stats = node.levels.stats();
            assert_eq!((stats.overtaken, stats.puts, stats.write_errors), (1, 0, 0));
        }
    }
}

#[test]
fn e46_f49_what_is_loaded_does_not_bring_back_what_another_process_removed_or_purged() {
    for mode in [L1L2, L2] {
        let loaded = || Loaded::Value(b"loaded".to_vec());
        let (found, _) = overtaken(mode, Some(STALE), loaded(), |there| {
            assert_eq!(there.remove("k"), Ok(true));
        });
        assert_eq!(found, [bytes(b"loaded"), None, None]);
        for before in [None, Some(STALE)] {
            let ([_, _, last], node) = overtaken(mode, before, loaded(), |there| {
                there.purge().unwrap();
            });
            // A copy may be there for its lifetime; the level has none.
            assert_eq!(last, None);
            assert_eq!(node.levels.stats().overtaken, 0);
        }
    }
}

#[test]
fn e46_what_a_loader_finds_to_be_gone_takes_no_newer_record_away() {
    for mode in [L1L2, L2] {
        let (found, node) = overtaken(mode, Some(STALE), Loaded::Absent(MINUTE), |there| {
            there.put("k", b"newer", 10 * MINUTE).unwrap();
        });
        assert_eq!(found, [None, bytes(b"newer"), bytes(b"newer")]);
        assert_eq!(node.levels.stats().overtaken, 1);
        // Without a newer one, the stale one is gone.
        let (found, _) = overtaken(mode, Some(STALE), Loaded::Absent(MINUTE), |_| ());
        assert_eq!(found, [None, None, None]);
    }
}

#[test]
fn e46_nothing_is_seen_where_nothing_is_and_a_purged_scopes_record_is_replaced() {
    let world = World::new();
    let [one, two] = world.nodes();
    for node in [&one, &two] {
        one.view(L2).put("k", b"before", MINUTE).unwrap();
        node.view(L2).purge().unwrap();
        let value = load(&two.view(L2), Ttl::after(MINUTE), || {
            Ok(Loaded::Value(b"loaded".to_vec()))
        });
        assert_eq!(value, bytes(b"loaded"));
        assert_eq!(get(&one.view(L2), "k"), bytes(b"loaded"));
    }
    assert_ne!(Seen(None), Seen(Some(0)));
}

#[test]
fn e50_e_51_the_level_alone_leaves_what_the_cache_holds_alone() {
    let world = World::new();
    let [node] = world.nodes();
    let (near, far) = (node.view(L1), node.view(L2));
    for is_purge in [false, true] {
        near.put("k", b"near", MINUTE).unwrap();
        far.put("k", b"far", MINUTE).unwrap();
        match is_purge {
            true => far.purge().unwrap(),
            false => assert_eq!(far.remove("k"), Ok(true)),
        }
        assert_eq!(get(&far, "k"), None);
        assert_eq!(get(&near, "k"), bytes(b"near"));
    }
    assert_eq!(far.remove("k"), Ok(false));
}
