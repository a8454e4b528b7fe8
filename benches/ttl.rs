//! What does a deadline on every entry cost a look-up and a store, beside none?

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use larder::Cache;

use crate::support::{self, Fresh, N_ENTRIES, Walk};

/// Longer than any bench runs.
const TTL: Duration = Duration::from_secs(3600);
/// New keys of one batch.
const N_NEW: usize = 1000;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ttl");
    for (case, ttl) in [("none", None), ("every_entry", Some(TTL))] {
        let mut builder = Cache::builder().max_entries(N_ENTRIES as u64);
        if let Some(ttl) = ttl {
            builder = builder.default_ttl(ttl);
        }
        let cache: Cache<[u8]> = builder
            .build()
            .expect("a bound and a time to live are a valid configuration");
        support::fill(&cache, 0, N_ENTRIES);
        let mut walk = Walk::over(support::zipf(N_ENTRIES));
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("get", case), |bencher| {
            bencher.iter(|| black_box(cache.get(&walk.step()[..])).is_some());
        });
        let mut fresh = Fresh::new();
        group.throughput(Throughput::Elements(N_NEW as u64));
        group.bench_function(BenchmarkId::new("churn", case), |bencher| {
            bencher.iter_batched(
                || fresh.run(N_NEW),
                |keys| keys.iter().for_each(|key| support::put(&cache, key)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}
