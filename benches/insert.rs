//! What does storing cost while nothing has to leave: a new key, and a new value of a key?

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use larder::Cache;

use crate::support::{self, N_ENTRIES, Walk};

/// New keys of one batch: enough that growth of the table has its share.
const N_NEW: usize = 20_000;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("insert");
    group.throughput(Throughput::Elements(N_NEW as u64));
    let keys = support::Fresh::new().run(N_NEW);
    group.bench_function(BenchmarkId::new("new_keys", N_NEW), |bencher| {
        bencher.iter_batched_ref(
            || support::cache(N_ENTRIES),
            |cache| keys.iter().for_each(|key| support::put(cache, key)),
            BatchSize::PerIteration,
        );
    });
    let cache = support::resident();
    for len in [64, 4096] {
        let value = vec![7_u8; len];
        let mut walk = Walk::over(support::uniform(N_ENTRIES / 10));
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("replace", len), |bencher| {
            bencher.iter(|| replace(&cache, walk.step(), &value));
        });
    }
    group.finish();
}

fn replace(cache: &Cache<[u8]>, key: &support::Key, value: &[u8]) -> bool {
    cache
        .insert(&key[..], value)
        .is_ok_and(|replaced| replaced.is_some())
}
