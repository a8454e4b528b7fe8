use std::panic::catch_unwind;
use std::thread;

use super::local::First;
use super::*;

/// Addresses to name; nobody looks behind them.
fn address(n: usize) -> *mut u8 {
    ptr::without_provenance_mut(n * 64)
}

#[test]
fn a_look_sees_what_is_named_and_no_more() {
    let domain = Domain::new();
    let [one, two] = [domain.register(), domain.register()];
    assert!(!domain.look().unwrap().has(address(1)));
    let [outer, inner, other] = [one.hazard(0), one.hazard(1), two.hazard(0)];
    outer.namer().name_segment(address(1));
    outer.namer().name_entry(address(2));
    inner.namer().name_entry(address(3));
    other.namer().name_entry(address(4));
    other.namer().name_entry(address(5));
    let named = domain.look().unwrap();
    assert_eq!(
        [1, 2, 3, 4, 5].map(|n| named.has(address(n))),
        [true, true, true, false, true]
    );
    drop(inner);
    drop(outer);
    let named = domain.look().unwrap();
    assert_eq!(
        [1, 2, 3, 5].map(|n| named.has(address(n))),
        [false, false, false, true]
    );
}

#[test]
fn a_record_that_was_left_is_taken_again_and_names_nothing() {
    let domain = Domain::new();
    let first = domain.register();
    std::mem::forget(first.hazard(2));
    first.hazard(2).namer().name_entry(address(7));
    let kept = first.hazard(3);
    kept.namer().name_entry(address(8));
    std::mem::forget(kept);
    assert!(domain.look().unwrap().has(address(8)));
    first.leave();
    assert!(!domain.look().unwrap().has(address(8)));
    assert!(
        ptr::eq(domain.register(), first),
        "the list grows only if all records are taken (R2)"
    );
    assert!(!ptr::eq(domain.register(), first));
}

#[test]
fn threads_have_records_of_their_own_and_all_are_looked_at() {
    let domain = Domain::new();
    thread::scope(|scope| {
        let named: Vec<_> = (1..=8)
            .map(|n| {
                let domain = &domain;
                scope.spawn(move || {
                    let hazard = domain.register().hazard(0);
                    hazard.namer().name_entry(address(n));
                    std::mem::forget(hazard);
                })
            })
            .collect();
        named.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let named = domain.look().unwrap();
    assert!((1..=8).all(|n| named.has(address(n))));
    assert_eq!(domain.records().count(), 8);
}

/// Enters as a read does.
fn enter_any() -> Option<(Option<First>, Option<Hazard<'static>>)> {
    if let Some(first) = enter_first() {
        first.namer().name_segment(address(1));
        return Some((Some(first), None));
    }
    enter().map(|hazard| (None, Some(hazard)))
}

#[test]
fn reads_nest_to_a_depth_and_no_further() {
    barrier::decide();
    thread::spawn(|| {
        drop(enter_any());
        for _ in 0..3 {
            let mut nested = Vec::new();
            while let Some(hazard) = enter_any() {
                nested.push(hazard);
            }
            let most = if barrier::form() == Form::Light {
                DEPTH
            } else {
                DEPTH - 1
            };
            assert_eq!(nested.len(), most);
            // They end in the reverse order (R3).
            while nested.pop().is_some() {}
        }
    })
    .join()
    .unwrap();
}

#[test]
fn a_panic_in_a_read_gives_its_level_back() {
    barrier::decide();
    thread::spawn(|| {
        for depth in [1, 2, DEPTH - 1] {
            let panicked = catch_unwind(|| {
                let _nested: Vec<_> = (0..depth)
                    .map(|_| enter_any().expect("so deep it goes"))
                    .collect();
                panic!("user code");
            });
            assert!(panicked.is_err());
        }
        let all: Vec<_> = std::iter::from_fn(enter_any).collect();
        assert!(all.len() >= DEPTH - 1);
    })
    .join()
    .unwrap();
}

thread_local! {
    static LATE: Late = const { Late };
}

/// Reads while its thread ends, after the engine's own thread-local has gone or before.
struct Late;

impl Drop for Late {
    fn drop(&mut self) {
        for _ in 0..2 {
            if let Some((first, hazard)) = enter_any() {
                if let Some(first) = &first {
                    first.namer().name_entry(address(900));
                }
                if let Some(hazard) = &hazard {
                    hazard.namer().name_entry(address(901));
                }
            }
        }
    }
}

#[test]
fn a_thread_that_ends_names_nothing_whatever_its_destructors_read() {
    barrier::decide();
    for reads_first in [true, false] {
        thread::spawn(move || {
            if reads_first {
                drop(enter_any());
                LATE.with(|_| ());
            } else {
                LATE.with(|_| ());
                drop(enter_any());
            }
        })
        .join()
        .unwrap();
    }
    let named = DOMAIN.look().unwrap();
    assert!(!named.has(address(900)) && !named.has(address(901)));
}

#[test]
fn a_thread_keeps_its_number() {
    let number = thread_number();
    assert_ne!(number, 0);
    assert_eq!(thread_number(), number);
    assert_ne!(thread::spawn(thread_number).join().unwrap(), number);
}

/// Two threads hand a box back and forth through a link, one frees what the other doesn't name.
#[test]
fn what_a_reader_names_stays_whole() {
    barrier::decide();
    const ROUNDS: u64 = if cfg!(miri) { 50 } else { 20_000 };
    let domain = Domain::new();
    let link = AtomicPtr::new(Box::into_raw(Box::new([0_u64; 8])));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (record, mut n_read) = (domain.register(), 0_u64);
            while !is_over.load(Ordering::Relaxed) {
                let hazard = record.hazard(0);
                let seen = link.load(Ordering::Acquire);
                hazard.namer().name_entry(seen);
                if link.load(Ordering::SeqCst) == seen {
                    // SAFETY: named, and linked after that.
                    let words = unsafe { *seen };
                    assert!(words.iter().all(|&word| word == words[0]), "{words:?}");
                    n_read += 1;
                }
            }
            n_read
        });
        let mut waiting = Vec::new();
        for round in 1..=ROUNDS {
            waiting.push(link.swap(Box::into_raw(Box::new([round; 8])), Ordering::SeqCst));
            if round.is_multiple_of(16) {
                let named = domain.look().unwrap();
                waiting.retain(|&old| {
                    // SAFETY: unlinked before the look, which didn't name it.
                    named.has(old) || {
                        // SAFETY: unlinked before the look, which did not name it.
                        unsafe { drop(Box::from_raw(old)) };
                        false
                    }
                });
                assert!(waiting.len() <= 1, "one reader holds back one box");
            }
        }
        is_over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        waiting.push(link.load(Ordering::Relaxed));
        // SAFETY: the reader has ended.
        waiting
            .drain(..)
            .for_each(|old| unsafe { drop(Box::from_raw(old)) });
    });
}
