//! What does it cost to give the memory of expired entries back, an entry?

use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use larder::{Cache, ManualClock};

use crate::support;

/// Entries that are due at one moment.
const N_DUE: usize = 20_000;
const TTL: Duration = Duration::from_secs(60);

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("expiry");
    group.throughput(Throughput::Elements(N_DUE as u64));
    for budget in [256, 4096] {
        group.bench_function(BenchmarkId::new("maintain", budget), |bencher| {
            bencher.iter_batched_ref(
                due,
                |cache| give_back(cache, budget),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// A cache all of whose entries are past their deadline, and still there.
fn due() -> Cache<[u8]> {
    let clock = ManualClock::new();
    let built = Cache::builder()
        .max_entries(2 * N_DUE as u64)
        .default_ttl(TTL)
        .clock(clock.clone())
        .build();
    let cache = built.expect("a bound and a time to live are a valid configuration");
    support::fill(&cache, 0, N_DUE);
    clock.advance(2 * TTL);
    cache
}

fn give_back(cache: &Cache<[u8]>, budget: usize) {
    while cache.maintain(budget).more {}
    assert_eq!(cache.len(), 0, "everything was due");
}
