//! Operations drawn at random, against the reference model, and the cache's inside checked after each.
//!
//! `LARDER_CASES=20000 cargo test --release --lib invariants` draws more cases than CI does.
//!
//! The properties, which `machine` checks after every operation:
//! 1. a value that is served is its key's last one, whole, with the right version, key and remaining time to live;
//! 2. with room for everything, cache and model agree exactly: what is alive is found, what is dead is not;
//! 3. with a small bound, an entry may be missing, but a missing one doesn't come back, and a present one is right;
//! 4. charged bytes and counted entries are never above the bounds, through every change of them, zero included;
//! 5. the listener hears of each value exactly once, with the right cause, per key in the order of versions;
//! 6. a clock that goes back or jumps by years revives nothing and loses nothing that is not due;
//! 7. a refused value comes back; a handle keeps its value; counters add up after every operation;
//! 8. what is present throughout a walk is yielded exactly once; a scope that was ended yields nothing.
//!
//! And of the inside, `Cache::check_invariants`: each entry is in one place, its wheel slot is right, and the sums of bytes and entries of
//! stripes, pools and the cache are those of what is there.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::builder::Builder;
use crate::cache::Cache;
use machine::{Config, Inside, Machine};
use model::Op;

// They see the public interface alone, and are the fuzzer's too.
#[allow(
    unreachable_patterns,
    clippy::disallowed_types,
    reason = "from outside, the public enums are not exhaustive, and locks are the standard library's"
)]
#[path = "../tests/it/machine.rs"]
mod machine;
#[path = "../tests/it/model.rs"]
mod model;

mod corpora;

fn run(config: [u8; 4], ops: Vec<Op>) {
    run_prepared(config, ops, |builder| builder);
}

fn run_prepared(config: [u8; 4], ops: Vec<Op>, prepare: fn(Builder<[u8]>) -> Builder<[u8]>) {
    let inside = Inside {
        prepare,
        inspect: Cache::check_invariants,
    };
    Machine::run(Config::decode(config), ops, inside);
}

/// Cases of each property: as the environment says, for long runs by hand.
fn cases() -> ProptestConfig {
    let cases = std::env::var("LARDER_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(256);
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn ops(most: usize) -> impl Strategy<Value = Vec<Op>> {
    vec(any::<[u8; 4]>().prop_map(Op::decode), 1..most)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_cache_follows_the_model(config in any::<[u8; 4]>(), ops in ops(200)) {
        run(config, ops);
    }

    #[test]
    fn a_roomy_cache_with_deadlines_agrees_exactly(bounds in 0u8..5, rest in any::<[u8; 3]>(), ops in ops(200)) {
        let ops: Vec<_> = ops.into_iter().filter(|op| !matches!(op, Op::SetCapacity(bound) if *bound < 1 << 30)).collect();
        run([bounds, rest[0], rest[1], rest[2]], ops);
    }

    #[test]
    fn a_small_cache_with_a_listener_loses_by_eviction_alone(bounds in 5u8..12, rest in any::<[u8; 2]>(), ops in ops(200)) {
        run([bounds, rest[0], rest[1], 1], ops);
    }

    #[test]
    fn a_roomy_cache_with_scopes_agrees_exactly(bounds in 0u8..5, rest in any::<[u8; 2]>(), ops in ops(200)) {
        let ops: Vec<_> = ops.into_iter().filter(|op| !matches!(op, Op::SetCapacity(bound) if *bound < 1 << 30)).collect();
        run([bounds, rest[0], rest[1], 3], ops);
    }

    #[test]
    fn f07_keys_whose_hashes_agree_in_all_64_bits_follow_the_model(config in any::<[u8; 4]>(), ops in ops(200)) {
        run_prepared(config, ops, |builder| builder.hash_mask(0));
    }

    #[test]
    fn f07_keys_of_one_stripe_and_one_tag_follow_the_model(config in any::<[u8; 4]>(), ops in ops(200)) {
        // A bit of the bucket and some in the middle, which choose nothing.
        run_prepared(config, ops, |builder| builder.hash_mask(0x0000_00ff_0000_0001));
    }
}
