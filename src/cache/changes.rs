//! More operations of a cache and of each scope: loads, and changes that depend on what is there.
//!
//! # Idea         as in module `operations`, of which this is a part
//! # Not here     what they do: modules `load` and `atomic`

/// The operations, for a type that has a `view`.
macro_rules! changes {
    () => {
        /// Looks a key up, and says whether its value is stale, or, if there is none, what is known of that. A use of what it finds.
        ///
        /// # Examples
        /// ```
        /// use larder::{Lookup, MissReason};
        ///
        /// let cache: larder::Cache<str> = larder::Cache::builder().max_entries(10).build()?;
        /// assert!(matches!(cache.lookup("key"), Lookup::Miss(MissReason::Absent)));
        /// cache.insert("key", "value")?;
        /// assert!(matches!(cache.lookup("key"), Lookup::Hit(entry) if &*entry == "value"));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// Cost: as `get`; twice that for a miss.
        pub fn lookup<K: $crate::key::Key>(&self, key: K) -> $crate::cache::Lookup<V> {
            self.view().lookup(&key)
        }

        /// Gives the value of a key; where it is absent, calls `load` for it and stores what that returns.
        ///
        /// Of callers who miss the same key at once, one loads; the others wait, parked, and find what it stored. A write, a removal or an
        /// invalidation of the key meanwhile wins over the loaded value, which is then given to its own caller alone, unless
        /// the newer value can be given. `load` runs without a lock, and may use the cache.
        ///
        /// An entry that is due to be loaded anew ([`Ttl::stale`](crate::Ttl::stale), [`Ttl::refresh_ahead`](crate::Ttl::refresh_ahead)) is
        /// loaded by one caller; the others are given the present one, with [`Entry::is_stale`](crate::Entry::is_stale).
        ///
        /// # Examples
        /// ```
        /// use std::time::Duration;
        /// use larder::Ttl;
        ///
        /// let cache: larder::Cache<str> = larder::Cache::builder().max_entries(10).build()?;
        /// let ttl = Ttl::after(Duration::from_secs(30)).stale(Duration::from_secs(300));
        /// let value = cache.get_or_insert_with(("user", 42u64), ttl, || "loaded")?;
        /// assert_eq!(&*value, "loaded");
        /// let value = cache.get_or_insert_with(("user", 42u64), ttl, || unreachable!("it is there"))
        ///     .map_err(|error: larder::LoadError<String, _>| error)?;
        /// assert_eq!(&*value, "loaded");
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// # Errors
        /// See [`LoadError`](crate::LoadError): a key or time to live that can't be used, a loaded value that is refused, a loader that
        /// asks for its own key, a time-out.
        ///
        /// # Panics
        /// With what `load` panics with; whoever waits then loads.
        ///
        /// Cost: a hit, that of [`get`](Self::get) and a branch.
        #[inline]
        pub fn get_or_insert_with<K, S>(
            &self,
            key: K,
            options: impl Into<$crate::cache::LoadOptions>,
            load: impl FnOnce() -> S,
        ) -> Result<$crate::entry::Entry<V>, $crate::error::LoadError<S, std::convert::Infallible>>
        where
            K: $crate::key::Key,
            S: $crate::entry::Source<V>,
        {
            self.view()
                .try_get_or_insert_with(&key, options, || Ok(load()))
        }

        /// As [`get_or_insert_with`](Self::get_or_insert_with), for a loader that may fail. Its error goes to its own caller; the
        /// caller who has waited longest loads next. The failed load of a stale entry gives the stale one instead,
        /// and is tried again after a pause ([`LoadOptions::back_off`](crate::LoadOptions::back_off)).
        ///
        /// So callers of a backend that is down fail one after the other, each by an attempt of its own, and the last of fifty has waited for
        /// fifty: limit the wait ([`LoadOptions::timeout`](crate::LoadOptions::timeout)), and let a loader that fails fail soon.
        ///
        /// # Examples
        /// ```
        /// use std::time::Duration;
        /// use larder::{LoadError, LoadOptions};
        ///
        /// let cache: larder::Cache<str> = larder::Cache::builder().max_entries(10).build()?;
        /// // To live for a minute; waits a second for another caller's load at most.
        /// let options = LoadOptions::from(Duration::from_secs(60)).timeout(Duration::from_secs(1));
        /// let failed = cache.try_get_or_insert_with("key", options, || Err::<&str, _>("no connection"));
        /// assert_eq!(failed.unwrap_err(), LoadError::Loader("no connection"));
        /// let value = cache.try_get_or_insert_with("key", options, || Ok::<_, String>("loaded"))?;
        /// assert_eq!(&*value, "loaded");
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// # Errors
        /// As there, and the loader's.
        #[inline]
        pub fn try_get_or_insert_with<K, S, E>(
            &self,
            key: K,
            options: impl Into<$crate::cache::LoadOptions>,
            load: impl FnOnce() -> Result<S, E>,
        ) -> Result<$crate::entry::Entry<V>, $crate::error::LoadError<S, E>>
        where
            K: $crate::key::Key,
            S: $crate::entry::Source<V>,
        {
            self.view().try_get_or_insert_with(&key, options, load)
        }

        /// As [`try_get_or_insert_with`](Self::try_get_or_insert_with), for a loader that chooses the time to live, or may find that
        /// there is no value, which is remembered as long as it says: `None` until then, for this call and for each look-up.
        ///
        /// # Examples
        /// ```
        /// use std::time::Duration;
        /// use larder::{Loaded, Lookup, Ttl};
        ///
        /// let cache: larder::Cache<str> = larder::Cache::builder().max_entries(10).build()?;
        /// let minute = Duration::from_secs(60);
        /// // What the loader says of the time to live goes before what the call says.
        /// let load = || Ok::<_, std::io::Error>(Loaded::With("Ada", minute.into()));
        /// assert_eq!(cache.get_or_load("known", Ttl::DEFAULT, load)?.as_deref(), Some("Ada"));
        /// assert!(cache.ttl("known").flatten().is_some());
        /// // That there is nothing is asked for once a minute.
        /// let load = || Ok::<Loaded<&str>, std::io::Error>(Loaded::Absent(minute));
        /// assert!(cache.get_or_load("unknown", Ttl::DEFAULT, load)?.is_none());
        /// assert!(matches!(cache.lookup("unknown"), Lookup::Negative));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// # Errors
        /// As there.
        ///
        /// Cost: as there; a remembered absence, two look-ups, without a lock.
        #[inline]
        pub fn get_or_load<K, S, E>(
            &self,
            key: K,
            options: impl Into<$crate::cache::LoadOptions>,
            load: impl FnOnce() -> Result<$crate::cache::Loaded<S>, E>,
        ) -> Result<Option<$crate::entry::Entry<V>>, $crate::error::LoadError<S, E>>
        where
            K: $crate::key::Key,
            S: $crate::entry::Source<V>,
        {
            self.view().get_or_load(&key, options, load)
        }

        /// As [`get_or_load`](Self::get_or_load), from asynchronous code: the wait for `load`, and for another caller's load, is a
        /// future's. Nothing is spawned, and callers of both kinds share one load of a key.
        ///
        /// The future may be dropped at any time: then nothing is stored, and whoever has waited longest loads. So a limit on waiting is the
        /// runtime's own time-out around it, as below; no timer is here, and a [`LoadOptions::timeout`](crate::LoadOptions::timeout) is
        /// refused. What is neither polled nor dropped keeps the others waiting.
        ///
        /// Of a stale entry, who loads it anew waits for that, and the others don't. A time-out around this future takes the stale entry from
        /// who loads as well; one within `load` is a load that failed, and leaves it. The second example has nobody wait.
        ///
        /// # Examples
        /// ```
        /// use std::time::Duration;
        /// use larder::{Loaded, Ttl};
        ///
        /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        /// # runtime.block_on(async {
        /// let cache: larder::Cache<str> = larder::Cache::builder().max_entries(10).build()?;
        /// // Stands for a call that takes its time and may fail.
        /// let ask = async { Ok::<_, std::io::Error>(Loaded::Value("Ada")) };
        /// let load = cache.get_or_load_async(("user", 42u64), Ttl::after(Duration::from_secs(30)), ask);
        /// let user = tokio::time::timeout(Duration::from_secs(5), load).await??;
        /// assert_eq!(user.as_deref(), Some("Ada"));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # })?;
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// What is stale is given at once, and loaded anew by a task of its own; of tasks that come for one key together, one loads:
        /// ```
        /// use std::io::Error;
        /// use std::time::Duration;
        /// use larder::{Cache, Entry, LoadError, Loaded, Lookup, Ttl};
        ///
        /// async fn user(cache: &Cache<str>, id: u64) -> Result<Option<Entry<str>>, LoadError<String, Error>> {
        ///     let ttl = Ttl::after(Duration::from_secs(30)).stale(Duration::from_secs(300));
        ///     let ask = async move { Ok(Loaded::Value(format!("user {id}"))) };
        ///     match cache.lookup(("user", id)) {
        ///         Lookup::Stale(entry) => {
        ///             let cache = cache.clone();
        ///             tokio::spawn(async move { cache.get_or_load_async(("user", id), ttl, ask).await });
        ///             Ok(Some(entry))
        ///         }
        ///         _ => cache.get_or_load_async(("user", id), ttl, ask).await,
        ///     }
        /// }
        /// # let clock = larder::ManualClock::new();
        /// # let cache: Cache<str> = Cache::builder().max_entries(10).clock(clock.clone()).build()?;
        /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        /// # runtime.block_on(async {
        /// # assert_eq!(user(&cache, 1).await?.as_deref(), Some("user 1"));
        /// # clock.advance(Duration::from_secs(31));
        /// # assert!(user(&cache, 1).await?.is_some_and(|user| user.is_stale()));
        /// # tokio::task::yield_now().await;
        /// # assert!(user(&cache, 1).await?.is_some_and(|user| !user.is_stale()));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # })?;
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// # Errors
        /// As there, and [`LoadError::TaskTimeout`](crate::LoadError::TaskTimeout): the options have a time-out.
        pub async fn get_or_load_async<K, S, E>(
            &self,
            key: K,
            options: impl Into<$crate::cache::LoadOptions>,
            load: impl Future<Output = Result<$crate::cache::Loaded<S>, E>>,
        ) -> Result<Option<$crate::entry::Entry<V>>, $crate::error::LoadError<S, E>>
        where
            K: $crate::key::Key,
            S: $crate::entry::Source<V>,
        {
            // Pinned here, so that each further future holds a pointer instead of another copy.
            let load = std::pin::pin!(load);
            self.view()
                .get_or_load_async(&key, options.into(), true, load)
                .await
        }

        /// As [`try_get_or_insert_with`](Self::try_get_or_insert_with), from asynchronous code: what
        /// [`get_or_load_async`](Self::get_or_load_async) says of futures holds here too.
        ///
        /// # Examples
        /// ```
        /// use std::io::Error;
        /// use larder::{Cache, Ttl};
        ///
        /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        /// # runtime.block_on(async {
        /// let cache: Cache<str> = Cache::builder().max_entries(10).build()?;
        /// let ask = async { Ok::<_, Error>("Ada") };
        /// let user = cache.try_get_or_insert_with_async(("user", 42u64), Ttl::DEFAULT, ask).await?;
        /// assert_eq!(&*user, "Ada");
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// # })?;
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// # Errors
        /// As [`get_or_load_async`](Self::get_or_load_async).
        pub async fn try_get_or_insert_with_async<K, S, E>(
            &self,
            key: K,
            options: impl Into<$crate::cache::LoadOptions>,
            load: impl Future<Output = Result<S, E>>,
        ) -> Result<$crate::entry::Entry<V>, $crate::error::LoadError<S, E>>
        where
            K: $crate::key::Key,
            S: $crate::entry::Source<V>,
        {
            let load = std::pin::pin!(load);
            self.view()
                .try_get_or_insert_with_async(&key, options.into(), load)
                .await
        }

        /// Stores a value if the present entry is as asked, in one step.
        ///
        /// # Examples
        /// ```
        /// use larder::Condition;
        ///
        /// let cache: larder::Cache<str> = larder::Cache::builder().max_entries(10).build()?;
        /// assert!(cache.put_if("leader", "a", larder::Ttl::DEFAULT, Condition::ABSENT)?.is_stored());
        /// assert!(!cache.put_if("leader", "b", larder::Ttl::DEFAULT, Condition::ABSENT)?.is_stored());
        /// assert!(cache.put_if("leader", "b", larder::Ttl::DEFAULT, Condition::equal("a"))?.is_stored());
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// # Errors
        /// As [`insert`](Self::insert), whether the condition holds or not for what can be said before: the key, the time to live.
        /// That the condition doesn't hold is no error.
        ///
        /// Cost: as `get` and `insert`; again for each write of the key by others meanwhile, if values are compared.
        pub fn put_if<K, S>(
            &self,
            key: K,
            value: S,
            options: impl Into<$crate::terms::WriteOptions>,
            condition: $crate::cache::Condition<'_, V>,
        ) -> Result<$crate::cache::PutIf<V, S>, $crate::error::InsertError<S>>
        where
            K: $crate::key::Key,
            S: $crate::entry::Source<V>,
        {
            self.view().put_if(&key, value, options.into(), &condition)
        }

        /// Has `f` say what is to become of a key's entry, in one step: nobody writes the key between the look and the change.
        ///
        /// `f` runs without a lock, on a handle; if the key is written meanwhile, it is called again with what is there then. After
        /// eight times, other writers of the key wait until this call is done. The look is a use of the entry, whatever `f` answers and
        /// whether its value is refused or not; so it is in [`increment`](Self::increment) and [`append`](Self::append).
        ///
        /// # Examples
        /// ```
        /// use larder::Change;
        ///
        /// let cache: larder::Cache<Vec<u32>> = larder::Cache::builder().max_entries(10).build()?;
        /// for n in [1, 2] {
        ///     cache.compute("list", |present| {
        ///         let mut list = present.map(|list| list.to_vec()).unwrap_or_default();
        ///         list.push(n);
        ///         Change::Insert(list)
        ///     })?;
        /// }
        /// assert_eq!(cache.get("list").as_deref(), Some(&vec![1, 2]));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// # Errors
        /// The value is refused, as by [`insert`](Self::insert); or `f` writes its own key each time.
        ///
        /// # Panics
        /// With what `f` panics with; nothing is changed then.
        ///
        /// Cost: as `get`, and as the change, for each time that `f` is called.
        pub fn compute<K, S>(
            &self,
            key: K,
            f: impl FnMut(Option<&$crate::entry::Entry<V>>) -> $crate::cache::Change<S>,
        ) -> Result<$crate::cache::Computed<V>, $crate::error::ComputeError<S>>
        where
            K: $crate::key::Key,
            S: $crate::entry::Source<V>,
        {
            self.view().compute(&key, f)
        }

        /// Adds to the number that is stored under a key, and gives the sum. An absent one counts from `initial`, and is stored with
        /// `options`; a present one keeps its times and its tag ([`Ttl::KEEP`](crate::Ttl::KEEP)).
        ///
        /// # Errors
        /// [`IncrementError`](crate::IncrementError): the value is no number, or the sum is beyond 64 bits; it stays as it was. A time to live
        /// that can't be used is refused, whether the key is present or not; so it is by [`append`](Self::append).
        pub fn increment<K>(
            &self,
            key: K,
            by: i64,
            initial: i64,
            options: impl Into<$crate::terms::WriteOptions>,
        ) -> Result<i64, $crate::error::IncrementError>
        where
            K: $crate::key::Key,
            V: $crate::cache::Counter,
        {
            self.view().increment(&key, by, initial, options.into())
        }

        /// Appends to the value of a key, and gives the joined one. An absent one is stored as it is, with `options`; a present one
        /// keeps its times and its tag ([`Ttl::KEEP`](crate::Ttl::KEEP)).
        ///
        /// # Errors
        /// The joined value is refused; the old one stays.
        pub fn append<K>(
            &self,
            key: K,
            more: &V,
            options: impl Into<$crate::terms::WriteOptions>,
        ) -> Result<$crate::entry::Entry<V>, $crate::error::AppendError>
        where
            K: $crate::key::Key,
            V: $crate::cache::Append,
        {
            self.view().append(&key, more, options.into())
        }
    };
}

pub(crate) use changes;
