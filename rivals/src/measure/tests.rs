//! The jobs, on caches that hold what they are told to hold.

use super::*;
use crate::contender::{Floor, QuickCache};
use crate::kind::Words;

const N_KEYS: usize = 1000;

fn keys_from(first: u64) -> Vec<u64> {
    (first..first + N_KEYS as u64).map(Words::key).collect()
}

fn filled() -> Shared<QuickCache<Words>> {
    let mut subject = Shared(QuickCache::<Words>::new(4 * N_KEYS));
    Subject::<Words>::fill(&mut subject, &keys_from(0), &1);
    subject
}

fn run(job: Job, streams: &[&[u64]]) -> Outcome {
    Subject::<Words>::run(&mut filled(), job, streams, &1)
}

#[test]
fn look_ups_count_what_is_found() {
    let known = keys_from(0);
    let half = keys_from(N_KEYS as u64 / 2);
    for job in [Job::Get, Job::Read, Job::GetAndRead, Job::GetMany] {
        let outcome = run(job, &[&known, &half]);
        assert_eq!(
            (outcome.n_hits, outcome.n_gets),
            (N_KEYS + N_KEYS / 2, 2 * N_KEYS),
            "{job:?}"
        );
        assert!(outcome.ns > 0.0 && outcome.latency.is_none());
    }
}

#[test]
fn inserts_of_a_mix_are_no_look_ups() {
    let known = keys_from(0);
    let outcome = run(Job::Mix { insert_each: 4 }, &[&known]);
    assert_eq!((outcome.n_hits, outcome.n_gets), (750, 750));
    let outcome = run(Job::TimedMix { insert_each: 4 }, &[&known]);
    assert_eq!((outcome.n_hits, outcome.n_gets), (750, 750));
    let latency = outcome.latency.unwrap();
    assert_eq!(latency.n_timed(), (750, 250));
}

#[test]
fn who_churns_beside_isnt_counted() {
    let known = keys_from(0);
    let outcome = run(Job::TimedGetBesideChurn, &[&known, &known]);
    assert_eq!(outcome.n_gets, N_KEYS);
    assert_eq!(outcome.latency.unwrap().n_timed(), (N_KEYS as u64, 0));
}

#[test]
fn each_thread_has_its_own_map() {
    let mut subject = Private(vec![Floor::<Words>::new(), Floor::new()]);
    let known = keys_from(0);
    Subject::<Words>::fill(&mut subject, &known, &1);
    assert_eq!(Subject::<Words>::threads_max(&subject), 2);
    let outcome = Subject::<Words>::run(&mut subject, Job::Get, &[&known, &known], &1);
    assert_eq!(outcome.n_hits, 2 * N_KEYS);
}

#[test]
fn fresh_keys_are_given_once() {
    let first = fresh(10);
    assert!(fresh(1) >= first + 10);
}
