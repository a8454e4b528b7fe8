mod husks;

use crate::sync::Arc;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::hash::KeyHash;
use crate::terms::Tag;

fn parts(key: &[u8]) -> Parts<'_> {
    Parts::plain(Probe::new(None, 5, key))
}

fn some(place: u64) -> Option<u64> {
    (place != 0).then_some(place)
}

fn draft<V: Value + ?Sized, S: Source<V>>(parts: Parts<'_>, source: S) -> (Draft, S::Kept) {
    let plan = Plan::<V>::new(parts, source.n_elements()).expect("it fits");
    Draft::new::<V, S>(plan, None, source)
        .ok()
        .expect("there is memory")
}

fn value<V: Value + ?Sized>(draft: &Draft) -> &V {
    // SAFETY: the callers name the type that the draft was made for.
    unsafe { draft.as_ref().value() }
}

fn release<V: Value + ?Sized>(draft: Draft) {
    // SAFETY: as in `value`.
    drop(unsafe { Releaser::new::<V>() }.release(draft.into_block()));
}

/// A value goes in whole, at its alignment, behind its key, and the words of the header stay apart from both.
fn lies_well<V, S>(source: S, expected: &V)
where
    V: Value + PartialEq + fmt::Debug + ?Sized,
    S: Source<V> + Clone,
{
    for (idle, place, refreshed, tag) in [
        (false, 0, false, Tag::Bytes),
        (true, 0, true, Tag::Json),
        (false, u64::MAX, true, Tag::Text),
        (true, 1, false, Tag::Float),
        (true, 1, true, Tag::Integer),
    ] {
        for len in [1, 7, 8, 15, 16, 17, 24, 63, 64, 511, usize::from(u16::MAX)] {
            let key: Vec<u8> = (0..len).map(|n| n as u8 ^ 0x5a).collect();
            let (mut draft, _) = draft::<V, S>(
                Parts {
                    probe: Probe::new(some(place), 9, &key),
                    idle,
                    refreshed,
                    tag,
                    is_copy: place == 1,
                },
                source.clone(),
            );
            let refresh = RefreshAt {
                due: Nanos(3),
                stale: Nanos(4),
            };
            let times = Times {
                hard: Nanos(9),
                idle: Nanos(10),
                refresh,
            };
            draft.seal(KeyHash::from_bits(6), 7, 8);
            draft.set_times(times);
            let block = draft.as_ref();
            block.set_token(u32::MAX);
            assert_eq!(
                (block.place(), block.member().is_some()),
                (place, place != 0)
            );
            if let Some(member) = block.member() {
                member.set_at((u32::MAX, 7));
                assert_eq!(member.at(), (u32::MAX, 7));
            }
            assert!(block.is(&Probe::new(some(place), 9, &key)));
            assert!(block.is_of(&Probe::new(some(place), 9, &key)));
            assert_eq!((block.tag(), block.is_absent()), (tag, false));
            assert_eq!(block.is_copy(), place == 1);
            assert_eq!(block.refresh().is_some(), refreshed);
            if let Some(refresh) = block.refresh() {
                assert_eq!(refresh.stale_from(), Nanos(4));
                assert!(refresh.try_win(Nanos(2)).is_none() && refresh.try_win(Nanos(3)).is_some());
            }
            assert!(!block.is(&Probe::new(some(place ^ 2), 9, &key)));
            assert!(!block.is(&Probe::new(some(place), 8, &key)));
            assert!(!block.is(&Probe::new(some(place), 9, &key[1..])));
            assert_eq!(
                (block.version(), block.stamp(), block.deadline().get()),
                (7, 8, Nanos(9))
            );
            assert_eq!((block.has_idle(), block.earliest()), (idle, Nanos(9)));
            if idle {
                assert_eq!(block.idle().get(), Nanos(10));
            }
            assert_eq!(block.as_ptr().addr() % BLOCK_ALIGN, 0);
            assert_eq!(block.key_bytes(), key);
            let value = value::<V>(&draft);
            assert_eq!(value, expected);
            assert_eq!((&raw const *value).addr() % V::ALIGN, 0);
            let end = (&raw const *value).addr() + size_of_val(value) - block.as_ptr().addr();
            assert!(
                block.charge_bytes() >= end as u64 + 8,
                "the charge covers the block"
            );
            let rounding = 8 + 16 + V::ALIGN as u64 + end as u64 / 1000;
            assert!(block.charge_bytes() < end as u64 + rounding);
            release::<V>(draft);
        }
    }
}

#[test]
fn the_header_is_forty_bytes() {
    assert_eq!((size_of::<Header>(), align_of::<Header>()), (40, 8));
}

#[test]
fn values_of_all_shapes_lie_well() {
    #[derive(Debug, Clone, Copy, PartialEq)]
    #[repr(align(64))]
    struct Line([u8; 3]);
    #[derive(Debug, Clone, Copy, PartialEq)]
    #[repr(align(64))]
    struct Nothing;
    lies_well::<u8, _>(1_u8, &1);
    lies_well::<u128, _>(u128::MAX, &u128::MAX);
    lies_well::<(), _>((), &());
    lies_well::<Line, _>(Line([1, 2, 3]), &Line([1, 2, 3]));
    lies_well::<Nothing, _>(Nothing, &Nothing);
    lies_well::<[u64; 0], _>([0_u64; 0], &[]);
    lies_well::<String, _>("owned".to_owned(), &"owned".to_owned());
    lies_well::<[u8], _>([0_u8; 0], &[]);
    lies_well::<[u8], _>(vec![7; 1000], &[7; 1000]);
    lies_well::<str, _>("", "");
    lies_well::<str, _>("gr\u{fc}n".to_owned(), "gr\u{fc}n");
}

#[test]
fn what_is_too_large_has_no_plan() {
    let key = vec![0; usize::from(u16::MAX) + 1];
    assert!(Plan::<String>::new(parts(&key), 1).is_none());

    assert!(Plan::<[u8]>::new(parts(b"key"), usize::MAX).is_none());
    assert!(block_layout::<[u8]>(0, usize::MAX, 0).is_none());
    assert!(block_layout::<[u8]>(0, 8, usize::MAX - 40).is_none());
}

#[test]
fn a_draft_that_is_undone_gives_its_value_back_once() {
    let value = Arc::new(3);
    let (draft, kept) = draft::<Arc<i32>, _>(parts(b"key"), Arc::clone(&value));
    assert_eq!(Arc::strong_count(&value), 2);
    let back: Arc<i32> = draft.undo::<Arc<i32>, _>(kept);
    assert!(Arc::ptr_eq(&back, &value));
    drop(back);
    assert_eq!(Arc::strong_count(&value), 1);

    let (draft, kept) = self::draft::<[u8], Vec<u8>>(parts(b"key"), vec![1, 2, 3]);
    assert_eq!(draft.undo::<[u8], Vec<u8>>(kept), [1, 2, 3]);
}

#[test]
fn a_value_is_dropped_with_the_last_count() {
    let value = Arc::new(());
    let (draft, ()) = draft::<Arc<()>, _>(parts(b"key"), Arc::clone(&value));
    // SAFETY: the block was drafted for this type.
    let first =
        unsafe { Entry::<Arc<()>>::new(draft.into_block(), Left::until(Nanos(5), Nanos(0))) };
    let second = first.clone();
    assert!(first.same(&second) && first.block().has_handles());
    assert_eq!(
        (Arc::strong_count(&value), first.ttl()),
        (2, Some(std::time::Duration::from_nanos(5)))
    );
    drop(first);
    assert_eq!(Arc::strong_count(&value), 2);
    assert!(!second.block().has_handles());
    drop(second);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn counts_from_many_threads_end_once() {
    const ROUNDS: usize = if cfg!(miri) { 20 } else { 2000 };
    let value = Arc::new(());
    for _ in 0..ROUNDS {
        let (draft, ()) = draft::<Arc<()>, _>(parts(b"key"), Arc::clone(&value));
        // SAFETY: the block was drafted for this type.
        let entry = unsafe { Entry::<Arc<()>>::new(draft.into_block(), Left::NEVER) };
        let other = entry.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || drop(other.clone()));
            drop(entry);
        });
        assert_eq!(Arc::strong_count(&value), 1);
    }
}

#[test]
fn a_panic_in_a_value_ends_its_block_all_the_same() {
    struct Fragile(#[allow(dead_code)] Arc<()>);
    impl Drop for Fragile {
        fn drop(&mut self) {
            panic!("user code");
        }
    }
    let value = Arc::new(());
    let (draft, ()) = draft::<Fragile, _>(parts(b"key"), Fragile(Arc::clone(&value)));
    assert!(catch_unwind(AssertUnwindSafe(|| release::<Fragile>(draft))).is_err());
    assert_eq!(Arc::strong_count(&value), 1);
}

/// Bytes that are longer or shorter, or aren't there, when they are asked for again.
struct Fickle(std::cell::Cell<usize>, [&'static [u8]; 2]);

impl AsRef<[u8]> for Fickle {
    fn as_ref(&self) -> &[u8] {
        let n = self.0.replace(self.0.get() + 1);
        self.1.get(n).expect("asked twice only")
    }
}

impl AsRef<str> for Fickle {
    fn as_ref(&self) -> &str {
        std::str::from_utf8(AsRef::<[u8]>::as_ref(self)).expect("text")
    }
}

#[test]
fn a_source_that_changes_its_mind_touches_no_memory_but_its_own() {
    let fickle = |bytes| Fickle(std::cell::Cell::new(0), bytes);
    let (longer, _) = draft::<[u8], _>(parts(b"key"), fickle([b"abc", b"abcdef"]));
    assert_eq!(value::<[u8]>(&longer), b"abc");
    let (shorter, _) = draft::<[u8], _>(parts(b"key"), fickle([b"abc", b"a"]));
    assert_eq!(value::<[u8]>(&shorter), b"a\0\0");
    let (cut, _) = draft::<str, _>(parts(b"key"), fickle([b"abc", "a\u{fc}\u{fc}".as_bytes()]));
    assert_eq!(value::<str>(&cut), "\0\0\0");
    release::<[u8]>(longer);
    release::<[u8]>(shorter);
    release::<str>(cut);
    let gone = Fickle(std::cell::Cell::new(1), [b"", b"abc"]);
    assert!(catch_unwind(AssertUnwindSafe(|| draft::<[u8], _>(parts(b"key"), gone))).is_err());
}

#[test]
fn a_weight_is_rounded_up_and_refused_beyond_the_field() {
    let (mut draft, ()) = draft::<u64, _>(parts(b"key"), 1);
    let before = draft.as_ref().charge_bytes();
    assert!(draft.add_weight(1) && draft.add_weight(16) && draft.add_weight(0));
    assert_eq!(draft.as_ref().charge_bytes(), before + 32);
    assert!(!draft.add_weight(u64::MAX) && !draft.add_weight(1 << 47));
    assert_eq!(draft.as_ref().charge_bytes(), before + 32);
    release::<u64>(draft);
}

#[test]
fn bytes_of_an_entry_share_its_block() {
    let (draft, _) = draft::<[u8], _>(parts(b"key"), b"hello");
    // SAFETY: the block was drafted for this type.
    let entry = unsafe { Entry::<[u8]>::new(draft.into_block(), Left::NEVER) };
    let address = entry.as_ptr();
    let bytes = bytes::Bytes::from(entry.clone());
    drop(entry);
    assert_eq!((&bytes[..], bytes.as_ptr()), (&b"hello"[..], address));
    assert_eq!(&bytes.slice(1..3)[..], b"el");
}

#[test]
fn a_key_of_any_length_differs_by_any_byte() {
    for len in 0..=130_u8 {
        let key: Vec<u8> = (0..len).collect();
        let mut other = key.clone();
        assert!(same_bytes(&key, &other), "{len} bytes");
        for at in 0..key.len() {
            other[at] ^= 0x80;
            assert!(!same_bytes(&key, &other), "byte {at} of {len}");
            other[at] ^= 0x80;
        }
    }
}
