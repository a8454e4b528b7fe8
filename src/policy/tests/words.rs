//! What a slot, a note and a past remember.

use super::*;

#[test]
fn a_tick_before_another_has_that_age() {
    for count in 0..600 {
        let now = Tick::of_count(count);
        for age in 0..PIN_AGE {
            let before = now.before(age);
            assert_ne!(before, Tick::OLDEST);
            assert_eq!(before.age(now), age, "{count}, {age}");
            assert_eq!(before, Tick::of_count(count + 255 - u64::from(age)));
        }
    }
}

#[test]
fn all_but_what_is_changed_stays() {
    for bits in (0..1 << 20).step_by(41) {
        let meta = Meta::from_bits(bits);
        for size in [0, 7, 31] {
            let other = meta.with_size(size);
            assert_eq!((other.tick(), other.class()), (meta.tick(), meta.class()));
            assert_eq!(other.size(), size);
        }
        assert_eq!(meta.with_size(meta.size()), meta);
        assert_eq!(meta.with_size(255).size(), 31);
        let now = Tick::of_count(u64::from(bits) / 7);
        let stamped = restamp(meta, now);
        if meta.tick().age(now) < PIN_AGE {
            assert_eq!(stamped, meta);
        } else {
            assert_eq!(stamped.tick(), Tick::OLDEST);
            assert_eq!(
                (stamped.class(), stamped.size()),
                (meta.class(), meta.size())
            );
        }
    }
}

#[test]
fn a_past_is_the_class_and_the_age_whatever_the_tick() {
    let (mut policy, mut other) = (Policy::new(1, false), Policy::new(2, false));
    pass_ticks(&mut policy, 200, &mut 0);
    pass_ticks(&mut other, 90, &mut 0);
    assert_ne!(policy.tick(), other.tick());
    for age in 0..=PIN_AGE {
        for (step, octave, size) in [(0, 0, 0), (7, 5, 31), (3, 1, 9)] {
            let tick = if age < PIN_AGE {
                policy.tick().before(age)
            } else {
                Tick::OLDEST
            };
            let class = Class::new(step, octave);
            let past = policy.past(Meta::new(tick, class, size));
            assert_eq!(past.bits(), (class.bits() | age << 7) as u16);
            let again = other.admit_again(Past::from_bits(past.bits()), size);
            assert_eq!((again.class(), again.size()), (class, size));
            assert_eq!(again.tick().age(other.tick()), age);
        }
    }
}

#[test]
fn a_size_class_counts_half_an_octave_where_bytes_are_counted() {
    let (weighted, by_count) = (Policy::new(1, true), Policy::new(1, false));
    assert!(weighted.ranker().is_weighted() && !by_count.ranker().is_weighted());
    for tick in [Tick::OLDEST, Tick::of_count(200), weighted.tick()] {
        let meta = Meta::new(tick, Class::new(1, 1), 0);
        let newcomer = tick == weighted.tick();
        for size in 0..=31 {
            let meta = meta.with_size(size);
            let (ranker, plain) = (weighted.ranker(), by_count.ranker());
            let expected = plain.rank_in_turn(meta) + u32::from(31 - size) * 1024;
            assert_eq!(ranker.rank_in_turn(meta), expected);
            assert_eq!(ranker.rank(meta), (!newcomer).then_some(expected));
            let plain_rank = (!newcomer).then(|| plain.rank_in_turn(meta));
            assert_eq!(plain.rank(meta), plain_rank);
        }
    }
}
