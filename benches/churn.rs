//! What does storing a new key cost when another entry has to leave for it?

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};

use crate::support::{self, Fresh, N_ENTRIES};

/// New keys of one batch.
const N_NEW: usize = 1000;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("churn");
    group.throughput(Throughput::Elements(N_NEW as u64));
    let cache = support::full();
    let mut fresh = Fresh::new();
    group.bench_function(BenchmarkId::new("new_keys", N_ENTRIES), |bencher| {
        bencher.iter_batched(
            || fresh.run(N_NEW),
            |keys| keys.iter().for_each(|key| support::put(&cache, key)),
            BatchSize::PerIteration,
        );
    });
    assert_eq!(
        cache.len(),
        N_ENTRIES,
        "churn was measured on a cache that is full"
    );
    group.finish();
}
