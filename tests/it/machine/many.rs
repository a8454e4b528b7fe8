//! Operations on many keys, and those on the cache as a whole.

use super::*;

impl Machine {
    pub(super) fn iterate(&mut self) {
        let mut seen = BTreeMap::new();
        for entry in &self.cache {
            let key = self.model.life(id_of(&entry)).key;
            assert!(seen.insert(key, entry).is_none(), "{key} is yielded twice");
        }
        for key in 0..KEYS {
            self.check_found(key, seen.remove(&key), false);
        }
    }

    pub(super) fn retain(&mut self, class: u8) {
        let mut asked = BTreeMap::new();
        let n_removed = self.cache.retain(|entry| {
            let key = self.model.life(id_of(entry)).key;
            asked.insert(key, entry.to_vec());
            key % 3 == class
        });
        let mut n_expected = 0;
        for key in 0..KEYS {
            let value = asked.remove(&key);
            self.check_bytes(key, value.as_deref());
            if value.is_some() && key % 3 != class {
                self.model.end(key, End::Removed);
                n_expected += 1;
            }
        }
        assert_eq!(n_removed, n_expected);
    }

    pub(super) fn clear(&mut self) {
        self.cache.clear();
        for key in 0..KEYS {
            if self.model.present.contains_key(&key) {
                let evicted = self.lossy && self.has_left(key);
                self.model
                    .end(key, if evicted { End::Lost } else { End::Cleared });
            }
            assert!(on!(self, key, view => view.peek(ModelKey(key))).is_none());
        }
        assert_eq!(self.cache.iter().count(), 0);
    }

    /// Whether the listener has said that a key's value was evicted, which the model was not told of yet.
    fn has_left(&self, key: u8) -> bool {
        let id = self.model.present[&key];
        let heard = self.heard.lock().unwrap();
        let newly = heard
            .iter()
            .find(|(heard, _)| *heard == id)
            .map(|(_, cause)| *cause);
        newly.or_else(|| self.left.get(&id.0).copied()) == Some(RemovalCause::Evicted)
    }

    /// A walk between whose steps other keys are written: what is present throughout, as it was, is yielded once.
    pub(super) fn iterate_amid(&mut self, key: u8) {
        let before: BTreeMap<u8, Id> = self.model.present.clone();
        let mut walk = self.cache.iter();
        let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
        for n in 0..4 {
            for entry in walk.by_ref().take(2) {
                *seen.entry(id_of(&entry).0).or_default() += 1;
            }
            let key = (key + n) % KEYS;
            let op = if n % 2 == 0 {
                Op::Insert(key, 40 << (2 * n))
            } else {
                Op::Remove(key)
            };
            self.step(op);
        }
        for entry in walk {
            *seen.entry(id_of(&entry).0).or_default() += 1;
        }
        for (key, id) in before {
            let entry = on!(self, key, view => view.peek(ModelKey(key)));
            let stayed = entry.as_ref().is_some_and(|entry| id_of(entry) == id);
            let n_seen = seen.get(&id.0).copied().unwrap_or(0);
            assert!(
                n_seen == 1 || !stayed,
                "{key} stayed, and was yielded {n_seen} times"
            );
            self.check_found(key, entry, false);
        }
    }

    /// Whether an operation on the scope of one key concerns another one.
    fn shares_scope(&self, key: u8, other: u8) -> bool {
        self.place_of(key) == self.place_of(other)
    }

    pub(super) fn iterate_scope(&mut self, key: u8) {
        if self.place_of(key) == 0 {
            return self.iterate();
        }
        let entries: Vec<_> = on!(self, key, view => view.iter().collect());
        let mut seen = BTreeMap::new();
        for entry in entries {
            let key = self.model.life(id_of(&entry)).key;
            assert!(seen.insert(key, entry).is_none(), "{key} is yielded twice");
        }
        for other in 0..KEYS {
            if self.shares_scope(key, other) {
                self.check_found(other, seen.remove(&other), false);
            }
        }
        assert!(seen.is_empty(), "a scope yields what is in another");
    }

    pub(super) fn clear_scope(&mut self, key: u8) {
        if self.place_of(key) == 0 {
            return self.clear();
        }
        on!(self, key, view => view.clear());
        for other in 0..KEYS {
            if self.shares_scope(key, other) && self.model.present.contains_key(&other) {
                let evicted = self.lossy && self.has_left(other);
                let end = if evicted { End::Lost } else { End::Cleared };
                self.model.end(other, end);
            }
        }
        assert_eq!(on!(self, key, view => view.iter().count()), 0);
    }

    pub(super) fn invalidate(&mut self, key: u8) {
        match self.place_of(key) {
            0 => return,
            1 => self.cache.scope("outer").unwrap().invalidate(),
            _ => {
                let outer = self.cache.scope("outer").unwrap();
                outer.scope("inner").unwrap().invalidate();
            }
        }
        for at in 0..self.model.lives.len() {
            let of = self.model.lives[at].key;
            self.model.lives[at].is_swept |= self.place_of(of) >= self.place_of(key);
        }
        for other in 0..KEYS {
            let is_nested = self.place_of(other) >= self.place_of(key);
            if is_nested && self.model.present.contains_key(&other) {
                let evicted = self.lossy && self.has_left(other);
                let end = if evicted { End::Lost } else { End::Unreachable };
                self.model.end(other, end);
            }
            let found = on!(self, other, view => view.peek(ModelKey(other)));
            assert!(!is_nested || found.is_none(), "{other} outlives its scope");
        }
    }

    pub(super) fn set_capacity(&mut self, bound: u64) {
        let capacity = match (self.config.max_bytes, self.config.max_entries) {
            (Some(_), None) => Capacity::bytes(bound),
            (None, Some(_)) => Capacity::entries(bound.min(1 << 40) / 100),
            _ => Capacity::bytes(bound).and_entries(bound.min(1 << 40) / 300),
        };
        self.cache.set_capacity(capacity).unwrap();
        assert_eq!(self.cache.capacity(), capacity);
        self.lossy |= bound < super::PLENTY;
        self.resized = true;
        self.maintain_fully();
    }
}
