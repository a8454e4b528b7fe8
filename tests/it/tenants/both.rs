//! Refusals by tenant and named cache at once.

use std::time::Duration;

use larder::{Metered, Rate, Whose};

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
