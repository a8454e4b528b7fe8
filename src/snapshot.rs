//! Warm restart: what a cache holds, and knows, in a file, and back.
//!
//! # Idea
//! A snapshot is a stream of frames (module `frame`), each of which can be read without the others: tenants with their limits, what the policy has
//! learned, and entries with the paths of their scopes. It is written while others work: a segment of a stripe is looked at
//! under its lock, and encoded without. An entry that is restored is a write like any other, where nothing is.
//!
//! ```text
//! stripe --lock: counts of a segment's entries--> encode --> frame of 64 KiB --> file beside --sync, rename--> file
//! file --> frame --whole?--> decode --> write, if the key is absent
//! ```
//!
//! # Costs
//! Writing: the entries of a segment, 448 at most, are counted up under the lock; memory for those and a frame. Reading: a write an entry.
//!
//! # Invariants
//! - SN1 Under a stripe's lock no user code runs, and nothing is written.
//! - SN2 What a file was before, it is until the next snapshot is whole on the disk.
//! - SN3 An entry that is past its deadline by the wall clock doesn't come back, and no value that was written since is overwritten.
//! - SN4 Copies of what a further level has aren't in it: changes that others make while nobody listens would go unseen.
//!
//! # Not here
//! How a value is encoded: [`Codec`].

mod file;
mod frame;
mod read;
mod record;
mod write;

use std::error::Error;
use std::fmt;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::time::SystemTime;

use self::file::Replacing;
use self::record::WallNs;
use crate::cache::Cache;
use crate::codec::Codec;
use crate::sync::time::wall;

/// Enough that few system calls are made.
const BUFFER_BYTES: usize = 256 << 10;

/// What a snapshot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// Entries, those included that say that there is no value.
    pub entries: u64,
    /// Entries that their codec refused, or that are of 4 GiB or more.
    pub skipped: u64,
    /// The length of the stream.
    pub bytes: u64,
}

/// What came of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Restored {
    /// Entries that are back. Those for which there was no room for all of them may have been evicted by the later ones.
    pub entries: u64,
    /// Entries whose deadline has passed meanwhile.
    pub expired: u64,
    /// Entries whose key has a value already.
    pub present: u64,
    /// Entries that the cache, or their tenant's limits, refused, or whose tenant is refused.
    pub refused: u64,
    /// Entries that are whole and that the codec can't read.
    pub undecodable: u64,
    /// Tenants that are there now.
    pub tenants: u64,
    /// Tenants and named caches that can't be made, such as when more would be guaranteed than the cache holds.
    pub refused_tenants: u64,
    /// Bytes that are damaged, with what was in them.
    pub damaged_bytes: u64,
    /// Whether nothing is damaged, and nothing is missing: all entries were met that were written.
    pub is_whole: bool,
}

/// Why there is no snapshot.
#[derive(Debug)]
#[non_exhaustive]
pub enum SnapshotError {
    /// It can't be written.
    Io(io::Error),
}

/// Why nothing is restored, or no more.
#[derive(Debug)]
#[non_exhaustive]
pub enum RestoreError {
    /// It can't be read; what was read before is restored.
    Io(io::Error),
    /// It is no snapshot, or its beginning is damaged.
    NoSnapshot,
    /// It is of another form than this version of the crate reads.
    Version {
        /// Which.
        found: u32,
        /// Which it should be.
        known: u32,
    },
    /// Its values are encoded in another way.
    Codec {
        /// The name of the encoding.
        found: String,
        /// The name that this cache's codec has.
        wanted: &'static str,
    },
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SnapshotError::Io(error) = self;
        write!(f, "the snapshot can't be written: {error}")
    }
}

impl Error for SnapshotError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let SnapshotError::Io(error) = self;
        Some(error)
    }
}

impl From<io::Error> for SnapshotError {
    fn from(error: io::Error) -> Self {
        SnapshotError::Io(error)
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestoreError::Io(error) => write!(f, "the snapshot can't be read: {error}"),
            RestoreError::NoSnapshot => {
                f.write_str("this is no snapshot of a cache, or its beginning is damaged")
            }
            RestoreError::Version { found, known } => {
                write!(f, "the snapshot has form {found}; form {known} can be read")
            }
            RestoreError::Codec { found, wanted } => write!(
                f,
                "the snapshot's values are encoded as {found:?}; this cache's are {wanted:?}"
            ),
        }
    }
}

impl Error for RestoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            RestoreError::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for RestoreError {
    fn from(error: io::Error) -> Self {
        RestoreError::Io(error)
    }
}

impl<V: Codec + ?Sized> Cache<V> {
    /// Writes what the cache holds to a file that its owner alone may read, in the place of an older one, which stays until the new one is
    /// whole on the disk.
    ///
    /// Others go on meanwhile: an entry that is there all the time is in the snapshot, one that comes or goes may be. Entries
    /// keep their deadlines by the wall clock; the time to idle begins anew. Tenants, named caches and their limits, scopes, and what the
    /// eviction policy has learned are in it; counters, versions, listeners, what rates have left, and copies of what a further level has
    /// ([`LevelView`](crate::LevelView)) aren't.
    ///
    /// # Errors
    /// [`SnapshotError::Io`]; the older file is as it was.
    ///
    /// # Panics
    /// With [`Codec::encode`], and the older file is as it was.
    ///
    /// Cost: each stripe's lock for a segment at a time, a few hundred entries; memory for these. It returns when the file is on the disk:
    /// from asynchronous code, call it in a thread for what blocks.
    ///
    /// # Examples
    /// ```
    /// use larder::Cache;
    ///
    /// let dir = std::env::temp_dir().join(format!("larder-doc-{}", std::process::id()));
    /// std::fs::create_dir_all(&dir)?;
    /// let cache: Cache<str> = Cache::builder().max_bytes(64 << 20).build()?;
    /// cache.insert("motd", "hello")?;
    /// cache.snapshot(dir.join("warm"))?;
    ///
    /// let next: Cache<str> = Cache::builder().max_bytes(64 << 20).build()?;
    /// let restored = next.restore(dir.join("warm"))?;
    /// assert!(restored.is_whole && restored.entries == 1);
    /// assert_eq!(next.get("motd").as_deref(), Some("hello"));
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot(&self, path: impl AsRef<Path>) -> Result<Snapshot, SnapshotError> {
        let replacing = Replacing::begin(path.as_ref())?;
        let to = BufWriter::with_capacity(BUFFER_BYTES, replacing.file());
        let snapshot = self.snapshot_to(to)?;
        replacing.finish()?;
        Ok(snapshot)
    }

    /// The same to any stream, which should be buffered, and is flushed.
    ///
    /// # Errors
    /// [`SnapshotError::Io`]; what was written is whole up to there.
    ///
    /// # Panics
    /// With [`Codec::encode`].
    pub fn snapshot_to(&self, to: impl Write) -> Result<Snapshot, SnapshotError> {
        write::write(self, to, wall_ns)
    }

    /// Puts back what a file holds, and returns when that is done: from asynchronous code, in a thread for what blocks. What has been written since the cache was built stays as it is; that there is no value, where a loader has
    /// found that since, gives way to a value of the file.
    ///
    /// A damaged file gives what is whole in it, and [`Restored`] tells the rest. Tenants and named caches that aren't there are made with the
    /// limits that they had; those that are there keep theirs.
    ///
    /// # Errors
    /// [`RestoreError`]: nothing is restored, but for an error while reading. At a first start there is no file:
    /// [`RestoreError::Io`] of the kind [`NotFound`](io::ErrorKind::NotFound).
    ///
    /// # Panics
    /// With [`Codec::decode`]; what was read before is restored.
    ///
    /// Cost: an insert for each entry; memory for 64 KiB or the longest entry.
    pub fn restore(&self, path: impl AsRef<Path>) -> Result<Restored, RestoreError> {
        let file = std::fs::File::open(path)?;
        self.restore_from(BufReader::with_capacity(BUFFER_BYTES, file))
    }

    /// The same from any stream, which should be buffered.
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    ///
    /// # Panics
    /// With [`Codec::decode`].
    pub fn restore_from(&self, from: impl Read) -> Result<Restored, RestoreError> {
        read::read(self, from, wall_ns)
    }
}

/// The wall clock.
fn wall_ns() -> WallNs {
    let since = wall().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos());
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
