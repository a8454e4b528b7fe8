//! What is printed.
//!
//! # Idea         one table, a run a column; what B lost is its hit ratio under the flood against that of the run without A, in which
//!   its requests were the same
//! # Not here     how anything was counted

use std::fmt::Write as _;
use std::time::Duration;

use larder::Rate;

use crate::rates::Probe;
use crate::run::{Outcome, STEP, Settings, Stretch, Tally, VALUE_BYTES};
use crate::traffic::{FLOOD, N_PHASES, Plan};

/// The runs that are compared.
#[derive(Debug, PartialEq)]
pub(crate) struct Runs {
    pub(crate) alone: Outcome,
    pub(crate) confined: Outcome,
    pub(crate) shares: Outcome,
    pub(crate) shared: Outcome,
    pub(crate) limited: Option<(Rate, Outcome)>,
}

impl Runs {
    /// By how many percentage points B's hit ratio in the flood differs from that without A.
    pub(crate) fn moved(&self, run: &Outcome) -> f64 {
        let of = |run: &Outcome| run.phase(FLOOD).b.hit_pct().unwrap_or(0.0);
        (of(run) - of(&self.alone)).abs()
    }

    fn columns(&self) -> Vec<(&'static str, &Outcome)> {
        let mut columns = vec![
            ("B alone", &self.alone),
            ("B confined", &self.confined),
            ("with shares", &self.shares),
            ("without", &self.shared),
        ];
        if let Some((_, outcome)) = &self.limited {
            columns.push(("A limited", outcome));
        }
        columns
    }
}

/// What the runs have in common.
pub(crate) fn opening(plan: &Plan, settings: &Settings, entry_bytes: u64) -> String {
    let in_objects = u64::from(plan.n_objects) * entry_bytes;
    let lines = [
        format!(
            "cache  {}; of it guaranteed to A {}, to B {}; what is idle is lent",
            bytes(settings.max_bytes),
            bytes(settings.guaranteed_a),
            bytes(settings.guaranteed_b)
        ),
        format!(
            "B      {} requests a phase: zipf {} over {} objects ({}){}",
            grouped(plan.n_requests as u64),
            plan.zipf,
            grouped(u64::from(plan.n_objects)),
            bytes(in_objects),
            match plan.once_pct {
                0 => String::new(),
                pct => format!(", and {pct} % for keys read once"),
            }
        ),
        match settings.ttl {
            Some(ttl) => format!(
                "       an entry lives for {:.3} s on average, in which B makes {} requests",
                ttl.as_secs_f64(),
                grouped((ttl.as_nanos() / STEP.as_nanos()) as u64)
            ),
            None => "       an entry lives for as long as the cache likes".to_owned(),
        },
        format!(
            "A      in phase 2, {} new keys ({}), which is {:.1} times the cache",
            grouped(plan.n_flood),
            bytes(plan.n_flood * entry_bytes),
            (plan.n_flood * entry_bytes) as f64 / settings.max_bytes as f64
        ),
        format!(
            "       a value has {VALUE_BYTES} bytes, an entry is charged {entry_bytes}; {}, seed {}",
            match settings.n_threads {
                1 => "one thread",
                _ => "A and B on a thread each",
            },
            settings.seed
        ),
    ];
    lines.join("\n") + "\n\n"
}

/// The table of all runs.
pub(crate) fn table(runs: &Runs) -> String {
    let columns = runs.columns();
    let mut table = Table::default();
    table.row("", columns.iter().map(|(name, _)| (*name).to_owned()));
    let phases = ["1, B alone", "2, A floods", "3, B alone"];
    let mut section = |title: &str, cell: fn(&Stretch) -> String| {
        table.text.push_str(title);
        table.text.push('\n');
        for (phase, name) in (0..N_PHASES).zip(phases) {
            let cells = columns.iter().map(|(_, run)| cell(&run.phase(phase)));
            table.row(&format!("  {name}"), cells);
        }
    };
    section("hit ratio of B", |phase| pct(&phase.b));
    section("bytes of B at the end", |phase| bytes(phase.b_bytes));
    section("bytes of A at the end", |phase| bytes(phase.a_bytes));
    section("evictions", |phase| grouped(phase.n_evicted));
    let of_a = columns.iter().map(|(_, run)| pct(&run.phase(FLOOD).a));
    table.row("hit ratio of A", of_a);
    let refused = columns.iter().map(|(_, run)| grouped(run.n_refused()));
    table.row("refused inserts", refused);
    let highest = columns.iter().map(|(_, run)| bytes(run.highest_bytes()));
    table.row("highest charge", highest);
    let moved = columns
        .iter()
        .map(|(_, run)| format!("{:.2} points", runs.moved(run)));
    table.row("B moved in phase 2", moved);
    table.text
}

/// What A was told when it had a rate.
pub(crate) fn admission(rate: Rate, per_second: u64, n_asked: u64, outcome: &Outcome) -> String {
    let refusals = &outcome.refusals;
    let admitted = outcome.phase(FLOOD).a.n_requests;
    let seconds = outcome.phase(FLOOD).b.n_requests as f64 * STEP.as_secs_f64();
    let mut text = format!(
        "\nA limited to {} operations a second, {} at once; the clock is moved by hand\n",
        grouped(per_second),
        grouped(rate.burst_tokens())
    );
    let mut line = |name: &str, value: String| {
        writeln!(text, "  {name:<14} {value}").expect("a String takes all");
    };
    line("asked", format!("{} in {seconds:.2} s", grouped(n_asked)));
    line("admitted", grouped(admitted));
    line("refused", grouped(refusals.n));
    if let (Some(shortest), Some(mean), Some(longest)) =
        (refusals.shortest, refusals.mean(), refusals.longest)
    {
        line(
            "retry_after",
            format!("shortest {shortest:?}, mean {mean:?}, longest {longest:?}"),
        );
    }
    if let Some(probe) = &outcome.probe {
        line("to the letter", letter(probe));
    }
    text
}

fn letter(probe: &Probe) -> String {
    let answer = |passed| if passed { "admitted" } else { "refused" };
    let wait: Duration = probe.retry_after;
    format!(
        "told to come back in {wait:?}: a nanosecond earlier {}, then {}",
        answer(probe.early_passed),
        answer(probe.passed)
    )
}

#[derive(Default)]
struct Table {
    text: String,
}

impl Table {
    fn row(&mut self, name: &str, cells: impl Iterator<Item = String>) {
        let mut line = format!("{name:<22}");
        for cell in cells {
            write!(line, "{cell:>14}").expect("a String takes all");
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

fn pct(tally: &Tally) -> String {
    tally
        .hit_pct()
        .map_or_else(|| "-".to_owned(), |pct| format!("{pct:.2} %"))
}

/// A count with its thousands apart.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(n_bytes: u64) -> String {
    format!("{:.2} MiB", n_bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::Refusals;
    use crate::run::WINDOWS;

    /// A run in which B had so many hits of a hundred in each window.
    fn outcome(n_hits: u64) -> Outcome {
        let b = Tally {
            n_requests: 100,
            n_hits,
            n_refused: 0,
        };
        let window = Stretch {
            b,
            n_evicted: 20,
            b_bytes: 3 << 19,
            ..Stretch::default()
        };
        Outcome {
            windows: vec![window; N_PHASES * WINDOWS],
            refusals: Refusals::default(),
            probe: None,
        }
    }

    #[test]
    fn what_b_lost_or_won_is_in_points() {
        let runs = Runs {
            alone: outcome(90),
            confined: outcome(90),
            shares: outcome(91),
            shared: outcome(60),
            limited: None,
        };
        assert!((runs.moved(&runs.shares) - 1.0).abs() < 1e-9);
        assert!((runs.moved(&runs.shared) - 30.0).abs() < 1e-9);
        let table = table(&runs);
        let line = |begin: &str| table.lines().find(|line| line.starts_with(begin)).unwrap();
        let words: Vec<&str> = line("B moved").split_whitespace().collect();
        let moved: Vec<&str> = words[5..].iter().copied().step_by(2).collect();
        assert_eq!(moved, ["0.00", "0.00", "1.00", "30.00"]);
        // 60 windows of 20.
        let evictions = table.lines().skip_while(|line| *line != "evictions");
        assert!(evictions.take(2).last().unwrap().ends_with("1,200"));
        assert!(table.contains("91.00 %") && table.contains("1.50 MiB") && table.contains(" -"));
    }
}
