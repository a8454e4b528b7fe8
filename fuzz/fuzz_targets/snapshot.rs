//! A snapshot, damaged as the fuzzer likes: what comes back was there, and what doesn't is told.
#![no_main]

use larder::{Cache, Part};
use libfuzzer_sys::fuzz_target;

fn value_of(n: u64) -> Vec<u8> {
    n.to_le_bytes().repeat(1 + (n % 97) as usize)
}

fn cache() -> Cache<[u8]> {
    Cache::builder().max_bytes(64 << 20).build().unwrap()
}

fuzz_target!(|data: &[u8]| {
    let Some((&n, edits)) = data.split_first() else {
        return;
    };
    let old = cache();
    for n in 0..u64::from(n) {
        old.insert(n, value_of(n)).unwrap();
    }
    let mut stream = Vec::new();
    old.snapshot_to(&mut stream).unwrap();
    // Each edit: a place, what happens there, and a byte.
    for edit in edits.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % stream.len().max(1);
        match edit[2] % 4 {
            _ if stream.is_empty() => {}
            0 => stream[at] ^= edit[3],
            1 => stream.truncate(at),
            2 => stream.insert(at, edit[3]),
            _ => drop(stream.drain(at..(at + usize::from(edit[3])).min(stream.len()))),
        }
    }
    let new = cache();
    let Ok(restored) = new.restore_from(&stream[..]) else {
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
    if restored.is_whole {
        assert_eq!(restored.entries, u64::from(n));
    }
    // Bytes that were never a snapshot.
    let _ = cache().restore_from(data);
});
