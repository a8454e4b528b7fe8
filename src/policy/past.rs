//! What a policy knows, to be taken to another one: of each entry, and of all.
//!
//! # Idea         an entry's past is its class and its age in ticks, whatever the tick; what was learned is the learners' sums, added up.
//!   Entries that come back come with their past, and while they do the clock stands still, so that ages stay what they were. Ghosts and
//!   sketch are made of keys hashed by a key of this cache alone, and stay
//! # Costs        some 16 KiB for what was learned, once a cache
//! # Not here     where it is stored

use super::Policy;
use super::learn::{Learner, N_SUMS};
use super::meta::{Class, Meta, PIN_AGE, Tick};
use super::tuning::TICKS_PER_CAPACITY;
use crate::sync::Arc;

/// What is known of one entry: its class, and its age above that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Past(u16);

impl Past {
    const AGE_SHIFT: u32 = 7;

    /// From where its bits were stored.
    pub(crate) fn from_bits(bits: u16) -> Past {
        Past(bits)
    }

    /// The bits to store.
    pub(crate) fn bits(self) -> u16 {
        self.0
    }

    fn new(class: Class, age: u32) -> Past {
        Past((class.bits() | age << Self::AGE_SHIFT) as u16)
    }

    fn class(self) -> Class {
        Class::from_bits(u32::from(self.0))
    }

    fn age(self) -> u32 {
        u32::from(self.0 >> Self::AGE_SHIFT)
    }
}

/// What policies have learned, together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Learned {
    sums: Box<[f32]>,
    /// The entries that they are made for.
    capacity: u64,
}

impl Learned {
    /// Nothing.
    pub(crate) fn new() -> Learned {
        Learned {
            sums: vec![0.0; N_SUMS].into(),
            capacity: 0,
        }
    }

    /// From what was stored; `None` if it is of another number of classes or ages than are told apart here.
    pub(crate) fn from_parts(capacity: u64, sums: Vec<f32>) -> Option<Learned> {
        let sums: Box<[f32]> = sums.into();
        (sums.len() == N_SUMS).then_some(Learned { sums, capacity })
    }

    /// The entries that the policies were made for; 0 if nothing was learned.
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// What is to be stored.
    pub(crate) fn sums(&self) -> &[f32] {
        &self.sums
    }
}

/// What a policy that has learned nothing is to begin with.
#[derive(Debug)]
pub(super) struct Expected {
    learned: Arc<Learned>,
    /// The part of the sums that is this policy's.
    share: f32,
    /// Inserts a tick until there is a capacity.
    pub(super) period: u64,
}

impl Expected {
    pub(super) fn learner(&self) -> Learner {
        let sums: Vec<f32> = self
            .learned
            .sums
            .iter()
            .map(|sum| sum * self.share)
            .collect();
        Learner::from_sums(&sums)
    }
}

impl Policy {
    /// What is known of an entry with that metadata.
    pub(crate) fn past(&self, meta: Meta) -> Past {
        Past::new(meta.class(), meta.tick().age(self.tick()))
    }

    /// The insert of an entry with a past. The clock stands still, and nothing is learned.
    pub(crate) fn admit_again(&mut self, past: Past, size: u8) -> Meta {
        self.inserts += 1;
        let tick = match past.age() {
            PIN_AGE.. => Tick::OLDEST,
            age => self.tick().before(age),
        };
        Meta::new(tick, past.class(), size)
    }

    /// Adds what this policy has learned.
    pub(crate) fn add_learned(&self, to: &mut Learned) {
        let Some(known) = &self.known else { return };
        to.capacity += self.capacity as u64;
        for (sum, own) in to.sums.iter_mut().zip(known.learner.sums()) {
            *sum += own;
        }
    }

    /// Takes what others have learned for its own, if it is one of `n_policies` and knows nothing yet.
    pub(crate) fn expect(&mut self, learned: &Arc<Learned>, n_policies: usize) {
        if self.known.is_some() || learned.capacity == 0 {
            return;
        }
        let entries = learned.capacity / n_policies as u64;
        let period = (entries / TICKS_PER_CAPACITY).max(1);
        self.period = self.period.max(period);
        self.until_tick = self.until_tick.max(period);
        self.expected = Some(Box::new(Expected {
            learned: Arc::clone(learned),
            share: 1.0 / n_policies as f32,
            period,
        }));
    }
}
