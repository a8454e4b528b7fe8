//! One bound on bytes for several caches.
//!
//! # Idea         a cache takes what it needs for as long as there is any. Each may have an equal share; what one doesn't use is lent to the
//!   others, and who has less than its share and needs more gets it from whoever has the most beyond theirs
//! # Costs        for a cache: a few atomic operations once in a chunk of bytes (a 256th of the bound, 4 KiB to 1 MiB); a look at all caches
//!   when nothing is left
//! # Invariants   C1 the caches' charged bytes are never above the bound together (`budget::Purse`); C2 no cache, and so no user code, ends
//!   or is called under the lock
//! # Not here     whom a cache evicts

use std::fmt;

use crate::budget::{Budget as Account, Purse};
use crate::error::BuildError;
use crate::sync::{Arc, Mutex, Weak};

/// What a cache does for the others of its budget.
pub(crate) trait Lender: Send + Sync {
    /// What it claims from.
    fn account(&self) -> &Account;
    /// Gives up to so many bytes up: what isn't used; if it `evicts`, what entries take, too. How many.
    fn lend(&self, bytes: u64, evicts: bool) -> u64;
    /// Follows a new share. The bytes that tenants are guaranteed, if they are more than that: then nothing has changed.
    fn follow(&self, share: u64) -> Result<(), u64>;
}

/// A bound on bytes that several caches share, of whatever value types.
///
/// Their entries, garbage and structure stay below it together, as those of one cache with
/// [`max_bytes`](crate::Builder::max_bytes) do. Each may have an equal share. What a cache doesn't use is lent to the others; when all is
/// used, a cache within its share takes what it needs from the one that is furthest above its own, whose entries are evicted
/// ([`RemovalCause::Evicted`](crate::RemovalCause::Evicted)) and whose listener is told, in the thread that needs the bytes. A cache above its
/// share evicts its own. What tenants of a cache are guaranteed is part of its share. While one cache collects from another, the other may
/// end in its thread, if its last handle is dropped at that moment.
///
/// A handle is cheap to clone; all clones are the same budget. A cache leaves it when its last handle is dropped, and its bytes go to
/// the others.
///
/// # Examples
/// ```
/// use larder::{Budget, Cache};
///
/// let budget = Budget::new(64 << 20)?;
/// let pages: Cache<[u8]> = Cache::builder().budget(&budget).build()?;
/// let names: Cache<str> = Cache::builder().budget(&budget).build()?;
/// pages.insert("/", &b"<!doctype html>"[..])?;
/// names.insert(42u64, "Ada")?;
/// assert!(pages.weight() + names.weight() <= budget.max_bytes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Budget {
    common: Arc<Common>,
}

/// What the handles of a budget, and its caches, have in common.
pub(crate) struct Common {
    purse: Arc<Purse>,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    n: u64,
    lenders: Vec<Weak<dyn Lender>>,
}

impl Members {
    /// Those that haven't ended. The caller drops them without the lock, since one of them may end then (C2).
    fn living(&mut self) -> Vec<Arc<dyn Lender>> {
        self.lenders.retain(|lender| lender.strong_count() > 0);
        self.lenders.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Budget {
    /// A budget of so many bytes.
    ///
    /// # Errors
    /// [`BuildError::BoundTooLarge`] above 2^61 bytes.
    pub fn new(max_bytes: u64) -> Result<Budget, BuildError> {
        check(max_bytes)?;
        let common = Common {
            purse: Arc::new(Purse::new(max_bytes)),
            members: Mutex::new(Members::default()),
        };
        Ok(Budget {
            common: Arc::new(common),
        })
    }

    /// The bound.
    pub fn max_bytes(&self) -> u64 {
        self.common.purse.max()
    }

    /// What the caches have been given: what they are charged, and a little that each keeps for what comes next.
    pub fn used_bytes(&self) -> u64 {
        let purse = &self.common.purse;
        (purse.max() + purse.debt()).saturating_sub(purse.free())
    }

    /// What each of the caches may have if all want it: the bound over their number.
    pub fn share_bytes(&self) -> u64 {
        self.common.purse.share()
    }

    /// Changes the bound. A lower one is reached bit by bit, as by [`Cache::set_capacity`](crate::Cache::set_capacity).
    ///
    /// # Errors
    /// [`BuildError::BoundTooLarge`] above 2^61 bytes; [`BuildError::BelowGuarantees`] if a cache's share would be below what its tenants
    /// are guaranteed. Nothing has changed then.
    pub fn set_max_bytes(&self, max_bytes: u64) -> Result<(), BuildError> {
        check(max_bytes)?;
        let common = &self.common;
        let living;
        let mut members = common.members.lock();
        living = members.living();
        let share = max_bytes / members.n.max(1);
        let before = common.purse.share();
        let done = follow(&living, share, before);
        if done.is_ok() {
            common.purse.set_max(max_bytes);
            common.set_share(share, &living);
        }
        drop(members);
        drop(living);
        done
    }

    pub(crate) fn common(&self) -> &Arc<Common> {
        &self.common
    }
}

fn check(bound: u64) -> Result<(), BuildError> {
    if bound > BYTES_MAX {
        return Err(BuildError::BoundTooLarge {
            bound,
            bound_max: BYTES_MAX,
        });
    }
    Ok(())
}

/// The largest bound that is taken: sums stay far from overflow.
pub(crate) const BYTES_MAX: u64 = 1 << 61;

/// Has all follow a new share, or none.
fn follow(living: &[Arc<dyn Lender>], share: u64, before: u64) -> Result<(), BuildError> {
    for (index, lender) in living.iter().enumerate() {
        if let Err(guaranteed) = lender.follow(share) {
            for done in &living[..index] {
                // Back to what it was; what was guaranteed meanwhile by the larger share keeps that.
                let _ = done.follow(before);
            }
            return Err(BuildError::BelowGuarantees { guaranteed });
        }
    }
    Ok(())
}

/// That a cache has entered, which it leaves when this ends. What it was given is put back before.
pub(crate) struct Seat(Arc<Common>);

impl std::ops::Deref for Seat {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Common {
    pub(crate) fn purse(&self) -> &Arc<Purse> {
        &self.purse
    }

    /// Makes the shares those of one cache more.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Seat, BuildError> {
        let living;
        let mut members = self.members.lock();
        living = members.living();
        let share = self.purse.max() / (members.n + 1);
        let done = follow(&living, share, self.purse.share());
        if done.is_ok() {
            members.n += 1;
            self.set_share(share, &living);
        }
        drop(members);
        drop(living);
        done.map(|()| Seat(Arc::clone(self)))
    }

    /// Has the others know a cache that has entered.
    pub(crate) fn add(&self, lender: &Arc<dyn Lender>) {
        let mut members = self.members.lock();
        members.lenders.push(Arc::downgrade(lender));
        // Others may have come since it entered. It has no tenants yet, so it refuses nothing.
        let _ = lender.follow(self.purse.share());
        lender.account().follow_purse();
    }

    fn leave(&self) {
        let living;
        let mut members = self.members.lock();
        living = members.living();
        members.n -= 1;
        let share = self.purse.max() / members.n.max(1);
        // More than before, so nobody refuses.
        let _ = follow(&living, share, share);
        self.set_share(share, &living);
        drop(members);
        drop(living);
    }

    fn set_share(&self, share: u64, living: &[Arc<dyn Lender>]) {
        self.purse.set_share(share);
        living
            .iter()
            .for_each(|lender| lender.account().follow_purse());
    }

    /// Collects bytes for a cache: what others don't use; if the cache is `owed`, also what is beyond their shares, most of it from the
    /// furthest above. No lock may be held.
    pub(crate) fn collect(&self, asker: &Account, bytes: u64, owed: bool) {
        let living = self.members.lock().living();
        let bytes = bytes.max(self.purse.chunk());
        let others = living
            .iter()
            .filter(|lender| !std::ptr::eq(lender.account(), asker));
        let mut got = 0;
        for lender in others.clone() {
            got += lender.lend(bytes - got, false);
            if got >= bytes {
                return;
            }
        }
        if owed {
            // Each is asked once: what it couldn't give now is waited for by readers, or guaranteed.
            let mut above: Vec<_> = others
                .map(|lender| (lender.account().surplus(), lender))
                .collect();
            above.sort_by_key(|(surplus, _)| std::cmp::Reverse(*surplus));
            for (surplus, lender) in above {
                got += lender.lend((bytes.saturating_sub(got)).min(surplus), true);
            }
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("max_bytes", &self.max_bytes())
            .field("used_bytes", &self.used_bytes())
            .field("share_bytes", &self.share_bytes())
            .finish()
    }
}
