//! What the caches hold, and the keys of it: types whose code pauses wherever the cache calls it.
//!
//! # Invariants   S1 a value says whose it is, so that one under another key is found out; keys are fresh for each history of a cache

use std::borrow::Borrow;

use larder::{Cache, Entry, Key, KeyWriter, OwnedScope, Scope, Source, WriteOptions};

use crate::call::Cell;
use crate::number::{INCREMENTS_MAX, Number};
use crate::pace::pause;

/// Whose a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) history: u64,
    pub(crate) cell: Cell,
}

impl Key for Owner {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        out.uint(self.history);
        pause();
        out.uint(self.cell.index.into());
    }
}

/// What a cache of histories can hold.
pub(crate) trait Content: larder::Value + PartialEq {
    /// What one is made as.
    type Made: Source<Self> + Borrow<Self>;

    fn made(owner: Owner, number: Number) -> Self::Made;
    fn number(&self) -> Number;
    fn is_of(&self, owner: Owner) -> bool;

    /// Adds to the number of a key, if its kind of content can be added to.
    fn increment(
        _place: Within<'_, Self>,
        _owner: Owner,
        _by: u32,
        _initial: Number,
        _options: WriteOptions,
    ) -> Result<Number, String> {
        Err("nothing can be added to these values".to_owned())
    }

    /// Appends to the value of a key, likewise.
    fn append(
        _place: Within<'_, Self>,
        _owner: Owner,
        _more: Number,
        _options: WriteOptions,
    ) -> Result<Entry<Self>, String> {
        Err("nothing can be appended to these values".to_owned())
    }
}

/// The types that have the operations.
pub(crate) enum Within<'a, V: Content + ?Sized> {
    Cache(&'a Cache<V>),
    Scope(&'a Scope<'a, V>),
    Owned(&'a OwnedScope<V>),
}

/// A value that pauses when it's compared or dropped.
#[derive(Debug)]
pub(crate) struct Value {
    history: u64,
    cell: u8,
    number: Number,
}

impl Content for Value {
    type Made = Value;

    fn made(owner: Owner, number: Number) -> Value {
        Value {
            history: owner.history,
            cell: owner.cell.index,
            number,
        }
    }

    fn number(&self) -> Number {
        self.number
    }

    fn is_of(&self, owner: Owner) -> bool {
        (self.history, self.cell) == (owner.history, owner.cell.index)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        pause();
        (self.history, self.cell, self.number) == (other.history, other.cell, other.number)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        pause();
    }
}

/// A counter: the number, and above it whose it is.
impl Content for i64 {
    type Made = i64;

    fn made(owner: Owner, number: Number) -> i64 {
        tag(owner) | i64::from(number.write()) << INCREMENTS_MAX | i64::from(number.sum())
    }

    fn number(&self) -> Number {
        let (number, sum_max) = (*self as u32, (1 << INCREMENTS_MAX) - 1);
        let write = Number::of_write(number >> INCREMENTS_MAX);
        write.plus(number & sum_max).unwrap_or(write)
    }

    fn is_of(&self, owner: Owner) -> bool {
        *self >> TAG_SHIFT == tag(owner) >> TAG_SHIFT
    }

    fn increment(
        place: Within<'_, i64>,
        owner: Owner,
        by: u32,
        initial: Number,
        options: WriteOptions,
    ) -> Result<Number, String> {
        let (by, initial) = (by.into(), i64::made(owner, initial));
        let sum = match place {
            Within::Cache(cache) => cache.increment(owner, by, initial, options),
            Within::Scope(scope) => scope.increment(owner, by, initial, options),
            Within::Owned(scope) => scope.increment(owner, by, initial, options),
        };
        let sum = sum.map_err(|error| error.to_string())?;
        if sum.is_of(owner) {
            Ok(sum.number())
        } else {
            Err("it added to the value of another key".to_owned())
        }
    }
}

/// The write and what was added to it are in the low 32 bits.
const TAG_SHIFT: u32 = 32;

/// One more than the history, so that no two owners' sums are near each other.
fn tag(owner: Owner) -> i64 {
    let cell = i64::from(owner.cell.index);
    ((owner.history as i64 + 1) << 2 | cell) << TAG_SHIFT
}

/// Bytes that can be appended to: a part for each write that they were joined from, which says whose it is.
impl Content for [u8] {
    type Made = Vec<u8>;

    fn made(owner: Owner, number: Number) -> Vec<u8> {
        let parts = number.writes().map(|write| part(owner, write));
        parts.flatten().collect()
    }

    fn number(&self) -> Number {
        let mut writes = self
            .chunks(PART_BYTES)
            .map(|part| Number::of_write(part.last().copied().unwrap_or(0).into()));
        let first = writes.next().unwrap_or(Number::of_write(0));
        writes.fold(first, Number::joined)
    }

    fn is_of(&self, owner: Owner) -> bool {
        let is_of = |bytes: &[u8]| {
            bytes
                .last()
                .is_some_and(|write| bytes == part(owner, *write))
        };
        !self.is_empty() && self.chunks(PART_BYTES).all(is_of)
    }

    fn append(
        place: Within<'_, [u8]>,
        owner: Owner,
        more: Number,
        options: WriteOptions,
    ) -> Result<Entry<[u8]>, String> {
        let more = &*<[u8]>::made(owner, more);
        let entry = match place {
            Within::Cache(cache) => cache.append(owner, more, options),
            Within::Scope(scope) => scope.append(owner, more, options),
            Within::Owned(scope) => scope.append(owner, more, options),
        };
        entry.map_err(|error| error.to_string())
    }
}

fn part(owner: Owner, write: u8) -> [u8; PART_BYTES] {
    let mut part = [0; PART_BYTES];
    part[..8].copy_from_slice(&owner.history.to_le_bytes());
    part[8..].copy_from_slice(&[owner.cell.index, write]);
    part
}

/// The history, the cell, and the write.
const PART_BYTES: usize = 8 + 1 + 1;
