//! Rows and how they are judged and printed.
//!
//! # Idea         a lane's ratio to another is the median of the ratios round by round: lanes of a round ran next to each other, so what
//!   slowed the machine slowed both
//! # Costs        none that is timed
//! # Invariants   T1 a row is lost if its ratio is above its goal, by however little
//! # Not here     measuring

use crate::measure::Outcome;

/// One contender doing one job in a row, round by round.
#[derive(Debug)]
pub struct Lane {
    /// What is printed for it.
    pub name: String,
    /// A round each.
    pub outcomes: Vec<Outcome>,
}

/// What a row has to reach: the ratio of the first lane to the lane of the unit.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// The most that isn't a loss.
    pub ratio_max: f64,
    /// What the design asks for in the end, if that is another figure.
    pub later: Option<f64>,
}

/// A question, and how each lane answered it.
#[derive(Debug)]
pub struct Row {
    /// The question.
    pub name: &'static str,
    /// The first one is judged.
    pub lanes: Vec<Lane>,
    /// The lane that ratios are to.
    pub unit: usize,
    /// Without one, the row is only shown.
    pub goal: Option<Goal>,
}

impl Row {
    /// The ratio that is judged.
    pub fn ratio(&self) -> f64 {
        self.ratio_of(0, self.unit)
    }

    /// Whether the goal was missed.
    pub fn is_lost(&self) -> bool {
        self.goal.is_some_and(|goal| self.ratio() > goal.ratio_max)
    }

    fn ratio_of(&self, lane: usize, to: usize) -> f64 {
        let rounds = self.lanes[lane]
            .outcomes
            .iter()
            .zip(&self.lanes[to].outcomes);
        median(rounds.map(|(a, b)| a.ns / b.ns).collect())
    }

    /// Prints the lanes, one a line.
    pub fn print(&self) {
        let verdict = match self.goal {
            None => "shown".to_owned(),
            Some(goal) => {
                let verdict = if self.is_lost() { "LOST" } else { "held" };
                let later = goal
                    .later
                    .map_or_else(String::new, |later| format!(", design {later:.2}"));
                format!(
                    "{verdict}: {:.2}, goal {:.2}{later}",
                    self.ratio(),
                    goal.ratio_max
                )
            }
        };
        println!("\n{}   [{verdict}]", self.name);
        let unit = &self.lanes[self.unit].name;
        let floor = self
            .lanes
            .iter()
            .position(|lane| lane.name.starts_with("floor"));
        println!(
            "  {:<26} {:>9} {:>8} {:>12} {:>9} {:>7}",
            "lane",
            "ns/op",
            "spread",
            format!("to {unit}").chars().take(12).collect::<String>(),
            "to floor",
            "hits %"
        );
        for (idx, lane) in self.lanes.iter().enumerate() {
            let ns: Vec<f64> = lane.outcomes.iter().map(|outcome| outcome.ns).collect();
            let spread = spread(&ns);
            let to_floor = floor.map_or_else(
                || "-".to_owned(),
                |floor| format!("{:.2}", self.ratio_of(idx, floor)),
            );
            println!(
                "  {:<26} {:>9.1} {:>7.0}% {:>12.2} {:>9} {:>7}",
                lane.name,
                median(ns),
                spread,
                self.ratio_of(idx, self.unit),
                to_floor,
                hits(lane)
            );
        }
    }
}

/// Names the rows that were lost, and how many there were.
pub fn print_verdict(rows: &[Row]) {
    let judged = rows.iter().filter(|row| row.goal.is_some()).count();
    let lost: Vec<&Row> = rows.iter().filter(|row| row.is_lost()).collect();
    println!();
    for row in &lost {
        let goal = row.goal.map_or(f64::NAN, |goal| goal.ratio_max);
        println!(
            "LOST {:<44} {:.2} of {}, goal {goal:.2}",
            row.name,
            row.ratio(),
            row.lanes[row.unit].name
        );
    }
    for row in rows
        .iter()
        .filter(|row| row.goal.is_some() && !row.is_lost())
    {
        let goal = row.goal.map_or(f64::NAN, |goal| goal.ratio_max);
        println!(
            "held {:<44} {:.2} of {}, goal {goal:.2}",
            row.name,
            row.ratio(),
            row.lanes[row.unit].name
        );
    }
    println!("rows lost: {} of {judged}", lost.len());
}

fn hits(lane: &Lane) -> String {
    let n_gets: usize = lane.outcomes.iter().map(|outcome| outcome.n_gets).sum();
    let n_hits: usize = lane.outcomes.iter().map(|outcome| outcome.n_hits).sum();
    if n_gets == 0 {
        "-".to_owned()
    } else {
        format!("{:.2}", 100.0 * n_hits as f64 / n_gets as f64)
    }
}

/// The middle one; of an even number, the upper of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How far the quarter points lie apart, in per cent of the middle.
fn spread(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
    100.0 * (at(0.75) - at(0.25)) / median(sorted.clone())
}
