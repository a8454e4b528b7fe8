//! Threads at once: what holds at every moment, and what is left in the end.

use std::thread;

use super::*;
use crate::sync::atomic::AtomicBool;

/// Holds each thread until all have come, so that none is over before another begins.
fn await_all(n_ready: &AtomicU32, n: u32) {
    n_ready.fetch_add(1, Ordering::Relaxed);
    while n_ready.load(Ordering::Relaxed) < n {
        thread::yield_now();
    }
}

/// Four threads at two children of one tenant, all three of them nearly full.
#[test]
fn e75_no_maximum_is_passed_by_threads() {
    let shares = shares();
    let tenant = shares.add(None, 0, 1000).unwrap();
    let children = [0; 2].map(|_| shares.add(Some(tenant), 0, 700).unwrap());
    let n_ready = AtomicU32::new(0);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let claimers: Vec<_> = (0..4_u64)
            .map(|nth| {
                let (shares, n_ready) = (&shares, &n_ready);
                let child = children[nth as usize % 2];
                scope.spawn(move || {
                    await_all(n_ready, 5);
                    let mut held = Vec::new();
                    let mut n_refused = 0;
                    for step in 0..20_000 {
                        let bytes = 1 + (step * 37 + nth * 11) % 200;
                        match shares.claim(child, bytes) {
                            Ok(()) => held.push(bytes),
                            Err(over) => {
                                assert!(over.pool == child || over.pool == tenant);
                                n_refused += 1;
                                for bytes in held.drain(held.len() / 2..) {
                                    shares.give_back(child, bytes);
                                }
                            }
                        }
                    }
                    for bytes in held {
                        shares.give_back(child, bytes);
                    }
                    n_refused
                })
            })
            .collect();
        let watcher = scope.spawn(|| {
            await_all(&n_ready, 5);
            while !is_over.load(Ordering::Relaxed) {
                assert!(shares.used(tenant) <= 1000);
                assert!(children.iter().all(|child| shares.used(*child) <= 700));
            }
        });
        for claimer in claimers {
            assert!(claimer.join().unwrap() > 0, "the maximum was met");
        }
        is_over.store(true, Ordering::Relaxed);
        watcher.join().unwrap();
    });
    assert_eq!(shares.used(tenant), 0);
    assert!(children.iter().all(|child| shares.used(*child) == 0));
    assert_eq!(
        shares.cell(tenant).own_excess(0),
        0,
        "S2: of the children's part too"
    );
}

/// Pools come and go while others claim and search.
#[test]
fn pools_come_and_go_under_searching_threads() {
    let shares = Shares::new(u64::MAX, 64);
    let kept = shares.add(None, MIB, 2 * MIB).unwrap();
    let flooding = shares.add(None, 0, u64::MAX).unwrap();
    fill(&shares, kept, MIB);
    fill(&shares, flooding, 4 * MIB);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let searcher = scope.spawn(|| {
            let mut n_found = 0;
            while !is_over.load(Ordering::Relaxed) || n_found == 0 {
                let turn = shares.gives_way(kept, 0);
                assert_ne!(turn, Turn::Pool(kept), "S4");
                n_found += u64::from(matches!(turn, Turn::Pool(_)));
            }
        });
        let changers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let tenant = shares.add(None, 100, 200).unwrap();
                        let child = shares.add(Some(tenant), 10, 1000).unwrap();
                        fill(&shares, child, 150);
                        fill(&shares, tenant, 50);
                        assert!(shares.claim(child, 1).is_err());
                        for (pool, bytes) in [(child, 150), (tenant, 50)] {
                            shares.mark_stripe(pool, 0, false);
                            shares.give_back(pool, bytes);
                            shares.remove(pool).unwrap();
                        }
                    }
                })
            })
            .collect();
        for changer in changers {
            changer.join().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        searcher.join().unwrap();
    });
    // Two threads had two pools each, and few were leaving at a time: numbers went round.
    assert!(shares.numbers_end.load(Ordering::Relaxed) < 100);
}
