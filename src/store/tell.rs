//! Telling the listener what left, in order, outside the locks.

use std::cell::Cell as ThreadCell;
use std::ptr;

use super::{Cell, Store};

/// Values that one call tells the listener of, at most.
const TELL_PER_CALL: usize = 64;

thread_local! {
    /// The store whose listener this thread is inside of; it neither tells for that store nor waits for any turn.
    static TELLING: ThreadCell<*const Store> = const { ThreadCell::new(ptr::null()) };
}

/// Whether this thread is inside a listener, of any store: then it waits for nobody who may wait for the listener's turn.
pub(crate) fn is_telling() -> bool {
    !TELLING.get().is_null()
}

/// Notes that this thread is inside a listener, until it is dropped.
pub(super) struct Telling(*const Store);

impl Telling {
    pub(super) fn of(store: &Store) -> Telling {
        Telling(TELLING.replace(store))
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        TELLING.set(self.0);
    }
}

impl Store {
    /// Tells the listener what left a stripe, in order; one thread at a time. With `waits`, for its turn.
    pub(super) fn tell(&self, cell: &Cell, waits: bool) {
        let Some(listener) = &self.listener else {
            return;
        };
        let inside = TELLING.get();
        if ptr::eq(inside, self) {
            return;
        }
        let waits = waits && inside.is_null();
        let mut told = 0;
        let work = || {
            while told < TELL_PER_CALL {
                let values = cell.back.lock().next_told(TELL_PER_CALL);
                if values.is_empty() {
                    break;
                }
                told += values.len();
                let telling = Telling::of(self);
                for (block, cause) in &values {
                    self.contain(|| {
                        listener(block.as_ref(), self.last_left(block.as_ref()), *cause)
                    });
                }
                drop(telling);
                cell.back
                    .lock()
                    .was_told(values.into_iter().map(|(block, _)| block));
            }
            told < TELL_PER_CALL
        };
        cell.telling.work(waits, work, || {
            // Values are dropped after the turn is over: their own code may come here again.
            let batch = self.take_batch(cell, &mut cell.back.lock(), false);
            if let Some(batch) = batch {
                self.reclaim(cell, batch);
            }
            cell.back.lock().has_told()
        });
    }
}
