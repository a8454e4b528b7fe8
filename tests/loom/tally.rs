//! Counts that are moved while they're summed.

use std::sync::Arc;

use larder::model::{Books, Miscount, check};
use loom::thread;

/// A thread counts for two tenants in turn, who take the one place from each other, and ends; another sums meanwhile.
fn summed_meanwhile(fault: Miscount, sum: fn(&Books) -> u64, n_counts: u64) {
    check(move || {
        let books = Books::new(fault);
        let other = Arc::clone(&books);
        let counter = thread::spawn(move || {
            other.count(0, 0);
            other.count(0, 1);
            other.end(0);
        });
        let seen = [0; 2].map(|_| sum(&books));
        counter.join().expect("the counter ends");
        assert!(seen[0] <= seen[1], "a sum went down: {seen:?}");
        assert!(seen[1] <= n_counts, "counted twice: {seen:?}");
        assert_eq!(sum(&books), n_counts, "it's quiet");
    });
}

#[test]
fn a_sum_does_not_go_down_while_counts_are_folded() {
    summed_meanwhile(Miscount::None, Books::of_cache, 2);
}

#[test]
fn a_tenants_sum_does_not_go_down_either() {
    summed_meanwhile(Miscount::None, |books| books.of_tenant(0), 1);
}

#[test]
#[should_panic(expected = "a sum went down")]
fn twin_totals_that_are_read_before_the_tables_are_held_miss_what_is_folded() {
    summed_meanwhile(Miscount::TotalsFirst, Books::of_cache, 2);
}

#[test]
#[should_panic(expected = "counted twice")]
fn twin_a_fold_without_the_lock_is_met_in_both_places() {
    summed_meanwhile(Miscount::FoldUnlocked, Books::of_cache, 2);
}

/// Two threads count for one tenant without a place each, and one for another; two others sum at the same time.
#[test]
fn sums_of_two_at_a_time_are_exact_in_the_end() {
    check(|| {
        let books = Books::new(Miscount::None);
        let counters = [0, 1].map(|number| {
            let books = Arc::clone(&books);
            thread::spawn(move || {
                books.count(number, number);
                if number == 0 {
                    books.count(number, 1);
                }
                books.of_cache()
            })
        });
        for counter in counters {
            let seen = counter.join().expect("a counter ends");
            assert!(seen <= 3, "counted twice: {seen}");
        }
        assert_eq!([books.of_tenant(0), books.of_tenant(1)], [1, 2]);
        assert_eq!(books.of_cache(), 3);
    });
}
