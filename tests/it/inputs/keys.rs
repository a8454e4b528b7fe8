//! Any parts: a key leads to its own entry and to no other, and the entry tells its parts.
//!
//! Input: for each part a byte that says what it is, then its content.

use larder::{Cache, Key, KeyError, KeyWriter, MAX_KEY_BYTES, Part, Refusal};

struct Parts<'a>(Vec<Part<'a>>);

impl Key for Parts<'_> {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        self.0.iter().for_each(|part| out.key(part));
    }
}

fn decode(mut input: &[u8]) -> Parts<'_> {
    let mut parts = Vec::new();
    while let Some((&kind, rest)) = input.split_first() {
        let len = match kind % 8 {
            0 => 8,
            1 => 16,
            2 => rest.len().min(300),
            _ => usize::from(kind / 8),
        };
        let (content, rest) = rest.split_at(len.min(rest.len()));
        let number = content
            .iter()
            .fold(0, |sum: i128, &byte| sum << 8 | i128::from(byte));
        parts.push(match kind % 8 {
            0 | 1 if number < 0 => Part::Int(number),
            0 | 1 if kind >= 128 && number > 0 => Part::Int(-number),
            0 | 1 => Part::Uint(number as u128),
            _ => Part::Bytes(content),
        });
        input = rest;
    }
    Parts(parts)
}

pub(crate) fn run(input: &[u8]) {
    let (mine, other) = input.split_at(input.len() / 2);
    let (mine, other) = (decode(mine), decode(other));
    let cache: Cache<u32> = Cache::builder().max_entries(8).build().unwrap();
    if let Err(error) = cache.insert(&mine, 1) {
        let parts = &mine.0;
        match error.refusal {
            Refusal::Key(KeyError::Empty) => assert!(matches!(parts[..], [] | [Part::Bytes([])])),
            Refusal::Key(KeyError::TooLong { len_bytes, .. }) => assert!(len_bytes > MAX_KEY_BYTES),
            other => panic!("{other:?}"),
        }
        return;
    }
    let entry = cache.get(&mine).unwrap();
    assert_eq!(entry.key().to_vec(), mine.0);
    // The parts that were read back are the same key, and any other list is another key.
    assert!(cache.get(Parts(entry.key().to_vec())).unwrap().same(&entry));
    assert_eq!(cache.contains_key(&other), mine.0 == other.0);
}
