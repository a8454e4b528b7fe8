//! Who leaves next: sampled eviction by hit density, with everything it needs to know learned.
//!
//! # Idea         an entry's class (how often used, octave of its last reuse age) and its age tell how soon it will be used, as far as
//!   its like have shown: residents by hits, the evicted as ghosts. The sampled entry with the least expected hits
//!   for the space and time it takes leaves. After LHD (Beckmann, Chen, Cidon, NSDI 2018); Gittins index and ghosts
//!   besides. The clock counts inserts, 16 ticks a capacity, so a hit in the tick of the last one writes nothing
//! # Costs        every call O(1): admit reads a few lines of ghosts and one of the sketch; a rank is one load; `step` stays below
//!   2 us. From the first eviction on 13 bytes an entry of capacity and 22 KiB a policy
//! # Invariants   P1 the running tick is never OLDEST; P2 a slot re-stamped every 128 ticks never looks younger than `PIN_AGE` again
//! # Not here     locks, the table, sampling, keys, bytes

mod ghosts;
mod learn;
mod meta;
mod newcomers;
mod past;
mod ranker;
mod sketch;
mod tables;
mod tuning;

pub(crate) use ghosts::Place as Grave;
use ghosts::{Ghost, Place, WAYS};
use learn::{BY_AGE, BinOfTick, Learner, Progress};
use meta::{Class, Key};
pub(crate) use meta::{Meta, Note, Tick, restamp, size_class, touch};
pub(crate) use newcomers::Newcomers;
use past::Expected;
pub(crate) use past::{Learned, Past};
pub(crate) use ranker::Ranker;
pub(crate) use tables::Tables;
use tuning::{
    GROWING_TICKS, MEMORY_CAPACITIES, MEMORY_MAX, MEMORY_MIN, PASS_MIN, PASS_PARTS,
    TICKS_PER_CAPACITY,
};

/// The eviction policy of one stripe.
#[derive(Debug)]
pub(crate) struct Policy {
    weighted: bool,
    /// Entries it is made for; 0 until the first eviction.
    capacity: usize,
    /// Inserts a tick, and inserts until the next.
    period: u64,
    until_tick: u64,
    /// Ticks since birth, and the tick that runs.
    ticks: u64,
    running: Tick,
    inserts: u64,
    random: u64,
    /// For the running tick.
    bins: BinOfTick,
    known: Option<Box<Known>>,
    /// What `known` is to begin with, if something was learned elsewhere.
    expected: Option<Box<Expected>>,
}

/// Where a policy keeps what it remembers of a key. Once its memory is fitted anew it names places of others there, which hold nothing
/// of this key, and cost it what would have been remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    key: Key,
    place: Place,
    long_place: Option<Place>,
}

/// What exists from the first eviction on.
#[derive(Debug)]
struct Known {
    tables: Tables,
    learner: Learner,
    /// Ticks of waiting that one visited ghost of each table stands for, and inserts until the next are visited.
    ghost_ticks: f32,
    long_ticks: f32,
    until_visit: usize,
    /// Ticks of waiting that one observed resident stands for.
    sample_ticks: f32,
    /// Residents observed, and inserts, in this pass.
    n_observed: u32,
    n_inserts: u32,
    /// What the sums of this pass are multiplied with.
    fade: f32,
}

impl Policy {
    /// A policy that has learned nothing and allocated nothing. By bytes if `weighted`.
    pub(crate) fn new(seed: u64, weighted: bool) -> Policy {
        Policy {
            weighted,
            capacity: 0,
            period: 1,
            until_tick: 1,
            ticks: 0,
            running: Tick::of_count(0),
            inserts: 0,
            random: seed | 1,
            bins: BinOfTick::at(Tick::of_count(0)),
            known: None,
            expected: None,
        }
    }

    /// Fits tables and clock to `entries`, forgetting the ghosts but not what was learned: all at once, so in proportion to them.
    pub(crate) fn resize(&mut self, entries: usize) {
        let entries = entries.max(1);
        if entries != self.capacity {
            drop(self.shed(entries));
            self.furnish(Tables::for_entries(entries));
        }
    }

    /// Fits the clock to `entries`, and gives its tables up for others that are made for so many, with which it is to be
    /// [furnished](Self::furnish): in the meantime it remembers no key. What was learned stays.
    pub(crate) fn shed(&mut self, entries: usize) -> Tables {
        self.capacity = entries;
        self.period = (entries as u64 / TICKS_PER_CAPACITY).max(1);
        self.until_tick = self.until_tick.min(self.period);
        let sample_ticks = self.turn_ticks(entries) / 14.0;
        let expected = &mut self.expected;
        // In its place, since what is of this size may take the allocator long.
        let known = self.known.get_or_insert_with(|| {
            let expected = expected.take();
            Box::new(Known::new(
                expected.map_or_else(Learner::new, |expected| expected.learner()),
            ))
        });
        known.until_visit = WAYS;
        known.sample_ticks = sample_ticks;
        known.n_observed = 0;
        known.n_inserts = 0;
        known.fade = 1.0;
        std::mem::take(&mut known.tables)
    }

    /// Takes tables in that are made for its capacity, in the place of those that it gave up.
    pub(crate) fn furnish(&mut self, tables: Tables) {
        // A record is visited once in a turn of its table, which moves by a set for as many inserts, so it stands for that turn.
        let ghost_ticks = self.turn_ticks(tables.ghosts.slots());
        let long_ticks =
            self.turn_ticks(tables.long.slots()) * (1u32 << tables.long_rate_bits) as f32;
        let Some(known) = &mut self.known else { return };
        debug_assert!(known.tables.is_empty(), "it gave up those that it had");
        known.ghost_ticks = ghost_ticks;
        known.long_ticks = long_ticks;
        known.tables = tables;
    }

    /// Whether it gave its tables up, and has no others yet.
    pub(crate) fn is_bare(&self) -> bool {
        let known = self.known.as_ref();
        known.is_some_and(|known| known.tables.is_empty())
    }

    /// The entries it is made for; 0 before the first `resize`.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Inserts a tick.
    pub(crate) fn period(&self) -> u64 {
        self.period
    }

    /// The running tick.
    #[inline]
    pub(crate) fn tick(&self) -> Tick {
        self.running
    }

    /// The insert of an absent key: moves the clock, asks ghosts and sketch, learns. Returns the metadata of the new slot.
    #[inline(always)]
    pub(crate) fn admit(&mut self, site: Option<Site>, size: u8) -> Meta {
        self.advance();
        let class = site.map_or(Class::default(), |site| self.class_of_new(site));
        Meta::new(self.tick(), class, size)
    }

    fn class_of_new(&mut self, site: Site) -> Class {
        let ticks = self.ticks;
        let Some(known) = &mut self.known else {
            return Class::default();
        };
        known.n_inserts = known.n_inserts.saturating_add(1);
        known.watch_ghosts(ticks);
        let count = known.tables.sketch.add(site.key);
        known.class_of_new(site, count, ticks, &mut self.random)
    }

    /// Where `admit` will look for a key, for which the processor is asked at once; `None` before the first `resize`.
    #[inline(always)]
    pub(crate) fn site(&self, hash: u64) -> Option<Site> {
        let key = Key::of_hash(hash);
        let tables = &self.known.as_ref()?.tables;
        let place = tables.ghosts.place(key);
        tables.ghosts.prefetch(place);
        tables.sketch.prefetch(key);
        let long_place = tables.long.long_place(place, tables.long_rate_bits);
        if let Some(place) = long_place {
            tables.long.prefetch(place);
        }
        Some(Site {
            key,
            place,
            long_place,
        })
    }

    /// Where `evicted` will remember a key, for which the processor is asked at once.
    #[inline]
    pub(crate) fn grave(&self, hash: u64) -> Grave {
        let Some(known) = &self.known else {
            return Place::NOWHERE;
        };
        let ghosts = &known.tables.ghosts;
        let place = ghosts.place(Key::of_hash(hash));
        ghosts.prefetch(place);
        place
    }

    /// A hit that moved its entry's tick, as its reader noted it.
    pub(crate) fn note_hit(&mut self, note: Note) {
        let Some(known) = &mut self.known else { return };
        let old = note.old();
        known
            .learner
            .reused(old.class(), old.tick().age(note.now()), 1.0);
        known.tables.sketch.add(note.key());
    }

    /// A resident seen waiting, to be called for the candidates of an eviction.
    pub(crate) fn observe(&mut self, meta: Meta) {
        let now = self.tick();
        let Some(known) = &mut self.known else { return };
        known.n_observed = known.n_observed.saturating_add(1);
        known
            .learner
            .waited(meta.class(), meta.tick().age(now), known.sample_ticks);
    }

    /// What ranks many residents at one moment.
    pub(crate) fn ranker(&self) -> Ranker<'_> {
        let known = self.known.as_ref();
        let ranks = known.map_or(&BY_AGE, |known| known.learner.ranks());
        Ranker::new(ranks, &self.bins, self.weighted)
    }

    /// An entry left by this policy's choice.
    pub(crate) fn evicted(&mut self, grave: Grave, meta: Meta) {
        let (now, ticks) = (self.tick(), self.ticks);
        let Some(known) = &mut self.known else { return };
        let ghost = Ghost {
            class: meta.class(),
            age: meta.tick().age(now),
        };
        let tables = &mut known.tables;
        let Some((place, fallen)) = tables.ghosts.push(grave, ghost, ticks) else {
            return;
        };
        if let Some(place) = tables.long.long_place(place, tables.long_rate_bits) {
            tables.long.push(place, fallen, ticks);
        }
    }

    /// A bounded piece of rebuilding the index. To be called once an insert.
    #[inline]
    pub(crate) fn step(&mut self) {
        let Some(known) = &self.known else { return };
        let pass = (self.capacity as u64 / PASS_PARTS).max(PASS_MIN);
        // A pass is spread: its pieces are few, and between two passes nothing is done.
        let waits = known.learner.is_fresh() && u64::from(known.n_inserts) < pass;
        if known.n_inserts > 0 && !waits {
            self.rebuild();
        }
    }

    fn rebuild(&mut self) {
        let turn = self.turn_ticks(self.capacity);
        let Some(known) = &mut self.known else { return };
        if known.learner.is_fresh() {
            if known.n_observed > 0 {
                known.sample_ticks = turn * known.n_inserts as f32 / known.n_observed as f32;
            }
            let memory = (MEMORY_CAPACITIES * self.capacity as f32).clamp(MEMORY_MIN, MEMORY_MAX);
            known.fade = (-(known.n_inserts as f32) / memory).exp();
            known.n_inserts = 0;
            known.n_observed = 0;
        }
        let _: Progress = known.learner.step(known.fade);
    }

    /// The heap bytes it holds.
    pub(crate) fn memory_bytes(&self) -> usize {
        let Some(known) = &self.known else { return 0 };
        size_of::<Known>() + known.tables.memory_bytes() + known.learner.memory_bytes()
    }

    #[inline(always)]
    fn advance(&mut self) {
        self.inserts += 1;
        self.until_tick -= 1;
        if self.until_tick == 0 {
            self.begin_tick();
        }
    }

    #[inline(never)]
    fn begin_tick(&mut self) {
        self.ticks += 1;
        self.running = Tick::of_count(self.ticks);
        if self.capacity == 0 {
            // Not full yet: ticks as for the capacity seen so far, so that ages are right when it is.
            let least = self.expected.as_ref().map_or(1, |expected| expected.period);
            self.period = (self.inserts / GROWING_TICKS).max(least);
        }
        self.until_tick = self.period;
        self.bins = BinOfTick::at(self.tick());
    }

    /// The time, in ticks, of as many inserts as there are `slots`.
    fn turn_ticks(&self, slots: usize) -> f32 {
        slots as f32 / self.period as f32
    }
}

/// The next of numbers that look random: the generator of Marsaglia, "Xorshift RNGs", 2003.
fn spice(random: &mut u64) -> u32 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    (*random >> 32) as u32
}

impl Known {
    /// Without tables.
    fn new(learner: Learner) -> Known {
        Known {
            tables: Tables::default(),
            learner,
            ghost_ticks: 0.0,
            long_ticks: 0.0,
            until_visit: WAYS,
            sample_ticks: 0.0,
            n_observed: 0,
            n_inserts: 0,
            fade: 1.0,
        }
    }

    /// Counts the waiting of ghosts: those of a set of each table, once for as many inserts as a set has records.
    fn watch_ghosts(&mut self, ticks: u64) {
        self.until_visit -= 1;
        if self.until_visit > 0 {
            return;
        }
        self.until_visit = WAYS;
        let Known {
            tables, learner, ..
        } = self;
        let each = self.ghost_ticks;
        tables
            .ghosts
            .scan(ticks, |ghost| learner.waited(ghost.class, ghost.age, each));
        let each = self.long_ticks;
        tables
            .long
            .scan(ticks, |ghost| learner.waited(ghost.class, ghost.age, each));
    }

    /// The class of a key that was absent, from what ghosts and sketch know; what the ghosts know is learned.
    fn class_of_new(&mut self, site: Site, count: u32, ticks: u64, random: &mut u64) -> Class {
        let tables = &mut self.tables;
        if let Some(ghost) = tables.ghosts.take(site.place, ticks) {
            self.learner.reused(ghost.class, ghost.age, 1.0);
            return ghost.class.reused(ghost.age, spice(random));
        }
        let long = &mut tables.long;
        if let Some(ghost) = site.long_place.and_then(|place| long.take(place, ticks)) {
            let each = (1u32 << tables.long_rate_bits) as f32;
            self.learner.reused(ghost.class, ghost.age, each);
        }
        // Counts up to three are frequency steps as they are; the sketch tells none above.
        Class::new(count, 0)
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
