//! The one door to locks, atomics, barriers and padding.
//!
//! # Idea         everything that threads share is imported from here, so that a model checker can stand in for the machine
//! # Costs        none: each name is the original, or a newtype that inlines to it
//! # Invariants   S1 no other module imports `std::sync::atomic`, a lock or loom; S2 a lock is never poisoned: a panic
//!   under it leaves what it protects valid, which is the duty of the one who holds it
//! # Not here     what is protected, and in which order

pub(crate) mod barrier;
pub(crate) mod time;

#[cfg(all(test, not(engine_loom)))]
pub(crate) mod counted;
#[cfg(engine_loom)]
mod model;
#[cfg(not(engine_loom))]
mod native;
#[cfg(all(test, not(engine_loom)))]
pub(crate) mod schedule;

pub(crate) use crossbeam::utils::CachePadded;
#[cfg(engine_loom)]
pub(crate) use model::{
    Arc, Life, Mutex, MutexGuard, Sleeper, Weak, atomic, dealloc, dig, model_has_failed,
};
#[cfg(not(engine_loom))]
pub(crate) use native::{
    Arc, Condvar, Life, Mutex, MutexGuard, OnceLock, Sleeper, Weak, atomic, dealloc, give_way,
    model_has_failed, yield_now,
};

/// Tells a thread from all others of the process, dead ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ThreadId(u64);

impl ThreadId {
    /// A number other than zero.
    #[inline]
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// What `bits` gave; zero is nobody.
    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Option<ThreadId> {
        (bits != 0).then_some(ThreadId(bits))
    }
}

/// The calling thread.
#[inline]
pub(crate) fn thread_id() -> ThreadId {
    #[cfg(engine_loom)]
    use model::thread_number;
    #[cfg(not(engine_loom))]
    use native::thread_number;
    ThreadId(thread_number())
}

fn next_thread_number() -> u64 {
    static NUMBERS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NUMBERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// Whether a scenario's twin leaves something out; never but in the engine's own tests.
#[cfg(all(test, not(engine_loom)))]
macro_rules! planted {
    ($fault:ident) => {
        $crate::sync::schedule::planted($crate::sync::schedule::Fault::$fault)
    };
}
#[cfg(not(all(test, not(engine_loom))))]
macro_rules! planted {
    ($fault:ident) => {
        false
    };
}
pub(crate) use planted;

/// The same pointer, as if it came from elsewhere: the compiler doesn't know that what was computed of it before is the same. Unlike with
/// `black_box`, it needn't pass through memory.
#[inline(always)]
pub(crate) fn unseen<T>(at: *const T) -> *const T {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[allow(unsafe_code)]
    {
        let mut at = at;
        // SAFETY: no instruction at all.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) at, options(pure, readonly, nostack, preserves_flags));
        }
        at
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    at
}

/// The same of a reference.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) fn unseen_ref<T>(at: &T) -> &T {
    // SAFETY: it is the same pointer.
    unsafe { &*unseen(at) }
}

/// Asks the processor for a cache line that is about to be written; any address will do. Compiled for a processor that is known to have
/// `prefetchw`, other cores give the line up.
#[inline(always)]
pub(crate) fn prefetch_to_write<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    // SAFETY: a prefetch touches no memory architecturally.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_ET0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    prefetch(at);
}

/// Asks the processor for a cache line; any address will do.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    #[cfg(all(test, not(engine_loom)))]
    counted::note_asked(at.addr());
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    // SAFETY: a prefetch touches no memory architecturally.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
