//! What does an owned handle cost: hit and miss, skewed and not, one part and several?

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};

use crate::support::{self, N_ENTRIES, Walk};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("get");
    group.throughput(Throughput::Elements(1));
    let cache = support::resident();
    for (case, keys) in [
        ("zipf", support::zipf(N_ENTRIES)),
        ("uniform", support::uniform(N_ENTRIES)),
    ] {
        let mut walk = Walk::over(keys);
        group.bench_function(BenchmarkId::new(case, N_ENTRIES), |bencher| {
            bencher.iter(|| black_box(cache.get(&walk.step()[..])).is_some());
        });
    }
    let hottest = support::key(0);
    group.bench_function(BenchmarkId::new("hottest", 1), |bencher| {
        bencher.iter(|| black_box(cache.get(&black_box(&hottest)[..])).is_some());
    });
    let mut absent = Walk::over(support::Fresh::new().run(support::N_STREAM));
    group.bench_function(BenchmarkId::new("miss", N_ENTRIES), |bencher| {
        bencher.iter(|| black_box(cache.get(&absent.step()[..])).is_none());
    });
    let answer = cache.insert(("user", 42_u64, "profile"), support::VALUE);
    assert!(answer.is_ok(), "an entry this small is never refused");
    group.bench_function(BenchmarkId::new("parts", 3), |bencher| {
        bencher.iter(|| black_box(cache.get(("user", black_box(42_u64), "profile"))).is_some());
    });
    group.finish();
}
