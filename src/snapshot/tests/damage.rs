//! Streams that are cut, changed, or made up.

use super::*;
use crate::snapshot::frame::{FrameReader, FrameWriter, Next};

const N: u64 = 600;

fn value_of(n: u64) -> Vec<u8> {
    n.to_le_bytes().repeat(60)
}

/// Several frames of entries.
fn large() -> Vec<u8> {
    let (old, _clock) = cache();
    for n in 0..N {
        old.insert(n, value_of(n)).unwrap();
    }
    stream(&old)
}

/// What is back is what was there, and what isn't is told.
#[track_caller]
fn restored_rightly(stream: &[u8]) -> Option<Restored> {
    let (new, _clock) = cache();
    let restored = read::read(&new, stream, || BEGUN).ok()?;
    assert_eq!(new.len() as u64, restored.entries);
    for entry in new.iter() {
        let &[crate::Part::Uint(n)] = &entry.key().to_vec()[..] else {
            panic!("{entry:?} was never there");
        };
        assert_eq!(&*entry, &value_of(n as u64)[..]);
    }
    Some(restored)
}

#[test]
fn a_cut_stream_gives_what_is_whole_and_says_that_it_is_cut() {
    let stream = large();
    let mut best = 0;
    for end in (0..stream.len()).step_by(997) {
        if let Some(restored) = restored_rightly(&stream[..end]) {
            assert!(!restored.is_whole, "cut at {end}");
            best = best.max(restored.entries);
        }
    }
    assert!(best > N / 2, "{best}");
    assert!(restored_rightly(&stream).unwrap().is_whole);
}

#[test]
fn f50_a_changed_byte_costs_a_frame_at_most_and_is_told() {
    let stream = large();
    let n_frames = stream.len() as u64 / (64 << 10);
    assert!(n_frames >= 3);
    let mut changed = stream.clone();
    for at in (0..stream.len()).step_by(613).chain(0..200) {
        changed[at] ^= 0x20;
        if let Some(restored) = restored_rightly(&changed) {
            assert!(
                !restored.is_whole && restored.damaged_bytes > 0,
                "byte {at}"
            );
            // A frame of 64 KiB has some 130 of these, or the last one the rest.
            assert!(
                restored.entries >= N - 140,
                "byte {at}: {}",
                restored.entries
            );
        } else {
            assert!(at < 60, "byte {at} took everything");
        }
        changed[at] ^= 0x20;
    }
}

#[test]
fn bytes_that_are_missing_or_too_many_cost_a_frame_at_most() {
    let stream = large();
    for at in (60..stream.len()).step_by(4001) {
        let mut short = stream.clone();
        short.drain(at..at + 5);
        let restored = restored_rightly(&short).unwrap();
        assert!(!restored.is_whole && restored.entries >= N - 280);
        let mut long = stream.clone();
        long.splice(at..at, [0xf1, b'L', b'D', 0xa7, 4, 0, 0]);
        let restored = restored_rightly(&long).unwrap();
        assert!(!restored.is_whole && restored.entries >= N - 280);
    }
}

#[test]
fn f50_frames_that_are_missing_and_what_follows_the_end_are_told() {
    let stream = large();
    let mut frames = FrameReader::new(&stream[..]).unwrap();
    // Where the frames of entries begin and end; 20 bytes of each are around its content.
    let (mut at, mut of_entries) = (24, Vec::new());
    while let Next::Frame(kind, content) = frames.next().unwrap() {
        let end = at + content.len() + 20;
        if kind == record::ENTRIES {
            of_entries.push(at..end);
        }
        at = end;
    }
    assert!(at == stream.len() && of_entries.len() >= 3);
    for frame in of_entries {
        let mut without = stream.clone();
        without.drain(frame);
        let restored = restored_rightly(&without).unwrap();
        assert!(!restored.is_whole, "{restored:?}");
        assert!(restored.entries < N && restored.damaged_bytes == 0);
    }
    for more in [&b"x"[..], &[0; 100], &stream] {
        let longer = [&stream, more].concat();
        let restored = restored_rightly(&longer).unwrap();
        assert!(!restored.is_whole, "{restored:?}");
        assert!(restored.entries == N && restored.damaged_bytes > 0);
    }
}

#[test]
fn what_a_value_contains_is_never_taken_for_frames() {
    let (inner, _clock) = cache();
    inner.insert("planted", b"evil").unwrap();
    let planted = stream(&inner);
    let (old, _clock) = cache();
    old.insert("a", &planted).unwrap();
    let mut stream = stream(&old);
    // The header of the frame that holds it is damaged: the search goes through the value.
    let at = stream
        .windows(planted.len())
        .position(|bytes| bytes == planted);
    let mark = stream[..at.unwrap()]
        .windows(4)
        .rposition(|bytes| bytes == [0xf1, b'L', b'D', 0xa7]);
    stream[mark.unwrap() + 8] ^= 1;
    let (new, _clock) = cache();
    let restored = back(&new, &stream, SECOND);
    assert_eq!(restored.entries, 0);
    assert!(restored.damaged_bytes > planted.len() as u64);
    assert!(new.get("planted").is_none());
}

#[test]
fn a_frame_is_read_in_pieces_of_any_length() {
    /// A stream that gives little at a time.
    struct Slow<'s>(&'s [u8], usize);
    impl Read for Slow<'_> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let n = self.1.min(to.len()).min(self.0.len());
            to[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }
    let mut out = Vec::new();
    let mut frames = FrameWriter::new(&mut out, 7).unwrap();
    for n in [0, 1, 100, 200_000] {
        frames.frame(n, &vec![n as u8; n as usize]).unwrap();
    }
    frames.finish().unwrap();
    for piece in [1, 3, 64 << 10] {
        let mut reader = FrameReader::new(Slow(&out, piece)).unwrap();
        for n in [0, 1, 100, 200_000] {
            let content = vec![n as u8; n as usize];
            assert_eq!(reader.next().unwrap(), Next::Frame(n, &content));
        }
        assert_eq!(reader.next().unwrap(), Next::End);
        assert_eq!(reader.next().unwrap(), Next::End);
    }
}

#[test]
fn a_form_of_another_version_is_refused_by_its_number() {
    let (bytes, _clock) = cache();
    let mut prelude = b"larder\r\n".to_vec();
    prelude.extend(9u32.to_le_bytes());
    prelude.extend([0; 8]);
    let sum = crate::snapshot::frame::checksum(0, &prelude);
    prelude.extend(sum.to_le_bytes());
    let error = bytes.restore_from(&prelude[..]).unwrap_err();
    assert!(matches!(
        error,
        RestoreError::Version { found: 9, known: 1 }
    ));
}

#[test]
fn the_checksum_is_crc_32c() {
    // The check value of the catalogue of CRCs; begun as if the identity's eight bytes were part of the text.
    let text = b"12345678";
    let identity = u64::from_le_bytes(*text);
    assert_eq!(
        crate::snapshot::frame::checksum(identity, b"9"),
        0xe306_9283
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    /// The records behind the checksums, as somebody may make them up.
    #[test]
    fn made_up_records_are_refused_or_read(content in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut from = &content[..];
        while let Some(_record) = record::take_entries(&mut from) {}
        let _ = record::take_learned(&content);
        let _ = record::take_limits(&mut &content[..]);
    }
}
