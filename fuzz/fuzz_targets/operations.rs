//! Any configuration and any operations, against the reference model of the tests.
//!
//! Input: four bytes of configuration, then four bytes an operation.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/machine.rs"]
mod machine;
#[path = "../../tests/it/model.rs"]
mod model;

fuzz_target!(|input: &[u8]| {
    let Some((&config, ops)) = input.split_first_chunk() else {
        return;
    };
    let (ops, _) = ops.as_chunks::<4>();
    let ops = ops.iter().map(|&op| model::Op::decode(op));
    let inside = machine::Inside {
        prepare: |builder| builder,
        inspect: |_| (),
    };
    machine::Machine::run(machine::Config::decode(config), ops, inside);
});
