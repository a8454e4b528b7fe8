//! A cache as a stream.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};

use super::frame::FrameWriter;
use super::record::{self, Record, WallNs};
use super::{Snapshot, SnapshotError, wall_ns};
use crate::cache::Cache;
use crate::clock::Nanos;
use crate::codec::{Codec, encoded};
use crate::entry::{BlockRef, Value};
use crate::key::{KeyRef, Shape};
use crate::lineage::Generation;
use crate::store::{KeptEntry, Place};
use crate::sync::Arc;

/// A frame of entries is written when it is as long as this, or holds one longer entry.
const FRAME_BYTES: usize = 64 << 10;

/// Two clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) wall: WallNs,
    pub(super) now: Nanos,
}

impl Moment {
    fn wall_at(self, time: Nanos) -> WallNs {
        let ahead = time.0.saturating_sub(self.now.0);
        let behind = self.now.0.saturating_sub(time.0);
        self.wall.saturating_add(ahead).saturating_sub(behind)
    }
}

pub(super) fn write<V: Codec + ?Sized>(
    cache: &Cache<V>,
    to: impl Write,
    wall: impl Fn() -> WallNs,
) -> Result<Snapshot, SnapshotError> {
    // Drawn from the system's randomness once a thread, and from a count.
    let identity = RandomState::new().hash_one(wall_ns());
    let mut frames = FrameWriter::new(to, identity)?;
    frames.frame(record::BEGINNING, V::NAME.as_bytes())?;
    let mut content = Vec::new();
    record::put_learned(&mut content, &cache.inner().store.learned());
    frames.frame(record::LEARNED, &content)?;
    write_tenants(cache, &mut frames)?;
    let mut snapshot = write_entries(cache, &mut frames, wall)?;
    frames.frame(record::END, &snapshot.entries.to_le_bytes())?;
    snapshot.bytes = frames.finish()?;
    Ok(snapshot)
}

fn write_tenants<V: Value + ?Sized, W: Write>(
    cache: &Cache<V>,
    frames: &mut FrameWriter<W>,
) -> io::Result<()> {
    for (name, limits) in cache.tenants() {
        let mut content = Vec::new();
        record::put_limits(&mut content, &name, &limits);
        // Who is deleted meanwhile has none.
        let caches = cache.tenant(&name).map(|tenant| tenant.caches());
        for (name, limits) in caches.unwrap_or_default() {
            record::put_limits(&mut content, &name, &limits);
        }
        frames.frame(record::TENANT, &content)?;
    }
    Ok(())
}

fn write_entries<V: Codec + ?Sized, W: Write>(
    cache: &Cache<V>,
    frames: &mut FrameWriter<W>,
    wall: impl Fn() -> WallNs,
) -> Result<Snapshot, SnapshotError> {
    let store = &cache.inner().store;
    let mut snapshot = Snapshot::default();
    let mut frame = EntryFrame::default();
    let mut kept = Vec::new();
    let mut place = Some(Place::default());
    while let Some(from) = place {
        place = store.keep_entries(from, &mut kept);
        let moment = Moment {
            wall: wall(),
            now: store.time().now(),
        };
        for entry in kept.drain(..) {
            let is_meant = |block: &BlockRef<'_>| entry.is_there(moment.now) && !block.is_copy();
            let Some(block) = entry.block().filter(is_meant) else {
                continue;
            };
            let value = (!block.is_absent()).then(|| store.value(block));
            if !frame.put(&entry, block, value, moment) {
                snapshot.skipped += 1;
                continue;
            }
            snapshot.entries += 1;
            if frame.content.len() >= FRAME_BYTES {
                frame.write(frames)?;
            }
        }
    }
    frame.write(frames)?;
    Ok(snapshot)
}

/// A frame of entries in the making.
#[derive(Default)]
struct EntryFrame {
    content: Vec<u8>,
    /// One value's bytes.
    value: Vec<u8>,
    /// The scopes that it names, in the order of their numbers.
    lives: Vec<Arc<Generation>>,
}

impl EntryFrame {
    /// Adds an entry; false if it can't be written.
    fn put<V: Codec + ?Sized>(
        &mut self,
        entry: &KeptEntry<'_>,
        block: BlockRef<'_>,
        value: Option<&V>,
        moment: Moment,
    ) -> bool {
        let path = self.path(entry.life.as_ref());
        let probe = block.probe();
        let key = KeyRef::from_stored(Shape::from_bits(probe.shape()), probe.key());
        let hard = block.deadline().get();
        let refresh = block.refresh().map(|refresh| refresh.times(moment.now));
        let mut record = Record {
            path,
            key,
            value: None,
            tag: block.tag(),
            past: entry.past,
            ends: (hard != Nanos::MAX).then(|| moment.wall_at(hard)),
            refreshed: refresh.map(|at| (moment.wall_at(at.due), moment.wall_at(at.stale))),
        };
        let Some(value) = value else {
            record.put_head(0, &mut self.content);
            return true;
        };
        // The length stands before the value, and is known after it.
        self.value.clear();
        let Ok(bytes) = encoded(value, &mut self.value) else {
            return false;
        };
        let Ok(n_value_bytes) = u32::try_from(bytes.len()) else {
            return false;
        };
        record.value = Some(bytes);
        record.put_head(n_value_bytes, &mut self.content);
        self.content.extend_from_slice(bytes);
        true
    }

    /// The number of a path, which is written before its first entry.
    fn path(&mut self, life: Option<&Arc<Generation>>) -> u32 {
        let Some(life) = life else { return 0 };
        let same = |known: &Arc<Generation>| Arc::ptr_eq(known, life);
        let index = self.lives.iter().rposition(same).unwrap_or_else(|| {
            record::put_path(&mut self.content, &life.path());
            self.lives.push(Arc::clone(life));
            self.lives.len() - 1
        });
        index as u32 + 1
    }

    fn write<W: Write>(&mut self, frames: &mut FrameWriter<W>) -> io::Result<()> {
        if !self.content.is_empty() {
            frames.frame(record::ENTRIES, &self.content)?;
        }
        self.content.clear();
        self.lives.clear();
        Ok(())
    }
}
