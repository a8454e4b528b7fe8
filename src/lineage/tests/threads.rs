//! Several threads, and the tables that each of them has.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Barrier;
use std::thread;

use super::*;
use crate::lineage::generation::Wanted;
use crate::lineage::threads::{self, Asked};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const ROUNDS: u64 = if cfg!(miri) { 30 } else { 3000 };

#[test]
fn a_thread_gets_its_own_view_again_and_no_other_threads() {
    let registry = Registry::new();
    let mine = registry.local(None, scope(b"a"), None).unwrap();
    let again = registry.local(None, scope(b"a"), None).unwrap();
    assert!(Arc::ptr_eq(&mine, &again));
    // The table's count, and the caller's two.
    assert_eq!(Arc::strong_count(&mine), 3);
    // One of them may share its parent's place of the table, and is made anew then; not all.
    let is_kept = |name: u8| {
        let child = registry.local(Some(&mine), scope(&[name]), None).unwrap();
        let child_again = registry.local(Some(&again), scope(&[name]), None).unwrap();
        Arc::ptr_eq(&child, &child_again)
    };
    assert!((b'b'..b'j').any(is_kept));

    let theirs = thread::scope(|scope_of_threads| {
        let resolve = || registry.local(None, scope(b"a"), None).unwrap();
        scope_of_threads.spawn(resolve).join().unwrap()
    });
    assert!(!Arc::ptr_eq(&mine, &theirs));
    assert_eq!(mine.word(&registry), theirs.word(&registry));
    // The other thread's table has gone with it.
    assert_eq!(Arc::strong_count(&theirs), 1);
}

#[test]
fn the_table_tells_names_kinds_parents_owners_and_registries_apart() {
    let registries = [Registry::new(), Registry::new()];
    let owners = [1, 2].map(Owner::new);
    let mut words = HashSet::new();
    for (at, registry) in registries.iter().enumerate() {
        let above = registry.local(None, scope(b"above"), None).unwrap();
        for parent in [None, Some(&*above)] {
            for name in lookalikes() {
                for _ in 0..2 {
                    let view = registry.local(parent, name, None).unwrap();
                    let life = view.generation(registry).unwrap();
                    assert_eq!(life.name(), name);
                    assert_eq!(life.path().len(), if parent.is_some() { 2 } else { 1 });
                    words.insert((at, life.word()));
                }
            }
        }
    }
    for owner in &owners {
        let view = registries[0]
            .local(None, tenant(b"t"), Some(owner))
            .unwrap();
        assert_eq!(view.word(&registries[0]).pool(), owner.pool());
    }
    assert!(words.len() >= 4 * lookalikes().len());
}

#[test]
fn what_shares_a_place_of_the_table_is_told_apart_by_each_of_its_marks() {
    let registry = Registry::new();
    let owners = [1, 2].map(Owner::new);
    let asked = Asked {
        above: registry.local(None, scope(b"a"), None).unwrap().serial(),
        name: scope(b"x"),
        owner: Some(&owners[0]),
        hash: 0,
    };
    let view = registry.local_anew(None, scope(b"x"), None).unwrap();
    threads::keep(asked, &view);
    assert!(threads::find(asked, |_| true).is_some_and(|found| Arc::ptr_eq(&found, &view)));
    let shape = Name {
        shape: 5,
        ..asked.name
    };
    let others = [
        Asked {
            above: asked.above + 1,
            ..asked
        },
        Asked {
            name: tenant(b"x"),
            ..asked
        },
        Asked {
            name: shape,
            ..asked
        },
        Asked {
            name: scope(b"y"),
            ..asked
        },
        Asked {
            owner: Some(&owners[1]),
            ..asked
        },
    ];
    for other in others {
        assert!(threads::find(other, |_| true).is_none());
    }
    // The next one at the place displaces it.
    threads::keep(others[0], &view);
    assert!(
        threads::find(asked, |_| true).is_none() && threads::find(others[0], |_| true).is_some()
    );
}

#[test]
fn what_is_asked_for_twice_displaces_what_is_not_asked_for_in_between() {
    let registry = Registry::new();
    let asked = |above, hash| Asked {
        above,
        name: scope(b"x"),
        owner: None,
        hash,
    };
    let view = registry.local_anew(None, scope(b"x"), None).unwrap();
    // All of one place.
    let (first, second, third) = (asked(11, 64), asked(12, 128), asked(13, 192));
    assert!(threads::is_wanted(first), "a free place");
    threads::keep(first, &view);
    assert!(!threads::is_wanted(second));
    assert!(threads::is_wanted(second), "again");
    // What stands there is still asked for: it stays.
    assert!(threads::find(first, |_| true).is_some());
    assert!(!threads::is_wanted(second));
    // Others in turn don't come in, however often.
    for _ in 0..3 {
        assert!(!threads::is_wanted(third));
        assert!(!threads::is_wanted(second));
    }
    assert!(threads::is_wanted(second));
    // Unless what stands there isn't asked for any more.
    assert!(threads::find(first, |_| true).is_some());
    let mut n_asked = 0;
    while !threads::is_wanted(if n_asked % 2 == 0 { third } else { second }) {
        n_asked += 1;
    }
    assert!((60..70).contains(&n_asked), "{n_asked}");
}

/// Asks for what is known as `name`, with a view of it that all threads may have.
fn ask(registry: &Registry, name: Name<'_>, shared: &Arc<Local>) -> Arc<Local> {
    let give = |hash| {
        assert_eq!(hash, registry.name_hash(name));
        Ok::<_, ScopeError>(Arc::clone(shared))
    };
    registry.known(None, name, give).unwrap()
}

#[test]
fn a_view_that_all_threads_may_have_is_copied_for_who_asks_for_it_all_the_time() {
    let registry = Registry::new();
    let owner = Owner::new(7);
    let made = |name| registry.local_anew(None, name, Some(&owner)).unwrap();
    let names: Vec<Vec<u8>> = (0..1000u32).map(|n| n.to_be_bytes().to_vec()).collect();
    let shared: Vec<_> = names.iter().map(|name| made(tenant(name))).collect();
    let mut n_own = 0;
    for (name, shared) in names.iter().zip(&shared) {
        let view = ask(&registry, tenant(name), shared);
        assert_eq!(view.word(&registry), shared.word(&registry));
        assert!(Arc::ptr_eq(view.tally(), shared.tally()));
        n_own += usize::from(!Arc::ptr_eq(&view, shared));
    }
    // A thousand that are asked for once: those that found a place free have one there.
    assert!((1..=64).contains(&n_own), "{n_own}");
    // Asked for again and again, each gets one of its own, and the same from then on.
    for (name, shared) in names.iter().zip(&shared).take(100) {
        let views = [(); 4].map(|()| ask(&registry, tenant(name), shared));
        assert!(!Arc::ptr_eq(&views[2], shared));
        assert!(Arc::ptr_eq(&views[2], &views[3]));
    }
}

#[test]
fn what_was_closed_is_asked_for_anew() {
    let registry = Registry::new();
    let old = Owner::new(1);
    let view = registry.local_anew(None, tenant(b"t"), Some(&old)).unwrap();
    let own = ask(&registry, tenant(b"t"), &view);
    assert!(!Arc::ptr_eq(&own, &view));
    assert!(registry.close(&old));
    let new = Owner::new(2);
    let view = registry.local_anew(None, tenant(b"t"), Some(&new)).unwrap();
    // What was closed gives way to whoever comes.
    let found = [(); 2].map(|()| ask(&registry, tenant(b"t"), &view));
    for found in &found {
        assert!(found.owner().is_some_and(|owner| Arc::ptr_eq(owner, &new)));
        assert_eq!(found.word(&registry), view.word(&registry));
    }
    assert!(
        found.iter().all(|found| !Arc::ptr_eq(found, &view)),
        "one of its own, again"
    );
    assert_eq!(Arc::strong_count(&own), 1, "the table keeps nothing of it");
    let gone = |_| Err::<Arc<Local>, _>(ScopeError::Closed);
    registry.close(&new);
    assert!(registry.known(None, tenant(b"t"), gone).is_err());
}

/// Resolves a scope when its thread ends, before or after the thread's table has gone.
struct Late(RefCell<Option<(Arc<Registry>, Arc<AtomicU64>)>>);

impl Drop for Late {
    fn drop(&mut self) {
        let Some((registry, n_resolved)) = self.0.take() else {
            return;
        };
        for _ in 0..2 {
            let view = registry.local(None, scope(b"late"), None).unwrap();
            assert!(view.holds(view.word(&registry)));
            n_resolved.fetch_add(1, Ordering::Relaxed);
        }
    }
}

thread_local! {
    static LATE: Late = const { Late(RefCell::new(None)) };
}

#[test]
fn a_thread_that_ends_still_resolves_and_keeps_nothing() {
    let registry = Arc::new(Registry::new());
    for resolves_first in [true, false] {
        let n_resolved = Arc::new(AtomicU64::new(0));
        let theirs = (Arc::clone(&registry), Arc::clone(&n_resolved));
        thread::spawn(move || {
            if resolves_first {
                drop(theirs.0.local(None, scope(b"early"), None));
            }
            LATE.with(|late| late.0.replace(Some(theirs.clone())));
            drop(theirs.0.local(None, scope(b"early"), None));
        })
        .join()
        .unwrap();
        assert_eq!(n_resolved.load(Ordering::Relaxed), 2);
        assert_eq!(registry.n_names(), 0, "L5");
    }
}

/// A life whose last name is gone, but which stands in the roll still, is no obstacle to the next, nor takes it along.
#[test]
fn a_life_that_is_about_to_go_takes_no_other_along() {
    let registry = Registry::new();
    let wanted = Wanted {
        parent: None,
        name: scope(b"a"),
        owner: None,
    };
    let dying = registry.resolve(None, wanted.name, None).unwrap();
    let (weak, hash, old) = (Arc::downgrade(&dying), dying.hash(), dying.word());
    let next = thread::scope(|threads| {
        let mut names = registry.names(hash);
        threads.spawn(|| drop(dying));
        // The other thread has given the last count up, and waits for the lock.
        while weak.strong_count() > 0 {
            thread::yield_now();
        }
        registry
            .find_or_make_among(&mut names, &mut Vec::new(), wanted, hash)
            .unwrap()
    });
    assert!(next.word() > old);
    assert_eq!(registry.n_names(), 1);
    let again = registry.resolve(None, wanted.name, None).unwrap();
    assert_eq!(again.word(), next.word(), "L2");
}

/// Threads that all come and go at one name: at any time there is one life of it.
#[test]
fn l2_threads_that_hold_a_name_at_one_time_hold_one_life() {
    let registry = Registry::new();
    let barrier = Barrier::new(4);
    let found = [const { AtomicU64::new(0) }; 4];
    thread::scope(|threads| {
        for own in &found {
            let (registry, barrier, found) = (&registry, &barrier, &found);
            threads.spawn(move || {
                for _ in 0..ROUNDS / 3 {
                    barrier.wait();
                    let view = registry.local_anew(None, scope(b"a"), None).unwrap();
                    own.store(view.word(registry).bits(), Ordering::Relaxed);
                    barrier.wait();
                    let first = found[0].load(Ordering::Relaxed);
                    assert!(
                        found
                            .iter()
                            .all(|word| word.load(Ordering::Relaxed) == first)
                    );
                }
            });
        }
    });
    assert_eq!((registry.n_names(), registry.memory_bytes()), (0, 0), "L5");
}

/// One thread ends a scope again and again; others use views of it and of a child. What is used had not ended when the
/// use began, and no view goes back.
#[test]
fn e44_l4_no_view_uses_what_had_ended_before_it_was_asked() {
    let registry = Registry::new();
    let shared = registry.local(None, scope(b"a"), None).unwrap();
    let child = registry.local(Some(&shared), scope(b"b"), None).unwrap();
    // The largest words of parent and child that had ended for sure.
    let ended = [const { AtomicU64::new(0) }; 2];
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        for n in 0..3 {
            let (registry, ended, is_over) = (&registry, &ended, &is_over);
            let (shared, child) = (&shared, &child);
            threads.spawn(move || {
                let mut before = [PlaceWord::ROOT; 2];
                while !is_over.load(Ordering::Relaxed) {
                    let own = registry.local(None, scope(b"a"), None).unwrap();
                    for (at, view) in [(0, shared), (1, child), (0, &own)] {
                        let dead = PlaceWord::from_bits(ended[at].load(Ordering::Acquire));
                        let word = view.word(registry);
                        assert!(word > dead, "{n}: {word:?} had ended: {dead:?}");
                        assert!(word >= before[at], "L3, L4");
                        before[at] = word;
                    }
                }
            });
        }
        for _ in 0..ROUNDS {
            let words = [&shared, &child].map(|view| view.word(&registry));
            let life = shared.generation(&registry).unwrap();
            assert_eq!(life.word(), words[0], "only this thread ends it");
            registry.invalidate(&life);
            for (ended, word) in ended.iter().zip(words) {
                ended.store(word.bits(), Ordering::Release);
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    drop((shared, child));
}

/// Owners are closed and replaced while other threads resolve by name; nobody is charged for another's scope.
#[test]
fn e4_threads_that_race_a_replacement_are_never_charged_to_the_wrong_pool() {
    let registry = Registry::new();
    let n_owners = if cfg!(miri) { 10 } else { 1000 };
    let owners: Vec<_> = (1..=n_owners).map(Owner::new).collect();
    let at = AtomicU64::new(0);
    thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                loop {
                    let owner = &owners[at.load(Ordering::Acquire) as usize];
                    let Ok(view) = registry.local(None, tenant(b"t"), Some(owner)) else {
                        continue;
                    };
                    let word = match registry.local(Some(&view), scope(b"x"), None) {
                        Ok(below) => below.word(&registry),
                        Err(error) => {
                            assert_eq!(error, ScopeError::Closed);
                            continue;
                        }
                    };
                    assert!(word == PlaceWord::NOWHERE || word.pool() == owner.pool());
                    if owner.pool() == n_owners {
                        break;
                    }
                }
            });
        }
        for next in 1..u64::from(n_owners) {
            assert!(registry.close(&owners[next as usize - 1]));
            at.store(next, Ordering::Release);
        }
    });
    assert!(
        owners[..owners.len() - 1]
            .iter()
            .all(|owner| owner.is_closed())
    );
}
