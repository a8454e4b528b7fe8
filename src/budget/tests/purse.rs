//! Caches that share a bound.

use super::*;
use crate::sync::{Arc, schedule};

/// Two accounts below one bound, and what must hold between any two calls (P1).
fn sharing(max: u64) -> (Arc<Purse>, [Budget; 2]) {
    let purse = Arc::new(Purse::new(max));
    let account = || Budget::with_purse(Arc::clone(&purse), 1);
    (Arc::clone(&purse), [account(), account()])
}

fn check_shared(purse: &Purse, accounts: &[Budget; 2]) {
    let given: u64 = accounts.iter().map(Budget::given).sum();
    assert_eq!(given + purse.free(), purse.max() + purse.debt(), "P1");
    for account in accounts {
        assert!(account.used() <= account.given(), "B1");
    }
}

#[test]
fn two_accounts_claim_from_one_purse() {
    let (purse, accounts) = sharing(1 << 20);
    assert_eq!(accounts[0].max(), 1 << 20);
    assert!(!accounts[0].try_claim((1 << 20) + 1));
    assert!(accounts[0].try_claim(1 << 20));
    check_shared(&purse, &accounts);
    assert!(!accounts[1].try_claim(1));
    // What is given back goes to whoever wants it, but for a chunk.
    accounts[0].give_back(1 << 20);
    check_shared(&purse, &accounts);
    assert_eq!(accounts[0].given(), purse.chunk());
    assert!(!accounts[1].try_claim(1 << 20));
    assert_eq!(accounts[0].lend_unused(u64::MAX), purse.chunk());
    assert!(accounts[1].try_claim(1 << 20));
    check_shared(&purse, &accounts);
}

#[test]
fn who_has_less_than_its_share_is_owed_when_nothing_is_left() {
    let (purse, accounts) = sharing(100 << 10);
    purse.set_share(50 << 10);
    assert!(accounts[0].try_claim(80 << 10) && accounts[1].try_claim(20 << 10));
    assert_eq!(accounts[0].surplus(), 30 << 10);
    assert!(!accounts[0].is_owed(1) && accounts[1].is_owed(1));
    // A claim that its holder gives up, as an eviction does.
    accounts[0].lend_claimed(30 << 10);
    check_shared(&purse, &accounts);
    assert_eq!((accounts[0].used(), accounts[0].surplus()), (50 << 10, 0));
    assert!(!accounts[1].is_owed(1) && accounts[1].is_owed(31 << 10));
    assert!(accounts[1].try_claim(30 << 10));
}

#[test]
fn a_lowered_bound_is_a_debt_that_is_paid_first() {
    let (purse, accounts) = sharing(100 << 10);
    assert!(accounts[0].try_claim(80 << 10));
    purse.set_max(60 << 10);
    check_shared(&purse, &accounts);
    assert_eq!((purse.debt(), purse.free()), (20 << 10, 0));
    accounts[0].lend_claimed(30 << 10);
    check_shared(&purse, &accounts);
    assert_eq!((purse.debt(), purse.free()), (0, 10 << 10));
    purse.set_max(30 << 10);
    purse.set_max(90 << 10);
    check_shared(&purse, &accounts);
    assert_eq!((purse.debt(), purse.free()), (0, 40 << 10));
}

#[test]
fn what_a_structure_takes_beyond_all_is_claimed_even_so() {
    let (purse, accounts) = sharing(8 << 10);
    let mut account = Account::default();
    account.set_structure(4 << 10, &accounts[0]);
    check_shared(&purse, &accounts);
    assert_eq!((accounts[0].used(), accounts[0].excess()), (4 << 10, 0));
    account.set_structure(9 << 10, &accounts[0]);
    assert!(accounts[0].excess() > 0);
}

#[test]
fn what_is_idle_and_what_is_free_serve_one_claim_together() {
    let (purse, accounts) = sharing(64 << 10);
    assert!(accounts[0].try_claim(8 << 10));
    accounts[0].give_back(8 << 10);
    let idle = accounts[0].given();
    assert!(idle > 0 && purse.free() == (64 << 10) - idle);
    assert!(
        accounts[0].try_claim(64 << 10),
        "{idle} bytes of it are there"
    );
    check_shared(&purse, &accounts);
    accounts[0].give_back(24 << 10);
    let free = purse.free();
    assert!(free > 0);
    assert_eq!(accounts[1].claim_up_to(64 << 10), free);
    check_shared(&purse, &accounts);
}

#[test]
fn the_slack_follows_the_share_and_the_largest_entry_the_bound() {
    let (purse, accounts) = sharing(64 << 20);
    for share in [64 << 20, 16 << 20, 1 << 20] {
        purse.set_share(share);
        accounts[0].follow_purse();
        let allowance = share / SLACK_SHARE;
        assert_eq!(accounts[0].allowance(), allowance);
        assert_eq!(accounts[0].largest(), (64 << 20) - allowance);
    }
    assert_eq!(accounts[1].allowance(), 1 << 20, "it wasn't told");
}

#[test]
fn a_chunk_is_a_part_of_the_bound_within_limits() {
    for (max, chunk) in [
        (0, 4 << 10),
        (1 << 20, 4 << 10),
        (2 << 20, 8 << 10),
        (2_000_001, 7812),
        (256 << 20, 1 << 20),
        (1 << 40, 1 << 20),
    ] {
        assert_eq!(Purse::new(max).chunk(), chunk, "of {max}");
    }
}

#[test]
fn a_chunk_is_taken_as_far_as_there_is_one() {
    let (purse, accounts) = sharing(10 << 10);
    for given in [4 << 10, 8 << 10, 10 << 10, 10 << 10] {
        accounts[0].take_chunk();
        assert_eq!((accounts[0].given(), accounts[0].used()), (given, 0));
        check_shared(&purse, &accounts);
    }
}

#[test]
fn two_chunks_may_be_idle_and_of_more_one_stays() {
    let (purse, accounts) = sharing(1 << 20);
    let chunk = purse.chunk();
    assert!(accounts[0].try_claim(5 * chunk));
    let given = accounts[0].given();
    assert_eq!(given, 5 * chunk);
    accounts[0].give_back(2 * chunk);
    assert_eq!(accounts[0].given(), given, "two are idle");
    accounts[0].give_back(1);
    assert_eq!(accounts[0].given(), 4 * chunk - 1, "of what is idle, one");
    check_shared(&purse, &accounts);
}

#[test]
fn nobody_is_owed_what_is_there_or_beyond_its_share() {
    let (purse, accounts) = sharing(1 << 20);
    let chunk = purse.chunk();
    assert!(accounts[0].try_claim(400 << 10));
    assert!(accounts[1].try_claim((624 << 10) - 3 * chunk));
    let (given, left) = (accounts[0].given(), purse.free());
    assert_eq!((given, left), (400 << 10, 3 * chunk));
    purse.set_share(given + 1);
    assert!(!accounts[0].is_owed(left) && accounts[0].is_owed(left + 1));
    purse.set_share(given);
    assert!(!accounts[0].is_owed(left + 1), "it has its share");
}

/// While bytes come and go, a cache tells no more than it has claimed.
#[test]
fn what_is_on_its_way_is_not_told_as_claimed() {
    let mut n_switches = 0;
    for seed in 0..if cfg!(miri) { 2 } else { 60 } {
        let account = Arc::new(Budget::with_purse(Arc::new(Purse::new(1 << 20)), 1));
        assert!(account.try_claim(1000));
        let looking = Arc::clone(&account);
        n_switches += schedule::run(
            seed,
            None,
            vec![
                Box::new(move || {
                    for _ in 0..8 {
                        account.take_chunk();
                        account.lend_unused(u64::MAX);
                    }
                }),
                Box::new(move || {
                    for _ in 0..12 {
                        let used = looking.used();
                        assert!(used <= 1000, "{used}");
                    }
                }),
            ],
        );
    }
    assert!(n_switches > 60);
}
