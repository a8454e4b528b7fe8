//! The bare protocol of hazards: one link.

use crate::reclaim::{Domain, Name, Namer};
use crate::sync::atomic::{AtomicPtr, Ordering};

/// One link to one entry, for the bare protocol of hazards.
#[allow(missing_debug_implementations)]
pub struct Peg {
    domain: Domain,
    link: AtomicPtr<crate::sync::Life>,
}

/// What a faulty reader leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// The barrier behind the name.
    Barrier,
    /// The second look at the link.
    Recheck,
}

impl Peg {
    /// A peg with something on it.
    pub fn new() -> Peg {
        let hung = Box::into_raw(Box::new(crate::sync::Life::new()));
        Peg {
            domain: Domain::new(),
            link: AtomicPtr::new(hung),
        }
    }

    /// Touches what hangs there, if it still does.
    pub fn touch(&self, flaw: Flaw) {
        let hazard = self.domain.register().hazard(0);
        let seen = self.link.load(Ordering::Acquire);
        if flaw == Flaw::Barrier {
            hazard.namer().name_entry_without_barrier(seen);
        } else {
            hazard.namer().name_entry(seen);
        }
        if flaw != Flaw::Recheck && self.link.load(Ordering::SeqCst) != seen {
            return;
        }
        // SAFETY: named, and linked after that; the box is leaked, so a faulty reader fails by the touch (M2).
        if let Some(life) = unsafe { seen.as_ref() } {
            life.touch();
        }
    }

    /// Takes down what hangs there, and ends it if no reader names it. With `looks_early`, looks before it unlinks.
    pub fn clear(&self, looks_early: bool) {
        let early = looks_early.then(|| self.domain.look()).flatten();
        let old = self.link.load(Ordering::Relaxed);
        // Release, and no more, as the table's: the barrier is in the look.
        self.link.store(std::ptr::null_mut(), Ordering::Release);
        let named = early.or_else(|| self.domain.look());
        if named.is_some_and(|named| !named.has(old)) {
            // SAFETY: the box is never freed in a model.
            unsafe { &*old }.end();
        }
    }
}

impl Default for Peg {
    fn default() -> Self {
        Self::new()
    }
}
