//! Values that tell whose they are, which version, and whether they are whole; and random numbers.

/// Key, version, checksum.
const HEAD: usize = 24;

/// Numbers that are random enough, the same for the same seed.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, thread: usize) -> Random {
        let mixed = (seed ^ (thread as u64 + 1) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Random(mixed | 1)
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.word() >> 11) % n
    }
}

fn sum(key: u64, version: u64, body: &[u8]) -> u64 {
    // FNV-1a, which is enough to tell a torn value.
    body.iter()
        .fold(key ^ version.rotate_left(32), |sum, &byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
}

/// The value of a key at a version, with so many bytes behind its head.
pub(crate) fn make(key: u64, version: u64, len: usize) -> Vec<u8> {
    let body = HEAD..HEAD + len;
    let mut value = vec![0; HEAD];
    value.extend((0..len).map(|n| (version >> (n % 57)) as u8 ^ key as u8));
    let sum = sum(key, version, &value[body]);
    for (at, word) in [key, version, sum].into_iter().enumerate() {
        value[8 * at..][..8].copy_from_slice(&word.to_le_bytes());
    }
    value
}

/// The version of a key's value; or what is wrong with it.
pub(crate) fn check(key: u64, value: &[u8]) -> Result<u64, &'static str> {
    let word = |at: usize| {
        let bytes = value.get(8 * at..8 * at + 8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    let (Some(of), Some(version), Some(sum_told)) = (word(0), word(1), word(2)) else {
        return Err("a value is cut short");
    };
    if of != key {
        return Err("a value is of another key");
    }
    if sum(key, version, &value[HEAD..]) != sum_told {
        return Err("a value is torn");
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_by_key_version_and_sum() {
        let value = make(7, 9, 100);
        assert_eq!(check(7, &value), Ok(9));
        assert_eq!(check(8, &value), Err("a value is of another key"));
        assert_eq!(check(7, &value[..100]), Err("a value is torn"));
        assert_eq!(check(7, &value[..20]), Err("a value is cut short"));
        let mut torn = value;
        torn[50] ^= 1;
        assert_eq!(check(7, &torn), Err("a value is torn"));
    }
}
