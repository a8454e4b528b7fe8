//! Records of the further level: any bytes are refused without a panic, and damage to a record that is whole is seen.
#![no_main]

use std::time::Duration;

use larder::{LevelRecord, Stamp, Tag};
use larder_valkey::{open, seal};
use libfuzzer_sys::fuzz_target;

const NOW_US: u64 = 1_700_000_000_000_000;

fuzz_target!(|data: (&[u8], &[u8], &[u8], Vec<(u16, u8)>)| {
    let (key, value, bytes, damage) = data;
    let _ = open(key, bytes.to_vec(), NOW_US, 1 << 20);
    let record = LevelRecord {
        value,
        tag: Tag::Json,
        ttl: Some(Duration::from_secs(1)),
        fresh: None,
        stamp: None,
    };
    let whole = seal(key, record, Stamp(1), NOW_US, Some(16));
    let mut damaged = whole.clone();
    for (at, byte) in damage {
        let at = usize::from(at) % whole.len();
        damaged[at] ^= byte;
    }
    let found = open(key, damaged.clone(), NOW_US, 1 << 20);
    assert_eq!(found.is_ok(), damaged == whole);
    if let Ok(found) = found {
        assert_eq!(&found.value[..], value);
    }
});
