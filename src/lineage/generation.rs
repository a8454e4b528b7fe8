//! One life of a scope, and the tenant or named cache that it belongs to.

use std::any::Any;
use std::{fmt, iter};

use super::roll::Roll;
use super::{Kind, Name, PlaceWord};
use crate::clock::Nanos;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use crate::tally::Tally;

/// A tenant or a named cache, through all lives of its scopes: who is charged, and whether it was deleted.
///
/// Whoever creates a tenant or a named cache makes one; when it is closed, every scope under it has ended and none
/// begins again. A new one of the same name is another owner.
pub(crate) struct Owner {
    pool: u32,
    is_closed: AtomicBool,
    /// What is counted below.
    tally: Arc<Tally>,
    /// What those above make of it.
    charter: Option<Charter>,
}

type Charter = Box<dyn Any + Send + Sync>;

impl Owner {
    /// An owner of whom nothing but the pool is known.
    #[cfg(any(test, engine_loom))]
    pub(crate) fn new(pool: u32) -> Arc<Self> {
        Arc::new(Self {
            pool,
            is_closed: AtomicBool::new(false),
            tally: Tally::new(None),
            charter: None,
        })
    }

    pub(crate) fn with_charter<C: Any + Send + Sync>(
        pool: u32,
        tally: Arc<Tally>,
        charter: C,
    ) -> Arc<Self> {
        Arc::new(Self {
            pool,
            is_closed: AtomicBool::new(false),
            tally,
            charter: Some(Box::new(charter)),
        })
    }

    /// What it was made with.
    #[inline]
    pub(crate) fn charter<C: Any>(&self) -> Option<&C> {
        self.charter.as_ref()?.downcast_ref()
    }

    /// The pool that is charged for what is written below.
    pub(crate) fn pool(&self) -> u32 {
        self.pool
    }

    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    pub(crate) fn is_closed(&self) -> bool {
        // Relaxed: see `Generation::is_live`.
        self.is_closed.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) -> bool {
        // Relaxed: the epoch that is counted up next tells it.
        !self.is_closed.swap(true, Ordering::Relaxed)
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner")
            .field("pool", &self.pool)
            .field("is_closed", &self.is_closed)
            .finish_non_exhaustive()
    }
}

/// Stages of a life, each with the bits of the one before: nobody has ended it by itself;
const LIVE: u8 = 0;
/// somebody has, and its name stands in the roll still;
const DEAD: u8 = 1;
/// and the name was taken out for the next life's.
const OUT: u8 = 3;

/// One life of a scope: from the first time that its path is asked for until it's invalidated or nobody names it.
#[derive(Debug)]
pub(crate) struct Generation {
    word: PlaceWord,
    parent: Option<Arc<Generation>>,
    name: Box<[u8]>,
    /// The owner that begins here; those above count as well.
    owner: Option<Arc<Owner>>,
    roll: Arc<Roll>,
    kind: Kind,
    shape: u8,
    depth: u8,
    /// [`LIVE`], [`DEAD`] or [`OUT`].
    stage: AtomicU8,
    /// Under which it stands in the roll.
    hash: u32,
    ended_at: EndedAt,
}

/// When something ended; the first time that was noted.
// Relaxed: who asks has seen the ending by a lock that was held after the note.
#[derive(Debug)]
struct EndedAt(AtomicU64);

impl Default for EndedAt {
    fn default() -> Self {
        Self(AtomicU64::new(Nanos::MAX.0))
    }
}

impl EndedAt {
    fn note(&self, now: Nanos) {
        let first = |noted| (now.0 < noted).then_some(now.0);
        // What was noted earlier stays, which is no failure.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, first);
    }

    fn get(&self) -> Nanos {
        Nanos(self.0.load(Ordering::Relaxed))
    }
}

/// What a life is looked up by, and made from.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) parent: Option<&'a Arc<Generation>>,
    pub(super) name: Name<'a>,
    pub(super) owner: Option<&'a Arc<Owner>>,
}

impl Generation {
    pub(super) fn new(wanted: Wanted<'_>, id: u64, hash: u32, roll: &Arc<Roll>) -> Self {
        let Wanted {
            parent,
            name,
            owner,
        } = wanted;
        let pool = owner.map_or(wanted.above().pool(), |owner| owner.pool());
        Self {
            word: PlaceWord::new(id, pool),
            parent: parent.cloned(),
            name: name.bytes.into(),
            owner: owner.cloned(),
            roll: Arc::clone(roll),
            kind: name.kind,
            shape: name.shape,
            depth: wanted.depth(),
            stage: AtomicU8::new(LIVE),
            hash,
            ended_at: EndedAt::default(),
        }
    }

    #[inline]
    pub(crate) fn word(&self) -> PlaceWord {
        self.word
    }

    /// Whether entries of this life are there: neither it nor one above it has ended.
    pub(crate) fn is_live(&self) -> bool {
        self.line().all(|life| !life.has_ended())
    }

    /// Whether it was deleted, with one of the owners that it stands under.
    pub(super) fn is_closed(&self) -> bool {
        self.line()
            .any(|life| life.owner.as_ref().is_some_and(|owner| owner.is_closed()))
    }

    /// Whether this life has ended by itself.
    pub(super) fn has_ended(&self) -> bool {
        // Relaxed: who must see an ending has seen the epoch that counts it, or holds a lock that was held after it.
        self.stage.load(Ordering::Relaxed) != LIVE
            || self.owner.as_ref().is_some_and(|owner| owner.is_closed())
    }

    /// Ends this life; true if nobody had before.
    pub(super) fn die(&self) -> bool {
        // Relaxed: under the lock of its names, and told by the epoch that is counted up next.
        self.stage.fetch_or(DEAD, Ordering::Relaxed) == LIVE
    }

    /// Notes that it was taken out of the roll.
    pub(super) fn leave(&self) {
        // Relaxed: under the lock of its names; who drops it comes after everybody who held it.
        self.stage.store(OUT, Ordering::Relaxed);
    }

    /// Notes when this life is ended, before it is.
    pub(crate) fn note_end(&self, now: Nanos) {
        self.ended_at.note(now);
    }

    /// When it ended, if it has and that was noted: by itself, or with one above it.
    pub(crate) fn ended_at(&self) -> Option<Nanos> {
        let noted = self.line().map(|life| life.ended_at.get());
        noted.min().filter(|&first| first != Nanos::MAX)
    }

    /// The names from the root down to this scope.
    pub(crate) fn path(&self) -> Vec<Name<'_>> {
        let mut path: Vec<_> = self.line().map(Self::name).collect();
        path.reverse();
        path
    }

    /// The last step of the path.
    pub(crate) fn name(&self) -> Name<'_> {
        Name {
            kind: self.kind,
            shape: self.shape,
            bytes: &self.name,
        }
    }

    pub(super) fn hash(&self) -> u32 {
        self.hash
    }

    pub(super) fn parent(&self) -> Option<&Arc<Generation>> {
        self.parent.as_ref()
    }

    pub(super) fn owner(&self) -> Option<&Arc<Owner>> {
        self.owner.as_ref()
    }

    /// The tenant or named cache that the scope belongs to, the nearest one.
    pub(super) fn nearest_owner(&self) -> Option<&Arc<Owner>> {
        self.line().find_map(|life| life.owner.as_ref())
    }

    /// Of this life and those above it, those that have ended by themselves.
    pub(super) fn marked(&self) -> impl Iterator<Item = &Generation> {
        self.line().filter(|life| life.has_ended())
    }

    /// This life and those above it.
    fn line(&self) -> impl Iterator<Item = &Generation> {
        iter::successors(Some(self), |life| life.parent.as_deref())
    }
}

impl Drop for Generation {
    /// Takes the name out of the roll, if the next life hasn't. The drops of those above follow, at most `DEPTH_MAX` of them.
    fn drop(&mut self) {
        if self.stage.load(Ordering::Relaxed) != OUT {
            self.roll.forget(self);
        }
    }
}

impl Wanted<'_> {
    /// The word of the scope that the name is in.
    pub(super) fn above(self) -> PlaceWord {
        self.parent.map_or(PlaceWord::ROOT, |parent| parent.word)
    }

    pub(super) fn depth(self) -> u8 {
        self.parent.map_or(1, |parent| parent.depth + 1)
    }

    /// Whether that is the path of `life`, whoever owns it.
    pub(super) fn is_path_of(self, life: &Generation) -> bool {
        let above = life.parent.as_ref().map_or(PlaceWord::ROOT, |up| up.word);
        self.above() == above && self.name == life.name()
    }

    /// Whether `life`, of the same path, is what is wanted.
    pub(super) fn is_served_by(self, life: &Generation) -> bool {
        let same_owner = |owner| life.owner().is_some_and(|other| Arc::ptr_eq(owner, other));
        !life.has_ended() && self.owner.is_none_or(same_owner)
    }
}
