//! A miniature of the store for the model checker: the real table, entries, hazards and budget, and nothing above them.
//!
//! # Idea         tests/loom.rs is a crate of its own and can't reach the engine's inside; it gets these few operations
//! # Invariants   M1 a key is its own hash, eight bytes long; its value is a number
//!   M2 what a model frees stays readable until the next one begins, so that a faulty twin fails by an
//!   assertion and not by chance
//! # Not here     stripes, policy, wheel: arithmetic under one lock, which no interleaving concerns

use std::ptr::NonNull;

use crate::entry::{Block, BlockRef, Draft, Parts, Plan, Probe, Releaser};
use crate::hash::KeyHash;
use crate::reclaim::{BySlot, Domain, Hazard, Name, Named, Namer, Record};
use crate::sync::Arc;
use crate::table::{RetiredSegment, Shared, Table};

mod flight;
mod limits;
mod lineage;
mod peg;
mod shares;
mod shelf;
mod tally;
mod timed;
mod turn;
mod words;

pub use flight::{End, Flight, Ticket, Waits};
pub use limits::{Slate, Tenant, TwoSteps};
pub use lineage::{Family, Fault, View};
pub use peg::{Flaw, Peg};
pub use shares::{Pool, Shares};
pub use shelf::Shelf;
pub use tally::{Books, Miscount};
pub use timed::{Slip, Timed};
pub use turn::Desk;
pub use words::{Budget, Deadline, Pair};

/// Explores all interleavings of a model.
pub fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    // One fault needs three preemptions to show, and four cost seconds; LOOM_MAX_PREEMPTIONS may ask for more.
    builder.preemption_bound = builder
        .preemption_bound
        .map(|bound| bound.max(4))
        .or(Some(4));
    let explored = Explored(Arc::default());
    let count = Arc::clone(&explored.0);
    builder.check(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        crate::sync::dig();
        model();
    });
}

/// Prints how many executions there were, also if the last of them failed.
struct Explored(Arc<std::sync::atomic::AtomicU64>);

impl Drop for Explored {
    fn drop(&mut self) {
        let n = self.0.load(std::sync::atomic::Ordering::Relaxed);
        let test = std::thread::current();
        println!("loom: {n} executions of {}", test.name().unwrap_or("?"));
    }
}

/// What readers and the writer share.
#[allow(missing_debug_implementations)]
pub struct Pantry {
    domain: Domain,
    shared: Shared,
}

/// The writer's side.
#[allow(missing_debug_implementations)]
pub struct Keeper {
    pantry: Arc<Pantry>,
    table: Table,
    blocks: Vec<Block>,
    segments: Vec<RetiredSegment>,
    releaser: Releaser,
}

/// What a look-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The value.
    Hit(u64),
    /// The key was absent at one moment.
    Miss,
    /// Something moved; look again.
    Raced,
}

impl Pantry {
    /// An empty table and its writer.
    pub fn open() -> (Arc<Pantry>, Keeper) {
        let (shared, table) = Table::new(0);
        let pantry = Arc::new(Pantry {
            domain: Domain::new(),
            shared,
        });
        // SAFETY: `draft` makes blocks of this type alone (M1).
        let releaser = unsafe { Releaser::new::<u64>() };
        let keeper = Keeper {
            pantry: Arc::clone(&pantry),
            table,
            blocks: Vec::new(),
            segments: Vec::new(),
            releaser,
        };
        (pantry, keeper)
    }

    /// A reader, with a line of its own.
    pub fn reader(&self) -> Reader<'_> {
        Reader {
            pantry: self,
            record: self.domain.register(),
        }
    }
}

/// One thread that reads.
#[allow(missing_debug_implementations)]
pub struct Reader<'p> {
    pantry: &'p Pantry,
    record: &'p Record,
}

impl Reader<'_> {
    /// Reads a value in place.
    pub fn read(&self, key: u64) -> Answer {
        self.read_under(&mut self.record.hazard(0), key)
    }

    /// Reads a value in place, and another one meanwhile; the first must still be there then.
    pub fn read_nested(&self, outer: u64, inner: u64) -> (Answer, Answer) {
        self.nested(outer, inner, 1)
    }

    /// As `read_nested`, but by the same slot, so that the first has no name any more.
    pub fn read_nested_by_one_slot(&self, outer: u64, inner: u64) -> (Answer, Answer) {
        self.nested(outer, inner, 0)
    }

    fn nested(&self, outer: u64, inner: u64, level: usize) -> (Answer, Answer) {
        let mut hazard = self.record.hazard(0);
        let key = outer.to_le_bytes();
        let found = self
            .pantry
            .shared
            .look(&mut hazard, KeyHash::from_bits(outer), &probe(&key));
        let Ok(Some(found)) = found else {
            return (Answer::Raced, Answer::Raced);
        };
        let inner = self.read_under(&mut self.record.hazard(level), inner);
        (Answer::Hit(number(found.block)), inner)
    }

    /// Reads a value in place, with names that were never published behind a barrier.
    pub fn read_without_barrier(&self, key: u64) -> Answer {
        self.read_under(&mut Quiet(self.record.hazard(0)), key)
    }

    fn read_under(&self, hazard: &mut impl Name, key: u64) -> Answer {
        match self
            .pantry
            .shared
            .look(hazard, KeyHash::from_bits(key), &probe(&key.to_le_bytes()))
        {
            Ok(Some(found)) => Answer::Hit(number(found.block)),
            Ok(None) => Answer::Miss,
            Err(_) => Answer::Raced,
        }
    }

    /// Reads a value through a counted handle, after the hazard is gone.
    pub fn get(&self, key: u64) -> Answer {
        let mut hazard = self.record.hazard(0);
        let found = self.pantry.shared.look(
            &mut hazard,
            KeyHash::from_bits(key),
            &probe(&key.to_le_bytes()),
        );
        let counted = match found {
            Ok(Some(found)) => found.block.acquire(),
            Ok(None) => return Answer::Miss,
            Err(_) => return Answer::Raced,
        };
        drop(hazard);
        self.end(counted)
    }

    /// As `get`, but counts when the hazard is gone already.
    pub fn get_too_late(&self, key: u64) -> Answer {
        let mut hazard = self.record.hazard(0);
        let found = self.pantry.shared.look(
            &mut hazard,
            KeyHash::from_bits(key),
            &probe(&key.to_le_bytes()),
        );
        let raw = match found {
            Ok(Some(found)) => NonNull::new(found.block.as_ptr()).expect("a block is never null"),
            Ok(None) => return Answer::Miss,
            Err(_) => return Answer::Raced,
        };
        drop(hazard);
        // SAFETY: none, which is the point: the memory may have ended, but is readable (M2).
        let counted = unsafe { BlockRef::new(raw) }.acquire();
        self.end(counted)
    }

    fn end(&self, counted: Block) -> Answer {
        let answer = Answer::Hit(number(counted.as_ref()));
        // SAFETY: all blocks hold a `u64` (M1).
        drop(unsafe { Releaser::new::<u64>() }.release(counted));
        answer
    }
}

fn number(block: BlockRef<'_>) -> u64 {
    // SAFETY: all blocks hold a `u64` (M1).
    *unsafe { block.value::<u64>() }
}

/// Names without the barrier.
struct Quiet<'a>(Hazard<'a>);

/// The same as a value.
#[derive(Clone, Copy)]
struct Hush<'a>(BySlot<'a>);

impl Name for Quiet<'_> {
    type Namer<'n>
        = Hush<'n>
    where
        Self: 'n;

    fn namer(&self) -> Hush<'_> {
        Hush(self.0.namer())
    }
}

// SAFETY: it isn't right, and that is what the twins are to show.
unsafe impl Namer for Hush<'_> {
    fn name_segment<T>(self, segment: *mut T) {
        self.0.name_segment(segment);
    }

    fn name_entry<T>(self, entry: *mut T) {
        self.0.name_entry_without_barrier(entry);
    }
}

impl Keeper {
    /// Links a value, or puts it in the place of another.
    pub fn insert(&mut self, key: u64, value: u64) {
        let bytes = key.to_le_bytes();
        let parts = Parts::plain(probe(&bytes));
        let plan = Plan::<u64>::new(parts, 1).expect("eight bytes fit");
        let Ok((draft, ())) = Draft::new::<u64, u64>(plan, None, value) else {
            panic!("memory for a model")
        };
        let hash = KeyHash::from_bits(key);
        let mut writer = self.table.writer(&self.pantry.shared);
        match writer.find(hash, &probe(&key.to_le_bytes())) {
            Some(loc) => self.blocks.push(writer.replace(loc, draft.into_block(), 0)),
            None => drop(
                writer
                    .link(hash, draft.into_block(), 0)
                    .expect("a model is small"),
            ),
        }
    }

    /// Takes a value out; it waits for [`reclaim`](Self::reclaim).
    pub fn remove(&mut self, key: u64) {
        let hash = KeyHash::from_bits(key);
        let mut writer = self.table.writer(&self.pantry.shared);
        let loc = writer
            .find(hash, &probe(&key.to_le_bytes()))
            .expect("a model removes what is there");
        self.blocks.push(writer.unlink(loc, hash));
    }

    /// Enlarges or splits the segment of a key.
    pub fn grow(&mut self, key: u64) {
        self.table.writer(&self.pantry.shared).grow(
            KeyHash::from_bits(key),
            &hash_of,
            &mut self.segments,
        );
    }

    /// Merges the segment of a key with its neighbour.
    pub fn shrink(&mut self, key: u64) -> bool {
        self.table.writer(&self.pantry.shared).shrink(
            KeyHash::from_bits(key),
            &hash_of,
            &mut self.segments,
        )
    }

    /// Frees what left and no reader names.
    pub fn reclaim(&mut self) {
        let named = self.pantry.domain.look();
        self.free(named);
    }

    /// As `reclaim`, by a look from before the removal.
    pub fn remove_after_the_look(&mut self, key: u64) {
        let named = self.pantry.domain.look();
        self.remove(key);
        self.free(named);
    }

    /// Frees what left, whoever reads it.
    pub fn reclaim_blindly(&mut self) {
        for block in self.blocks.drain(..) {
            drop(self.releaser.release(block));
        }
        for segment in self.segments.drain(..) {
            // SAFETY: none, which is the point; the memory stays readable (M2).
            unsafe { segment.free() };
        }
    }

    fn free(&mut self, named: Option<Named>) {
        let Some(named) = named else { return };
        for block in std::mem::take(&mut self.blocks) {
            if named.has(block.as_ref().as_ptr()) {
                self.blocks.push(block);
            } else {
                drop(self.releaser.release(block));
            }
        }
        for segment in std::mem::take(&mut self.segments) {
            if named.has(segment.as_ptr()) {
                self.segments.push(segment);
            } else {
                // SAFETY: retired before the look, which didn't name it.
                unsafe { segment.free() };
            }
        }
    }

    /// Ends the model, when all readers have ended.
    pub fn close(mut self) {
        self.table
            .writer(&self.pantry.shared)
            .drain(&mut self.blocks);
        self.reclaim_blindly();
    }
}

fn hash_of(block: BlockRef<'_>) -> KeyHash {
    let key = block
        .key_bytes()
        .try_into()
        .expect("a model's keys are eight bytes");
    KeyHash::from_bits(u64::from_le_bytes(key))
}

/// What a key of a model is looked up by (M1).
fn probe(bytes: &[u8]) -> Probe<'_> {
    Probe::new(None, 0, bytes)
}
