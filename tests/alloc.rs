//! Fault 27 of `docs/faults.md`: the allocator refuses, at each of the allocations of a run in turn.
//!
//! What the engine asks for through its own layouts, the blocks of entries (aligned to 16) and the segments of the table (aligned to 64),
//! is refused with an error. Where a `Vec` of the engine's can't grow, the default handler aborts the process, as it does
//! everywhere and SECURITY.md says; so whatever else is refused is refused in processes of their own. Besides: a full cache of entries of one
//! size asks for no more memory, nobody asks for a large block under a stripe's lock, and what is
//! handed out stays within the bound.
#![cfg(not(engine_loom))]
#![allow(unsafe_code, reason = "a global allocator is an unsafe trait")]
#![allow(
    clippy::unwrap_used,
    reason = "all of this is test code, its helpers included"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use larder::{Cache, Change, LoadError, Loaded, ManualClock, Refusal, Ttl};

#[path = "alloc/bound.rs"]
mod bound;
#[path = "alloc/refit.rs"]
mod refit;

/// What the calling thread's allocations meet.
#[derive(Clone, Copy)]
struct Plan {
    /// The alignment of what may be refused; 0: nothing, [`ANY`]: everything.
    align: usize,
    /// Allocations of it that succeed before.
    spared: usize,
    /// Allocations of it that are refused then.
    refused: usize,
}

const PEACE: Plan = Plan {
    align: 0,
    spared: 0,
    refused: 0,
};

const ANY: usize = usize::MAX;

thread_local!(static PLAN: Cell<Plan> = const { Cell::new(PEACE) });

/// How the table's segments are aligned.
const SEGMENT_ALIGN: usize = 64;

thread_local! {
    /// Bytes that the thread has allocated like segments and not freed.
    static SEGMENT_BYTES: Cell<u64> = const { Cell::new(0) };
}

fn count_segment(layout: Layout, up: bool) {
    if layout.align() == SEGMENT_ALIGN {
        let bytes = layout.size() as u64;
        let before = SEGMENT_BYTES.get();
        SEGMENT_BYTES.set(if up { before + bytes } else { before - bytes });
    }
}

struct Moody;

// SAFETY: hands everything on to the system's allocator, or refuses with null, which the trait allows.
unsafe impl GlobalAlloc for Moody {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut plan = PLAN.get();
        if plan.align == ANY || layout.align() == plan.align {
            if plan.spared > 0 {
                plan.spared -= 1;
            } else if plan.refused > 0 {
                plan.refused -= 1;
                PLAN.set(plan);
                return std::ptr::null_mut();
            }
            PLAN.set(plan);
        }
        count_segment(layout, true);
        bound::count(layout, true);
        refit::watch(layout, true);
        // SAFETY: the caller's promise about the layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count_segment(layout, false);
        bound::count(layout, false);
        refit::watch(layout, false);
        // SAFETY: the block came from `System.alloc` with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Moody = Moody;

/// The entries of a run: enough for the table's first segment to grow to its full size, and to split.
const KEYS: u64 = 600;

/// A value that says, by the count of its `Arc`, how many of its kind are alive.
type Counted = (u64, Arc<()>);

/// Inserts everything under a plan; whether anything was refused, and whether the plan was used up.
fn run(plan: Plan) -> (u64, bool) {
    let census = Arc::new(());
    let segment_bytes = SEGMENT_BYTES.get();
    let cache: Cache<Counted> = Cache::builder()
        .max_entries(10_000)
        .stripes(1)
        .build()
        .unwrap();
    // This thread's place among the readers is there before the memory gets scarce.
    assert!(cache.get("k").is_none());
    let mut n_refused = 0;
    let mut stored = Vec::new();
    PLAN.set(plan);
    for i in 0..KEYS {
        let value = (i, census.clone());
        let answer = if i % 3 == 0 {
            cache.insert_with_ttl(i % 500, value, Duration::from_secs(3600))
        } else {
            cache.insert(i % 500, value)
        };
        match answer {
            Ok(_) => stored.push(i),
            Err(error) => {
                assert_eq!(error.refusal, Refusal::OutOfMemory);
                assert_eq!(error.value.0, i, "the value comes back");
                let old = i.checked_sub(500).filter(|old| stored.contains(old));
                let found = cache.get(i % 500).as_deref().map(|found| found.0);
                assert_eq!(found, old, "the old one stays");
                n_refused += 1;
            }
        }
    }
    let left = PLAN.replace(PEACE);
    // What was accepted is there: the last value of each key, but for those that a table which could not grow let go.
    let stats = cache.stats();
    let mut n_found = 0;
    for key in 0..500 {
        let last = stored.iter().rev().find(|&&i| i % 500 == key).copied();
        match cache.get(key) {
            Some(found) => {
                assert_eq!(Some(found.0), last);
                n_found += 1;
            }
            None => assert!(last.is_none() || stats.evicted > 0, "{key} is missing"),
        }
    }
    assert_eq!(n_found, stats.live_entries);
    assert_eq!(stats.inserted, stored.len() as u64);
    assert_eq!(
        stats.inserted,
        stats.live_entries + stats.replaced + stats.evicted
    );
    assert!(plan.align == SEGMENT_ALIGN || stats.evicted == 0);
    let charged = stats.structure_bytes + stats.garbage_bytes;
    let taken = SEGMENT_BYTES.get() - segment_bytes;
    // What a stripe is born with is charged with its first entry.
    assert!(
        stored.is_empty() || taken <= charged,
        "{taken} bytes of segments, {charged} charged"
    );
    // With memory again, everything works.
    for key in 0..500 {
        cache.insert(key, (key, census.clone())).unwrap();
        assert_eq!(cache.remove(key).unwrap().0, key);
    }
    assert_eq!(cache.len(), 0);
    drop(cache);
    assert_eq!(Arc::strong_count(&census), 1, "values leaked");
    assert_eq!(SEGMENT_BYTES.get(), segment_bytes, "a segment leaked");
    (n_refused, left.refused == 0)
}

#[test]
fn f27_an_entry_whose_memory_is_refused_is_refused_whole() {
    for (refused, step) in [(1, 1), (10, 9), (usize::MAX, 50)] {
        let mut n = 0;
        for spared in (0..).step_by(step) {
            let (n_refused, used_up) = run(Plan {
                align: 16,
                spared,
                refused,
            });
            assert!(n_refused as usize <= refused);
            n += n_refused;
            if n_refused == 0 {
                assert!(!used_up);
                break;
            }
        }
        assert!(n >= KEYS, "each of the inserts was refused in a run");
    }
}

#[test]
fn f27_a_table_that_gets_no_memory_to_grow_goes_on_with_what_it_has() {
    for refused in [1, 2, usize::MAX] {
        for spared in 0..10 {
            let (n_refused, _) = run(Plan {
                align: SEGMENT_ALIGN,
                spared,
                refused,
            });
            assert_eq!(
                n_refused, 0,
                "a segment that can't grow makes room among its own"
            );
        }
    }
    assert_eq!(run(PEACE), (0, true));
}

/// From some point on the allocator gives nothing more to entries, and nobody notices.
#[test]
fn in_a_full_cache_what_has_left_is_the_memory_of_what_comes() {
    let builder = Cache::<[u8]>::builder().max_entries(4_000).stripes(1);
    let cache = builder.build().unwrap();
    for key in 0..20_000_u64 {
        cache.insert(key, [1; 64]).unwrap();
    }
    PLAN.set(Plan {
        align: 16,
        spared: 100,
        refused: usize::MAX,
    });
    let refused: Vec<u64> = (20_000..40_000)
        .filter(|&key| cache.insert(key, [1; 64]).is_err())
        .collect();
    PLAN.set(PEACE);
    assert_eq!(refused, [0; 0]);
}

/// Says to a process of its own which allocation is refused.
const CHILD: &str = "LARDER_REFUSED";

/// Everything once, one allocation of it refused; whether it came to that.
fn run_refused(spared: usize) -> bool {
    let clock = ManualClock::new();
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(1 << 20)
        .stripes(1)
        .clock(clock.clone())
        .build()
        .unwrap();
    cache.insert("k", [1; 100]).unwrap();
    assert!(cache.get("k").is_some());
    let is_fine = |refusal: &Refusal| assert_eq!(*refusal, Refusal::OutOfMemory);
    PLAN.set(Plan {
        align: ANY,
        spared,
        refused: 1,
    });
    for key in 0..40_u64 {
        if let Err(error) = cache.insert_with_ttl(key, &[2; 50][..], Duration::from_secs(key + 1)) {
            is_fine(&error.refusal);
        }
    }
    let load = || Ok::<_, ()>(Loaded::Value(&[3; 70][..]));
    match cache.get_or_load("loaded", Ttl::DEFAULT, load) {
        Ok(found) => assert_eq!(found.as_deref(), Some(&[3; 70][..])),
        Err(LoadError::OutOfMemory) => {}
        Err(LoadError::Refused(error)) => is_fine(&error.refusal),
        Err(other) => panic!("{other:?}"),
    }
    let computed = cache.compute("k", |old| {
        Change::Insert(old.map_or(1, |old| old.len()).to_le_bytes())
    });
    if let Err(error) = computed {
        assert!(
            matches!(error, larder::ComputeError::Refused(error) if error.refusal == Refusal::OutOfMemory)
        );
    }
    if let Ok(scope) = cache.scope(("a", 1_u64)) {
        if let Err(error) = scope.insert("in it", &[4; 30][..]) {
            is_fine(&error.refusal);
        }
        scope.invalidate();
        assert!(scope.get("in it").is_none());
    }
    clock.advance(Duration::from_secs(20));
    cache.maintain(1000);
    assert!(cache.iter().count() <= 43);
    drop(cache.remove("k"));
    let was_refused = PLAN.replace(PEACE).refused == 0;
    for key in 0..40_u64 {
        cache.insert(key, key.to_le_bytes()).unwrap();
        assert_eq!(cache.get(key).as_deref(), Some(&key.to_le_bytes()[..]));
    }
    cache.clear();
    assert_eq!(cache.stats().live_bytes, 0);
    was_refused
}

/// Alone, it does nothing: the test below runs it in processes of their own.
#[test]
fn f27_one_refusal() {
    if let Ok(spared) = std::env::var(CHILD) {
        println!("refused: {}", run_refused(spared.parse().unwrap()));
    }
}

#[test]
fn f27_whatever_allocation_is_refused_the_process_goes_on_or_is_aborted_by_the_default_handler() {
    let (mut n_errors, mut n_aborts) = (0, 0);
    for spared in 0.. {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "f27_one_refusal", "--nocapture"])
            .env(CHILD, spared.to_string())
            .output()
            .unwrap();
        let (out, err) = (
            String::from_utf8_lossy(&child.stdout),
            String::from_utf8_lossy(&child.stderr),
        );
        if child.status.success() {
            if out.contains("refused: false") {
                break;
            }
            assert!(out.contains("refused: true"), "{out}");
            n_errors += 1;
        } else {
            assert!(
                err.contains("memory allocation of"),
                "allocation {spared}: {} {err}",
                child.status
            );
            n_aborts += 1;
        }
    }
    println!("{n_errors} refusals were survived, {n_aborts} were aborts");
    // The blocks of forty entries at least.
    assert!(n_errors >= 40, "{n_errors} and {n_aborts}");
}
