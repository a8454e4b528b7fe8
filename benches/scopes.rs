//! What does it cost to end a scope, however much it holds; and to read in one that is held, or asked for each time?

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use larder::{Cache, Scope};

use crate::support::{self, N_ENTRIES, VALUE, Walk};

/// Entries of the scope that is ended.
const N_HELD: [usize; 3] = [10, 1000, N_FILLED];

/// Entries that are written from one end to the next, the rest of them in another scope: so the processor's caches have as
/// little left of the names in each case.
const N_FILLED: usize = 1_000_000;

pub(crate) fn bench(criterion: &mut Criterion) {
    invalidate(criterion);
    get(criterion);
}

/// Where names are at hand, as in a service that asks for its scopes, and where a million writes have put them out of the processor's
/// caches, and what ends scopes with them.
fn invalidate(criterion: &mut Criterion) {
    for (name, is_at_hand) in [("scope_invalidate", true), ("scope_invalidate_cold", false)] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        group.throughput(Throughput::Elements(1));
        let first = support::key(0);
        for n_held in N_HELD {
            let cache = support::cache(2 * N_FILLED);
            let scopes = ["ended", "other"].map(|name| cache.scope(name));
            let [scope, other] = scopes.map(|scope| scope.expect("a name like any other"));
            group.bench_function(BenchmarkId::from_parameter(n_held), |bencher| {
                bencher.iter_batched(
                    || {
                        refill(&scope, n_held, &other);
                        if is_at_hand {
                            ask_for_names(&cache);
                        }
                    },
                    |()| scope.invalidate(),
                    BatchSize::PerIteration,
                );
            });
            assert!(
                scope.get(&first[..]).is_none(),
                "a get after it misses at once"
            );
        }
        group.finish();
    }
}

/// Asks for the scope by its name, and ends others.
fn ask_for_names(cache: &Cache<[u8]>) {
    for n in 0..4u64 {
        let scopes = [cache.scope("ended"), cache.scope(("once", n))];
        let [_, once] = scopes.map(|scope| scope.expect("a name like any other"));
        once.invalidate();
    }
}

/// Fills a scope that was ended before, and writes to the other one.
fn refill(scope: &Scope<'_, [u8]>, n_held: usize, other: &Scope<'_, [u8]>) {
    let first = support::key(0);
    assert!(scope.get(&first[..]).is_none(), "it had ended");
    for idx in 0..N_FILLED {
        let scope = if idx < n_held { scope } else { other };
        let answer = scope.insert(&support::key(idx as u64)[..], &VALUE[..]);
        assert!(answer.is_ok(), "an entry this small is never refused");
    }
    assert!(
        scope.contains_key(&first[..]),
        "it is there until its scope ends"
    );
}

fn get(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scope_get");
    group.throughput(Throughput::Elements(1));
    let cache = support::cache(N_ENTRIES * 5 / 2);
    support::fill(&cache, 0, N_ENTRIES);
    let held = resolve(&cache);
    for idx in 0..N_ENTRIES as u64 {
        let answer = held.insert(&support::key(idx)[..], &VALUE[..]);
        assert!(answer.is_ok(), "an entry this small is never refused");
    }
    let mut walk = Walk::over(support::zipf(N_ENTRIES));
    group.bench_function("plain", |bencher| {
        bencher.iter(|| black_box(cache.get(&walk.step()[..])).is_some());
    });
    group.bench_function("held", |bencher| {
        bencher.iter(|| black_box(held.get(&walk.step()[..])).is_some());
    });
    group.bench_function("resolved", |bencher| {
        bencher.iter(|| black_box(resolve(&cache).get(&walk.step()[..])).is_some());
    });
    group.finish();
}

/// The scope of a request: of one list, as `scope_parts` gives it.
fn resolve(cache: &Cache<[u8]>) -> Scope<'_, [u8]> {
    let name = black_box(("organization", "environment", "application"));
    cache.scope(name).expect("a name like any other")
}
