//! What a conditional write asks, and what came of it.

use std::fmt;

use crate::entry::{Entry, Value};

/// What [`Cache::put_if`](crate::Cache::put_if) asks of the present entry.
pub struct Condition<'a, V: ?Sized>(pub(super) Asked<'a, V>);

pub(super) enum Asked<'a, V: ?Sized> {
    Absent,
    Present,
    Version(u64),
    Equal(&'a V, Same<V>),
    NotEqual(&'a V, Same<V>),
    PresentAndNotEqual(&'a V, Same<V>),
    AbsentOrEqual(&'a V, Same<V>),
}

pub(super) type Same<V> = fn(&V, &V) -> bool;

impl<'a, V: ?Sized> Condition<'a, V> {
    /// There is none.
    pub const ABSENT: Self = Self(Asked::Absent);

    /// There is one.
    pub const PRESENT: Self = Self(Asked::Present);

    /// There is one of this [version](crate::Entry::version): nobody has written the key since.
    pub const fn version(version: u64) -> Self {
        Self(Asked::Version(version))
    }

    /// There is one with an equal value.
    pub fn equal(value: &'a V) -> Self
    where
        V: PartialEq,
    {
        Self(Asked::Equal(value, V::eq))
    }

    /// There is none, or one with another value.
    pub fn not_equal(value: &'a V) -> Self
    where
        V: PartialEq,
    {
        Self(Asked::NotEqual(value, V::eq))
    }

    /// There is one, with another value.
    pub fn present_and_not_equal(value: &'a V) -> Self
    where
        V: PartialEq,
    {
        Self(Asked::PresentAndNotEqual(value, V::eq))
    }

    /// There is none, or one with an equal value.
    pub fn absent_or_equal(value: &'a V) -> Self
    where
        V: PartialEq,
    {
        Self(Asked::AbsentOrEqual(value, V::eq))
    }

    pub(super) fn holds(&self, present: Option<&V>) -> bool {
        let is_equal = |value: &V, same: Same<V>| present.map(|present| same(present, value));
        match self.0 {
            Asked::Absent => present.is_none(),
            Asked::Present | Asked::Version(_) => present.is_some(),
            Asked::Equal(value, same) => is_equal(value, same) == Some(true),
            Asked::NotEqual(value, same) => is_equal(value, same) != Some(true),
            Asked::PresentAndNotEqual(value, same) => is_equal(value, same) == Some(false),
            Asked::AbsentOrEqual(value, same) => is_equal(value, same) != Some(false),
        }
    }
}

impl<V: ?Sized> fmt::Debug for Condition<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Asked::Absent => "Absent",
            Asked::Present => "Present",
            Asked::Version(_) => "Version",
            Asked::Equal(..) => "Equal",
            Asked::NotEqual(..) => "NotEqual",
            Asked::PresentAndNotEqual(..) => "PresentAndNotEqual",
            Asked::AbsentOrEqual(..) => "AbsentOrEqual",
        })
    }
}

/// What came of a conditional write.
#[derive(Debug)]
pub enum PutIf<V: Value + ?Sized, S> {
    /// The condition held, and the value is stored; what it replaced.
    Stored {
        /// The entry that was there before.
        replaced: Option<Entry<V>>,
    },
    /// It did not hold.
    Unmet {
        /// The value, as it was given.
        value: S,
        /// The entry that is there instead.
        present: Option<Entry<V>>,
    },
}

impl<V: Value + ?Sized, S: Clone> Clone for PutIf<V, S> {
    fn clone(&self) -> Self {
        match self {
            Self::Stored { replaced } => Self::Stored {
                replaced: replaced.clone(),
            },
            Self::Unmet { value, present } => Self::Unmet {
                value: value.clone(),
                present: present.clone(),
            },
        }
    }
}

impl<V: Value + ?Sized, S> PutIf<V, S> {
    /// Whether the value is stored.
    pub fn is_stored(&self) -> bool {
        matches!(self, Self::Stored { .. })
    }
}
