//! Loom's locks and atomics, for the model checker alone (`--cfg engine_loom`).

use std::alloc::Layout;
use std::cell::RefCell;
pub(crate) use std::sync::{Arc, Weak};

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::compiler_fence;

    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering, fence,
    };
}

/// Loom's lock with the engine's interface.
#[derive(Debug)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

pub(crate) type MutexGuard<'a, T> = loom::sync::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("a model does not panic under a lock")
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

loom::thread_local! {
    static NUMBER: u64 = super::next_thread_number();
}

/// The number of the calling thread of a model.
pub(super) fn thread_number() -> u64 {
    NUMBER.with(|number| *number)
}

/// A thread that sleeps until another wakes it. By a lock and a condition, since loom's own `unpark` also wakes a thread
/// that stands before a lock.
#[derive(Debug, Clone)]
pub(crate) struct Sleeper(Arc<(loom::sync::Mutex<bool>, loom::sync::Condvar)>);

impl Sleeper {
    /// The calling thread.
    pub(crate) fn here() -> Self {
        Self(Arc::default())
    }

    /// Sleeps until it is woken: a model knows no time.
    pub(crate) fn sleep(&self, _wait_max: Option<std::time::Duration>) {
        let (is_woken, bell) = &*self.0;
        let mut is_woken = is_woken.lock().expect("no panic under this lock");
        while !*is_woken {
            is_woken = bell.wait(is_woken).expect("no panic under this lock");
        }
        *is_woken = false;
    }

    pub(crate) fn wake(&self) {
        let (is_woken, bell) = &*self.0;
        *is_woken.lock().expect("no panic under this lock") = true;
        bell.notify_one();
    }
}

/// Whether the model is being taken down, in any order: destructors must take no lock then.
pub(crate) fn model_has_failed() -> bool {
    std::thread::panicking()
}

/// Memory that ends: every access is told, and the end, so that a use after it, or one that isn't ordered before it,
/// fails the model.
pub(crate) struct Life(loom::cell::UnsafeCell<bool>);

// SAFETY: the cell itself checks that accesses don't race, which is its purpose.
#[allow(unsafe_code)]
unsafe impl Sync for Life {}

impl Life {
    pub(crate) fn new() -> Self {
        Self(loom::cell::UnsafeCell::new(true))
    }

    #[track_caller]
    #[allow(unsafe_code)]
    pub(crate) fn touch(&self) {
        // SAFETY: `with` panics where the access races.
        self.0
            .with(|alive| assert!(unsafe { *alive }, "memory is used after its end"));
    }

    #[track_caller]
    #[allow(unsafe_code)]
    pub(crate) fn end(&self) {
        // A model that has failed takes its things down in any order.
        if std::thread::panicking() {
            return;
        }
        // SAFETY: as above.
        self.0
            .with_mut(|alive| assert!(std::mem::take(unsafe { &mut *alive }), "memory ends once"));
    }
}

thread_local! {
    /// What a model has freed. It stays readable until the model ends, so that a faulty twin fails by its assertions.
    static GRAVES: RefCell<Vec<(*mut u8, Layout)>> = const { RefCell::new(Vec::new()) };
}

/// Takes memory back, to be freed by the next [`dig`].
///
/// # Safety
/// As for `std::alloc::dealloc`.
#[allow(unsafe_code)]
pub(crate) unsafe fn dealloc(at: *mut u8, layout: Layout) {
    GRAVES.with(|graves| graves.borrow_mut().push((at, layout)));
}

/// Frees what earlier models have given back.
pub(crate) fn dig() {
    for (at, layout) in GRAVES.take() {
        // SAFETY: given back once, by the promise to `dealloc`, and the model that could still look at it is over.
        #[allow(unsafe_code)]
        unsafe {
            std::alloc::dealloc(at, layout);
        }
    }
}
