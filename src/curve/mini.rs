//! One small cache of the engine's own policy: keys without values, in one thread.
//!
//! # Idea         what a stripe does, at its smallest: it asks the policy about newcomers, tells it of hits, and takes the lowest in rank
//!   among a few remembered candidates
//! # Costs        a look: one search of the slots; a store in a full one: besides that three short stretches of slots and an eviction.
//!   24 bytes a slot, and what the policy takes
//! # Invariants   M1 `bytes` is the sum over residents; M2 after a store that found room in [`EVICT_MAX`] evictions, both bounds hold
//! # Not here     which keys it sees, and when they expire

use super::slots::{Resident, Slots};
use crate::policy::{self, Meta, Newcomers, Note, Policy};

/// Stretches of slots that are sampled for each victim, and their length: as many residents as a stripe looks at.
const SAMPLES: usize = 2;
const SAMPLE_SLOTS: usize = 8;
/// Candidates that are remembered from one eviction to the next.
const POOL: usize = 4;
/// Samples that may bring no victim before the oldest seen is taken.
const EMPTY_SAMPLES: usize = 8;
/// Evictions of one store. What doesn't fit then is made room for by those that follow.
const EVICT_MAX: usize = 64;

/// What bounds a cache; `u64::MAX` where nothing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

impl Size {
    /// Bounded by bytes alone.
    pub(crate) const fn of_bytes(max: u64) -> Size {
        Size {
            bytes: max,
            entries: u64::MAX,
        }
    }

    pub(super) fn scaled(self, share: f64) -> Size {
        let scaled = |max: u64| match max {
            u64::MAX => max,
            max => (max as f64 * share).round() as u64,
        };
        Size {
            bytes: scaled(self.bytes),
            entries: scaled(self.entries),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Mini {
    slots: Slots,
    policy: Policy,
    max: Size,
    bytes: u64,
    inserts: u32,
    candidates: Vec<Candidate>,
    newcomers: Newcomers<u64>,
    /// Where the next sample begins, and where the next tick that ages is looked for.
    sampled: usize,
    swept: usize,
    n_evicted: u64,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    rank: u32,
    meta: Meta,
    key: u64,
}

impl Mini {
    pub(super) fn new(seed: u64, max: Size) -> Mini {
        Mini {
            slots: Slots::new(),
            policy: Policy::new(seed, max.bytes != u64::MAX),
            max,
            bytes: 0,
            inserts: 0,
            candidates: Vec::with_capacity(POOL + 1),
            newcomers: Newcomers::new(),
            sampled: 0,
            swept: 0,
            n_evicted: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn n_evicted(&self) -> u64 {
        self.n_evicted
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.memory_bytes() + self.policy.memory_bytes() + self.newcomers.memory_bytes()
    }

    /// Changes the bounds; what is above them leaves with the next stores.
    pub(super) fn set_max(&mut self, max: Size) {
        self.max = max;
    }

    /// Looks a key up, as a use of it. What is known of its size and deadline is noted.
    pub(super) fn look(&mut self, key: u64, known: Option<(u32, u32)>, now: u32) -> bool {
        let Some(at) = self.slots.find(key) else {
            return false;
        };
        if self.slots.get(at).is_some_and(|slot| slot.due <= now) {
            self.take_out(at);
            return false;
        }
        if let Some((bytes, due)) = known {
            self.update(at, bytes, due);
        }
        self.touch(at);
        true
    }

    /// Stores a key, or changes its size and deadline, as a use of it.
    pub(super) fn store(&mut self, key: u64, bytes: u32, due: u32, now: u32) {
        if let Some(at) = self.slots.find(key) {
            self.update(at, bytes, due);
            self.touch(at);
        } else if u64::from(bytes) <= self.max.bytes && self.max.entries > 0 {
            self.make_room(u64::from(bytes), 1, now);
            self.inserts = self.inserts.wrapping_add(1);
            let size = policy::size_class(u64::from(bytes));
            let meta = self.policy.admit(self.policy.site(key), size);
            self.bytes += u64::from(bytes);
            self.slots
                .insert(Resident::new(key, bytes, due, self.inserts, meta));
            self.watch(key, now);
        }
        self.make_room(0, 0, now);
        self.policy.step();
        self.sweep();
    }

    pub(super) fn remove(&mut self, key: u64) {
        if let Some(at) = self.slots.find(key) {
            self.take_out(at);
        }
    }

    /// Keeps the keys that `keeps` says, under new bounds.
    pub(super) fn thin(&mut self, max: Size, keeps: impl Fn(u64) -> bool) {
        self.max = max;
        self.slots.retain(|slot| keeps(slot.key));
        self.bytes = self.slots.iter().map(|slot| u64::from(slot.bytes)).sum();
        self.candidates.clear();
        if self.policy.capacity() > 0 {
            self.fit_policy();
        }
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        self.slots.iter().map(|slot| slot.key)
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    #[cfg(test)]
    pub(super) fn validate(&self) {
        let sum: u64 = self.slots.iter().map(|slot| u64::from(slot.bytes)).sum();
        assert_eq!(self.bytes, sum, "M1");
        assert_eq!(self.slots.iter().count(), self.slots.len());
    }

    fn update(&mut self, at: usize, bytes: u32, due: u32) {
        let Some(slot) = self.slots.get_mut(at) else {
            return;
        };
        slot.due = due;
        if slot.bytes != bytes {
            self.bytes = self.bytes - u64::from(slot.bytes) + u64::from(bytes);
            slot.bytes = bytes;
            slot.set_meta(slot.meta().with_size(policy::size_class(u64::from(bytes))));
        }
    }

    fn touch(&mut self, at: usize) {
        let now = self.policy.tick();
        let Some(slot) = self.slots.get_mut(at) else {
            return;
        };
        let old = slot.meta();
        let spice = (slot.key >> 17) as u32 ^ now.bits().wrapping_mul(0x9E37_79B9) >> 7;
        if let Some(new) = policy::touch(old, now, spice) {
            slot.set_meta(new);
            self.policy.note_hit(Note::pack(old, now, slot.key));
        }
    }

    fn make_room(&mut self, bytes: u64, entries: u64, now: u32) {
        for _ in 0..EVICT_MAX {
            let is_over = self.bytes + bytes > self.max.bytes
                || self.slots.len() as u64 + entries > self.max.entries;
            if !is_over || !self.evict(now) {
                return;
            }
        }
    }

    /// Takes one resident out. False if there is none.
    fn evict(&mut self, now: u32) -> bool {
        let (len, capacity) = (self.slots.len(), self.policy.capacity());
        if capacity == 0 || len > 2 * capacity || 4 * len < capacity {
            self.fit_policy();
        }
        let mut oldest = None;
        for _ in 0..EMPTY_SAMPLES {
            if let Some(at) = self.choose(now, &mut oldest) {
                self.evict_at(at);
                self.sample(now);
                return true;
            }
            self.sample(now);
        }
        let any = || (0..self.slots.n_slots()).find(|&at| self.slots.get(at).is_some());
        let last = oldest
            .and_then(|(_, key)| self.slots.find(key))
            .or_else(any);
        last.inspect(|&at| self.evict_at(at)).is_some()
    }

    /// The lowest of the candidates that isn't in its grace. Those that are are forgotten, and the oldest of them told.
    fn choose(&mut self, now: u32, oldest: &mut Option<(u32, u64)>) -> Option<usize> {
        let grace = self.newcomers.grace();
        while !self.candidates.is_empty() {
            let Candidate { meta, key, .. } = self.candidates.remove(0);
            let Some(at) = self.slots.find(key) else {
                continue;
            };
            let Some(slot) = self.slots.get(at).filter(|slot| slot.meta() == meta) else {
                continue;
            };
            let age = self.inserts.wrapping_sub(slot.stamp);
            if age as usize > grace || slot.due <= now {
                return Some(at);
            }
            if oldest.is_none_or(|(oldest, _)| age > oldest) {
                *oldest = Some((age, key));
            }
        }
        None
    }

    /// A key has come: whose grace ends by that is a candidate, if it is still there.
    fn watch(&mut self, newcomer: u64, now: u32) {
        let oldest = self.newcomers.come(newcomer);
        let slot = oldest.and_then(|key| self.slots.get(self.slots.find(key)?));
        if let Some(slot) = slot.filter(|slot| slot.due > now) {
            let (meta, key) = (slot.meta(), slot.key);
            let rank = self.policy.ranker().rank_in_turn(meta);
            remember(&mut self.candidates, Candidate { rank, meta, key });
        }
    }

    fn fit_policy(&mut self) {
        self.policy.resize(self.slots.len());
        self.newcomers = Newcomers::for_entries(self.slots.len());
    }

    fn evict_at(&mut self, at: usize) {
        let gone = self.take_out(at);
        self.policy
            .evicted(self.policy.grave(gone.key), gone.meta());
        self.n_evicted += 1;
    }

    fn take_out(&mut self, at: usize) -> Resident {
        let gone = self.slots.remove(at);
        self.bytes -= u64::from(gone.bytes);
        gone
    }

    /// Looks at the next stretches of slots, and remembers the lowest in rank of each.
    fn sample(&mut self, now: u32) {
        let ranker = self.policy.ranker();
        let is_level = self.candidates.len() + 1 >= POOL
            && self.candidates.first().map(|first| first.rank)
                == self.candidates.last().map(|last| last.rank);
        let mut waiting = None;
        // While all candidates are alike, as in a scan, looking further would find more of the same.
        for _ in 0..if is_level { 1 } else { SAMPLES } {
            let stretch = self.sampled..self.sampled + SAMPLE_SLOTS;
            self.sampled = stretch.end % self.slots.n_slots();
            // Which one is told to wait depends on nothing that ranks it.
            let picked = stretch.start + self.inserts as usize % SAMPLE_SLOTS;
            waiting = self.slots.get(picked).map(Resident::meta).or(waiting);
            let lowest = stretch
                .filter_map(|at| self.slots.get(at))
                .map(|slot| {
                    let rank = ranker.rank(slot.meta()).unwrap_or(u32::MAX);
                    (if slot.due <= now { 0 } else { rank }, slot)
                })
                .min_by_key(|(rank, _)| *rank);
            let Some((rank, slot)) = lowest else { continue };
            if rank != u32::MAX {
                let (meta, key) = (slot.meta(), slot.key);
                remember(&mut self.candidates, Candidate { rank, meta, key });
            }
        }
        if let Some(meta) = waiting {
            self.policy.observe(meta);
        }
    }

    /// Pins old ticks before they look young again: all slots in four capacities of stores.
    fn sweep(&mut self) {
        let now = self.policy.tick();
        self.swept = (self.swept + 1) % self.slots.n_slots();
        if let Some(slot) = self.slots.get_mut(self.swept) {
            slot.set_meta(policy::restamp(slot.meta(), now));
        }
    }
}

fn remember(candidates: &mut Vec<Candidate>, new: Candidate) {
    candidates.retain(|known| known.key != new.key);
    let at = candidates.partition_point(|known| known.rank < new.rank);
    candidates.insert(at, new);
    candidates.truncate(POOL);
}
