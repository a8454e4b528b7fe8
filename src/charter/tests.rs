//! What no test of the whole cache can see: a change of terms in the middle of calls, and how a directory hands its names over.

use std::cell::Cell;
use std::time::Duration;

use super::{Charter, Directory, Limits, LongTtl, NONE, Named, TenantError};
use crate::error::{Refusal, TtlError};
use crate::lineage::Owner;
use crate::shares::{PoolId, Shares};
use crate::sync::Arc;
use crate::tally::Tally;

/// All of one hash, so that names alone tell them apart.
fn named(name: &str) -> Named<'_> {
    Named { hash: 7, name }
}

const S: Duration = Duration::from_secs(1);

fn shares() -> Arc<Shares> {
    Arc::new(Shares::new(1 << 20, 1))
}

fn owner(shares: &Arc<Shares>, above: Option<&Arc<Owner>>, limits: Limits) -> Arc<Owner> {
    let parent = above.map(|above| PoolId::from_bits(above.pool()));
    let pool = shares.add(parent, 0, 1 << 20).unwrap();
    let charter = Charter::new(pool, shares, above.cloned(), limits);
    Owner::with_charter(pool.bits(), Tally::new(None), charter)
}

#[test]
fn both_charters_hold_and_the_nearer_one_answers_first() {
    let shares = shares();
    let limits = |key_bytes, item_bytes| Limits {
        key_bytes_max: Some(key_bytes),
        item_bytes_max: Some(item_bytes),
        ..Limits::default()
    };
    let tenant = owner(&shares, None, limits(10, 50));
    let cache = owner(&shares, Some(&tenant), limits(20, 40));
    let charter = Charter::of(&cache).unwrap();
    assert_eq!(charter.check_sizes(10, 40), Ok(()));
    let long_key = |key_bytes, key_bytes_max| {
        Err(Refusal::KeyTooLong {
            key_bytes,
            key_bytes_max,
        })
    };
    assert_eq!(charter.check_sizes(11, 40), long_key(11, 10));
    assert_eq!(charter.check_sizes(21, 41), long_key(21, 20));
    let large = Refusal::ItemTooLarge {
        item_bytes: u64::MAX,
        item_bytes_max: 40,
    };
    assert_eq!(charter.check_sizes(1, u64::MAX), Err(large));
}

#[test]
fn a_time_to_live_is_bounded_by_each_charter_in_turn() {
    let shares = shares();
    let bounded = |ttl_max: Option<Duration>, long_ttl| Limits {
        ttl_max,
        long_ttl,
        ..Limits::default()
    };
    let bound = |of_tenant: Limits, of_cache: Limits, ttl, asked| {
        let tenant = owner(&shares, None, of_tenant);
        let cache = owner(&shares, Some(&tenant), of_cache);
        Charter::of(&cache).unwrap().bound_ttl(ttl, asked)
    };
    let (free, clamp) = (Limits::default(), LongTtl::Clamp);
    let reject = bounded(Some(5 * S), LongTtl::Reject);
    let too_long = Err(TtlError::TooLong { ttl_max: 5 * S });
    assert_eq!(bound(free, free, None, true), Ok(None));
    assert_eq!(
        bound(free, free, Some(Duration::MAX), true),
        Ok(Some(Duration::MAX))
    );
    assert_eq!(bound(reject, free, Some(6 * S), true), too_long);
    assert_eq!(bound(reject, free, Some(6 * S), false), Ok(Some(5 * S)));
    assert_eq!(bound(free, reject, None, false), Ok(Some(5 * S)));
    let clamps = bounded(Some(3 * S), clamp);
    assert_eq!(bound(clamps, reject, Some(4 * S), true), Ok(Some(3 * S)));
    assert_eq!(bound(clamps, reject, Some(6 * S), true), too_long);
    // A bound that can't be told in nanoseconds is none; one just below is one.
    let (last, huge) = (Duration::from_nanos(NONE - 1), Duration::from_nanos(NONE));
    for long_ttl in [LongTtl::Reject, clamp] {
        let none = bounded(Some(huge), long_ttl);
        assert_eq!(
            bound(none, none, Some(Duration::MAX), true),
            Ok(Some(Duration::MAX))
        );
    }
    assert_eq!(
        bound(bounded(Some(last), clamp), free, Some(huge), true),
        Ok(Some(last))
    );
}

#[test]
fn limits_that_contradict_themselves_are_told_apart() {
    let times = |default_ttl, ttl_max| Limits {
        default_ttl,
        ttl_max,
        ..Limits::default()
    };
    assert_eq!(times(None, None).check(), Ok(()));
    assert_eq!(times(Some(S), Some(S)).check(), Ok(()));
    assert_eq!(times(Some(Duration::MAX), None).check(), Ok(()));
    let too_long = Err(TtlError::TooLong { ttl_max: S });
    assert_eq!(times(Some(2 * S), Some(S)).check(), too_long);
    assert_eq!(
        times(Some(Duration::ZERO), None).check(),
        Err(TtlError::Zero)
    );
    assert_eq!(
        times(None, Some(Duration::ZERO)).check(),
        Err(TtlError::Zero)
    );
}

#[test]
fn a_directory_makes_a_name_once_and_nothing_for_who_is_refused() {
    let (shares, directory) = (shares(), Directory::default());
    let n_made = Cell::new(0);
    let make = || {
        n_made.set(n_made.get() + 1);
        Ok((owner(&shares, None, Limits::default()), n_made.get()))
    };
    assert_eq!(directory.create(named("b"), Some(2), make), Ok(1));
    assert_eq!(
        directory.create(named("b"), None, make),
        Err(TenantError::AlreadyExists)
    );
    assert_eq!(directory.create(named("a"), Some(2), make), Ok(2));
    let full = Err(TenantError::TooManyCaches { n_max: 2 });
    assert_eq!(directory.create(named("c"), Some(2), make), full);
    // A lowered count forbids new names, and takes none away.
    assert!(directory.create(named("c"), Some(0), make).is_err());
    let failed: Result<(), _> =
        directory.create(named("c"), None, || Err(TenantError::NoSuchTenant));
    assert_eq!(failed, Err(TenantError::NoSuchTenant));
    assert!(directory.find(named("c")).is_none());
    assert_eq!(n_made.get(), 2);
    let names = directory.list().into_iter().map(|(name, _)| name);
    assert!(names.eq(["a", "b"]));
}

#[test]
fn an_owner_is_ended_once_before_its_name_is_free() {
    let (shares, directory) = (shares(), Directory::default());
    for name in ["a", "b", "c"] {
        let make = || Ok((owner(&shares, None, Limits::default()), ()));
        directory.create(named(name), None, make).unwrap();
    }
    let mut ended = Vec::new();
    assert!(directory.take(named("b"), |owner| ended.push(owner.pool())));
    assert!(!directory.take(named("b"), |owner| ended.push(owner.pool())));
    directory.take_all(|owner| ended.push(owner.pool()));
    directory.take_all(|owner| ended.push(owner.pool()));
    assert_eq!(ended, [2, 1, 3]);
}

#[test]
fn a_directory_that_ends_parts_tenants_from_their_caches() {
    let (shares, directory) = (shares(), Directory::default());
    let tenant = owner(&shares, None, Limits::default());
    let caches = Charter::of(&tenant).unwrap().caches();
    let cache = owner(&shares, Some(&tenant), Limits::default());
    let weak = (Arc::downgrade(&tenant), Arc::downgrade(&cache));
    caches.create(named("c"), None, || Ok((cache, ()))).unwrap();
    directory
        .create(named("t"), None, || Ok((tenant, ())))
        .unwrap();
    drop(directory);
    assert!(weak.0.upgrade().is_none() && weak.1.upgrade().is_none());
    assert_eq!(Arc::strong_count(&shares), 1);
}
