//! Asking for a scope again writes nothing that another thread writes: seen by the counts that a shared view would move.

use std::sync::Barrier;
use std::thread;

use super::*;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, Ordering};

const ROUNDS: usize = if cfg!(miri) { 20 } else { 2000 };

fn cache() -> Cache<u64> {
    Cache::builder().max_entries(100).build().unwrap()
}

/// The counts of what is shared: the cache, and the scope's present life. In turn, since looking takes a count itself.
fn shared_counts(cache: &Cache<u64>, local: &Local) -> (usize, usize) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    let registry = cache.inner().store.registry();
    let life = local.generation(registry).unwrap();
    (
        Arc::strong_count(cache.inner()),
        Arc::strong_count(&life) - 1,
    )
}

#[test]
fn two_threads_that_ask_for_a_scope_each_have_a_view_of_their_own_and_move_no_shared_count() {
    let cache = cache();
    let barrier = Barrier::new(2);
    let n_kept: [AtomicU32; 16] = Default::default();
    let views = thread::scope(|threads| {
        let theirs = [(); 2].map(|()| {
            threads.spawn(|| {
                let above = name_both_keep(&cache, &barrier, &n_kept);
                let first = cache.scope(above).unwrap().scope("s").unwrap().local;
                // Both threads have their views from here on, and until both are done.
                barrier.wait();
                let before = shared_counts(&cache, &first);
                barrier.wait();
                for n in 0..ROUNDS as u64 {
                    let above = cache.scope(above).unwrap();
                    let scope = above.scope("s").unwrap();
                    assert!(
                        Arc::ptr_eq(&scope.local, &first),
                        "the thread's own view, again"
                    );
                    // The table, `first` and `scope`, all of this thread.
                    assert_eq!(Arc::strong_count(&first), 3);
                    scope.get(n);
                    drop((scope, above));
                }
                barrier.wait();
                assert_eq!(shared_counts(&cache, &first), before);
                barrier.wait();
                first
            })
        });
        theirs.map(|thread| thread.join().unwrap())
    });
    assert!(!Arc::ptr_eq(&views[0], &views[1]));
    // Each is on lines of its own.
    let at = views.each_ref().map(|view| (&raw const **view).addr());
    assert!(at[0].abs_diff(at[1]) >= 64 && at.iter().all(|at| at % 64 == 0));
}

/// The first name whose view, and that of "s" in it, have places of their own in the tables of both threads. What is in their places from
/// before gives way to what is asked for again.
fn name_both_keep(cache: &Cache<u64>, barrier: &Barrier, n_kept: &[AtomicU32]) -> u64 {
    let is_kept_by_both = |&name: &u64| {
        let ask = || cache.scope(name).unwrap().scope("s").unwrap().local;
        let asked = [(); 5].map(|()| ask());
        let n_kept = &n_kept[name as usize];
        n_kept.fetch_add(Arc::ptr_eq(&asked[3], &asked[4]).into(), Ordering::Relaxed);
        barrier.wait();
        n_kept.load(Ordering::Relaxed) == 2
    };
    let mut names = 0..n_kept.len() as u64;
    names
        .find(is_kept_by_both)
        .expect("few names share a place")
}

#[test]
fn counts_stand_still_at_every_moment_of_the_other_threads_loop() {
    let cache = cache();
    let mine = cache.scope("s").unwrap().local;
    let (begin, end) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|threads| {
        threads.spawn(|| {
            let first = cache.scope("s").unwrap().local;
            begin.wait();
            for _ in 0..ROUNDS {
                assert!(Arc::ptr_eq(&cache.scope("s").unwrap().local, &first));
            }
            end.wait();
        });
        begin.wait();
        let registry = cache.inner().store.registry();
        let life = mine.generation(registry).unwrap();
        let counts = || (Arc::strong_count(cache.inner()), Arc::strong_count(&life));
        let before = counts();
        // This thread's view, the other's, and `life`.
        assert_eq!(before, (1, 3));
        for _ in 0..ROUNDS {
            assert_eq!(counts(), before);
            assert_eq!(Arc::strong_count(&mine), 2, "the table's, and the one here");
        }
        end.wait();
    });
}

#[test]
fn a_view_that_is_taken_along_shares_and_says_so() {
    let cache = cache();
    let owned = cache.scope("s").unwrap().into_owned();
    let there = owned.clone();
    assert!(Arc::ptr_eq(&there.local, &owned.local));
    let is_own = thread::scope(|threads| {
        let ask = || Arc::ptr_eq(&cache.scope("s").unwrap().local, &there.local);
        !threads.spawn(ask).join().unwrap()
    });
    assert!(is_own, "a thread that asks gets its own view all the same");
    assert_eq!(Arc::strong_count(cache.inner()), 3);
}
