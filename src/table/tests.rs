mod growth;
mod looks;
mod races;
mod validate;
mod walks;

use std::collections::HashMap;

use super::owned::counts_bytes;
use super::*;
use crate::entry::{Block, BlockRef, Draft, Parts, Plan, Probe, Releaser};
use crate::reclaim::Domain;
use crate::sync::Arc;

/// A table whose keys are chosen by their hashes: a key is its hash and a number that tells it from others of that
/// hash. What it should hold is kept beside it.
struct Garden {
    shared: Arc<Shared>,
    table: Table,
    model: HashMap<(u64, u64), u64>,
    left: Vec<Block>,
    retired: Vec<RetiredSegment>,
    n_freed: u64,
    domain: Domain,
    releaser: Releaser,
}

fn hash_of(block: BlockRef<'_>) -> KeyHash {
    KeyHash::from_bits(key_of(block).0)
}

fn key_of(block: BlockRef<'_>) -> (u64, u64) {
    let (hash, number) = block.key_bytes().split_at(8);
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("two words"));
    (word(hash), word(number))
}

fn encode((hash, number): (u64, u64)) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&hash.to_le_bytes());
    key[8..].copy_from_slice(&number.to_le_bytes());
    key
}

fn value_of(block: BlockRef<'_>) -> u64 {
    // SAFETY: a garden's blocks are drafted for `u64`.
    *unsafe { block.value::<u64>() }
}

impl Garden {
    fn new(skip_bits: u32) -> Garden {
        let (shared, table) = Table::new(skip_bits);
        // SAFETY: a garden's blocks are drafted for `u64`.
        let releaser = unsafe { Releaser::new::<u64>() };
        let (model, left, retired) = Default::default();
        Garden {
            shared: Arc::new(shared),
            table,
            model,
            left,
            retired,
            n_freed: 0,
            domain: Domain::new(),
            releaser,
        }
    }

    fn writer(&mut self) -> Writer<'_> {
        self.table.writer(&self.shared)
    }

    /// A block of a key.
    fn block(key: (u64, u64), value: u64) -> Block {
        let bytes = encode(key);
        let parts = Parts::plain(Probe::new(None, 3, &bytes));
        let plan = Plan::<u64>::new(parts, 1).expect("eight bytes fit");
        let Ok((draft, ())) = Draft::new::<u64, u64>(plan, None, value) else {
            panic!("there is memory")
        };
        draft.into_block()
    }

    /// Links or replaces as the stripe does: where the key belongs if a slot is free there, else after room is made.
    fn insert(&mut self, key: (u64, u64), value: u64) -> Result<(), Crowded> {
        let bytes = encode(key);
        let hash = KeyHash::from_bits(key.0);
        let (block, meta) = (Garden::block(key, value), value as u32 & 0xf_ffff);
        let mut writer = self.table.writer(&self.shared);
        let probe = Probe::new(None, 3, &bytes);
        let (present, vacancy) = writer.seek(hash, || probe);
        assert_eq!(present, writer.find(hash, &probe));
        if let Some(loc) = present {
            self.left.push(writer.replace(loc, block, meta));
        } else if let Some(vacancy) = vacancy {
            let Ok(loc) = writer.link_at(vacancy, hash, block, meta) else {
                panic!("nothing has changed since the look");
            };
            assert_eq!(writer.find(hash, &probe), Some(loc));
        } else {
            let before = writer.table.bytes();
            let growth = writer.growth_bytes(hash);
            if growth > 0 {
                let (depth, n_retired) = (self.shared.directory().depth, self.retired.len());
                writer.grow(hash, hash_of, &mut self.retired);
                let retired: u64 = self.retired[n_retired..].iter().map(|of| of.bytes()).sum();
                // What a directory's counts replace is given back at once.
                let given_back = if self.shared.directory().depth > depth {
                    counts_bytes(depth)
                } else {
                    0
                };
                assert_eq!(
                    writer.table.bytes() + retired + given_back,
                    before + growth,
                    "growth takes what was said"
                );
            }
            let loc = writer.link(hash, block, meta)?;
            assert_eq!(writer.find(hash, &probe), Some(loc));
        }
        self.model.insert(key, value);
        Ok(())
    }

    fn remove(&mut self, key: (u64, u64)) {
        let hash = KeyHash::from_bits(key.0);
        let mut writer = self.table.writer(&self.shared);
        let loc = writer.find(hash, &Probe::new(None, 3, &encode(key)));
        assert_eq!(loc.is_some(), self.model.remove(&key).is_some(), "{key:?}");
        if let Some(loc) = loc {
            self.left.push(writer.unlink(loc, hash));
        }
    }

    fn shrink(&mut self, hash: u64) -> bool {
        self.table
            .writer(&self.shared)
            .shrink(KeyHash::from_bits(hash), hash_of, &mut self.retired)
    }

    fn segments(&self) -> Vec<(usize, *mut Segment)> {
        validate::segments(&self.shared)
    }

    /// What holds for every table, and that it holds what the model does.
    fn validate(&mut self) {
        let model = &self.model;
        let mut n_entries = 0;
        self.table.validate(&self.shared, &hash_of, |block, meta| {
            let value = model
                .get(&key_of(block))
                .expect("what is linked was inserted");
            assert_eq!((value_of(block), meta), (*value, *value as u32 & 0xf_ffff));
            n_entries += 1;
        });
        assert_eq!((self.table.len(), n_entries), (model.len(), model.len()));
        self.free();
        assert_eq!(self.table.retirements(), self.n_freed);
    }

    /// Every key of the model is found by readers and by the writer; the others aren't.
    fn look_for(&mut self, keys: impl Iterator<Item = (u64, u64)>) {
        let record = self.domain.register();
        for key in keys {
            let bytes = encode(key);
            let hash = KeyHash::from_bits(key.0);
            let mut hazard = record.hazard(1);
            let probe = Probe::new(None, 3, &bytes);
            for find in [Shared::find, Shared::look] {
                let found = find(&self.shared, &mut hazard, hash, &probe).expect("nobody writes");
                assert_eq!(
                    found.map(|found| value_of(found.block)),
                    self.model.get(&key).copied()
                );
            }
            assert!(
                matches!(
                    self.shared
                        .find(&mut hazard, hash, &Probe::new(None, 4, &bytes)),
                    Ok(None)
                ),
                "of another shape"
            );
        }
    }

    fn free(&mut self) {
        for block in self.left.drain(..) {
            drop(self.releaser.release(block));
        }
        self.n_freed += self.retired.len() as u64;
        for segment in self.retired.drain(..) {
            // SAFETY: a garden has no reader while it is written.
            unsafe { segment.free() };
        }
    }
}

impl Drop for Garden {
    fn drop(&mut self) {
        let (mut all, n) = (Vec::new(), self.model.len());
        self.writer().drain(&mut all);
        if !std::thread::panicking() {
            assert_eq!(all.len(), n);
        }
        self.left.extend(all);
        self.free();
    }
}

fn next(random: &mut u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    random.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

/// Fills, churns and empties a garden with keys of the hashes that `hash` makes of random words.
fn check(skip_bits: u32, n_keys: u64, hash: impl Fn(u64) -> u64) -> Garden {
    let mut garden = Garden::new(skip_bits);
    let mut random = 0x9e37_79b9_7f4a_7c15;
    let keys: Vec<(u64, u64)> = (0..n_keys)
        .map(|number| (hash(next(&mut random)), number))
        .collect();
    for (n, &key) in keys.iter().enumerate() {
        garden.insert(key, n as u64).expect("there is room");
        if n.is_multiple_of(n_keys as usize / 16 + 1) {
            garden.validate();
        }
    }
    garden.look_for(keys.iter().copied());
    garden.validate();
    for step in 0..2 * n_keys {
        let key = keys[(next(&mut random) % n_keys) as usize];
        if next(&mut random).is_multiple_of(2) {
            garden.remove(key)
        } else {
            garden.insert(key, step).expect("room")
        }
        if step.is_multiple_of(n_keys / 4 + 1) {
            garden.validate();
        }
    }
    garden.look_for(keys.iter().copied());
    for (n, &key) in keys.iter().enumerate() {
        garden.remove(key);
        garden.shrink(key.0);
        if n.is_multiple_of(n_keys as usize / 16 + 1) {
            garden.validate();
        }
    }
    garden.validate();
    garden.look_for(keys.iter().copied());
    garden
}

const SCALE: u64 = if cfg!(miri) { 40 } else { 1 };

#[test]
fn random_keys_are_found_and_gone() {
    for skip_bits in [0, 1, 6, 16] {
        // A stripe's own bits are the same in each of its hashes.
        let garden = check(skip_bits, 12_000 / SCALE, |random| {
            random >> skip_bits | 1 << 63
        });
        assert_eq!(
            garden.segments().len(),
            1,
            "an empty table has merged to one segment"
        );
    }
}

#[test]
fn one_tag_and_one_bucket_for_all_is_slow_but_right() {
    check(0, 2000 / SCALE, |random| random & !0x3fff | 0x1241);
}

#[test]
fn a_tag_of_one_is_not_confused_with_empty_places() {
    check(0, 2000 / SCALE, |random| {
        random & !0x3fc0 | (random & 1) << 6
    });
}

#[test]
fn equal_hashes_fill_one_segment_and_no_more() {
    let hash = 0xdead_beef_0123_4567;
    let mut garden = Garden::new(0);
    let mut n_linked = 0;
    let crowded = loop {
        match garden.insert((hash, n_linked), n_linked) {
            Ok(()) => n_linked += 1,
            Err(Crowded(block)) => break block,
        }
    };
    garden.left.push(crowded);
    assert_eq!(n_linked, 448);
    assert!(
        garden.shared.directory().depth <= 8,
        "splitting does not help, and is not tried for ever"
    );
    garden.validate();
    garden.look_for((0..500).map(|number| (hash, number)));
    // A place that becomes free is found again, though the overflow counts are stuck.
    for round in 0..3 {
        let writer = garden.writer();
        let first = writer.first_of(KeyHash::from_bits(hash));
        let key = key_of(writer.block(first).unwrap());
        garden.remove(key);
        garden
            .insert((hash, 1000 + round), round)
            .expect("one place is free");
        garden.validate();
    }
    // Others of the same table aren't concerned.
    garden.insert((!hash, 0), 7).expect("there is room");
    for number in 0..2000 {
        garden.remove((hash, number));
    }
    garden.look_for([(!hash, 0), (hash, 1)].into_iter());
    garden.validate();
}

#[test]
fn a_slot_that_was_taken_since_the_look_is_not_taken_again() {
    let key = |number: u64| (number << 20 | 0x41, number);
    // One slot of seven was taken, and all of them.
    for n_taken in [1, SLOTS as u64] {
        let mut garden = Garden::new(0);
        let hash = KeyHash::from_bits(key(0).0);
        let bytes = encode(key(0));
        let (present, vacancy) = garden.writer().seek(hash, || Probe::new(None, 3, &bytes));
        assert!(present.is_none());
        let vacancy = vacancy.expect("the table is empty");
        for number in 1..=n_taken {
            garden.insert(key(number), number).expect("there is room");
        }
        let block = Garden::block(key(0), 1);
        match garden.writer().link_at(vacancy, hash, block, 1) {
            Ok(_) => {
                assert_eq!(n_taken, 1);
                garden.model.insert(key(0), 1);
            }
            Err(block) => {
                assert_eq!(n_taken, SLOTS as u64, "other keys have all slots");
                garden.left.push(block);
            }
        }
        garden.look_for((0..=n_taken).map(key));
        garden.validate();
    }
}

#[test]
fn a_slot_of_a_retired_segment_is_not_taken() {
    let mut garden = Garden::new(0);
    let mut random = 7;
    let mut keys = Vec::new();
    while garden.segments().len() < 4 {
        let key = (next(&mut random), keys.len() as u64);
        garden.insert(key, 1).expect("there is room");
        keys.push(key);
    }
    let newcomer = (keys[0].0, u64::MAX);
    let hash = KeyHash::from_bits(newcomer.0);
    for &key in &keys {
        garden.remove(key);
    }
    let probe = encode(newcomer);
    let (_, vacancy) = garden.writer().seek(hash, || Probe::new(None, 3, &probe));
    let vacancy = vacancy.expect("its bucket is empty");
    while garden.segments().len() > 1 {
        let shrunk = keys.iter().any(|&(hash, _)| garden.shrink(hash));
        assert!(shrunk, "empty segments merge");
    }
    let block = Garden::block(newcomer, 1);
    let back = garden.writer().link_at(vacancy, hash, block, 0);
    garden.left.push(back.expect_err("its segment may be gone"));
    garden.validate();
    garden.insert(newcomer, 1).expect("there is room");
    garden.look_for([newcomer].into_iter());
}
