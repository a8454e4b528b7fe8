//! What a process under callgrind does.
//!
//! # Idea         prepare, which costs the same whatever the number of operations; operate; end the process without giving back
//! # Costs        one run of a case
//! # Invariants   CA1 what is prepared depends on `n_most` alone
//! # Not here     callgrind, differences

use std::convert::Infallible;
use std::hint::black_box;
use std::process::exit;

use clap::ValueEnum;

use super::SCOPE;
use crate::contender::{
    Contender, Floor, Foyer, Larder, MiniMoka, Moka, QuickCache, SccCache, Stretto, TinyUfo,
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
    match contender {
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

/// Entries that look-ups find; fewer where few operations are counted, since most of such a run would be filling.
fn n_resident(n_most: usize) -> usize {
    n_most.min(20_000)
}
/// No case but churn comes near it.
const ROOM: usize = 1_000_000;
