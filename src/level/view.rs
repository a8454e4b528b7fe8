//! Caches and a further level together, and one scope seen through both.

use std::fmt;
use std::time::Duration;

use super::counts::Counts;
use super::debts::Debts;
use super::follow::{Followed, LevelChanges};
use super::key::{LevelKey, LevelScope, Path};
use super::misses::Misses;
use super::turns::Turns;
use super::{Level, LevelError, LevelMode, LevelOptions, LevelStats};
use crate::cache::View;
use crate::clock::Nanos;
use crate::codec::Codec;
use crate::hash::Hasher64;
use crate::scope::Scope;
use crate::sync::Arc;

/// A further level, and what a process has to know of it: one for all its caches. Cheap to clone; clones are the same.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use larder::{Cache, LevelMode, Levels, MemoryLevel};
///
/// // Two processes, each with a cache of its own, and what they share.
/// let shared = MemoryLevel::new();
/// let levels = [(); 2].map(|()| Levels::new(shared.clone(), b"shop"));
/// let caches = [(); 2].map(|()| Cache::<[u8]>::builder().max_bytes(1 << 20).build());
/// let [one, two] = caches;
/// let (one, two) = (one?, two?);
///
/// let here = levels[0].view(one.scope("prices")?, LevelMode::L1L2);
/// let there = levels[1].view(two.scope("prices")?, LevelMode::L1L2);
/// here.put("apple", b"1.20", Duration::from_secs(60))?;
/// assert_eq!(there.get("apple").as_deref(), Some(&b"1.20"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Caches of values that have a [`Codec`] share it as well, each with scopes of its own:
/// ```
/// # #[cfg(feature = "serde")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use larder::{Cache, LevelMode, Levels, MemoryLevel, Serde};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct User {
///     name: String,
/// }
///
/// let levels = Levels::new(MemoryLevel::new(), b"shop");
/// let users: Cache<Serde<User>> = Cache::builder().max_entries(1000).build()?;
/// let pages: Cache<[u8]> = Cache::builder().max_bytes(1 << 20).build()?;
///
/// let users = levels.view(users.scope("users")?, LevelMode::L1L2);
/// let pages = levels.view(pages.scope("pages")?, LevelMode::L1L2);
/// users.put(42u64, Serde(User { name: "Ada".to_owned() }), Duration::from_secs(60))?;
/// pages.put("/", b"<p>Hello", Duration::from_secs(60))?;
/// assert_eq!(users.get(42u64).unwrap().name, "Ada");
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "serde"))]
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Levels {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    level: Option<Box<dyn Level>>,
    name_space: Box<[u8]>,
    hasher: Hasher64,
    pub(super) counts: Counts,
    pub(super) debts: Debts,
    pub(super) misses: Misses,
    pub(super) turns: Turns,
    pub(super) followed: Followed,
}

impl Levels {
    /// Brings a level together with the caches whose views are asked for. Keys of two name spaces never meet.
    pub fn new(level: impl Level, name_space: &[u8]) -> Self {
        Self::with(Some(Box::new(level)), name_space)
    }

    /// Without a level: for caches that use their own alone. What asks for the level finds it unavailable.
    pub fn none() -> Self {
        Self::with(None, b"")
    }

    fn with(level: Option<Box<dyn Level>>, name_space: &[u8]) -> Self {
        let inner = Inner {
            level,
            name_space: name_space.into(),
            hasher: Hasher64::new(),
            counts: Counts::default(),
            debts: Debts::default(),
            misses: Misses::new(),
            turns: Turns::default(),
            followed: Followed::default(),
        };
        let inner = Arc::new(inner);
        if let Some(level) = &inner.level {
            level.follow(LevelChanges::new(Arc::downgrade(&inner), name_space));
        }
        Self { inner }
    }

    /// Whether the level tells of others' changes at the moment.
    pub fn follows(&self) -> bool {
        self.inner.followed.is_live()
    }

    /// A scope through its levels. A named cache is the scope that [`NamedCache::scope`](crate::NamedCache::scope) gives.
    ///
    /// Of one scope, all views of a process should be of the same `Levels`.
    ///
    /// Values go to the level as bytes, by their [`Codec`]; a record that another codec wrote, or that this one refuses, is a
    /// [miss](crate::MissReason::Corrupt), which the next put replaces. Codecs are told apart by their [names](Codec::NAME), and all types in
    /// `Serde` have one: keep these in scopes of different names.
    ///
    /// Cost: nothing; nothing is written that other threads write.
    pub fn view<'c, V: Codec + ?Sized>(
        &'c self,
        scope: Scope<'c, V>,
        options: impl Into<LevelOptions>,
    ) -> LevelView<'c, V> {
        LevelView {
            levels: self,
            scope,
            options: options.into(),
        }
    }

    /// A snapshot of the counters.
    pub fn stats(&self) -> LevelStats {
        self.inner.counts.snapshot()
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Levels")
            .field("name_space", &self.inner.name_space.escape_ascii())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// One scope of a cache seen through the cache and a further level.
///
/// The operations here work in every [mode](LevelMode). Those that look and change in one step (`put_if`, `compute`, `increment`,
/// `append`, and changes of times to live) can't be done across levels, since a level has no such step: [`atomic`](Self::atomic).
///
/// What goes to the further level blocks for [`LevelOptions::timeout`] a call at most: from asynchronous code, in a thread for what blocks.
///
/// # Concurrency
/// Within a process, a view's operations on one key are as those of a cache: who reads after a write has returned gets that or a
/// later one, or nothing. Between processes, a copy here may be as old as [`LevelOptions::l1_lifetime`] says.
///
/// # Panics
/// Each operation that goes to the further level panics if the [`Codec`] does: a put with nothing done, a look-up as if its caller had not
/// come.
pub struct LevelView<'c, V: Codec + ?Sized = [u8]> {
    pub(super) levels: &'c Levels,
    pub(super) scope: Scope<'c, V>,
    pub(super) options: LevelOptions,
}

impl<V: Codec + ?Sized> Clone for LevelView<'_, V> {
    fn clone(&self) -> Self {
        Self {
            levels: self.levels,
            scope: self.scope.clone(),
            options: self.options,
        }
    }
}

impl<'c, V: Codec + ?Sized> LevelView<'c, V> {
    /// How it uses its levels.
    pub fn options(&self) -> LevelOptions {
        self.options
    }

    /// The scope itself, for operations that look and change in one step.
    ///
    /// # Errors
    /// [`NotAcrossLevels`] in every mode but [`LevelMode::L1`].
    pub fn atomic(&self) -> Result<&Scope<'c, V>, NotAcrossLevels> {
        match self.options.mode {
            LevelMode::L1 => Ok(&self.scope),
            mode => Err(NotAcrossLevels { mode }),
        }
    }

    pub(super) fn here(&self) -> View<'_, V> {
        self.scope.view()
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.levels.inner
    }

    /// The longest that copies of records may stay which are read from now on.
    pub(super) fn read_ttl_max(&self, path: &Path) -> Option<Duration> {
        let is_followed = self.inner().followed.note(path, &self.scope);
        let ttl_max = self.options.copy_ttl_max();
        ttl_max.filter(|_| !is_followed)
    }

    pub(super) fn path(&self) -> Path {
        let life = self.here().last_life();
        Path::new(&self.inner().name_space, life.as_deref())
    }

    /// When an operation that begins now has to be done.
    pub(super) fn until(&self, within: Duration) -> Nanos {
        self.here().now().saturating_add(within)
    }

    /// What is left of its time.
    pub(super) fn left(&self, until: Nanos) -> Result<Duration, LevelError> {
        let left = until.saturating_since(self.here().now());
        (!left.is_zero()).then_some(left).ok_or(LevelError::Timeout)
    }

    /// Calls the level with what is left of the time.
    pub(super) fn call<R>(
        &self,
        until: Nanos,
        call: impl FnOnce(&dyn Level, Duration) -> Result<R, LevelError>,
    ) -> Result<R, LevelError> {
        let level = self.inner().level.as_deref();
        call(level.ok_or(LevelError::Unavailable)?, self.left(until)?)
    }

    pub(super) fn value_bytes_max(&self) -> Option<u64> {
        let level = self.inner().level.as_deref();
        let own = level.and_then(Level::value_bytes_max);
        self.options.value_bytes_max.into_iter().chain(own).min()
    }

    pub(super) fn hash(&self, key: &LevelKey<'_>) -> u64 {
        key.hash(&self.inner().hasher)
    }

    pub(super) fn hash_scope(&self, scope: &LevelScope<'_>) -> u64 {
        scope.hash(&self.inner().hasher)
    }

    /// Ends the scopes of a path that should have been ended before.
    pub(super) fn pay_for_scopes<'a>(
        &self,
        scopes: impl Iterator<Item = LevelScope<'a>>,
        until: Nanos,
    ) -> Result<(), LevelError> {
        let Inner { debts, counts, .. } = self.inner();
        for scope in scopes {
            let hash = self.hash_scope(&scope);
            let debt = debts.of_scope(hash);
            if debt.is_some() {
                self.call(until, |level, within| level.end(&scope, within))?;
                debts.pay_scope(hash, debt);
                counts.repaired.add();
            }
        }
        Ok(())
    }

    /// Deletes a record that may be older than what was last done here, and ends the scopes that should have been.
    pub(super) fn pay(
        &self,
        key: &LevelKey<'_>,
        hash: u64,
        until: Nanos,
    ) -> Result<(), LevelError> {
        let Inner { debts, counts, .. } = self.inner();
        self.pay_for_scopes(key.scopes(), until)?;
        let debt = debts.of_key(hash);
        if debt.is_some() {
            self.call(until, |level, within| level.delete(key, within))?;
            debts.pay_key(hash, debt);
            counts.repaired.add();
        }
        Ok(())
    }

    /// Notes that the level's record of a key may be older than what was last done here.
    pub(super) fn owe(&self, key: &LevelKey<'_>, hash: u64) {
        let scopes = key.scopes().map(|scope| self.hash_scope(&scope));
        self.inner().debts.owe_key(hash, scopes);
    }
}

impl<V: Codec + ?Sized> fmt::Debug for LevelView<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LevelView")
            .field("scope", &self.scope)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// What was asked for is one step in a cache, and there is no such step across levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotAcrossLevels {
    /// The mode that the view is of.
    pub mode: LevelMode,
}

impl fmt::Display for NotAcrossLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "operations that look and change in one step need the mode L1; this view's is {:?}",
            self.mode
        )
    }
}

impl std::error::Error for NotAcrossLevels {}
