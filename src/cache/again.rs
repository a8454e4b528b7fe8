//! Entries that come back from outside.

use std::time::Duration;

use super::how::How;
use super::view::View;
use super::wrote::Wrote;
use crate::entry::{Source, Value};
use crate::key::KeyRef;
use crate::policy::Past;
use crate::stripe::{Condition, Write};
use crate::terms::Tag;

/// An entry that comes back, but for key and value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Again {
    pub(crate) tag: Tag,
    /// What is left until its end; `None`: it has none.
    pub(crate) left: Option<Duration>,
    /// What is left until it is to be loaded anew, and until it is stale, if it ever is.
    pub(crate) fresh: Option<(Duration, Duration)>,
    pub(crate) past: Past,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CameBack {
    /// It is stored.
    Stored,
    /// The key has been written since.
    Present,
    /// There is no room, or those that it belongs to have other limits now.
    Refused,
}

impl<'a, V: Value + ?Sized> View<'a, V> {
    /// Stores an entry where nothing is; without a value, that there is none.
    pub(crate) fn put_back<S: Source<V>>(
        self,
        key: KeyRef<'_>,
        value: Option<S>,
        again: &Again,
    ) -> CameBack {
        let Some(how) = self.how_again(again) else {
            return CameBack::Refused;
        };
        let Some(value) = value else {
            return match self.write_absent(key, &how) {
                Ok(true) => CameBack::Stored,
                Ok(false) => CameBack::Present,
                Err(_) => CameBack::Refused,
            };
        };
        match self.write_encoded(key, value, &how) {
            Ok(Wrote::Stored { .. }) => CameBack::Stored,
            Ok(Wrote::Unmet { .. }) => CameBack::Present,
            Ok(Wrote::Ended { .. }) | Err(_) => CameBack::Refused,
        }
    }

    fn how_again(self, again: &Again) -> Option<How<'a>> {
        let own = self.inner.store.lifetime();
        let left = match self.charter() {
            None => again.left,
            Some(charter) => charter.bound_ttl(again.left, again.left.is_some()).ok()?,
        };
        let lifetime = match again.fresh {
            None => own.lasting(left),
            Some((due, stale)) => own.lasting(left).refreshed(due, stale),
        };
        let write = Write {
            lifetime,
            home: self.home(),
            condition: Condition::Absent,
            is_alone: false,
            is_last: false,
            past: Some(again.past),
        };
        Some(How {
            write,
            tag: again.tag,
            is_copy: false,
            wants: false,
            replaces_plain: true,
        })
    }
}
