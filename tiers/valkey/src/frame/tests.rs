//! FR1 to FR3, beside the parser of the crate `redis`.

use proptest::prelude::*;

use super::*;

const MAX: usize = 1 << 20;

/// Walks bytes that come in pieces, and says how long the first reply is.
fn walked(bytes: &[u8], piece: usize) -> Result<Frame, Refused> {
    let mut walk = Walk::default();
    let mut known = Frame::AtLeast(1);
    for end in (piece..bytes.len()).step_by(piece).chain([bytes.len()]) {
        known = walk.walk(&bytes[..end], MAX)?;
        match known {
            Frame::Whole(_) => return Ok(known),
            Frame::AtLeast(n) => assert!(n > end, "it asks for nothing"),
        }
    }
    Ok(known)
}

fn reply() -> impl Strategy<Value = Vec<u8>> {
    let text = "[a-z ]{0,9}";
    let leaf = prop_oneof![
        text.prop_map(|text| format!("+{text}\r\n").into_bytes()),
        text.prop_map(|text| format!("-ERR {text}\r\n").into_bytes()),
        any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
        prop_oneof![
            Just("$-1\r\n"),
            Just("*-1\r\n"),
            Just("_\r\n"),
            Just("#t\r\n")
        ]
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|text| {
            [format!("${}\r\n", text.len()).as_bytes(), &text, b"\r\n"].concat()
        }),
    ];
    leaf.prop_recursive(3, 30, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(|parts| {
            let mut bytes = format!("*{}\r\n", parts.len()).into_bytes();
            bytes.extend(parts.concat());
            bytes
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn e_61_a_reply_ends_where_it_ends(reply in reply(), rest in reply(), piece in 1..50_usize) {
        prop_assert_eq!(read(&reply).ok(), redis::parse_redis_value(&reply).ok());
        let both = [&reply[..], &rest].concat();
        prop_assert_eq!(walked(&both, piece), Ok(Frame::Whole(reply.len())));
        for cut in 0..reply.len() {
            let known = walked(&reply[..cut], piece);
            prop_assert!(matches!(known, Ok(Frame::AtLeast(n)) if n <= reply.len()), "{:?}", known);
        }
    }

    #[test]
    fn f48_any_bytes_are_walked_without_a_panic(bytes in prop::collection::vec(
        prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'*'), Just(b'$'), Just(b'1')], 0..200)
    ) {
        if let Ok(Frame::Whole(n)) = walked(&bytes, 7) {
            let _ = read(&bytes[..n]);
            prop_assert!(n <= bytes.len());
        }
    }
}

#[test]
fn f48_what_announces_too_much_is_refused_at_once() {
    for bytes in [&b"$2000000\r\n"[..], b"*2\r\n$1\r\na\r\n$1048573\r\n"] {
        assert_eq!(walked(bytes, 1), Err(TooLong), "{}", bytes.escape_ascii());
    }
    for bytes in [
        &b"$99999999999\r\n"[..],
        b"*9999999999\r\n",
        b"$12a\r\n",
        b"$\r\n",
        b"$-2\r\n",
        b"HTTP/1.1 400\r\n",
        b"$1\r\nabc",
        &b"*1\r\n".repeat(9),
        &[b'+'; LINE_MAX],
    ] {
        assert_eq!(walked(bytes, 1), Err(Garbled), "{}", bytes.escape_ascii());
    }
    assert_eq!(walked(b"%1\r\n:1\r\n:2\r\n", 3), Ok(Frame::Whole(12)));
}
