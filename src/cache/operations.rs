//! The operations of a cache and of each scope in it: their names and their documentation, written once.
//!
//! # Idea         a cache is the view of everything, a scope a view of a part, and both have the same operations. The macro gives
//!   them to a type that has a `view`
//! # Not here     what they do: modules `view` and `write`

/// Gives a type the operations of its `view`.
macro_rules! operations {
    ($($view:tt)+) => {
        impl<V: $crate::entry::Value + ?Sized> $($view)+ {
            /// Gives a counted handle to the entry of a key, and counts as a use of it. A key that can't be in a cache (empty,
            /// too long) is a miss.
            ///
            /// # Examples
            /// ```
            /// let cache: larder::Cache<str> = larder::Cache::builder().max_entries(10).build()?;
            /// cache.insert(("greeting", "en"), "hello")?;
            /// assert_eq!(cache.get(("greeting", "en")).as_deref(), Some("hello"));
            /// assert!(cache.get(("greeting", "fr")).is_none());
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// Cost: no lock; two cache lines besides those of the thread, of which one count is written.
            #[inline]
            pub fn get<K: $crate::key::Key>(&self, key: K) -> Option<$crate::entry::Entry<V>> {
                let seat = $crate::reclaim::seat();
                self.view().get_by(seat, &key, true)
            }

            /// Calls `f` on the value of a key in place, and counts as a use of it.
            ///
            /// Nothing that other threads write is written, so it scales on a single hot key. While `f` runs, the entry's memory
            /// can't be taken back if the entry leaves meanwhile; so `f` should be short. It may call the cache.
            ///
            /// # Examples
            /// ```
            /// let cache: larder::Cache<[u8]> = larder::Cache::builder().max_bytes(1 << 20).build()?;
            /// cache.insert("key", [1, 2, 3])?;
            /// assert_eq!(cache.read("key", |value| value.len()), Some(3));
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// Cost: as `get`, without the count.
            #[inline]
            pub fn read<K: $crate::key::Key, R>(&self, key: K, f: impl FnOnce(&V) -> R) -> Option<R> {
                let seat = $crate::reclaim::seat();
                self.view().read_by(seat, &key, f)
            }

            /// As [`get`](Self::get), but is no use of the entry: neither idle time nor policy learn of it.
            ///
            /// Cost: as `get`.
            #[inline]
            pub fn peek<K: $crate::key::Key>(&self, key: K) -> Option<$crate::entry::Entry<V>> {
                let seat = $crate::reclaim::seat();
                self.view().get_by(seat, &key, false)
            }

            /// Looks many keys up, so that the waits for memory overlap; a use of each entry that is found.
            ///
            /// The answers stand in the order of the keys; each key is looked up by itself, not all at one moment.
            ///
            /// Cost: for large caches about a third of as many `get`s; one allocation for the answer.
            pub fn get_many<K: $crate::key::Key>(&self, keys: &[K]) -> Vec<Option<$crate::entry::Entry<V>>> {
                self.view().get_many(keys)
            }

            /// Whether a live entry of this key is there; no use of it.
            ///
            /// Cost: as [`read`](Self::read).
            #[inline]
            pub fn contains_key<K: $crate::key::Key>(&self, key: K) -> bool {
                let seat = $crate::reclaim::seat();
                self.view().contains_key_by(seat, &key)
            }

            /// How long the entry of a key has to live: `None` if it is absent, `Some(None)` if it never expires.
            ///
            /// By the precise clock: never more than it was given, unless it is being written.
            ///
            /// Cost: as [`read`](Self::read), and a reading of the clock.
            pub fn ttl<K: $crate::key::Key>(&self, key: K) -> Option<Option<std::time::Duration>> {
                self.view().ttl(&key)
            }

            /// Stores a value under a key, with the cache's default time to live, and gives back what it replaced.
            ///
            /// The value is moved, or copied for `[u8]` and `str`, into the entry before any lock is taken. A newcomer is always
            /// taken in, and stays for a while: the next 1 % of the capacity in further inserts don't evict it.
            ///
            /// # Errors
            /// The value comes back in the error, and an older value of the key stays, unless there isn't room for both at once: then it was
            /// evicted for the newer one, which may still be refused while the memory is being read.
            /// See [`Refusal`](crate::Refusal) for the reasons: a key that is empty or too long, an entry that is too large for the cache, no
            /// memory, or no room because too much of what was evicted is still being read.
            ///
            /// # Panics
            /// With what a weigher panics with, or `as_ref` of the source; nothing is stored then.
            ///
            /// Cost: one allocation, and the lock of one stripe.
            pub fn insert<K, S>(&self, key: K, value: S) -> Result<Option<$crate::entry::Entry<V>>, $crate::error::InsertError<S>>
            where
                K: $crate::key::Key,
                S: $crate::entry::Source<V>,
            {
                self.view().insert(&key, value, None)
            }

            /// As [`insert`](Self::insert), with a time to live of its own. From its end on the entry is absent for every
            /// operation; what ends 292 years after the cache was built, or later, is for ever. How exactly it is kept:
            /// [`Ttl::after`](crate::Ttl::after).
            ///
            /// # Errors
            /// As `insert`, and [`Refusal::ZeroTtl`](crate::Refusal::ZeroTtl).
            pub fn insert_with_ttl<K, S>(
                &self,
                key: K,
                value: S,
                ttl: std::time::Duration,
            ) -> Result<Option<$crate::entry::Entry<V>>, $crate::error::InsertError<S>>
            where
                K: $crate::key::Key,
                S: $crate::entry::Source<V>,
            {
                self.view().insert(&key, value, Some(&ttl.into()))
            }

            /// As [`insert`](Self::insert), with a time to live or a kind of value of its own, or both: a [`Ttl`](crate::Ttl), a
            /// [`Tag`](crate::Tag) or [`WriteOptions`](crate::WriteOptions).
            ///
            /// # Errors
            /// As `insert_with_ttl`.
            pub fn insert_with<K, S>(
                &self,
                key: K,
                value: S,
                options: impl Into<$crate::terms::WriteOptions>,
            ) -> Result<Option<$crate::entry::Entry<V>>, $crate::error::InsertError<S>>
            where
                K: $crate::key::Key,
                S: $crate::entry::Source<V>,
            {
                self.view().insert(&key, value, Some(&options.into()))
            }

            /// As [`insert`](Self::insert), with a deadline of the wall clock, such as an [`Expiry`](crate::Expiry) gives. Setting the wall
            /// clock later doesn't move it.
            ///
            /// A deadline that has passed stores nothing, and takes the older value out: it comes back as what was replaced.
            ///
            /// # Errors
            /// As `insert`; of a deadline that has passed, for the key and for a tenant that was deleted.
            pub fn insert_until<K, S>(
                &self,
                key: K,
                value: S,
                deadline: std::time::SystemTime,
            ) -> Result<Option<$crate::entry::Entry<V>>, $crate::error::InsertError<S>>
            where
                K: $crate::key::Key,
                S: $crate::entry::Source<V>,
            {
                self.view().insert_until(&key, value, deadline)
            }

            /// Takes the entry of a key out, and gives it back if it was alive.
            ///
            /// Cost: the lock of one stripe, whether the key is there or not.
            pub fn remove<K: $crate::key::Key>(&self, key: K) -> Option<$crate::entry::Entry<V>> {
                self.view().remove(&key)
            }

            /// Takes the entry of a key out if `predicate` says so, and gives it back. The predicate runs without a lock, on the
            /// very entry that is then removed. It is asked again if another one took its place meanwhile, up to 64 times; then,
            /// or if it replaces the entry itself each time, nothing is removed.
            ///
            /// Cost: as `get`, and as `remove` where the predicate says so; again for each time that it is asked again.
            pub fn remove_if<K: $crate::key::Key>(
                &self,
                key: K,
                predicate: impl FnMut(&$crate::entry::Entry<V>) -> bool,
            ) -> Option<$crate::entry::Entry<V>> {
                self.view().remove_if(&key, predicate)
            }

            $crate::cache::changes!();

            /// Gives the entry of a key another time to live, from now on; `None`: it never expires. False if it is absent.
            ///
            /// # Errors
            /// [`TtlError::Zero`](crate::TtlError::Zero): a time to live of zero; remove the entry instead.
            ///
            /// Cost: the lock of one stripe; so are [`increase_ttl`](Self::increase_ttl) and [`decrease_ttl`](Self::decrease_ttl).
            pub fn set_ttl<K: $crate::key::Key>(&self, key: K, ttl: Option<std::time::Duration>) -> Result<bool, $crate::error::TtlError> {
                self.view().set_ttl(&key, ttl)
            }

            /// Gives the entry of a key this time to live, from now on, if it lives longer by that.
            ///
            /// # Errors
            /// As [`set_ttl`](Self::set_ttl).
            pub fn increase_ttl<K: $crate::key::Key>(&self, key: K, ttl: std::time::Duration) -> Result<$crate::cache::TtlChange, $crate::error::TtlError> {
                self.view().increase_ttl(&key, ttl)
            }

            /// Gives the entry of a key this time to live, from now on, if it lives shorter by that.
            ///
            /// # Errors
            /// As [`set_ttl`](Self::set_ttl).
            pub fn decrease_ttl<K: $crate::key::Key>(&self, key: K, ttl: std::time::Duration) -> Result<$crate::cache::TtlChange, $crate::error::TtlError> {
                self.view().decrease_ttl(&key, ttl)
            }

            /// Walks over the entries, in no order that means anything; no use of them. A cache's walk goes through all its scopes, a
            /// scope's through the scope itself.
            ///
            /// An entry whose key is present throughout the walk is yielded exactly once. Entries that come, go or are replaced
            /// meanwhile may or may not be seen.
            ///
            /// Cost: the lock of a stripe for each segment of at most 448 entries, of which it holds handles for a while.
            pub fn iter(&self) -> $crate::cache::Iter<V> {
                self.view().iter(&self.inner)
            }

            /// Keeps the entries that `predicate` wants, and takes the others out; how many those were. The predicate runs
            /// without a lock.
            ///
            /// Cost: visits every entry; the locks are held for a segment (at most 448 entries) at a time.
            pub fn retain(&self, predicate: impl FnMut(&$crate::entry::Entry<V>) -> bool) -> usize {
                self.view().retain(self.iter(), predicate)
            }

            /// Takes out everything that was there when the call began.
            ///
            /// Cost: visits every entry, as [`retain`](Self::retain).
            pub fn clear(&self) {
                self.view().clear();
            }

            /// The number of entries; those whose deadline has passed or, of a cache, whose scope has ended, count until their memory is
            /// taken back.
            ///
            /// Cost: each stripe's lock once, shortly.
            pub fn len(&self) -> usize {
                self.view().len()
            }

            /// Whether there is no entry; see [`len`](Self::len).
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }

        impl<V: $crate::entry::Value + ?Sized> IntoIterator for &$($view)+ {
            type Item = $crate::entry::Entry<V>;
            type IntoIter = $crate::cache::Iter<V>;

            fn into_iter(self) -> $crate::cache::Iter<V> {
                self.iter()
            }
        }
    };
}

pub(crate) use operations;
