//! The store of one value type: the only place that knows which type its blocks hold.
//!
//! # Idea         below here blocks are untyped, so that the engine is compiled once; above, everything is a `V`
//! # Invariants   Y1 every block of a `TypedStore<V>` was drafted for a `V`: `Cache<V>` drafts no other, and nobody else
//!   can reach the store

use std::marker::PhantomData;

use super::{Config, Store};
use crate::entry::{Block, BlockRef, Draft, Entry, Left, Releaser, Value};
use crate::stats::RemovalCause;

/// A listener in terms of handles.
pub(crate) type TypedListener<V> = Box<dyn Fn(Entry<V>, RemovalCause) + Send + Sync>;

/// See the module.
pub(crate) struct TypedStore<V: Value + ?Sized> {
    store: Store,
    values: PhantomData<fn() -> Box<V>>,
}

#[allow(unsafe_code)]
impl<V: Value + ?Sized> TypedStore<V> {
    pub(crate) fn new(config: Config, listener: Option<TypedListener<V>>) -> Self {
        // SAFETY: Y1.
        let releaser = unsafe { Releaser::new::<V>() };
        let listener = listener.map(|listener| -> super::Listener {
            Box::new(move |block, left, cause| {
                // SAFETY: Y1, and the listener is told of values alone; the handle owns a count of its own.
                let entry = unsafe { Entry::new(block.acquire(), left) };
                listener(entry, cause);
            })
        });
        Self {
            store: Store::new(config, releaser, listener),
            values: PhantomData,
        }
    }

    /// A handle that takes over a count of a value; `left` is the time that the entry has to live.
    #[inline(always)]
    pub(crate) fn entry(&self, block: Block, left: Left) -> Entry<V> {
        // SAFETY: Y1; who asks has a value: a look-up for one, or what a stripe calls one.
        unsafe { Entry::new(block, left) }
    }

    /// The value of a block that is borrowed from this store.
    #[inline(always)]
    pub(crate) fn value<'a>(&self, block: BlockRef<'a>) -> &'a V {
        // SAFETY: Y1.
        unsafe { block.value() }
    }

    /// The value of a draft that is made for this store.
    pub(crate) fn draft_value<'a>(&self, draft: &'a Draft) -> &'a V {
        self.value(draft.as_ref())
    }
}

impl<V: Value + ?Sized> std::ops::Deref for TypedStore<V> {
    type Target = Store;

    #[inline(always)]
    fn deref(&self) -> &Store {
        &self.store
    }
}
