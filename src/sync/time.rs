//! The system's monotonic clock, exact and coarse.
//!
//! Both count from the same origin, and the coarse one is the exact one as it stood at the kernel's last timer tick
//! (1 to 10 ms ago), so it is never ahead.

/// The wall clock, which may be set at any time: for deadlines that are written as dates, and for nothing else.
#[allow(clippy::disallowed_methods)]
pub(crate) fn wall() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

/// Nanoseconds of the exact monotonic clock.
#[inline]
pub(crate) fn monotonic_ns() -> u64 {
    #[cfg(target_os = "linux")]
    {
        read(libc::CLOCK_MONOTONIC)
    }
    #[cfg(not(target_os = "linux"))]
    {
        portable_ns()
    }
}

/// Nanoseconds of the monotonic clock as of the kernel's last tick; where there is none, the exact clock.
#[inline]
pub(crate) fn monotonic_coarse_ns() -> u64 {
    #[cfg(target_os = "linux")]
    {
        read(libc::CLOCK_MONOTONIC_COARSE)
    }
    #[cfg(not(target_os = "linux"))]
    {
        portable_ns()
    }
}

#[cfg(target_os = "linux")]
#[inline]
#[allow(unsafe_code)]
fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a local that outlives the call, and both clock ids exist since Linux 2.6.32.
    unsafe { libc::clock_gettime(clock, &mut time) };
    (time.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec as u64)
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::disallowed_methods)]
fn portable_ns() -> u64 {
    use std::time::Instant;

    static BIRTH: super::OnceLock<Instant> = super::OnceLock::new();
    BIRTH.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
