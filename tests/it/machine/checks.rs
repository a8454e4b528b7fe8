//! The comparisons of the machine.

use super::*;

/// How far the wheel's memory may be behind the deadlines: a tick, and the one that began before it.
const WHEEL_GRAIN: Duration = Duration::from_nanos(2 << 20);

/// What a stripe keeps of its structure though it is empty, at first and after its bound was lowered: a bound that is not
/// well above that may be passed by it.
const FIXED_BYTES: [u64; 2] = [12 << 10, 32 << 10];

impl Machine {
    /// Whether a key may be answered as present, or as absent; a miss is remembered, so that it can't be undone.
    pub(super) fn check_presence(&mut self, key: u8, found: bool) {
        match self.model.find(key) {
            Some((_, _)) if found => {}
            Some((id, state)) => {
                let may_miss = self.lossy || state == State::Either;
                assert!(
                    may_miss,
                    "{key} is missing: {:?} at {}",
                    self.model.life(id),
                    self.model.now
                );
                self.model.end(key, End::Lost);
            }
            None => {
                assert!(
                    !found,
                    "{key} was served, and is gone or dead: {:?}",
                    self.model.present.get(&key)
                );
                if self.model.present.contains_key(&key) {
                    self.model.end(key, End::Lost);
                }
            }
        }
    }

    pub(super) fn check_bytes(&mut self, key: u8, bytes: Option<&[u8]>) {
        self.check_presence(key, bytes.is_some());
        if let Some(bytes) = bytes {
            let life = self.model.life(self.model.present[&key]);
            assert!(
                life.bytes == bytes,
                "{key}: expected {:?}, got {:?}",
                id_of(&life.bytes),
                id_of(bytes)
            );
        }
    }

    pub(super) fn check_found(&mut self, key: u8, entry: Option<Entry<[u8]>>, is_use: bool) {
        self.check_bytes(key, entry.as_deref());
        let Some(entry) = entry else { return };
        if is_use {
            self.model.touch(key);
        }
        let id = self.model.present[&key];
        assert_eq!(entry.version(), self.model.life(id).version);
        assert_eq!(read_parts(entry.key()), parts_of(key));
        self.check_ttl(id, entry.ttl());
    }

    fn check_ttl(&self, id: Id, ttl: Option<Duration>) {
        let (earliest, latest) = self.model.deadlines(id);
        let end = super::super::model::after(self.model.now, ttl);
        assert!(
            (earliest..=latest).contains(&end),
            "{end} is not in {earliest}..={latest}"
        );
    }

    pub(super) fn ttl(&mut self, key: u8) {
        let ttl = self.cache.ttl(ModelKey(key));
        self.check_presence(key, ttl.is_some());
        if let Some(ttl) = ttl {
            self.check_ttl(self.model.present[&key], ttl);
        }
    }

    pub(super) fn check_removed(&mut self, key: u8, removed: Option<Entry<[u8]>>) {
        self.check_bytes(key, removed.as_deref());
        if removed.is_some() {
            self.model.end(key, End::Removed);
        }
    }

    pub(super) fn remove_if(&mut self, key: u8, odd: bool) {
        let mut asked = None;
        let removed = self.cache.remove_if(ModelKey(key), |entry| {
            asked = Some(entry.to_vec());
            (id_of(entry).0 & 1 == 1) == odd
        });
        self.check_bytes(key, asked.as_deref());
        let wanted = asked.filter(|value| (id_of(value).0 & 1 == 1) == odd);
        assert_eq!(removed.as_deref(), wanted.as_deref());
        if removed.is_some() {
            self.model.end(key, End::Removed);
        }
    }

    pub(super) fn check_insert(
        &mut self,
        key: u8,
        id: Id,
        bytes: Vec<u8>,
        ttl: Option<Duration>,
        answer: Result<Option<Entry<[u8]>>, InsertError<Vec<u8>>>,
    ) {
        match answer {
            Ok(replaced) => {
                self.check_replaced(key, replaced);
                // Its version is what the cache says, once; it has to be above all earlier ones of the key.
                let stored = self.cache.peek(ModelKey(key));
                let version = stored.as_ref().map_or(0, |entry| entry.version());
                let earlier = self
                    .model
                    .lives
                    .iter()
                    .filter(|life| life.key == key)
                    .map(|life| life.version)
                    .max();
                assert!(
                    stored.is_none() || Some(version) > earlier,
                    "version {version} after {earlier:?}"
                );
                self.model.store(key, bytes, ttl, version);
                assert_eq!(self.model.present[&key], id);
                self.check_found(key, stored, false);
            }
            Err(InsertError { refusal, value }) => {
                assert_eq!(value, bytes, "a refused value comes back");
                match refusal {
                    Refusal::ZeroTtl => assert_eq!(ttl, Some(Duration::ZERO)),
                    Refusal::NoCapacity => assert!(self.bounds().contains(&Some(0))),
                    Refusal::TooLarge {
                        bytes: needed,
                        bytes_max,
                    } => {
                        assert!(needed > bytes_max);
                        assert!(needed >= bytes.len() as u64);
                        assert!(
                            needed < bytes.len() as u64 + 500,
                            "an overhead of {needed} for {}",
                            bytes.len()
                        );
                    }
                    // The bound less the slack holds the entry, but the table and the wheel need room as well.
                    Refusal::NoRoom => assert!(self.lossy && self.bounds()[0].is_some()),
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    fn check_replaced(&mut self, key: u8, replaced: Option<Entry<[u8]>>) {
        let bytes = replaced.as_deref();
        self.check_bytes(key, bytes);
        if replaced.is_some() {
            self.model.end(key, End::Replaced);
        }
    }

    pub(super) fn iterate(&mut self) {
        let mut seen = BTreeMap::new();
        for entry in &self.cache {
            let key = self.model.life(id_of(&entry)).key;
            assert!(seen.insert(key, entry).is_none(), "{key} is yielded twice");
        }
        for key in 0..super::super::model::KEYS {
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
        for key in 0..super::super::model::KEYS {
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
        for key in 0..super::super::model::KEYS {
            if self.model.present.contains_key(&key) {
                let evicted = self.lossy && self.has_left(key);
                self.model
                    .end(key, if evicted { End::Lost } else { End::Cleared });
            }
            assert!(self.cache.peek(ModelKey(key)).is_none());
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

    fn bounds(&self) -> [Option<u64>; 2] {
        let capacity = self.cache.capacity();
        [capacity.max_bytes, capacity.max_entries]
    }

    /// What holds after every operation.
    pub(super) fn check_whole(&mut self, op: Op) {
        if matches!(op, Op::Advance(_)) {
            // The engine has seen this time, so that a clock set back later changes nothing.
            self.cache.maintain(0);
        }
        let [max_bytes, max_entries] = self.bounds();
        let stats = self.cache.stats();
        let weight = self.cache.weight();
        let fixed = FIXED_BYTES[usize::from(self.resized)] * self.config.stripes as u64;
        let within =
            max_bytes.is_none_or(|max| weight <= if max >= 2 * fixed { max } else { max + fixed });
        assert!(
            within,
            "weight {weight} above {max_bytes:?} after {op:?}: {stats:?}"
        );
        assert!(
            max_entries.is_none_or(|max| stats.live_entries <= max),
            "{stats:?} above {max_entries:?}"
        );
        let left =
            stats.replaced + stats.evicted + stats.expired + stats.removed + stats.invalidated;
        assert_eq!(stats.inserted, stats.live_entries + left, "{stats:?}");
        assert_eq!(stats.inserted, self.model.lives.len() as u64);
        assert_eq!(stats.panics, 0);
        assert_eq!(stats.live_entries == 0, stats.live_bytes == 0, "{stats:?}");
        if !self.lossy {
            assert_eq!(stats.evicted, 0);
            let len = self.cache.len();
            assert!(len >= self.model.counted_at_least(), "{len} entries");
            if matches!(op, Op::Maintain(_) | Op::SetCapacity(_) | Op::Clear) {
                self.maintain_fully();
                let len = self.cache.len();
                assert!(
                    len <= self.model.counted_at_most(WHEEL_GRAIN),
                    "{len} entries: expired memory stays"
                );
            }
        }
        self.hear();
        if matches!(op, Op::Hold(_) | Op::Clear | Op::Remove(_)) {
            self.check_held();
        }
    }

    pub(super) fn check_held(&self) {
        for (entry, id) in &self.held {
            let life = self.model.life(*id);
            assert!(life.bytes[..] == entry[..]);
            assert_eq!(read_parts(entry.key()), parts_of(life.key));
        }
    }

    /// Takes what the listener heard since the last time: once for each value, per key in order, for a cause.
    fn hear(&mut self) {
        for (id, cause) in std::mem::take(&mut *self.heard.lock().unwrap()) {
            let key = self.model.life(id).key;
            assert!(self.left.insert(id.0, cause).is_none(), "{id:?} left twice");
            let later = self
                .left
                .range(id.0 + 1..)
                .find(|(later, _)| self.model.life(Id(**later)).key == key);
            assert!(
                later.is_none(),
                "{later:?} was told before {id:?} of the same key"
            );
            let life = self.model.life(id).clone();
            let (earliest, _) = self.model.deadlines(id);
            match cause {
                RemovalCause::Replaced => assert_eq!(life.end, Some(End::Replaced)),
                RemovalCause::Removed => assert_eq!(life.end, Some(End::Removed)),
                RemovalCause::Invalidated => assert_eq!(life.end, Some(End::Cleared)),
                RemovalCause::Expired => {
                    assert!(self.model.now >= earliest, "{id:?} expired early: {life:?}")
                }
                RemovalCause::Evicted => {
                    assert!(self.lossy && matches!(life.end, None | Some(End::Lost)))
                }
                other => panic!("{other:?}"),
            }
            let gone = matches!(cause, RemovalCause::Expired | RemovalCause::Evicted);
            if gone && self.model.present.get(&key) == Some(&id) {
                self.model.end(key, End::Lost);
            }
        }
    }
}
