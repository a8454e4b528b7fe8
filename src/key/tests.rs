//! Properties of keys:
//! - encoding is injective over lists of parts, and reading gives the parts back (K1, KR1);
//! - the width and type of an integer don't matter, its difference from a string does (K1);
//! - a key that is too long or empty is refused with its true length (K2), whichever buffer it went through;
//! - damaged bytes end the reading (KR2).

use std::collections::HashMap;
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::render::{read_listed, read_lone};
use super::*;

mod outside;

/// A part that owns its bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum OwnPart {
    Bytes(Vec<u8>),
    Uint(u128),
    Int(i128),
}

impl OwnPart {
    fn as_part(&self) -> Part<'_> {
        match self {
            Self::Bytes(bytes) => Part::Bytes(bytes),
            Self::Uint(uint) => Part::Uint(*uint),
            Self::Int(int) => Part::Int(*int),
        }
    }
}

/// A user's own key of any number of parts, without the short way of `single`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct List(Vec<OwnPart>);

impl Key for List {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        for part in &self.0 {
            part.as_part().write_parts(out);
        }
    }
}

fn encode<K: Key + ?Sized>(key: &K) -> Result<(u8, Vec<u8>), KeyError> {
    with_key(key, |key| (key.shape().bits(), key.bytes().to_vec()))
}

fn render<K: Key + ?Sized>(key: &K) -> String {
    with_key(key, |key| key.to_string()).unwrap()
}

fn check_same<A: Key + ?Sized + Debug, B: Key + ?Sized + Debug>(a: &A, b: &B) {
    assert_eq!(encode(a), encode(b), "{a:?} and {b:?}");
}

/// The keys all differ, and all render as `text`.
fn check_distinct(keys: &[&dyn Key], text: &str) {
    let encoded: Vec<_> = keys.iter().map(|key| encode(*key).unwrap()).collect();
    for (idx, one) in encoded.iter().enumerate() {
        assert!(!encoded[..idx].contains(one), "key {idx} of {text}");
        assert_eq!(render(keys[idx]), text);
    }
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(prop_oneof![Just(b'_'), Just(0), Just(0xFF), Just(1), Just(0xF1), Just(b'a')], 0..4),
        2 => vec(any::<u8>(), 0..20),
        1 => vec(any::<u8>(), 238..260),
        1 => (0..3000_usize).prop_map(|len| vec![7; len]),
    ]
}

fn any_part() -> impl Strategy<Value = OwnPart> {
    prop_oneof![
        4 => any_bytes().prop_map(OwnPart::Bytes),
        1 => any::<u64>().prop_map(|n| OwnPart::Uint(n.into())),
        1 => (0..3_u128).prop_map(OwnPart::Uint),
        1 => any::<u128>().prop_map(OwnPart::Uint),
        1 => (i64::MIN..0).prop_map(|n| OwnPart::Int(n.into())),
        1 => (i128::MIN..0).prop_map(OwnPart::Int),
    ]
}

fn any_list() -> impl Strategy<Value = List> {
    vec(any_part(), 1..9)
        .prop_filter("a lone empty part is no key", |parts| {
            *parts != [OwnPart::Bytes(Vec::new())]
        })
        .prop_map(List)
}

/// Another list made of the bytes of `list`: two neighbours joined, or one cut in two.
fn regroup(list: &List, at: usize, cut: usize) -> List {
    let mut parts = list.0.clone();
    let at = at % parts.len();
    if let OwnPart::Bytes(bytes) = &mut parts[at] {
        let tail = bytes.split_off(cut % (bytes.len() + 1));
        parts.insert(at + 1, OwnPart::Bytes(tail));
    } else {
        let (_, bytes) = encode(&parts[at].as_part()).unwrap();
        parts[at] = OwnPart::Bytes(bytes);
    }
    List(parts)
}

proptest! {
    #[test]
    fn e10_f38_encoding_is_injective(a in any_list(), b in any_list(), at in any::<usize>(), cut in any::<usize>()) {
        prop_assert_eq!(a == b, encode(&a).unwrap() == encode(&b).unwrap());
        let c = regroup(&a, at, cut);
        prop_assert_ne!(encode(&a).unwrap(), encode(&c).unwrap());
    }

    #[test]
    fn parts_are_read_back(list in any_list()) {
        let parts: Vec<_> = list.0.iter().map(OwnPart::as_part).collect();
        with_key(&list, |key| {
            assert_eq!(key.parts().to_vec(), parts);
            // Parts are a key themselves: the same one.
            let again = with_key(&key.parts(), |again| again == key);
            assert_eq!(again, Ok(true));
        }).unwrap();
    }

    #[test]
    fn damaged_bytes_end_the_reading(mut bytes in vec(any::<u8>(), 0..600), form in 0..8_u8) {
        let form = Shape::from_bits(form);
        let lone = read_lone(form, &bytes);
        let fits = form == Shape::BYTES || [8, 16].contains(&bytes.len());
        prop_assert!(lone.is_none() || fits, "{:?} from {} bytes", lone, bytes.len());
        if let Some(first) = bytes.first_mut() {
            *first |= 0xF0 * (form.bits() & 1);
        }
        let mut rest = bytes.as_slice();
        while let Some((_, shorter)) = read_listed(rest) {
            prop_assert!(shorter.len() < rest.len());
            rest = shorter;
        }
    }

    #[test]
    fn an_integer_is_one_part_in_every_width(n in any::<i128>(), shift in 0..127_u32) {
        let n = n >> shift;
        macro_rules! check_width {
            ($($type:ty)*) => {$(
                if let Ok(narrow) = <$type>::try_from(n) {
                    prop_assert_eq!(encode(&narrow), encode(&n));
                    prop_assert_eq!(encode(&("x", narrow)), encode(&("x", n)));
                }
            )*};
        }
        check_width!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 isize);
        prop_assert_eq!(render(&n), n.to_string());
    }
}

#[test]
fn e10_every_short_list_has_its_own_bytes() {
    let strings: [&[u8]; 9] = [
        b"",
        b"_",
        b"__",
        b"\0",
        b"\xFF",
        b"\x01",
        b"a",
        b"\0\0",
        b"\x01\x01",
    ];
    let mut parts: Vec<_> = strings.iter().map(|s| OwnPart::Bytes(s.to_vec())).collect();
    parts.extend([0, 1, 0xFF, 1 << 64].map(OwnPart::Uint));
    parts.extend([-1, -256, i128::MIN].map(OwnPart::Int));
    let mut lists: Vec<List> = vec![List(Vec::new())];
    let mut seen = HashMap::new();
    for _ in 0..3 {
        let longer = |list: &List| {
            let list = list.clone();
            let push = move |part: &OwnPart| {
                let mut list = list.clone();
                list.0.push(part.clone());
                list
            };
            parts.iter().map(push).collect::<Vec<_>>()
        };
        lists = lists.iter().flat_map(longer).collect();
        for list in &lists {
            match encode(list) {
                Ok(encoded) => assert_eq!(seen.insert(encoded, list.clone()), None),
                Err(error) => assert_eq!((error, list.0.len()), (KeyError::Empty, 1)),
            }
        }
    }
    assert_eq!(seen.len(), 16 + 16 * 16 + 16 * 16 * 16 - 1);
}

#[test]
fn e12_separator_inside_a_part() {
    check_distinct(
        &[&("a__b", "c"), &("a", "b", "c"), &("a", "b__c"), &"a__b__c"],
        "a__b__c",
    );
}

#[test]
fn e14_empty_part_in_the_middle() {
    check_distinct(&[&("p", "", "x")], "p____x");
    check_distinct(&[&("p", "x")], "p__x");
}

#[test]
fn e15_odd_underscore() {
    check_distinct(&[&("a_", "b"), &("a", "_b")], "a___b");
}

#[test]
fn e18_f38_empty_key_is_refused() {
    check_same(&"", &List(Vec::new()));
    check_same(&("",), &List(vec![OwnPart::Bytes(Vec::new())]));
    assert_eq!(encode(""), Err(KeyError::Empty));
    assert!(encode(&("", "")).is_ok());
    let text = KeyError::Empty.to_string();
    assert_eq!(
        text,
        "key is empty; it needs at least one byte, or two parts"
    );
}

#[test]
fn equal_keys_of_unequal_types() {
    check_same("user", &String::from("user"));
    check_same("user", b"user");
    check_same("user", &b"user"[..]);
    check_same("user", &b"user".to_vec());
    check_same("user", &Bytes::from_static(b"user"));
    check_same("user", &Arc::<str>::from("user"));
    check_same("user", &Rc::<[u8]>::from(*b"user"));
    check_same("user", &Box::<[u8]>::from(*b"user"));
    check_same("user", &std::borrow::Cow::from("user"));
    check_same("user", &&&("user",));
    check_same("user", &List(vec![OwnPart::Bytes(b"user".to_vec())]));
    check_same(&("a", ("b", 3_u8), "c"), &("a", "b", 3_i64, "c"));
    check_same(&((1, 2, 3, 4), (5, 6, 7, 8)), &(1, 2, 3, 4, 5, 6, 7, 8));
    check_same(&42_u8, &List(vec![OwnPart::Uint(42)]));
}

#[test]
fn integers_and_their_bytes_are_unlike() {
    check_distinct(&[&42_u64, &"42"], "42");
    assert_ne!(encode(&42_u64), encode(&42_u64.to_le_bytes()));
    assert_ne!(encode(&("k", 42_u64)), encode(&("k", 42_u64.to_le_bytes())));
    assert_ne!(encode(&u64::MAX), encode(&-1_i64));
    assert_ne!(encode(&u128::MAX), encode(&-1_i128));
}

#[test]
fn a_lone_string_is_not_copied() {
    let key = String::from("motd");
    let same = with_key(&(&key,), |at| std::ptr::eq(at.bytes(), key.as_bytes()));
    assert_eq!(same, Ok(true));
}

#[test]
fn f38_length_limit_is_exact() {
    let len_of = |len: usize| OwnPart::Bytes(vec![b'k'; len]);
    let too_long = |len_bytes| {
        Err(KeyError::TooLong {
            len_bytes,
            max_bytes: MAX_KEY_BYTES,
        })
    };
    let len = |key: &dyn Key| encode(key).map(|(_, bytes)| bytes.len());
    for header in [INLINE_BYTES, 1024, 4096] {
        // Around the ends of the buffers, with a lone part and with two.
        for len_bytes in header - 4..header + 4 {
            assert_eq!(len(&List(vec![len_of(len_bytes)])), Ok(len_bytes));
            let part_len = len_bytes - 9 - 1 - if len_bytes > 250 { 2 } else { 0 };
            assert_eq!(
                len(&List(vec![OwnPart::Uint(1), len_of(part_len)])),
                Ok(len_bytes)
            );
        }
    }
    let longest = vec![b'k'; MAX_KEY_BYTES];
    assert_eq!(len(&longest), Ok(MAX_KEY_BYTES));
    assert_eq!(len(&List(vec![len_of(MAX_KEY_BYTES)])), Ok(MAX_KEY_BYTES));
    assert_eq!(len(&(1, &longest[12..])), Ok(MAX_KEY_BYTES));
    assert_eq!(len(&(1, &longest[11..])), too_long(MAX_KEY_BYTES + 1));
    for len_bytes in [MAX_KEY_BYTES + 1, MAX_KEY_BYTES + 2, 70_000, 1 << 20] {
        assert_eq!(len(&vec![0; len_bytes]), too_long(len_bytes));
        assert_eq!(len(&List(vec![len_of(len_bytes)])), too_long(len_bytes));
        assert_eq!(len(&("", vec![0; len_bytes])), too_long(len_bytes + 4));
    }
    assert_eq!(
        too_long(70_000).map(|_: usize| ()).unwrap_err().to_string(),
        "key is 70000 bytes long when encoded; at most 65535 are accepted"
    );
}

#[test]
fn rendering_is_lossy_and_debug_is_not() {
    assert_eq!(render(&(b"a\xFFb\xC3", -5)), "a\u{FFFD}b\u{FFFD}__-5");
    let debug = with_key(&(b"a\xFF\"", -5), |key| format!("{:?}", key.parts())).unwrap();
    assert_eq!(debug, r#"["a\xff\"", -5]"#);
}
