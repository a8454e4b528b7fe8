//! What does a service's mix of look-ups and stores cost when a quarter of its keys fits, and how many look-ups hit?

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};

use crate::support::{self, N_ENTRIES, Walk};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mix");
    group.throughput(Throughput::Elements(1));
    for (case, insert_each) in [("95_5", 20), ("50_50", 2)] {
        let cache = support::full();
        let mut walk = Walk::over(support::zipf(4 * N_ENTRIES));
        let (mut n_hits, mut n_gets, mut turn) = (0_u64, 0_u64, 0_u32);
        group.bench_function(BenchmarkId::new(case, N_ENTRIES), |bencher| {
            bencher.iter(|| {
                let key = walk.step();
                turn += 1;
                if turn >= insert_each {
                    turn = 0;
                    support::put(&cache, key);
                } else {
                    n_gets += 1;
                    n_hits += u64::from(black_box(cache.get(&key[..])).is_some());
                }
            });
        });
        if n_gets > 0 {
            println!(
                "mix/{case}/{N_ENTRIES}: {:.1} % of {n_gets} look-ups hit",
                100.0 * n_hits as f64 / n_gets as f64
            );
        }
    }
    group.finish();
}
