use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use super::table::{N_IDLE_MAX, N_PLACES};
use super::*;

/// Chance, the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (self.0 >> 33) as usize % n
    }
}

/// A cache, its tenants, and caches of each: many more than a table has places. With each, which ones it counts for.
fn family(n_tenants: usize, n_caches: usize) -> Vec<(Arc<Tally>, Vec<usize>)> {
    let root = Tally::new(None);
    let mut all = vec![(root, vec![0])];
    for _ in 0..n_tenants {
        let tenant = all.len();
        all.push((Tally::new(Some(&all[0].0)), vec![0, tenant]));
        for _ in 0..n_caches {
            let cache = all.len();
            all.push((Tally::new(Some(&all[tenant].0)), vec![0, tenant, cache]));
        }
    }
    all
}

fn count(table: &Table, tally: &Arc<Tally>, event: Event) {
    if !table.count(tally.id(), event) {
        table.count_anew(tally, event);
    }
}

/// Counts, folds and readings in any order: at each level nothing is lost, and nothing is there twice (Y1).
#[test]
fn each_level_has_each_count_once() {
    let mut dice = Dice(7);
    let all = family(20, 8);
    let tables = [0; 3].map(|_| Table::new());
    let mut expected = vec![[0; N_EVENTS]; all.len()];
    for step in 0..200_000 {
        let who = if dice.roll(3) == 0 {
            dice.roll(4)
        } else {
            dice.roll(all.len())
        };
        let (tally, levels) = &all[who];
        let event = Event::ALL[dice.roll(N_EVENTS)];
        let table = &tables[dice.roll(tables.len())];
        let n = if (event as usize) < N_QUICK && dice.roll(10) > 0 {
            count(table, tally, event);
            1
        } else {
            let n = dice.roll(9) as u64;
            tally.count(event, n);
            n
        };
        for &level in levels {
            expected[level][event as usize] += n;
        }
        if dice.roll(5_000) == 0 {
            table.clear();
        }
        if step % 997 == 0 {
            let who = dice.roll(all.len());
            for who in [0, who] {
                let sum = sum(&all[who].0, tables.iter());
                assert_eq!(sum, Counts(expected[who]), "{who} after {step} steps");
            }
        }
    }
    for table in &tables {
        table.clear();
    }
    for ((tally, _), expected) in all.iter().zip(expected) {
        assert_eq!(tally.totals.read(), expected, "all is folded");
        assert_eq!(Arc::strong_count(tally), 1 + n_below(&all, tally));
    }
}

fn n_below(all: &[(Arc<Tally>, Vec<usize>)], tally: &Arc<Tally>) -> usize {
    let is_below = |other: &&(Arc<Tally>, _)| {
        let above = other.0.above.as_ref();
        above.is_some_and(|above| Arc::ptr_eq(above, tally))
    };
    all.iter().filter(is_below).count()
}

/// Two that want one place.
fn rivals() -> (Arc<Tally>, Arc<Tally>) {
    let one = Tally::new(None);
    let other = std::iter::repeat_with(|| Tally::new(None));
    let mut other = other.filter(|other| other.id().place() == one.id().place());
    let rival = other.next().unwrap();
    assert_ne!(one.id(), rival.id());
    (one, rival)
}

#[test]
fn a_place_is_kept_while_it_is_used_and_lost_when_idle() {
    let (one, rival) = rivals();
    let table = Table::new();
    count(&table, &one, Event::Hit);
    for _ in 0..100 {
        count(&table, &rival, Event::Hit);
        assert!(table.count(one.id(), Event::Hit), "it's in use");
    }
    assert_eq!(rival.totals.read()[0], 100);
    for _ in 0..N_IDLE_MAX {
        assert!(!table.count(rival.id(), Event::Hit));
        table.count_anew(&rival, Event::Hit);
    }
    count(&table, &rival, Event::Hit);
    assert!(table.count(rival.id(), Event::Hit), "the place was idle");
    assert_eq!(one.totals.read()[0], 101);
    assert_eq!(sum(&one, [&table].into_iter()).of(Event::Hit), 101);
    let expected = 100 + u64::from(N_IDLE_MAX) + 2;
    assert_eq!(sum(&rival, [&table].into_iter()).of(Event::Hit), expected);
}

/// Who counts for many tenants writes each one's own line, and not that of the cache they have in common.
#[test]
fn those_above_have_a_place_though_they_are_counted_for_through_others_alone() {
    let all = family(50 * N_PLACES, 0);
    let table = Table::new();
    for round in 0..3 {
        for (tenant, _) in &all[1..] {
            count(&table, tenant, Event::Hit);
        }
        let n_counts = (round + 1) * (all.len() as u64 - 1);
        assert_eq!(
            sum(&all[0].0, [&table].into_iter()).of(Event::Hit),
            n_counts
        );
    }
    let folded = all[0].0.totals.read()[0];
    assert!(folded < all.len() as u64 / 10, "{folded} of {}", all.len());
}

/// Y3: the table is being summed all the time that this counts.
#[test]
fn who_counts_waits_for_no_lock() {
    let (one, rival) = rivals();
    let table = Table::new();
    let above = Tally::new(None);
    let below = Tally::new(Some(&above));
    count(&table, &one, Event::Hit);
    let held = table.hold();
    for tally in [&one, &rival, &below] {
        count(&table, tally, Event::Expired);
    }
    drop(held);
    assert_eq!(rival.totals.read()[Event::Expired as usize], 1);
    for tally in [&one, &rival, &below, &above] {
        let sum = sum(tally, [&table].into_iter());
        assert_eq!(sum.of(Event::Expired), 1);
    }
}

/// Y2: threads count for more tallies than they have places for, and end, while another reads.
#[test]
fn sums_do_not_go_down_while_threads_count_and_end() {
    const N_THREADS: usize = 4;
    let all = family(10, 20);
    let tables: Vec<Table> = (0..N_THREADS).map(|_| Table::new()).collect();
    let n_running = AtomicUsize::new(N_THREADS);
    let counted: Vec<AtomicU64> = all.iter().map(|_| AtomicU64::new(0)).collect();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for (number, table) in tables.iter().enumerate() {
            let (all, counted, n_running) = (&all, &counted, &n_running);
            scope.spawn(move || {
                let mut dice = Dice(number as u64);
                for step in 0..60_000 {
                    let who = dice.roll(all.len());
                    count(table, &all[who].0, Event::Hit);
                    for &level in &all[who].1 {
                        counted[level].fetch_add(1, Ordering::Relaxed);
                    }
                    // As when a thread ends, and another takes its record.
                    if step % 256 == 0 {
                        table.clear();
                    }
                }
                n_running.fetch_sub(1, Ordering::Release);
            });
        }
        let mut seen = vec![0; all.len()];
        while !is_over.load(Ordering::Relaxed) {
            let last_round = n_running.load(Ordering::Acquire) == 0;
            for who in [0, 1, 1, 0, 22, 30, 0] {
                let sum = sum(&all[who].0, tables.iter()).of(Event::Hit);
                assert!(sum >= seen[who], "{sum} after {} for {who}", seen[who]);
                seen[who] = sum;
            }
            is_over.store(last_round, Ordering::Relaxed);
        }
    });
    for ((tally, _), counted) in all.iter().zip(counted) {
        let sum = sum(tally, tables.iter()).of(Event::Hit);
        assert_eq!(sum, counted.into_inner());
    }
}
