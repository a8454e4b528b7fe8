//! Properties of the hash:
//! - every field is spread evenly, alone and in pairs, for keys that differ little (H2);
//! - fields are disjoint (H2), tags are never 0 (H3), secrets matter.

use super::*;

/// The slot in a directory of `2^depth`.
fn dir_index(hash: KeyHash, stripe_log2: u32, depth: u32) -> usize {
    top_bits(hash.position(stripe_log2).bits(), depth)
}

/// The top `n` bits of a word; none of them is 0. Shifting twice keeps each shift below 64 without a branch.
const fn top_bits(word: u64, n: u32) -> usize {
    debug_assert!(n <= PLACE_BITS_MAX);
    ((word >> 1) >> (63 - n)) as usize
}

const SHAPE: u8 = 0;

fn hasher() -> Hasher64 {
    Hasher64::with_seeds(1, 2, 3, 4)
}

/// The statistic of how unevenly `values` fall into `n` classes: about 0 give or take 1 for random values.
fn unevenness(values: impl Iterator<Item = usize>, n: usize) -> f64 {
    let mut counts = vec![0_u32; n];
    let mut total = 0_u32;
    for value in values {
        counts[value] += 1;
        total += 1;
    }
    let expected = f64::from(total) / n as f64;
    let square = |count: &u32| (f64::from(*count) - expected).powi(2) / expected;
    let chi_square: f64 = counts.iter().map(square).sum();
    let freedom = n as f64 - 1.0;
    (chi_square - freedom) / (2.0 * freedom).sqrt()
}

/// A part of the hash, or two of them: its name, its value, and the number of its values.
struct Field(&'static str, fn(&KeyHash) -> usize, usize);

/// Every field, and every pair of fields that a table uses together, is as even as chance makes it.
fn check_even(name: &str, hashes: &[KeyHash]) {
    let stripe_log2 = 4;
    let fields = [
        Field("stripe", |h| h.stripe(16), 16),
        Field("wide stripe", |h| h.stripe(1024), 1024),
        Field("directory", |h| dir_index(*h, 4, 8), 256),
        Field("bucket", |h| h.bucket(), 64),
        Field("tag bits", |h| (h.bits() >> TAG_SHIFT) as usize & 0xFF, 256),
        Field(
            "directory, bucket",
            |h| dir_index(*h, 4, 4) << 6 | h.bucket(),
            1024,
        ),
        Field(
            "bucket, tag bits",
            |h| (h.bits() & 0x3FFF) as usize,
            1 << 14,
        ),
    ];
    for Field(field, value, n) in fields {
        let z = unevenness(hashes.iter().map(value), n);
        assert!(z.abs() < 5.0, "{name}: {field} has z = {z:.1}");
    }
    // Inside one stripe nothing else may lean.
    let inside = hashes.iter().filter(|h| h.stripe(1 << stripe_log2) == 3);
    let z = unevenness(inside.map(|h| h.tag() as usize % 4 * 64 + h.bucket()), 256);
    assert!(z.abs() < 5.0, "{name}: inside a stripe z = {z:.1}");
}

#[test]
fn f37_fields_are_even_for_keys_that_differ_little() {
    let n = 1 << 18;
    for hasher in [
        hasher(),
        Hasher64::with_seeds(0, 0, 0, 0),
        Hasher64::with_seeds(9, 1 << 63, 7, 5),
    ] {
        let sequential: Vec<_> = (0..n)
            .map(|i: u64| hasher.hash(0, 1, &i.to_le_bytes()))
            .collect();
        check_even("sequential integers", &sequential);
        let strided: Vec<_> = (0..n)
            .map(|i: u64| hasher.hash(0, 1, &(i << 40).to_le_bytes()))
            .collect();
        check_even("integers that differ in high bits", &strided);
        for len in [4, 9, 16, 17, 33, 64] {
            let key_of = |i: u64| {
                let mut key = vec![b'k'; len];
                let at = len / 3;
                let digits = i.to_le_bytes();
                key[at..at + 3].copy_from_slice(&digits[..3]);
                hasher.hash(0, SHAPE, &key)
            };
            let hashes: Vec<_> = (0..n).map(key_of).collect();
            check_even(&format!("{len} bytes, three of them counting"), &hashes);
        }
        let decimal: Vec<_> = (0..n)
            .map(|i| hasher.hash(0, SHAPE, format!("user:{i}").as_bytes()))
            .collect();
        check_even("decimal names", &decimal);
    }
}

#[test]
fn f37_one_changed_byte_changes_half_of_the_bits() {
    let hasher = hasher();
    for len in [1, 8, 16, 24, 40, 64] {
        let key = vec![0_u8; len];
        let base = hasher.hash(0, SHAPE, &key).bits();
        let mut flips = [0_u32; 64];
        let mut n = 0;
        for at in 0..len {
            for value in 1..=255_u8 {
                let mut other = key.clone();
                other[at] = value;
                let changed = hasher.hash(0, SHAPE, &other).bits() ^ base;
                for (bit, count) in flips.iter_mut().enumerate() {
                    *count += (changed >> bit & 1) as u32;
                }
                n += 1;
            }
        }
        for (bit, count) in flips.iter().enumerate() {
            let share = f64::from(*count) / f64::from(n);
            // 255 trials at the least: five standard deviations are 0.16.
            assert!(
                (share - 0.5).abs() < 0.16,
                "{len} bytes: bit {bit} flips {share:.2}"
            );
        }
    }
}

#[test]
fn fields_are_disjoint_and_cover_the_word() {
    for stripe_log2 in 0..=16 {
        let depth = PLACE_BITS_MAX - stripe_log2;
        for bit in 0..64 {
            let hash = KeyHash::from_bits(1 << bit);
            let stripe = hash.stripe(1 << stripe_log2) != 0;
            let directory = dir_index(hash, stripe_log2, depth) != 0;
            let bucket = hash.bucket() != 0;
            let tag = hash.tag() != KeyHash::from_bits(0).tag() || bit == TAG_SHIFT;
            let users = [stripe, directory, bucket, tag]
                .into_iter()
                .filter(|used| *used)
                .count();
            assert_eq!(users, 1, "bit {bit} with {stripe_log2} stripe bits");
        }
    }
    let all = KeyHash::from_bits(u64::MAX);
    assert_eq!((all.bucket(), all.tag()), (63, 255));
    assert_eq!((all.stripe(1), all.stripe(1 << 16)), (0, 0xFFFF));
    assert_eq!(
        (dir_index(all, 3, 0), dir_index(all, 3, 20)),
        (0, (1 << 20) - 1)
    );
}

#[test]
fn tags_are_never_zero() {
    let tags: std::collections::BTreeSet<_> = (0..256)
        .map(|i| KeyHash::from_bits(i << TAG_SHIFT).tag())
        .collect();
    assert_eq!(tags, (1..=255).collect());
}

#[test]
fn f37_secret_and_shape_matter() {
    let key = b"some key";
    assert_eq!(hasher().hash(0, 1, key), hasher().clone().hash(0, 1, key));
    assert_ne!(hasher().hash(0, 1, key), hasher().hash(0, 2, key));
    assert_ne!(hasher().hash(0, 1, key), hasher().hash(1, 1, key));
    assert_ne!(hasher().hash(1, 1, key), hasher().hash(2, 1, key));
    assert_ne!(
        hasher().hash(0, 1, key),
        Hasher64::with_seeds(1, 2, 3, 5).hash(0, 1, key)
    );
    assert_ne!(
        Hasher64::new().hash(0, 1, key),
        Hasher64::new().hash(0, 1, key)
    );
    assert_eq!(format!("{:?}", hasher()), "Hasher64 { .. }");
}
