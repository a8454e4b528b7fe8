//! Larder as a contender.
//!
//! # Idea         `Cache<[u8]>` and `Cache<u64>`, bounded by entries, stripes as they come
//! # Costs        none
//! # Invariants   none
//! # Not here     the peers

use std::time::Duration;

use larder::{Cache, Limits, Scope, Value};

use super::{Contender, SEEDS};
use crate::keys::Key;
use crate::kind::{Bytes, Words};

/// The engine, with values inside the entries.
#[derive(Debug)]
pub struct Larder<V: Value + ?Sized>(pub Cache<V>);

/// Says for which values the engine is set up, and what is handed out of one.
macro_rules! larder_of {
    ($value:ty, $kind:ty, $key:ty, $given:ty, |$asked:ident| $ask:expr, |$stored:ident| $store:expr, |$found:ident| $byte:expr) => {
        impl Larder<$value> {
            /// A cache of at most this many entries.
            pub fn new(n_entries: usize) -> Self {
                let cache = Cache::builder()
                    .max_entries(n_entries as u64)
                    .hash_seeds(SEEDS)
                    .build();
                Self(cache.expect("a bound alone is a valid configuration"))
            }

            /// The same, and every entry has a deadline.
            pub fn with_ttl(n_entries: usize, ttl: Duration) -> Self {
                let cache = Cache::builder()
                    .max_entries(n_entries as u64)
                    .default_ttl(ttl)
                    .hash_seeds(SEEDS)
                    .build();
                Self(cache.expect("a bound and a time to live are a valid configuration"))
            }
        }

        impl Contender<$kind> for &Larder<$value> {
            #[inline]
            fn get(&mut self, $asked: &$key) -> Option<u8> {
                self.0.get($ask).map(|$found| $byte)
            }

            #[inline]
            fn read(&mut self, $asked: &$key) -> Option<u8> {
                self.0.read($ask, |$found| $byte)
            }

            #[inline]
            fn get_many(&mut self, keys: &[$key]) -> usize {
                let found = self.0.get_many(keys);
                found
                    .iter()
                    .flatten()
                    .map(|$found| usize::from($byte))
                    .sum()
            }

            #[inline]
            fn insert(&mut self, $asked: &$key, $stored: &$given) {
                let answer = self.0.insert($ask, $store);
                assert!(answer.is_ok(), "an entry this small is never refused");
            }

            #[inline]
            fn remove(&mut self, $asked: &$key) {
                self.0.remove($ask);
            }

            fn settled_len(&mut self) -> usize {
                while self.0.maintain(4096).more {}
                self.0.len()
            }
        }
    };
}

larder_of!(
    [u8],
    Bytes,
    Key,
    [u8],
    |key| &key[..],
    |value| value,
    |value| value[0]
);
larder_of!(u64, Words, u64, u64, |key| *key, |value| *value, |value| {
    value.to_le_bytes()[0]
});

/// A view of it that is held: the default cache of a tenant without limits.
#[derive(Debug)]
pub struct Held<'c>(Scope<'c, [u8]>);

impl Larder<[u8]> {
    /// The same entries are not there: a tenant has keys of its own.
    pub fn held(&self) -> Held<'_> {
        let tenant = self.0.create_tenant("tenant", Limits::default());
        let tenant = tenant.expect("no other has this name");
        let cache = tenant.default_cache();
        Held(cache.expect("every tenant has one").scope())
    }
}

impl Contender<Bytes> for &Held<'_> {
    #[inline]
    fn get(&mut self, key: &Key) -> Option<u8> {
        self.0.get(&key[..]).map(|value| value[0])
    }

    #[inline]
    fn read(&mut self, key: &Key) -> Option<u8> {
        self.0.read(&key[..], |value| value[0])
    }

    #[inline]
    fn insert(&mut self, key: &Key, value: &[u8]) {
        let answer = self.0.insert(&key[..], value);
        assert!(answer.is_ok(), "an entry this small is never refused");
    }

    #[inline]
    fn remove(&mut self, key: &Key) {
        self.0.remove(&key[..]);
    }

    fn settled_len(&mut self) -> usize {
        self.0.len()
    }
}
