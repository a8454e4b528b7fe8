//! Operations drawn at random, against the reference model.
//!
//! The properties, which `machine` checks after every operation:
//! 1. a value that is served is its key's last one, whole, with the right version, key and remaining time to live;
//! 2. with room for everything, cache and model agree exactly: what is alive is found, what is dead is not;
//! 3. with a small bound, an entry may be missing, but a missing one doesn't come back, and a present one is right;
//! 4. charged bytes and counted entries are never above the bounds, through every change of them, zero included;
//! 5. the listener hears of each value exactly once, with the right cause, per key in the order of versions;
//! 6. a clock that goes back or jumps by years revives nothing and loses nothing that is not due;
//! 7. a refused value comes back; a handle keeps its value; counters add up after every operation.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::machine::{Config, Machine};
use crate::model::Op;

fn ops(most: usize) -> impl Strategy<Value = Vec<Op>> {
    vec(any::<[u8; 4]>().prop_map(Op::decode), 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cache_follows_the_model(config in any::<[u8; 4]>(), ops in ops(200)) {
        Machine::run(Config::decode(config), ops);
    }

    #[test]
    fn a_roomy_cache_with_deadlines_agrees_exactly(bounds in 0u8..5, rest in any::<[u8; 3]>(), ops in ops(200)) {
        let ops: Vec<_> = ops.into_iter().filter(|op| !matches!(op, Op::SetCapacity(bound) if *bound < 1 << 30)).collect();
        Machine::run(Config::decode([bounds, rest[0], rest[1], rest[2]]), ops);
    }

    #[test]
    fn a_small_cache_with_a_listener_loses_by_eviction_alone(bounds in 5u8..12, rest in any::<[u8; 2]>(), ops in ops(200)) {
        Machine::run(Config::decode([bounds, rest[0], rest[1], 1]), ops);
    }
}
