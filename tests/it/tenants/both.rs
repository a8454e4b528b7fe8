//! Refusals and reservations by tenant and named cache at once.

use std::time::Duration;

use larder::{AdmitError, Metered, Rate, Whose};

use super::rates::{cache, calls, operations, refusal, with_limits};

const MS: Duration = Duration::from_millis(1);

#[test]
fn e82_e83_who_is_refused_by_both_is_told_of_the_limit_that_lasts_longer() {
    for (of_tenant, of_cache, whose) in [(2, 10, Whose::Tenant), (10, 2, Whose::Cache)] {
        let (cache, clock) = cache();
        let rate = |n| operations(Rate::per_second(n).burst(10));
        let (_tenant, named) = with_limits(&cache, rate(of_tenant), rate(of_cache));
        named.admit(calls(10)).unwrap();
        let told = (whose, Metered::Operations, Some(500 * MS));
        assert_eq!(refusal(&named, calls(1)), Some(told));
        assert_eq!(
            refusal(&named, calls(1)),
            Some(told),
            "asking takes nothing"
        );
        clock.advance(500 * MS - Duration::from_nanos(1));
        assert!(refusal(&named, calls(1)).is_some());
        clock.advance(Duration::from_nanos(1));
        named.admit(1).unwrap();
    }
}

#[test]
fn e82_e83_what_is_reserved_and_not_kept_is_given_back_by_both() {
    let (cache, _clock) = cache();
    let rate = |n| operations(Rate::per_second(1).burst(n));
    let (tenant, named) = with_limits(&cache, rate(4), rate(3));
    let reserved = named.reserve(3).unwrap();
    assert!(named.admit(1).is_err(), "what is held is not there");
    drop(reserved);
    named.reserve(3).unwrap().keep();
    // The cache has none left; what it refuses takes none of the tenant's.
    let refused = named.reserve(1).map(|_| ()).unwrap_err();
    assert_eq!(whose(refused), Whose::Cache);
    tenant.admit(1).unwrap();
    // Nor does the cache give what the tenant refuses.
    let (tenant, named) = with_limits(&cache, rate(2), rate(3));
    let refused = named.reserve(3).map(|_| ()).unwrap_err();
    assert_eq!(whose(refused), Whose::Tenant);
    named.reserve(2).unwrap().keep();
    assert!(tenant.admit(1).is_err());
}

fn whose(refused: AdmitError) -> Whose {
    match refused {
        AdmitError::Exceeded { whose, .. } => whose,
        other => panic!("{other:?}"),
    }
}
