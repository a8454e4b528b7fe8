//! A snapshot that is damaged as the input says: what comes back was there, and what doesn't is told.
//!
//! Input: how many entries; then four bytes an edit: the place, what happens there, and a byte.

use larder::{Cache, Part};

fn value_of(n: u64) -> Vec<u8> {
    n.to_le_bytes().repeat(1 + (n % 97) as usize)
}

fn cache() -> Cache<[u8]> {
    Cache::builder().max_bytes(64 << 20).build().unwrap()
}

fn edit(stream: &mut Vec<u8>, [low, high, what, byte]: [u8; 4]) {
    if stream.is_empty() {
        return;
    }
    let at = usize::from(u16::from_le_bytes([low, high])) % stream.len();
    match what % 4 {
        0 => stream[at] ^= byte,
        1 => stream.truncate(at),
        2 => stream.insert(at, byte),
        _ => drop(stream.drain(at..(at + usize::from(byte)).min(stream.len()))),
    }
}

pub(crate) fn run(input: &[u8]) {
    let Some((&n, edits)) = input.split_first() else {
        return;
    };
    let old = cache();
    for n in 0..u64::from(n) {
        old.insert(n, value_of(n)).unwrap();
    }
    let mut stream = Vec::new();
    old.snapshot_to(&mut stream).unwrap();
    let whole = stream.clone();
    let (edits, _) = edits.as_chunks::<4>();
    for &each in edits {
        edit(&mut stream, each);
    }
    // Bytes that were never a snapshot.
    let _ = cache().restore_from(input);
    let new = cache();
    let Ok(restored) = new.restore_from(&stream[..]) else {
        assert_ne!(stream, whole, "a stream that nobody touched is refused");
        return;
    };
    assert!(restored.entries <= u64::from(n));
    assert_eq!(new.len() as u64, restored.entries);
    for entry in new.iter() {
        let &[Part::Uint(n)] = &entry.key().to_vec()[..] else {
            panic!("a key that was never there");
        };
        assert_eq!(&*entry, &value_of(n as u64)[..]);
    }
    assert!(restored.is_whole || stream != whole);
    if restored.is_whole {
        assert_eq!(restored.entries, u64::from(n));
    }
}
