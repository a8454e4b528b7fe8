//! The system's allocator, and how many bytes it has handed out.

#![allow(unsafe_code, reason = "a global allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the report calls it: what it is linked to, what stands before that, and how it is told to behave.
pub(crate) fn name() -> String {
    let malloc = if cfg!(target_env = "gnu") {
        " (glibc malloc)"
    } else {
        ""
    };
    let told: String = [
        "LD_PRELOAD",
        "MALLOC_ARENA_MAX",
        "GLIBC_TUNABLES",
        "MALLOC_CONF",
    ]
    .iter()
    .filter_map(|name| Some(format!(", {name}={}", env::var(name).ok()?)))
    .collect();
    format!("std::alloc::System{malloc}, counted{told}")
}

pub(crate) struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

/// Bytes that were asked for and not given back.
pub(crate) fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

// SAFETY: every call goes to the system's allocator as it came; the counter changes nothing of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}
