//! What a use is worth waiting for: reuse hazards by class and age, and the index computed from them.
//!
//! # Idea         for each class and age bin two sums, both fading: reuses seen, and time spent there by keys that wait, seen by
//!   sampling residents and ghosts. Their quotient is the hazard of reuse, censored waits being right by construction.
//!   The index of (class, age) is the best over all horizons of P(reused by then) / E(time held until then), a Gittins
//!   index, as in LHD (Beckmann, Chen, Cidon, NSDI 2018) but with the horizon chosen
//! # Costs        a reuse, a sample: one addition; a rank: one load; `step`: one class of the index. About 20 KiB, fixed
//! # Invariants   L1 every sum is finite and not negative; L2 a rank is defined for every 20-bit metadata
//! # Not here     where the samples come from

use super::meta::{Class, PIN_AGE, TICK_CYCLE, Tick};
use super::tuning::{FREQ_MAX, OCTAVE_MAX, PRIOR_CLASS, PRIOR_FREQUENCY, PRIOR_GLOBAL};

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

fn width(bin: usize) -> f32 {
    BIN_STARTS
        .get(bin + 1)
        .map_or(LAST_WIDTH, |&end| f32::from(end - BIN_STARTS[bin]))
}

/// The bin of a resident's age, by how far its tick lies behind that of now plus one cycle; so a rank needs no remainder.
static BIN_OF_LAG: [u8; 512] = {
    let mut bins = [0; 512];
    let mut lag = 0;
    while lag < 512 {
        let age = lag % TICK_CYCLE as usize;
        let age = if age < PIN_AGE as usize {
            age
        } else {
            PIN_AGE as usize
        };
        bins[lag] = BIN_OF_AGE[age];
        lag += 1;
    }
    bins
};

/// The bin of a resident whose tick this is.
#[inline(always)]
pub(super) fn bin_of_resident(tick: Tick, now: Tick) -> u8 {
    if tick == Tick::OLDEST {
        return BIN_OF_AGE[PIN_AGE as usize];
    }
    BIN_OF_LAG[(now.bits() + TICK_CYCLE - tick.bits()) as usize % 512]
}

type Row = [f32; BINS];

/// Powers of two, so that a look-up needs no check.
const N_CLASS_BITS: usize = 128;
const RANK_BINS: usize = 32;
type Ranks = [[u16; RANK_BINS]; N_CLASS_BITS];

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
            all: [0.0; BINS],
            stage: 0,
        };
        while learner.step(1.0) == Progress::More {}
        learner
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
    /// The rank of a resident whose age lies in this bin: the lowest leaves first. An octave of density is 2048 steps.
    #[inline(always)]
    pub(super) fn rank(&self, class: Class, bin: u8) -> u16 {
        self.ranks[class.bits() as usize % N_CLASS_BITS][usize::from(bin) % RANK_BINS]
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
            _ if stage <= STEPS => self.by_step[stage - 1] = self.hazards_of_step(stage - 1),
            _ => {
                let row = stage - 1 - STEPS;
                let hazards = blend(
                    &self.reuses[row],
                    &self.waits[row],
                    &self.by_step[row % STEPS],
                    PRIOR_CLASS,
                );
                let class = Class::new((row % STEPS) as u32, (row / STEPS) as u32);
                let ranks = index(&hazards).map(rank_of);
                self.ranks[class.bits() as usize][..BINS].copy_from_slice(&ranks);
                for bin in 0..BINS {
                    self.reuses[row][bin] *= fade;
                    self.waits[row][bin] *= fade;
                }
                if row + 1 == CLASSES {
                    self.stage = 0;
                    return Progress::Done;
                }
            }
        }
        Progress::More
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
        let borrowed = strength * width(bin);
        (reuses[bin] + borrowed * wider[bin]) / (waits[bin] + borrowed)
    })
}

/// For each bin, the best over all later bins of (chance of a reuse until its end) / (time held until then).
///
/// Bins are joined from the oldest downward while the next block pays more than the one before it: the ratio of the first
/// block is then the greatest over all horizons. Each bin is joined at most once, so the work is linear.
fn index(hazards: &Row) -> Row {
    let mut out = [0.0; BINS];
    let mut blocks = [(0.0f32, 0.0f32); BINS];
    let mut alive = [1.0f32; BINS + 1];
    for bin in 0..BINS {
        alive[bin + 1] = alive[bin] * (-hazards[bin] * width(bin)).exp();
    }
    let mut n_blocks = 0;
    for bin in (0..BINS).rev() {
        let gone = alive[bin] - alive[bin + 1];
        let held = if hazards[bin] > 1e-9 {
            gone / hazards[bin]
        } else {
            alive[bin] * width(bin)
        };
        let mut block = (gone, held);
        while n_blocks > 0 {
            let next = blocks[n_blocks - 1];
            if next.0 * block.1 < block.0 * next.1 {
                break;
            }
            block = (block.0 + next.0, block.1 + next.1);
            n_blocks -= 1;
        }
        blocks[n_blocks] = block;
        n_blocks += 1;
        out[bin] = if block.1 > 0.0 {
            block.0 / block.1
        } else {
            hazards[bin]
        };
    }
    out
}

/// A density per tick as a rank: its logarithm, from 2^-31 upward.
fn rank_of(density: f32) -> u16 {
    ((density.max(1e-12).log2() + 31.0) * 2048.0).clamp(0.0, 65535.0) as u16
}
