//! Looks at one key.

use larder::{Lookup, MissReason};

use super::*;

impl Machine {
    pub(super) fn look(&mut self, op: Op) {
        match op {
            Op::Get(key) => {
                let found = on!(self, key, view => view.get(ModelKey(key)));
                self.check_found(key, found, true);
            }
            Op::Peek(key) => {
                let found = on!(self, key, view => view.peek(ModelKey(key)));
                self.check_found(key, found, false);
            }
            Op::Read(key) => {
                let read = on!(self, key, view => view.read(ModelKey(key), <[u8]>::to_vec));
                self.check_bytes(key, read.as_deref());
                if read.is_some() {
                    self.model.touch(key);
                }
            }
            Op::GetMany(key) => self.get_many(key),
            Op::Contains(key) => {
                let contains = on!(self, key, view => view.contains_key(ModelKey(key)));
                self.check_presence(key, contains);
            }
            Op::Ttl(key) => self.ttl(key),
            Op::Lookup(key) => self.lookup(key),
            Op::Hold(key) => {
                let entry = on!(self, key, view => view.peek(ModelKey(key)));
                if let Some(entry) = &entry {
                    self.held.truncate(3);
                    self.held.insert(0, (entry.clone(), id_of(entry)));
                }
                self.check_found(key, entry, false);
            }
            Op::ReadAndRemove(key) => self.read_and_remove(key),
            other => unreachable!("{other:?} is no look"),
        }
    }

    fn get_many(&mut self, key: u8) {
        let keys: Vec<_> = (0..40)
            .map(|i| ModelKey((key + i) % KEYS))
            .filter(|other| self.place_of(other.0) == self.place_of(key))
            .collect();
        let found = on!(self, key, view => view.get_many(&keys));
        assert_eq!(found.len(), keys.len());
        for (key, entry) in keys.into_iter().zip(found) {
            self.check_found(key.0, entry, true);
        }
    }

    fn lookup(&mut self, key: u8) {
        match on!(self, key, view => view.lookup(ModelKey(key))) {
            Lookup::Hit(entry) => self.check_found(key, Some(entry), true),
            Lookup::Miss(reason) => {
                let last = self.model.lives.iter().rfind(|life| life.key == key);
                let may_be_due =
                    last.is_some_and(|life| matches!(life.end, None | Some(End::Lost)));
                assert!(may_be_due || reason != MissReason::Expired);
                self.check_presence(key, false);
            }
            other => panic!("{other:?}"),
        }
    }

    fn read_and_remove(&mut self, key: u8) {
        let mut removed = None;
        let cache = &self.cache;
        let read = on!(self, key, view => view.read(ModelKey(key), |value| {
            let before = value.to_vec();
            removed = view.remove(ModelKey(key)).map(|entry| entry.to_vec());
            cache.maintain(0);
            assert_eq!(before, value);
            before
        }));
        assert_eq!(read, removed);
        self.check_bytes(key, read.as_deref());
        if read.is_some() {
            self.model.end(key, End::Removed);
        }
    }

    fn ttl(&mut self, key: u8) {
        let ttl = on!(self, key, view => view.ttl(ModelKey(key)));
        self.check_presence(key, ttl.is_some());
        if let Some(ttl) = ttl {
            self.check_ttl(self.model.present[&key], ttl);
        }
    }
}
