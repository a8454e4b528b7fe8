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

    pub(super) fn check_ttl(&self, id: Id, ttl: Option<Duration>) {
        let (earliest, latest) = self.model.deadlines(id);
        let end = super::super::model::after(self.model.now, ttl);
        assert!(
            (earliest..=latest).contains(&end),
            "{end} is not in {earliest}..={latest}"
        );
    }

    pub(super) fn check_removed(&mut self, key: u8, removed: Option<Entry<[u8]>>) {
        self.check_bytes(key, removed.as_deref());
        if removed.is_some() {
            self.model.end(key, End::Removed);
        }
    }

    pub(super) fn bounds(&self) -> [Option<u64>; 2] {
        let capacity = self.cache.capacity();
        [capacity.max_bytes, capacity.max_entries]
    }

    /// What holds after every operation.
    pub(super) fn check_whole(&mut self, op: Op) {
        if matches!(
            op,
            Op::Advance(_) | Op::AdvanceToDeadline(..) | Op::AdvanceToEdge(..)
        ) {
            // The engine has seen this time, so that a clock set back later changes nothing.
            self.cache.maintain(0);
        }
        let [max_bytes, max_entries] = self.bounds();
        let stats = self.cache.stats();
        let weight = self.cache.weight();
        let fixed = FIXED_BYTES[usize::from(self.resized || self.config.scoped)]
            * self.config.stripes as u64;
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
            // What lived in a scope that has ended leaves when it is swept.
            let is_swept = self.model.life(id).is_swept;
            let later = self
                .left
                .range(id.0 + 1..)
                .find(|(later, _)| !is_swept && self.model.life(Id(**later)).key == key);
            assert!(
                later.is_none(),
                "{later:?} was told before {id:?} of the same key"
            );
            let life = self.model.life(id).clone();
            let (earliest, _) = self.model.deadlines(id);
            match cause {
                RemovalCause::Replaced => assert_eq!(life.end, Some(End::Replaced)),
                RemovalCause::Removed => assert_eq!(life.end, Some(End::Removed)),
                RemovalCause::Invalidated => {
                    // A dead one may be swept with its scope.
                    let is_swept = life.is_swept && life.end == Some(End::Lost);
                    let is_ended = matches!(life.end, Some(End::Cleared | End::Unreachable));
                    assert!(is_swept || is_ended, "{life:?}");
                }
                RemovalCause::Expired => {
                    assert!(self.model.now >= earliest, "{id:?} expired early: {life:?}")
                }
                RemovalCause::Evicted => {
                    let may_be = matches!(life.end, None | Some(End::Lost | End::Unreachable));
                    assert!(self.lossy && may_be, "{life:?}")
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
