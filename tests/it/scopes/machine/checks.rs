//! What the machine compares, and how its model follows.

use larder::Part;

use super::*;

impl Machine {
    /// The item of a key, unless it is due.
    pub(super) fn alive(&self, at: At) -> Option<Item> {
        let item = *self.items.get(&at)?;
        self.is_alive(&item).then_some(item)
    }

    fn is_alive(&self, item: &Item) -> bool {
        item.deadline.is_none_or(|deadline| deadline > self.now)
    }

    /// Notes that a value is gone, and by what it may be told: what was due goes as that, or is about to.
    pub(super) fn end(&mut self, at: At, how: End) {
        let item = self.items.remove(&at).unwrap();
        let is_alive = self.is_alive(&item);
        let mut causes = match how {
            End::Invalidated => vec![RemovalCause::Invalidated],
            _ if !is_alive => Vec::new(),
            End::Replaced => vec![RemovalCause::Replaced],
            End::Removed => vec![RemovalCause::Removed],
            End::Cleared => vec![RemovalCause::Invalidated],
            End::Lost => vec![RemovalCause::Evicted],
        };
        // It may fall due before it is swept.
        let is_late = !is_alive || matches!(how, End::Invalidated);
        if is_late && item.deadline.is_some() {
            causes.push(RemovalCause::Expired);
        }
        self.n_unswept += usize::from(is_late);
        self.fates[item.number as usize] = Some(causes);
    }

    /// The items of a space, and with `below` of those within it.
    fn keys_within(&self, space: usize, below: bool) -> Vec<At> {
        let keys = self.items.keys().copied();
        keys.filter(|&(at, _)| at == space || below && is_within(at, space))
            .collect()
    }

    pub(super) fn end_within(&mut self, space: usize, below: bool, how: End) {
        for at in self.keys_within(space, below) {
            self.end(at, how);
        }
    }

    pub(super) fn check_presence(&mut self, at: At, is_found: bool) {
        let alive = self.alive(at);
        assert!(
            alive.is_some() || !is_found,
            "{at:?} was served, and is gone"
        );
        if alive.is_some() && !is_found {
            assert!(self.is_lossy, "{at:?} is missing");
            self.end(at, End::Lost);
        }
    }

    pub(super) fn check_found(&mut self, at: At, found: Option<&Entry<[u8]>>) {
        self.check_presence(at, found.is_some());
        if let Some(entry) = found {
            let item = self.items[&at];
            assert_eq!(number_of(entry), item.number, "{at:?}");
            let parts = KEYS[at.1].0.iter().map(|part| Part::Bytes(part));
            assert!(entry.key().eq(parts), "{at:?}");
        }
    }

    pub(super) fn removed(&mut self, at: At, is_removed: bool) {
        if is_removed {
            self.end(at, End::Removed);
        }
    }

    pub(super) fn insert(&mut self, view: &View, at: At, len: usize, ttl: Option<Duration>) {
        let number = self.fates.len() as u32;
        let mut value = number.to_le_bytes().to_vec();
        value.resize(len, 0);
        let replaced = on!(view, view => match ttl {
            None => view.insert(KEYS[at.1], value),
            Some(ttl) => view.insert_with_ttl(KEYS[at.1], value, ttl),
        })
        .unwrap();
        self.check_found(at, replaced.as_ref());
        if self.items.contains_key(&at) {
            self.end(at, End::Replaced);
        }
        self.fates.push(None);
        let deadline = ttl.map(|ttl| self.now + ttl);
        self.items.insert(at, Item { number, deadline });
    }

    pub(super) fn invalidate(&mut self, view: &View, space: usize) {
        if let View::Scope(scope) = view {
            scope.invalidate();
            self.end_within(space, true, End::Invalidated);
        }
    }

    /// The values that a walk over a space must yield: the cache's own passes through all scopes.
    fn expected(&self, space: usize) -> Vec<u32> {
        let keys = self.keys_within(space, space == ROOT).into_iter();
        let mut numbers: Vec<_> = keys
            .filter_map(|at| self.alive(at).map(|item| item.number))
            .collect();
        numbers.sort_unstable();
        numbers
    }

    pub(super) fn check_iter(&mut self, view: &View, space: usize) {
        let mut found: Vec<_> =
            on!(view, view => view.iter().map(|entry| number_of(&entry)).collect());
        found.sort_unstable();
        let expected = self.expected(space);
        if self.is_lossy {
            assert!(found.is_sorted_by(|a, b| a < b), "none twice: {found:?}");
            assert!(found.iter().all(|number| expected.contains(number)));
        } else {
            assert_eq!(found, expected);
        }
    }

    pub(super) fn retain(&mut self, view: &View, space: usize, class: u32) {
        let expected = self.expected(space);
        let mut removed = Vec::new();
        let n_removed = on!(view, view => view.retain(|entry| {
            let number = number_of(entry);
            let is_kept = number % 3 == class;
            if !is_kept {
                removed.push(number);
            }
            is_kept
        }));
        assert_eq!(n_removed, removed.len());
        removed.sort_unstable();
        let unwanted: Vec<_> = expected.into_iter().filter(|n| n % 3 != class).collect();
        if self.is_lossy {
            assert!(removed.iter().all(|number| unwanted.contains(number)));
        } else {
            assert_eq!(removed, unwanted);
        }
        for at in self.keys_within(space, space == ROOT) {
            if removed.binary_search(&self.items[&at].number).is_ok() {
                self.end(at, End::Removed);
            }
        }
    }

    pub(super) fn maintain_fully(&mut self) {
        maintain_fully(&self.cache);
        let due: Vec<_> = self.items.keys().copied().collect();
        for at in due {
            if self.alive(at).is_none() {
                self.end(at, End::Lost);
            }
        }
        self.n_unswept = 0;
        assert_eq!(self.cache.stats().unreachable_bytes, 0);
        self.check(ROOT);
    }

    pub(super) fn check(&mut self, space: usize) {
        let stats = self.cache.stats();
        assert!(stats.unreachable_bytes <= stats.live_bytes, "{stats:?}");
        assert_eq!((stats.panics, stats.refused), (0, 0));
        let left = stats.expired + stats.evicted + stats.removed + stats.invalidated;
        assert_eq!(stats.inserted, stats.live_entries + stats.replaced + left);
        assert_eq!(self.cache.len() as u64, stats.live_entries);
        self.check_len(self.cache.len(), ROOT, self.n_unswept);
        if space != ROOT {
            let len = on!(resolve(&self.cache, space), view => view.len());
            self.check_len(len, space, 0);
        }
    }

    fn check_len(&self, len: usize, space: usize, n_unswept: usize) {
        let keys = self.keys_within(space, space == ROOT);
        let n_alive = keys.iter().filter(|&&at| self.alive(at).is_some()).count();
        let most = keys.len() + n_unswept;
        assert!(len <= most, "{space}: {len} entries, {most} at most");
        assert!(
            self.is_lossy || len >= n_alive,
            "{space}: {len} entries, {n_alive} are alive"
        );
    }
}

/// How a value ends.
#[derive(Clone, Copy)]
pub(super) enum End {
    Replaced,
    Removed,
    Cleared,
    /// With its scope.
    Invalidated,
    /// Nobody ended it: due, or evicted.
    Lost,
}
