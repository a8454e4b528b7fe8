//! What a policy is made for: its clock, the sizes and the weights that follow from a capacity, its passes, and what it takes from others.

use super::super::ghosts::Ghosts;
use super::super::tuning::{GHOSTS_FLOOR, LONG_FLOOR};
use super::*;
use crate::sync::Arc;
use crate::sync::counted::asked_by;

fn known(policy: &Policy) -> &Known {
    policy.known.as_deref().expect("it was resized")
}

fn learned(policy: &Policy) -> Learned {
    let mut learned = Learned::new();
    policy.add_learned(&mut learned);
    learned
}

#[test]
fn while_the_cache_fills_a_tick_is_an_eighth_of_the_inserts_so_far() {
    let mut policy = Policy::new(1, false);
    let (mut n_inserts, mut ticks) = (0_u64, 0);
    while n_inserts < 50_000 {
        let period = (n_inserts / 8).max(1);
        assert_eq!(policy.period(), period, "after {n_inserts}");
        for n in 0..period {
            assert_eq!(policy.ticks, ticks, "{n} of {period} after {n_inserts}");
            policy.admit(policy.site(hash_of(n_inserts)), 0);
            n_inserts += 1;
        }
        ticks += 1;
        assert_eq!(policy.tick(), Tick::of_count(ticks));
    }
}

#[test]
fn those_that_come_back_count_but_the_clock_stands_still() {
    let mut policy = Policy::new(1, false);
    let tick = policy.tick();
    (0..8000).for_each(|_| _ = policy.admit_again(Past::default(), 0));
    assert_eq!(policy.tick(), tick);
    pass_ticks(&mut policy, 1, &mut 0);
    assert_eq!(policy.period(), 8001 / 8);
}

#[test]
fn sizes_and_weights_follow_from_the_capacity() {
    for entries in [1, 16, 1000, 4096, 100_000, 3_000_000] {
        let mut policy = Policy::new(1, false);
        policy.resize(entries);
        let period = (entries as u64 / 16).max(1);
        assert_eq!(policy.period(), period, "16 ticks a capacity");
        let known = known(&policy);
        let slots = |records: usize| records.div_ceil(WAYS) * WAYS;
        assert_eq!(
            known.tables.ghosts.slots(),
            slots(2 * entries + GHOSTS_FLOOR)
        );
        let n_long = entries.div_ceil(4) + LONG_FLOOR;
        assert_eq!(known.tables.long.slots(), slots(n_long));
        // Of so many keys the long table keeps one in 2^rate, and no fewer than it has room for.
        let wanted = 14.0 * entries as f64;
        let kept = |bits: u32| wanted / f64::from(1u32 << bits);
        let bits = known.tables.long_rate_bits;
        assert!(kept(bits) <= n_long as f64, "{bits} for {entries}");
        assert!(
            bits == 0 || kept(bits - 1) > n_long as f64,
            "{bits} for {entries}"
        );
        let turn = |slots: usize| slots as f32 / period as f32;
        assert_eq!(known.ghost_ticks, turn(known.tables.ghosts.slots()));
        let long_turn = turn(known.tables.long.slots());
        assert_eq!(known.long_ticks, long_turn * 2.0_f32.powi(bits as i32));
        assert_eq!(known.sample_ticks, turn(entries) / 14.0);
        let tables = [
            known.tables.ghosts.memory_bytes(),
            known.tables.long.memory_bytes(),
            known.tables.sketch.memory_bytes(),
            known.learner.memory_bytes(),
        ];
        let sum: usize = tables.iter().sum();
        assert_eq!(policy.memory_bytes(), size_of::<Known>() + sum);
        assert!(tables.iter().all(|&bytes| bytes > 0));
    }
}

/// Inserts until a pass begins, with `n_observed` residents seen waiting on the way.
fn until_pass(policy: &mut Policy, n_observed: usize) -> u64 {
    let mut n_inserts = 0;
    (0..n_observed).for_each(|_| policy.observe(Meta::from_bits(0)));
    loop {
        n_inserts += 1;
        policy.admit(policy.site(hash_of(n_inserts)), 0);
        policy.step();
        if !known(policy).learner.is_fresh() {
            return n_inserts;
        }
    }
}

#[test]
fn a_pass_begins_every_sixteenth_of_a_capacity_and_takes_a_step_an_insert() {
    for (entries, each, memory) in [
        (64, 512_u64, 20_000.0_f32),
        (8192, 512, 102_400.0),
        (32_000, 2000, 400_000.0),
        (1_000_000, 62_500, 8_000_000.0),
    ] {
        let mut policy = Policy::new(1, false);
        policy.resize(entries);
        let turn = entries as f32 / policy.period() as f32;
        let before = known(&policy).sample_ticks;
        policy.step();
        assert!(known(&policy).learner.is_fresh(), "nothing has come in");
        assert_eq!(until_pass(&mut policy, 0), each);
        assert_eq!(known(&policy).sample_ticks, before, "none was seen");
        let mut n_before = each;
        for n_observed in [1, 700, 9000] {
            let fade = (-(n_before as f32) / memory).exp();
            assert_eq!(known(&policy).fade, fade);
            let mut n_steps = 1;
            while !known(&policy).learner.is_fresh() {
                policy.admit(policy.site(hash_of(1 << 40 | n_steps)), 0);
                policy.step();
                n_steps += 1;
            }
            assert_eq!(n_steps, 1 + 8 + 48, "all, the steps, the classes");
            // What came in meanwhile counts for the next pass.
            assert_eq!(until_pass(&mut policy, n_observed), each + 1 - n_steps);
            n_before = each;
            let seen = turn * each as f32 / n_observed as f32;
            assert_eq!(known(&policy).sample_ticks, seen);
            policy.step();
            assert_eq!(
                (known(&policy).n_inserts, known(&policy).n_observed),
                (0, 0)
            );
        }
    }
}

#[test]
fn steps_without_inserts_do_nothing_between_passes() {
    let mut policy = Policy::new(1, false);
    policy.resize(64);
    until_pass(&mut policy, 3);
    let stage = |policy: &Policy| format!("{:?}", known(policy).learner);
    let before = stage(&policy);
    (0..100).for_each(|_| policy.step());
    assert_eq!(stage(&policy), before);
}

#[test]
fn ghosts_are_visited_a_set_in_so_many_inserts_as_it_has_records() {
    let mut policy = Policy::new(1, false);
    policy.resize(1000);
    // One in each set of both tables, of a class of their own.
    let class = Class::new(6, 4);
    let now = policy.ticks;
    let Some(of) = policy.known.as_deref_mut() else {
        panic!("it was resized")
    };
    let n_sets = |ghosts: &Ghosts| (ghosts.slots() / WAYS) as u64;
    let (n_ghosts, n_long) = (n_sets(&of.tables.ghosts), n_sets(&of.tables.long));
    for n in 0..20_000 {
        let ghost = Ghost { class, age: 5 };
        for (at, table) in [&mut of.tables.ghosts, &mut of.tables.long]
            .into_iter()
            .enumerate()
        {
            let place = table.place(Key::of_hash(hash_of(1 << 50 | n)));
            if table.take(place, now).is_none() && at as u64 == n % 2 {
                table.push(place, ghost, now);
            }
        }
    }
    let (ghost_ticks, long_ticks) = (of.ghost_ticks, of.long_ticks);
    let waited = |policy: &Policy| -> f32 {
        let learned = learned(policy);
        let n_half = learned.sums().len() / 2;
        // The waits come after the reuses.
        learned.sums()[n_half..].iter().sum()
    };
    let mut expected = 0.0_f32;
    assert_eq!(waited(&policy), 0.0);
    for n in 1..=n_ghosts.min(n_long) * 16 {
        let shown = |ghosts: &Ghosts| {
            let mut n_shown = 0;
            let mut copy = ghosts.copy();
            copy.scan(now, |_| n_shown += 1);
            n_shown as f32
        };
        let of = known(&policy);
        if n.is_multiple_of(16) {
            expected +=
                shown(&of.tables.ghosts) * ghost_ticks + shown(&of.tables.long) * long_ticks;
        }
        policy.admit(policy.site(hash_of(n)), 0);
        let far = (waited(&policy) - expected).abs();
        assert!(
            far <= expected * 1e-4,
            "{} for {expected} at {n}",
            waited(&policy)
        );
    }
    assert!(expected > 0.0);
}

#[test]
fn what_the_long_memory_knows_stands_for_as_many_as_it_is_sampled_from() {
    let mut policy = Policy::new(1, false);
    policy.resize(1000);
    let rate = f32::from(1u16 << known(&policy).tables.long_rate_bits);
    assert!(rate > 1.0);
    let sum = |policy: &Policy| learned(policy).sums().iter().sum::<f32>();
    let mut n_known = 0;
    for n in 0..2000 {
        let site = policy.site(hash_of(n));
        let ticks = policy.ticks;
        let Some(place) = site.and_then(|site| site.long_place) else {
            continue;
        };
        let ghost = Ghost {
            class: Class::new(2, 2),
            age: 3,
        };
        if let Some(known) = policy.known.as_deref_mut() {
            known.tables.long.push(place, ghost, ticks);
        }
        let (before, waits) = (sum(&policy), known(&policy).until_visit == 1);
        let meta = policy.admit(site, 0);
        assert_eq!(meta.class().octave(), 0, "only the learner hears of it");
        if !waits {
            assert_eq!(sum(&policy) - before, rate);
            n_known += 1;
        }
    }
    assert!(n_known > 50, "{n_known}");
}

#[test]
fn what_falls_out_of_the_ghosts_goes_on_to_the_long_memory() {
    let mut policy = Policy::new(1, false);
    policy.resize(200);
    for n in 0..20_000 {
        let meta = policy.admit(policy.site(hash_of(n)), 0);
        policy.evicted(policy.grave(hash_of(n)), meta);
    }
    let mut n_long = 0;
    for _ in 0..known(&policy).tables.long.slots() / WAYS {
        let ticks = policy.ticks;
        let Some(known) = policy.known.as_deref_mut() else {
            panic!("it was resized")
        };
        known.tables.long.scan(ticks, |_| n_long += 1);
    }
    // As many as there is room for.
    assert!(
        n_long * 10 > known(&policy).tables.long.slots() * 9,
        "{n_long}"
    );
    let sampled = (20_000..21_000).find(|&n| {
        let site = policy.site(hash_of(n));
        site.is_some_and(|site| site.long_place.is_some())
    });
    let sampled = hash_of(sampled.expect("some keys are"));
    let asked = asked_by(|| _ = policy.site(sampled));
    assert_eq!(asked.len(), 3, "ghosts, sketch and long memory");
    assert_eq!(asked_by(|| _ = policy.grave(sampled)), asked[..1]);
}

#[test]
fn what_chance_decides_is_drawn_from_marsaglias_generator() {
    let mut policy = Policy::new(1, false);
    // Of the shifts 13, 7 and 17, from one on.
    for state in [
        1_082_269_761,
        1_152_992_998_833_853_505,
        11_177_516_664_432_764_457_u64,
    ] {
        assert_eq!(spice(&mut policy.random), (state >> 32) as u32);
        assert_eq!(policy.random, state);
    }
    assert_eq!(
        Policy::new(0, false).random,
        1,
        "from zero none comes but zero"
    );
}

#[test]
fn what_others_have_learned_is_shared_out() {
    let sums: Vec<f32> = (0..Learned::new().sums().len()).map(|n| n as f32).collect();
    let Some(of_others) = Learned::from_parts(6400, sums.clone()) else {
        panic!("it is of the right length")
    };
    let of_others = Arc::new(of_others);
    let mut policy = Policy::new(1, false);
    policy.expect(&of_others, 4);
    assert_eq!(policy.period(), 6400 / 4 / 16);
    pass_ticks(&mut policy, 1, &mut 0);
    assert_eq!(
        policy.period(),
        100,
        "until an eighth of the inserts is more"
    );
    policy.resize(1000);
    let own = learned(&policy);
    assert_eq!(own.capacity(), 1000);
    assert!(
        own.sums()
            .iter()
            .zip(&sums)
            .all(|(own, all)| *own == all / 4.0)
    );
    // Who knows something expects nothing, and from nothing nothing is expected.
    policy.expect(&of_others, 1);
    assert_eq!(
        (policy.period(), policy.expected.is_none()),
        (1000 / 16, true)
    );
    let mut other = Policy::new(1, false);
    other.expect(&Arc::new(Learned::new()), 4);
    assert!(other.expected.is_none());
    other.expect(&of_others, 1000);
    assert_eq!((other.period(), other.expected.is_some()), (1, true));
    let mut both = learned(&policy);
    policy.add_learned(&mut both);
    assert_eq!(both.capacity(), 2000);
    assert!(
        both.sums()
            .iter()
            .zip(&sums)
            .all(|(both, all)| *both == all / 2.0)
    );
    assert_eq!(Learned::from_parts(1, vec![0.0]), None);
}
