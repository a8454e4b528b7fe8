//! Walks over all entries, in one go and while the table changes; what a word holds.

use std::cell::RefCell;
use std::collections::HashSet;

use super::*;

#[test]
fn a_sweep_visits_every_bucket_once_a_round() {
    let mut garden = Garden::new(2);
    let mut random = 77;
    let n_keys = 5000 / SCALE;
    for number in 0..n_keys {
        garden
            .insert((next(&mut random) >> 2, number), number)
            .unwrap();
    }
    let buckets: usize = garden
        .segments()
        .iter()
        .map(|&(_, root)| split_root(root).1 + 1)
        .sum();
    for _ in 0..2 {
        let mut seen = HashMap::new();
        for _ in 0..buckets {
            garden.writer().sweep(|writer, loc, meta| {
                let key = key_of(writer.block(loc).unwrap());
                assert_eq!(meta, writer.meta(loc));
                *seen.entry(key).or_insert(0) += 1;
            });
        }
        assert_eq!(seen.len() as u64, n_keys);
        assert!(seen.values().all(|&n| n == 1));
    }
    // A table that shrinks under the walk is walked to its end all the same.
    let keys: Vec<_> = garden.model.keys().copied().collect();
    for &key in &keys[10..] {
        garden.writer().sweep(|_, _, _| {});
        garden.remove(key);
        garden.shrink(key.0);
    }
    garden.validate();
    let mut seen = Vec::new();
    for _ in 0..2 * buckets {
        garden
            .writer()
            .sweep(|writer, loc, _| seen.push(key_of(writer.block(loc).expect("just seen"))));
    }
    assert!(keys[..10].iter().all(|key| seen.contains(key)));
}

#[test]
fn samples_see_all_entries_in_turn() {
    let mut garden = Garden::new(0);
    let mut random = 5;
    for number in 0..3000 / SCALE {
        garden.insert((next(&mut random), number), number).unwrap();
    }
    let buckets: usize = garden
        .segments()
        .iter()
        .map(|&(_, root)| split_root(root).1 + 1)
        .sum();
    for n_buckets in [1, 3, buckets] {
        let mut seen: HashMap<(u64, u64), u32> = HashMap::new();
        let mut at = 0;
        while at < buckets {
            let n_buckets = n_buckets.min(buckets - at);
            let mut found = Vec::new();
            let ranked = RefCell::new(Vec::new());
            let any = garden.writer().sample(
                n_buckets,
                at as u32,
                |meta| {
                    ranked.borrow_mut().push(meta);
                    meta
                },
                |rank, meta, loc| found.push((rank, meta, loc)),
            );
            // The walk itself is checked by ranking each bucket's entries once and taking the lowest.
            assert!(any.is_none_or(|meta| ranked.borrow().contains(&meta)));
            assert!(found.len() <= n_buckets);
            for (rank, meta, loc) in found {
                assert_eq!(rank, meta);
                let writer = garden.writer();
                writer.prefetch_block(loc);
                assert_eq!(meta, writer.meta(loc));
                assert!(ranked.borrow().contains(&meta));
                *seen.entry(key_of(writer.block(loc).unwrap())).or_default() += 1;
            }
            at += n_buckets;
        }
        assert!(seen.values().all(|&n| n == 1));
        let lowest = lowest_of_each_bucket(&mut garden);
        assert_eq!(seen.keys().copied().collect::<HashSet<_>>(), lowest);
    }
}

#[test]
fn each_entry_is_told_for_one_pick_whatever_its_rank() {
    let mut garden = Garden::new(0);
    let mut random = 5;
    for number in 0..3000 / SCALE {
        garden.insert((next(&mut random), number), number).unwrap();
    }
    let buckets: usize = garden
        .segments()
        .iter()
        .map(|&(_, root)| split_root(root).1 + 1)
        .sum();
    let mut told = 0;
    for pick in 0..SLOTS as u32 {
        for _ in 0..buckets {
            let any = garden.writer().sample(1, pick, |meta| meta, |_, _, _| {});
            told += u64::from(any.is_some());
        }
    }
    assert_eq!(told, 3000 / SCALE);
}

/// By the plain walk, which `sweep` does too: of each bucket the entry with the least metadata, the first of several.
fn lowest_of_each_bucket(garden: &mut Garden) -> HashSet<(u64, u64)> {
    let mut lowest = HashSet::new();
    for (_, root) in garden.segments() {
        let (segment, mask) = split_root(root);
        for index in 0..=mask {
            let mut least: Option<(u32, Loc)> = None;
            garden.writer().visit(segment, index, |loc, meta| {
                if least.is_none_or(|(other, _)| meta < other) {
                    least = Some((meta, loc));
                }
            });
            let writer = garden.writer();
            lowest.extend(least.map(|(_, loc)| key_of(writer.block(loc).expect("just seen"))));
        }
    }
    lowest
}

/// Walks while other keys come and go; those that stay are yielded exactly once.
fn walk(n_before: u64, mut meanwhile: impl FnMut(&mut Garden, u64)) {
    let mut garden = Garden::new(3);
    let mut random = 99;
    let staying: Vec<(u64, u64)> = (0..40)
        .map(|number| (next(&mut random) >> 3, number))
        .collect();
    for &key in &staying {
        garden.insert(key, 1).expect("there is room");
    }
    for number in 0..n_before {
        garden
            .insert((next(&mut random) >> 3, 1000 + number), 2)
            .expect("there is room");
    }
    let mut yielded: HashMap<(u64, u64), u32> = HashMap::new();
    let mut place = Some(Cursor::START);
    let mut step = 0;
    while let Some(cursor) = place {
        let mut blocks = Vec::new();
        place = garden
            .writer()
            .collect(cursor, hash_of, |block, _| blocks.push(block));
        for block in blocks {
            *yielded.entry(key_of(block.as_ref())).or_default() += 1;
            garden.left.push(block);
        }
        meanwhile(&mut garden, step);
        garden.validate();
        step += 1;
    }
    assert!(
        staying.iter().all(|key| yielded[key] == 1),
        "what stays is yielded once"
    );
    assert!(
        yielded.values().all(|&n| n == 1),
        "nothing is yielded twice"
    );
}

#[test]
fn a_walk_yields_once_what_stays() {
    walk(3000 / SCALE, |_, _| {});
}

#[test]
fn a_walk_yields_once_what_stays_while_segments_split() {
    let mut random = 3;
    walk(0, |garden, step| {
        for number in 0..400 / SCALE {
            garden
                .insert((next(&mut random) >> 3, 100_000 + step * 1000 + number), 3)
                .unwrap();
        }
    });
}

#[test]
fn a_walk_yields_once_what_stays_while_segments_merge() {
    walk(6000 / SCALE, |garden, _| {
        let gone: Vec<_> = garden
            .model
            .keys()
            .filter(|key| key.1 >= 1000)
            .take(1500)
            .copied()
            .collect();
        for key in gone {
            garden.remove(key);
            garden.shrink(key.0);
        }
    });
}

#[test]
fn metadata_and_address_share_a_word() {
    let mut garden = Garden::new(0);
    garden.insert((5, 0), 0xa_bcde).unwrap();
    let mut writer = garden.writer();
    let loc = writer
        .find(KeyHash::from_bits(5), &Probe::new(None, 3, &encode((5, 0))))
        .unwrap();
    assert_eq!(writer.meta(loc), 0xa_bcde);
    let block = writer.block(loc).unwrap().as_ptr();
    for meta in [0, 1, 0xf_ffff, 0x8_0001] {
        writer.set_meta(loc, meta);
        assert_eq!(
            (writer.meta(loc), writer.block(loc).unwrap().as_ptr()),
            (meta, block)
        );
    }
    writer.set_meta(loc, 0xa_bcde);
    let record = garden.domain.register();
    let mut hazard = record.hazard(0);
    let found = garden
        .shared
        .find(
            &mut hazard,
            KeyHash::from_bits(5),
            &Probe::new(None, 3, &encode((5, 0))),
        )
        .unwrap()
        .unwrap();
    assert_eq!(found.link.meta(), 0xa_bcde);
    assert!(found.link.try_set_meta(9));
    assert!(
        !found.link.try_set_meta(10),
        "it is no longer what was found (T6)"
    );
    let mut writer = garden.table.writer(&garden.shared);
    assert_eq!(writer.meta(loc), 9);
    writer.set_meta(loc, 0xa_bcde);
}
