//! What else entries are found by, and that the lines which the processor is asked for are those that are looked at next.

use super::*;
use crate::sync::counted::asked_by;

/// Links entries of one hash, each of another version, token and member's token.
fn of_one_hash(garden: &mut Garden, hash: KeyHash, n_entries: u32) -> Vec<Loc> {
    let link = |number: u32| {
        let bytes = encode((hash.bits(), u64::from(number)));
        // The last belongs to no place.
        let place = (number + 1 < n_entries).then_some(7);
        let plan = Plan::<u64>::new(Parts::plain(Probe::new(place, 3, &bytes)), 1);
        let Ok((mut draft, ())) = Draft::new::<u64, u64>(plan.expect("it fits"), None, 1) else {
            panic!("there is memory")
        };
        draft.seal(hash, 100 + u64::from(number), 0);
        let block = draft.into_block();
        block.as_ref().set_token(200 + number);
        if let Some(member) = block.as_ref().member() {
            member.set_at((300 + number, 0));
        }
        let linked = garden.writer().link(hash, block, 0);
        linked.expect("there is room")
    };
    (0..n_entries).map(link).collect()
}

#[test]
fn an_entry_is_found_by_its_records_its_version_and_itself() {
    let mut garden = Garden::new(0);
    let hash = KeyHash::from_bits(0x1234_5678_9abc_def0);
    let locs = of_one_hash(&mut garden, hash, 4);
    let writer = garden.writer();
    for (number, &loc) in locs.iter().enumerate() {
        let (number, block) = (number as u32, writer.block(loc).expect("it is linked"));
        let found = [
            writer.find_token(hash, 200 + number),
            writer.find_version(hash, 100 + u64::from(number)),
            writer.find_block(hash, block),
        ];
        assert_eq!(found, [Some(loc); 3]);
        let member = block.member().map(|_| loc);
        assert_eq!(writer.find_member(hash, 300 + number), member);
    }
    let other = Garden::block((hash.bits(), 1), 1);
    let absent = [
        writer.find_token(hash, 204),
        writer.find_version(hash, 104),
        writer.find_member(hash, 303),
        writer.find_block(hash, other.as_ref()),
    ];
    assert_eq!(absent, [None; 4]);
    garden.left.push(other);
    let mut writer = garden.table.writer(&garden.shared);
    for loc in locs {
        garden.left.push(writer.unlink(loc, hash));
    }
    garden.validate();
}

#[test]
fn an_entry_that_says_that_there_is_none_is_found_by_who_asks_for_any() {
    let mut garden = Garden::new(0);
    let key = (0x77, 1);
    let (hash, bytes) = (KeyHash::from_bits(key.0), encode(key));
    let probe = Probe::new(None, 3, &bytes);
    let plan = Plan::<u64>::new(Parts::plain(probe), 1).expect("it fits");
    let draft = Draft::absent(plan, None).expect("there is memory");
    let loc = garden.writer().link(hash, draft.into_block(), 0);
    let loc = loc.expect("there is room");
    let record = garden.domain.register();
    let mut hazard = record.hazard(0);
    assert!(matches!(
        garden.shared.find(&mut hazard, hash, &probe),
        Ok(None)
    ));
    let found = garden.shared.find_any(&mut hazard, hash, &probe);
    assert!(found.is_ok_and(|found| found.is_some_and(|found| found.block.is_absent())));
    drop(hazard);
    let block = garden.writer().unlink(loc, hash);
    garden.left.push(block);
    let mut hazard = garden.domain.register().hazard(0);
    let found = garden.shared.find_any(&mut hazard, hash, &probe);
    assert!(matches!(found, Ok(None)));
}

/// A garden with a full bucket, and the location of each of its entries by its hash.
fn with_a_full_bucket() -> (Garden, Vec<(KeyHash, Loc)>) {
    let mut garden = Garden::new(0);
    let mut random = 3;
    while garden.segments().len() < 2 {
        garden.insert((next(&mut random), 0), 1).expect("room");
    }
    // The segments stay, as they don't merge by themselves.
    let others: Vec<(u64, u64)> = garden.model.keys().copied().collect();
    others.into_iter().for_each(|key| garden.remove(key));
    let keys: Vec<(u64, u64)> = (1..=7).map(|tag| (tag << 8 | 6, 0)).collect();
    for &key in &keys {
        garden.insert(key, 1).expect("bucket 6 is empty");
    }
    let writer = garden.writer();
    let locs = keys.iter().map(|&key| {
        let hash = KeyHash::from_bits(key.0);
        let loc = writer.find(hash, &Probe::new(None, 3, &encode(key)));
        (hash, loc.expect("it was inserted"))
    });
    let locs = locs.collect();
    (garden, locs)
}

#[test]
fn a_look_ahead_asks_for_the_bucket_and_the_entry_of_the_key() {
    let (mut garden, locs) = with_a_full_bucket();
    let slots: Vec<u32> = locs.iter().map(|(_, loc)| loc.slot()).collect();
    assert_eq!(slots, [0, 1, 2, 3, 4, 5, 6]);
    for &(hash, loc) in &locs {
        let block = garden.writer().block(loc).map(BlockRef::as_ptr);
        let block = block.expect("it is linked").addr();
        let bucket = loc.bucket().addr().get();
        let shared = Arc::clone(&garden.shared);
        assert_eq!(asked_by(|| shared.prefetch_bucket(hash)), [bucket]);
        let asked = asked_by(|| shared.prefetch_buckets(hash));
        let (segment, mask) = garden.writer().segment_of(hash);
        let next = bucket_at(segment, (hash.bucket() + hash.stride()) & mask);
        assert_eq!(asked, [bucket, next.addr()]);
        let mut hazard = garden.domain.register().hazard(0);
        let asked = asked_by(|| shared.prefetch_entry(&mut hazard, hash));
        assert_eq!(asked, [block, block + 64]);
        drop(hazard);
        let writer = garden.writer();
        assert_eq!(asked_by(|| writer.prefetch_bucket(loc)), [bucket]);
        let last = block + size_of::<Header>() - 1;
        assert_eq!(asked_by(|| writer.prefetch_block(loc)), [block, last]);
    }
    let absent = KeyHash::from_bits(9 << 8 | 6);
    let mut hazard = garden.domain.register().hazard(0);
    let asked = asked_by(|| garden.shared.prefetch_entry(&mut hazard, absent));
    assert_eq!(asked, [0; 0], "no tag is that of the key");
}

#[test]
fn a_sample_asks_for_the_buckets_of_the_next_one() {
    let mut garden = Garden::new(0);
    let mut random = 5;
    for number in 0..3000 {
        garden.insert((next(&mut random), number), 1).expect("room");
    }
    let mut ahead: Vec<usize> = Vec::new();
    let mut n_seen = 0;
    for _ in 0..garden.table.n_buckets() {
        let mut seen = Vec::new();
        let asked = asked_by(|| {
            garden.writer().sample(
                2,
                0,
                |meta| meta,
                |_, _, loc| seen.push(loc.bucket().addr().get()),
            );
        });
        assert_eq!(asked.len(), 2);
        if !ahead.is_empty() {
            assert!(seen.iter().all(|bucket| ahead.contains(bucket)));
            n_seen += seen.len();
        }
        ahead = asked;
    }
    assert!(n_seen > garden.table.n_buckets(), "few buckets are empty");
}

#[test]
fn a_walk_asks_for_the_entries_a_bucket_ahead() {
    let mut garden = Garden::new(0);
    let mut random = 5;
    for number in 0..300 {
        garden.insert((next(&mut random), number), 1).expect("room");
    }
    let writer = garden.table.writer(&garden.shared);
    let (segment, mask) = writer.segment_of(KeyHash::from_bits(0));
    let mut expected = Vec::new();
    // The last bucket has none behind it.
    for index in (0..=mask).chain([mask]) {
        writer.visit(segment, index, |loc, _| {
            expected.extend(asked_by(|| writer.prefetch_block(loc)));
        });
    }
    let mut blocks = Vec::new();
    let asked = asked_by(|| {
        let place = writer.collect(Cursor::START, hash_of, |block, _| blocks.push(block));
        assert_eq!(place, None, "there is one segment");
    });
    assert_eq!(blocks.len(), 300);
    garden.left.extend(blocks);
    assert_eq!(asked, expected);
}
