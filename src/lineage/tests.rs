//! Names: what is told apart and what is refused. Below: endings and what is kept (`lives`), random lives against a
//! model (`model`), several threads (`threads`).

mod lives;
mod model;
mod threads;

use super::*;
use crate::sync::atomic::Ordering;
use crate::sync::{Arc, MutexGuard, Weak};

pub(super) fn scope(bytes: &[u8]) -> Name<'_> {
    Name {
        kind: Kind::Scope,
        shape: 0,
        bytes,
    }
}

fn tenant(bytes: &[u8]) -> Name<'_> {
    Name {
        kind: Kind::Tenant,
        ..scope(bytes)
    }
}

/// Names that look alike: empty parts, the separator of rendered keys, NUL, 0xFF, other shapes and kinds. Lists are
/// encoded as `key` does: a length before each part.
fn lookalikes() -> Vec<Name<'static>> {
    const LIST: u8 = 5;
    const BYTES: &[&[u8]] = &[
        b"a",
        b"_",
        b"__",
        b"a__b",
        b"a_",
        b"\0",
        b"\0\0\0",
        b"\xFF",
        b"\xFF\xFF",
        b"a\0",
        b"\0a",
    ];
    const LISTS: &[&[u8]] = &[
        b"\x00\x00",
        b"\x01a\x00",
        b"\x00\x01a",
        b"\x01a\x01b",
        b"\x02a_\x01b",
        b"\x01a\x02_b",
        b"\x01\x00\x00",
        b"\x01\xFF\x00",
        b"\x01p\x00\x01x",
        b"\x01p\x01x",
    ];
    let mut names = Vec::new();
    for kind in [Kind::Scope, Kind::Prefix, Kind::Tenant, Kind::Cache] {
        let lone = |&bytes| Name {
            kind,
            shape: 0,
            bytes,
        };
        let list = |&bytes| Name {
            kind,
            shape: LIST,
            bytes,
        };
        names.extend(BYTES.iter().map(lone));
        names.extend(LISTS.iter().map(list));
        // The same bytes, read in another way.
        names.extend(LISTS.iter().map(lone));
    }
    names
}

#[test]
fn a_word_holds_id_and_pool() {
    for (id, pool) in [(0, 0), (1, 0), (0, 1), (7, 9), (ID_NOWHERE - 1, POOL_MAX)] {
        let word = PlaceWord::new(id, pool);
        assert_eq!((word.id(), word.pool()), (id, pool));
        assert_eq!(PlaceWord::from_bits(word.bits()), word);
        assert_ne!(word, PlaceWord::NOWHERE);
    }
    assert_eq!(PlaceWord::ROOT.bits(), 0);
    assert_eq!(POOL_MAX, (1 << 20) - 1);
}

#[test]
fn e10_l2_names_that_differ_have_lives_that_differ() {
    let registry = Registry::new();
    let parent = registry.resolve(None, scope(b"a"), None).unwrap();
    let mut held = vec![Arc::clone(&parent)];
    for name in lookalikes() {
        for above in [None, Some(&parent)] {
            let life = registry.resolve(above, name, None).unwrap();
            let again = registry.resolve(above, name, None).unwrap();
            assert_eq!(life.word(), again.word(), "{name:?}");
            assert_eq!(life.name(), name);
            held.push(life);
        }
    }
    held.sort_by_key(|life| life.word());
    held.dedup_by_key(|life| life.word());
    // The first name of all is that of `parent`.
    assert_eq!(held.len(), 2 * lookalikes().len());
}

#[test]
fn e9_a_list_is_one_scope_and_no_child_of_a_shorter_one() {
    let registry = Registry::new();
    let short = Name {
        shape: 5,
        ..scope(b"\x0Aapifactory\x04test")
    };
    let long = Name {
        shape: 5,
        ..scope(b"\x0Aapifactory\x04test\x0Aweatherapi")
    };
    let [short, long] = [short, long].map(|name| registry.local(None, name, None).unwrap());
    let before = long.word(&registry);
    assert!(registry.invalidate(&short.generation(&registry).unwrap()));
    assert_eq!(long.word(&registry), before);
}

#[test]
fn e11_ending_one_prefix_leaves_a_longer_text_alone() {
    let registry = Registry::new();
    let prefix = |bytes| Name {
        kind: Kind::Prefix,
        ..scope(bytes)
    };
    let user = registry.local(None, prefix(b"User"), None).unwrap();
    let token = registry.local(None, prefix(b"UserToken"), None).unwrap();
    let (old, kept) = (user.word(&registry), token.word(&registry));
    registry.invalidate(&user.generation(&registry).unwrap());
    assert_ne!(user.word(&registry), old);
    assert_eq!(token.word(&registry), kept);
}

#[test]
fn e13_a_scope_and_a_prefix_of_one_name_are_two() {
    let registry = Registry::new();
    let bytes = b"apifactory__test";
    let as_scope = registry.resolve(None, scope(bytes), None).unwrap();
    let prefix = Name {
        kind: Kind::Prefix,
        ..scope(bytes)
    };
    let as_prefix = registry.resolve(None, prefix, None).unwrap();
    assert_ne!(as_scope.word(), as_prefix.word());
    registry.invalidate(&as_prefix);
    assert!(as_scope.is_live() && !as_prefix.is_live());
}

#[test]
fn refusals() {
    let registry = Registry::new();
    let refusal = |name| registry.local(None, name, None).unwrap_err();
    assert_eq!(refusal(scope(b"")), ScopeError::Empty);
    let longest = vec![0xFF; MAX_KEY_BYTES];
    assert!(registry.local(None, scope(&longest), None).is_ok());
    let too_long = vec![0xFF; MAX_KEY_BYTES + 1];
    let error = ScopeError::TooLong {
        len_bytes: MAX_KEY_BYTES + 1,
        max_bytes: MAX_KEY_BYTES,
    };
    assert_eq!(refusal(scope(&too_long)), error);
    assert_eq!(
        ScopeError::from(crate::error::KeyError::too_long(MAX_KEY_BYTES + 1)),
        error
    );
    assert_eq!(
        ScopeError::from(crate::error::KeyError::Empty),
        ScopeError::Empty
    );
}

#[test]
fn a_path_is_as_deep_as_is_allowed_and_reads_from_the_root() {
    let registry = Registry::new();
    let owner = Owner::new(7);
    let mut view = registry.local(None, tenant(b"t"), Some(&owner)).unwrap();
    for level in 1..DEPTH_MAX {
        view = registry.local(Some(&view), scope(&[level]), None).unwrap();
    }
    assert_eq!(
        registry.local(Some(&view), scope(b"x"), None).unwrap_err(),
        ScopeError::TooDeep { depth_max: 16 }
    );
    let life = view.generation(&registry).unwrap();
    let path = life.path();
    assert_eq!(path.len(), usize::from(DEPTH_MAX));
    assert_eq!(path[0], tenant(b"t"));
    assert!((1..DEPTH_MAX).all(|level| path[usize::from(level)] == scope(&[level])));
    assert_eq!(
        life.word().pool(),
        7,
        "the pool is the owner's, all the way down"
    );
}

impl Registry {
    fn names(&self, hash: u32) -> MutexGuard<'_, Names<Weak<Generation>>> {
        self.roll.names(hash)
    }

    fn set_next_id(&self, id: u64) {
        self.roll.next_id.store(id, Ordering::Relaxed);
    }

    /// The sum of what `count` says of each shard.
    fn each_shard(&self, count: impl Fn(&Names<Weak<Generation>>) -> usize) -> usize {
        let shards = self.roll.shards.iter();
        shards.map(|names| count(&names.lock())).sum()
    }

    pub(super) fn n_names(&self) -> usize {
        self.each_shard(|names| names.len())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.each_shard(|names| names.memory_bytes())
    }

    fn validate(&self) {
        self.each_shard(|names| {
            names.validate();
            0
        });
    }
}
