//! The two clocks of a measurement, and what disturbed it.
//!
//! # Idea         one thread alone is measured in its own processor time, which neighbours on the machine disturb less; threads that
//!   may wait for each other are measured in real time, or their waiting would go unseen
//! # Costs        some hundred nanoseconds a reading: twice a round
//! # Invariants   none
//! # Not here     what is measured

#![allow(unsafe_code)]

use std::time::Instant;

/// A moment of real time.
#[expect(
    clippy::disallowed_methods,
    reason = "the engine's clocks are among what is measured"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds of processor time that the calling thread has used.
pub fn thread_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a timespec of our own, which the call fills.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(
        failed, 0,
        "every Linux has the clock of a thread's own time"
    );
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// How often the calling thread has lost its core without having asked for it.
pub fn preemptions() -> i64 {
    // SAFETY: the structure is plain numbers, for which zeros are values.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a structure of our own, which the call fills.
    let failed = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    assert_eq!(failed, 0, "every Linux tells what a thread has used");
    usage.ru_nivcsw
}
