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
    Arc, Life, Mutex, MutexGuard, Sleeper, ThreadId, Weak, atomic, dealloc, dig, model_has_failed,
    thread_id,
};
#[cfg(not(engine_loom))]
pub(crate) use native::{
    Arc, Condvar, Life, Mutex, MutexGuard, OnceLock, Sleeper, ThreadId, Weak, atomic, dealloc,
    model_has_failed, thread_id, yield_now,
};

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

/// Asks the processor for a cache line; any address will do.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
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
