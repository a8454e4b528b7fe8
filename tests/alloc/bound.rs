//! The bound in bytes holds for what the allocator hands out, also where entries become larger and so fewer: they no longer pay for the
//! policy's memory, which was made for more of them.

use std::alloc::Layout;
use std::cell::Cell;

use larder::{Budget, Cache};

const MAX: u64 = 4 << 20;

/// Of the bound, in per cent, what may be handed out.
const HANDED_OUT_MAX: u64 = 102;

thread_local! {
    /// Bytes that the thread has allocated and not freed, and the most that were since the last look.
    static HELD: Cell<(i64, i64)> = const { Cell::new((0, 0)) };
}

pub(super) fn count(layout: Layout, comes: bool) {
    let (held, peak) = HELD.get();
    let bytes = layout.size() as i64;
    let held = if comes { held + bytes } else { held - bytes };
    HELD.set((held, peak.max(held)));
}

#[test]
fn what_is_handed_out_stays_within_the_bound_when_entries_become_larger() {
    let (before, _) = HELD.get();
    let cache: Cache<[u8]> = Cache::builder().max_bytes(MAX).stripes(4).build().unwrap();
    let mut keys = 0u64..;
    for (value_bytes, capacities) in [(16, 2), (6000, 3), (16, 2), (300, 2), (2000, 3)] {
        let value = vec![7; value_bytes];
        let (held, _) = HELD.get();
        HELD.set((held, held));
        // More than as many as there is room for.
        let n_entries = capacities * MAX as usize / (value_bytes + 80);
        for key in keys.by_ref().take(n_entries) {
            cache.insert(key, &value[..]).unwrap();
            assert!(cache.weight() <= MAX);
        }
        let (_, peak) = HELD.get();
        let percent = 100 * (peak - before) as u64 / MAX;
        assert!(percent > 75, "it is full: {percent} %");
        assert!(
            percent <= HANDED_OUT_MAX,
            "{percent} % with values of {value_bytes} bytes"
        );
    }
    assert!(cache.stats().refused == 0);
}

/// Beside which what stripes take however few their entries are, and that isn't charged, is little.
const LARGE: u64 = 32 << 20;

#[test]
fn what_is_handed_out_stays_within_a_bound_that_several_caches_share_where_one_gives_way_to_the_others()
 {
    let (before, _) = HELD.get();
    let budget = Budget::new(LARGE).unwrap();
    let build = || -> Cache<[u8]> { Cache::builder().budget(&budget).stripes(4).build().unwrap() };
    let first = build();
    for key in 0..2 * LARGE / 96 {
        first.insert(key, &[7; 16][..]).unwrap();
    }
    let n_first = first.len();
    let others = [(); 3].map(|()| build());
    let (held, _) = HELD.get();
    HELD.set((held, held));
    // Nobody writes to the first one any more.
    for key in 0..LARGE / 2000 {
        for other in &others {
            other.insert(key, &[7; 2000][..]).unwrap();
            assert!(budget.used_bytes() <= LARGE);
        }
    }
    assert!(first.len() < n_first / 3, "{} of {n_first}", first.len());
    let (_, peak) = HELD.get();
    let percent = 100 * (peak - before) as u64 / LARGE;
    assert!((80..=100).contains(&percent), "{percent} %");
}
