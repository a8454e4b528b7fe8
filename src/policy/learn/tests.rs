//! # Properties
//! - LP1 the index is the best quotient over all horizons, by a search of all of them in double precision
//! - LP2 hazards are what the sums say, drawn towards the wider classes' as the module says
//! - LP3 a pass ranks and fades each class once; ranks are defined whatever the sums and the metadata are (L1, L2)

use proptest::prelude::*;

use super::super::meta::TICK_CYCLE;
use super::super::tests::hash_of;
use super::*;

/// So far may a rank be from that of the density in double precision: half a per cent of it, where an octave is 2048 steps.
const NEAR: f64 = 15.0;

fn width(bin: usize) -> f64 {
    BIN_STARTS
        .get(bin + 1)
        .map_or(512.0, |&end| f64::from(end - BIN_STARTS[bin]))
}

/// As `decay`, which has a test of its own.
fn left_of(x: f64) -> f64 {
    let quarter = x / 4.0;
    (1.0 + quarter + quarter.powi(2) / 2.0 + quarter.powi(3) / 6.0).powi(-4)
}

/// For each bin, the best of the quotients over all horizons.
fn best_of_all_horizons(hazards: &[f64; BINS]) -> [f64; BINS] {
    std::array::from_fn(|from| {
        let (mut alive, mut gone, mut held) = (1.0, 0.0, 0.0);
        let mut best = 0.0_f64;
        for (bin, hazard) in (from..).zip(&hazards[from..]) {
            let left = alive * left_of(hazard * width(bin));
            // In double precision a small difference is exact enough down to here.
            let reached = if hazard * width(bin) > 1e-7 {
                (alive - left) / hazard
            } else {
                alive * width(bin)
            };
            gone += reached * hazard;
            held += reached;
            alive = left;
            best = best.max(gone / held);
        }
        best
    })
}

/// The rank of a density, from the least on: octaves of 2048 steps, straight within each.
fn exact_rank(density: f64) -> f64 {
    let octave = density.log2().floor();
    let within = density / octave.exp2() - 1.0;
    ((octave + 31.0 + within) * 2048.0).clamp(0.0, f64::from(NOT_YET) - 1.0)
}

fn drawn(reuses: f64, waits: f64, bin: usize, wider: f64, strength: f64) -> f64 {
    let borrowed = strength * width(bin);
    (reuses + borrowed * wider) / (waits + borrowed)
}

/// What each used class ranks at, in each bin, by the sums alone.
fn exact_ranks(learner: &Learner) -> Vec<[f64; BINS]> {
    let total = |rows: &[Row], step: Option<usize>, bin: usize| -> f64 {
        let of_step = |row: &usize| step.is_none_or(|step| row % STEPS == step);
        let rows = (0..CLASSES).filter(of_step).map(|row| rows[row][bin]);
        rows.map(f64::from).sum()
    };
    let (reuses, waits) = (&learner.reuses, &learner.waits);
    let all: [f64; BINS] = std::array::from_fn(|bin| {
        let start = 0.25 / (f64::from(BIN_STARTS[bin]) + 4.0);
        let (reused, waited) = (total(reuses, None, bin), total(waits, None, bin));
        drawn(reused, waited, bin, start, f64::from(PRIOR_GLOBAL))
    });
    let by_class = |row: usize| {
        let hazards = std::array::from_fn(|bin| {
            let step = Some(row % STEPS);
            let (reused, waited) = (total(reuses, step, bin), total(waits, step, bin));
            let by_step = drawn(reused, waited, bin, all[bin], f64::from(PRIOR_FREQUENCY));
            let (reused, waited) = (f64::from(reuses[row][bin]), f64::from(waits[row][bin]));
            drawn(reused, waited, bin, by_step, f64::from(PRIOR_CLASS))
        });
        best_of_all_horizons(&hazards).map(exact_rank)
    };
    (0..CLASSES).map(by_class).collect()
}

fn pass(learner: &mut Learner, fade: f32) -> usize {
    let mut n_steps = 1;
    while learner.step(fade) == Progress::More {
        assert!(!learner.is_fresh());
        n_steps += 1;
    }
    assert!(learner.is_fresh());
    n_steps
}

fn check_ranks(learner: &Learner) {
    for (row, exact) in exact_ranks(learner).iter().enumerate() {
        let class = Class::new((row % STEPS) as u32, (row / STEPS) as u32);
        let ranks = &learner.ranks()[class.bits() as usize];
        for bin in 0..BINS {
            let far = (f64::from(ranks[bin]) - exact[bin]).abs();
            assert!(
                far < NEAR,
                "{class:?}, {bin}: {} for {}",
                ranks[bin],
                exact[bin]
            );
        }
        let first = if row < STEPS { NOT_YET } else { ranks[0] };
        assert_eq!(ranks[usize::from(RUNNING)], first, "{class:?}");
    }
}

/// Draws numbers, so that what fails is told by a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = hash_of(self.0);
        self.0 % n
    }

    /// Below ten to this power, as often in each decade.
    fn up_to(&mut self, decades: i64, n_decades: u64) -> f32 {
        let decade = decades - self.below(n_decades) as i64;
        (self.below(1000) as f32 / 1000.0) * 10.0_f32.powi(decade as i32)
    }
}

proptest! {
    /// LP1 and LP2, of all classes at once; some classes know nothing, and some bins of the others.
    #[test]
    fn ranks_follow_from_the_sums(seed in any::<u64>(), one_in in 1..6_u64) {
        let mut draw = Draw(seed);
        let empty: Vec<bool> = (0..CLASSES).map(|_| draw.below(2) == 0).collect();
        let sum = |at: usize| {
            let is_empty = empty[at / BINS % CLASSES] || draw.below(one_in) > 0;
            if is_empty { 0.0 } else { draw.up_to(6, 8) }
        };
        let sums: Vec<f32> = (0..N_SUMS).map(sum).collect();
        let learner = Learner::from_sums(&sums);
        prop_assert!(learner.is_fresh());
        prop_assert!(learner.sums().eq(sums.iter().copied()));
        check_ranks(&learner);
    }

    /// LP1, where hazards are small, great and none.
    #[test]
    fn the_index_is_the_best_of_all_horizons(seed in any::<u64>(), decades in -9..4_i64) {
        let mut draw = Draw(seed);
        let row: Row = std::array::from_fn(|_| match draw.below(3) {
            0 => 0.0,
            1 => draw.up_to(decades, 2),
            _ => draw.up_to(3, 15),
        });
        let exact = best_of_all_horizons(&row.map(f64::from));
        for (bin, (index, exact)) in index(&row).into_iter().zip(exact).enumerate() {
            let far = (f64::from(index) - exact).abs();
            prop_assert!(far <= 1e-3 * exact + 1e-9, "{bin}: {index}, {exact} of {row:?}");
        }
    }
}

/// Time counts where next to nothing is used again, as it does where nothing is.
#[test]
fn waiting_without_hope_is_waiting() {
    for least in [0.0, 1e-12, 2e-9, 3e-8, 1e-7, 1e-6] {
        // Used again after 24 ticks or more, and hardly ever before.
        let row: Row = std::array::from_fn(|bin| if bin < 14 { least } else { 0.1 });
        let exact = best_of_all_horizons(&row.map(f64::from));
        for (bin, (index, exact)) in index(&row).into_iter().zip(exact).enumerate() {
            let far = (f64::from(index) / exact - 1.0).abs();
            assert!(far < 1e-3, "{bin}: {index}, not {exact}, with {least}");
        }
    }
}

#[test]
fn before_anything_is_known_the_ranks_fall_with_age() {
    let learner = Learner::new();
    check_ranks(&learner);
    for ranks in learner.ranks().iter().take(8 * OCTAVES) {
        assert!(ranks[..BINS].is_sorted_by(|younger, older| younger >= older));
        assert!(ranks[0] > ranks[BINS - 1] + 2048);
    }
}

#[test]
fn a_use_is_learned_in_the_bin_of_its_age() {
    for age in 0..3000 {
        let starts = BIN_STARTS.iter().map(|&start| u32::from(start));
        let bin = starts.filter(|&start| start <= age).count() - 1;
        assert_eq!(bin_of(age), bin, "{age}");
    }
    let mut learner = Learner::new();
    learner.reused(Class::new(3, 2), 11, 2.5);
    learner.reused(Class::new(3, 2), 10, 1.0);
    learner.waited(Class::new(7, 5), 5000, 4.0);
    let expected = |at: usize| match at {
        _ if at == (2 * STEPS + 3) * BINS + 9 => 3.5,
        _ if at == (2 * CLASSES - 1) * BINS + BINS - 1 => 4.0,
        _ => 0.0,
    };
    for (at, sum) in learner.sums().enumerate() {
        assert_eq!(sum, expected(at), "{at}");
    }
}

#[test]
fn each_class_has_a_row_and_damaged_ones_share_the_last_octave() {
    let mut rows = Vec::new();
    for bits in 0..128 {
        let class = Class::from_bits(bits);
        let row = row_of(class);
        assert_eq!(row % STEPS, class.step() as usize);
        assert_eq!(row / STEPS, (class.octave() as usize).min(OCTAVES - 1));
        rows.push(row);
    }
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows.len(), CLASSES);
}

#[test]
fn a_pass_fades_every_sum_once() {
    let mut learner = Learner::new();
    let sums: Vec<f32> = (0..N_SUMS).map(|at| at as f32).collect();
    let of = Learner::from_sums(&sums);
    assert_eq!(pass(&mut learner, 0.5), 1 + STEPS + CLASSES);
    let mut learner = of;
    for fade in [0.5, 0.25] {
        let before: Vec<f32> = learner.sums().collect();
        assert_eq!(pass(&mut learner, fade), 1 + STEPS + CLASSES);
        let faded: Vec<f32> = before.iter().map(|sum| sum * fade).collect();
        assert_eq!(learner.sums().collect::<Vec<_>>(), faded);
    }
    assert_eq!(
        learner.memory_bytes(),
        4 * N_SUMS + 2 * RANK_BINS * N_CLASS_BITS
    );
}

#[test]
fn whatever_the_sums_are_no_rank_is_that_of_a_newcomer() {
    let damaged = [f32::NAN, f32::INFINITY, -1.0, f32::MAX, f32::MIN_POSITIVE];
    let sums: Vec<f32> = (0..N_SUMS).map(|at| damaged[at % 5]).collect();
    let learner = Learner::from_sums(&sums);
    assert!(
        learner.sums().all(|sum| sum.is_finite() && sum >= 0.0),
        "L1"
    );
    // So high that nobody is left after the first bins.
    let high = index(&[1e3; BINS]);
    assert_eq!(high.map(rank_of), [rank_of(1e3); BINS]);
    for ranks in learner.ranks() {
        assert!(ranks[..BINS].iter().all(|&rank| rank < NOT_YET), "L2");
    }
}

#[test]
fn a_rank_counts_octaves_in_steps_that_lie_straight() {
    assert_eq!(rank_of(0.0), 0);
    assert_eq!(rank_of(f32::exp2(-31.5)), 0);
    for octave in 0..31 {
        let begin = f32::exp2(octave as f32 - 31.0);
        for (part, steps) in [(1.0, 0), (1.25, 512), (1.5, 1024), (1.75, 1536)] {
            assert_eq!(rank_of(begin * part), octave * 2048 + steps);
        }
    }
    assert_eq!(rank_of(2.0), NOT_YET - 1);
    assert_eq!(rank_of(f32::INFINITY), NOT_YET - 1);
}

#[test]
fn decay_is_near_the_exponential_and_never_below() {
    for n in 0..60_000 {
        let x = n as f32 / 1000.0;
        let far = f64::from(decay(x)) - (-f64::from(x)).exp();
        assert!((-1e-6..0.01).contains(&far), "{far} at {x}");
    }
    assert_eq!(decay(1e20), 0.0);
}

#[test]
fn a_newcomer_is_ranked_at_rest_as_its_like_after_the_running_tick() {
    let sums: Vec<f32> = (0..N_SUMS).map(|at| (at * at % 97) as f32).collect();
    let learner = Learner::from_sums(&sums);
    let ranks = learner.ranks();
    let now = Tick::of_count(77);
    let bins = BinOfTick::at(now);
    for (row, bits) in
        (0..u32::from(u8::MAX)).flat_map(|bits| (0..CLASSES).map(move |row| (row, bits)))
    {
        let (tick, class) = (
            Tick::from_bits(bits),
            Class::new((row % STEPS) as u32, (row / STEPS) as u32),
        );
        let of_class = &ranks[class.bits() as usize];
        let by_age = of_class[bin_of(tick.age(now))];
        assert_eq!(rank_at_rest(ranks, &bins, tick, class), by_age);
        if tick == now {
            let newcomer = if row < STEPS { NOT_YET } else { by_age };
            assert_eq!(rank(ranks, &bins, tick, class), newcomer);
        } else {
            assert_eq!(rank(ranks, &bins, tick, class), by_age);
        }
    }
    assert!(u32::from(u8::MAX) == TICK_CYCLE);
}
