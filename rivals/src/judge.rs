//! Rows, and whether they are lost.
//!
//! # Idea         a lane's ratio to another is the median of the ratios round by round: lanes of a round ran next to each other, so what
//!   slowed the machine slowed both
//! # Costs        none that is timed
//! # Invariants   J1 a row is lost if its figure misses its goal, by however little; J2 a speed that is reached with fewer hits than the
//!   lane it is compared with has isn't held; J3 a row that wasn't measured is neither held nor lost, and is named
//! # Not here     measuring, printing

use serde::Serialize;

/// One contender's answer to a row.
#[derive(Debug, Clone, Serialize)]
pub struct Lane {
    /// What is printed for it.
    pub name: String,
    /// A round each, in the row's unit.
    pub samples: Vec<f64>,
    /// Of the look-ups, how many per cent found something.
    pub hits_pct: Option<f64>,
    /// Why there are no samples.
    pub absent: Option<String>,
}

impl Lane {
    /// A lane that will be measured.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            samples: Vec::new(),
            hits_pct: None,
            absent: None,
        }
    }

    /// A lane that can't be measured.
    pub fn absent(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            absent: Some(why.into()),
            ..Self::new(name)
        }
    }

    /// A lane that was measured.
    pub fn of(name: impl Into<String>, samples: Vec<f64>) -> Self {
        Self {
            samples,
            ..Self::new(name)
        }
    }
}

/// What the first lane has to reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Limit {
    /// Its ratio to the base, at most.
    RatioMax(f64),
    /// Its own median, at most.
    Max(f64),
    /// Its own median, at least.
    Min(f64),
    /// How far its median may be below the base's.
    BehindMax(f64),
}

/// Whose goal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Source {
    /// Of the design's table of what must be reached: counted in the last line.
    Table,
    /// Promised elsewhere: judged, named and not counted.
    Promise,
}

/// A limit, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Goal {
    /// What has to be reached.
    pub limit: Limit,
    /// Who says so.
    pub source: Source,
    /// Whether a ratio that is reached with fewer hits than the base has is lost all the same.
    pub at_equal_hits: bool,
}

impl Goal {
    /// A goal of the design's table.
    pub const fn table(limit: Limit) -> Self {
        Self {
            limit,
            source: Source::Table,
            at_equal_hits: true,
        }
    }

    /// A goal that was promised elsewhere.
    pub const fn promise(limit: Limit) -> Self {
        Self {
            limit,
            source: Source::Promise,
            at_equal_hits: true,
        }
    }

    /// The same, where what is found isn't the contender's own doing.
    #[must_use]
    pub const fn at_any_hits(self) -> Self {
        Self {
            at_equal_hits: false,
            ..self
        }
    }
}

/// A question, and how each lane answered it.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The question.
    pub name: String,
    /// What rows are printed and drawn together with it.
    pub section: &'static str,
    /// What the samples are counted in.
    pub unit: &'static str,
    /// The first one is judged.
    pub lanes: Vec<Lane>,
    /// The lane that the judged ratio is to.
    pub base: Option<usize>,
    /// Without one, the row is only shown.
    pub goal: Option<Goal>,
    /// What a reader has to know besides.
    pub note: Option<String>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Verdict {
    /// Its goal was missed.
    Lost,
    /// It has a goal and no figure.
    Unmeasured,
    /// Its goal was reached.
    Held,
    /// It has no goal.
    Shown,
}

impl Verdict {
    /// As it is printed.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lost => "LOST",
            Self::Unmeasured => "not measured",
            Self::Held => "held",
            Self::Shown => "shown",
        }
    }
}

impl Row {
    /// What became of it.
    pub fn verdict(&self) -> Verdict {
        let Some(goal) = self.goal else {
            return Verdict::Shown;
        };
        let Some(figure) = self.figure() else {
            return Verdict::Unmeasured;
        };
        let is_reached = match goal.limit {
            Limit::RatioMax(max) | Limit::Max(max) | Limit::BehindMax(max) => figure <= max,
            Limit::Min(min) => figure >= min,
        };
        if is_reached && !self.has_fewer_hits() {
            Verdict::Held
        } else {
            Verdict::Lost
        }
    }

    /// The figure that is judged: a ratio, a median or a distance, as the goal says; without a goal, the ratio to the base.
    pub fn figure(&self) -> Option<f64> {
        let own = || self.lanes.first().and_then(|lane| median(&lane.samples));
        match (self.goal.map(|goal| goal.limit), self.base) {
            (Some(Limit::Max(_) | Limit::Min(_)), _) => own(),
            (Some(Limit::BehindMax(_)), Some(base)) => {
                Some(median(&self.lanes.get(base)?.samples)? - own()?)
            }
            (_, Some(base)) => self.ratio(0, base),
            (_, None) => None,
        }
    }

    /// Whether the first lane found less than the base did, by more than chance.
    pub fn has_fewer_hits(&self) -> bool {
        let is_asked = self
            .goal
            .is_some_and(|goal| goal.at_equal_hits && matches!(goal.limit, Limit::RatioMax(_)));
        let hits = |idx: usize| self.lanes.get(idx).and_then(|lane| lane.hits_pct);
        match (hits(0), self.base.and_then(hits)) {
            (Some(own), Some(base)) if is_asked => own < base - HITS_SLACK_POINTS,
            _ => false,
        }
    }

    /// One lane's samples over another's: the median round by round, if both have the same rounds, and of medians else.
    pub fn ratio(&self, lane: usize, to: usize) -> Option<f64> {
        let (above, below) = (&self.lanes.get(lane)?.samples, &self.lanes.get(to)?.samples);
        let ratio = if above.len() == below.len() {
            let rounds = above.iter().zip(below);
            median(&rounds.map(|(a, b)| a / b).collect::<Vec<_>>())?
        } else {
            median(above)? / median(below)?
        };
        ratio.is_finite().then_some(ratio)
    }

    /// The lane of this contender, if it has samples.
    pub fn lane_of(&self, name: &str) -> Option<usize> {
        let at = self.lanes.iter().position(|lane| lane.name == name);
        at.filter(|&at| !self.lanes[at].samples.is_empty())
    }

    /// The first lane's ratio to the best of the peers, where there is one and smaller is better.
    pub fn to_best_peer(&self) -> Option<(&str, f64)> {
        let peers = (1..self.lanes.len()).filter(|&idx| {
            let name = &self.lanes[idx].name;
            !name.starts_with("larder") && !name.starts_with(FLOOR)
        });
        let ratios = peers.filter_map(|idx| Some((idx, self.ratio(0, idx)?)));
        let (idx, ratio) = ratios.max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some((&self.lanes[idx].name, ratio))
    }
}

/// Rows by what became of them, those of the table apart from those of promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Goals of the table that were missed.
    pub n_lost: usize,
    /// Goals of the table that were measured.
    pub n_judged: usize,
    /// Goals of the table that were not.
    pub n_unmeasured: usize,
}

impl Count {
    /// Counts the goals of the table.
    pub fn of(rows: &[Row]) -> Self {
        let of_table = |row: &&Row| row.goal.is_some_and(|goal| goal.source == Source::Table);
        let n = |verdict: Verdict| {
            let rows = rows.iter().filter(of_table);
            rows.filter(|row| row.verdict() == verdict).count()
        };
        let n_lost = n(Verdict::Lost);
        Self {
            n_lost,
            n_judged: n_lost + n(Verdict::Held),
            n_unmeasured: n(Verdict::Unmeasured),
        }
    }
}

/// The middle one; of an even number, the mean of the two in the middle.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// Smallest, lower and upper quarter point, largest.
pub fn spread(values: &[f64]) -> Option<[f64; 4]> {
    let at = |share| quantile(values, share);
    Some([at(0.0)?, at(0.25)?, at(0.75)?, at(1.0)?])
}

/// The value that this share of the others lie below, between neighbours in proportion.
fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = sorted.len().checked_sub(1)? as f64 * share;
    let (lower, upper) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    Some(lower + (upper - lower) * place.fract())
}

/// The name of what no cache can be expected to beat.
pub const FLOOR: &str = "floor";

/// Hit ratios of two caches that are the same but for chance differ by less.
const HITS_SLACK_POINTS: f64 = 0.5;

#[cfg(test)]
mod tests;
