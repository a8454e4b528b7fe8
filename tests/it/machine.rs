//! Drives a cache and the reference model side by side, and compares them after every operation.
//!
//! # Idea         lossless, with room for everything: cache and model agree exactly. Lossy, from the first small bound on: an
//!   entry may be missing, and the model is told so; what is there is what the model says
//! # Invariants   1 a value that is served is the key's last one, whole, not dead, with its version and time to live
//!   2 nothing alive is missing unless the machine is lossy; a missing one does not come back
//!   3 what the cache charges and counts is within its bounds
//!   4 the listener hears of each value once, with the right cause, per key in the order of versions
//!   5 a handle keeps its value; counters add up; a refused value comes back and changes nothing

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::{
    Builder, Cache, Capacity, Entry, InsertError, Key, KeyWriter, ManualClock, Nanos, Part,
    Refusal, RemovalCause,
};

use super::model::{End, Id, KEYS, Model, Op, State, Time};

/// What a cache of one run is built with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config {
    pub(crate) max_bytes: Option<u64>,
    pub(crate) max_entries: Option<u64>,
    pub(crate) stripes: usize,
    pub(crate) ttl: Option<Duration>,
    pub(crate) tti: Option<Duration>,
    pub(crate) listener: bool,
    /// Whether some of the keys are in scopes.
    pub(crate) scoped: bool,
}

/// What a test that sees the engine's inside adds to a run.
#[derive(Clone, Copy)]
pub(crate) struct Inside {
    /// Changes what the cache is built with.
    pub(crate) prepare: fn(Builder<[u8]>) -> Builder<[u8]>,
    /// Called after every operation.
    pub(crate) inspect: fn(&Cache<[u8]>),
}

/// A bound that all operations of a run together don't fill.
const PLENTY: u64 = 1 << 30;

impl Config {
    pub(crate) fn decode([bounds, stripes, times, flags]: [u8; 4]) -> Config {
        let (max_bytes, max_entries) = match bounds % 12 {
            0..=2 => (Some(PLENTY), None),
            3 => (None, Some(PLENTY)),
            4 => (Some(PLENTY), Some(PLENTY)),
            5 => (Some(20_000), None),
            6 => (Some(5_000), None),
            7 => (Some(200_000), None),
            8 => (None, Some(5)),
            9 => (None, Some(1)),
            10 => (Some(100_000), Some(10)),
            _ => (Some(1), Some(1)),
        };
        let seconds = |n: u8| (n > 0).then(|| Duration::from_secs(1 << (3 * n)));
        Config {
            max_bytes,
            max_entries,
            stripes: [1, 1, 2, 8][usize::from(stripes % 4)],
            ttl: seconds(times % 4),
            tti: seconds(times / 4 % 4),
            listener: flags & 1 == 1,
            scoped: flags & 2 == 2,
        }
    }

    fn is_plenty(&self) -> bool {
        [self.max_bytes, self.max_entries]
            .iter()
            .flatten()
            .all(|&max| max >= PLENTY)
    }
}

/// A key of the model as the cache sees it: the four ways to encode one, long ones included.
#[derive(Clone, Copy)]
pub(crate) struct ModelKey(pub u8);

const LONG: [u8; 300] = [b'x'; 300];

impl Key for ModelKey {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        match self.0 % 4 {
            0 => out.uint(u64::from(self.0)),
            1 => out.bytes(&[self.0]),
            2 => {
                out.bytes(b"pair");
                out.int(-i64::from(self.0));
            }
            _ => {
                out.bytes(&LONG);
                out.bytes(&[self.0]);
            }
        }
    }
}

fn parts_of(key: u8) -> Vec<Vec<u8>> {
    let part = |part: Part<'_>| part.to_string().into_bytes();
    match key % 4 {
        0 => vec![part(Part::Uint(u128::from(key)))],
        1 => vec![vec![key]],
        2 => vec![b"pair".to_vec(), part(Part::Int(-i128::from(key)))],
        _ => vec![LONG.to_vec(), vec![key]],
    }
}

fn read_parts(parts: larder::KeyParts<'_>) -> Vec<Vec<u8>> {
    parts
        .map(|part| match part {
            Part::Bytes(bytes) => bytes.to_vec(),
            number => number.to_string().into_bytes(),
        })
        .collect()
}

/// The keys of one place: the cache itself, a scope, and a scope in it.
const KEYS_A_PLACE: u8 = KEYS / 3;

/// An expression of the view that a key is in.
macro_rules! on {
    ($machine:expr, $key:expr, $view:ident => $body:expr) => {{
        let cache = &$machine.cache;
        match $machine.place_of($key) {
            0 => {
                let $view = cache;
                $body
            }
            1 => {
                let $view = &cache.scope("outer").unwrap();
                $body
            }
            _ => {
                let $view = &cache.scope("outer").unwrap().scope("inner").unwrap();
                $body
            }
        }
    }};
}

/// What the listener noted: the value's number and why it left.
type Heard = Arc<Mutex<Vec<(Id, RemovalCause)>>>;

/// A cache and its model.
pub(crate) struct Machine {
    cache: Cache<[u8]>,
    clock: ManualClock,
    config: Config,
    model: Model,
    lossy: bool,
    /// The bounds were changed.
    resized: bool,
    heard: Heard,
    /// What was heard of each value.
    left: BTreeMap<u32, RemovalCause>,
    held: Vec<(Entry<[u8]>, Id)>,
    inside: Inside,
}

fn id_of(value: &[u8]) -> Id {
    Id(u32::from_le_bytes(
        *value
            .last_chunk()
            .expect("every value of a machine ends with its number"),
    ))
}

impl Machine {
    fn new(config: Config, inside: Inside) -> Machine {
        let clock = ManualClock::new();
        let heard = Heard::default();
        let mut builder = Cache::builder()
            .stripes(config.stripes)
            .clock(clock.clone())
            .hash_seeds([1, 2, 3, 4]);
        if let Some(max) = config.max_bytes {
            builder = builder.max_bytes(max);
        }
        if let Some(max) = config.max_entries {
            builder = builder.max_entries(max);
        }
        if let Some(ttl) = config.ttl {
            builder = builder.default_ttl(ttl);
        }
        if let Some(tti) = config.tti {
            builder = builder.time_to_idle(tti);
        }
        if config.listener {
            let ear = Arc::clone(&heard);
            builder = builder.listener(move |key, value: Entry<[u8]>, cause| {
                assert_eq!(read_parts(key), read_parts(value.key()));
                ear.lock().unwrap().push((id_of(&value), cause));
            });
        }
        let cache = (inside.prepare)(builder).build().unwrap();
        let model = Model {
            tti: config.tti,
            ..Model::default()
        };
        let lossy = !config.is_plenty();
        Machine {
            cache,
            clock,
            config,
            model,
            lossy,
            resized: false,
            heard,
            left: BTreeMap::new(),
            held: Vec::new(),
            inside,
        }
    }

    /// A whole run.
    pub(crate) fn run(config: Config, ops: impl IntoIterator<Item = Op>, inside: Inside) {
        let mut machine = Machine::new(config, inside);
        for op in ops {
            machine.step(op);
        }
        machine.finish();
    }

    /// Where a key is: in the cache itself (0), in a scope, or in a scope in that.
    fn place_of(&self, key: u8) -> u8 {
        if self.config.scoped {
            key / KEYS_A_PLACE
        } else {
            0
        }
    }

    /// Does one operation on both sides.
    fn step(&mut self, op: Op) {
        match op {
            Op::Get(_)
            | Op::Peek(_)
            | Op::Read(_)
            | Op::GetMany(_)
            | Op::Contains(_)
            | Op::Ttl(_)
            | Op::Lookup(_)
            | Op::Hold(_)
            | Op::ReadAndRemove(_) => self.look(op),
            Op::Iterate => self.iterate(),
            Op::IterateAmid(key) => self.iterate_amid(key),
            Op::IterateScope(key) => self.iterate_scope(key),
            Op::Retain(class) => self.retain(class),
            Op::Clear => self.clear(),
            Op::ClearScope(key) => self.clear_scope(key),
            Op::Invalidate(key) => self.invalidate(key),
            Op::SetCapacity(bound) => self.set_capacity(bound),
            Op::Maintain(budget) => {
                self.cache.maintain(budget);
            }
            Op::Advance(by) => self.advance_to(super::model::after(self.model.now, Some(by))),
            Op::AdvanceToDeadline(key, off) => {
                if let Some(&id) = self.model.present.get(&key) {
                    let (_, deadline) = self.model.deadlines(id);
                    self.advance_to(deadline.saturating_add_signed(off));
                }
            }
            Op::AdvanceToEdge(level, off) => {
                let slot = 1 << (20 + 6 * level);
                let edge = (self.model.now / slot + 1) * slot;
                self.advance_to(edge.saturating_add_signed(off));
            }
            Op::SetBack(by) => {
                let back = Time::try_from(by.as_nanos()).unwrap_or(Time::MAX);
                self.clock.set(Nanos(self.model.now.saturating_sub(back)));
            }
            _ => self.write(op),
        }
        self.check_whole(op);
        (self.inside.inspect)(&self.cache);
    }

    /// Moves the clock forward; what is beyond counting is left out.
    fn advance_to(&mut self, time: Time) {
        if time < 1 << 62 {
            self.model.now = self.model.now.max(time);
            self.clock.set(Nanos(self.model.now));
        }
    }

    /// Ends the run: takes everything out, and checks that every value was accounted for.
    fn finish(mut self) {
        self.clear();
        self.maintain_fully();
        assert_eq!(self.cache.len(), 0);
        self.check_whole(Op::Clear);
        self.check_held();
        (self.inside.inspect)(&self.cache);
        if self.config.listener {
            for (id, life) in self.model.lives.iter().enumerate() {
                let cause = self
                    .left
                    .get(&(id as u32))
                    .unwrap_or_else(|| panic!("nobody heard of {id}: {life:?}"));
                let expected = match life.end.expect("everything has left") {
                    End::Replaced => *cause == RemovalCause::Replaced,
                    End::Removed => *cause == RemovalCause::Removed,
                    End::Cleared => {
                        matches!(cause, RemovalCause::Invalidated | RemovalCause::Expired)
                    }
                    End::Unreachable => match cause {
                        RemovalCause::Invalidated | RemovalCause::Expired => true,
                        RemovalCause::Evicted => self.lossy,
                        _ => false,
                    },
                    End::Lost => match cause {
                        RemovalCause::Evicted | RemovalCause::Expired => true,
                        RemovalCause::Invalidated => life.is_swept,
                        _ => false,
                    },
                };
                assert!(expected, "{id} left by {cause:?}: {life:?}");
            }
        }
    }

    fn maintain_fully(&self) {
        for _ in 0..100_000 {
            if !self.cache.maintain(256).more {
                return;
            }
        }
        panic!("maintenance does not end");
    }
}

#[path = "machine/checks.rs"]
mod checks;
#[path = "machine/looks.rs"]
mod looks;
#[path = "machine/many.rs"]
mod many;
#[path = "machine/writes.rs"]
mod writes;
