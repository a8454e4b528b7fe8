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
    Cache, Capacity, Entry, InsertError, Key, KeyWriter, ManualClock, Nanos, Part, Refusal,
    RemovalCause,
};

use super::model::{End, Id, Model, Op, State, Time};

/// What a cache of one run is built with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config {
    pub(crate) max_bytes: Option<u64>,
    pub(crate) max_entries: Option<u64>,
    pub(crate) stripes: usize,
    pub(crate) ttl: Option<Duration>,
    pub(crate) tti: Option<Duration>,
    pub(crate) listener: bool,
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
}

fn id_of(value: &[u8]) -> Id {
    Id(u32::from_le_bytes(
        *value
            .first_chunk()
            .expect("every value of a machine opens with its number"),
    ))
}

impl Machine {
    fn new(config: Config) -> Machine {
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
        let cache = builder.build().unwrap();
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
        }
    }

    /// A whole run.
    pub(crate) fn run(config: Config, ops: impl IntoIterator<Item = Op>) {
        let mut machine = Machine::new(config);
        for op in ops {
            machine.step(op);
        }
        machine.finish();
    }

    /// Does one operation on both sides.
    fn step(&mut self, op: Op) {
        match op {
            Op::Get(key) => self.check_found(key, self.cache.get(ModelKey(key)), true),
            Op::Peek(key) => self.check_found(key, self.cache.peek(ModelKey(key)), false),
            Op::Read(key) => {
                let read = self.cache.read(ModelKey(key), <[u8]>::to_vec);
                self.check_bytes(key, read.as_deref());
                if read.is_some() {
                    self.model.touch(key);
                }
            }
            Op::GetMany(key) => {
                let keys: Vec<_> = (0..40)
                    .map(|i| ModelKey((key + i) % super::model::KEYS))
                    .collect();
                let found = self.cache.get_many(&keys);
                assert_eq!(found.len(), keys.len());
                for (key, entry) in keys.into_iter().zip(found) {
                    self.check_found(key.0, entry, true);
                }
            }
            Op::Contains(key) => {
                let contains = self.cache.contains_key(ModelKey(key));
                self.check_presence(key, contains);
            }
            Op::Ttl(key) => self.ttl(key),
            Op::Insert(key, len) => {
                let (id, bytes) = self.model.draft(key, len);
                let answer = self.cache.insert(ModelKey(key), bytes.clone());
                self.check_insert(key, id, bytes, self.config.ttl, answer);
            }
            Op::InsertWithTtl(key, len, ttl) => {
                let (id, bytes) = self.model.draft(key, len);
                let answer = self
                    .cache
                    .insert_with_ttl(ModelKey(key), bytes.clone(), ttl);
                self.check_insert(key, id, bytes, Some(ttl), answer);
            }
            Op::Remove(key) => {
                let removed = self.cache.remove(ModelKey(key));
                self.check_removed(key, removed);
            }
            Op::RemoveIf(key, odd) => self.remove_if(key, odd),
            Op::SetTtl(key, ttl) => match self.cache.set_ttl(ModelKey(key), ttl) {
                Ok(found) => {
                    assert_ne!(ttl, Some(Duration::ZERO));
                    self.check_presence(key, found);
                    if found {
                        self.model.set_ttl(key, ttl);
                    }
                }
                Err(_) => assert_eq!(ttl, Some(Duration::ZERO)),
            },
            Op::Iterate => self.iterate(),
            Op::Retain(class) => self.retain(class),
            Op::Clear => self.clear(),
            Op::SetCapacity(bound) => self.set_capacity(bound),
            Op::Maintain(budget) => {
                self.cache.maintain(budget);
            }
            Op::Advance(by) => {
                self.model.now = super::model::after(self.model.now, Some(by)).min(1 << 62);
                self.clock.set(Nanos(self.model.now));
            }
            Op::SetBack(by) => {
                let back = Time::try_from(by.as_nanos()).unwrap_or(Time::MAX);
                self.clock.set(Nanos(self.model.now.saturating_sub(back)));
            }
            Op::Hold(key) => {
                let entry = self.cache.peek(ModelKey(key));
                if let Some(entry) = &entry {
                    self.held.truncate(3);
                    self.held.insert(0, (entry.clone(), id_of(entry)));
                }
                self.check_found(key, entry, false);
            }
            Op::ReadAndRemove(key) => {
                let mut removed = None;
                let cache = &self.cache;
                let read = cache.read(ModelKey(key), |value| {
                    let before = value.to_vec();
                    removed = cache.remove(ModelKey(key)).map(|entry| entry.to_vec());
                    cache.maintain(0);
                    assert_eq!(before, value);
                    before
                });
                assert_eq!(read, removed);
                self.check_bytes(key, read.as_deref());
                if read.is_some() {
                    self.model.end(key, End::Removed);
                }
            }
        }
        self.check_whole(op);
    }

    /// Ends the run: takes everything out, and checks that every value was accounted for.
    fn finish(mut self) {
        self.clear();
        self.maintain_fully();
        assert_eq!(self.cache.len(), 0);
        self.check_whole(Op::Clear);
        self.check_held();
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
                    End::Lost => matches!(cause, RemovalCause::Evicted | RemovalCause::Expired),
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
