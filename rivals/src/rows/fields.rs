//! The fields: contenders that are set up and filled, for the groups.
//!
//! # Idea         all contenders of a field have the same bound and have seen the same keys
//! # Costs        what a million inserts into each contender take
//! # Invariants   none
//! # Not here     rows

use super::Scale;
use super::groups::UNIT;
use super::race::Entrant;
use crate::contender::{
    Contender, DashMap, Floor, Foyer, Larder, Locked, MiniMoka, Moka, Papaya, QuickCache, SccCache,
    SccMap, Stretto, TinyUfo,
};
use crate::judge::FLOOR;
use crate::keys::{self, VALUE};
use crate::kind::{Bytes, Kind, Words};
use crate::measure::{Job, Private, Shared, Subject};

/// Everything fits: the bound is a quarter above the number of keys, so that no shard of a peer runs over.
pub(super) fn resident(scale: &Scale) -> Vec<Entrant<Bytes>> {
    let room = scale.n_keys * 5 / 4;
    let field = unbounded(Larder::<[u8]>::new(room), room, scale);
    filled(field, scale.n_keys, &VALUE)
}

/// A tenth of the keys fits. Each cache has seen the mix for a while, so that what it holds is its own choice.
pub(super) fn evicting(scale: &Scale) -> Vec<Entrant<Bytes>> {
    let n_entries = scale.n_evicting;
    let field = bounded(Larder::<[u8]>::new(n_entries), n_entries);
    warmed(field, scale.n_keys, n_entries, &VALUE)
}

/// Full from the start.
pub(super) fn churning(scale: &Scale) -> Vec<Entrant<Bytes>> {
    let field = bounded(Larder::<[u8]>::new(scale.n_churn), scale.n_churn);
    filled(field, scale.n_churn * 3 / 2, &VALUE)
}

pub(super) fn large_resident(scale: &Scale) -> Vec<Entrant<Bytes>> {
    let room = scale.n_large * 5 / 4;
    let field = unbounded(Larder::<[u8]>::new(room), room, scale);
    filled(field, scale.n_large, &LARGE)
}

pub(super) fn large_evicting(scale: &Scale) -> Vec<Entrant<Bytes>> {
    let n_entries = scale.n_large / 10;
    let field = bounded(Larder::<[u8]>::new(n_entries), n_entries);
    warmed(field, scale.n_large, n_entries, &LARGE)
}

pub(super) fn words_resident(scale: &Scale) -> Vec<Entrant<Words>> {
    let room = scale.n_keys * 5 / 4;
    let field = unbounded(Larder::<u64>::new(room), room, scale);
    filled(field, scale.n_keys, &1)
}

pub(super) fn words_evicting(scale: &Scale) -> Vec<Entrant<Words>> {
    let n_entries = scale.n_evicting;
    let field = bounded(Larder::<u64>::new(n_entries), n_entries);
    warmed(field, scale.n_keys, n_entries, &1)
}

/// All contenders that stay within a bound.
fn bounded<T: Kind, L>(larder: L, n_entries: usize) -> Vec<Entrant<T>>
where
    L: Sync + 'static,
    for<'a> &'a L: Contender<T>,
{
    let mut field = caches(larder, n_entries);
    field.push(entrant("scc", Shared(SccCache::<T>::new(n_entries))));
    field
}

/// Everyone, for rows in which nothing has to leave.
fn unbounded<T: Kind, L>(larder: L, room: usize, scale: &Scale) -> Vec<Entrant<T>>
where
    L: Sync + 'static,
    for<'a> &'a L: Contender<T>,
{
    let mut field = caches(larder, room);
    field.push(entrant("stretto", Shared(Stretto::<T>::new(room))));
    field.push(entrant("scc", Shared(SccMap::<T>::new(room))));
    field.push(entrant("dashmap", Shared(DashMap::<T>::new(room))));
    field.push(entrant("papaya", Shared(Papaya::<T>::new(room))));
    field.push(entrant("RwLock<HashMap>", Shared(Locked::<T>::new(room))));
    let floors = (0..scale.n_floors).map(|_| Floor::<T>::new()).collect();
    field.push(entrant(FLOOR, Private(floors)));
    field
}

fn caches<T: Kind, L>(larder: L, n_entries: usize) -> Vec<Entrant<T>>
where
    L: Sync + 'static,
    for<'a> &'a L: Contender<T>,
{
    vec![
        entrant("larder", Shared(larder)),
        entrant(UNIT, Shared(QuickCache::<T>::new(n_entries))),
        entrant("moka", Shared(Moka::<T>::new(n_entries))),
        entrant("mini-moka", Shared(MiniMoka::<T>::new(n_entries))),
        entrant("foyer", Shared(Foyer::<T>::new(n_entries))),
        entrant("TinyUFO", Shared(TinyUfo::<T>::new(n_entries))),
    ]
}

pub(super) fn filled<T: Kind>(
    mut field: Vec<Entrant<T>>,
    n_keys: usize,
    value: &T::Given,
) -> Vec<Entrant<T>> {
    let keys: Vec<T::Key> = (0..n_keys as u64).map(T::key).collect();
    for entrant in &mut field {
        entrant.subject.fill(&keys, value);
    }
    field
}

fn warmed<T: Kind>(
    mut field: Vec<Entrant<T>>,
    n_keys: usize,
    n_entries: usize,
    value: &T::Given,
) -> Vec<Entrant<T>> {
    let keys = keys::zipf(n_keys, n_entries * 16, 4);
    let keys: Vec<T::Key> = keys.into_iter().map(T::key).collect();
    for entrant in &mut field {
        entrant
            .subject
            .run(Job::Mix { insert_each: 2 }, &[&keys], value);
    }
    field
}

pub(super) fn entrant<T: Kind>(
    name: &'static str,
    subject: impl Subject<T> + 'static,
) -> Entrant<T> {
    Entrant {
        name,
        subject: Box::new(subject),
    }
}

pub(super) static LARGE: [u8; 1024] = [1; 1024];
