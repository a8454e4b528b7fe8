//! The rows of rate limiters.
//!
//! # Idea         a hot tenant asks from one thread and from two, far below its limit and far above; then ten thousand tenants are
//!   looked up and asked. Tenants of the peers without keys are held directly, which is less than they would need
//! # Costs        some minutes
//! # Invariants   LB1 all lanes of a row see the same tenants in the same order; LB2 ahash for every map; larder meters operations
//!   and bytes, the peers operations alone
//! # Not here     a goal for tenants of a cache by name and for the keyed limiter: the goal's row has a cache of limiters, which is the
//!   quickest of the three, and the others stand beside it

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::DefaultClock;
use governor::state::keyed::DashMapStateStore;
use governor::{DefaultDirectRateLimiter, Quota};
use larder::{Algorithm, Cache, Cost, Limiter, Limits, Rate, RateLimiter, Rates};

use super::pace::{Paces, Side};
use super::{Scale, Wish, ratio_max, tell};
use crate::judge::{Lane, Row};
use crate::keys;
use crate::threads::race;

const N_TENANTS: u64 = 10_000;
/// Bytes of a request.
const N_BYTES: u64 = 100;

/// How many times as many requests a round has as there are operations in one of a cache's. A lease lasts up to 32 ms, so a round that
/// is over in less shows how ten thousand tenants begin, and not how they go on.
const LASTING: usize = 10;

/// A limit that is never reached, and one that is reached at once.
const AMPLE: u32 = 1_000_000_000;
const SCANT: u32 = 1000;

/// Whether a tenant's request passes.
type Contender = Box<dyn Ask>;

/// A limiter, set up. The loop is within, so that a request costs no call through a table.
trait Ask: Sync {
    /// How many of these tenants' requests pass.
    fn ask_all(&self, tenants: &[u64]) -> usize;
}

struct Asked<F>(F);

impl<F: Fn(u64) -> bool + Sync> Ask for Asked<F> {
    fn ask_all(&self, tenants: &[u64]) -> usize {
        tenants
            .iter()
            .filter(|&&tenant| black_box((self.0)(tenant)))
            .count()
    }
}

fn asked(ask: impl Fn(u64) -> bool + Sync + 'static) -> Contender {
    Box::new(Asked(ask))
}

/// One row: who takes part, and what they are asked.
struct Plan {
    name: &'static str,
    per_second: u32,
    n_threads: usize,
    tenants: Tenants,
    ratio_max: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tenants {
    One,
    Uniform,
    Zipf,
}

const PLANS: [Plan; 6] = [
    plan(
        "limiter hot tenant, all pass, 1 thread",
        AMPLE,
        1,
        Tenants::One,
        0.40,
    ),
    plan(
        "limiter hot tenant, all pass, 2 threads",
        AMPLE,
        2,
        Tenants::One,
        0.10,
    ),
    plan(
        "limiter hot tenant, refused, 1 thread",
        SCANT,
        1,
        Tenants::One,
        0.40,
    ),
    plan(
        "limiter hot tenant, refused, 2 threads",
        SCANT,
        2,
        Tenants::One,
        0.10,
    ),
    plan(
        "limiter 10k tenants with look-up, uniform, 2 threads",
        AMPLE,
        2,
        Tenants::Uniform,
        0.30,
    ),
    plan(
        "limiter 10k tenants with look-up, zipf, 2 threads",
        AMPLE,
        2,
        Tenants::Zipf,
        0.30,
    ),
];

const fn plan(
    name: &'static str,
    per_second: u32,
    n_threads: usize,
    tenants: Tenants,
    ratio_max: f64,
) -> Plan {
    Plan {
        name,
        per_second,
        n_threads,
        tenants,
        ratio_max,
    }
}

pub(super) fn run(wish: &Wish) -> Vec<Row> {
    let plans = PLANS.iter().filter(|plan| wish.wants(plan.name));
    plans
        .map(|plan| {
            let row = run_plan(plan, &wish.scale);
            tell(&row);
            row
        })
        .collect()
}

fn run_plan(plan: &Plan, scale: &Scale) -> Row {
    let field = if plan.tenants == Tenants::One {
        hot_field(plan.per_second)
    } else {
        wide_field(plan.per_second)
    };
    let n_ops = LASTING * scale.n_ops;
    let streams: Vec<Vec<u64>> = (0..plan.n_threads as u64)
        .map(|thread| stream(plan.tenants, n_ops, thread))
        .collect();
    let mut lanes: Vec<Lane> = field.iter().map(|(name, _)| Lane::new(*name)).collect();
    let mut n_passed = vec![0; field.len()];
    // One thread hands nothing over.
    let mut paces = (plan.n_threads > 1).then(Paces::default);
    for round in 0..=scale.n_rounds {
        paces.iter_mut().for_each(Paces::begin);
        // The order turns, so that nobody always follows the same neighbour.
        for turn in 0..field.len() {
            let at = (turn + round) % field.len();
            let contender = &field[at].1;
            let results = race(streams.iter().collect(), |stream| contender.ask_all(stream));
            if round > 0 {
                let ns: u64 = results.iter().map(|result| result.0).sum();
                let n_asked = streams.len() * n_ops;
                let sample = ns as f64 / n_asked as f64;
                lanes[at].samples.push(sample);
                if let Some(paces) = &mut paces {
                    paces.note(side_of(&lanes[at].name), sample);
                }
                n_passed[at] += results.iter().map(|result| result.1).sum::<usize>();
            }
        }
    }
    let base = lanes.iter().position(|lane| lane.name == UNIT);
    let passed = n_passed.iter().zip(&lanes).map(|(n_passed, lane)| {
        let n_asked = streams.len() * n_ops * scale.n_rounds;
        format!(
            "{} {:.2}",
            lane.name,
            100.0 * *n_passed as f64 / n_asked as f64
        )
    });
    let mut note = format!("passed, %: {}", passed.collect::<Vec<_>>().join(", "));
    if let Some(told) = paces.map(|paces| paces.tell()) {
        note = [note, told].join("; ");
    }
    if plan.tenants != Tenants::One {
        let without = WITHOUT_KEYS.map(|name| Lane::absent(name, "has no keys"));
        lanes.extend(without);
    }
    Row {
        name: plan.name.to_owned(),
        section: "limiter",
        unit: "ns",
        lanes,
        base,
        goal: ratio_max(plan.ratio_max),
        note: Some(note),
    }
}

fn side_of(name: &str) -> Option<Side> {
    match name {
        LARDER => Some(Side::Larder),
        UNIT => Some(Side::Base),
        _ => None,
    }
}

fn stream(tenants: Tenants, n_ops: usize, seed: u64) -> Vec<u64> {
    match tenants {
        Tenants::One => vec![0; n_ops],
        Tenants::Uniform => keys::uniform(N_TENANTS as usize, n_ops, seed),
        Tenants::Zipf => keys::zipf(N_TENANTS as usize, n_ops, seed),
    }
}

// Contenders.

const LARDER: &str = "larder";
const UNIT: &str = "governor keyed";
const WITHOUT_KEYS: [&str; 3] = ["governor direct", "ratelimit", "leaky-bucket"];

type Keyed = governor::RateLimiter<u64, DashMapStateStore<u64, ahash::RandomState>, DefaultClock>;

fn quota(per_second: u32) -> Quota {
    Quota::per_second(NonZeroU32::new(per_second).expect("a rate above zero"))
}

fn governor_keyed(per_second: u32) -> Keyed {
    Keyed::dashmap_with_hasher(quota(per_second), ahash::RandomState::new())
}

fn rates(per_second: u32) -> Rates {
    let per_second = u64::from(per_second);
    Rates {
        operations: Some(Rate::per_second(per_second)),
        bytes: Some(Rate::per_second(10 * N_BYTES * per_second)),
    }
}

/// A tenant that is held by whoever asks, but for the peer that has keys only.
fn hot_field(per_second: u32) -> Vec<(&'static str, Contender)> {
    let larder = RateLimiter::new(rates(per_second));
    let keyed = governor_keyed(per_second);
    let direct = DefaultDirectRateLimiter::direct(quota(per_second));
    let ratelimit = ratelimit::Ratelimiter::builder(u64::from(per_second))
        .max_tokens(u64::from(per_second))
        .initial_available(u64::from(per_second))
        .build()
        .expect("a valid configuration");
    let leaky = leaky_bucket::RateLimiter::builder()
        .max(per_second as usize)
        .initial(per_second as usize)
        .refill(per_second as usize / 100)
        .interval(Duration::from_millis(10))
        .build();
    vec![
        (LARDER, asked(move |_| larder.check(1, N_BYTES).is_ok())),
        (UNIT, asked(move |tenant| keyed.check_key(&tenant).is_ok())),
        ("governor direct", asked(move |_| direct.check().is_ok())),
        ("ratelimit", asked(move |_| ratelimit.try_wait().is_ok())),
        ("leaky-bucket", asked(move |_| leaky.try_acquire(1))),
    ]
}

/// Tenants that are looked up for each request.
fn wide_field(per_second: u32) -> Vec<(&'static str, Contender)> {
    let (larder, alone) = (registry(per_second), registry(per_second));
    let keyed = governor_keyed(per_second);
    let by_name = tenants(per_second);
    let names: Vec<String> = (0..N_TENANTS).map(tenant_name).collect();
    let limiter = keyed_limiter(per_second);
    let sip = governor::DefaultKeyedRateLimiter::<u64>::keyed(quota(per_second));
    vec![
        (LARDER, asked(move |tenant| ask_registry(&larder, tenant))),
        (
            "larder, look-up alone",
            asked(move |tenant| look_up(&alone, tenant)),
        ),
        (
            "larder, tenant of a cache by name",
            asked(move |tenant| {
                let tenant = by_name.tenant(&names[tenant as usize]);
                tenant.is_ok_and(|tenant| tenant.admit(Cost::calls(1).and_bytes(N_BYTES)).is_ok())
            }),
        ),
        (
            "larder, keyed limiter",
            asked(move |tenant| limiter.check(tenant, 1).is_ok()),
        ),
        (UNIT, asked(move |tenant| keyed.check_key(&tenant).is_ok())),
        (
            "governor keyed, SipHash",
            asked(move |tenant| sip.check_key(&tenant).is_ok()),
        ),
    ]
}

fn tenant_name(tenant: u64) -> String {
    format!("tenant-{tenant:06}")
}

/// All tenants of one cache, as its users have them.
fn tenants(per_second: u32) -> Cache<[u8]> {
    let cache = Cache::builder()
        .max_bytes(64 << 20)
        .build()
        .expect("a valid configuration");
    let limits = Limits {
        rates: rates(per_second),
        ..Limits::default()
    };
    for tenant in 0..N_TENANTS {
        let created = cache.create_tenant(&tenant_name(tenant), limits);
        created.expect("each name is new");
    }
    cache
}

/// A burst that is not used up, of a rate at which keys aren't forgotten between two requests.
fn keyed_limiter(burst: u32) -> Limiter {
    let algorithm = Algorithm::TokenBucket {
        calls: 1000,
        period: Duration::from_secs(1),
        burst: u64::from(burst),
    };
    let limiter = Limiter::builder(algorithm).build();
    limiter.expect("a valid configuration")
}

/// All tenants, each with its limits.
fn registry(per_second: u32) -> Cache<RateLimiter> {
    let cache = Cache::builder()
        .max_entries(4 * N_TENANTS)
        .build()
        .expect("a valid configuration");
    for tenant in 0..N_TENANTS {
        let limiter = RateLimiter::new(rates(per_second));
        let inserted = cache.insert(tenant, limiter);
        inserted.expect("there is room for every tenant");
    }
    cache
}

/// Looks a tenant up, and asks it.
fn ask_registry(registry: &Cache<RateLimiter>, tenant: u64) -> bool {
    let passed = registry.read(tenant, |limiter| limiter.check(1, N_BYTES).is_ok());
    passed.expect("every tenant is registered")
}

/// What of that is the look-up.
fn look_up(registry: &Cache<RateLimiter>, tenant: u64) -> bool {
    registry
        .read(tenant, |limiter| {
            black_box(limiter);
        })
        .is_some()
}
