//! Records of the further level: any bytes are refused without a panic, and damage to a record that is whole is seen.
//!
//! Input: the length of the key and of the value, as two bytes and two; how many bytes are damaged; the key, the value; three bytes a
//! damage, which are the place and what is changed there; and what is left is taken for a record.

use std::time::Duration;

use larder::{Encoding, LevelRecord, Stamp, Tag};
use larder_valkey::{open, seal};

const NOW_US: u64 = 1_700_000_000_000_000;
const VALUE_BYTES_MAX: u64 = 1 << 20;

/// The first bytes, so many or as many as there are.
fn take<'i>(input: &mut &'i [u8], n: usize) -> &'i [u8] {
    let (taken, rest) = input.split_at(n.min(input.len()));
    *input = rest;
    taken
}

pub(crate) fn run(mut input: &[u8]) {
    let Some((&[key, key_high, value, value_high, n_damaged], rest)) = input.split_first_chunk()
    else {
        return;
    };
    input = rest;
    let key = take(&mut input, u16::from_le_bytes([key, key_high]).into());
    let value = take(&mut input, u16::from_le_bytes([value, value_high]).into());
    let (damages, _) = take(&mut input, 3 * usize::from(n_damaged)).as_chunks::<3>();
    let _ = open(key, input.to_vec(), NOW_US, VALUE_BYTES_MAX);
    let record = LevelRecord {
        value,
        encoding: Encoding(key.len() as u64 % 2),
        tag: Tag::Json,
        ttl: Some(Duration::from_secs(1)),
        fresh: None,
        stamp: None,
    };
    let whole = seal(key, record, Stamp(1), NOW_US, Some(16));
    let mut damaged = whole.clone();
    for &[low, high, byte] in damages {
        let at = usize::from(u16::from_le_bytes([low, high])) % whole.len();
        damaged[at] ^= byte;
    }
    let found = open(key, damaged.clone(), NOW_US, VALUE_BYTES_MAX);
    assert_eq!(found.is_ok(), damaged == whole);
    if let Ok(found) = found {
        assert_eq!(&found.value[..], value);
        assert_eq!(
            found.with_value(value),
            LevelRecord {
                stamp: Some(Stamp(1)),
                ..record
            }
        );
    }
    // The record of another key is none of this one.
    let other = [key, b"'"].concat();
    assert!(open(&other, whole, NOW_US, VALUE_BYTES_MAX).is_err());
}
