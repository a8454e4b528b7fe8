//! What the caches hold, and the keys of it: types whose code pauses wherever the cache calls it.
//!
//! # Invariants   S1 a value says whose it is, so that one under another key is found out; keys are fresh for each history of a cache

use larder::{Cache, Key, KeyWriter, OwnedScope, Scope, WriteOptions};

use crate::call::{Cell, Number};
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
pub(crate) trait Content: Send + Sync + Sized + PartialEq + 'static {
    fn new(owner: Owner, number: Number) -> Self;
    fn number(&self) -> Number;
    fn is_of(&self, owner: Owner) -> bool;

    /// Adds to the number of a key, if its kind of content can be added to.
    fn increment(
        place: Within<'_, Self>,
        owner: Owner,
        by: u32,
        initial: Number,
        options: WriteOptions,
    ) -> Result<Number, String>;
}

/// The types that have the operations.
pub(crate) enum Within<'a, V: Content> {
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
    fn new(owner: Owner, number: Number) -> Value {
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

    fn increment(
        _: Within<'_, Value>,
        _: Owner,
        _: u32,
        _: Number,
        _: WriteOptions,
    ) -> Result<Number, String> {
        Err("nothing can be added to these values".to_owned())
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
    fn new(owner: Owner, number: Number) -> i64 {
        tag(owner) | i64::from(number.0)
    }

    fn number(&self) -> Number {
        Number(*self as u32)
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
        let (by, initial) = (by.into(), i64::new(owner, initial));
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

/// Numbers have 32 bits.
const TAG_SHIFT: u32 = 32;

/// One more than the history, so that no two owners' sums are near each other.
fn tag(owner: Owner) -> i64 {
    let cell = i64::from(owner.cell.index);
    ((owner.history as i64 + 1) << 2 | cell) << TAG_SHIFT
}
