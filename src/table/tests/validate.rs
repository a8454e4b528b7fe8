//! What holds for every table, whatever it is filled with.

use super::*;

/// All segments from the left to the right, each with its first root.
pub(super) fn segments(shared: &Shared) -> Vec<(usize, *mut Segment)> {
    let mut segments: Vec<(usize, *mut Segment)> = Vec::new();
    for (index, root) in shared.directory().roots.iter().enumerate() {
        let tagged = root.load(Ordering::Relaxed);
        if segments.last().is_none_or(|&(_, last)| last != tagged) {
            segments.push((index, tagged));
        }
    }
    segments
}

impl Table {
    /// Checks T2, T3, T5, T7, and that the parts agree with one another; O(slots). `see` gets every entry with its metadata.
    pub(crate) fn validate(
        &mut self,
        shared: &Shared,
        hash_of: &impl Fn(BlockRef<'_>) -> KeyHash,
        mut see: impl FnMut(BlockRef<'_>, u32),
    ) {
        let depth = shared.directory().depth;
        let segments = segments(shared);
        let (mut bytes, mut n_entries) = (0, 0);
        for &(first, tagged) in &segments {
            let (segment, mask) = split_root(tagged);
            let writer = self.writer(shared);
            let head = writer.head(segment);
            let spread = 1 << (depth - head.depth.load(Ordering::Relaxed));
            assert_eq!((head.log2, first % spread), (mask.count_ones(), 0));
            let roots = &shared.directory().roots[first..first + spread];
            assert!(
                roots
                    .iter()
                    .all(|root| root.load(Ordering::Relaxed) == tagged),
                "roots stand side by side"
            );
            bytes += Segment::bytes(head.log2);
            let mut passed = vec![0; mask + 1];
            let mut n = 0;
            for index in 0..=mask {
                writer.visit(segment, index, |loc, meta| {
                    let block = writer.block(loc).expect("visited slots are taken");
                    let hash = hash_of(block);
                    let tags = writer.bucket(segment, index).tags.load(Ordering::Relaxed);
                    assert_eq!((tags >> (8 * loc.slot())) as u8, hash.tag(), "T2");
                    assert_eq!(
                        writer.find(hash, &block.probe()),
                        Some(loc),
                        "a key is linked once, and found"
                    );
                    let bits = shared.position(hash).bits();
                    let home = bits.checked_shr(64 - depth).unwrap_or(0) as usize;
                    assert!(
                        (first..first + spread).contains(&home),
                        "an entry is where its hash says"
                    );
                    let mut at = hash.bucket() & mask;
                    while at != index {
                        passed[at] += 1;
                        at = (at + hash.stride()) & mask;
                    }
                    see(block, meta);
                    n += 1;
                });
            }
            for (index, &n_passed) in passed.iter().enumerate() {
                validate_bucket(writer.bucket(segment, index), n_passed);
            }
            assert_eq!(writer.count_of(first..first + spread), n, "T7");
            n_entries += n;
        }
        let directories: u64 = (0..=depth).map(|depth| (8 << depth) + 64).sum();
        assert_eq!(self.directories.len(), depth as usize + 1, "T5");
        let counts = 4 * self.counts.len() as u64;
        assert_eq!(self.bytes(), bytes + directories + counts);
        assert_eq!(self.n_segments, segments.len());
        assert_eq!(self.n_buckets(), segments.len() * N_BUCKETS);
        assert_eq!(self.len(), n_entries);
    }
}

fn validate_bucket(bucket: &Bucket, n_passed: u64) {
    let tags = bucket.tags.load(Ordering::Relaxed);
    let overflow = overflow_of(tags);
    assert!(
        overflow == n_passed || overflow == 255,
        "T3: {overflow} for {n_passed}"
    );
    let n_tags = (0..SLOTS)
        .filter(|slot| (tags >> (8 * slot)) as u8 != 0)
        .count();
    let n_slots = bucket
        .slots
        .iter()
        .filter(|slot| !slot.load(Ordering::Relaxed).is_null())
        .count();
    assert_eq!(n_tags, n_slots, "T2");
}
