//! The machine's own locks and atomics.

pub(crate) use std::alloc::dealloc;
pub(crate) use std::sync::{Arc, OnceLock, Weak};

#[cfg(test)]
use super::counted::{How, note};

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{Ordering, compiler_fence, fence};

    #[cfg(test)]
    pub(crate) use crate::sync::counted::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64};
    #[cfg(not(test))]
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64};
}

/// A lock without poisoning, one word large.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

/// What [`Mutex::lock`] gives; unlocks when dropped.
pub(crate) type MutexGuard<'a, T> = parking_lot::MutexGuard<'a, T>;

/// Looks at a lock that another thread has, before this one sleeps; and pauses of the processor's between two of them.
const LOOKS_AT_A_LOCK: usize = 64;
const PAUSES_PER_LOOK: usize = 8;

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        #[cfg(test)]
        {
            note(How::Lock, self);
            // A thread of a schedule may not block (SD2).
            while super::schedule::is_scheduled() {
                if let Some(guard) = self.0.try_lock() {
                    return guard;
                }
                super::schedule::give_way();
            }
        }
        match self.0.try_lock() {
            Some(guard) => guard,
            None => self.lock_soon(),
        }
    }

    /// The lock, once whoever has it is done. Holds are short, so it looks again for some microseconds before it sleeps: to sleep and to be
    /// woken costs both threads more than that.
    #[cold]
    #[inline(never)]
    fn lock_soon(&self) -> MutexGuard<'_, T> {
        for _ in 0..LOOKS_AT_A_LOCK {
            for _ in 0..PAUSES_PER_LOOK {
                std::hint::spin_loop();
            }
            if !self.0.is_locked()
                && let Some(guard) = self.0.try_lock()
            {
                return guard;
            }
        }
        self.0.lock()
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        #[cfg(test)]
        note(How::Lock, self);
        self.0.try_lock()
    }
}

/// Lets one of those who wait for the lock have it in between, if there are any.
#[inline]
pub(crate) fn give_way<T>(guard: &mut MutexGuard<'_, T>) {
    parking_lot::MutexGuard::bump(guard);
}

/// A place to wait for a change of what a [`Mutex`] protects.
#[derive(Debug, Default)]
pub(crate) struct Condvar(parking_lot::Condvar);

impl Condvar {
    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, wait_max: std::time::Duration) {
        self.0.wait_for(guard, wait_max);
    }
}

thread_local! {
    // Without a destructor, so that it stands until the thread is gone.
    static NUMBER: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// The calling thread's number.
#[inline]
pub(super) fn thread_number() -> u64 {
    // It has no destructor, so it is never gone.
    NUMBER
        .try_with(|number| {
            if number.get() == 0 {
                number.set(super::next_thread_number());
            }
            number.get()
        })
        .unwrap_or(0)
}

/// A thread that sleeps until another wakes it. A wake-up that comes before the sleep ends it at once, and a sleep may end
/// without one.
#[derive(Debug, Clone)]
pub(crate) struct Sleeper(std::thread::Thread);

impl Sleeper {
    /// The calling thread, which alone may sleep by this or a clone of it.
    pub(crate) fn here() -> Self {
        Self(std::thread::current())
    }

    /// Sleeps at most that long; `None` is forever.
    pub(crate) fn sleep(&self, wait_max: Option<std::time::Duration>) {
        debug_assert_eq!(
            self.0.id(),
            std::thread::current().id(),
            "a thread sleeps for itself"
        );
        #[cfg(test)]
        if super::schedule::is_scheduled() {
            // It wakes too early, as it may.
            return super::schedule::give_way();
        }
        match wait_max {
            Some(wait_max) => std::thread::park_timeout(wait_max),
            None => std::thread::park(),
        }
    }

    pub(crate) fn wake(&self) {
        self.0.unpark();
    }
}

/// Lets other threads go first.
pub(crate) fn yield_now() {
    #[cfg(test)]
    super::schedule::give_way();
    std::thread::yield_now();
}

/// No model runs here.
#[inline(always)]
pub(crate) const fn model_has_failed() -> bool {
    false
}

/// Tells the model checker of accesses to memory and of its end; nothing here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life;

impl Life {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) fn touch(&self) {}

    #[inline(always)]
    pub(crate) fn end(&self) {}
}
