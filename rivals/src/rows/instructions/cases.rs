//! What a process under callgrind does.
//!
//! # Idea         prepare, which costs the same whatever the number of operations; operate; end the process without giving back
//! # Costs        one run of a case
//! # Invariants   CA1 what is prepared depends on `n_most` alone, but for the deadlines of the case that fires
//! # Not here     callgrind, differences

use std::convert::Infallible;
use std::hint::black_box;
use std::process::exit;
use std::time::Duration;

use clap::ValueEnum;
use larder::{Cache, ManualClock};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tokio_util::time::DelayQueue;

use super::{DELAY_QUEUE, SCOPE};
use crate::contender::{
    Contender, Floor, Foyer, Larder, MiniMoka, Moka, QuickCache, SEEDS, SccCache, Stretto, TinyUfo,
};
use crate::judge::FLOOR;
use crate::keys::{self, VALUE, key};
use crate::kind::Bytes;

/// An operation that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Case {
    /// An owned handle of what is there.
    Get,
    /// A byte of it, in place.
    Read,
    /// A new key; no bound is near.
    Insert,
    /// A look-up in vain.
    Miss,
    /// A new key into a full cache.
    Churn,
    /// An insert without a deadline, time standing still.
    Store,
    /// The same with a deadline; a timer is added.
    Schedule,
    /// An entry without a deadline is removed.
    Remove,
    /// The same with one; a timer is taken out.
    Cancel,
    /// What is due is given back; a timer fires.
    Fire,
}

impl Case {
    /// As the command line has it.
    pub(super) fn word(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Does a case so many times of at most `n_most`, and ends the process: to drop what was inserted is no part of an insert.
///
/// # Errors
/// If there is no such contender, or it has no such case.
pub fn count_case(
    contender: &str,
    case: Case,
    n_ops: usize,
    n_most: usize,
) -> Result<Infallible, String> {
    let room = if case == Case::Churn {
        n_resident(n_most)
    } else {
        ROOM
    };
    let is_wheel = matches!(
        case,
        Case::Store | Case::Schedule | Case::Remove | Case::Cancel | Case::Fire
    );
    match contender {
        "larder" if is_wheel => larder_wheel(case, n_ops, n_most),
        DELAY_QUEUE => delay_queue(case, n_ops, n_most),
        _ if is_wheel => Err(format!("{contender} has no timers of its own")),
        "larder" => work(&Larder::<[u8]>::new(room), case, n_ops, n_most),
        SCOPE => work(&Larder::<[u8]>::new(room).held(), case, n_ops, n_most),
        "quick_cache" => work(&QuickCache::<Bytes>::new(room), case, n_ops, n_most),
        "moka" => work(&Moka::<Bytes>::new(room), case, n_ops, n_most),
        "mini-moka" => work(&MiniMoka::<Bytes>::new(room), case, n_ops, n_most),
        "foyer" => work(&Foyer::<Bytes>::new(room), case, n_ops, n_most),
        "TinyUFO" => work(&TinyUfo::<Bytes>::new(room), case, n_ops, n_most),
        "scc" => work(&SccCache::<Bytes>::new(room), case, n_ops, n_most),
        "stretto" => work(&Stretto::<Bytes>::new(room), case, n_ops, n_most),
        FLOOR => work(&mut Floor::<Bytes>::new(), case, n_ops, n_most),
        _ => Err(format!("there is no contender {contender:?}")),
    }
}

fn work(mut cache: impl Contender<Bytes>, case: Case, n_ops: usize, n_most: usize) -> ! {
    let n_resident = n_resident(n_most);
    for idx in 0..n_resident as u64 {
        cache.insert(&key(idx), &VALUE);
    }
    // A first hit may tell the policy something; what is counted are hits like most.
    for idx in 0..n_resident as u64 {
        black_box(cache.get(&key(idx)));
    }
    let first = n_resident as u64;
    let fresh: Vec<_> = (first..first + n_most as u64).map(key).collect();
    let known: Vec<_> = keys::uniform(n_resident, n_most, 3)
        .into_iter()
        .map(key)
        .collect();
    match case {
        Case::Get => known[..n_ops].iter().for_each(|key| {
            black_box(cache.get(key));
        }),
        Case::Read => known[..n_ops].iter().for_each(|key| {
            black_box(cache.read(key));
        }),
        Case::Miss => fresh[..n_ops].iter().for_each(|key| {
            black_box(cache.get(key));
        }),
        _ => fresh[..n_ops]
            .iter()
            .for_each(|key| cache.insert(key, &VALUE)),
    }
    exit(0)
}

/// The deadline of the so-manyth timer: within ten seconds if it is to fire, and after an hour if not.
fn deadline(case: Case, idx: usize, n_ops: usize) -> Duration {
    let scattered_ms = idx as u64 * 7919;
    if case == Case::Fire && idx < n_ops {
        Duration::from_millis(1 + scattered_ms % 10_000)
    } else {
        Duration::from_millis(3_600_000 + scattered_ms % 3_600_000)
    }
}

fn larder_wheel(case: Case, n_ops: usize, n_most: usize) -> ! {
    let clock = ManualClock::new();
    let built = Cache::<[u8]>::builder()
        .max_entries(ROOM as u64)
        .hash_seeds(SEEDS)
        .clock(clock.clone())
        .build();
    let cache = built.expect("a bound and a clock are a valid configuration");
    let keys: Vec<_> = (0..n_most as u64).map(key).collect();
    let put = |idx: usize| {
        let answer = if matches!(case, Case::Store | Case::Remove) {
            cache.insert(&keys[idx][..], &VALUE[..])
        } else {
            cache.insert_with_ttl(&keys[idx][..], &VALUE[..], deadline(case, idx, n_ops))
        };
        assert!(answer.is_ok(), "an entry this small is never refused");
    };
    match case {
        Case::Remove | Case::Cancel => {
            (0..n_most).for_each(put);
            for key in &keys[..n_ops] {
                black_box(cache.remove(&key[..]));
            }
        }
        Case::Fire => {
            (0..n_most).for_each(put);
            clock.advance(Duration::from_secs(11));
            while cache.maintain(4096).more {}
            assert_eq!(cache.len(), n_most - n_ops, "what is due is gone");
        }
        _ => (0..n_ops).for_each(put),
    }
    exit(0)
}

fn delay_queue(case: Case, n_ops: usize, n_most: usize) -> Result<Infallible, String> {
    if !matches!(case, Case::Schedule | Case::Cancel | Case::Fire) {
        return Err(format!("{DELAY_QUEUE} is no cache"));
    }
    paused_runtime().block_on(async {
        let mut queue = DelayQueue::new();
        let begin = Instant::now();
        let mut put = |idx: usize| {
            let key = idx as u64;
            queue.insert_at(key, begin + deadline(case, idx, n_ops))
        };
        match case {
            Case::Cancel => {
                let timers: Vec<_> = (0..n_most).map(put).collect();
                for timer in &timers[..n_ops] {
                    black_box(queue.remove(timer));
                }
            }
            Case::Fire => {
                (0..n_most).for_each(|idx| {
                    put(idx);
                });
                tokio::time::advance(Duration::from_secs(11)).await;
                for _ in 0..n_ops {
                    let fired = std::future::poll_fn(|cx| queue.poll_expired(cx)).await;
                    assert!(fired.is_some(), "as many are due");
                }
            }
            _ => (0..n_ops).for_each(|idx| {
                put(idx);
            }),
        }
        exit(0)
    })
}

/// A runtime whose time moves when it is told to.
pub(in crate::rows) fn paused_runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread needs nothing that could be refused")
}

/// Entries that look-ups find; fewer where few operations are counted, since most of such a run would be filling.
fn n_resident(n_most: usize) -> usize {
    n_most.min(20_000)
}
/// No case but churn comes near it.
const ROOM: usize = 1_000_000;
