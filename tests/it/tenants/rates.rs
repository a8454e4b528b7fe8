//! Admission by the rates of a tenant and a named cache.

use std::sync::Barrier;
use std::time::Duration;

use larder::{
    AdmitError, Cache, Clock, Cost, LimitExceeded, Limits, ManualClock, Metered, NamedCache, Nanos,
    Rate, Rates, SystemClock, Tenant, Whose,
};
use proptest::collection::vec;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);
const NS: Duration = Duration::from_nanos(1);

pub(super) fn rates(operations: Option<Rate>, bytes: Option<Rate>) -> Limits {
    Limits {
        rates: Rates { operations, bytes },
        ..Limits::default()
    }
}

pub(super) fn operations(rate: Rate) -> Limits {
    rates(Some(rate), None)
}

pub(super) fn cache() -> (Cache<str>, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_entries(1000).clock(clock.clone());
    (builder.build().unwrap(), clock)
}

pub(super) fn with_limits(
    cache: &Cache<str>,
    of_tenant: Limits,
    of_cache: Limits,
) -> (Tenant<'_, str>, NamedCache<'_, str>) {
    cache.delete_tenant("t");
    let tenant = cache.create_tenant("t", of_tenant).unwrap();
    let named = tenant.create_cache("c", of_cache).unwrap();
    (tenant, named)
}

/// Who refuses a cost, which limit, and for how long.
pub(super) fn refusal(
    view: &NamedCache<'_, str>,
    cost: Cost,
) -> Option<(Whose, Metered, Option<Duration>)> {
    match view.admit(cost).err()? {
        AdmitError::Exceeded { whose, limit } => Some((whose, limit.which, limit.retry_after)),
        error => panic!("{error:?}"),
    }
}

pub(super) fn calls(n: u64) -> Cost {
    Cost::calls(n)
}

#[test]
fn e80_a_burst_passes_at_once_and_then_one_at_a_time() {
    let (cache, clock) = cache();
    let limits = operations(Rate::per_second(100));
    for (of_tenant, of_cache, whose) in [
        (limits, Limits::default(), Whose::Tenant),
        (Limits::default(), limits, Whose::Cache),
    ] {
        let (tenant, named) = with_limits(&cache, of_tenant, of_cache);
        for _ in 0..100 {
            named.admit(1).unwrap().insert("k", "v").unwrap();
        }
        let expected = Some((whose, Metered::Operations, Some(10 * MS)));
        for _ in 0..3 {
            assert_eq!(refusal(&named, calls(1)), expected);
        }
        for _ in 0..200 {
            clock.advance(10 * MS - NS);
            let expected = Some((whose, Metered::Operations, Some(NS)));
            assert_eq!(refusal(&named, calls(1)), expected);
            clock.advance(NS);
            assert_eq!(named.admit(1).unwrap().get("k").as_deref(), Some("v"));
            assert!(named.admit(1).is_err());
        }
        // The tenant's own way is bounded by the tenant alone.
        assert_eq!(tenant.admit(1).is_err(), whose == Whose::Tenant);
        assert_eq!(
            refusal(&named, calls(101)),
            Some((whose, Metered::Operations, None))
        );
    }
}

#[test]
fn e81_an_item_of_the_burst_passes_an_idle_bucket() {
    let (cache, clock) = cache();
    let limits = rates(None, Some(Rate::per_second(1000).burst(5000)));
    for (of_tenant, of_cache, whose) in [
        (limits, Limits::default(), Whose::Tenant),
        (Limits::default(), limits, Whose::Cache),
        (limits, limits, Whose::Cache),
    ] {
        let (_, named) = with_limits(&cache, of_tenant, of_cache);
        let item = calls(1).and_bytes(5000);
        named.admit(item).unwrap();
        for n_bytes in [1, 17, 1000, 5000] {
            let cost = calls(u64::MAX).and_bytes(n_bytes);
            let after = Duration::from_millis(n_bytes);
            let expected = Some((whose, Metered::Bytes, Some(after)));
            assert_eq!(refusal(&named, cost), expected);
        }
        clock.advance(5000 * MS);
        named.admit(item).unwrap();
        assert_eq!(
            refusal(&named, calls(1).and_bytes(5001)),
            Some((whose, Metered::Bytes, None))
        );
    }
}

#[test]
fn e82_both_buckets_or_none() {
    let (cache, clock) = cache();
    let per_second = |n| operations(Rate::per_second(n));
    let (tenant, named) = with_limits(&cache, per_second(10), per_second(4));
    // The cache refuses: the tenant keeps all ten.
    named.admit(4).unwrap();
    for _ in 0..100 {
        let expected = Some((Whose::Cache, Metered::Operations, Some(250 * MS)));
        assert_eq!(refusal(&named, calls(1)), expected);
    }
    tenant.admit(6).unwrap();
    assert!(tenant.admit(1).is_err());
    // The tenant refuses: the cache keeps all four.
    clock.advance(Duration::from_secs(1));
    tenant.admit(8).unwrap();
    for _ in 0..100 {
        let expected = Some((Whose::Tenant, Metered::Operations, Some(100 * MS)));
        assert_eq!(refusal(&named, calls(3)), expected);
    }
    clock.advance(200 * MS);
    named.admit(4).unwrap();
    assert!(named.admit(1).is_err() && tenant.admit(1).is_err());
}

#[test]
fn e82_a_refusal_by_one_dimension_leaves_all_four_buckets_as_they_were() {
    let (cache, _clock) = cache();
    let limits = |operations, bytes| {
        let rate = |n| Some(Rate::per_hour(n));
        rates(rate(operations), rate(bytes))
    };
    let (tenant, named) = with_limits(&cache, limits(10, 1000), limits(8, 800));
    for cost in [
        calls(9).and_bytes(1),
        calls(1).and_bytes(801),
        calls(11).and_bytes(1001),
    ] {
        for _ in 0..10 {
            assert!(named.admit(cost).is_err());
        }
    }
    // All of the cache's is there, and the rest of the tenant's.
    named.admit(calls(8).and_bytes(800)).unwrap();
    assert!(named.admit(calls(1)).is_err() && named.admit(calls(0).and_bytes(1)).is_err());
    tenant.admit(calls(2).and_bytes(200)).unwrap();
    let (operations, bytes) = (calls(1), calls(0).and_bytes(1));
    assert!(tenant.admit(operations).is_err() && tenant.admit(bytes).is_err());
}

#[test]
fn e83_a_refusal_says_whose_limit_it_is_and_when_to_come_back() {
    let (cache, clock) = cache();
    let (tenant, named) = with_limits(
        &cache,
        operations(Rate::per_second(2)),
        rates(None, Some(Rate::per_second(100))),
    );
    let named_says = "limit of the named cache: more bytes than the limit ever lets pass";
    let refused = named.admit(calls(1).and_bytes(101)).unwrap_err();
    assert_eq!(refused.to_string(), named_says);
    assert_eq!(refused.retry_after(), None, "never, so no time is named");
    named.admit(calls(2).and_bytes(1)).unwrap();
    let tenant_says = "limit of the tenant: too many operations for now; try again in 500ms";
    let refused = tenant.admit(1).unwrap_err();
    assert_eq!(refused.to_string(), tenant_says);
    assert_eq!(refused.retry_after(), Some(500 * MS));
    let limit_of = |error| match error {
        AdmitError::Exceeded {
            limit: LimitExceeded { which, .. },
            ..
        } => which,
        error => panic!("{error:?}"),
    };
    assert_eq!(limit_of(refused), Metered::Operations);
    clock.advance(500 * MS);
    tenant.admit(1).unwrap();
    cache.delete_tenant("t");
    let closed = tenant.admit(1).unwrap_err();
    assert_eq!((closed, closed.retry_after()), (AdmitError::Closed, None));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn e83_what_was_refused_passes_after_retry_after_and_not_a_nanosecond_before(
        of_tenant in (1u64..2000, 1u64..50, 1u64..5000, 1u64..5000),
        is_in_cache in any::<bool>(),
        steps in vec((0u64..20_000_000, 0u64..20, 0u64..2000), 1..60),
    ) {
        let (cache, clock) = cache();
        let (n, burst, n_bytes, burst_bytes) = of_tenant;
        let limits = rates(
            Some(Rate::per_second(n).burst(burst)),
            Some(Rate::per_second(n_bytes).burst(burst_bytes)),
        );
        let (own, other) = if is_in_cache { (Limits::default(), limits) } else { (limits, Limits::default()) };
        let (_, named) = with_limits(&cache, own, other);
        for (pause, n_calls, n_bytes) in steps {
            clock.advance(Duration::from_nanos(pause));
            let cost = calls(n_calls).and_bytes(n_bytes);
            let Some((_, which, after)) = refusal(&named, cost) else { continue };
            let Some(after) = after else {
                let is_above = match which {
                    Metered::Operations => n_calls > burst,
                    _ => n_bytes > burst_bytes,
                };
                prop_assert!(is_above, "never, for what would fit");
                continue;
            };
            clock.advance(after - NS);
            let too_early = refusal(&named, cost);
            prop_assert!(too_early.is_some_and(|(_, _, after)| after == Some(NS)), "{too_early:?}");
            clock.advance(NS);
            prop_assert_eq!(refusal(&named, cost), None);
        }
    }
}

#[test]
fn e82_what_is_read_is_charged_as_debt_to_cache_and_tenant() {
    let (cache, clock) = cache();
    let bytes = |n| rates(None, Some(Rate::per_second(n)));
    let (tenant, named) = with_limits(&cache, bytes(1000), bytes(500));
    let read = calls(1);
    named.admit(read).unwrap();
    named.charge(800);
    // The cache owes 300; of the tenant's there are 200 left.
    let refused = refusal(&named, read);
    assert_eq!(
        refused,
        Some((Whose::Cache, Metered::Bytes, Some(600 * MS)))
    );
    tenant.admit(read.and_bytes(200)).unwrap();
    assert!(tenant.admit(read.and_bytes(1)).is_err());
    clock.advance(600 * MS - NS);
    assert!(named.admit(read).is_err());
    clock.advance(NS);
    named.admit(read).unwrap();
    // What the tenant is charged by itself is no matter of the cache's, but holds it up.
    tenant.charge(1600);
    clock.advance(Duration::from_secs(1));
    named.admit(read).unwrap();
    tenant.charge(u64::MAX);
    let refused = refusal(&named, read);
    let one_burst = Some(Duration::from_secs(1));
    assert_eq!(refused, Some((Whose::Tenant, Metered::Bytes, one_burst)));
    clock.advance(Duration::from_secs(1));
    named.admit(read).unwrap();
}

#[test]
fn e6_e80_rates_change_for_calls_that_begin_afterwards() {
    let (cache, clock) = cache();
    let per_second = |n| operations(Rate::per_second(n));
    let (tenant, named) = with_limits(&cache, per_second(10), Limits::default());
    named.admit(10).unwrap();
    assert!(named.admit(1).is_err());
    // What is used stays used: the higher burst has ten more.
    tenant.set_limits(per_second(20)).unwrap();
    named.admit(10).unwrap();
    let refused = refusal(&named, calls(1));
    assert_eq!(
        refused,
        Some((Whose::Tenant, Metered::Operations, Some(50 * MS)))
    );
    named.set_limits(per_second(1)).unwrap();
    clock.advance(Duration::from_secs(1));
    named.admit(1).unwrap();
    let refused = refusal(&named, calls(1));
    let second = Some(Duration::from_secs(1));
    assert_eq!(refused, Some((Whose::Cache, Metered::Operations, second)));
    named.set_limits(Limits::default()).unwrap();
    tenant.set_limits(Limits::default()).unwrap();
    named.admit(calls(u64::MAX).and_bytes(u64::MAX)).unwrap();
    tenant.set_limits(per_second(0)).unwrap();
    let never = Some((Whose::Tenant, Metered::Operations, None));
    assert_eq!(refusal(&named, calls(1)), never);
}

#[test]
fn e88_without_limits_everything_passes() {
    let (cache, clock) = cache();
    let (tenant, named) = with_limits(&cache, Limits::default(), Limits::default());
    let all = calls(u64::MAX).and_bytes(u64::MAX);
    for _ in 0..1000 {
        named.admit(all).unwrap();
        tenant.admit(all).unwrap().insert("k", "v").unwrap();
        named.charge(u64::MAX);
        tenant.charge(u64::MAX);
    }
    clock.set(Nanos::ZERO);
    named.admit(all).unwrap();
}

/// An admission took effect between the two times.
type Admitted = (u64, u64, u64);

/// Whether windows of some lengths hold more than burst + rate x length. What surely lies in one of them began in it and
/// ended in it.
fn check_windows(mut admitted: Vec<Admitted>, rate_per_ms: u64, burst: u64) {
    admitted.sort_unstable();
    for length_ms in [0u64, 1, 3, 10, 30, 100] {
        let length = length_ms * 1_000_000;
        let most = burst + rate_per_ms * length_ms;
        for (first, &(from, ..)) in admitted.iter().enumerate() {
            let ahead = admitted[first..].iter();
            let inside = ahead
                .take_while(|(begin, ..)| begin - from <= length)
                .filter(|(_, end, _)| end - from <= length);
            let sum: u64 = inside.map(|(.., n)| n).sum();
            assert!(sum <= most, "{sum} in {length_ms} ms, of {most}");
        }
    }
}

#[test]
fn e80_e82_no_window_holds_more_than_it_may_with_threads() {
    let builder = Cache::<u64>::builder().max_entries(1000);
    let cache = builder.build().unwrap();
    let (rate, burst) = (200_000, 600);
    let limits = operations(Rate::per_second(rate).burst(burst));
    let tenant = cache.create_tenant("t", limits).unwrap();
    for name in ["a", "b"] {
        let limits = operations(Rate::per_second(rate / 2).burst(burst / 2));
        tenant.create_cache(name, limits).unwrap();
    }
    let (watch, start) = (SystemClock::new(), Barrier::new(4));
    let n_rounds = if cfg!(debug_assertions) {
        20_000
    } else {
        60_000
    };
    // By place: the tenant's own cache, and both others.
    let run = |thread: u64| {
        let mut admitted = [const { Vec::new() }; 3];
        start.wait();
        for round in 0..n_rounds {
            let at = ((thread + round / 64) % 3) as usize;
            let cost = 1 + round % 3;
            let begin = watch.now().0;
            let tenant = cache.tenant("t").unwrap();
            let answer = match at {
                0 => tenant.admit(cost),
                1 => tenant.cache("a").unwrap().admit(cost),
                _ => tenant.cache("b").unwrap().admit(cost),
            };
            match answer {
                Ok(scope) => {
                    scope.insert(round, round).unwrap();
                    admitted[at].push((begin, watch.now().0, cost));
                }
                Err(error) => assert!(error.retry_after().is_some()),
            }
        }
        admitted
    };
    let mut by_place = [const { Vec::new() }; 3];
    std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..4)
            .map(|thread| scope.spawn(move || run(thread)))
            .collect();
        for thread in threads {
            for (all, more) in by_place.iter_mut().zip(thread.join().unwrap()) {
                all.extend(more);
            }
        }
    });
    let all = by_place.concat();
    assert!(
        all.iter().map(|(.., n)| n).sum::<u64>() > 2 * burst,
        "the rate brought nothing"
    );
    let [_, a, b] = by_place;
    for of_cache in [a, b] {
        assert!(of_cache.len() > 100);
        check_windows(of_cache, rate / 2000, burst / 2);
    }
    check_windows(all, rate / 1000, burst);
}
