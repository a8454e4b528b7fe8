//! What came of a write, and the value of one that wasn't done.

use super::view::View;
use crate::entry::{Draft, Entry, Source, Value};

/// What came of a write.
pub(super) enum Wrote<V: Value + ?Sized, S: Source<V>> {
    /// It is stored.
    Stored {
        replaced: Option<Entry<V>>,
        stored: Option<Entry<V>>,
    },
    /// The condition doesn't hold.
    Unmet {
        unstored: Unstored<V, S>,
        present: Option<Entry<V>>,
    },
    /// The life of the scope that it was for has ended since the call began. Of a write without a condition this is never the answer: it
    /// goes to the next life.
    Ended { unstored: Unstored<V, S> },
}

/// A value in a block that was not linked.
pub(super) struct Unstored<V: Value + ?Sized, S: Source<V>> {
    pub(super) draft: Draft,
    pub(super) kept: S::Kept,
}

impl<V: Value + ?Sized, S: Source<V>> Unstored<V, S> {
    /// The value as it was given.
    pub(super) fn undo(self) -> S {
        self.draft.undo::<V, S>(self.kept)
    }

    /// A handle to it, which is the only one.
    pub(super) fn into_entry(self, view: View<'_, V>) -> Entry<V> {
        view.last(self.draft.into_block())
    }
}
