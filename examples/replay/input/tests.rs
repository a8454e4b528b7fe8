//! Properties: N1; N2; each format is found without being told; what is packed reads the same.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn reading() -> Reading {
    Reading {
        format: None,
        columns: None,
        unit_s: 1.0,
        size_bytes: 100,
        n_max: u64::MAX,
    }
}

fn read_bytes(bytes: &[u8]) -> Input {
    read(Box::new(Cursor::new(bytes.to_vec())), &reading()).unwrap()
}

#[track_caller]
fn check(text: &str, format: Format, keys: &[&str], malformed: &[u64]) {
    let input = read_bytes(text.as_bytes());
    assert_eq!(input.format, format);
    let found: Vec<String> = input
        .trace
        .requests
        .iter()
        .map(|request| {
            String::from_utf8(input.trace.keys.bytes(request.id, &mut [0; 8]).to_vec()).unwrap()
        })
        .collect();
    assert_eq!(found, keys);
    assert_eq!(input.malformed.n_lines, malformed.len() as u64);
    assert_eq!(
        input.malformed.first.map(|first| first.line),
        malformed.first().copied()
    );
}

fn clf_line(target: &str) -> String {
    format!("h - - [01/Jan/2024:00:00:00 +0000] \"GET {target} HTTP/1.1\" 200 5\n")
}

#[test]
fn formats_are_found() {
    check("a\nb\r\n\na", Format::Keys, &["a", "b", "a"], &[]);
    check("1,a\n2,b,5\n", Format::Csv, &["a", "b"], &[]);
    check("time,key,size,ttl\n1,a,2,3\n", Format::Csv, &["a"], &[]);
    check("Key,Size\na,2\nb,3\n", Format::Csv, &["a", "b"], &[]);
    check(
        &(clf_line("/x") + &clf_line("/y")),
        Format::Clf,
        &["/x", "/y"],
        &[],
    );
    check("", Format::Keys, &[], &[]);
    check("a,b\nc,d\n", Format::Keys, &["a,b", "c,d"], &[]);
}

#[test]
fn malformed_lines_are_counted_and_the_first_is_kept() {
    check(
        "1,a\n2,b\nsoon,c\n\n4\n5,e\n6,f\n",
        Format::Csv,
        &["a", "b", "e", "f"],
        &[3, 5],
    );
    check("1,a\n2,\"b\n3,c\n", Format::Csv, &["a", "c"], &[2]);
    let log = clf_line("/x") + "garbage\n" + &clf_line("/y");
    check(&log, Format::Clf, &["/x", "/y"], &[2]);
    let input = read_bytes(b"1,a\n2,b\nsoon,\xFFc\n");
    let first = input.malformed.first.unwrap();
    assert_eq!(
        (first.line, first.reason),
        (3, "the time is no number of seconds")
    );
    assert_eq!(first.text, r"soon,\xffc");
}

#[test]
fn a_line_without_end_is_bounded() {
    let mut text = b"key\n".to_vec();
    text.extend(vec![b'x'; 300_000]);
    text.extend(b"\nlast");
    let input = read_bytes(&text);
    assert_eq!(input.trace.requests.len(), 2);
    assert_eq!(
        input
            .malformed
            .first
            .as_ref()
            .map(|first| (first.line, first.text.len())),
        Some((2, SHOWN_BYTES))
    );
    let exact = [vec![b'y'; LINE_BYTES_MAX as usize], b"\nz".to_vec()].concat();
    let input = read_bytes(&exact);
    assert_eq!(
        (input.trace.requests.len(), input.malformed.n_lines),
        (2, 0)
    );
}

#[test]
fn what_the_caller_says_counts() {
    let said = Reading {
        format: Some(Format::Keys),
        n_max: 2,
        ..reading()
    };
    let input = read(Box::new(&b"1,a\n2,b\n3,c\n"[..]), &said).unwrap();
    assert_eq!(
        (input.format, input.trace.requests.len()),
        (Format::Keys, 2)
    );
    assert_eq!(input.trace.requests[0].size_bytes, 100);
    let said = Reading {
        columns: Columns::from_header("time,_,key"),
        ..reading()
    };
    let input = read(Box::new(&b"1,a,k\n2,b,k\n"[..]), &said).unwrap();
    assert_eq!(
        (input.format, input.trace.keys.n_unique()),
        (Format::Csv, 1)
    );
}

#[test]
fn a_packed_trace_reads_the_same() {
    let plain = [
        hrt::MAGIC.to_vec(),
        vec![0; 4],
        2_u64.to_le_bytes().to_vec(),
        vec![0; 16],
    ]
    .concat();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&plain).unwrap();
    let (packed, unpacked) = (read_bytes(&encoder.finish().unwrap()), read_bytes(&plain));
    assert_eq!((packed.format, packed.codec), (Format::Hrt, Codec::Gzip));
    assert_eq!(
        (unpacked.format, unpacked.codec),
        (Format::Hrt, Codec::Plain)
    );
    assert_eq!(packed.trace.requests, unpacked.trace.requests);
    assert_eq!(packed.trace.requests.len(), 2);
}

#[test]
fn noise_is_read_in_every_format() {
    const ALPHABET: &[u8] = b"\n,\"[]/ 019ab\x00\xFF\r\\-:";
    let mut state = 0x1234_5678_9ABC_DEF1_u64;
    let noise: Vec<u8> = (0..20_000)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ALPHABET[(state % ALPHABET.len() as u64) as usize]
        })
        .collect();
    let n_lines = noise
        .split(|byte| *byte == b'\n')
        .filter(|line| !matches!(line, [] | [b'\r']))
        .count() as u64;
    for format in [Format::Keys, Format::Csv, Format::Clf] {
        let said = Reading {
            format: Some(format),
            columns: Some(Columns::DEFAULT),
            ..reading()
        };
        let input = read(Box::new(Cursor::new(noise.clone())), &said).unwrap();
        assert_eq!(
            input.trace.requests.len() as u64 + input.malformed.n_lines,
            n_lines,
            "{format:?}"
        );
    }
}
