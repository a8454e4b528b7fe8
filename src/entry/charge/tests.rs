use proptest::prelude::*;

use super::{Charge, UNIT};

#[test]
fn small_charges_are_exact() {
    for units in 0..2048 {
        let charge = Charge::of_bytes(units * UNIT).expect("it is small");
        assert_eq!(charge.bytes(), units * UNIT);
    }
}

#[test]
fn what_is_beyond_two_bytes_is_refused() {
    let most = (2047u64 << 31) * UNIT;
    assert_eq!(Charge::of_bytes(most).map(Charge::bytes), Some(most));
    assert_eq!(Charge::of_bytes(most + 1), None);
    assert_eq!(Charge::of_bytes(u64::MAX), None);
}

proptest! {
    /// Never less than what is taken, and by less than a thousandth more; and a charge of a charge is that charge.
    #[test]
    fn a_charge_is_rounded_up_and_hardly(bytes in 0..(2047u64 << 31) * UNIT, shift in 0..46u32) {
        let bytes = bytes >> shift;
        let charge = Charge::of_bytes(bytes).expect("it fits");
        prop_assert!(charge.bytes() >= bytes);
        prop_assert!(charge.bytes() - bytes < UNIT + bytes / 1000);
        prop_assert_eq!(Charge::of_bytes(charge.bytes()), Some(charge));
    }
}
