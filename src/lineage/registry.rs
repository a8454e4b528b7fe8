//! Who lives under which name, and how many endings there were.

use super::generation::Wanted;
use super::names::Names;
use super::roll::{Roll, floor_of, take_out};
#[cfg(not(engine_loom))]
use super::threads;
use super::{DEPTH_MAX, Generation, ID_NOWHERE, Local, Name, Owner, ScopeError};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, CachePadded, Mutex, Weak, prefetch};
use crate::tally::Tally;

/// Of the epoch's word, the bit that says that look-ups through views have something else to do.
const STIRRED: u64 = 1;
/// What an ending adds to it.
const ENDING: u64 = 2;

/// How many endings there were, times [`ENDING`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Epoch(pub(super) u64);

impl Epoch {
    /// A number that grows with each ending.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }
}

/// The scopes of one cache.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Twice the endings, and one more once it was stirred. Written by these alone; every operation through a view reads it.
    epoch: CachePadded<AtomicU64>,
    pub(super) roll: Arc<Roll>,
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

    /// Asks the processor for what an ending counts in.
    pub(crate) fn prefetch(&self) {
        prefetch(&raw const self.epoch);
    }

    /// The endings so far. What was live at one reading is live at a later one, if both are equal.
    #[inline]
    pub(crate) fn epoch(&self) -> Epoch {
        // Acquire: pairs with the release in `count`, so that the marks of all endings that are counted are seen.
        Epoch(self.epoch.load(Ordering::Acquire) & !STIRRED)
    }

    /// The same for look-ups, which ask at once whether there is something else to do: then it is no view's epoch.
    #[inline(always)]
    pub(super) fn stirred_epoch(&self) -> Epoch {
        // Acquire: as above.
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// Has look-ups through views go the way of those whose epoch has passed, from about now on.
    #[cfg(not(engine_loom))]
    pub(crate) fn stir(&self) {
        // Relaxed: nothing is told by it. An exchange keeps the counts of others in the release sequence.
        self.epoch.fetch_or(STIRRED, Ordering::Relaxed);
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
        let asked = self.asked(parent, name, owner);
        if let Some(local) = threads::find(asked, |_| true) {
            return Ok(local);
        }
        let local = self.local_anew(parent, name, owner)?;
        if threads::is_wanted(asked) {
            threads::keep(asked, &local);
        }
        Ok(local)
    }

    /// A view that is known by a key, which needs not be its path: the thread's own, if it asks again and again and the owner is not
    /// closed; else the one that `shared` gives, and all threads may have. That is told the hash of the name, which is the
    /// same below all views.
    #[cfg(not(engine_loom))]
    pub(crate) fn known<E>(
        &self,
        above: Option<&Local>,
        name: Name<'_>,
        shared: impl FnOnce(u64) -> Result<Arc<Local>, E>,
    ) -> Result<Arc<Local>, E> {
        let asked = self.asked(above, name, None);
        let is_open = |local: &Local| local.owner().is_some_and(|owner| !owner.is_closed());
        if let Some(local) = threads::find(asked, is_open) {
            return Ok(local);
        }
        let shared = shared(self.name_hash(name))?;
        if threads::is_wanted(asked)
            && let Ok(own) = self.another(&shared, Arc::clone(shared.tally()))
        {
            threads::keep(asked, &own);
            return Ok(own);
        }
        Ok(shared)
    }

    #[cfg(not(engine_loom))]
    fn asked<'a>(
        &self,
        parent: Option<&Local>,
        name: Name<'a>,
        owner: Option<&'a Arc<Owner>>,
    ) -> threads::Asked<'a> {
        let above = parent.map_or(self.serial, Local::serial);
        threads::Asked {
            above,
            name,
            owner,
            hash: self.roll.hash(above, name),
        }
    }

    /// A hash of a name, below whatever it is.
    #[cfg(not(engine_loom))]
    pub(crate) fn name_hash(&self, name: Name<'_>) -> u64 {
        self.roll.hash_of_name(name)
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
        self.another(view, Tally::new(Some(view.tally())))
    }

    fn another(&self, view: &Local, tally: Arc<Tally>) -> Result<Arc<Local>, ScopeError> {
        // Read before the life is found to be live (L4).
        let epoch = self.epoch();
        let life = view.generation(self)?;
        Ok(Arc::new(Local::new(new_serial(), epoch, life, tally)))
    }

    /// A view of the scope that a view's is nested in, which counts for the same.
    ///
    /// # Errors
    /// As for `counted`, and [`ScopeError::Empty`] if it is nested in none.
    pub(crate) fn above(&self, view: &Local) -> Result<Arc<Local>, ScopeError> {
        // Read before the life is found to be live (L4).
        let epoch = self.epoch();
        let life = view.generation(self)?;
        let above = Arc::clone(life.parent().ok_or(ScopeError::Empty)?);
        let tally = Arc::clone(view.tally());
        Ok(Arc::new(Local::new(new_serial(), epoch, above, tally)))
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
        self.find_or_make(wanted, self.roll.life_hash(wanted.above(), name))
    }

    pub(super) fn find_or_make(
        &self,
        wanted: Wanted<'_>,
        hash: u32,
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
        hash: u32,
    ) -> Result<Arc<Generation>, ScopeError> {
        // Asked again under the lock: who was closed since ends no life of a namesake that was made since.
        if wanted.owner.is_some_and(|owner| owner.is_closed()) {
            return Err(ScopeError::Closed);
        }
        seen.extend(names.find(u64::from(hash)).filter_map(Weak::upgrade));
        let namesake = seen.iter().find(|life| wanted.is_path_of(life));
        if let Some(life) = namesake.filter(|life| wanted.is_served_by(life)) {
            return Ok(Arc::clone(life));
        }
        let id = self.roll.draw_id()?;
        if let Some(life) = namesake {
            self.end(life);
            take_out(names, life);
            life.leave();
        }
        let life = Arc::new(Generation::new(wanted, id, hash, &self.roll));
        names.insert(u64::from(hash), Arc::downgrade(&life));
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
        let _names = self.roll.names(life.hash());
        self.end(life)
    }

    /// Marks and counts; both under the lock of the name, so that the next life comes after the count (L3). That one takes it out, or
    /// whoever names it last: the table of names is far away for who only ends.
    fn end(&self, life: &Generation) -> bool {
        let is_first = life.die();
        if is_first {
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
        self.epoch.fetch_add(ENDING, Ordering::Release);
    }
}

/// What the models' failing twins do.
#[cfg(engine_loom)]
impl Registry {
    /// As `invalidate`, but counts before it marks.
    pub(crate) fn invalidate_after_the_count(&self, life: &Generation) {
        let _names = self.roll.names(life.hash());
        self.count();
        life.die();
    }

    /// As `invalidate`, but unlocks the name before it counts.
    pub(crate) fn invalidate_and_count_unlocked(&self, life: &Generation) {
        let names = self.roll.names(life.hash());
        life.die();
        drop(names);
        self.count();
    }

    /// As `close`, but without the gate.
    pub(crate) fn close_without_gate(&self, owner: &Owner) {
        owner.close();
        self.count();
    }
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
