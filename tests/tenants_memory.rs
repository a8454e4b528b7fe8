//! What tenants take beside their entries, by an allocator that counts; and that nothing of them outlives the cache.
#![cfg(not(engine_loom))]
#![allow(unsafe_code, reason = "a global allocator is an unsafe trait")]
#![allow(
    clippy::unwrap_used,
    reason = "all of this is test code, its helpers included"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use larder::{Cache, Limits, Rate, Rates};

/// Bytes that were asked for and not yet freed.
static HELD: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promise about the layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the block came from `System.alloc` with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test at a time counts.
static TURN: parking_lot::Mutex<()> = parking_lot::Mutex::new(());

fn held() -> u64 {
    HELD.load(Ordering::Relaxed)
}

fn cache() -> Cache<[u8]> {
    let builder = Cache::builder().max_bytes(64 << 20);
    builder.stripes(16).build().unwrap()
}

const N_TENANTS: u64 = 10_000;

fn limits() -> Limits {
    let rate = Some(Rate::per_second(1000));
    Limits {
        guaranteed_bytes: 2000,
        max_bytes: Some(1 << 20),
        rates: Rates {
            operations: rate,
            bytes: rate,
        },
        ..Limits::default()
    }
}

/// What `act` leaves behind for each tenant.
fn held_by(act: impl FnOnce()) -> u64 {
    let before = held();
    act();
    held().saturating_sub(before) / N_TENANTS
}

fn name(number: u64) -> String {
    format!("tenant {number}")
}

#[test]
fn an_idle_tenant_with_its_counters_takes_a_kilobyte_at_most() {
    let _turn = TURN.lock();
    let cache = cache();
    let made = held_by(|| {
        for number in 0..N_TENANTS {
            cache.create_tenant(&name(number), limits()).unwrap();
        }
    });
    println!("a tenant without entries: {made} bytes");
    assert!(made <= 1024, "{made}");
    let mut charged = 0;
    let used = held_by(|| {
        for number in 0..N_TENANTS {
            let tenant = cache.tenant(&name(number)).unwrap();
            for key in 0..10u64 {
                tenant.admit(1).unwrap().insert(key, [1; 20]).unwrap();
            }
        }
        // What is counted goes to the entries, and is known to the cache.
        charged = cache.weight() / N_TENANTS;
    });
    println!("with ten entries: {used} bytes more, of which {charged} are charged");
    let idle = made + used.saturating_sub(charged);
    println!("beside what is charged: {idle} bytes");
    assert!(idle <= 1024, "{idle}");
    let left = held_by(|| {
        for number in 0..N_TENANTS {
            assert!(cache.delete_tenant(&name(number)));
        }
        while cache.maintain(1000).more {}
    });
    assert_eq!(left, 0);
    assert_eq!(cache.stats().live_entries, 0);
}

#[test]
fn a_thousand_lives_of_a_tenant_leave_nothing_behind() {
    let _turn = TURN.lock();
    let cache = cache();
    let live = || {
        for number in 0..1000u64 {
            let tenant = cache.create_tenant("t", limits()).unwrap();
            let named = tenant.create_cache("c", limits()).unwrap();
            named.insert(number, [1; 20]).unwrap();
            tenant.default_cache().unwrap().insert(number, [1]).unwrap();
            cache.delete_tenant("t");
        }
        while cache.maintain(1000).more {}
    };
    live();
    let before = held();
    for _ in 0..10 {
        live();
    }
    let grown = held().saturating_sub(before);
    assert!(grown < 10_000, "{grown} bytes after ten thousand tenants");
}

#[test]
fn tenants_end_with_their_cache() {
    let _turn = TURN.lock();
    let live = || {
        let cache = cache();
        for number in 0..1000u64 {
            let tenant = cache.create_tenant(&name(number), limits()).unwrap();
            let named = tenant.create_cache("c", limits()).unwrap();
            named.insert(number, [1; 20]).unwrap();
        }
    };
    // The thread's own tables are there after the first time, and keep a few names.
    live();
    let before = held();
    for _ in 0..5 {
        live();
    }
    let grown = held().saturating_sub(before);
    assert!(
        grown < 100_000,
        "{grown} bytes after five caches of a thousand tenants"
    );
}
