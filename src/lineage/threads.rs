//! The views that a thread has resolved lately.
//!
//! # Idea         a direct-mapped table in each thread. What it holds was made by this thread, so that its counts are written
//!   by this thread alone, unless a caller hands a view to another. Where a place is taken, what is asked for twice, and nothing else of
//!   that place in between, displaces the other: so ten thousand that are asked for in turn don't displace what is asked for all the time
//! # Costs        a hit: one hash of the name, one comparison, one count. 3 KiB a thread that resolves, and 128 bytes and a
//!   name for each of at most 64 views, which keep their scopes' names alive until they are displaced or the thread
//!   ends; never the cache itself
//! # Invariants   T1 a registry's or view's serial is never used again, so a slot can't be taken for that of a later one
//!   T2 nothing is dropped while the table is borrowed
//! # Not here     what a view does

use std::cell::{Cell, RefCell};

use super::{Kind, Local, Name, Owner};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};

/// A power of two.
const N_SLOTS: usize = 64;

/// Nobody missed; who has that hash is kept a little sooner.
const NOBODY: (u64, u32) = (0, 0);

/// What isn't asked for while others of its place are so often gives way.
const MISSES_MAX: u32 = 64;

/// What a view is asked for by.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The serial of the view above, or of the registry.
    pub(super) above: u64,
    pub(super) name: Name<'a>,
    pub(super) owner: Option<&'a Arc<Owner>>,
    /// Of `above` and `name`.
    pub(super) hash: u64,
}

struct Slot {
    above: u64,
    kind: Kind,
    shape: u8,
    name: Box<[u8]>,
    owner: Option<Arc<Owner>>,
    local: Arc<Local>,
    /// The hash of what was asked for here last, if that was another's, and how often others were since this was.
    missed: Cell<(u64, u32)>,
}

thread_local! {
    // Without slots until the first view is kept.
    static TABLE: RefCell<Vec<Option<Slot>>> = const { RefCell::new(Vec::new()) };
}

/// The view, if this thread has resolved it lately and it is still good. None, too, while the thread ends.
pub(super) fn find(asked: Asked<'_>, is_good: impl FnOnce(&Local) -> bool) -> Option<Arc<Local>> {
    let find = |table: &RefCell<Vec<Option<Slot>>>| {
        let table = table.try_borrow().ok()?;
        let slot = table.get(asked.place())?.as_ref()?;
        if !(asked.is_for(slot) && is_good(&slot.local)) {
            return None;
        }
        slot.missed.set(NOBODY);
        Some(Arc::clone(&slot.local))
    };
    TABLE.try_with(find).ok().flatten()
}

/// Whether a view that wasn't found is worth keeping: its place is free, or what stands there was closed, or hasn't been asked for while
/// others were so often; or it was missed there before, and nothing else was asked for there since. Not while the thread ends.
pub(super) fn is_wanted(asked: Asked<'_>) -> bool {
    let is_wanted = |table: &RefCell<Vec<Option<Slot>>>| {
        let Ok(table) = table.try_borrow() else {
            return false;
        };
        match table.get(asked.place()) {
            Some(Some(slot)) => {
                let (last, n_missed) = slot.missed.get();
                slot.missed.set((asked.hash, n_missed + 1));
                last == asked.hash || n_missed >= MISSES_MAX || slot.is_closed()
            }
            _ => true,
        }
    };
    TABLE.try_with(is_wanted).unwrap_or(false)
}

/// Keeps a view that this thread has made.
pub(super) fn keep(asked: Asked<'_>, local: &Arc<Local>) {
    let slot = Slot {
        above: asked.above,
        kind: asked.name.kind,
        shape: asked.name.shape,
        name: asked.name.bytes.into(),
        owner: asked.owner.cloned(),
        local: Arc::clone(local),
        missed: Cell::new(NOBODY),
    };
    let keep = |table: &RefCell<Vec<Option<Slot>>>| {
        let mut table = table.try_borrow_mut().ok()?;
        if table.is_empty() {
            table.resize_with(N_SLOTS, || None);
        }
        table.get_mut(asked.place())?.replace(slot)
    };
    // The displaced one goes when the table is no longer borrowed (T2).
    drop(TABLE.try_with(keep));
}

/// A number that no registry and no view of this process has had (T1).
pub(super) fn new_serial() -> u64 {
    static SERIALS: AtomicU64 = AtomicU64::new(1);
    SERIALS.fetch_add(1, Ordering::Relaxed)
}

impl Slot {
    /// Whether it keeps a tenant or a named cache that was deleted.
    fn is_closed(&self) -> bool {
        self.local.owner().is_some_and(|owner| owner.is_closed())
    }
}

impl Asked<'_> {
    fn place(self) -> usize {
        self.hash as usize % N_SLOTS
    }

    fn is_for(self, slot: &Slot) -> bool {
        let same_owner = |owner| {
            slot.owner
                .as_ref()
                .is_some_and(|other| Arc::ptr_eq(owner, other))
        };
        slot.above == self.above
            && slot.kind == self.name.kind
            && slot.shape == self.name.shape
            && *slot.name == *self.name.bytes
            && self.owner.is_none_or(same_owner)
    }
}
