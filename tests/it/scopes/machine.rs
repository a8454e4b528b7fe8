//! Random operations on a small tree of scopes, beside a map that says what must be there.
//!
//! What is compared after each step:
//! 1. an answer is the model's: the value of the key in that scope, or none; never one of a life that was ended;
//! 2. views that are held, that are asked for anew, and that another thread asks for, answer alike;
//! 3. `iter` yields each entry of its scope once, and the cache's own those of all scopes;
//! 4. a scope's `len` is that of the map, but for entries that are due; the cache's, but for what waits to be swept;
//! 5. after maintenance has ended, nothing is unreachable, and nothing is there that isn't in the map;
//! 6. the listener hears of each value once, with a cause that the model allows.
//!
//! A small cache may lose entries; what it answers is right all the same.

mod checks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::{Cache, Entry, ManualClock, RemovalCause};
use proptest::collection::vec;
use proptest::prelude::*;

use self::checks::End;
use super::tree::{KEYS, N_SPACES, ROOT, View, is_within, on, resolve};
use crate::tools::maintain_fully;

/// What a run is built with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Config {
    pub(super) stripes: usize,
    pub(super) max_entries: u64,
    pub(super) has_listener: bool,
}

/// A space and a key.
type At = (usize, usize);

#[derive(Debug, Clone, Copy)]
struct Item {
    number: u32,
    /// `None`: it lives for ever.
    deadline: Option<Duration>,
}

/// Why a value may have left, where that is settled.
type Fate = Option<Vec<RemovalCause>>;

/// What was heard of values: number and cause.
type Heard = Arc<Mutex<Vec<(u32, RemovalCause)>>>;

pub(super) struct Machine {
    cache: Cache<[u8]>,
    clock: ManualClock,
    heard: Heard,
    config: Config,
    now: Duration,
    items: BTreeMap<At, Item>,
    fates: Vec<Fate>,
    held: BTreeMap<usize, View>,
    /// Values that are gone for everybody, and perhaps still linked.
    n_unswept: usize,
    is_lossy: bool,
}

/// How a view is come by.
#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    Anew,
    /// Once asked for, and kept since.
    Held,
    Elsewhere,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    Insert(usize, Option<Duration>),
    Get,
    Look,
    GetMany,
    Remove,
    RemoveIf(bool),
    SetTtl(Option<Duration>),
    Invalidate,
    Forget,
    Iterate,
    Retain(u32),
    Clear,
    Maintain(usize),
    MaintainFully,
    Advance(Duration),
}

/// Sums of these are never within a few milliseconds of a time to live, so that the wheel's grain doesn't show.
const SPANS: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(1007),
    Duration::from_millis(10_007),
];
const TTLS: [Option<Duration>; 4] = [
    None,
    None,
    Some(Duration::from_secs(1)),
    Some(Duration::from_secs(10)),
];
const LENGTHS: [usize; 4] = [4, 30, 30, 300];

fn any_op() -> impl Strategy<Value = Op> {
    let ttl = || (0..TTLS.len()).prop_map(|at| TTLS[at]);
    prop_oneof![
        8 => ((0..LENGTHS.len()), ttl()).prop_map(|(at, ttl)| Op::Insert(LENGTHS[at], ttl)),
        3 => Just(Op::Get),
        2 => Just(Op::Look),
        1 => Just(Op::GetMany),
        2 => Just(Op::Remove),
        1 => any::<bool>().prop_map(Op::RemoveIf),
        1 => ttl().prop_map(Op::SetTtl),
        3 => Just(Op::Invalidate),
        1 => Just(Op::Forget),
        2 => Just(Op::Iterate),
        1 => (0_u32..3).prop_map(Op::Retain),
        1 => Just(Op::Clear),
        2 => (0_usize..20).prop_map(Op::Maintain),
        1 => Just(Op::MaintainFully),
        1 => (0..SPANS.len()).prop_map(|at| Op::Advance(SPANS[at])),
    ]
}

/// Where an operation is done, and through which view. Spaces near each other are drawn, so that operations meet.
pub(super) type Step = (usize, How, usize, Op);

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let how = prop_oneof![8 => Just(How::Anew), 8 => Just(How::Held), 1 => Just(How::Elsewhere)];
    let space = prop_oneof![3 => 0..N_SPACES, 2 => 1_usize..7];
    vec((space, how, 0..KEYS.len(), any_op()), 1..150)
}

fn number_of(value: &[u8]) -> u32 {
    u32::from_le_bytes(*value.first_chunk().unwrap())
}

impl Machine {
    fn new(config: Config) -> Self {
        let (clock, heard) = (ManualClock::new(), Heard::default());
        let mut builder = Cache::builder()
            .max_entries(config.max_entries)
            .stripes(config.stripes)
            .hash_seeds([5, 6, 7, 8])
            .clock(clock.clone());
        if config.has_listener {
            let ear = Arc::clone(&heard);
            builder = builder.listener(move |_, value: Entry<[u8]>, cause| {
                ear.lock().unwrap().push((number_of(&value), cause));
            });
        }
        Self {
            cache: builder.build().unwrap(),
            clock,
            heard,
            config,
            now: Duration::ZERO,
            items: BTreeMap::new(),
            fates: Vec::new(),
            held: BTreeMap::new(),
            n_unswept: 0,
            is_lossy: config.max_entries < (N_SPACES * KEYS.len()) as u64 * 10,
        }
    }

    pub(super) fn run(config: Config, steps: Vec<Step>) {
        let mut machine = Self::new(config);
        for (space, how, key, op) in steps {
            machine.step(space, how, key, op);
            machine.check(space);
        }
        machine.finish();
    }

    fn view(&mut self, space: usize, how: How) -> View {
        let cache = &self.cache;
        match how {
            How::Anew => resolve(cache, space),
            How::Held => self
                .held
                .entry(space)
                .or_insert_with(|| resolve(cache, space))
                .clone(),
            How::Elsewhere => std::thread::scope(|threads| {
                threads.spawn(|| resolve(cache, space)).join().unwrap()
            }),
        }
    }

    fn step(&mut self, space: usize, how: How, key: usize, op: Op) {
        let view = self.view(space, how);
        let at = (space, key);
        match op {
            Op::Insert(len, ttl) => self.insert(&view, at, len, ttl),
            Op::Get => {
                let found = on!(&view, view => view.get(KEYS[key]));
                self.check_found(at, found.as_ref());
            }
            Op::Look => {
                let read = on!(&view, view => view.read(KEYS[key], number_of));
                let peeked = on!(&view, view => view.peek(KEYS[key]));
                let (contains, ttl) =
                    on!(&view, view => (view.contains_key(KEYS[key]), view.ttl(KEYS[key])));
                assert_eq!(read, peeked.as_ref().map(|entry| number_of(entry)));
                assert_eq!((contains, ttl.is_some()), (read.is_some(), read.is_some()));
                self.check_found(at, peeked.as_ref());
            }
            Op::GetMany => {
                let found = on!(&view, view => view.get_many(&KEYS));
                for (key, found) in found.iter().enumerate() {
                    self.check_found((space, key), found.as_ref());
                }
            }
            Op::Remove => {
                let removed = on!(&view, view => view.remove(KEYS[key]));
                self.check_found(at, removed.as_ref());
                self.removed(at, removed.is_some());
            }
            Op::RemoveIf(odd) => {
                let is_it = |entry: &Entry<[u8]>| (number_of(entry) % 2 == 1) == odd;
                let removed = on!(&view, view => view.remove_if(KEYS[key], is_it));
                let expected = self.alive(at).filter(|item| (item.number % 2 == 1) == odd);
                assert!(removed.is_none() || expected.is_some());
                assert!(self.is_lossy || removed.is_some() == expected.is_some());
                self.removed(at, removed.is_some());
            }
            Op::SetTtl(ttl) => {
                let found = on!(&view, view => view.set_ttl(KEYS[key], ttl).unwrap());
                self.check_presence(at, found);
                if found {
                    let deadline = ttl.map(|ttl| self.now + ttl);
                    self.items.get_mut(&at).unwrap().deadline = deadline;
                }
            }
            Op::Invalidate => self.invalidate(&view, space),
            Op::Forget => drop(self.held.remove(&space)),
            Op::Iterate => self.check_iter(&view, space),
            Op::Retain(class) => self.retain(&view, space, class),
            Op::Clear => {
                on!(&view, view => view.clear());
                self.end_within(space, space == ROOT, End::Cleared);
            }
            Op::Maintain(budget) => drop(self.cache.maintain(budget)),
            Op::MaintainFully => self.maintain_fully(),
            Op::Advance(by) => {
                self.now += by;
                self.clock.advance(by);
            }
        }
    }

    /// Ends the run: all scopes are ended, the rest is cleared, and nothing may be left.
    fn finish(mut self) {
        self.maintain_fully();
        for space in 1..N_SPACES {
            self.check_iter(&resolve(&self.cache, space), space);
            let view = self.view(space, How::Held);
            self.invalidate(&view, space);
        }
        self.held.clear();
        self.cache.clear();
        self.end_within(ROOT, true, End::Cleared);
        self.maintain_fully();
        let stats = self.cache.stats();
        assert_eq!(
            (self.cache.len(), stats.live_entries, stats.live_bytes),
            (0, 0, 0)
        );
        assert_eq!((stats.unreachable_bytes, stats.garbage_bytes), (0, 0));
        assert_eq!(stats.inserted, self.fates.len() as u64);
        if self.config.has_listener {
            let heard = self.heard.lock().unwrap();
            assert_eq!(heard.len(), self.fates.len(), "each value once");
            for &(number, cause) in heard.iter() {
                let fate = self.fates[number as usize].take();
                let allowed = fate.unwrap_or_else(|| panic!("{number} was told twice"));
                let is_lost = self.is_lossy && cause == RemovalCause::Evicted;
                assert!(
                    allowed.contains(&cause) || is_lost,
                    "{number}: {cause:?}, not {allowed:?}"
                );
            }
        }
    }
}
