//! Rate limiters: `cargo run --release -p rivals --bin limiter [-- FILTER]`.
//!
//! # Idea         a hot tenant asks from one thread and from two, far below its limit and far above; then ten thousand tenants are
//!   looked up and asked. Tenants of the peers without keys are held directly, which is less than they would need
//! # Costs        less than a minute
//! # Invariants   LB1 all lanes of a row see the same tenants in the same order; LB2 ahash for every map; larder meters operations
//!   and bytes, the peers operations alone
//! # Not here     look-up in the registry of tenants: a cache of limiters stands for it

use std::hint::black_box;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use governor::clock::DefaultClock;
use governor::state::keyed::DashMapStateStore;
use governor::{DefaultDirectRateLimiter, Quota};
use larder::{Cache, Rate, RateLimiter, Rates};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};
use rivals::measure::Outcome;
use rivals::table::{Goal, Lane, Row, print_verdict};
use rivals::time::{now, thread_ns};

/// Requests a thread and round.
const N_OPS: usize = 500_000;
/// Rounds that count; one more warms up.
const N_ROUNDS: usize = 11;
const N_TENANTS: u64 = 10_000;
/// Bytes of a request.
const N_BYTES: u64 = 100;

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
        "hot tenant, all pass, 1 thread",
        AMPLE,
        1,
        Tenants::One,
        0.45,
    ),
    plan(
        "hot tenant, all pass, 2 threads",
        AMPLE,
        2,
        Tenants::One,
        0.12,
    ),
    plan(
        "hot tenant, refused, 1 thread",
        SCANT,
        1,
        Tenants::One,
        0.45,
    ),
    plan(
        "hot tenant, refused, 2 threads",
        SCANT,
        2,
        Tenants::One,
        0.12,
    ),
    plan(
        "10k tenants with look-up, uniform, 2 threads",
        AMPLE,
        2,
        Tenants::Uniform,
        0.30,
    ),
    plan(
        "10k tenants with look-up, zipf, 2 threads",
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

fn main() -> ExitCode {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let mut rows = Vec::new();
    for plan in PLANS.iter().filter(|plan| plan.name.contains(&filter)) {
        let row = run(plan);
        row.print();
        rows.push(row);
    }
    print_verdict(&rows);
    ExitCode::SUCCESS
}

fn run(plan: &Plan) -> Row {
    let field = if plan.tenants == Tenants::One {
        hot_field(plan.per_second)
    } else {
        wide_field(plan.per_second)
    };
    let streams: Vec<Vec<u64>> = (0..plan.n_threads)
        .map(|thread| stream(plan.tenants, thread as u64))
        .collect();
    let mut lanes: Vec<Lane> = field
        .iter()
        .map(|(name, _)| Lane {
            name: (*name).to_owned(),
            outcomes: Vec::new(),
        })
        .collect();
    for round in 0..=N_ROUNDS {
        // The order turns, so that nobody always follows the same neighbour.
        for turn in 0..field.len() {
            let at = (turn + round) % field.len();
            let outcome = measure(field[at].1.as_ref(), &streams);
            if round > 0 {
                lanes[at].outcomes.push(outcome);
            }
        }
    }
    let unit = field
        .iter()
        .position(|(name, _)| *name == UNIT)
        .expect("the unit is in every field");
    Row {
        name: plan.name,
        lanes,
        unit,
        goal: Some(Goal {
            ratio_max: plan.ratio_max,
            later: None,
        }),
    }
}

fn stream(tenants: Tenants, seed: u64) -> Vec<u64> {
    let mut random = SmallRng::seed_from_u64(seed);
    let zipf = Zipf::new(N_TENANTS as f64, 0.99).expect("a skew above zero over at least one");
    (0..N_OPS)
        .map(|_| match tenants {
            Tenants::One => 0,
            Tenants::Uniform => random.random_range(0..N_TENANTS),
            Tenants::Zipf => zipf.sample(&mut random) as u64 - 1,
        })
        .collect()
}

/// One thread: its processor time. More: real time, or their waiting for each other would go unseen.
fn measure(contender: &dyn Ask, streams: &[Vec<u64>]) -> Outcome {
    let (ns, n_passed) = if let [stream] = streams {
        let begin = thread_ns();
        let n_passed = contender.ask_all(stream);
        (thread_ns() - begin, n_passed)
    } else {
        let barrier = Barrier::new(streams.len());
        let barrier = &barrier;
        let results: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = streams
                .iter()
                .map(|stream| {
                    scope.spawn(move || {
                        barrier.wait();
                        let begin = now();
                        let n_passed = contender.ask_all(stream);
                        (begin.elapsed().as_nanos() as u64, n_passed)
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no limiter panics"))
                .collect()
        });
        let sum = |part: fn(&(u64, usize)) -> u64| results.iter().map(part).sum();
        (sum(|of| of.0), sum(|of| of.1 as u64) as usize)
    };
    let n_asked = N_OPS * streams.len();
    Outcome {
        ns: ns as f64 / n_asked as f64,
        // Printed as hits: the share that passed.
        n_hits: n_passed,
        n_gets: n_asked,
    }
}

// Contenders.

const UNIT: &str = "governor keyed";

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
        ("larder", asked(move |_| larder.check(1, N_BYTES).is_ok())),
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
    let sip = governor::DefaultKeyedRateLimiter::<u64>::keyed(quota(per_second));
    vec![
        ("larder", asked(move |tenant| ask_registry(&larder, tenant))),
        (
            "larder, look-up alone",
            asked(move |tenant| look_up(&alone, tenant)),
        ),
        (UNIT, asked(move |tenant| keyed.check_key(&tenant).is_ok())),
        (
            "governor keyed, SipHash",
            asked(move |tenant| sip.check_key(&tenant).is_ok()),
        ),
    ]
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
