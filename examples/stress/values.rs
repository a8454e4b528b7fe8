//! Values that tell whether they are whole, whose they are, and whether they are still alive.

use std::sync::atomic::{AtomicI64, Ordering};

/// Key and checksum.
pub(crate) const HEAD: usize = 16;

fn sum(bytes: &[u8]) -> u64 {
    // FNV-1a, which is enough to tell a torn value.
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// A value of a key, `len` bytes behind its head.
pub(crate) fn make(key: u64, seed: u64, len: usize) -> Vec<u8> {
    let mut value = key.to_le_bytes().to_vec();
    value.extend([0; 8]);
    value.extend((0..len).map(|n| (seed >> (n % 57)) as u8));
    let sum = sum(&value[HEAD..]) ^ key;
    value[8..HEAD].copy_from_slice(&sum.to_le_bytes());
    value
}

/// Panics unless the value is one that `make` made for the key.
pub(crate) fn check(key: u64, value: &[u8]) {
    assert_eq!(value[..8], key.to_le_bytes(), "the value of another key");
    assert_eq!(
        value[8..HEAD],
        (sum(&value[HEAD..]) ^ key).to_le_bytes(),
        "a torn value"
    );
}

/// How many `Alive` there are.
pub(crate) static LIVE: AtomicI64 = AtomicI64::new(0);

const MAGIC: u64 = 0xa11f_e000_0000_0000;

/// A value on the heap that counts its kind, and knows whether it was dropped.
pub(crate) struct Alive(Box<u64>);

impl Alive {
    pub(crate) fn new(key: u64) -> Alive {
        LIVE.fetch_add(1, Ordering::Relaxed);
        Alive(Box::new(MAGIC | key))
    }

    pub(crate) fn check(&self, key: u64) {
        assert_eq!(
            *self.0,
            MAGIC | key,
            "a value of another key, or a dropped one"
        );
    }

    pub(crate) fn check_any(&self) {
        assert_eq!(*self.0 >> 48, MAGIC >> 48, "a dropped value");
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.check_any();
        *self.0 = 0;
        LIVE.fetch_sub(1, Ordering::Relaxed);
    }
}
