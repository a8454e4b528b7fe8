//! Memory shares under operations drawn at random. The properties, checked after every operation:
//! 1. neither a tenant nor a named cache is above its maximum, but for what was there when that was lowered, and which doesn't grow
//!    (E-72); usages add up: caches' to at most their tenant's, tenants' to at most the cache's weight, within the bound (E-70);
//! 2. whoever is within its guarantee loses nothing by what others do (E-75), but for a deadline that the wheel grows for;
//! 3. whoever stays within its guarantee by an insert loses nothing by it while other tenants are far above theirs;
//! 4. nothing is refused for lack of room while somebody is above their share (E-71);
//! 5. an insert that is answered by `Ok` is there, unless a bound was lowered or the structure grew; one that is too large leaves
//!    everything as it was;
//! 6. once swept, a usage is the sum of its entries' charges, found by walking over them.

mod threads;
mod world;

use std::time::Duration;

use larder::{Capacity, Refusal};
use proptest::collection::vec;
use proptest::prelude::*;

use self::world::{LENGTHS, Place, World, charge};
use super::bytes;

/// Ticks of the wheel, so that what is due is swept at once.
const TICK: Duration = Duration::from_nanos(1 << 20);
const CAPACITY: u64 = 160 << 10;
const KEYS: u64 = 24;
/// By so much the timing wheel of a stripe grows at most here.
const WHEEL_CHUNK: u64 = 1 << 10;
/// More than an insert ever needs, with what a stripe's structure may have to grow.
const PLENTY: u64 = 24 << 10;

#[derive(Debug, Clone, Copy)]
enum Op {
    Insert {
        at: usize,
        key: u64,
        length: usize,
        ttl: Option<u32>,
    },
    Remove(usize, u64),
    SetTtl(usize, u64, Option<u32>),
    Invalidate(usize),
    Flush(usize),
    SetLimits {
        pool: usize,
        guaranteed_kib: u64,
        max_kib: u64,
    },
    SetCapacity(u64),
    Renew(usize),
    Advance(u32),
    Maintain,
}

fn any_op() -> impl Strategy<Value = Op> {
    let at = 0..world::N_PLACES;
    let pool = 0..world::N_POOLS;
    let ttl = || prop::option::weighted(0.2, 1..20u32);
    let insert = (at.clone(), 0..KEYS, 0..LENGTHS.len(), ttl());
    let limits = (
        pool.clone(),
        0..64u64,
        prop_oneof![8..100u64, Just(1 << 20)],
    );
    prop_oneof![
        60 => insert.prop_map(|(at, key, length, ttl)| Op::Insert { at, key, length, ttl }),
        5 => (at.clone(), 0..KEYS).prop_map(|(at, key)| Op::Remove(at, key)),
        5 => (at.clone(), 0..KEYS, ttl()).prop_map(|(at, key, ttl)| Op::SetTtl(at, key, ttl)),
        3 => at.prop_map(Op::Invalidate),
        1 => (0..world::N_TENANTS).prop_map(Op::Flush),
        5 => limits.prop_map(|(pool, guaranteed_kib, max_kib)| Op::SetLimits { pool, guaranteed_kib, max_kib }),
        1 => (100..250u64).prop_map(Op::SetCapacity),
        1 => pool.prop_map(Op::Renew),
        3 => (1..10u32).prop_map(Op::Advance),
        2 => Just(Op::Maintain),
    ]
}

/// An insert that fills the cache with somebody's entries, so that short runs meet full caches too.
fn filling() -> impl Strategy<Value = Vec<Op>> {
    let fill = (0..world::N_PLACES, 0..LENGTHS.len()).prop_map(|(at, length)| {
        let insert = |key| Op::Insert {
            at,
            key,
            length,
            ttl: None,
        };
        (0..KEYS).map(insert).collect::<Vec<_>>()
    });
    vec(fill, 0..8).prop_map(|fills| fills.concat())
}

fn run(stripes: usize, ops: Vec<Op>) {
    let mut world = World::new(CAPACITY, stripes);
    for op in ops {
        let before = world.snapshot();
        world.now = before;
        apply(&mut world, op);
        // A deadline that the wheel has to grow for is kept even where nothing can make room for it.
        let is_set_ttl = matches!(op, Op::SetTtl(..));
        let slack = if is_set_ttl { WHEEL_CHUNK } else { 0 };
        world.check_sums(&format!("{op:?}"), slack);
    }
    world.check_usages();
}

fn apply(world: &mut World, op: Op) {
    match op {
        Op::Insert {
            at,
            key,
            length,
            ttl,
        } => insert(world, at, key, LENGTHS[length], ttl),
        Op::Remove(at, key) => {
            let removed = world.places[at].view.remove(key).is_some();
            assert_eq!(removed, world.now.present.contains(&(at, key)));
            world.forget(|place| place == (at, key));
            world.check_kept(Some(at), |_| false);
        }
        Op::SetTtl(at, key, ttl) => {
            let ttl = ttl.map(|ticks| TICK * ticks);
            let is_set = world.places[at].view.set_ttl(key, ttl).unwrap();
            assert_eq!(is_set, world.now.present.contains(&(at, key)));
            // Where the wheel has to grow for a deadline, the bound comes before guarantees.
            if world.cache.stats().structure_bytes == world.now.structure {
                world.check_kept(Some(at), |_| false);
            } else {
                world.now.present = world.present();
            }
        }
        Op::Invalidate(at) => {
            let place = world.places[at].clone();
            place.view.invalidate();
            world.forget(|(other, _)| world::ends_with(&place, other));
            world.check_kept(Some(at), |_| false);
        }
        Op::Flush(tenant) => {
            world.tenant(tenant).flush();
            world.forget(|(at, _)| world::tenant_of(at) == Some(tenant));
            world.check_kept(None, |_| false);
        }
        Op::SetLimits {
            pool,
            guaranteed_kib,
            max_kib,
        } => {
            let (before, caps) = (world.limits(pool), world.capacity());
            let limits = bytes(guaranteed_kib << 10, max_kib << 10);
            let is_set = world.set_limits(pool, limits).is_ok();
            let expected = if is_set { limits } else { before };
            assert_eq!(world.limits(pool), expected);
            assert!(world.guaranteed_in_all() <= caps);
            world.check_kept(None, |_| false);
        }
        Op::SetCapacity(kib) => {
            let is_set = world.cache.set_capacity(Capacity::bytes(kib << 10)).is_ok();
            assert_eq!(is_set, world.guaranteed_in_all() <= kib << 10);
            world.is_resized |= is_set;
            world.check_kept(None, |_| false);
        }
        Op::Renew(pool) => {
            world.renew(pool);
            world.forget(|(at, _)| world::is_of(at, pool));
            world.check_kept(None, |_| false);
        }
        Op::Advance(ticks) => world.clock.advance(TICK * ticks),
        Op::Maintain => {
            world.settle();
            world.check_kept(None, |_| false);
            world.check_usages();
        }
    }
}

fn insert(world: &mut World, at: usize, key: u64, length: usize, ttl: Option<u32>) {
    let (place, value) = (world.places[at].clone(), vec![7; length]);
    let was_present = world.now.present.contains(&(at, key));
    let answer = match ttl {
        Some(ticks) => place.view.insert_with_ttl(key, value, TICK * ticks),
        None => place.view.insert(key, value),
    };
    let cost = charge(length);
    match answer {
        Ok(replaced) => {
            if let Some(replaced) = replaced {
                assert!(was_present, "{} bytes from nowhere", replaced.len());
            }
            let found = place.view.get(key).map(|found| found.len());
            // While a lowered bound is followed, or the structure has grown past it, anything may go at once.
            let has_grown = world.cache.stats().structure_bytes > world.now.structure;
            let may_be_gone = (world.is_resized || has_grown) && found.is_none();
            assert!(
                may_be_gone || found == Some(length),
                "property 5: {found:?}"
            );
            for pool in place.pools() {
                let (usage, max) = (world.usage(pool).bytes, world.limits(pool).max_bytes);
                assert!(usage <= max.unwrap(), "property 1: {usage} of {max:?}");
            }
            let stays_within = place
                .pools()
                .all(|pool| world.now.usages[pool] + cost <= world.limits(pool).guaranteed_bytes);
            let others_give = world.now.excess_of_others(place.tenant) > PLENTY;
            let is_own = |tenant: Option<usize>| {
                stays_within && others_give && tenant.is_some() && tenant == place.tenant
            };
            world.check_kept(Some(at), is_own);
        }
        Err(refused) => {
            assert_eq!(refused.value.len(), length);
            match refused.refusal {
                Refusal::NoRoom => {
                    let gives = world.snapshot().somebody_gives_way(&place, cost);
                    assert!(!gives, "property 4: refused in {place:?}");
                }
                Refusal::TooLarge { bytes, bytes_max } => {
                    assert_eq!(bytes, cost);
                    let is_above = |pool| world.limits(pool).max_bytes.unwrap() < cost;
                    assert!(place.pools().any(is_above) || cost > bytes_max);
                    assert_eq!(world.present(), world.now.present, "E-72");
                }
                refusal => panic!("{refusal:?}"),
            }
            world.check_kept(Some(at), |_| false);
        }
    }
}

impl World {
    /// Properties 2 and 3, after something was done at a place, or by nobody. `is_kept` says of a tenant that all of it
    /// stays, whatever it takes.
    fn check_kept(&self, by: Option<usize>, is_kept: impl Fn(Option<usize>) -> bool) {
        let present = self.present();
        let by: Option<Place> = by.map(|at| self.places[at].clone());
        for &(at, key) in self.now.present.difference(&present) {
            let place = &self.places[at];
            let by_tenant = by.as_ref().and_then(|by| by.tenant);
            let by_pool = by.as_ref().and_then(|by| by.pools().next());
            let is_guarded = |pool: usize| {
                let usage = self.now.usages[pool];
                usage <= self.now.guaranteed[pool] && usage <= self.limits(pool).guaranteed_bytes
            };
            for (level, pool) in place.pools().enumerate() {
                let is_tenants = level + 1 == place.pools().count();
                let is_by_itself = if is_tenants {
                    by_tenant == place.tenant
                } else {
                    by_pool == Some(pool)
                };
                assert!(
                    is_by_itself || !is_guarded(pool),
                    "property 2: {key} of {place:?} went by {by:?}"
                );
            }
            assert!(
                !is_kept(place.tenant),
                "property 3: {key} of {place:?} went"
            );
        }
    }
}

proptest! {
    // A run is long: half as many of them as elsewhere.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 2,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn e70_e71_e72_e75_shares_hold_in_one_stripe(fill in filling(), ops in vec(any_op(), 1..100)) {
        run(1, [fill, ops].concat());
    }

    #[test]
    fn e70_e71_e72_e75_shares_hold_in_several_stripes(
        stripes in prop_oneof![Just(2usize), Just(4), Just(16)],
        fill in filling(),
        ops in vec(any_op(), 1..100),
    ) {
        run(stripes, [fill, ops].concat());
    }
}

/// An insert that finds ended entries enough in other stripes takes nothing that lives: not of its own tenant either.
#[test]
fn e71_e75_what_ended_in_other_stripes_is_enough_for_an_insert() {
    let filled = |(at, length)| {
        let insert = move |key| Op::Insert {
            at,
            key,
            length,
            ttl: None,
        };
        (0..KEYS).map(insert)
    };
    let mut ops: Vec<_> = [(7, 0), (1, 0), (5, 3), (3, 5)]
        .into_iter()
        .flat_map(filled)
        .collect();
    ops.push(Op::Flush(0));
    ops.push(Op::Insert {
        at: 7,
        key: 1,
        length: 5,
        ttl: None,
    });
    run(16, ops);
}
