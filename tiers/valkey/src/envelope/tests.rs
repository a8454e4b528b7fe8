//! EN1 and EN2: what is sealed opens, and nothing else does.

use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_700_000_000_000_000;
const ANY: u64 = 1 << 20;

fn record(value: &[u8]) -> LevelRecord<&[u8]> {
    LevelRecord {
        value,
        encoding: Encoding::BYTES,
        tag: Tag::Text,
        ttl: Some(Duration::from_secs(60)),
        fresh: None,
        stamp: None,
    }
}

fn sealed(value: &[u8]) -> Vec<u8> {
    seal(b"key", record(value), Stamp(7), NOW, Some(64))
}

/// The bytes with their checksum made good.
fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = checksum(b"key", &bytes[..CHECKSUM_AT], [&[], &bytes[HEADER_BYTES..]]);
    bytes[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn flaw(bytes: Vec<u8>) -> Flaw {
    open(b"key", bytes, NOW, ANY).unwrap_err()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn e_57_what_is_sealed_opens_for_its_key_alone(
        key in prop::collection::vec(any::<u8>(), 0..40),
        other in prop::collection::vec(any::<u8>(), 0..40),
        value in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            (any::<u8>(), 0..2000_usize).prop_map(|(byte, n)| vec![byte; n]),
        ],
        tag in 0..6_u8,
        ttl in prop::option::of(0..1_u64 << 50),
        fresh in prop::option::of(0..1_u64 << 50),
        stamp in any::<u64>(),
        encoding in prop_oneof![Just(0_u64), any::<u64>()],
        later in 0..1_u64 << 51,
    ) {
        let tag = tag_of(tag).unwrap();
        let encoding = Encoding(encoding);
        let [ttl_span, fresh_span] = [ttl, fresh].map(|us| us.map(Duration::from_micros));
        let record = LevelRecord {
            value: &value[..],
            encoding,
            tag,
            ttl: ttl_span,
            fresh: fresh_span,
            stamp: None,
        };
        let bytes = seal(&key, record, Stamp(stamp), NOW, Some(100));
        if key != other {
            prop_assert_eq!(open(&other, bytes.clone(), NOW, ANY), Err(Flaw::OtherKey));
        }
        let found = open(&key, bytes, NOW + later, ANY).unwrap();
        let left = |us: Option<u64>| us.map(|us| Duration::from_micros(us.saturating_sub(later)));
        prop_assert_eq!(&found.value[..], &value[..]);
        prop_assert_eq!((found.tag, found.stamp), (tag, Some(Stamp(stamp))));
        prop_assert_eq!(found.encoding, encoding);
        prop_assert_eq!((found.ttl, found.fresh), (left(ttl), left(fresh)));
    }

    #[test]
    fn f50_any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(open(b"key", bytes.clone(), NOW, ANY).is_err());
        let with_magic = [&MAGIC[..], &[VERSION], &bytes].concat();
        prop_assert!(open(b"key", with_magic, NOW, ANY).is_err());
    }
}

#[test]
fn f50_damage_at_each_bit_is_a_flaw() {
    let of_bytes = [&b"value"[..], &[b'v'; 500]].map(sealed);
    let encoding = Encoding(0x0123_4567_89AB_CDEF);
    let other = LevelRecord {
        encoding,
        ..record(b"value")
    };
    let other = seal(b"key", other, Stamp(7), NOW, None);
    for whole in of_bytes.into_iter().chain([other]) {
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                let expected = match at {
                    0..4 => Flaw::Foreign,
                    4 => Flaw::Version,
                    8..16 => Flaw::OtherKey,
                    _ => Flaw::Damaged,
                };
                assert_eq!(flaw(damaged), expected, "byte {at}, bit {bit}");
            }
        }
        for len in 0..whole.len() {
            let expected = if len < 4 {
                Flaw::Foreign
            } else {
                Flaw::Damaged
            };
            assert_eq!(flaw(whole[..len].to_vec()), expected, "cut at {len}");
        }
        let longer = [&whole[..], &[0]].concat();
        assert_eq!(flaw(longer), Flaw::Damaged);
    }
}

#[test]
fn f50_what_another_version_wrote_is_a_flaw() {
    let whole = sealed(b"value");
    for (at, byte, expected) in [
        (4, VERSION + 1, Flaw::Version),
        (5, 4, Flaw::Version),
        // It says that its encoding is told, and ends before.
        (5, ENCODED, Flaw::Damaged),
        (6, 6, Flaw::Version),
        (7, 1, Flaw::Version),
        // It says that it is compressed, and isn't.
        (5, COMPRESSED, Flaw::Damaged),
        (40, 4, Flaw::Damaged),
        (43, 1, Flaw::TooLong),
    ] {
        let mut other = whole.clone();
        other[at] = byte;
        assert_eq!(flaw(resealed(other)), expected, "byte {at}");
    }
    assert_eq!(flaw(b"a value of somebody else".to_vec()), Flaw::Foreign);
}

#[cfg(feature = "zstd")]
#[test]
fn e_57_values_above_the_size_are_compressed_where_that_pays() {
    let (long, noise) = ([b'v'; 5000], noise());
    assert!(sealed(&long).len() < 200);
    assert_eq!(sealed(&long[..63]).len(), HEADER_BYTES + 63);
    assert_eq!(sealed(&noise).len(), HEADER_BYTES + noise.len());
    assert_eq!(
        seal(b"key", record(&long), Stamp(7), NOW, None).len(),
        HEADER_BYTES + 5000
    );
}

#[cfg(feature = "zstd")]
#[test]
fn f50_a_length_that_lies_takes_no_memory() {
    let mut lies = sealed(&[b'v'; 500]);
    lies[40..48].copy_from_slice(&(1_u64 << 45).to_le_bytes());
    let lies = resealed(lies);
    assert_eq!(open(b"key", lies.clone(), NOW, ANY), Err(Flaw::TooLong));
    assert_eq!(open(b"key", lies, NOW, u64::MAX), Err(Flaw::Damaged));
}

#[cfg(feature = "zstd")]
fn noise() -> Vec<u8> {
    let hashes = (0..64_u64).map(|n| XxHash3_64::oneshot(&n.to_le_bytes()));
    hashes.flat_map(u64::to_le_bytes).collect()
}

/// EN3: bytes that were written once are read for ever.
#[test]
fn e_57_the_format_stands() {
    let bytes = seal(b"key", record(b"v"), Stamp(7), NOW, None);
    let header = bytes.iter().map(|byte| format!("{byte:02x}"));
    assert_eq!(header.collect::<String>(), STORED);
}

const STORED: &str = concat!(
    "4c52445201000100e36551a0630deabb00c7b11b240a0600ffffffffffffffff",
    "0700000000000000010000000000000057ae26f39cf831dd76",
);
