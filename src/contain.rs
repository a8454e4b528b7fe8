//! User code whose panic must not reach the caller, who has nothing to do with it.
//!
//! # Idea         the panic is caught, and what it carries is dropped, which is user code as well
//! # Costs        a frame for unwinding; nothing is allocated
//! # Invariants   C1 no panic comes out, be it of what a panic carries; what that one carries is forgotten, so that this ends
//! # Not here     counting panics: who contains one knows whose it is

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `f` answers, unless it panics. No lock is to be held that user code could want.
pub(crate) fn contain<R>(f: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(answer) => Some(answer),
        Err(carried) => {
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(carried))) {
                mem::forget(again);
            }
            None
        }
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests {
    use std::panic::resume_unwind;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_is_answered_comes_back_and_what_a_panic_carries_ends() {
        let carried = Arc::new(());
        assert_eq!(contain(|| 7), Some(7));
        let own = Arc::clone(&carried);
        assert_eq!(contain(|| resume_unwind(Box::new(own))), None::<()>);
        assert_eq!(Arc::strong_count(&carried), 1);
    }

    #[test]
    fn f34_a_panic_that_carries_panics_ends() {
        // Without a size, so that what is forgotten takes no memory.
        struct Again;
        impl Drop for Again {
            fn drop(&mut self) {
                resume_unwind(Box::new(Again));
            }
        }
        assert_eq!(contain(|| resume_unwind(Box::new(Again))), None::<()>);
    }
}
