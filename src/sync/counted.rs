//! The machine's atomics in the engine's own tests: they tell a thread which words it wrote, and which lines it asked for.
//!
//! # Idea         each type wraps the machine's and has the methods that the engine uses, none besides: one that is used for the first
//!   time has to be added here, so no way of writing goes unseen
//! # Costs        a thread-local flag for each write; in builds that aren't tests this file doesn't exist
//! # Invariants   SC1 what is noted is what the calling thread itself did
//! # Not here     counts of `Arc`, which are std's own; writes under a lock that aren't atomic

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::atomic::Ordering;

/// How a word was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// By a locked instruction: an exchange, or an addition.
    Exchange,
    /// By a plain store.
    Store,
    /// By taking a lock, which gives it back as well.
    Lock,
}

/// One write of a word that other threads may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) how: How,
    pub(crate) address: usize,
}

thread_local! {
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
    static ASKED: RefCell<Option<Vec<usize>>> = const { RefCell::new(None) };
    static WRITES: RefCell<Vec<Write>> = const { RefCell::new(Vec::new()) };
}

/// What `f` writes by this thread, in order.
pub(crate) fn writes_of(f: impl FnOnce()) -> Vec<Write> {
    assert!(!IS_WATCHED.replace(true), "one watch at a time");
    f();
    IS_WATCHED.set(false);
    WRITES.take()
}

/// The addresses that `f` asks the processor for by this thread, in order.
pub(crate) fn asked_by(f: impl FnOnce()) -> Vec<usize> {
    let before = ASKED.replace(Some(Vec::new()));
    assert_eq!(before, None, "one watch at a time");
    f();
    ASKED.take().expect("the watch goes on")
}

/// Notes that the processor is asked for a line.
pub(super) fn note_asked(address: usize) {
    ASKED.with_borrow_mut(|asked| {
        if let Some(asked) = asked {
            asked.push(address);
        }
    });
}

/// Notes a write that is about to be done, and may let another thread go first.
pub(super) fn note<T: ?Sized>(how: How, word: &T) {
    super::schedule::point();
    if IS_WATCHED.get() {
        let address = std::ptr::from_ref(word).addr();
        WRITES.with_borrow_mut(|writes| writes.push(Write { how, address }));
    }
}

/// A wrapper with the methods that every atomic has.
macro_rules! atomic {
    ($name:ident $(<$t:ident>)?, $value:ty) => {
        #[derive(Default)]
        #[repr(transparent)]
        pub(crate) struct $name $(<$t>)? (std::sync::atomic::$name $(<$t>)?);

        impl $(<$t>)? fmt::Debug for $name $(<$t>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        #[allow(dead_code, reason = "not every type is used in every way")]
        impl $(<$t>)? $name $(<$t>)? {
            pub(crate) const fn new(value: $value) -> Self {
                Self(std::sync::atomic::$name::new(value))
            }

            pub(crate) fn get_mut(&mut self) -> &mut $value {
                self.0.get_mut()
            }

            pub(crate) fn into_inner(self) -> $value {
                self.0.into_inner()
            }

            #[inline]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                super::schedule::point();
                self.0.load(order)
            }

            #[inline]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                note(How::Store, self);
                self.0.store(value, order);
            }

            #[inline]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                note(How::Exchange, self);
                self.0.swap(value, order)
            }

            #[inline]
            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                note(How::Exchange, self);
                self.0.compare_exchange(current, new, success, failure)
            }

            #[inline]
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                note(How::Exchange, self);
                self.0.compare_exchange_weak(current, new, success, failure)
            }

            #[inline]
            pub(crate) fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                f: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                note(How::Exchange, self);
                self.0.fetch_update(success, failure, f)
            }
        }
    };
}

/// The methods of those that are numbers.
macro_rules! number {
    ($name:ident, $value:ty: $($method:ident)*) => {
        #[allow(dead_code, reason = "not every type is used in every way")]
        impl $name {
            $(
                #[inline]
                pub(crate) fn $method(&self, value: $value, order: Ordering) -> $value {
                    note(How::Exchange, self);
                    self.0.$method(value, order)
                }
            )*
        }
    };
}

atomic!(AtomicBool, bool);
atomic!(AtomicU8, u8);
atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
atomic!(AtomicPtr<T>, *mut T);

number!(AtomicU8, u8: fetch_and fetch_or);
number!(AtomicU32, u32: fetch_add fetch_sub fetch_and fetch_or fetch_max);
number!(AtomicU64, u64: fetch_add fetch_sub fetch_and fetch_or fetch_max);
