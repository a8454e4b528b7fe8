mod purse;

use super::*;

/// The bound holds, and the counter is what the accounts and the reservations say.
fn validate(budget: &Budget, accounts: &[Account], reserved: u64) {
    assert!(budget.used() <= budget.max(), "B1");
    assert_eq!(
        budget.used(),
        accounts.iter().map(Account::claimed).sum::<u64>() + reserved,
        "B2"
    );
    for account in accounts {
        assert!(
            account.held() <= account.claimed(),
            "what is held is claimed"
        );
    }
}

#[test]
fn claims_are_all_or_nothing() {
    let budget = Budget::new(100, 1);
    assert!(budget.try_claim(60) && !budget.try_claim(41) && budget.try_claim(40));
    assert!(budget.try_claim(0) && !budget.try_claim(1) && !budget.try_claim(u64::MAX));
    budget.give_back(100);
    assert_eq!(budget.used(), 0);
    budget.set_max(10);
    assert!(!budget.try_claim(11) && budget.try_claim(10));
    budget.set_max(4);
    assert_eq!(budget.excess(), 6);
}

#[test]
fn the_slack_is_a_share_of_the_bound_and_capped() {
    assert_eq!(Budget::new(64 << 10, 4).allowance(), 256);
    assert_eq!(Budget::new(64 << 10, 4).largest(), 63 << 10);
    assert_eq!(Budget::new(1 << 62, 2).allowance(), ALLOWANCE_MAX);
    assert_eq!(Budget::new(0, 8).largest(), 0);
}

#[test]
fn what_is_kept_is_garbage_until_it_is_used_again() {
    let budget = Budget::new(6400, 1);
    let mut account = Account::default();
    assert!(account.set_allowance(budget.allowance(), &budget));
    assert!(account.has_allowance(100) && !account.has_allowance(99));
    assert!(account.fund(&budget, 1000, 0));
    account.admit(1000);
    account.discard(90);
    assert!(account.wants_look(), "more than half of the allowance");
    // Thirty are freed, forty kept, twenty named by readers.
    account.settle(30, Some(20), 40);
    assert_eq!(account.garbage(), 60);
    account.discard(50);
    assert!(!account.wants_look(), "fifty are fresh, which is half");
    account.discard(1);
    assert!(account.wants_look());
    account.discard(8);
    assert!(account.can_exchange(), "all but the named are 99");
    account.discard(1);
    assert!(!account.can_exchange());
    validate(&budget, std::slice::from_ref(&account), 0);
    account.reuse(40);
    assert_eq!((account.garbage(), account.live()), (80, 850));
    validate(&budget, std::slice::from_ref(&account), 0);
    assert_eq!(
        (account.take_spare(100), account.take_spare(100)),
        (100, 50)
    );
    validate(&budget, std::slice::from_ref(&account), 150);
}

#[test]
fn a_victims_bytes_serve_the_newcomer_within_the_allowance() {
    let budget = Budget::new(6400, 1);
    let mut account = Account::default();
    assert!(
        account.set_allowance(budget.allowance(), &budget),
        "100 bytes of it are for garbage"
    );
    assert!(account.fund(&budget, 6300, 64));
    account.admit(6300);
    assert!(!account.fund(&budget, 80, 64), "full");
    account.discard(80);
    assert!(
        account.fund(&budget, 80, 64),
        "at once, before the garbage is gone"
    );
    account.admit(80);
    assert!(account.wants_look());
    // Beyond the allowance, garbage keeps its own claim.
    account.discard(80);
    assert!(!account.can_exchange());
    assert!(!account.fund(&budget, 80, 0));
    account.settle(160, Some(0), 0);
    assert!(account.fund(&budget, 80, 0));
    validate(&budget, &[account], 0);
}

#[test]
fn what_is_stuck_is_not_looked_at_again_and_again() {
    let budget = Budget::new(6400, 1);
    let mut account = Account::default();
    assert!(account.set_allowance(100, &budget) && account.fund(&budget, 1000, 0));
    account.admit(1000);
    account.discard(90);
    assert!(account.wants_look());
    account.settle(10, Some(80), 0);
    assert!(!account.wants_look() && account.can_exchange());
    account.discard(51);
    assert!(account.wants_look());
    // Of that, a piece is freed without another look: what was stuck still is.
    account.settle(31, None, 0);
    assert!(!account.wants_look() && account.can_exchange());
    account.settle(100, Some(0), 0);
    assert_eq!((account.garbage(), account.held()), (0, 859));
}

#[test]
fn a_structure_that_outgrew_its_estimate_is_claimed_even_so() {
    let budget = Budget::new(100, 1);
    let mut account = Account::default();
    assert!(account.fund(&budget, 30, 0));
    account.set_structure(120, &budget);
    assert_eq!(
        (budget.used(), budget.excess(), account.structure()),
        (120, 20, 120)
    );
    account.set_structure(50, &budget);
    account.trim(&budget, 0);
    assert_eq!(budget.used(), 50);
    account.discard_structure(20);
    assert_eq!(
        (account.structure(), account.garbage(), account.claimed()),
        (30, 20, 50)
    );
    account.settle(20, Some(0), 0);
    account.trim(&budget, 0);
    validate(&budget, &[account], 0);
}

/// A long random life of several stripes, with reservations that travel between them.
#[test]
fn the_sum_of_all_accounts_is_the_counter() {
    let budget = Budget::new(100_000, 3);
    let mut accounts: [Account; 3] = Default::default();
    // What each stripe holds: entries, garbage that waits, the structure.
    let mut entries: [Vec<u64>; 3] = Default::default();
    let (mut waiting, mut reserved) = ([0; 3], 0);
    let mut random = 42_u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut n_full = 0;
    for step in 0..if cfg!(miri) { 2000 } else { 60_000 } {
        let at = next(3) as usize;
        let (account, entries) = (&mut accounts[at], &mut entries[at]);
        match next(8) {
            0..=2 => {
                let size = 16 + next(2000);
                if account.fund(&budget, size, 64) {
                    account.admit(size);
                    entries.push(size);
                } else {
                    n_full += 1;
                }
            }
            3 | 4 if !entries.is_empty() => {
                let size = entries.swap_remove(next(entries.len() as u64) as usize);
                account.discard(size);
                waiting[at] += size;
            }
            5 => {
                let freed = next(waiting[at] + 1);
                account.settle(freed, Some(next(waiting[at] - freed + 1)), 0);
                waiting[at] -= freed;
            }
            6 => {
                let structure = next(500);
                if account.fund(&budget, structure.saturating_sub(account.structure()), 0) {
                    account.set_structure(structure, &budget);
                }
                account.trim(&budget, next(100));
            }
            7 if reserved == 0 => reserved = account.take_spare(next(1000)),
            7 => {
                account.add_spare(std::mem::take(&mut reserved));
                assert!(account.has_allowance(0) || account.has_allowance(budget.allowance()));
                account.set_allowance(budget.allowance(), &budget);
            }
            _ => {}
        }
        assert_eq!(
            (accounts[at].live(), accounts[at].garbage()),
            (entries_sum(entries), waiting[at]),
            "step {step}"
        );
        validate(&budget, &accounts, reserved);
    }
    assert!(n_full > 10, "the bound was felt");
}

fn entries_sum(entries: &[u64]) -> u64 {
    entries.iter().sum()
}

#[test]
fn threads_that_claim_stay_below_the_bound() {
    const ROUNDS: usize = if cfg!(miri) { 100 } else { 50_000 };
    let budget = Budget::new(5, 1);
    let n_refused: usize = std::thread::scope(|scope| {
        let claim = || {
            (0..ROUNDS)
                .filter(|_| {
                    let has = budget.try_claim(2);
                    assert!(budget.used() <= 5, "B1");
                    if has {
                        budget.give_back(2);
                    }
                    !has
                })
                .count()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(claim)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(budget.used(), 0);
    assert!(n_refused < 4 * ROUNDS);
}

#[test]
fn what_is_there_is_not_claimed_again() {
    let budget = Budget::new(6400, 1);
    let mut account = Account::default();
    assert!(account.fund(&budget, 200, 50));
    assert_eq!((budget.used(), account.claimed()), (250, 250));
    for amount in [0, 1, 249, 250] {
        assert!(account.fund(&budget, amount, 50));
        assert_eq!(budget.used(), 250, "{amount} are there");
    }
    assert!(account.fund(&budget, 251, 50));
    assert_eq!(
        budget.used(),
        301,
        "one was missing, and a chunk came along"
    );
    account.trim(&budget, 301);
    assert_eq!(budget.used(), 301);
    account.trim(&budget, 300);
    assert_eq!(budget.used(), 300);
}

#[test]
fn an_allowance_is_claimed_as_far_as_garbage_has_not_claimed_it() {
    let budget = Budget::new(1000, 1);
    let mut account = Account::default();
    assert!(account.set_allowance(100, &budget));
    assert_eq!((budget.used(), account.claimed()), (100, 100));
    assert!(account.set_allowance(130, &budget));
    assert_eq!((budget.used(), account.claimed()), (130, 130));
    assert!(account.fund(&budget, 200, 0));
    account.admit(200);
    account.discard(200);
    assert_eq!(budget.used(), 330);
    // Of the garbage, 70 bytes have claims of their own.
    assert!(account.set_allowance(180, &budget));
    assert_eq!((budget.used(), account.claimed()), (330, 330));
    assert!(account.fund(&budget, 131, 0), "130 of them are spare");
    assert_eq!(budget.used(), 331);
    account.trim(&budget, 0);
    assert!(account.set_allowance(220, &budget));
    assert_eq!(budget.used(), 220, "twenty more than there is garbage");
    assert!(account.set_allowance(150, &budget), "less is always there");
    account.trim(&budget, 0);
    assert_eq!(budget.used(), 200);
    budget.set_max(210);
    assert!(!account.set_allowance(211, &budget) && account.has_allowance(150));
    assert!(account.set_allowance(210, &budget));
}

#[test]
fn what_is_kept_is_neither_stuck_nor_fresh() {
    let budget = Budget::new(6400, 1);
    let mut account = Account::default();
    assert!(account.set_allowance(100, &budget) && account.fund(&budget, 1000, 0));
    account.admit(1000);
    account.discard(90);
    account.settle(0, Some(80), 0);
    // What the look found named is let go and kept, without another look: then nothing is stuck.
    account.settle(0, None, 90);
    assert!(!account.wants_look(), "all of it is kept");
    account.reuse(60);
    assert_eq!((account.garbage(), account.claimed()), (30, 1100));
    assert!(!account.wants_look(), "the rest is kept still");
    account.discard(50);
    assert!(!account.wants_look(), "fifty are fresh, which is half");
    account.discard(1);
    assert!(account.wants_look());
    account.reuse(30);
    assert!(account.wants_look(), "what was kept was no fresh garbage");
    validate(&budget, &[account], 0);
}
