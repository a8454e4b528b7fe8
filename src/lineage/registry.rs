//! Who lives under which name, and how many endings there were.

use std::ptr;

use super::generation::Wanted;
use super::names::Names;
#[cfg(not(engine_loom))]
use super::threads;
use super::{DEPTH_MAX, Generation, ID_NOWHERE, Local, Name, Owner, PlaceWord, ScopeError};
use crate::hash::Hasher64;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, CachePadded, Mutex, MutexGuard, Weak};
use crate::tally::Tally;

/// How many endings there were.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Epoch(pub(super) u64);

impl Epoch {
    /// The count.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }
}

/// The scopes of one cache.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Written by endings alone; every operation through a view reads it.
    epoch: CachePadded<AtomicU64>,
    roll: Arc<Roll>,
    /// Held from the mark to the count of a closing.
    gate: Mutex<()>,
    /// Tells this registry from all others, for the tables of threads.
    serial: u64,
    /// What is counted in the whole cache.
    tally: Arc<Tally>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            epoch: CachePadded::new(AtomicU64::new(0)),
            roll: Arc::new(Roll::new()),
            gate: Mutex::new(()),
            serial: new_serial(),
            tally: Tally::new(None),
        }
    }

    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// The endings so far. What was live at one reading is live at a later one, if both are equal.
    #[inline]
    pub(crate) fn epoch(&self) -> Epoch {
        // Acquire: pairs with the release in `count`, so that the marks of all endings that are counted are seen.
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// What comes before a block of versions for a stripe: above all that were given out so far, and above the versions of
    /// every life that has ended, since blocks and lives share one count.
    pub(crate) fn next_versions(&self) -> u64 {
        floor_of(self.roll.draw_id().unwrap_or(ID_NOWHERE))
    }

    /// The view of a name below `parent` (`None`: the root). Views that a thread asks for again and again come from a
    /// table of its own, and nothing is written that another thread writes.
    ///
    /// `owner` is given where a tenant or named cache begins: a life of the path under another owner is ended.
    ///
    /// # Errors
    /// The name is empty or too long, `parent` is at the largest depth or closed, or there are no more ids.
    #[cfg(not(engine_loom))]
    pub(crate) fn local(
        &self,
        parent: Option<&Local>,
        name: Name<'_>,
        owner: Option<&Arc<Owner>>,
    ) -> Result<Arc<Local>, ScopeError> {
        let above = parent.map_or(self.serial, Local::serial);
        let hash = self.roll.hash(above, name);
        let asked = threads::Asked {
            above,
            name,
            owner,
            hash,
        };
        if let Some(local) = threads::find(asked) {
            return Ok(local);
        }
        let local = self.local_anew(parent, name, owner)?;
        threads::keep(asked, &local);
        Ok(local)
    }

    /// The view of a name, if this thread has asked for it lately.
    #[cfg(not(engine_loom))]
    pub(crate) fn known(&self, parent: Option<&Local>, name: Name<'_>) -> Option<Arc<Local>> {
        let above = parent.map_or(self.serial, Local::serial);
        threads::find(threads::Asked {
            above,
            name,
            owner: None,
            hash: self.roll.hash(above, name),
        })
    }

    /// As `local`, without the thread's table.
    pub(crate) fn local_anew(
        &self,
        parent: Option<&Local>,
        name: Name<'_>,
        owner: Option<&Arc<Owner>>,
    ) -> Result<Arc<Local>, ScopeError> {
        // Read before anything is found to be live (L4).
        let epoch = self.epoch();
        let above = parent.map(|parent| parent.generation(self)).transpose()?;
        let life = self.resolve(above.as_ref(), name, owner)?;
        let tally = match life.owner() {
            Some(owner) => owner.tally(),
            None => parent.map_or(&self.tally, Local::tally),
        };
        let tally = Arc::clone(tally);
        Ok(Arc::new(Local::new(new_serial(), epoch, life, tally)))
    }

    /// Another view of the same scope, which counts for itself what is looked up through it and through the views below it.
    ///
    /// # Errors
    /// [`ScopeError::Closed`], [`ScopeError::OutOfIds`].
    pub(crate) fn counted(&self, view: &Local) -> Result<Arc<Local>, ScopeError> {
        // Read before the life is found to be live (L4).
        let epoch = self.epoch();
        let life = view.generation(self)?;
        let tally = Tally::new(Some(view.tally()));
        Ok(Arc::new(Local::new(new_serial(), epoch, life, tally)))
    }

    /// The life of a name in a life of its parent: the one that there is, or a new one.
    ///
    /// # Errors
    /// As for `local`.
    pub(crate) fn resolve(
        &self,
        parent: Option<&Arc<Generation>>,
        name: Name<'_>,
        owner: Option<&Arc<Owner>>,
    ) -> Result<Arc<Generation>, ScopeError> {
        let wanted = Wanted {
            parent,
            name,
            owner,
        };
        name.check()?;
        if wanted.depth() > DEPTH_MAX {
            return Err(ScopeError::too_deep());
        }
        if owner.is_some_and(|owner| owner.is_closed()) {
            return Err(ScopeError::Closed);
        }
        self.find_or_make(wanted, self.roll.hash(wanted.above().bits(), name))
    }

    pub(super) fn find_or_make(
        &self,
        wanted: Wanted<'_>,
        hash: u64,
    ) -> Result<Arc<Generation>, ScopeError> {
        // Made before the lock, so dropped after it: the end of a life takes that lock.
        let mut seen = Vec::new();
        let mut names = self.roll.names(hash);
        self.find_or_make_among(&mut names, &mut seen, wanted, hash)
    }

    /// As `find_or_make`, under the lock of the names; `seen` is dropped by the caller after it.
    pub(super) fn find_or_make_among(
        &self,
        names: &mut Names<Weak<Generation>>,
        seen: &mut Vec<Arc<Generation>>,
        wanted: Wanted<'_>,
        hash: u64,
    ) -> Result<Arc<Generation>, ScopeError> {
        seen.extend(names.find(hash).filter_map(Weak::upgrade));
        let namesake = seen.iter().find(|life| wanted.is_path_of(life));
        if let Some(life) = namesake.filter(|life| wanted.is_served_by(life)) {
            return Ok(Arc::clone(life));
        }
        let id = self.roll.draw_id()?;
        if let Some(life) = namesake {
            self.end(names, life);
        }
        let life = Arc::new(Generation::new(wanted, id, &self.roll, hash));
        names.insert(hash, Arc::downgrade(&life));
        Ok(life)
    }

    /// The life that follows one that has ended: as far down as all is live the path is the same, and new from there.
    pub(super) fn renew(&self, old: &Arc<Generation>) -> Result<Arc<Generation>, ScopeError> {
        let parent = old.parent().map(|up| self.renew(up)).transpose()?;
        let same_above = parent.as_ref().map(|up| up.word()) == old.parent().map(|up| up.word());
        if same_above && !old.has_ended() {
            return Ok(Arc::clone(old));
        }
        self.resolve(parent.as_ref(), old.name(), old.owner())
    }

    /// Ends a life, and with it all below: at return no operation that begins finds what was written in it. False if
    /// it had ended by itself before.
    pub(crate) fn invalidate(&self, life: &Generation) -> bool {
        self.end(&mut self.roll.names(life.hash()), life)
    }

    /// Marks, takes out, counts; all of it under the lock of the name, so that the next life comes after the count (L3).
    fn end(&self, names: &mut Names<Weak<Generation>>, life: &Generation) -> bool {
        let is_first = life.die();
        if is_first {
            take_out(names, life);
            self.count();
        }
        is_first
    }

    /// Ends all scopes of an owner for good: their views are nowhere from then on. False if it was closed before.
    ///
    /// A new owner may be made under the same name once this has returned.
    pub(crate) fn close(&self, owner: &Owner) -> bool {
        let _gate = self.gate.lock();
        let is_first = owner.close();
        if is_first {
            self.count();
        }
        is_first
    }

    /// Whether a life or one above it has ended, and that is counted: until then its entries are there, since who began before the count
    /// reads and writes them. Waits for a count that is under way. May be asked under a stripe's lock.
    pub(crate) fn is_over(&self, life: &Generation) -> bool {
        let is_over = !life.is_live();
        if is_over {
            // Whoever marks holds one of these until the count.
            life.marked()
                .for_each(|ended| drop(self.roll.names(ended.hash())));
            if life.is_closed() {
                self.pass_gate();
            }
        }
        is_over
    }

    /// Waits until a closing that was seen has been counted: a view that answers "nowhere" must not be followed by one
    /// that still finds something.
    pub(super) fn pass_gate(&self) {
        drop(self.gate.lock());
    }

    fn count(&self) {
        // Release: pairs with the acquire in `epoch`. An exchange keeps the counts of others in the release sequence.
        self.epoch.fetch_add(1, Ordering::Release);
    }
}

/// What the models' failing twins do.
#[cfg(engine_loom)]
impl Registry {
    /// As `invalidate`, but counts before it marks.
    pub(crate) fn invalidate_after_the_count(&self, life: &Generation) {
        let mut names = self.roll.names(life.hash());
        self.count();
        life.die();
        take_out(&mut names, life);
    }

    /// As `invalidate`, but unlocks the name before it counts.
    pub(crate) fn invalidate_and_count_unlocked(&self, life: &Generation) {
        let mut names = self.roll.names(life.hash());
        life.die();
        take_out(&mut names, life);
        drop(names);
        self.count();
    }

    /// As `close`, but without the gate.
    pub(crate) fn close_without_gate(&self, owner: &Owner) {
        owner.close();
        self.count();
    }
}

/// The living by name, and the next id. Every life holds it, so it lasts as long as there is one to be taken out.
#[derive(Debug)]
pub(super) struct Roll {
    shards: [CachePadded<Mutex<Names<Weak<Generation>>>>; N_SHARDS],
    next_id: CachePadded<AtomicU64>,
    hasher: Hasher64,
}

/// Versions of a block, as a power of two.
pub(crate) const VERSIONS_LOG2: u32 = 16;

/// What the versions of a life's entries are above, and those of earlier lives below.
pub(crate) fn floor_of(id: u64) -> u64 {
    id << VERSIONS_LOG2
}

/// Two in models: each lock there costs time.
const N_SHARDS: usize = if cfg!(engine_loom) { 2 } else { 16 };

impl Roll {
    fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| CachePadded::new(Mutex::new(Names::new()))),
            next_id: CachePadded::new(AtomicU64::new(PlaceWord::ROOT.id() + 1)),
            // A model must run alike each time.
            hasher: if cfg!(engine_loom) {
                Hasher64::with_seeds(1, 2, 3, 4)
            } else {
                Hasher64::new()
            },
        }
    }

    /// The hash of a name below whatever `above` stands for.
    fn hash(&self, above: u64, name: Name<'_>) -> u64 {
        // Shapes are below 16. The odd factor spreads consecutive ids, and the swap brings the spread to the low bits.
        let own = self
            .hasher
            .hash(0, name.shape | (name.kind as u8) << 4, name.bytes);
        let mixed = above.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        own.bits() ^ mixed ^ mixed.swap_bytes()
    }

    /// The names of a shard, under its lock.
    pub(super) fn names(&self, hash: u64) -> MutexGuard<'_, Names<Weak<Generation>>> {
        // The top bits: buckets are told apart by the low ones.
        self.shards[(hash >> 32) as usize % N_SHARDS].lock()
    }

    fn draw_id(&self) -> Result<u64, ScopeError> {
        self.next_id
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |id| {
                (id < ID_NOWHERE).then_some(id + 1)
            })
            .map_err(|_| ScopeError::OutOfIds)
    }

    /// Takes out a life that nobody names any more.
    pub(super) fn forget(&self, life: &Generation) {
        take_out(&mut self.names(life.hash()), life);
    }
}

/// Takes a life out of its names; another one of the same name stays. By address, which is good while it stands there:
/// the weak pointer keeps the memory.
fn take_out(names: &mut Names<Weak<Generation>>, life: &Generation) {
    names.remove(life.hash(), |other| ptr::eq(other.as_ptr(), life));
}

/// A number for a registry or a view that no other has.
#[cfg(not(engine_loom))]
fn new_serial() -> u64 {
    threads::new_serial()
}

/// Models have no tables of threads.
#[cfg(engine_loom)]
fn new_serial() -> u64 {
    0
}

#[cfg(test)]
#[cfg(not(engine_loom))]
impl Registry {
    pub(super) fn names(&self, hash: u64) -> MutexGuard<'_, Names<Weak<Generation>>> {
        self.roll.names(hash)
    }

    pub(super) fn set_next_id(&self, id: u64) {
        self.roll.next_id.store(id, Ordering::Relaxed);
    }

    /// The sum of what `count` says of each shard.
    pub(super) fn each_shard(&self, count: impl Fn(&Names<Weak<Generation>>) -> usize) -> usize {
        let shards = self.roll.shards.iter();
        shards.map(|names| count(&names.lock())).sum()
    }
}
