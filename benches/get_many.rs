//! What does looking many keys up at once gain over one after the other?

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};

use crate::support::{self, N_ENTRIES, Walk};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("get_many");
    let cache = support::resident();
    for n_keys in [1, 32, 256] {
        group.throughput(Throughput::Elements(n_keys as u64));
        let mut walk = Walk::over(support::uniform(N_ENTRIES));
        group.bench_function(BenchmarkId::new("uniform", n_keys), |bencher| {
            bencher.iter(|| {
                let keys: Vec<&[u8]> = walk.run(n_keys).iter().map(|key| &key[..]).collect();
                black_box(cache.get_many(&keys)).len()
            });
        });
    }
    group.finish();
}
