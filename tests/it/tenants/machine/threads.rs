//! The same with four threads at a time, which know less about one another: bounds are never passed, guarantees are kept, and once
//! all is quiet the usages are exact.

use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use larder::{Cache, Limits, OwnedScope, Refusal};

use super::super::{bytes, guaranteed};
use super::CAPACITY;
use super::world::{LENGTHS, N_POOLS, N_TENANTS, World};
use crate::tools::SetAtEnd;

/// A cheap sequence of numbers, another one for each seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % below
    }
}

const KEPT: u64 = 40;

/// Someone who writes at the beginning alone, and is guaranteed what they take.
fn keep(cache: &Cache<[u8]>) -> HashSet<u64> {
    let kept = cache.create_tenant("kept", Limits::default()).unwrap();
    let default = kept.default_cache().unwrap();
    for key in 0..KEPT {
        default.insert(key, [1; 100]).unwrap();
    }
    kept.set_limits(guaranteed(kept.usage().bytes)).unwrap();
    default.iter().map(|entry| u64::from(entry[0])).collect()
}

fn work(world: &World, thread: u64, n_rounds: u64) {
    let mut dice = Dice(thread);
    let views: Vec<_> = world
        .places
        .iter()
        .map(|place| place.view.clone())
        .collect();
    for _ in 0..n_rounds {
        let view = &views[dice.roll(views.len() as u64) as usize];
        let key = dice.roll(200);
        match dice.roll(40) {
            0 => view.invalidate(),
            1..4 => drop(view.remove(key)),
            4..6 => drop(view.set_ttl(key, None)),
            6 => drop(world.cache.maintain(10)),
            _ => {
                let length = LENGTHS[dice.roll(LENGTHS.len() as u64) as usize];
                if let Err(refused) = view.insert(key, vec![7; length]) {
                    // All of the others may be within their guarantees for a moment.
                    let expected = matches!(refused.refusal, Refusal::NoRoom);
                    assert!(expected, "{:?}", refused.refusal);
                }
            }
        }
    }
}

#[test]
fn e70_e72_e75_bounds_and_guarantees_hold_with_threads() {
    for stripes in [1, 4] {
        let mut world = World::new(CAPACITY, stripes);
        let maxima = [8, 16, 24].map(|part| part * CAPACITY / 80);
        for (tenant, max) in maxima.into_iter().enumerate() {
            let pool = tenant * (N_POOLS / N_TENANTS);
            world.set_limits(pool + 1, bytes(0, max / 2)).unwrap();
            world.set_limits(pool + 2, bytes(0, max)).unwrap();
            world.set_limits(pool, bytes(max / 4, max)).unwrap();
        }
        keep(&world.cache);
        world.now = world.snapshot();
        let (start, stop) = (Barrier::new(5), AtomicBool::new(false));
        let n_rounds = if cfg!(debug_assertions) {
            20_000
        } else {
            200_000
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|thread| {
                    let (world, start) = (&world, &start);
                    scope.spawn(move || {
                        start.wait();
                        work(world, thread, n_rounds);
                    })
                })
                .collect();
            let (world, stop, start) = (&world, &stop, &start);
            scope.spawn(move || {
                start.wait();
                let kept = world.cache.tenant("kept").unwrap().default_cache().unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let weight = world.cache.weight();
                    assert!(weight <= CAPACITY, "{weight} of {CAPACITY}");
                    for pool in 0..N_POOLS {
                        let (used, max) = (world.usage(pool).bytes, world.limits(pool).max_bytes);
                        assert!(used <= max.unwrap(), "pool {pool}: {used} of {max:?}");
                    }
                    let n_kept = (0..KEPT).filter(|&key| kept.contains_key(key)).count();
                    assert_eq!(n_kept as u64, KEPT, "a guarantee was broken");
                }
            });
            let _stop = SetAtEnd(stop);
            for worker in workers {
                worker.join().unwrap();
            }
        });
        assert!(world.cache.stats().evicted > 0);
        world.check_usages();
        world.check_sums("at the end", 0);
    }
}

#[test]
fn e6_e72_maxima_that_change_while_threads_write_are_kept_once_they_are_quiet() {
    let world = World::new(CAPACITY, 4);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|thread| {
                let world = &world;
                scope.spawn(move || work(world, thread, 10_000))
            })
            .collect();
        let (world, stop) = (&world, &stop);
        scope.spawn(move || {
            let mut dice = Dice(9);
            while !stop.load(Ordering::Relaxed) {
                let pool = dice.roll(N_POOLS as u64) as usize;
                let max = 6_000 + dice.roll(CAPACITY);
                // A named cache's guarantee may not fit its tenant's any more.
                let _ = world.set_limits(pool, bytes(dice.roll(max / 8), max));
            }
        });
        let _stop = SetAtEnd(stop);
        for worker in workers {
            worker.join().unwrap();
        }
    });
    world.check_usages();
    for place in &world.places {
        place.view.insert(1u64, []).unwrap();
        for pool in place.pools() {
            let (used, max) = (world.usage(pool).bytes, world.limits(pool).max_bytes);
            assert!(used <= max.unwrap(), "pool {pool}: {used} of {max:?}");
        }
    }
    world.check_usages();
}

/// While the memory of what has left is being freed by a thread that doesn't run just now, there may be no room. How
/// often there was none.
fn write_until_stored(view: &OwnedScope<[u8]>, key: u64) -> u64 {
    let mut refused = 0;
    while let Err(error) = view.insert(key, []) {
        assert_eq!(error.refusal, Refusal::NoRoom);
        refused += 1;
        assert!(refused < 10_000, "no room though everything ends");
        std::thread::yield_now();
    }
    refused
}

#[test]
fn e70_writes_that_race_the_end_of_their_scope_give_back_what_they_took_and_no_more() {
    let world = World::new(CAPACITY, 1);
    let (of_nobody, of_tenant) = (&world.places[0].view, &world.places[1].view);
    let n_rounds = if cfg!(debug_assertions) {
        20_000
    } else {
        100_000
    };
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3u64)
            .map(|thread| {
                let write = move |round| {
                    // Each key is new, so that it is linked, and its life asked for once more.
                    let key = thread * n_rounds + round;
                    write_until_stored(of_nobody, key) + write_until_stored(of_tenant, key)
                };
                scope.spawn(move || (0..n_rounds).map(write).sum::<u64>())
            })
            .collect();
        let stop = &stop;
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                of_nobody.invalidate();
                of_tenant.invalidate();
            }
        });
        let _stop = SetAtEnd(stop);
        let refused: u64 = workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum();
        assert!(refused < n_rounds / 2, "{refused} refusals");
    });
    for view in [of_nobody, of_tenant] {
        view.invalidate();
    }
    world.check_usages();
    assert_eq!(world.cache.stats().live_bytes, 0);
}
