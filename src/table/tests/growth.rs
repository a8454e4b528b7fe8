//! When segments grow, split and merge, what that takes, and what a short hash tells.

use super::super::grow::MERGE_BELOW;
use super::super::owned::directory_bytes;
use super::*;

#[test]
fn a_segment_is_its_head_and_a_line_for_each_bucket() {
    for (log2, lines) in [(0, 2), (2, 5), (4, 17), (6, 65)] {
        assert_eq!(Segment::layout(log2).size(), 64 * lines);
        assert_eq!(Segment::bytes(log2), 64 * lines as u64 + 64);
    }
}

/// A bucket is full from the first seven entries on; its segment grows when six of seven of all places are taken, not before.
#[test]
fn a_full_bucket_makes_its_segment_grow_when_that_is_nearly_full_and_not_before() {
    let mut garden = Garden::new(0);
    let mut random = 11;
    let mut n_entries = 0;
    // Of any size, the keys of bucket 0 stay there.
    let mut insert = |garden: &mut Garden, bucket: u64| {
        let key = (next(&mut random) & !0x3f | bucket, n_entries);
        garden.insert(key, 1).expect("there is room");
        n_entries += 1;
    };
    let home = KeyHash::from_bits(0x40);
    for _ in 0..SLOTS {
        assert_eq!(garden.writer().growth_bytes(home), 0);
        insert(&mut garden, 0);
    }
    for (log2, limit, buckets) in [
        (0, 7, 1..1),
        (2, 24, 1..4),
        (4, 96, 4..16),
        (6, 384, 16..64),
    ] {
        let (_, mask) = garden.writer().segment_of(home);
        assert_eq!(mask + 1, 1 << log2);
        let mut buckets = buckets.cycle();
        while garden.table.len() < limit {
            assert_eq!(garden.writer().growth_bytes(home), 0, "of 2^{log2}");
            insert(&mut garden, buckets.next().expect("more buckets"));
        }
        let growth = garden.writer().growth_bytes(home);
        let expected = if log2 < 6 {
            Segment::bytes(log2 + 2)
        } else {
            2 * Segment::bytes(6) + directory_bytes(1) + counts_bytes(1)
        };
        assert_eq!(growth, expected, "of 2^{log2}");
        let (old, _) = garden.writer().segment_of(home);
        garden.free();
        insert(&mut garden, 0);
        let retired: Vec<_> = garden.retired.iter().map(RetiredSegment::as_ptr).collect();
        assert_eq!(retired, [old]);
        garden.validate();
    }
    assert_eq!(garden.segments().len(), 2);
}

/// Those who found their bucket full in a segment that was nearly full lie where they belong in its halves, if there is room.
#[test]
fn who_was_passed_on_in_a_full_segment_lies_at_home_in_its_halves() {
    let mut garden = Garden::new(0);
    let mut random = 3;
    let away = |garden: &mut Garden| {
        let mut n_away = 0;
        for (_, tagged) in garden.segments() {
            let (segment, mask) = split_root(tagged);
            let writer = garden.writer();
            for index in 0..=mask {
                writer.visit(segment, index, |loc, _| {
                    let hash = hash_of(writer.block(loc).expect("just seen"));
                    n_away += usize::from(hash.bucket() & mask != index);
                });
            }
        }
        n_away
    };
    let mut before = 0;
    while garden.segments().len() < 2 {
        before = away(&mut garden);
        garden.insert((next(&mut random), 0), 1).expect("room");
    }
    assert!(before > 50, "{before}");
    // Three and a half entries a bucket: few buckets have more than seven.
    let after = away(&mut garden);
    assert!(after < 15, "{after} of {before}");
    garden.validate();
}

/// A garden of two segments, with so many entries in the lower and the upper one.
fn of_two(n_entries: [usize; 2]) -> Garden {
    let mut garden = Garden::new(0);
    let mut random = 5;
    while garden.segments().len() < 2 {
        garden.insert((next(&mut random), 0), 1).expect("room");
    }
    for half in 0..2 {
        let keys = garden.model.keys().filter(|key| key.0 >> 63 == half);
        let mut keys: Vec<(u64, u64)> = keys.copied().collect();
        keys.sort_unstable();
        let wanted = n_entries[half as usize];
        for &key in keys.iter().skip(wanted) {
            garden.remove(key);
        }
        for number in keys.len()..wanted {
            let hash = next(&mut random) >> 1 | half << 63;
            garden.insert((hash, number as u64), 1).expect("room");
        }
    }
    assert_eq!(garden.segments().len(), 2);
    garden.validate();
    garden
}

#[test]
fn neighbours_merge_when_they_fill_a_third_of_one_together_whoever_asks() {
    for (n_entries, merges) in [
        ([MERGE_BELOW, 0], true),
        ([0, MERGE_BELOW], true),
        ([MERGE_BELOW / 2, MERGE_BELOW.div_ceil(2)], true),
        ([0, 0], true),
        ([MERGE_BELOW + 1, 0], false),
        ([0, MERGE_BELOW + 1], false),
        ([MERGE_BELOW, 1], false),
        ([1, MERGE_BELOW], false),
        ([MERGE_BELOW, MERGE_BELOW], false),
        ([0, 300], false),
        ([300, 0], false),
    ] {
        for asked in [0, 1 << 63] {
            let mut garden = of_two(n_entries);
            assert_eq!(garden.shrink(asked), merges, "{n_entries:?}, {asked:x}");
            assert_eq!(garden.segments().len(), 2 - usize::from(merges));
            garden.validate();
            let keys: Vec<_> = garden.model.keys().copied().collect();
            garden.look_for(keys.into_iter());
        }
    }
}

#[test]
fn a_short_hash_tells_the_slot_until_the_next_doubling_needs_more_bits() {
    for skip_bits in [0, 15, 16, 17, 18] {
        let mut garden = Garden::new(skip_bits);
        let mut random = 9;
        for depth in 0..3 {
            while garden.shared.directory().depth < depth {
                let key = (next(&mut random) >> skip_bits, 0);
                garden.insert(key, 1).expect("there is room");
            }
            assert_eq!(
                garden.shared.is_told_by_short(),
                skip_bits + depth < SHORT_TOP_BITS,
                "{skip_bits} and {depth}"
            );
        }
    }
}
