//! What happened between this process and its servers, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::envelope::Flaw;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of a level since it was made.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[non_exhaustive]
        pub struct ValkeyStats {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counts {
            $(pub(crate) $name: Count,)*
        }

        impl Counts {
            pub(crate) fn snapshot(&self) -> ValkeyStats {
                ValkeyStats { $($name: self.$name.get(),)* }
            }
        }
    };
}

counts! {
    /// Connections made.
    connects,
    /// Connections that couldn't be made.
    connect_errors,
    /// Connections closed because a call on them failed or wasn't over in time.
    closed,
    /// Connections closed because bytes were on them that nobody had asked for.
    unasked,
    /// Times that a server began to be left alone.
    breaks,
    /// Calls turned away because the server is being left alone.
    turned_away,
    /// Records that aren't of the envelope's format.
    foreign,
    /// Records of another version of it.
    other_version,
    /// Records of another key than the one asked for.
    other_key,
    /// Records that are damaged, or longer than is taken.
    damaged,
    /// Commands that another node of the cluster had to be asked for.
    redirects,
    /// Times that the servers of a cluster, or the master, were asked for.
    refreshes,
    /// Keys that servers told to have changed.
    invalidations,
    /// Times that all servers began to tell of changes.
    tracks,
    /// Times that they stopped.
    tracks_lost,
}

/// One counter.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    pub(crate) fn flaw(&self, flaw: Flaw) {
        let count = match flaw {
            Flaw::Foreign => &self.foreign,
            Flaw::Version => &self.other_version,
            Flaw::OtherKey => &self.other_key,
            Flaw::Damaged | Flaw::TooLong => &self.damaged,
        };
        count.add();
    }
}
