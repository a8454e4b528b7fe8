//! A cache with three tenants, and what the test knows about it.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use larder::{Cache, Limits, ManualClock, OwnedScope, Tenant, TenantError, Usage};

use super::super::{by_hand, guaranteed};

pub(super) const N_TENANTS: usize = 3;
/// Of each tenant: itself, and two named caches.
const POOLS_EACH: usize = 3;
pub(super) const N_POOLS: usize = N_TENANTS * POOLS_EACH;
/// Of each pool: the cache, and a scope in it; and a scope of nobody's.
const PLACES_EACH: usize = 2;
pub(super) const N_PLACES: usize = 1 + N_POOLS * PLACES_EACH;

/// Lengths of values.
pub(super) const LENGTHS: [usize; 6] = [0, 10, 100, 400, 1500, 5000];

/// What an entry in a scope is charged for.
pub(super) fn charge(length: usize) -> u64 {
    static CHARGES: OnceLock<HashMap<usize, u64>> = OnceLock::new();
    let measure = |length| {
        let (cache, _clock) = by_hand(1 << 20, 1);
        let scope = cache.scope("scope").unwrap();
        scope.insert(1u64, vec![0; length]).unwrap();
        cache.stats().live_bytes
    };
    CHARGES.get_or_init(|| LENGTHS.map(|length| (length, measure(length))).into())[&length]
}

/// Where entries can be.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) view: OwnedScope<[u8]>,
    pub(super) tenant: Option<usize>,
    pub(super) at: usize,
}

impl Place {
    /// Who is charged: the named cache if there is one, and the tenant.
    pub(super) fn pools(&self) -> impl Iterator<Item = usize> + use<> {
        let own = pool_at(self.at);
        let tenant = self.tenant.map(|tenant| tenant * POOLS_EACH);
        let own = own.filter(|_| own != tenant);
        own.into_iter().chain(tenant)
    }
}

fn pool_at(at: usize) -> Option<usize> {
    Some(at.checked_sub(1)? / PLACES_EACH)
}

pub(super) fn tenant_of(at: usize) -> Option<usize> {
    pool_at(at).map(|pool| pool / POOLS_EACH)
}

fn is_tenant(pool: usize) -> bool {
    pool.is_multiple_of(POOLS_EACH)
}

/// A pool and those below it.
fn family(pool: usize) -> impl Iterator<Item = usize> {
    let n = if is_tenant(pool) { POOLS_EACH } else { 1 };
    pool..pool + n
}

/// Whether a place goes with a tenant or a named cache.
pub(super) fn is_of(at: usize, pool: usize) -> bool {
    let is_all = is_tenant(pool) && tenant_of(at) == Some(pool / POOLS_EACH);
    is_all || pool_at(at) == Some(pool)
}

/// Whether a place is invalidated with another: a cache with its scope.
pub(super) fn ends_with(place: &Place, at: usize) -> bool {
    let is_cache = place.at != 0 && (place.at - 1).is_multiple_of(PLACES_EACH);
    place.at == at || is_cache && pool_at(at) == pool_at(place.at)
}

/// What there was at a moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    pub(super) present: HashSet<(usize, u64)>,
    pub(super) usages: Vec<u64>,
    pub(super) guaranteed: Vec<u64>,
    max: Vec<u64>,
    pub(super) structure: u64,
    weight: u64,
}

impl Snapshot {
    /// Whether somebody has to give way to an insert at a place: if a pool of its own is full, among its own; else also other tenants
    /// above their guarantee, and nobody's entries.
    pub(super) fn somebody_gives_way(&self, place: &Place, cost: u64) -> bool {
        let claimer = place.pools().next();
        let gives = |pool: usize| {
            let more = if Some(pool) == claimer { cost } else { 0 };
            let (own, below) = (
                self.own_bytes(pool),
                self.usages[pool] - self.own_bytes(pool),
            );
            // Beside caches of its own, a tenant's other entries are guaranteed nothing.
            let kept = if below > 0 { 0 } else { self.guaranteed[pool] };
            own > 0 && own + more > kept
        };
        let is_full = |&pool: &usize| self.usages[pool] + cost > self.max[pool];
        if let Some(full) = place.pools().find(is_full) {
            return family(full).any(gives);
        }
        let tenant_gives = |tenant: usize| {
            let pool = tenant * POOLS_EACH;
            let is_own = Some(tenant) == place.tenant;
            let more = if is_own { cost } else { 0 };
            self.usages[pool] + more > self.guaranteed[pool] && family(pool).any(gives)
        };
        let nobodys = self.present.iter().any(|&(at, _)| at == 0);
        nobodys || (0..N_TENANTS).any(tenant_gives)
    }

    /// What a pool takes without those below it.
    fn own_bytes(&self, pool: usize) -> u64 {
        let below = family(pool).skip(1).map(|pool| self.usages[pool]);
        self.usages[pool] - below.sum::<u64>()
    }

    /// By how much other tenants are above their guarantees, in all.
    pub(super) fn excess_of_others(&self, own: Option<usize>) -> u64 {
        let others = (0..N_TENANTS).filter(|&tenant| Some(tenant) != own);
        let pools = others.map(|tenant| tenant * POOLS_EACH);
        pools
            .map(|pool| self.usages[pool].saturating_sub(self.guaranteed[pool]))
            .sum()
    }
}

pub(super) struct World {
    pub(super) cache: Cache<[u8]>,
    pub(super) clock: ManualClock,
    pub(super) places: Vec<Place>,
    /// Before the operation that is checked.
    pub(super) now: Snapshot,
    /// Whether the bound was ever changed.
    pub(super) is_resized: bool,
}

/// What a stripe keeps claimed for its next writes: two chunks.
const CLAIMED_MAX: u64 = 8 << 10;

impl World {
    pub(super) fn new(capacity: u64, stripes: usize) -> World {
        let (cache, clock) = by_hand(capacity, stripes);
        let mut world = World {
            cache,
            clock,
            places: Vec::new(),
            now: Snapshot::default(),
            is_resized: false,
        };
        for pool in (0..N_POOLS).filter(|&pool| is_tenant(pool)) {
            let limits = Limits {
                max_bytes: Some(1 << 30),
                ..guaranteed(capacity / 8)
            };
            world.make(pool, limits);
        }
        world.find_places();
        world
    }

    fn make(&self, pool: usize, limits: Limits) {
        let limits_below = Limits {
            guaranteed_bytes: limits.guaranteed_bytes / 4,
            ..limits
        };
        if is_tenant(pool) {
            let tenant = self.cache.create_tenant(&name(pool), limits).unwrap();
            for below in pool + 1..pool + POOLS_EACH {
                tenant.create_cache(&name(below), limits_below).unwrap();
            }
        } else {
            let tenant = self.tenant(pool / POOLS_EACH);
            tenant.create_cache(&name(pool), limits).unwrap();
        }
    }

    fn find_places(&mut self) {
        let root = self.cache.scope("nobody's").unwrap();
        let mut views = vec![root.into_owned()];
        for pool in 0..N_POOLS {
            let tenant = self.tenant(pool / POOLS_EACH);
            let cache = if is_tenant(pool) {
                tenant.default_cache().unwrap()
            } else {
                tenant.cache(&name(pool)).unwrap()
            };
            views.push(cache.scope().into_owned());
            views.push(cache.scope().scope("nested").unwrap().into_owned());
        }
        let place = |(at, view)| Place {
            view,
            tenant: tenant_of(at),
            at,
        };
        self.places = views.into_iter().enumerate().map(place).collect();
    }

    /// Deletes a tenant or a named cache, and makes it anew.
    pub(super) fn renew(&mut self, pool: usize) {
        let limits = self.limits(pool);
        let stale = self.places.iter().find(|place| is_of(place.at, pool));
        let stale = stale.unwrap().view.clone();
        let is_deleted = if is_tenant(pool) {
            self.cache.delete_tenant(&name(pool))
        } else {
            self.tenant(pool / POOLS_EACH).delete_cache(&name(pool))
        };
        assert!(is_deleted);
        self.make(pool, limits);
        assert_eq!(self.usage(pool), Usage::default());
        assert!(stale.insert(1u64, [1]).is_err());
        self.find_places();
        self.now.usages[pool] = 0;
    }

    pub(super) fn tenant(&self, tenant: usize) -> Tenant<'_, [u8]> {
        self.cache.tenant(&name(tenant * POOLS_EACH)).unwrap()
    }

    pub(super) fn usage(&self, pool: usize) -> Usage {
        let tenant = self.tenant(pool / POOLS_EACH);
        if is_tenant(pool) {
            return tenant.usage();
        }
        tenant.cache(&name(pool)).unwrap().usage()
    }

    pub(super) fn limits(&self, pool: usize) -> Limits {
        let tenant = self.tenant(pool / POOLS_EACH);
        if is_tenant(pool) {
            return tenant.limits().unwrap();
        }
        tenant.cache(&name(pool)).unwrap().limits().unwrap()
    }

    pub(super) fn set_limits(&self, pool: usize, limits: Limits) -> Result<(), TenantError> {
        let tenant = self.tenant(pool / POOLS_EACH);
        if is_tenant(pool) {
            return tenant.set_limits(limits);
        }
        tenant.cache(&name(pool)).unwrap().set_limits(limits)
    }

    pub(super) fn capacity(&self) -> u64 {
        self.cache.capacity().max_bytes.unwrap()
    }

    pub(super) fn guaranteed_in_all(&self) -> u64 {
        let tenants = self.cache.tenants().into_iter();
        tenants.map(|(_, limits)| limits.guaranteed_bytes).sum()
    }

    /// Everything that is found at this moment.
    pub(super) fn present(&self) -> HashSet<(usize, u64)> {
        let keys = |place: &Place| {
            let view = place.view.clone();
            let at = place.at;
            let found = (0..super::KEYS).filter(move |&key| view.contains_key(key));
            found.map(move |key| (at, key))
        };
        self.places.iter().flat_map(keys).collect()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            present: self.present(),
            usages: (0..N_POOLS).map(|pool| self.usage(pool).bytes).collect(),
            guaranteed: (0..N_POOLS)
                .map(|pool| self.limits(pool).guaranteed_bytes)
                .collect(),
            max: (0..N_POOLS)
                .map(|pool| self.limits(pool).max_bytes.unwrap())
                .collect(),
            structure: self.cache.stats().structure_bytes,
            weight: self.cache.weight(),
        }
    }

    /// What goes by the operation's own meaning.
    pub(super) fn forget(&mut self, goes: impl Fn((usize, u64)) -> bool) {
        self.now.present.retain(|&place| !goes(place));
    }

    /// Property 1.
    pub(super) fn check_sums(&self, what: &str, slack: u64) {
        let weight = self.cache.weight();
        // After it was lowered, an insert may take what its stripe had claimed already, for itself and for the lists that it stands in.
        let bound = if self.is_resized {
            self.capacity().max(self.now.weight) + charge(LENGTHS[5]) + CLAIMED_MAX
        } else {
            self.capacity() + slack
        };
        assert!(weight <= bound, "{what}: {weight} of {bound}");
        let mut all = 0;
        for tenant in 0..N_TENANTS {
            let pool = tenant * POOLS_EACH;
            let below = pool + 1..pool + POOLS_EACH;
            let of_caches: u64 = below.clone().map(|pool| self.usage(pool).bytes).sum();
            let usage = self.usage(pool).bytes;
            assert!(of_caches <= usage, "{what}");
            all += usage;
            for pool in pool..below.end {
                let max = self.limits(pool).max_bytes.unwrap();
                let most = max.max(self.now.usages[pool]);
                let usage = self.usage(pool).bytes;
                assert!(usage <= most, "{what}: pool {pool} has {usage} of {most}");
            }
        }
        assert!(all <= weight, "{what}: {all} of {weight}");
    }

    /// Maintains until nothing more comes of it.
    pub(super) fn settle(&self) {
        let mut n_idle = 0;
        while n_idle < 100 {
            let done = self.cache.maintain(1000);
            if !done.more {
                return;
            }
            n_idle = if done.steps == 0 { n_idle + 1 } else { 0 };
        }
    }

    /// Property 6.
    pub(super) fn check_usages(&self) {
        self.settle();
        let mut sums = [Usage::default(); N_POOLS];
        for place in &self.places {
            for entry in place.view.iter() {
                for pool in place.pools() {
                    sums[pool].entries += 1;
                    sums[pool].bytes += charge(entry.len());
                }
            }
        }
        for (pool, sum) in sums.into_iter().enumerate() {
            assert_eq!(self.usage(pool), sum, "property 6: pool {pool}");
        }
    }
}

fn name(pool: usize) -> String {
    format!("pool {pool}")
}
