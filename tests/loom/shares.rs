//! Claims of pools against each other, and against a maximum that is lowered.

use std::sync::Arc;

use larder::model::{Pool, Shares, check};
use loom::thread;

type Claim = fn(&Shares, Pool, u64) -> bool;

/// Two children of one parent, which has room for one of two claims.
fn siblings(claim: Claim) {
    check(move || {
        let shares = Arc::new(Shares::new());
        let parent = shares.add(None, 3);
        let [first, second] = [0; 2].map(|_| shares.add(Some(parent), 9));
        let other = Arc::clone(&shares);
        let claimer = thread::spawn(move || {
            let has = claim(&other, first, 2);
            assert!(other.used(parent) <= 3, "claims are above the maximum");
            has
        });
        let has_second = claim(&shares, second, 2);
        assert!(shares.used(parent) <= 3, "claims are above the maximum");
        let has_first = claimer.join().expect("the other ends");
        assert!(has_first != has_second, "there's room for one of them");
        for (pool, has) in [(first, has_first), (second, has_second)] {
            let expected = if has { 2 } else { 0 };
            assert_eq!(shares.used(pool), expected, "a part of a claim is left");
        }
        assert_eq!(shares.used(parent), 2);
    });
}

#[test]
fn a_parents_maximum_is_not_passed_by_its_children() {
    siblings(Shares::claim);
}

#[test]
#[should_panic(expected = "a part of a claim is left")]
fn twin_claims_that_are_not_taken_back_are_left() {
    siblings(Shares::claim_each);
}

/// Two claims of one pool, which has room for one; the first is given back.
fn rivals(claim: Claim) {
    check(move || {
        let shares = Arc::new(Shares::new());
        let pool = shares.add(None, 3);
        let other = Arc::clone(&shares);
        let claimer = thread::spawn(move || {
            let has = claim(&other, pool, 2);
            assert!(other.used(pool) <= 3, "claims are above the maximum");
            if has {
                other.give_back(pool, 2);
            }
        });
        let has = claim(&shares, pool, 2);
        assert!(shares.used(pool) <= 3, "claims are above the maximum");
        claimer.join().expect("the other ends");
        assert_eq!(shares.used(pool), if has { 2 } else { 0 });
    });
}

#[test]
fn a_maximum_is_not_passed() {
    rivals(Shares::claim);
}

#[test]
#[should_panic(expected = "above the maximum")]
fn twin_claims_that_are_added_first_pass_it() {
    rivals(Shares::claim_by_one_look);
}

/// A child, and its parent itself, claim from what the parent may take.
#[test]
fn a_parents_own_claim_and_its_childs_share_one_maximum() {
    check(|| {
        let shares = Arc::new(Shares::new());
        let parent = shares.add(None, 3);
        let child = shares.add(Some(parent), 2);
        let other = Arc::clone(&shares);
        let claimer = thread::spawn(move || other.claim(child, 2));
        let has_own = shares.claim(parent, 2);
        let has_childs = claimer.join().expect("the other ends");
        assert!(has_own != has_childs, "there's room for one of them");
        assert_eq!(shares.used(parent), 2);
        assert_eq!(shares.used(child), if has_childs { 2 } else { 0 });
    });
}

/// A claim meets the lowering of the maximum: it must be seen by who lowered it, or fail.
fn lowered(claim: Claim) {
    check(move || {
        let shares = Arc::new(Shares::new());
        let pool = shares.add(None, 3);
        let other = Arc::clone(&shares);
        let claimer = thread::spawn(move || claim(&other, pool, 2));
        shares.set_max(pool, 1);
        let seen = shares.used(pool);
        let has = claimer.join().expect("the other ends");
        assert!(
            !has || seen == 2,
            "a claim by the old maximum came after it"
        );
        assert_eq!(shares.used(pool), if has { 2 } else { 0 });
        assert!(!shares.claim(pool, 1) || !has, "the new maximum holds");
    });
}

#[test]
fn a_lowered_maximum_binds_claims_that_come_after() {
    lowered(Shares::claim);
}

#[test]
#[should_panic(expected = "came after it")]
fn twin_a_claim_that_looks_once_comes_after_the_lowering() {
    lowered(Shares::claim_by_one_look);
}
