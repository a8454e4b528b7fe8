//! What is counted.
//!
//! # Idea         each case prepares for the most operations, does as many as it's told to, and checks that they did what they're named for
//! # Costs        a case counts the loop around its operations, a few instructions each
//! # Invariants   I1 and I2 of the program
//! # Not here     callgrind

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use larder::{
    Algorithm, Builder, Cache, Cost, Limiter, Limits, ManualClock, Rate, RateLimiter, Rates, Ttl,
};

/// Operations of the short run.
pub(crate) const N_OPS: usize = 20_000;
const N_OPS_MAX: usize = 2 * N_OPS;

/// Entries that look-ups find, and for which a full cache has room.
const N_RESIDENT: usize = 20_000;
/// No case that isn't about eviction comes near it.
const ROOM: usize = 1_000_000;
const N_TENANTS: u64 = 10_000;
/// Bytes of a request.
const N_BYTES: u64 = 100;
const TTL: Duration = Duration::from_secs(60);

type Key = [u8; 32];
type Done = Result<(), Box<dyn Error>>;
/// Does so many operations.
type Case = fn(usize) -> Done;

/// Names and cases.
pub(crate) const CASES: [(&str, Case); 12] = [
    ("get", get),
    ("read", read),
    ("insert", insert),
    ("churn", churn),
    ("get-ttl", get_ttl),
    ("churn-ttl", churn_ttl),
    ("load", load),
    ("expire", expire),
    ("admit", admit),
    ("refuse", refuse),
    ("admit-tenant", admit_tenant),
    ("admit-key", admit_key),
];

fn get(n_ops: usize) -> Done {
    let cache = filled(ROOM)?;
    get_all(&cache, n_ops)
}

fn read(n_ops: usize) -> Done {
    let cache = filled(ROOM)?;
    let keys = known();
    let n_hits = keys[..n_ops]
        .iter()
        .filter(|key| cache.read(&key[..], |value| black_box(value)[0]).is_some())
        .count();
    expect("hits", n_hits, n_ops)
}

/// New keys, and room for them.
fn insert(n_ops: usize) -> Done {
    let cache = filled(ROOM)?;
    for key in &fresh()[..n_ops] {
        cache.insert(&key[..], &VALUE[..])?;
    }
    expect("entries", cache.len(), N_RESIDENT + n_ops)?;
    leave(cache)
}

/// New keys, and for each somebody has to leave.
fn churn(n_ops: usize) -> Done {
    let cache = filled(N_RESIDENT)?;
    for key in &fresh()[..n_ops] {
        cache.insert(&key[..], &VALUE[..])?;
    }
    let stats = cache.stats();
    if stats.evicted < n_ops as u64 / 2 {
        return Err(format!("only {} of {n_ops} inserts evicted", stats.evicted).into());
    }
    leave(cache)
}

/// Entries with deadlines, all far away, by the system's clock.
fn get_ttl(n_ops: usize) -> Done {
    let cache = filled_by(fixed(ROOM).default_ttl(1000 * TTL))?;
    get_all(&cache, n_ops)
}

/// As churn, and each entry has a deadline that isn't reached.
fn churn_ttl(n_ops: usize) -> Done {
    let cache = filled_by(fixed(N_RESIDENT).default_ttl(1000 * TTL))?;
    for key in &fresh()[..n_ops] {
        cache.insert(&key[..], &VALUE[..])?;
    }
    leave(cache)
}

/// As churn, by loaders.
fn load(n_ops: usize) -> Done {
    let cache = filled(N_RESIDENT)?;
    for key in &fresh()[..n_ops] {
        cache.get_or_insert_with(&key[..], Ttl::DEFAULT, || &VALUE[..])?;
    }
    let stats = cache.stats();
    if stats.loads != n_ops as u64 {
        return Err(format!("{} of {n_ops} keys were loaded", stats.loads).into());
    }
    leave(cache)
}

/// Entries that nobody asks for any more are taken out; those of the short run come due first.
fn expire(n_ops: usize) -> Done {
    let clock = ManualClock::new();
    let cache = fixed(ROOM).clock(clock.clone()).build()?;
    for (idx, key) in fresh().iter().enumerate() {
        let ttl = if idx < n_ops { TTL } else { 1000 * TTL };
        cache.insert_with_ttl(&key[..], &VALUE[..], ttl)?;
    }
    clock.advance(2 * TTL);
    while cache.maintain(4096).more {}
    expect("entries", cache.len(), N_OPS_MAX - n_ops)?;
    leave(cache)
}

/// A tenant far below its limit, whoever holds it.
fn admit(n_ops: usize) -> Done {
    let limiter = RateLimiter::new(ample());
    let n_admitted = (0..n_ops)
        .filter(|_| black_box(&limiter).check(1, N_BYTES).is_ok())
        .count();
    expect("admitted", n_admitted, n_ops)
}

/// A tenant at its limit.
fn refuse(n_ops: usize) -> Done {
    let limiter = RateLimiter::new(Rates {
        operations: Some(Rate::per_day(1)),
        bytes: Some(Rate::per_day(10 * N_BYTES)),
    });
    limiter.check(1, N_BYTES)?;
    let n_refused = (0..n_ops)
        .filter(|_| black_box(&limiter).check(1, N_BYTES).is_err())
        .count();
    expect("refused", n_refused, n_ops)
}

/// A tenant of a cache, by the handle that a request looks up first.
fn admit_tenant(n_ops: usize) -> Done {
    let cache = fixed(ROOM).build()?;
    let limits = Limits {
        rates: ample(),
        ..Limits::default()
    };
    cache.create_tenant("tenant", limits)?;
    let cost = Cost::calls(1).and_bytes(N_BYTES);
    let n_admitted = (0..n_ops)
        .filter(|_| {
            let tenant = black_box(&cache).tenant("tenant");
            tenant.is_ok_and(|tenant| tenant.admit(cost).is_ok())
        })
        .count();
    expect("admitted", n_admitted, n_ops)
}

/// One of ten thousand keys, each with a bucket of its own.
fn admit_key(n_ops: usize) -> Done {
    let limiter = Limiter::builder(Algorithm::TokenBucket {
        calls: 1_000_000_000,
        period: Duration::from_secs(1),
        burst: 1_000_000_000,
    })
    .clock(ManualClock::new())
    .stripes(4)
    .hash_seeds(SEEDS)
    .build()?;
    for tenant in 0..N_TENANTS {
        limiter.check(tenant, 1)?;
    }
    let mut draw = Draw::new(5);
    let n_admitted = (0..n_ops)
        .filter(|_| limiter.check(draw.below(N_TENANTS), 1).is_ok())
        .count();
    expect("admitted", n_admitted, n_ops)
}

const VALUE: [u8; 64] = [7; 64];
const SEEDS: [u64; 4] = [1, 2, 3, 4];

fn fixed(room: usize) -> Builder<[u8]> {
    Cache::builder()
        .max_entries(room as u64)
        .stripes(4)
        .hash_seeds(SEEDS)
}

/// In one place, so that it is the same code for all.
fn get_all(cache: &Cache<[u8]>, n_ops: usize) -> Done {
    let keys = known();
    let n_hits = keys[..n_ops]
        .iter()
        .filter(|key| black_box(cache.get(&key[..])).is_some())
        .count();
    expect("hits", n_hits, n_ops)
}

fn filled(room: usize) -> Result<Cache<[u8]>, Box<dyn Error>> {
    filled_by(fixed(room))
}

fn filled_by(builder: Builder<[u8]>) -> Result<Cache<[u8]>, Box<dyn Error>> {
    let cache = builder.build()?;
    for idx in 0..N_RESIDENT as u64 {
        cache.insert(&key(idx)[..], &VALUE[..])?;
    }
    Ok(cache)
}

fn ample() -> Rates {
    Rates {
        operations: Some(Rate::per_second(1_000_000_000)),
        bytes: Some(Rate::per_second(1_000_000_000 * N_BYTES)),
    }
}

fn key(idx: u64) -> Key {
    let mut key = *b"subscription/profile/0123456789a";
    key[24..].copy_from_slice(&idx.to_le_bytes());
    key
}

/// Keys that `filled` knows, each drawn anew.
fn known() -> Vec<Key> {
    let mut draw = Draw::new(3);
    (0..N_OPS_MAX)
        .map(|_| key(draw.below(N_RESIDENT as u64)))
        .collect()
}

/// Keys that it doesn't know.
fn fresh() -> Vec<Key> {
    (0..N_OPS_MAX as u64)
        .map(|idx| key(N_RESIDENT as u64 + idx))
        .collect()
}

fn expect(what: &str, count: usize, n_ops: usize) -> Done {
    if count == n_ops {
        Ok(())
    } else {
        Err(format!("{count} {what}, not {n_ops}").into())
    }
}

/// To drop what was inserted is no part of inserting it.
fn leave(cache: Cache<[u8]>) -> Done {
    std::mem::forget(cache);
    Ok(())
}

/// Numbers that look drawn and are always the same: a Weyl sequence, mixed (Steele and others, "Fast Splittable Pseudorandom Number
/// Generators", OOPSLA 2014).
struct Draw(u64);

impl Draw {
    fn new(seed: u64) -> Draw {
        Draw(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % end
    }
}
