use std::thread;

use super::*;
use crate::sync::atomic::{AtomicU64, Ordering};

const LONG: Duration = Duration::from_secs(60);

fn n_slots(turns: &Turns) -> usize {
    let shards = turns.shards.iter();
    shards.map(|shard| shard.slots.lock().len()).sum()
}

#[test]
fn t1_a_turn_is_one_callers_and_another_keys_is_free() {
    let turns = Turns::default();
    let first = turns.watch(1).turn(LONG);
    assert!(first.as_ref().is_some_and(Turn::is_first));
    assert!(turns.watch(1).turn(Duration::ZERO).is_none());
    // Of the same lock.
    assert!(
        turns
            .watch(1 + N_SHARDS as u64)
            .turn(Duration::ZERO)
            .is_some()
    );
    drop(first);
    assert!(turns.watch(1).turn(Duration::ZERO).is_some());
    assert_eq!(n_slots(&turns), 0, "T2");
}

#[test]
fn who_watches_sees_turns_and_waits_in_vain() {
    let turns = Turns::default();
    let quiet = turns.watch(1);
    assert!(quiet.turn(LONG).unwrap().is_first());

    let watch = turns.watch(1);
    drop(turns.watch(1).turn(LONG));
    assert!(!watch.turn(LONG).unwrap().is_first());

    // Whose turn it is may write only now.
    let held = turns.watch(1).turn(LONG);
    let watch = turns.watch(1);
    drop(held);
    assert!(!watch.turn(LONG).unwrap().is_first());

    let held = turns.watch(1).turn(LONG);
    let watch = turns.watch(1);
    assert!(turns.watch(1).turn(Duration::ZERO).is_none());
    drop(held);
    assert!(!watch.turn(LONG).unwrap().is_first());
    assert_eq!(n_slots(&turns), 0);
}

#[test]
fn threads_take_turns_one_at_a_time() {
    let turns = Turns::default();
    let n_inside = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let turn = turns.watch(9).turn(LONG);
                    assert!(turn.is_some());
                    assert_eq!(n_inside.fetch_add(1, Ordering::Relaxed), 0);
                    thread::yield_now();
                    n_inside.fetch_sub(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(n_slots(&turns), 0);
}
