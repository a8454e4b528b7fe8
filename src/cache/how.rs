//! What a write is to do, and the key that it is for.

use super::view::View;
use crate::entry::{Entry, Value};
use crate::error::{InsertError, Refusal, TtlError};
use crate::key::{Key, KeyRef, lone_key, with_key};
use crate::stripe::{Condition, Lifetime, Write};
use crate::terms::{Tag, Ttl, WriteOptions};

/// What a write is to do, but for key and value.
#[derive(Clone, Copy)]
pub(crate) struct How<'a> {
    pub(super) write: Write<'a>,
    pub(super) tag: Tag,
    /// Whether it is a copy of what a further level has.
    pub(super) is_copy: bool,
    /// Whether the caller wants a handle to what is stored.
    pub(super) wants: bool,
    /// Whether what it replaces, if anything, is known never to be loaded anew. If not, who keeps its times has room for these.
    pub(super) replaces_plain: bool,
}

impl<'a, V: Value + ?Sized> View<'a, V> {
    /// What a write with these options is to do, without a condition.
    #[inline]
    pub(super) fn how(self, options: WriteOptions) -> Result<How<'a>, TtlError> {
        self.how_if(Some(&options))
    }

    /// The same, of a write that may have none; most have none.
    pub(super) fn how_if(self, options: Option<&WriteOptions>) -> Result<How<'a>, TtlError> {
        let lifetime = self.lifetime(options.map_or(Ttl::DEFAULT, |options| options.ttl))?;
        let plain = How::plain(lifetime);
        Ok(How {
            write: Write {
                home: self.home(),
                ..plain.write
            },
            tag: options.map_or(plain.tag, |options| options.tag),
            is_copy: options.is_some_and(|options| options.is_copy),
            ..plain
        })
    }
}

impl How<'_> {
    /// A write into the cache itself, which asks for nothing but to live that long.
    pub(crate) fn plain(lifetime: Lifetime) -> Self {
        How {
            write: Write::plain(lifetime),
            tag: Tag::Bytes,
            is_copy: false,
            wants: false,
            replaces_plain: false,
        }
    }

    pub(super) fn only(mut self, condition: Condition) -> Self {
        self.write.condition = condition;
        self
    }

    /// The same, on condition that this very entry is there, or none.
    pub(super) fn only_over<V: Value + ?Sized>(self, seen: Option<&Entry<V>>) -> Self {
        let condition = seen.map_or(Condition::Absent, |entry| {
            Condition::Version(entry.version())
        });
        Self {
            replaces_plain: seen.is_none_or(|entry| entry.block().refresh().is_none()),
            ..self.only(condition)
        }
    }
}

/// Encodes a key, and hands it on with the value, once.
#[inline(always)]
pub(crate) fn keyed<K, S, R>(
    key: &K,
    value: S,
    f: impl FnOnce(KeyRef<'_>, S) -> Result<R, InsertError<S>>,
) -> Result<R, InsertError<S>>
where
    K: Key + ?Sized,
{
    if let Some(key) = lone_key(key) {
        return f(key, value);
    }
    let mut value = Some(value);
    let answer = with_key(key, |key| {
        f(key, value.take().expect("a key is handed over once"))
    });
    answer.unwrap_or_else(|error| {
        let value = value
            .take()
            .expect("a key that is refused is not handed over");
        Err(InsertError {
            refusal: Refusal::Key(error),
            value,
        })
    })
}
