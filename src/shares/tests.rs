//! Properties of shares, against plain sums:
//! - a claim succeeds exactly where pool and parent have room, and counts for both or none (S1, S2);
//! - guarantees are refused exactly where their sums would be too large (S3);
//! - who gives way is above its share, and is found if there is anybody (S4);
//! - a number is given again when bytes and holders are gone, not before (S5).

mod model;
mod threads;

use super::*;

const MIB: u64 = 1 << 20;

fn shares() -> Shares {
    Shares::new(100 * MIB, 64)
}

/// Claims bytes for entries in the first stripe.
fn fill(shares: &Shares, pool: PoolId, bytes: u64) {
    assert_eq!(shares.claim(pool, bytes), Ok(()));
    shares.mark_stripe(pool, 0, true);
}

/// Asks for a round, as who needs bytes does.
fn gives_way(shares: &Shares, claimer: PoolId, bytes: u64) -> Turn {
    let calls = 0..shares.calls_a_round();
    let mut turns = calls.map(|_| shares.gives_way(claimer, bytes));
    turns
        .find(|turn| *turn != Turn::NotFound)
        .unwrap_or(Turn::NotFound)
}

#[test]
fn without_pools_there_is_nothing() {
    let shares = shares();
    assert!(!shares.is_active());
    assert_eq!(shares.memory_bytes(), 0);
    assert_eq!(shares.gives_way(PoolId::ROOT, 1), Turn::Anyone);
    let pool = shares.add(None, 0, MIB).unwrap();
    assert!(shares.is_active());
    shares.remove(pool).unwrap();
    assert!(!shares.is_active());
}

#[test]
fn an_idle_pool_takes_what_is_stated() {
    assert_eq!(size_of::<CachePadded<Cell>>(), 128);
    for (n_stripes, most) in [(1, 160), (64, 160), (1024, 310)] {
        let shares = Shares::new(MIB, n_stripes);
        for n in 1..=10_000 {
            shares.add(None, 10, 100).unwrap();
            if n >= 64 {
                assert!(
                    shares.memory_bytes() <= n * most,
                    "{n} pools, {n_stripes} stripes"
                );
            }
        }
    }
}

#[test]
fn e75_guarantees_are_refused_above_the_capacity() {
    let shares = shares();
    let most = shares.add(None, 60 * MIB, 80 * MIB).unwrap();
    let above = |guaranteed, capacity| ShareError::AboveCapacity {
        guaranteed: guaranteed * MIB,
        capacity: capacity * MIB,
    };
    assert_eq!(shares.add(None, 41 * MIB, u64::MAX), Err(above(101, 100)));
    let rest = shares.add(None, 40 * MIB, u64::MAX).unwrap();
    assert_eq!(shares.set(rest, 41 * MIB, u64::MAX), Err(above(101, 100)));
    assert_eq!(shares.set_capacity(99 * MIB), Err(above(100, 99)));
    shares.set_capacity(101 * MIB).unwrap();
    shares.set(rest, 41 * MIB, u64::MAX).unwrap();
    shares.remove(most).unwrap();
    shares.set_capacity(41 * MIB).unwrap();
    let sum_overflows = shares.add(None, u64::MAX, u64::MAX);
    assert_eq!(
        sum_overflows,
        Err(ShareError::AboveCapacity {
            guaranteed: u64::MAX,
            capacity: 41 * MIB
        })
    );
}

#[test]
fn e75_other_refusals_have_their_names() {
    let shares = shares();
    let above_max = ShareError::AboveMax {
        guaranteed: 2,
        max: 1,
    };
    assert_eq!(shares.add(None, 2, 1), Err(above_max));
    let tenant = shares.add(None, 10, 20).unwrap();
    assert_eq!(shares.set(tenant, 2, 1), Err(above_max));
    let child = shares.add(Some(tenant), 6, 100).unwrap();
    let above_parent = |guaranteed, parent| ShareError::AboveParent { guaranteed, parent };
    assert_eq!(shares.add(Some(tenant), 5, 9), Err(above_parent(11, 10)));
    assert_eq!(shares.set(child, 11, 20), Err(above_parent(11, 10)));
    assert_eq!(shares.set(tenant, 5, 20), Err(above_parent(6, 5)));
    assert_eq!(shares.add(Some(child), 0, 1), Err(ShareError::TooDeep));
    assert_eq!(shares.remove(tenant), Err(ShareError::HasChildren));
    for nobody in [PoolId::ROOT, PoolId(9), PoolId(u32::MAX)] {
        assert_eq!(shares.set(nobody, 0, 1), Err(ShareError::NoSuchPool));
        assert_eq!(shares.remove(nobody), Err(ShareError::NoSuchPool));
        assert_eq!(shares.add(Some(nobody), 0, 1), Err(ShareError::NoSuchPool));
    }
    shares.remove(child).unwrap();
    assert_eq!(shares.remove(child), Err(ShareError::NoSuchPool));
    shares.remove(tenant).unwrap();
    for error in [above_max, above_parent(1, 2), ShareError::TooMany] {
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn e75_numbers_end() {
    assert_eq!(
        POOL_MAX,
        crate::lineage::POOL_MAX,
        "a place word holds them"
    );
    let shares = Shares::new(MIB, 1);
    for _ in 0..POOL_MAX {
        shares.add(None, 0, 1).unwrap();
    }
    assert_eq!(shares.add(None, 0, 1), Err(ShareError::TooMany));
    shares.remove(PoolId(77)).unwrap();
    assert_eq!(shares.add(None, 0, 1), Ok(PoolId(77)));
}

#[test]
fn e75_a_lowered_maximum_binds_the_next_claim() {
    let shares = shares();
    let pool = shares.add(None, 0, 100).unwrap();
    shares.claim(pool, 100).unwrap();
    let full = |used, max| Err(OverMax { pool, used, max });
    assert_eq!(shares.claim(pool, 1), full(100, 100));
    shares.set(pool, 0, 50).unwrap();
    assert_eq!((shares.excess(pool), shares.max(pool)), (50, 50));
    shares.give_back(pool, 60);
    assert_eq!(shares.claim(pool, 11), full(40, 50));
    assert_eq!(shares.claim(pool, 10), Ok(()));
    assert_eq!(shares.claim(pool, u64::MAX), full(50, 50));
    assert_eq!(shares.excess(pool), 0);
}

/// Makes pools until one has a new number; the numbers that were given before, in order.
fn given_again(shares: &Shares) -> Vec<PoolId> {
    let end = shares.numbers_end.load(Ordering::Relaxed);
    let added = std::iter::repeat_with(|| shares.add(None, 0, 1).unwrap());
    let mut again: Vec<_> = added.take_while(|added| added.bits() < end).collect();
    again.sort_unstable();
    again
}

#[test]
fn a_number_is_given_again_when_nothing_names_it() {
    let shares = shares();
    let [bytes, entries, holder] = [0; 3].map(|_| shares.add(None, 10, 100).unwrap());
    shares.claim(bytes, 30).unwrap();
    shares.mark_stripe(entries, 5, true);
    shares.claim_entry(entries).unwrap();
    shares.hold(holder);
    for pool in [bytes, entries, holder] {
        shares.remove(pool).unwrap();
        assert_eq!(given_again(&shares), []);
        assert!(shares.claim(pool, 1).is_err(), "it's there, and full");
    }
    shares.give_back(bytes, 30);
    shares.give_entry_back(entries);
    shares.mark_stripe(entries, 5, false);
    shares.let_go(holder);
    assert_eq!(given_again(&shares), [bytes, entries, holder]);
    for pool in [bytes, entries, holder] {
        assert_eq!((shares.used(pool), shares.n_entries(pool)), (0, 0));
        shares.claim(pool, 1).unwrap();
    }
}

#[test]
fn entries_are_claimed_of_a_pool_and_its_parent_or_of_none() {
    let shares = shares();
    let parent = shares.add(None, 0, MIB).unwrap();
    let [one, other] = [0; 2].map(|_| shares.add(Some(parent), 0, MIB).unwrap());
    shares.set_max_entries(parent, 3).unwrap();
    shares.set_max_entries(one, 2).unwrap();
    let counts = || [parent, one, other].map(|pool| shares.n_entries(pool));
    assert_eq!([0; 2].map(|_| shares.claim_entry(one)), [Ok(()); 2]);
    assert_eq!(shares.claim_entry(one), Err(one));
    assert_eq!(shares.claim_entry(other), Ok(()));
    assert_eq!(shares.claim_entry(other), Err(parent));
    assert_eq!(shares.claim_entry(parent), Err(parent));
    assert_eq!(counts(), [3, 2, 1]);
    assert_eq!(shares.most_entries(one), 2);
    assert_eq!(shares.most_entries(other), 3);
    // A lowered maximum takes nothing away.
    shares.set_max_entries(parent, 1).unwrap();
    shares.give_entry_back(one);
    assert_eq!(counts(), [2, 1, 1]);
    assert_eq!(shares.claim_entry(one), Err(parent));
    assert_eq!(
        counts(),
        [2, 1, 1],
        "nor is anything left of what was refused"
    );
}

#[test]
fn who_met_a_maximum_of_entries_gives_its_own_then_the_pools_then_a_childs() {
    let shares = shares();
    let parent = shares.add(None, 0, MIB).unwrap();
    let [few, many, none] = [0; 3].map(|_| shares.add(Some(parent), 0, MIB).unwrap());
    let giver = |claimer| shares.gives_way_within(Full::Entries(parent), claimer, 1);
    assert_eq!(giver(none), Turn::NotFound);
    for (pool, n) in [(few, 1), (many, 2)] {
        (0..n).for_each(|_| shares.claim_entry(pool).unwrap());
        shares.mark_stripe(pool, 0, true);
    }
    assert_eq!(giver(none), Turn::Pool(many));
    assert_eq!(giver(few), Turn::Pool(few));
    shares.claim_entry(parent).unwrap();
    shares.mark_stripe(parent, 0, true);
    assert_eq!(giver(none), Turn::Pool(parent));
    assert_eq!(giver(parent), Turn::Pool(parent));
}

#[test]
fn a_parents_number_outlasts_its_childrens() {
    for kept in 0..3 {
        let shares = shares();
        let tenant = shares.add(None, 10, 100).unwrap();
        let children = [0; 3].map(|_| shares.add(Some(tenant), 0, 100).unwrap());
        let kept = children[kept];
        shares.hold(kept);
        for child in children {
            shares.remove(child).unwrap();
        }
        shares.remove(tenant).unwrap();
        let others: Vec<_> = children
            .into_iter()
            .filter(|child| *child != kept)
            .collect();
        assert_eq!(given_again(&shares), others);
        assert!(others.iter().all(|other| shares.parent(*other).is_none()));
        assert_eq!(shares.parent(kept), Some(tenant));
        shares.let_go(kept);
        assert_eq!(given_again(&shares), [tenant, kept]);
    }
}

#[test]
fn stripes_are_found_round_and_round() {
    let shares = Shares::new(MIB, 256);
    let pool = shares.add(None, 0, 1).unwrap();
    assert_eq!(shares.next_stripe(pool, 5), None);
    for stripe in [3, 64, 255] {
        shares.mark_stripe(pool, stripe, true);
    }
    for (from, expected) in [(0, 3), (3, 3), (4, 64), (65, 255), (255, 255), (256, 3)] {
        assert_eq!(shares.next_stripe(pool, from), Some(expected), "{from}");
    }
    shares.mark_stripe(pool, 64, false);
    shares.mark_stripe(pool, 255, false);
    assert_eq!(shares.next_stripe(pool, 4), Some(3));
}

#[test]
fn e75_the_furthest_above_its_share_gives_way() {
    let shares = shares();
    let [small, large, idle] = [0; 3].map(|_| shares.add(None, 10 * MIB, 90 * MIB).unwrap());
    fill(&shares, small, 12 * MIB);
    fill(&shares, large, 40 * MIB);
    assert_eq!(shares.gives_way(idle, 1), Turn::Pool(large));
    shares.claim(PoolId::ROOT, 35 * MIB).unwrap();
    assert_eq!(shares.gives_way(idle, 1), Turn::Pool(PoolId::ROOT));
    assert_eq!(shares.gives_way(large, 6 * MIB), Turn::Pool(large));
    assert!(shares.may_give_way(small, idle));
    shares.give_back(small, 2 * MIB);
    assert!(shares.is_within_guarantee(small) && !shares.may_give_way(small, idle));
    assert!(shares.may_give_way(small, small));
}

#[test]
fn e75_who_is_within_its_guarantee_never_gives_way() {
    let shares = shares();
    let [first, second] = [0; 2].map(|_| shares.add(None, 50 * MIB, 50 * MIB).unwrap());
    fill(&shares, first, 50 * MIB);
    fill(&shares, second, 49 * MIB);
    assert_eq!(gives_way(&shares, PoolId::ROOT, MIB), Turn::NotFound);
    assert_eq!(gives_way(&shares, second, MIB), Turn::NotFound);
    assert_eq!(gives_way(&shares, second, 2 * MIB), Turn::Pool(second));
}

/// One pool above its share among ten thousand within theirs; nobody has noted it.
#[test]
fn e75_the_only_one_above_its_share_is_found_in_a_round() {
    let shares = Shares::new(u64::MAX, 64);
    let pools: Vec<_> = (0..10_000)
        .map(|_| shares.add(None, MIB, 2 * MIB).unwrap())
        .collect();
    for pool in &pools {
        fill(&shares, *pool, MIB / 2);
    }
    for above in [0, 15, 16, 5000, 9999].map(|nth| pools[nth]) {
        // The guarantee moves, not the bytes: no claim leaves a hint.
        shares.set(above, MIB / 4, MIB).unwrap();
        let turns = (0..shares.calls_a_round()).map(|_| shares.gives_way(pools[7], 1));
        let found = turns.filter(|turn| *turn == Turn::Pool(above)).count();
        assert!(found >= 1);
        // Once seen, it's known.
        assert_eq!(shares.gives_way(pools[7], 1), Turn::Pool(above));
        shares.set(above, MIB, 2 * MIB).unwrap();
    }
}

#[test]
fn e75_a_claim_leaves_a_hint() {
    let shares = Shares::new(u64::MAX, 64);
    let pools: Vec<_> = (0..10_000)
        .map(|_| shares.add(None, MIB, 99 * MIB).unwrap())
        .collect();
    for pool in &pools {
        fill(&shares, *pool, MIB / 2);
    }
    fill(&shares, pools[6000], 10 * MIB);
    assert_eq!(shares.gives_way(pools[7], 1), Turn::Pool(pools[6000]));
}

#[test]
fn e75_a_tenants_children_defend_their_shares_among_themselves() {
    let shares = shares();
    let tenant = shares.add(None, 50 * MIB, 60 * MIB).unwrap();
    let [kept, flooding] =
        [20 * MIB, 0].map(|bytes| shares.add(Some(tenant), bytes, u64::MAX).unwrap());
    fill(&shares, kept, 20 * MIB);
    fill(&shares, flooding, 35 * MIB);
    assert_eq!(shares.used(tenant), 55 * MIB);
    assert_eq!(gives_way(&shares, PoolId::ROOT, 1), Turn::Pool(flooding));
    assert!(!shares.may_give_way(kept, PoolId::ROOT));
    // The tenant's own entries have no share among its children's.
    fill(&shares, tenant, 5 * MIB);
    let over = shares.claim(kept, MIB).unwrap_err();
    assert_eq!(over.pool, tenant);
    assert_eq!(
        shares.used(kept),
        20 * MIB,
        "neither level keeps a part of it"
    );
    let within = |claimer| shares.gives_way_within(Full::Bytes(tenant), claimer, MIB);
    assert_eq!(within(kept), Turn::Pool(flooding));
    shares.give_back(flooding, 35 * MIB);
    shares.mark_stripe(flooding, 0, false);
    assert_eq!(within(kept), Turn::Pool(tenant));
    // Within its guarantee now, the tenant gives way to none but its own.
    assert!(!shares.may_give_way(tenant, PoolId::ROOT) && shares.may_give_way(tenant, kept));
    assert_eq!(gives_way(&shares, PoolId::ROOT, 1), Turn::NotFound);
}

#[test]
fn e75_among_many_children_the_one_above_is_found() {
    let shares = Shares::new(u64::MAX, 64);
    let tenant = shares.add(None, 200 * MIB, 200 * MIB).unwrap();
    let children: Vec<_> = (0..100)
        .map(|_| shares.add(Some(tenant), 2 * MIB, 9 * MIB).unwrap())
        .collect();
    for child in &children {
        fill(&shares, *child, MIB);
    }
    // All are within their shares: who wants more than its own gives up of its own, whichever are looked at.
    for _ in 0..20 {
        let itself = Turn::Pool(children[7]);
        assert_eq!(
            shares.gives_way_within(Full::Bytes(tenant), children[7], 2 * MIB),
            itself
        );
    }
    for above in [0, 40, 99].map(|nth| children[nth]) {
        fill(&shares, above, 3 * MIB);
        let turns = (0..shares.calls_a_round())
            .map(|_| shares.gives_way_within(Full::Bytes(tenant), children[7], 1))
            .filter(|turn| *turn != Turn::NotFound);
        let turns: Vec<_> = turns.collect();
        assert!(!turns.is_empty() && turns.iter().all(|turn| *turn == Turn::Pool(above)));
        shares.give_back(above, 3 * MIB);
    }
}
