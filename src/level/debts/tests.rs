use super::*;

/// Three scopes, from the root down.
fn path() -> impl DoubleEndedIterator<Item = u64> {
    [1, 2, 3].into_iter()
}

#[test]
fn d1_a_payment_that_began_before_a_debt_does_not_pay_it() {
    let debts = Debts::default();
    debts.owe_key(7, path());
    let first = debts.of_key(7);
    assert!(first.is_some() && debts.of_key(8).is_none() && debts.of_scope(3).is_none());
    debts.owe_key(7, path());
    debts.pay_key(7, first);
    let second = debts.of_key(7);
    assert!(second.is_some() && second != first);
    debts.pay_key(7, None);
    assert_eq!(debts.of_key(7), second);
    debts.pay_key(7, second);
    assert!(debts.of_key(7).is_none());

    debts.owe_scope(path());
    let first = debts.of_scope(3);
    debts.owe_scope(path());
    debts.pay_scope(3, first);
    assert!(debts.of_scope(3).is_some());
}

#[test]
fn d2_what_does_not_fit_is_owed_by_a_scope_around_it() {
    let debts = Debts::default();
    for key in 0..KEYS_MAX as u64 {
        debts.owe_key(key, path());
    }
    assert!((1..=3).all(|scope| debts.of_scope(scope).is_none()));
    // One that is there already has its place.
    debts.owe_key(5, path());
    assert!(debts.of_scope(3).is_none());
    debts.owe_key(u64::MAX, path());
    assert!(debts.of_key(u64::MAX).is_none() && debts.of_scope(3).is_some());
    for scope in 100..100 + SCOPES_MAX as u64 {
        debts.owe_scope([1, scope].into_iter());
    }
    let innermost = 100 + SCOPES_MAX as u64 - 1;
    assert!(debts.of_scope(innermost).is_none() && debts.of_scope(1).is_some());
}
