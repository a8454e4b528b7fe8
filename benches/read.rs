//! What does a value in place cost, and does it stay so when threads read the same key?

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use criterion::measurement::{Measurement, WallTime};
use criterion::{BenchmarkId, Criterion, Throughput};
use larder::Cache;

use crate::support::{self, Key, N_ENTRIES, Walk};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(1));
    let cache = support::resident();
    let mut walk = Walk::over(support::zipf(N_ENTRIES));
    group.bench_function(BenchmarkId::new("zipf", N_ENTRIES), |bencher| {
        bencher.iter(|| cache.read(&walk.step()[..], |value| black_box(value[0])));
    });
    for n_threads in [1, 2] {
        group.bench_function(
            BenchmarkId::new("hottest", format!("{n_threads}_threads")),
            |bencher| {
                bencher
                    .iter_custom(|n_reads| hottest(&cache, &support::key(0), n_threads, n_reads));
            },
        );
    }
    group.finish();
}

/// The mean time that a thread took for its reads of one key.
fn hottest(cache: &Cache<[u8]>, key: &Key, n_threads: u32, n_reads: u64) -> Duration {
    let barrier = Barrier::new(n_threads as usize);
    let total: Duration = thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    let begin = WallTime.start();
                    for _ in 0..n_reads {
                        black_box(cache.read(&black_box(key)[..], |value| black_box(value[0])));
                    }
                    WallTime.end(begin)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("reading doesn't panic"))
            .sum()
    });
    total / n_threads
}
