//! An allocator that knows what it has handed out.
//!
//! # Idea         the system's allocator behind two counters: the bytes that were asked for, and the same as malloc rounds them
//! # Costs        three atomic additions a call, so only binaries that don't measure speed install it
//! # Invariants   C1 every byte that was counted in is counted out by the same layout; C2 the peak is never below what was held
//! # Not here     a `#[global_allocator]`: each binary that wants one says so

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts what passes through it.
#[derive(Debug)]
pub struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static HELD_ROUNDED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Bytes that were asked for and not given back.
pub fn held() -> usize {
    HELD.load(Relaxed)
}

/// The same, each block rounded as glibc's malloc does: eight bytes of header, then up to a multiple of sixteen.
pub fn held_rounded() -> usize {
    HELD_ROUNDED.load(Relaxed)
}

/// The most that was held at any moment since the last [`reset_peak`].
pub fn peak() -> usize {
    PEAK.load(Relaxed)
}

/// Begins a new search for the peak.
pub fn reset_peak() {
    PEAK.store(held(), Relaxed);
}

const fn rounded(size: usize) -> usize {
    let chunk = (size + 8 + 15) & !15;
    if chunk < 32 { 32 } else { chunk }
}

fn count_in(size: usize) {
    let held = HELD.fetch_add(size, Relaxed) + size;
    // Nearly always a load alone: the peak is seldom moved.
    if held > PEAK.load(Relaxed) {
        PEAK.fetch_max(held, Relaxed);
    }
    HELD_ROUNDED.fetch_add(rounded(size), Relaxed);
}

fn count_out(size: usize) {
    HELD.fetch_sub(size, Relaxed);
    HELD_ROUNDED.fetch_sub(rounded(size), Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came; the counters change nothing of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`, which is the same one.
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() {
            count_in(layout.size());
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            count_in(layout.size());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count_out(layout.size());
        // SAFETY: as for `alloc`.
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as for `alloc`.
        let moved = unsafe { System.realloc(block, layout, size) };
        if !moved.is_null() {
            count_out(layout.size());
            count_in(size);
        }
        moved
    }
}
