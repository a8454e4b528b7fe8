//! Counters that many threads add to, and that take no room before there is something to count.

#[cfg(not(engine_loom))]
use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicU64, Ordering};

/// So many counters.
#[derive(Debug)]
pub(crate) struct Totals<const N: usize> {
    #[cfg(not(engine_loom))]
    counters: OnceLock<Box<[AtomicU64; N]>>,
    /// The model checker knows no `OnceLock`.
    #[cfg(engine_loom)]
    counters: [AtomicU64; N],
}

impl<const N: usize> Totals<N> {
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(not(engine_loom))]
            counters: OnceLock::new(),
            #[cfg(engine_loom)]
            counters: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Adds to a counter. Where there's no memory for it, nothing is counted: a look-up doesn't fail for that.
    #[inline]
    pub(crate) fn add(&self, counter: usize, n: u64) {
        if let Some(counters) = self.made() {
            counters[counter].fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Adds to several.
    #[inline]
    pub(crate) fn add_each(&self, sums: &[(usize, u64)]) {
        if let Some(counters) = self.made() {
            for &(counter, n) in sums {
                counters[counter].fetch_add(n, Ordering::Relaxed);
            }
        }
    }

    /// All counters, each at some moment during the call.
    pub(crate) fn read(&self) -> [u64; N] {
        let read = |counters: &[AtomicU64; N]| {
            std::array::from_fn(|at| counters[at].load(Ordering::Relaxed))
        };
        self.known().map_or([0; N], read)
    }

    /// Sets all counters to zero, for another to count.
    pub(crate) fn reset(&self) {
        for counter in self.known().into_iter().flatten() {
            counter.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(not(engine_loom))]
impl<const N: usize> Totals<N> {
    #[inline]
    fn made(&self) -> Option<&[AtomicU64; N]> {
        self.known().or_else(|| self.make())
    }

    #[cold]
    fn make(&self) -> Option<&[AtomicU64; N]> {
        let mut counters = Vec::new();
        counters.try_reserve_exact(N).ok()?;
        counters.extend((0..N).map(|_| AtomicU64::new(0)));
        let counters = counters.into_boxed_slice().try_into().ok()?;
        Some(self.counters.get_or_init(|| counters))
    }

    #[inline]
    fn known(&self) -> Option<&[AtomicU64; N]> {
        self.counters.get().map(|counters| &**counters)
    }
}

#[cfg(engine_loom)]
impl<const N: usize> Totals<N> {
    fn made(&self) -> Option<&[AtomicU64; N]> {
        Some(&self.counters)
    }

    fn known(&self) -> Option<&[AtomicU64; N]> {
        Some(&self.counters)
    }
}
