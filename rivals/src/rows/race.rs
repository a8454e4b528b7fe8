//! Racing contenders over the same keys.
//!
//! # Idea         rows that can share filled caches form a group; a group is set up when the first of its rows is wanted, and dropped
//!   before the next group. One run of a row may answer several questions, each a row of the report
//! # Costs        filling, once a group
//! # Invariants   RA1 a contender never runs twice in a row within a round's order: the order turns by one each round; RA2 the first
//!   round of a row warms up and isn't counted
//! # Not here     which groups there are

use super::{Scale, Wish, tell};
use crate::judge::{Goal, Lane, Row};
use crate::keys;
use crate::kind::Kind;
use crate::measure::{Job, Outcome, Subject, fresh};

/// Which keys a lane is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Draw {
    Zipf,
    Uniform,
    Hottest,
    Fresh,
}

/// A contender, set up.
pub(super) struct Entrant<T: Kind> {
    pub(super) name: &'static str,
    pub(super) subject: Box<dyn Subject<T>>,
}

/// A lane before it has run.
pub(super) struct LanePlan {
    pub(super) entrant: &'static str,
    pub(super) label: &'static str,
    pub(super) job: Job,
    pub(super) n_threads: usize,
}

/// What is asked of a run.
pub(super) struct Question {
    pub(super) name: String,
    pub(super) figure: Figure,
    pub(super) goal: Option<Goal>,
}

/// What is looked at of an outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Figure {
    Mean,
    /// That quantile of the look-ups.
    Get(f64),
    /// That quantile of the inserts.
    Insert(f64),
}

impl Figure {
    fn of(self, outcome: &Outcome) -> f64 {
        let latency = || {
            let latency = outcome.latency.as_ref();
            latency.expect("a row of quantiles has a job that times each operation")
        };
        match self {
            Self::Mean => outcome.ns,
            Self::Get(quantile) => latency().get_ns(quantile),
            Self::Insert(quantile) => latency().insert_ns(quantile),
        }
    }
}

/// Lanes that run together, and what is asked of them.
pub(super) struct RowPlan {
    pub(super) section: &'static str,
    pub(super) questions: Vec<Question>,
    pub(super) draw: Draw,
    pub(super) lanes: Vec<LanePlan>,
    /// The label of the lane that the judged ratio is to.
    pub(super) base: &'static str,
}

/// Rows over the same filled caches.
pub(super) struct Group<T: Kind> {
    /// Sets the contenders up and fills them.
    pub(super) field: fn(&Scale) -> Vec<Entrant<T>>,
    pub(super) value: &'static T::Given,
    pub(super) n_keys: usize,
    /// Why a lane's entrant may not be in the field.
    pub(super) absent: fn(&str) -> &'static str,
    pub(super) rows: Vec<RowPlan>,
}

impl<T: Kind> Group<T> {
    /// Runs the rows that are wanted.
    pub(super) fn run(mut self, wish: &Wish) -> Vec<Row> {
        for plan in &mut self.rows {
            plan.questions.retain(|question| wish.wants(&question.name));
        }
        self.rows.retain(|plan| !plan.questions.is_empty());
        if self.rows.is_empty() {
            return Vec::new();
        }
        let mut streams = Streams::new(self.n_keys, &wish.scale);
        let mut field = (self.field)(&wish.scale);
        let mut rows = Vec::new();
        for plan in &self.rows {
            for row in self.run_row(plan, &mut field, &mut streams, &wish.scale) {
                tell(&row);
                rows.push(row);
            }
        }
        rows
    }

    fn run_row(
        &self,
        plan: &RowPlan,
        field: &mut [Entrant<T>],
        streams: &mut Streams<T>,
        scale: &Scale,
    ) -> Vec<Row> {
        let n_lanes = plan.lanes.len();
        let threads_most = plan.lanes.iter().map(|lane| lane.n_threads).max();
        let threads_most = threads_most.expect("a row has lanes");
        let n_ops = scale.n_ops * 2 / threads_most.max(2);
        let mut outcomes: Vec<Vec<Outcome>> = vec![Vec::new(); n_lanes];
        for round in 0..=scale.n_rounds {
            let drawn = streams.draw(plan.draw, threads_most * n_ops);
            let drawn: Vec<&[T::Key]> = drawn.chunks(n_ops).collect();
            for turn in 0..n_lanes {
                let idx = (turn + round) % n_lanes;
                let lane = &plan.lanes[idx];
                let Ok(place) = self.place(field, lane) else {
                    continue;
                };
                let streams = &drawn[..lane.n_threads];
                let outcome = field[place].subject.run(lane.job, streams, self.value);
                if round > 0 {
                    outcomes[idx].push(outcome);
                }
            }
        }
        let of_question = |question: &Question| Row {
            name: question.name.clone(),
            section: plan.section,
            unit: "ns",
            lanes: plan
                .lanes
                .iter()
                .zip(&outcomes)
                .map(|(lane, outcomes)| match self.place(field, lane) {
                    Ok(_) => lane_of(lane.label, question.figure, outcomes),
                    Err(why) => Lane::absent(lane.label, why),
                })
                .collect(),
            base: plan.lanes.iter().position(|lane| lane.label == plan.base),
            goal: question.goal,
            note: None,
        };
        plan.questions.iter().map(of_question).collect()
    }

    /// Where in the field a lane's entrant is, or why it can't run.
    fn place(&self, field: &[Entrant<T>], lane: &LanePlan) -> Result<usize, String> {
        let found = field
            .iter()
            .position(|entrant| entrant.name == lane.entrant);
        let place = found.ok_or_else(|| (self.absent)(lane.entrant).to_owned())?;
        let threads_max = field[place].subject.threads_max();
        if lane.n_threads > threads_max {
            return Err(format!("has maps for {threads_max} threads at this scale"));
        }
        Ok(place)
    }
}

fn lane_of(label: &str, figure: Figure, outcomes: &[Outcome]) -> Lane {
    let n_gets: usize = outcomes.iter().map(|outcome| outcome.n_gets).sum();
    let n_hits: usize = outcomes.iter().map(|outcome| outcome.n_hits).sum();
    Lane {
        hits_pct: (n_gets > 0).then(|| 100.0 * n_hits as f64 / n_gets as f64),
        ..Lane::of(
            label,
            outcomes.iter().map(|outcome| figure.of(outcome)).collect(),
        )
    }
}

/// Where keys are drawn from.
struct Streams<T: Kind> {
    zipf: Vec<u64>,
    uniform: Vec<u64>,
    /// What is read next of the two.
    at: usize,
    /// The keys of this round.
    made: Vec<T::Key>,
}

impl<T: Kind> Streams<T> {
    fn new(n_keys: usize, scale: &Scale) -> Self {
        let len = scale.n_ops * 12;
        Self {
            zipf: keys::zipf(n_keys, len, 1),
            uniform: keys::uniform(n_keys, len, 2),
            at: 0,
            made: Vec::new(),
        }
    }

    /// The next so many keys.
    fn draw(&mut self, draw: Draw, n_keys: usize) -> &[T::Key] {
        if self.at + n_keys > self.zipf.len() {
            self.at = 0;
        }
        let range = self.at..self.at + n_keys;
        self.at += n_keys;
        self.made.clear();
        match draw {
            Draw::Zipf => self
                .made
                .extend(self.zipf[range].iter().map(|&idx| T::key(idx))),
            Draw::Uniform => self
                .made
                .extend(self.uniform[range].iter().map(|&idx| T::key(idx))),
            Draw::Hottest => self.made.resize(n_keys, T::key(0)),
            Draw::Fresh => {
                let first = fresh(n_keys as u64);
                self.made.extend((first..first + n_keys as u64).map(T::key));
            }
        }
        &self.made
    }
}

#[cfg(test)]
mod tests;
