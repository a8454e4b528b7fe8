//! The rows that count instructions, by callgrind.
//!
//! # Idea         this program runs itself under callgrind, each case with N operations and with 2N; the difference is N operations,
//!   free of start, filling and end. Counts aren't disturbed by neighbours, so as many cases run at once as there are cores
//! # Costs        some seconds a case; needs valgrind
//! # Invariants   I1 both runs of a case differ in the number of operations alone; I2 without valgrind the rows come out unmeasured
//! # Not here     time: instructions say nothing of waits for memory; what a case does: module `cases`

mod cases;

use std::collections::HashMap;
use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use super::{Wish, tell};
use crate::judge::{FLOOR, Goal, Lane, Limit, Row};

pub use cases::{Case, count_case};

/// Larder through a held scope of a tenant without limits.
pub(super) const SCOPE: &str = "scope";

/// A row, and what has to be counted for it.
struct Plan {
    name: &'static str,
    section: &'static str,
    lanes: Vec<LanePlan>,
    base: usize,
    goal: Option<Goal>,
    note: Option<&'static str>,
}

/// A contender's case.
struct LanePlan {
    label: &'static str,
    contender: &'static str,
    case: Case,
}

/// Instructions an operation, or why there is no count.
type Counts = HashMap<(&'static str, Case), Result<f64, String>>;

pub(super) fn run(wish: &Wish) -> Vec<Row> {
    let mut plans = caches();
    plans.extend(scopes());
    plans.retain(|plan| wish.wants(plan.name));
    let mut wanted: Vec<(&'static str, Case)> = Vec::new();
    for lane in plans.iter().flat_map(|plan| &plan.lanes) {
        let count = (lane.contender, lane.case);
        let is_new = !wanted.contains(&count);
        if is_new && (wish.scale.is_whole || QUICK.contains(&lane.contender)) {
            wanted.push(count);
        }
    }
    let counts = count_all(&wanted, wish.scale.n_counted);
    plans
        .into_iter()
        .map(|plan| {
            let row = plan.judged(&counts);
            tell(&row);
            row
        })
        .collect()
}

impl Plan {
    fn judged(self, counts: &Counts) -> Row {
        let lane = |plan: &LanePlan| match counts.get(&(plan.contender, plan.case)) {
            Some(Ok(count)) => Lane::of(plan.label, vec![*count]),
            Some(Err(why)) => Lane::absent(plan.label, why),
            None => Lane::absent(plan.label, "is counted in a whole run alone"),
        };
        Row {
            name: self.name.to_owned(),
            section: self.section,
            unit: "instructions",
            lanes: self.lanes.iter().map(lane).collect(),
            base: Some(self.base),
            goal: self.goal,
            note: self.note.map(str::to_owned),
        }
    }
}

/// Counted in a quick run as well.
const QUICK: [&str; 3] = ["larder", "quick_cache", SCOPE];

/// Those that are counted: caches, all of them bounded, and the floor.
const CACHES: [&str; 9] = [
    "larder",
    "quick_cache",
    "moka",
    "mini-moka",
    "foyer",
    "TinyUFO",
    "scc",
    "stretto",
    FLOOR,
];

fn caches() -> Vec<Plan> {
    let max = |max| Some(Goal::table(Limit::Max(max)));
    [
        ("instructions get", Case::Get, max(180.0)),
        ("instructions read", Case::Read, max(140.0)),
        ("instructions insert, not full", Case::Insert, max(700.0)),
        ("instructions miss", Case::Miss, None),
        ("instructions churn", Case::Churn, None),
    ]
    .map(|(name, case, goal)| {
        let lanes = CACHES.iter();
        let mut lanes: Vec<LanePlan> = lanes.map(|cache| whole(cache, case)).collect();
        // The floor never evicts, and stretto only later and elsewhere.
        lanes.retain(|lane| case != Case::Churn || !matches!(lane.contender, FLOOR | "stretto"));
        Plan {
            name,
            section: SECTION,
            lanes,
            base: 1,
            goal,
            note: None,
        }
    })
    .into()
}

/// What a tenant's held scope may take more than the cache itself.
fn scopes() -> Vec<Plan> {
    [
        (
            "instructions get through a held scope, to the cache's own",
            Case::Get,
        ),
        (
            "instructions read through a held scope, to the cache's own",
            Case::Read,
        ),
    ]
    .map(|(name, case)| Plan {
        name,
        section: SECTION,
        lanes: vec![
            LanePlan {
                label: "larder, scope",
                ..whole(SCOPE, case)
            },
            whole("larder", case),
        ],
        base: 1,
        goal: Some(Goal::promise(Limit::RatioMax(1.08))),
        note: None,
    })
    .into()
}

const SECTION: &str = "instructions";

fn whole(contender: &'static str, case: Case) -> LanePlan {
    LanePlan {
        label: contender,
        contender,
        case,
    }
}

/// Counts every case, as many at once as there are cores.
fn count_all(wanted: &[(&'static str, Case)], n_ops: usize) -> Counts {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(&(contender, case)) = wanted.get(next.fetch_add(1, Relaxed)) {
            let count = count(contender, case, n_ops).map_err(|error| error.to_string());
            done.push(((contender, case), count));
        }
        done
    };
    let n_threads = thread::available_parallelism().map_or(1, |n| n.get());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(work)).collect();
        let done = threads
            .into_iter()
            .map(|thread| thread.join().expect("no count panics"));
        done.flatten().collect()
    })
}

/// Instructions an operation.
fn count(contender: &str, case: Case, n_ops: usize) -> io::Result<f64> {
    let short = count_run(contender, case, n_ops, 2 * n_ops)?;
    let long = count_run(contender, case, 2 * n_ops, 2 * n_ops)?;
    Ok((long as f64 - short as f64) / n_ops as f64)
}

/// Instructions of a whole run, as callgrind sums them up on its error output.
fn count_run(contender: &str, case: Case, n_ops: usize, n_most: usize) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["count", contender, &case.word()])
        .args([n_ops.to_string(), n_most.to_string()])
        .output()
        .map_err(|error| io::Error::other(format!("valgrind can't be run: {error}")))?;
    let text = String::from_utf8_lossy(&output.stderr);
    collected(&text).ok_or_else(|| {
        let last = text.lines().last().unwrap_or("it said nothing");
        io::Error::other(format!("callgrind gave no count: {last}"))
    })
}

fn collected(text: &str) -> Option<u64> {
    let (_, count) = text
        .lines()
        .find_map(|line| line.split_once("Collected : "))?;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_found_among_other_lines() {
        let text = "==1== Callgrind\n==1== Events    : Ir\n==1== Collected : 29476721\n==1==\n";
        assert_eq!(collected(text), Some(29_476_721));
        assert_eq!(collected("==1== Collected : many\n"), None);
        assert_eq!(collected("valgrind: no such file\n"), None);
    }

    #[test]
    fn what_was_not_counted_says_why() {
        let plan = caches().remove(0);
        let mut counts = Counts::new();
        counts.insert(("larder", plan.lanes[0].case), Ok(170.0));
        counts.insert(("moka", plan.lanes[2].case), Err("no valgrind".to_owned()));
        let row = plan.judged(&counts);
        assert_eq!(row.lanes[0].samples, [170.0]);
        assert!(row.lanes[1].absent.is_some());
        assert_eq!(row.lanes[2].absent.as_deref(), Some("no valgrind"));
    }
}
