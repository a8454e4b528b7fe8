//! Properties of one stripe, against a list of all admissions:
//! - it admits exactly what the list has room for, whatever leaves in between, and at whatever time a call says it is;
//! - keys without reservations leave once they are idle, those with some stay, and the shared count follows;
//! - `validate` holds after every operation (LS1, LS3, LS4).

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::window::{Fixed, Sliding};
use super::*;
use crate::hash::Hasher64;
use crate::key::with_key;

const PERIOD: u64 = 10_000_000;
/// A wheel tick, within which a key may stay.
const TICK: u64 = 1 << 20;

impl<S> Stripe<S> {
    /// Checks LS1, LS3 and LS4, and the parts; O(keys).
    fn validate<R: Rule<State = S>>(&self, rule: &R) {
        self.counters.validate();
        let mut heap_bytes = 0;
        let mut n_tokens = 0;
        for pos in self.counters.positions() {
            let node = self.counters.get(pos);
            heap_bytes += node.name_bytes() + R::heap_bytes(&node.state);
            if let Some(token) = node.token {
                n_tokens += 1;
                assert_eq!(
                    self.counters.find_token(node.hash(), token),
                    Some(pos),
                    "LS1"
                );
            } else {
                assert_eq!(rule.idle_at(&node.state), Nanos::MAX, "LS1");
            }
        }
        assert_eq!(n_tokens, self.wheel.len(), "LS1");
        assert_eq!(heap_bytes, self.heap_bytes, "LS4");
    }
}

struct Bench<R: Rule> {
    rule: R,
    keys: Keys,
    stripe: Stripe<R::State>,
    hasher: Hasher64,
}

impl<R: Rule> Bench<R> {
    fn new(rule: R, max_keys: u64) -> Self {
        Self {
            rule,
            keys: Keys::new(max_keys),
            stripe: Stripe::new(),
            hasher: Hasher64::with_seeds(1, 2, 3, 4),
        }
    }

    fn admit(&mut self, key: u64, calls: u64, held: bool, now: u64) -> Result<Admitted, Failure> {
        let Self {
            rule,
            keys,
            stripe,
            hasher,
        } = self;
        let admit = |key: KeyRef<'_>| {
            let key = (key.hash(hasher), key);
            stripe.admit(rule, keys, key, Cost::calls(calls), held, Nanos(now))
        };
        let answer = with_key(&key, admit).unwrap();
        self.validate();
        answer
    }

    fn settle(&mut self, admitted: &Admitted, reserved: u64, actual: u64, now: u64) {
        let costs = (Cost::calls(reserved), Cost::calls(actual));
        let at = admitted.standing.now;
        let place = admitted.place.unwrap();
        self.stripe.settle(&self.rule, place, costs, at, Nanos(now));
        self.validate();
    }

    fn remove(&mut self, key: u64) -> bool {
        let Self {
            keys,
            stripe,
            hasher,
            ..
        } = self;
        let remove = |key: KeyRef<'_>| stripe.remove::<R>((key.hash(hasher), key), keys);
        with_key(&key, remove).unwrap()
    }

    fn expire_all(&mut self, now: u64) {
        while !self.stripe.expire(&self.rule, &self.keys, 16, Nanos(now)).1 {}
        self.validate();
    }

    fn validate(&self) {
        self.stripe.validate(&self.rule);
        assert_eq!(self.keys.len(), self.stripe.len() as u64, "LN1");
    }
}

#[derive(Debug)]
struct Held {
    key: u64,
    calls: u64,
    admitted: Admitted,
    /// Its index in the list, unless the key was removed since.
    idx: Option<usize>,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stripe_admits_what_a_list_of_all_admissions_has_room_for(
        calls in 1u64..6,
        steps in vec((0u8..10, 0u64..6, 0u64..4, -TIME_BACK..TIME_ON), 1..200),
    ) {
        let mut bench = Bench::new(Sliding::new(calls, PERIOD), 1000);
        let (mut now, mut latest) = (0u64, 0);
        // Key, time and number.
        let mut admissions: Vec<(u64, u64, u64)> = Vec::new();
        let mut open: Vec<Held> = Vec::new();
        for (what, key, n, pause) in steps {
            now = now.saturating_add_signed(pause);
            // Taking a key out brings no time, nor does a settling that there is nothing for.
            if what != 8 && !(matches!(what, 6..8) && open.is_empty()) {
                latest = now.max(latest);
            }
            match what {
                0..6 => {
                    let held = what < 2;
                    let inside = |(whose, at, _): &&(u64, u64, u64)| *whose == key && latest - at < PERIOD;
                    let used: u64 = admissions.iter().filter(inside).map(|(_, _, n)| n).sum();
                    let n = n.min(calls);
                    match bench.admit(key, n, held, now) {
                        Ok(admitted) => {
                            prop_assert!(n == 0 || used + n <= calls);
                            prop_assert_eq!(admitted.standing.remaining, calls.saturating_sub(used + n));
                            prop_assert_eq!(admitted.standing.now, Nanos(latest));
                            if held {
                                let idx = Some(admissions.len());
                                open.push(Held { key, calls: n, admitted, idx });
                            }
                            admissions.push((key, latest, n));
                        }
                        Err(Failure::Refused(_)) => prop_assert!(n > 0 && used + n > calls),
                        Err(Failure::Full) => prop_assert!(false, "full of six keys"),
                    }
                }
                6..8 => if !open.is_empty() {
                    let held = open.swap_remove(key as usize % open.len());
                    bench.settle(&held.admitted, held.calls, n, now);
                    if let Some(idx) = held.idx {
                        admissions[idx].2 = held.calls.min(n);
                        admissions.push((held.key, latest, n.saturating_sub(held.calls)));
                    }
                }
                8 => {
                    let was_there = bench.remove(key);
                    prop_assert!(was_there || !open.iter().any(|held| held.key == key && held.idx.is_some()));
                    for (whose, _, n) in &mut admissions {
                        if *whose == key {
                            *n = 0;
                        }
                    }
                    for held in open.iter_mut().filter(|held| held.key == key) {
                        held.idx = None;
                    }
                }
                _ => bench.expire_all(now),
            }
            bench.validate();
        }
        bench.expire_all(latest + PERIOD + TICK);
        let mut pinned: Vec<_> = open.iter().filter(|held| held.idx.is_some()).map(|held| held.key).collect();
        pinned.sort_unstable();
        pinned.dedup();
        prop_assert_eq!(bench.stripe.len(), pinned.len(), "idle keys leave, pinned ones stay");
        for held in open {
            bench.settle(&held.admitted, held.calls, held.calls, latest + 2 * PERIOD);
        }
        bench.expire_all(latest + 3 * PERIOD + TICK);
        prop_assert_eq!(bench.stripe.len(), 0);
    }
}

/// Clocks that calls have read may lie behind those of earlier calls.
const TIME_BACK: i64 = 2_000_000;
const TIME_ON: i64 = 8_000_000;

#[test]
fn e87_thousands_of_keys_leave_no_memory_and_the_wheel_is_emptied_by_later_calls() {
    let mut bench = Bench::new(Sliding::new(2, PERIOD), 1 << 20);
    let fresh_bytes = bench.stripe.memory_bytes();
    let hasher = Hasher64::with_seeds(5, 6, 7, 8);
    // A key each microsecond: a window sees ten thousand of them, however many there were.
    let mut most = 0;
    for key in 0..50_000u64 {
        with_key(&(key, "a name that is too long for a node"), |key| {
            let key = (key.hash(&hasher), key);
            let now = Nanos(key.0.bits() % 7 + 1000 * bench.stripe.next_life);
            bench
                .stripe
                .admit(&bench.rule, &bench.keys, key, Cost::calls(1), false, now)
                .unwrap();
        })
        .unwrap();
        most = most.max(bench.stripe.len());
    }
    bench.validate();
    let n_in_window = (PERIOD + 2 * TICK) / 1000;
    assert!(
        most as u64 <= n_in_window + 10,
        "later calls don't keep up: {most}"
    );
    let bytes = bench.stripe.memory_bytes();
    assert!(bytes < 250 * most, "{} bytes a key", bytes / most);
    bench.expire_all(PERIOD * 100);
    bench.stripe.release();
    assert_eq!(bench.stripe.memory_bytes(), fresh_bytes);
}

#[test]
fn e87_a_full_stripe_refuses_a_new_key_and_takes_one_when_another_is_idle() {
    let mut bench = Bench::new(Sliding::new(1, PERIOD), 2);
    bench.admit(1, 1, false, 0).unwrap();
    bench.admit(2, 1, false, 1000).unwrap();
    assert!(matches!(bench.admit(3, 1, false, 2000), Err(Failure::Full)));
    assert!(
        bench.admit(3, 0, false, 2000).is_ok(),
        "a cost of zero needs no state"
    );
    assert!(matches!(
        bench.admit(1, 1, false, 2000),
        Err(Failure::Refused(_))
    ));
    // Key 1 leaves; key 2 does not.
    bench.admit(3, 1, false, PERIOD + TICK).unwrap();
    assert_eq!(bench.stripe.len(), 1, "both were idle within the tick");
}

#[test]
fn e86_a_reservation_pins_its_key_and_a_forgotten_one_changes_nothing() {
    let mut bench = Bench::new(Fixed::new(Some(5), None, PERIOD, 0), 10);
    let first = bench.admit(1, 3, true, 0).unwrap();
    bench.expire_all(10 * PERIOD);
    assert_eq!(bench.stripe.len(), 1);
    // In a later window, only what is beyond the reservation counts.
    bench.settle(&first, 3, 4, 10 * PERIOD);
    let standing = bench.admit(1, 0, false, 10 * PERIOD).unwrap().standing;
    assert_eq!(
        (standing.remaining, standing.reset_at),
        (4, Nanos(11 * PERIOD))
    );

    let second = bench.admit(1, 4, true, 10 * PERIOD).unwrap();
    assert!(bench.remove(1));
    bench.admit(1, 5, false, 10 * PERIOD).unwrap();
    bench.settle(&second, 4, 0, 10 * PERIOD);
    assert!(matches!(
        bench.admit(1, 1, false, 10 * PERIOD),
        Err(Failure::Refused(_))
    ));
    bench.expire_all(11 * PERIOD + TICK);
    assert_eq!(bench.stripe.len(), 0);
}

#[test]
fn e85_what_is_given_back_in_a_window_without_end_leaves() {
    let mut bench = Bench::new(Fixed::new(Some(5), None, 0, 0), 10);
    let held = bench.admit(1, 3, true, 0).unwrap();
    assert_eq!(held.standing.reset_after(), None);
    bench.settle(&held, 3, 0, 0);
    bench.expire_all(TICK);
    assert_eq!(bench.stripe.len(), 0, "as if it had never been used");
    bench.admit(2, 3, false, TICK).unwrap();
    bench.expire_all(u64::MAX);
    assert_eq!(bench.stripe.len(), 1);
}
