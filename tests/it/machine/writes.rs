//! Writes of one key.

use std::convert::Infallible;
use std::time::SystemTime;

use larder::{
    AppendError, Change, ComputeError, Condition, IncrementError, LoadError, PutIf, Ttl, TtlChange,
    WriteOptions,
};

use super::super::model::op::{Asked, Outcome, Written};
use super::super::model::{NEVER, after};
use super::*;

impl Machine {
    pub(super) fn write(&mut self, op: Op) {
        match op {
            Op::Insert(key, len) => {
                let (_, bytes) = self.model.draft(key, len);
                let answer = on!(self, key, view => view.insert(ModelKey(key), bytes.clone()));
                self.check_insert(key, bytes, Written::Default, answer);
            }
            Op::InsertWithTtl(key, len, ttl) => {
                let (_, bytes) = self.model.draft(key, len);
                let answer =
                    on!(self, key, view => view.insert_with_ttl(ModelKey(key), bytes.clone(), ttl));
                self.check_insert(key, bytes, Written::After(ttl), answer);
            }
            Op::InsertWith(key, len, written) => {
                let (_, bytes) = self.model.draft(key, len);
                let answer = on!(self, key, view => view.insert_with(ModelKey(key), bytes.clone(), ttl_of(written)));
                self.check_insert(key, bytes, written, answer);
            }
            Op::InsertUntil(key, len, is_past) => self.insert_until(key, len, is_past),
            Op::Remove(key) => {
                let removed = on!(self, key, view => view.remove(ModelKey(key)));
                self.check_removed(key, removed);
            }
            Op::RemoveIf(key, odd) => self.remove_if(key, odd),
            Op::SetTtl(key, ttl) => {
                match on!(self, key, view => view.set_ttl(ModelKey(key), ttl)) {
                    Ok(found) => {
                        assert_ne!(ttl, Some(Duration::ZERO));
                        self.check_presence(key, found);
                        if found {
                            self.model.set_ttl(key, ttl);
                        }
                    }
                    Err(_) => assert_eq!(ttl, Some(Duration::ZERO)),
                }
            }
            Op::ChangeTtl(key, ttl, is_longer) => self.change_ttl(key, ttl, is_longer),
            Op::PutIf(key, len, asked) => self.put_if(key, len, asked),
            Op::Compute(key, len, outcome) => self.compute(key, len, outcome),
            Op::Append(key, written) => self.append(key, written),
            Op::Increment(key) => {
                // What is absent would overflow, and what is present is no number.
                let answer = on!(self, key, view => view.increment(ModelKey(key), 1, i64::MAX, Ttl::DEFAULT));
                let error = answer.unwrap_err();
                let is_there = error == IncrementError::NotANumber;
                self.check_presence(key, is_there);
                self.touch_seen(key, is_there);
            }
            Op::Load(key, len, ttl) => self.load(key, len, ttl),
            Op::LoadInVain(key) => {
                let load = || Err::<Vec<u8>, _>("in vain");
                let answer = on!(self, key, view => view.try_get_or_insert_with(ModelKey(key), Ttl::DEFAULT, load));
                match answer {
                    Ok(entry) => self.check_found(key, Some(entry), true),
                    Err(LoadError::Loader("in vain")) => self.check_presence(key, false),
                    Err(other) => panic!("{other:?}"),
                }
            }
            other => unreachable!("{other:?} is no write of a key"),
        }
    }

    /// The hard deadline of what is written now.
    fn hard_of(&self, key: u8, written: Written) -> Time {
        let default = after(self.model.now, self.config.ttl);
        match written {
            Written::Default => default,
            Written::Keep => self.model.hard(key).unwrap_or(default),
            Written::Never => NEVER,
            Written::After(ttl) => after(self.model.now, Some(ttl)),
        }
    }

    fn check_insert(
        &mut self,
        key: u8,
        bytes: Vec<u8>,
        written: Written,
        answer: Result<Option<Entry<[u8]>>, InsertError<Vec<u8>>>,
    ) {
        match answer {
            Ok(replaced) => {
                self.check_bytes(key, replaced.as_deref());
                let hard = self.hard_of(key, written);
                self.check_stored(key, bytes, hard, replaced.is_some());
            }
            Err(InsertError { refusal, value }) => {
                assert_eq!(value, bytes, "a refused value comes back");
                self.check_refused(refusal, bytes.len(), written);
            }
        }
    }

    /// Notes what was stored. Its version is what the cache says, once; it has to be above all earlier ones of the key.
    fn check_stored(&mut self, key: u8, bytes: Vec<u8>, hard: Time, replaces: bool) {
        if replaces {
            self.model.end(key, End::Replaced);
        }
        let id = id_of(&bytes);
        let stored = on!(self, key, view => view.peek(ModelKey(key)));
        let version = stored.as_ref().map_or(0, |entry| entry.version());
        let of_key = self.model.lives.iter().filter(|life| life.key == key);
        let earlier = of_key.map(|life| life.version).max();
        assert!(
            stored.is_none() || Some(version) > earlier,
            "version {version} after {earlier:?}"
        );
        self.model.store(key, bytes, hard, version);
        assert_eq!(self.model.present[&key], id);
        self.check_found(key, stored, false);
    }

    fn check_refused(&self, refusal: Refusal, len: usize, written: Written) {
        let len = len as u64;
        match refusal {
            Refusal::ZeroTtl => assert_eq!(written, Written::After(Duration::ZERO)),
            Refusal::NoCapacity => assert!(self.bounds().contains(&Some(0))),
            Refusal::TooLarge { bytes, bytes_max } => {
                assert!(bytes > bytes_max);
                assert!(bytes >= len);
                assert!(bytes < len + 500, "an overhead of {bytes} for {len}");
            }
            // The bound less the slack holds the entry, but the table and the wheel need room as well.
            Refusal::NoRoom => assert!(self.lossy && self.bounds()[0].is_some()),
            other => panic!("{other:?}"),
        }
    }

    fn insert_until(&mut self, key: u8, len: usize, is_past: bool) {
        let (_, bytes) = self.model.draft(key, len);
        let deadline = if is_past {
            SystemTime::UNIX_EPOCH
        } else {
            SystemTime::UNIX_EPOCH + Duration::from_secs(600 * 366 * 86_400)
        };
        let answer =
            on!(self, key, view => view.insert_until(ModelKey(key), bytes.clone(), deadline));
        if !is_past {
            return self.check_insert(key, bytes, Written::Never, answer);
        }
        match answer {
            Ok(removed) => self.check_removed(key, removed),
            Err(error) => panic!("{error:?}"),
        }
    }

    fn remove_if(&mut self, key: u8, odd: bool) {
        let mut asked = None;
        let removed = on!(self, key, view => view.remove_if(ModelKey(key), |entry| {
            asked = Some(entry.to_vec());
            (id_of(entry).0 & 1 == 1) == odd
        }));
        self.check_bytes(key, asked.as_deref());
        let wanted = asked.filter(|value| (id_of(value).0 & 1 == 1) == odd);
        assert_eq!(removed.as_deref(), wanted.as_deref());
        if removed.is_some() {
            self.model.end(key, End::Removed);
        }
    }

    fn change_ttl(&mut self, key: u8, ttl: Duration, is_longer: bool) {
        let changed = if is_longer {
            on!(self, key, view => view.increase_ttl(ModelKey(key), ttl))
        } else {
            on!(self, key, view => view.decrease_ttl(ModelKey(key), ttl))
        };
        let Ok(changed) = changed else {
            return assert_eq!(ttl, Duration::ZERO);
        };
        self.check_presence(key, changed != TtlChange::Absent);
        let Some(hard) = self.model.hard(key) else {
            return;
        };
        let new = after(self.model.now, Some(ttl));
        let is_set = if is_longer { new > hard } else { new < hard };
        assert_eq!(changed == TtlChange::Set, is_set, "{hard} to {new}");
        if is_set {
            self.model.set_ttl(key, Some(ttl));
        }
    }

    fn put_if(&mut self, key: u8, len: usize, asked: Asked) {
        let (_, bytes) = self.model.draft(key, len);
        // What is there is looked at first, so that the model and the call mean the same entry.
        let there = on!(self, key, view => view.peek(ModelKey(key)));
        self.check_found(key, there.clone(), false);
        let version = there.as_ref().map_or(0, Entry::version);
        let known = |is_it: bool| match &there {
            Some(entry) if is_it => entry.to_vec(),
            _ => b"another".to_vec(),
        };
        let like = |is_it| is_it && there.is_some();
        let (value, holds) = match asked {
            Asked::Absent => (Vec::new(), there.is_none()),
            Asked::Present => (Vec::new(), there.is_some()),
            Asked::Version(is_it) => (Vec::new(), like(is_it)),
            Asked::Equal(is_it) => (known(is_it), like(is_it)),
            Asked::NotEqual(is_it) => (known(is_it), !like(is_it)),
            Asked::PresentAndNotEqual(is_it) => (known(is_it), there.is_some() && !is_it),
            Asked::AbsentOrEqual(is_it) => (known(is_it), there.is_none() || is_it),
        };
        let condition = match asked {
            Asked::Absent => Condition::ABSENT,
            Asked::Present => Condition::PRESENT,
            Asked::Version(is_it) => Condition::version(version + u64::from(!is_it)),
            Asked::Equal(_) => Condition::equal(&value[..]),
            Asked::NotEqual(_) => Condition::not_equal(&value[..]),
            Asked::PresentAndNotEqual(_) => Condition::present_and_not_equal(&value[..]),
            Asked::AbsentOrEqual(_) => Condition::absent_or_equal(&value[..]),
        };
        let answer = on!(self, key, view => view.put_if(ModelKey(key), bytes.clone(), Ttl::DEFAULT, condition));
        match answer {
            Ok(PutIf::Stored { replaced }) => {
                assert!(holds, "{asked:?} does not hold");
                self.check_insert(key, bytes, Written::Default, Ok(replaced));
            }
            Ok(PutIf::Unmet { value, present }) => {
                assert_eq!(value, bytes, "an unstored value comes back");
                assert!(!holds, "{asked:?} holds");
                self.check_found(key, present, false);
            }
            Err(error) => self.check_insert(key, bytes, Written::Default, Err(error)),
        }
    }

    fn compute(&mut self, key: u8, len: usize, outcome: Outcome) {
        let (_, bytes) = self.model.draft(key, len);
        let written = match outcome {
            Outcome::InsertWith(written) => written,
            _ => Written::Default,
        };
        let (mut n_calls, mut seen) = (0, None);
        let answer = on!(self, key, view => view.compute(ModelKey(key), |present| {
            n_calls += 1;
            seen = present.cloned();
            match outcome {
                Outcome::Keep => Change::Keep,
                Outcome::Remove => Change::Remove,
                Outcome::Insert => Change::Insert(bytes.clone()),
                Outcome::InsertWith(_) => Change::InsertWith(bytes.clone(), ttl_of(written).into()),
            }
        }));
        let computed = match answer {
            Ok(computed) => computed,
            Err(ComputeError::Refused(error)) => {
                // What is there was looked at, whatever came of it.
                self.check_bytes(key, seen.as_deref());
                self.touch_seen(key, seen.is_some());
                return self.check_insert(key, bytes, written, Err(error));
            }
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(n_calls, 1, "nobody else writes the key");
        match outcome {
            Outcome::Keep => {
                assert_eq!(computed.was.as_deref(), computed.is.as_deref());
                self.check_found(key, computed.was, true);
            }
            Outcome::Remove => {
                assert!(computed.is.is_none());
                self.check_removed(key, computed.was);
            }
            Outcome::Insert | Outcome::InsertWith(_) => {
                assert_eq!(computed.is.as_deref(), Some(&bytes[..]));
                self.check_insert(key, bytes, written, Ok(computed.was));
            }
        }
    }

    /// Notes the use of an entry by a call that changed nothing.
    fn touch_seen(&mut self, key: u8, is_there: bool) {
        if is_there {
            self.model.touch(key);
        }
    }

    fn append(&mut self, key: u8, written: Written) {
        let there = on!(self, key, view => view.peek(ModelKey(key)));
        self.check_found(key, there.clone(), false);
        let (_, more) = self.model.draft(key, 4);
        let joined = [there.as_deref().unwrap_or_default(), &more[..]].concat();
        let answer = on!(self, key, view => view.append(ModelKey(key), &more[..], ttl_of(written)));
        match answer {
            Ok(entry) => {
                assert_ne!(
                    written,
                    Written::After(Duration::ZERO),
                    "refused, whatever is there"
                );
                assert_eq!(entry[..], joined[..]);
                let replaces = there.is_some();
                // What is there keeps its times; only what is new gets those of the call.
                let times = if replaces { Written::Keep } else { written };
                let hard = self.hard_of(key, times);
                self.check_stored(key, joined, hard, replaces);
            }
            Err(AppendError::Refused(refusal)) => {
                // A call that can't be right is refused before anything is looked at.
                let has_looked = refusal != Refusal::ZeroTtl;
                self.touch_seen(key, has_looked && there.is_some());
                self.check_refused(refusal, joined.len(), written)
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    fn load(&mut self, key: u8, len: usize, ttl: Duration) {
        let (_, bytes) = self.model.draft(key, len);
        let mut has_loaded = false;
        let load = || {
            has_loaded = true;
            bytes.clone()
        };
        let options = WriteOptions::new().ttl(ttl);
        let answer: Result<_, LoadError<_, Infallible>> =
            on!(self, key, view => view.get_or_insert_with(ModelKey(key), options, load));
        match answer {
            Ok(entry) if has_loaded => {
                assert_eq!(entry[..], bytes[..]);
                self.check_insert(key, bytes, Written::After(ttl), Ok(None));
            }
            Ok(entry) => self.check_found(key, Some(entry), true),
            Err(LoadError::Refused(error)) => {
                self.check_presence(key, false);
                self.check_insert(key, bytes, Written::After(ttl), Err(error));
            }
            Err(LoadError::Invalid(refusal)) => {
                assert!(!has_loaded);
                self.check_refused(refusal, len, Written::After(ttl));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn ttl_of(written: Written) -> Ttl {
    match written {
        Written::Default => Ttl::DEFAULT,
        Written::Keep => Ttl::KEEP,
        Written::Never => Ttl::NEVER,
        Written::After(ttl) => Ttl::after(ttl),
    }
}
