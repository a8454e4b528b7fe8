//! What a use is worth waiting for: reuse hazards by class and age, and the index computed from them.
//!
//! # Idea         for each class and age bin two sums, both fading: reuses seen, and time spent there by keys that wait, seen by
//!   sampling residents and ghosts. Their quotient is the hazard of reuse, censored waits being right by construction.
//!   The index of (class, age) is the best over all horizons of P(reused by then) / E(time held until then), a Gittins
//!   index, as in LHD (Beckmann, Chen, Cidon, NSDI 2018) but with the horizon chosen
//! # Costs        a reuse, a sample: one addition; a rank: one load; `step`: one class of the index. About 20 KiB, fixed
//! # Invariants   L1 every sum is finite and not negative; L2 a rank is defined for every 20-bit metadata
//! # Not here     where the samples come from

use super::meta::{Class, Tick};
use super::tuning::{FREQ_MAX, OCTAVE_MAX, PRIOR_CLASS, PRIOR_FREQUENCY, PRIOR_GLOBAL};

/// The sums there are of a learner.
pub(super) const N_SUMS: usize = 2 * CLASSES * BINS;
const STEPS: usize = FREQ_MAX as usize + 1;
const OCTAVES: usize = OCTAVE_MAX as usize + 1;
const CLASSES: usize = STEPS * OCTAVES;

/// Where each age bin begins, in ticks. The last is open.
const BIN_STARTS: [u16; BINS] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 127,
    192, 256, 384, 512,
];
const BINS: usize = 29;
/// What the open bin counts for.
const LAST_WIDTH: f32 = 512.0;

/// The bin of each age below 512.
const BIN_OF_AGE: [u8; 512] = {
    let mut bins = [0u8; 512];
    let (mut age, mut bin) = (0, 0);
    while age < 512 {
        while bin + 1 < BINS && BIN_STARTS[bin + 1] as usize <= age {
            bin += 1;
        }
        bins[age] = bin as u8;
        age += 1;
    }
    bins
};

fn bin_of(age: u32) -> usize {
    usize::from(BIN_OF_AGE[age.min(511) as usize]) + usize::from(age >= 512)
}

const WIDTHS: Row = {
    let mut widths = [LAST_WIDTH; BINS];
    let mut bin = 0;
    while bin + 1 < BINS {
        widths[bin] = (BIN_STARTS[bin + 1] - BIN_STARTS[bin]) as f32;
        bin += 1;
    }
    widths
};

/// The bin of each tick that a resident may carry, while one tick runs.
#[derive(Debug)]
pub(super) struct BinOfTick([u8; 256]);

impl BinOfTick {
    /// While `now` runs. Its own tick has a bin to itself, in which newcomers aren't to be taken.
    pub(super) fn at(now: Tick) -> BinOfTick {
        let mut bins = [0; 256];
        for (bits, bin) in (0..256).zip(&mut bins) {
            *bin = BIN_OF_AGE[Tick::from_bits(bits).age(now) as usize];
        }
        bins[now.bits() as usize] = RUNNING;
        BinOfTick(bins)
    }

    #[inline(always)]
    fn of(&self, tick: Tick) -> u8 {
        self.0[tick.bits() as usize]
    }
}

type Row = [f32; BINS];

/// Powers of two, so that a look-up needs no check.
const N_CLASS_BITS: usize = 128;
const RANK_BINS: usize = 32;
/// The bin of the running tick.
const RUNNING: u8 = RANK_BINS as u8 - 1;
/// The rank of a newcomer in its first tick.
pub(super) const NOT_YET: u16 = u16::MAX;
/// What a row must hold at least for an index of its own; below, its frequency step's serves it.
const IDLE: f32 = 1e-3;
pub(super) type Ranks = [[u16; RANK_BINS]; N_CLASS_BITS];

/// Ranks before anything is known: by age alone.
pub(super) static BY_AGE: Ranks = {
    let mut ranks = [[0; RANK_BINS]; N_CLASS_BITS];
    let mut class = 0;
    while class < N_CLASS_BITS {
        let mut bin = 0;
        while bin < BINS {
            ranks[class][bin] = (BINS - bin) as u16 * 1024;
            bin += 1;
        }
        ranks[class][RUNNING as usize] = NOT_YET;
        class += 1;
    }
    ranks
};

fn row_of(class: Class) -> usize {
    // Damaged metadata may name a class that isn't used: it shares the last.
    let octave = (class.octave() as usize).min(OCTAVES - 1);
    octave * STEPS + (class.step() as usize).min(STEPS - 1)
}

/// The sums, and the index made of them.
#[derive(Debug)]
pub(super) struct Learner {
    reuses: Vec<Row>,
    waits: Vec<Row>,
    /// The index, by the seven bits of a class; classes that aren't used leave first (L2).
    ranks: Box<Ranks>,
    /// Hazards of the present pass: of each frequency step, and of all.
    by_step: [Row; STEPS],
    ranks_by_step: [[u16; BINS]; STEPS],
    all: Row,
    /// The next thing that `step` does in this pass.
    stage: usize,
}

/// What one call of `step` did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// The pass goes on.
    More,
    /// The index is whole.
    Done,
}

impl Learner {
    pub(super) fn new() -> Learner {
        let mut learner = Learner {
            reuses: vec![[0.0; BINS]; CLASSES],
            waits: vec![[0.0; BINS]; CLASSES],
            ranks: Box::new([[0; RANK_BINS]; N_CLASS_BITS]),
            by_step: [[0.0; BINS]; STEPS],
            ranks_by_step: [[0; BINS]; STEPS],
            all: [0.0; BINS],
            stage: 0,
        };
        while learner.step(1.0) == Progress::More {}
        learner
    }
    /// A learner that goes on from sums, reuses before waits, each by class and bin.
    pub(super) fn from_sums(sums: &[f32]) -> Learner {
        let mut learner = Learner::new();
        let rows = learner.reuses.iter_mut().chain(&mut learner.waits);
        // What is damaged counts for nothing (L1).
        for (sum, from) in rows.flatten().zip(sums) {
            *sum = if from.is_finite() { from.max(0.0) } else { 0.0 };
        }
        while learner.step(1.0) == Progress::More {}
        learner
    }
    /// The sums, in that order.
    pub(super) fn sums(&self) -> impl Iterator<Item = f32> {
        self.reuses.iter().chain(&self.waits).flatten().copied()
    }
    pub(super) fn memory_bytes(&self) -> usize {
        (self.reuses.capacity() + self.waits.capacity()) * size_of::<Row>() + size_of::<Ranks>()
    }
    /// A key of this class was used again at this age; stands for `weight` such.
    pub(super) fn reused(&mut self, class: Class, age: u32, weight: f32) {
        self.reuses[row_of(class)][bin_of(age)] += weight;
    }
    /// A key of this class was seen waiting at this age; stands for `ticks` of waiting.
    pub(super) fn waited(&mut self, class: Class, age: u32, ticks: f32) {
        self.waits[row_of(class)][bin_of(age)] += ticks;
    }
    /// The index, for [`rank`].
    pub(super) fn ranks(&self) -> &Ranks {
        &self.ranks
    }
    /// Whether no pass is under way.
    pub(super) fn is_fresh(&self) -> bool {
        self.stage == 0
    }
    /// One bounded piece of a pass: the hazards of all, of each step, then the index of each class, which also fades.
    pub(super) fn step(&mut self, fade: f32) -> Progress {
        let stage = self.stage;
        self.stage += 1;
        match stage {
            0 => self.all = self.hazards_of_all(),
            _ if stage <= STEPS => {
                let step = stage - 1;
                self.by_step[step] = self.hazards_of_step(step);
                self.ranks_by_step[step] = index(&self.by_step[step]).map(rank_of);
            }
            _ => {
                let row = stage - 1 - STEPS;
                self.rank_row(row);
                for sum in self.reuses[row].iter_mut().chain(&mut self.waits[row]) {
                    *sum *= fade;
                }
                if row + 1 == CLASSES {
                    self.stage = 0;
                    return Progress::Done;
                }
            }
        }
        Progress::More
    }
    fn rank_row(&mut self, row: usize) {
        let (step, octave) = (row % STEPS, row / STEPS);
        let (reuses, waits) = (&self.reuses[row], &self.waits[row]);
        let known: f32 = reuses
            .iter()
            .zip(waits)
            .map(|(reused, waited)| reused + waited)
            .sum();
        let ranks = if known < IDLE {
            self.ranks_by_step[step]
        } else {
            index(&blend(reuses, waits, &self.by_step[step], PRIOR_CLASS)).map(rank_of)
        };
        let class = Class::new(step as u32, octave as u32);
        let entry = &mut self.ranks[class.bits() as usize];
        entry[..BINS].copy_from_slice(&ranks);
        entry[usize::from(RUNNING)] = if octave == 0 { NOT_YET } else { ranks[0] };
    }
    fn hazards_of_all(&self) -> Row {
        // Before anything is known, hazards fall with age: least recently used leaves first.
        let start: Row = std::array::from_fn(|bin| 0.25 / (f32::from(BIN_STARTS[bin]) + 4.0));
        let (reuses, waits) = sum(self.reuses.iter().zip(&self.waits));
        blend(&reuses, &waits, &start, PRIOR_GLOBAL)
    }
    fn hazards_of_step(&self, step: usize) -> Row {
        let (reuses, waits) = sum(self
            .reuses
            .iter()
            .zip(&self.waits)
            .skip(step)
            .step_by(STEPS));
        blend(&reuses, &waits, &self.all, PRIOR_FREQUENCY)
    }
}

/// The rank of a resident: the lowest leaves first, and an octave of density is 2048 steps. [`NOT_YET`] for a newcomer in its first
/// tick.
#[inline(always)]
pub(super) fn rank(ranks: &Ranks, bins: &BinOfTick, tick: Tick, class: Class) -> u16 {
    let row = class.bits() as usize % N_CLASS_BITS * RANK_BINS;
    ranks.as_flattened()[row | (usize::from(bins.of(tick)) % RANK_BINS)]
}

/// The same by age alone: a newcomer in its first tick has the rank of its like just after it.
#[inline]
pub(super) fn rank_at_rest(ranks: &Ranks, bins: &BinOfTick, tick: Tick, class: Class) -> u16 {
    let bin = match bins.of(tick) {
        RUNNING => 0,
        bin => bin,
    };
    ranks[class.bits() as usize % N_CLASS_BITS][usize::from(bin) % RANK_BINS]
}

fn sum<'a>(rows: impl Iterator<Item = (&'a Row, &'a Row)>) -> (Row, Row) {
    let mut total = ([0.0; BINS], [0.0; BINS]);
    for (reuses, waits) in rows {
        for bin in 0..BINS {
            total.0[bin] += reuses[bin];
            total.1[bin] += waits[bin];
        }
    }
    total
}

/// Reuses per tick, drawn towards a wider class's as if `strength` of its keys had passed each bin.
fn blend(reuses: &Row, waits: &Row, wider: &Row, strength: f32) -> Row {
    std::array::from_fn(|bin| {
        let borrowed = strength * WIDTHS[bin];
        (reuses[bin] + borrowed * wider[bin]) / (waits[bin] + borrowed)
    })
}

/// For each bin, the best over all later bins of (chance of a reuse until its end) / (time held until then).
///
/// Bins are joined from the oldest downward while the next block pays more than the one before it: the ratio of the first
/// block is then the greatest over all horizons. Each bin is joined at most once, so the work is linear.
fn index(hazards: &Row) -> Row {
    let lefts: Row = std::array::from_fn(|bin| decay(hazards[bin] * WIDTHS[bin]));
    let helds: Row = std::array::from_fn(|bin| held(hazards[bin], WIDTHS[bin], lefts[bin]));
    let mut out = [0.0; BINS];
    let mut blocks = [Block::default(); BINS];
    let mut n_blocks = 0;
    for bin in (0..BINS).rev() {
        let mut block = Block {
            gone: helds[bin] * hazards[bin],
            left: lefts[bin],
            held: helds[bin],
        };
        while n_blocks > 0 {
            let next = blocks[n_blocks - 1];
            if next.gone * block.held < block.gone * next.held {
                break;
            }
            block = block.before(next);
            n_blocks -= 1;
        }
        blocks[n_blocks] = block;
        n_blocks += 1;
        out[bin] = block.gone / block.held;
    }
    out
}

/// What becomes of a key that waits at the beginning of some bins, until their end; so nothing is too small for its number, however
/// few come that far.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// The chance of a reuse, and of none.
    gone: f32,
    left: f32,
    /// The time held, above zero.
    held: f32,
}

impl Block {
    /// Both, the other one for those that come so far.
    fn before(self, next: Block) -> Block {
        Block {
            gone: self.gone + self.left * next.gone,
            left: self.left * next.left,
            held: self.held + self.left * next.held,
        }
    }
}

/// The time that a bin of this width holds a key, which is `left` with that chance at its end.
fn held(hazard: f32, width: f32, left: f32) -> f32 {
    let x = hazard * width;
    let by_difference = (1.0 - left) / hazard;
    // Of a small difference hardly a digit is right: there the series of `(1 - exp(-x)) / x` is more exact.
    if x < 1.0 / 64.0 {
        width * (1.0 - 0.5 * x)
    } else {
        by_difference
    }
}

/// A density per tick as a rank, from 2^-31 upward: its logarithm, drawn straight within an octave, which is how a float is
/// written. The highest rank is left to those that aren't to be taken.
fn rank_of(density: f32) -> u16 {
    const OCTAVE_BITS: u32 = 11;
    let least = f32::exp2(-31.0).to_bits();
    let above = density.to_bits().saturating_sub(least) >> (f32::MANTISSA_DIGITS - 1 - OCTAVE_BITS);
    above.min(u32::from(NOT_YET) - 1) as u16
}

/// `exp(-x)` for `x >= 0`, at most 0.01 too high: a short series raised to the fourth power.
fn decay(x: f32) -> f32 {
    let quarter = 0.25 * x;
    let root = 1.0 / (1.0 + quarter * (1.0 + quarter * (0.5 + quarter * (1.0 / 6.0))));
    (root * root) * (root * root)
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
