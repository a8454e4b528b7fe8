//! Properties of the wheel, against a map that is searched in full:
//! - what fires is what is due, once each, never before its deadline, and never later than a tick (W2 to W4);
//! - however the time jumps, forward by years or back, and however small the budget (W3, W5);
//! - a cancelled deadline doesn't fire, a moved one fires at its last place, and one put off behind the wheel's back at its present time;
//! - `validate` holds after every operation (W1, W2).

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
mod counts;

impl Wheel {
    /// Checks W1 to W3; O(deadlines). `deadline_of` gets every record's payload and token.
    pub(crate) fn validate(&self, mut deadline_of: impl FnMut(u64, Token) -> Nanos) {
        self.rings.validate();
        let first = self.first_slot().map_or(Tick::NEVER, |(begin, _)| begin);
        assert!(self.next_begin <= first && self.cursor <= first, "W3");
        for list in (0..N_LEVELS as u32 * N_SLOTS).map(ListId) {
            let Slot { level, idx } = Slot::of(list);
            let tokens = self.rings.tokens(list);
            assert_eq!(
                self.occupied[level] >> idx & 1 == 0,
                tokens.is_empty(),
                "W1: {list:?}"
            );
            let here = self.cursor.position(level);
            let ahead = u64::from(idx.wrapping_sub(here as u32) % N_SLOTS);
            let begin = Tick((here + ahead) << (SLOT_BITS * level as u32));
            for token in tokens {
                let tick = Tick::not_before(deadline_of(self.rings.payload(token), token));
                assert!(
                    begin <= tick.max(self.cursor),
                    "W2: {list:?} begins after {tick:?}"
                );
            }
        }
    }
}

/// The wheel and the model beside it.
struct Pair {
    wheel: Wheel,
    /// The present deadlines by payload, and the wheel's tokens.
    live: BTreeMap<u64, (Nanos, Token)>,
    next_payload: u64,
    /// The latest time that the wheel was told.
    now: Nanos,
}

impl Pair {
    fn new() -> Self {
        Self {
            wheel: Wheel::new(),
            live: BTreeMap::new(),
            next_payload: 0,
            now: Nanos::ZERO,
        }
    }

    fn schedule(&mut self, deadline: Nanos) -> u64 {
        let payload = self.next_payload;
        self.next_payload += 1;
        let (memory, growth) = (self.wheel.memory_bytes(), self.wheel.growth_bytes());
        let token = self.wheel.schedule(deadline, payload);
        assert_eq!(self.wheel.memory_bytes(), memory + growth);
        self.live.insert(payload, (deadline, token));
        payload
    }

    fn validate(&self) {
        assert_eq!(self.wheel.len(), self.live.len());
        self.wheel.validate(|payload, _| self.live[&payload].0);
        let fires_at = |deadline| Tick::not_before(deadline).max(Tick::at(self.now)).begin();
        let soonest = self
            .live
            .values()
            .map(|(deadline, _)| fires_at(*deadline))
            .min();
        assert!(self.wheel.next_due() <= soonest);
        assert_eq!(self.wheel.next_due().is_none(), self.live.is_empty());
    }

    /// One call; checks that what fired was due, and gives its payloads.
    fn advance_once(&mut self, now: Nanos, budget: usize) -> (Advanced, Vec<u64>) {
        let mut fired = Vec::new();
        self.now = self.now.max(now);
        let live = &self.live;
        let due = |payload, token| fired.push((payload, token));
        let advanced = self
            .wheel
            .advance(now, budget, |payload, _| live[&payload].0, due);
        assert_eq!(advanced.fired, fired.len());
        let used = advanced.fired + advanced.moved;
        assert!(used <= budget && (advanced.done || used == budget));
        for (payload, token) in &fired {
            let (deadline, known_token) = self.live.remove(payload).expect("fires once");
            assert!(deadline <= self.now, "fired before its deadline");
            assert_eq!(*token, known_token);
        }
        self.validate();
        (
            advanced,
            fired.into_iter().map(|(payload, _)| payload).collect(),
        )
    }

    /// Calls until done, and checks that nothing due is left.
    fn advance(&mut self, now: Nanos, budget: usize) -> Vec<u64> {
        let mut fired = Vec::new();
        // A deadline moves at most once a level, and fires; each round of the top level, less a slot, comes on top.
        let rounds = (self.now.max(now).0 >> (TICK_SHIFT + 30)) as usize / 63 + 1;
        let calls_max = self.live.len() * (N_LEVELS + rounds) / budget + 2;
        for _ in 0..calls_max {
            let (advanced, payloads) = self.advance_once(now, budget);
            fired.extend(payloads);
            if advanced.done {
                let is_late = |deadline: Nanos| Tick::not_before(deadline) <= Tick::at(self.now);
                assert!(
                    !self.live.values().any(|(deadline, _)| is_late(*deadline)),
                    "a due one is left"
                );
                return fired;
            }
        }
        panic!("no end after {calls_max} calls");
    }
}

/// Distances that end on the edges of slots and levels, give or take a nanosecond or a tick.
fn any_distance() -> impl Strategy<Value = u64> {
    let nearby = prop_oneof![
        Just(0_i64),
        Just(-1),
        Just(1),
        Just(-(1 << 20)),
        Just(1 << 20),
        Just(1 - (1 << 20))
    ];
    let edge = (0..8_u32, 1..66_u64, nearby).prop_map(|(level, n_slots, off)| {
        let ticks = u128::from(n_slots) << (SLOT_BITS * level);
        let nanos = u64::try_from(ticks << TICK_SHIFT).unwrap_or(u64::MAX);
        nanos.saturating_add_signed(off)
    });
    prop_oneof![
        6 => edge,
        2 => 0..200_000_000_u64,
        1 => (0..64_u32).prop_map(|bit| 1 << bit),
        1 => (any::<u64>(), 0..64_u32).prop_map(|(nanos, shift)| nanos >> shift),
        1 => Just(u64::MAX),
    ]
}

#[derive(Clone, Debug)]
enum Op {
    Schedule {
        distance: u64,
    },
    Cancel {
        at: usize,
    },
    Reschedule {
        at: usize,
        distance: u64,
    },
    /// The deadline changes, the wheel isn't told.
    PutOff {
        at: usize,
        by: u64,
    },
    Advance {
        distance: u64,
        budget: usize,
    },
    /// Some steps towards a time that the wheel may not reach before the next operation.
    Begin {
        distance: u64,
        budget: usize,
    },
    SetBack {
        by: u64,
    },
    Shrink {
        budget: usize,
    },
}

fn any_op() -> impl Strategy<Value = Op> {
    let budget = || prop_oneof![Just(1_usize), 1..10_usize, Just(usize::MAX)];
    prop_oneof![
        8 => any_distance().prop_map(|distance| Op::Schedule { distance }),
        1 => any::<usize>().prop_map(|at| Op::Cancel { at }),
        2 => (any::<usize>(), any_distance()).prop_map(|(at, distance)| Op::Reschedule { at, distance }),
        2 => (any::<usize>(), any_distance()).prop_map(|(at, by)| Op::PutOff { at, by }),
        3 => (any_distance(), budget()).prop_map(|(distance, budget)| Op::Advance { distance, budget }),
        2 => (any_distance(), 0..3_usize).prop_map(|(distance, budget)| Op::Begin { distance, budget }),
        1 => any_distance().prop_map(|by| Op::SetBack { by }),
        1 => (0..9_usize).prop_map(|budget| Op::Shrink { budget }),
    ]
}

fn apply(pair: &mut Pair, op: Op) {
    let later = |now: Nanos, distance| Nanos(now.0.saturating_add(distance));
    let pick = |pair: &Pair, at: usize| pair.live.keys().nth(at % pair.live.len().max(1)).copied();
    match op {
        Op::Schedule { distance } => {
            pair.schedule(later(pair.now, distance));
        }
        Op::Cancel { at } => {
            if let Some(payload) = pick(pair, at) {
                let (_, token) = pair.live.remove(&payload).unwrap();
                assert_eq!(pair.wheel.cancel(token), payload);
            }
        }
        Op::Reschedule { at, distance } => {
            if let Some(payload) = pick(pair, at) {
                let (deadline, token) = pair.live.get_mut(&payload).unwrap();
                *deadline = later(pair.now, distance);
                pair.wheel.reschedule(*token, *deadline);
            }
        }
        Op::PutOff { at, by } => {
            if let Some(payload) = pick(pair, at) {
                let (deadline, _) = pair.live.get_mut(&payload).unwrap();
                *deadline = later(*deadline, by);
            }
        }
        Op::Advance { distance, budget } => {
            pair.advance(later(pair.now, distance), budget);
        }
        Op::Begin { distance, budget } => {
            pair.advance_once(later(pair.now, distance), budget);
        }
        Op::SetBack { by } => {
            pair.advance(Nanos(pair.now.0.saturating_sub(by)), 3);
        }
        Op::Shrink { budget } => {
            let live = &mut pair.live;
            let moved = |payload, _, token| live.get_mut(&payload).unwrap().1 = token;
            pair.wheel.shrink(budget, moved);
        }
    }
    pair.validate();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn f14_f15_f16_f17_fires_what_is_due(start in any_distance(), ops in vec(any_op(), 1..60)) {
        let mut pair = Pair::new();
        pair.advance(Nanos(start), 1);
        for op in ops {
            apply(&mut pair, op);
        }
        pair.advance(Nanos::MAX, 7);
            prop_assert!(pair.live.values().all(|(deadline, _)| Tick::not_before(*deadline) > Tick::at(Nanos::MAX)));
    }
}

#[test]
fn f14_exact_slot_and_level_edges() {
    let edges = (0..7).flat_map(|level| [1, 2, 63, 64, 65].map(|n: u64| n << (SLOT_BITS * level)));
    for start in [0, 1, 63, 64, 4095, 4096, (1 << 36) - 1, 1 << 36] {
        for edge in edges.clone() {
            for off in [-1, 0, 1] {
                let mut pair = Pair::new();
                pair.advance(Tick(start).begin(), 1);
                let deadline = Nanos(Tick(start + edge).begin().0.saturating_add_signed(off));
                let payload = pair.schedule(deadline);
                let tick = Tick::not_before(deadline);
                for before in [tick.0 / 2, tick.0 - 1] {
                    assert!(pair.advance(Tick(before).begin(), 1).is_empty());
                }
                assert!(pair.advance(Nanos(tick.begin().0 - 1), 1).is_empty());
                assert_eq!(pair.advance(tick.begin(), 1), [payload]);
                assert!(pair.advance(Nanos::MAX, 1).is_empty());
            }
        }
    }
}

#[test]
fn f14_refiled_into_the_slot_that_fired() {
    let mut pair = Pair::new();
    let mut now = Nanos(5 * TICK_NANOS);
    let mut next = pair.schedule(now);
    for _ in 0..200 {
        assert_eq!(pair.advance(now, 1), [next]);
        // The present slot, for a deadline that has just been reached; and the same slot, a turn later.
        let again = pair.schedule(now);
        now = Nanos(now.0 + 64 * TICK_NANOS);
        next = pair.schedule(now);
        assert_eq!(pair.advance(Nanos(now.0 - 1), 1), [again]);
    }
}

#[test]
fn f14_f16_years_in_one_step() {
    let year = 365 * 86_400 * 1_000_000_000_u64;
    let mut pair = Pair::new();
    let deadlines = [
        year / 2,
        year,
        2 * year,
        3 * year,
        10 * year,
        100 * year,
        500 * year,
    ];
    let payloads = deadlines.map(|deadline| pair.schedule(Nanos(deadline)));
    assert_eq!(pair.advance(Nanos(20 * year), 1), payloads[..5]);
    assert_eq!(
        pair.advance(Nanos(20 * year - 3_600_000_000_000), 1),
        [0_u64; 0]
    );
    assert_eq!(pair.advance(Nanos(500 * year - 1), 1), payloads[5..6]);
    assert_eq!(
        pair.advance(Nanos(500 * year + TICK_NANOS), 1),
        payloads[6..]
    );
}

#[test]
fn f11_f14_near_the_end_of_time() {
    let mut pair = Pair::new();
    let last_tick = Nanos(u64::MAX - TICK_NANOS + 1);
    let never = pair.schedule(Nanos::MAX);
    let last = pair.schedule(last_tick);
    assert_eq!(pair.advance(Nanos(last_tick.0 - 1), 1), [0; 0]);
    assert_eq!(pair.advance(last_tick, 1), [last]);
    // A deadline within the last tick isn't reached by any tick; one that's past is, there too.
    pair.schedule(Nanos(u64::MAX - 1));
    let past = pair.schedule(Nanos(3));
    assert_eq!(pair.advance(Nanos::MAX, 1), [past]);
    assert!(pair.live.contains_key(&never) && pair.live.len() == 2);
    assert_eq!(pair.wheel.next_due(), Some(Nanos::MAX));
}

#[test]
fn f15_deadline_put_off_behind_the_wheel() {
    let mut pair = Pair::new();
    let payload = pair.schedule(Nanos(10 * TICK_NANOS));
    for n in 2..50 {
        let deadline = Nanos(n * n * 10 * TICK_NANOS);
        pair.live.get_mut(&payload).unwrap().0 = deadline;
        assert_eq!(pair.advance(Nanos(deadline.0 - 1), 1), [0_u64; 0]);
    }
    pair.live.get_mut(&payload).unwrap().0 = Nanos::MAX;
    assert_eq!(pair.advance(Nanos(u64::MAX / 2), 1), [0_u64; 0]);
    let (deadline, token) = pair.live.get_mut(&payload).unwrap();
    *deadline = Nanos(u64::MAX / 2 + 5 * TICK_NANOS);
    pair.wheel.reschedule(*token, *deadline);
    assert_eq!(
        pair.advance(Nanos(u64::MAX / 2 + 6 * TICK_NANOS), 1),
        [payload]
    );
}

#[test]
fn f17_a_multitude_due_at_once_is_taken_in_portions() {
    let mut wheel = Wheel::new();
    let n = 100_000;
    let deadline = Nanos(3_600_000_000_000);
    for payload in 0..n {
        wheel.schedule(deadline, payload);
    }
    let mut seen = vec![false; n as usize];
    let mut calls = 0;
    loop {
        let due = |payload: u64, _| assert!(!std::mem::replace(&mut seen[payload as usize], true));
        let advanced = wheel.advance(Nanos(deadline.0 * 2), 64, |_, _| deadline, due);
        calls += 1;
        assert!(advanced.fired + advanced.moved <= 64);
        if advanced.done {
            break;
        }
    }
    assert!(seen.iter().all(|seen| *seen) && wheel.len() == 0);
    // All were due when their coarse slot was reached, so none moved: each took one unit of one budget.
    assert_eq!(calls, n.div_ceil(64));
}

#[test]
fn f16_f18_idle_time_is_skipped() {
    let mut wheel = Wheel::new();
    wheel.schedule(Nanos(u64::MAX / 2), 1);
    // 584 years are 2^44 ticks; a walk through them wouldn't end.
    let mut asked = 0;
    let mut fired = 0;
    let deadline_of = |_, _| {
        asked += 1;
        Nanos(u64::MAX / 2)
    };
    let advanced = wheel.advance(Nanos::MAX, usize::MAX, deadline_of, |_, _| fired += 1);
    assert!(advanced.done && fired == 1);
    assert!(asked <= 300, "asked {asked} times");
}
