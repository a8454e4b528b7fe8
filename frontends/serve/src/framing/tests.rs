use super::*;

const BOTH: &str = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n";

fn head(more: &str) -> String {
    format!("PUT /x HTTP/1.1\r\nHost: x\r\n{more}\r\n")
}

/// What is found, with the bytes in one piece and in pieces of many sizes.
fn found(bytes: &str) -> Option<u64> {
    let whole = Framing::default().follow(bytes.as_bytes());
    for n in (1..8).chain([200, 256, 257, 300]) {
        let mut framing = Framing::default();
        let mut pieces = bytes.as_bytes().chunks(n);
        let piecemeal = pieces.find_map(|piece| framing.follow(piece));
        assert_eq!(piecemeal, whole, "in pieces of {n}: {bytes:?}");
    }
    whole
}

#[test]
fn a_head_with_both_lengths_is_found_by_its_number() {
    assert_eq!(found(&head(BOTH)), Some(1));
    assert_eq!(
        found(&head("TRANSFER-ENCODING:x\r\nA: b\r\ncontent-length:1\r\n")),
        Some(1)
    );
    assert_eq!(
        found(&head("Content-Length: x\nTransfer-Encoding: chunked\n")),
        Some(1)
    );
    assert_eq!(
        found(&[head(""), "\r\n".into(), head(BOTH)].concat()),
        Some(2)
    );
    let long = format!("Cookie: {}\r\n{BOTH}", "x".repeat(1000));
    assert_eq!(found(&head(&long)), Some(1));
}

#[test]
fn bodies_are_stepped_over_whatever_is_in_them() {
    let text = head(BOTH);
    let plain = head(&format!("Content-Length: {}\r\n", text.len()));
    assert_eq!(found(&[&*plain, &text].concat()), None);
    assert_eq!(found(&[&*plain, &text, &text].concat()), Some(2));
    let chunked = head("Transfer-Encoding: chunked\r\n");
    let chunk = format!(
        "{:X};a=b\r\n{text}\r\n1\r\nx\r\n0\r\nContent-Length: 9\r\n\r\n",
        text.len()
    );
    assert_eq!(found(&[&*chunked, &chunk].concat()), None);
    assert_eq!(
        found(&[&*chunked, &chunk, &head(""), &text].concat()),
        Some(3)
    );
}

#[test]
fn each_alone_is_no_contradiction() {
    for more in [
        "Content-Length: 0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "X-Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    ] {
        assert_eq!(found(&head(more)), None);
    }
}

#[test]
fn after_what_is_not_understood_no_request_is_taken() {
    let text = head(BOTH);
    assert_eq!(
        found(&[head("Content-Length: -1\r\n"), text.clone()].concat()),
        Some(1)
    );
    for lost in [
        [&head("Transfer-Encoding: chunked\r\n"), "zz\r\n"].concat(),
        [
            &head("Transfer-Encoding: chunked\r\n"),
            "11111111111111111\r\n",
        ]
        .concat(),
        // hyper's trailers go on until there is an empty line with both bytes of its end.
        [
            &head("Transfer-Encoding: chunked\r\n"),
            "0\r\na: b\n\r\nx\r\n\r\n",
        ]
        .concat(),
    ] {
        assert_eq!(found(&[lost, text.clone()].concat()), Some(2));
    }
}

#[test]
fn a_length_in_a_line_that_is_too_long_is_refused_cut_or_whole() {
    let (spaces, zeros) = (" ".repeat(260), "0".repeat(300));
    for more in [
        format!("Content-Length:{spaces}2\r\n"),
        format!("Content-Length: {zeros}5\r\n"),
        format!("Transfer-Encoding:{spaces}chunked\r\n"),
    ] {
        assert_eq!(found(&[head(""), head(&more)].concat()), Some(2));
    }
    // As long as may be, and one byte more.
    let fill = |n: usize| format!("Content-Length: {}\r\n", "0".repeat(n - 18));
    assert_eq!(found(&head(&fill(LINE_BYTES_MAX))), None);
    assert_eq!(found(&head(&fill(LINE_BYTES_MAX + 1))), Some(1));
}

#[test]
fn after_a_size_that_is_too_long_no_request_is_taken() {
    let chunked = head("Transfer-Encoding: chunked\r\n");
    let size = format!("{}5\r\nhello\r\n0\r\n\r\n", "0".repeat(300));
    assert_eq!(found(&[chunked, size, head("")].concat()), Some(2));
}
