//! Keys that come from outside of the process or are kept, keys within keys, and the short way of a lone byte string.

use super::super::encode::SHORT_MAX;
use super::*;

proptest! {
    #[test]
    fn a_key_that_was_stored_outside_is_the_same_key(list in any_list()) {
        with_key(&list, |key| {
            assert_eq!(KeyRef::from_outside(key.shape(), key.bytes()), Some(key));
        })
        .unwrap();
    }
}

#[test]
fn a_key_that_is_kept_lies_within_as_far_as_it_fits() {
    for len in [1, 7, 8, 9, 200, 5000] {
        let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
        for shape in [Shape::BYTES, Shape::TUPLE] {
            let key = KeyRef::from_stored(shape, &bytes);
            let kept = OwnKey::<8>::new(key);
            assert_eq!(kept.key(), key);
            assert_eq!(kept.heap_bytes(), if len > 8 { len } else { 0 });
        }
    }
}

#[test]
fn f38_what_no_key_is_encoded_as_is_refused_from_outside() {
    let refused = |shape: Shape, bytes: &[u8]| {
        assert_eq!(KeyRef::from_outside(shape, bytes), None, "{shape:?}");
    };
    refused(Shape::BYTES, b"");
    refused(Shape::BYTES, &vec![1; MAX_KEY_BYTES + 1]);
    assert!(KeyRef::from_outside(Shape::BYTES, &vec![1; MAX_KEY_BYTES]).is_some());
    // No list, a list of one, and a list that is cut.
    refused(Shape::TUPLE, b"");
    refused(Shape::TUPLE, b"\x01a");
    refused(Shape::TUPLE, b"\x01a\x02b");
    assert!(KeyRef::from_outside(Shape::TUPLE, b"\x01a\x01b").is_some());
    // A number of other widths, and one that has a shorter form.
    refused(Shape::UINT, &[1; 7]);
    refused(Shape::WIDE_UINT, &7_u128.to_le_bytes());
    refused(Shape::INT, &7_i64.to_le_bytes());
    assert!(KeyRef::from_outside(Shape::UINT, &7_u64.to_le_bytes()).is_some());
}

/// A key with another one in it.
#[derive(Debug)]
struct Around<K>(K);

impl<K: Key> Key for Around<K> {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        out.bytes(b"around");
        out.key(&self.0);
    }
}

#[test]
fn the_parts_of_a_key_within_are_parts_of_this_one() {
    check_same(&Around(("a", 7_u64)), &("around", "a", 7_u64));
    check_same(&Around((7_u64,)), &("around", 7_u64));
}

#[test]
fn the_longest_short_string_is_written_short() {
    let longest = vec![7; usize::from(SHORT_MAX)];
    let (_, bytes) = encode(&(&longest[..], "b")).unwrap();
    assert_eq!(bytes.len(), 1 + longest.len() + 2);
    let (_, bytes) = encode(&(&[&longest[..], &[7]].concat()[..], "b")).unwrap();
    assert_eq!(bytes.len(), 3 + longest.len() + 1 + 2);
}

#[test]
fn what_is_one_byte_string_says_so() {
    assert_eq!(Part::Bytes(b"a").single(), Some(&b"a"[..]));
    assert_eq!(Part::Uint(1).single(), None);
    assert_eq!(("a",).single(), Some(&b"a"[..]));
    let single =
        |key: &dyn Key| with_key(key, |key| key.parts().single().map(<[u8]>::to_vec)).unwrap();
    assert_eq!(single(&"a"), Some(b"a".to_vec()));
    assert_eq!(single(&("a", "b")), None);
    assert_eq!(single(&7_u64), None);
}

#[test]
fn a_key_shows_its_shape_and_its_parts() {
    let shown = with_key(&("a", 7_u64), |key| format!("{key:?}")).unwrap();
    assert!(shown.contains("KeyRef") && shown.contains('7'), "{shown}");
}
