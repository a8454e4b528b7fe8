//! Slots, and what nodes say of them.

use super::*;

#[test]
fn e_61_slots_are_those_of_the_servers() {
    // The first is the specification's own example.
    for (key, expected) in [
        (&b"123456789"[..], 0x31C3),
        (b"foo", 12_182),
        (b"{user1000}.following", slot(b"user1000")),
        (b"foo{}{bar}", slot(b"foo{}{bar}")),
        (b"foo{{bar}}zap", slot(b"{bar")),
        (b"foo{bar}{zap}", slot(b"bar")),
        (b"a{b", slot(b"a{b")),
    ] {
        assert_eq!(slot(key), expected, "{}", key.escape_ascii());
    }
    assert_ne!(slot(b"foo{}{bar}"), slot(b"bar"));
}

#[test]
fn e_61_redirections_are_read_and_nonsense_is_not() {
    let from = Address::new("10.0.0.1", 1);
    let read = |details| redirect(details, &from);
    assert_eq!(
        read("3999 127.0.0.1:6381"),
        Some((3999, Address::new("127.0.0.1", 6381)))
    );
    assert_eq!(read("1 :6381"), Some((1, Address::new("10.0.0.1", 6381))));
    assert_eq!(read("1 ::1:6381"), Some((1, Address::new("::1", 6381))));
    for nonsense in ["", "3999", "16384 a:1", "1 a:70000", "x a:1", "1 a"] {
        assert_eq!(read(nonsense), None, "{nonsense}");
    }
}

#[test]
fn e_61_a_table_of_slots_is_read_and_nonsense_is_not() {
    let from = Address::new("10.0.0.1", 1);
    let read = |reply: &[u8]| ranges(&redis::parse_redis_value(reply).unwrap(), &from);
    let reply = b"*2\r\n*3\r\n:0\r\n:99\r\n*2\r\n$1\r\na\r\n:7\r\n*3\r\n:100\r\n:16383\r\n*2\r\n$0\r\n\r\n:8\r\n";
    let expected = vec![
        (0, 99, Address::new("a", 7)),
        (100, 16_383, Address::new("10.0.0.1", 8)),
    ];
    assert_eq!(read(reply), Some(expected));
    for nonsense in [
        &b"*0\r\n"[..],
        b"+OK\r\n",
        b"*1\r\n:1\r\n",
        b"*1\r\n*3\r\n:0\r\n:-9\r\n*2\r\n$1\r\na\r\n:7\r\n",
    ] {
        assert_eq!(read(nonsense), None, "{}", nonsense.escape_ascii());
    }
}
