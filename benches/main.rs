//! The engine's benches: one binary, a file for each question that a user asks. Ids are `group/case/parameter`.

mod churn;
mod expiry;
mod get;
mod get_many;
mod insert;
mod mix;
mod read;
mod scopes;
mod support;
mod ttl;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

fn settings() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = all;
    config = settings();
    targets = get::bench, read::bench, get_many::bench, insert::bench, churn::bench, mix::bench, ttl::bench, expiry::bench, scopes::bench
}
criterion_main!(all);
