//! The machine's own locks and atomics.

pub(crate) use std::alloc::dealloc;
pub(crate) use std::sync::{Arc, OnceLock, Weak};

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering, compiler_fence, fence,
    };
}

/// A lock without poisoning, one word large.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

/// What [`Mutex::lock`] gives; unlocks when dropped.
pub(crate) type MutexGuard<'a, T> = parking_lot::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock()
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock()
    }
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
