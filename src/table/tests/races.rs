//! A reader whose way to an entry is changed while it goes: at the moment of a naming, or wherever a schedule lets a writer in.

use std::cell::Cell;

use super::*;
use crate::reclaim::{Name, Namer};
use crate::sync::atomic::AtomicBool;
use crate::sync::counted::asked_by;
use crate::sync::{Mutex, schedule};

type Act<'a> = Box<dyn FnOnce() + 'a>;
type Change = fn(&mut Garden, (u64, u64));

/// Names nothing, but lets a writer in when something is to be named.
#[derive(Default)]
struct Intruder<'a> {
    at_segment: Cell<Option<Act<'a>>>,
    at_entry: Cell<Option<Act<'a>>>,
}

impl<'a> Name for Intruder<'a> {
    type Namer<'n>
        = &'n Intruder<'a>
    where
        Self: 'n;

    fn namer(&self) -> &Intruder<'a> {
        self
    }
}

// SAFETY: the tests free nothing before the look is over.
unsafe impl Namer for &Intruder<'_> {
    fn name_segment<T>(self, _: *mut T) {
        if let Some(act) = self.at_segment.take() {
            act();
        }
    }

    fn name_entry<T>(self, _: *mut T) {
        if let Some(act) = self.at_entry.take() {
            act();
        }
    }
}

/// A garden whose only segment grows for the next key like the one that is given, which is there.
fn about_to_grow() -> (Garden, (u64, u64)) {
    let mut garden = Garden::new(0);
    let key = (0x41, 0);
    for number in 0..SLOTS as u64 {
        garden.insert((key.0, number), number).expect("room");
    }
    (garden, key)
}

/// Ways to look for a key, which tell whether they came to an end.
type Look = fn(&Shared, KeyHash, &Probe<'_>, Intruder<'_>) -> bool;
const LOOKS: [Look; 2] = [
    |shared, hash, probe, mut intruder| shared.find(&mut intruder, hash, probe).is_ok(),
    |shared, hash, probe, intruder| {
        !matches!(shared.glance(intruder, hash, probe), Glance::Unclear(_))
    },
];

/// Whether a look for a key is told to begin anew, if that happens when something is named.
fn is_raced(look: Look, shared: &Shared, key: (u64, u64), intruder: Intruder<'_>) -> bool {
    let bytes = encode(key);
    let (hash, probe) = (KeyHash::from_bits(key.0), Probe::new(None, 3, &bytes));
    !look(shared, hash, &probe, intruder)
}

#[test]
fn f05_f08_who_named_what_was_replaced_meanwhile_looks_again() {
    let changes: [Change; 4] = [
        |garden, key| garden.insert(key, 9).expect("it is replaced"),
        |garden, key| garden.insert((key.0, 100), 9).expect("it grows"),
        |garden, key| garden.remove(key),
        |garden, key| {
            let (hash, bytes) = (KeyHash::from_bits(key.0), encode(key));
            let mut writer = garden.writer();
            let loc = writer.find(hash, &Probe::new(None, 3, &bytes));
            writer.set_meta(loc.expect("it is there"), 5);
        },
    ];
    for (n, look) in (0..changes.len()).flat_map(|n| LOOKS.map(|look| (n, look))) {
        let change = changes[n];
        let (mut garden, key) = about_to_grow();
        let shared = Arc::clone(&garden.shared);
        let is_raced = |intruder| is_raced(look, &shared, key, intruder);
        assert!(!is_raced(Intruder::default()), "nobody came between");
        let intruder = Intruder::default();
        let garden_here = &mut garden;
        intruder
            .at_entry
            .set(Some(Box::new(move || change(garden_here, key))));
        assert!(is_raced(intruder), "change {n}");
        if n == 3 {
            garden.remove(key);
        }
    }
}

#[test]
fn f05_f08_who_named_a_segment_that_left_looks_again() {
    let (mut garden, key) = about_to_grow();
    let shared = Arc::clone(&garden.shared);
    let looks = LOOKS
        .iter()
        .flat_map(|look| [key, (0x81, 1)].map(|key| (look, key)));
    for (n, (look, key)) in looks.enumerate() {
        let intruder = Intruder::default();
        let garden = &mut garden;
        intruder.at_segment.set(Some(Box::new(move || {
            let n_before = garden.retired.len();
            let mut number = 100 * (n as u64 + 1);
            while garden.retired.len() == n_before {
                garden.insert((0x41, number), 1).expect("room");
                number += 1;
            }
        })));
        assert!(is_raced(*look, &shared, key, intruder), "{key:?}");
    }
}

/// A reader that has loaded a directory, and then stood still until it had a successor.
#[test]
fn f08_by_a_closed_root_nothing_is_looked_at() {
    let mut garden = Garden::new(0);
    let mut random = 3;
    let old = Shared {
        directory: AtomicPtr::new(garden.shared.directory.load(Ordering::Acquire)),
        skip_bits: 0,
    };
    let before = garden.shared.way(KeyHash::from_bits(7));
    assert!(before.is_current() && !before.is_closed());
    let (root, index, tagged) = (ptr::from_ref(before.root), before.index, before.tagged);
    while garden.segments().len() < 2 {
        garden.insert((next(&mut random), 0), 1).expect("room");
    }
    // SAFETY: directories live as long as the table (T5).
    let root = unsafe { &*root };
    let before = Way {
        root,
        index,
        tagged,
    };
    assert!(!before.is_current() && old.way(KeyHash::from_bits(7)).is_closed());
    let keys: Vec<(u64, u64)> = garden.model.keys().copied().collect();
    for key in keys {
        for look in LOOKS {
            assert!(is_raced(look, &old, key, Intruder::default()));
        }
        let mut hazard = garden.domain.register().hazard(0);
        let asked = asked_by(|| old.prefetch_entry(&mut hazard, KeyHash::from_bits(key.0)));
        assert_eq!(asked, [0; 0]);
    }
}

/// A full segment, the first of its entries that a split moves, and a reader that looks for it all the time.
#[test]
fn f05_a_key_is_not_missed_while_a_split_moves_it() {
    let mut n_switches = 0;
    for seed in 0..if cfg!(miri) { 2 } else { 40 } {
        let mut garden = Garden::new(0);
        let (mut random, mut number) = (seed + 1, 0);
        let grown = loop {
            number += 1;
            let key = (next(&mut random), number);
            let writer = garden.writer();
            let hash = KeyHash::from_bits(key.0);
            let (_, mask) = writer.segment_of(hash);
            if mask + 1 == N_BUCKETS && writer.growth_bytes(hash) > 0 {
                break hash;
            }
            garden.insert(key, number).expect("room");
        };
        let mut moved = None;
        let writer = garden.writer();
        let (segment, mask) = writer.segment_of(grown);
        for index in 0..=mask {
            writer.visit(segment, index, |loc, _| {
                let key = key_of(writer.block(loc).expect("just seen"));
                moved = moved.or((key.0 >> 63 == 1).then_some(key));
            });
        }
        let key = moved.expect("half of them move");
        let (shared, value) = (Arc::clone(&garden.shared), garden.model[&key]);
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let kept = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&kept);
        let split = move || {
            let Garden {
                table,
                shared,
                retired,
                ..
            } = &mut garden;
            table.writer(shared).grow(grown, hash_of, retired);
            told.store(true, Ordering::Relaxed);
            assert_eq!(garden.segments().len(), 2);
            *keep.lock() = Some(garden);
        };
        let look = move || {
            let domain = Domain::new();
            let (hash, bytes) = (KeyHash::from_bits(key.0), encode(key));
            while !is_over.load(Ordering::Relaxed) {
                let mut hazard = domain.register().hazard(0);
                let probe = Probe::new(None, 3, &bytes);
                if let Ok(found) = shared.look(&mut hazard, hash, &probe) {
                    let found = found.expect("it is there all the time");
                    assert_eq!(value_of(found.block), value);
                }
            }
        };
        n_switches += schedule::run(seed, None, vec![Box::new(split), Box::new(look)]);
        kept.lock().take().expect("it was split").validate();
    }
    assert!(n_switches > 100);
}
