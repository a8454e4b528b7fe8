//! A stream as entries of a cache.

use std::io::Read;
use std::time::Duration;

use super::frame::{Foreign, FrameReader, Next, VERSION};
use super::record::{self, Entries, Record, WallNs};
use super::{RestoreError, Restored};
use crate::cache::{Again, Cache, CameBack, Inner, View};
use crate::codec::Codec;
use crate::entry::Value;
use crate::lineage::{Local, Name};
use crate::sync::Arc;
use crate::tenant::step_below;

pub(super) fn read<V: Codec + ?Sized>(
    cache: &Cache<V>,
    from: impl Read,
    wall: impl Fn() -> WallNs,
) -> Result<Restored, RestoreError> {
    let mut frames = FrameReader::new(from).map_err(|foreign| match foreign {
        Foreign::Io(error) => RestoreError::Io(error),
        Foreign::NoStream => RestoreError::NoSnapshot,
        Foreign::Version(found) => RestoreError::Version {
            found,
            known: VERSION,
        },
    })?;
    let mut restored = Restored::default();
    match frames.next()? {
        Next::Frame(record::BEGINNING, name) if name == V::NAME.as_bytes() => {}
        Next::Frame(record::BEGINNING, name) => {
            return Err(RestoreError::Codec {
                found: String::from_utf8_lossy(name).into_owned(),
                wanted: V::NAME,
            });
        }
        // Whose values these are isn't known.
        Next::Frame(..) | Next::Damaged(_) | Next::End => return Err(RestoreError::NoSnapshot),
    }
    let mut n_told = None;
    loop {
        match frames.next()? {
            Next::End => {
                let is_all = n_told == Some(restored.n_met());
                restored.is_whole = is_all && restored.damaged_bytes == 0;
                return Ok(restored);
            }
            Next::Damaged(n_bytes) => restored.damaged_bytes += n_bytes,
            Next::Frame(kind, content) => {
                let is_good = match kind {
                    record::LEARNED => read_learned(cache, content),
                    record::TENANT => read_tenant(cache, content, &mut restored),
                    record::ENTRIES => read_entries(cache, content, wall(), &mut restored),
                    record::END => {
                        n_told = record::take_end(content);
                        n_told.is_some()
                    }
                    // Of a later version that can be read without.
                    _ => true,
                };
                if !is_good {
                    restored.damaged_bytes += content.len() as u64;
                }
            }
        }
    }
}

impl Restored {
    /// Entries that were met, whatever became of them.
    fn n_met(&self) -> u64 {
        self.entries + self.expired + self.present + self.refused + self.undecodable
    }
}

fn read_learned<V: Value + ?Sized>(cache: &Cache<V>, content: &[u8]) -> bool {
    // Sums of other classes than there are now can be done without.
    if let Some(learned) = record::take_learned(content) {
        cache.inner().store.expect(&Arc::new(learned));
    }
    true
}

/// Makes a tenant and its named caches, those that aren't there; false if the content makes no sense.
fn read_tenant<V: Value + ?Sized>(
    cache: &Cache<V>,
    mut content: &[u8],
    restored: &mut Restored,
) -> bool {
    let Some((name, limits)) = record::take_limits(&mut content) else {
        return false;
    };
    let tenant = cache.tenant(name);
    let Ok(tenant) = tenant.or_else(|_| cache.create_tenant(name, limits)) else {
        restored.refused_tenants += 1;
        return true;
    };
    restored.tenants += 1;
    while !content.is_empty() {
        let Some((name, limits)) = record::take_limits(&mut content) else {
            return false;
        };
        if tenant.cache(name).is_err() && tenant.create_cache(name, limits).is_err() {
            restored.refused_tenants += 1;
        }
    }
    true
}

/// Where a path leads.
#[derive(Clone)]
enum Place {
    Root,
    Below(Arc<Local>),
    /// A tenant or named cache that isn't there.
    Nowhere,
}

impl Place {
    fn at<V: Value + ?Sized>(inner: &Inner<V>, path: &[Name<'_>]) -> Place {
        let mut place = None;
        for name in path {
            match step_below(inner, place.as_ref(), *name) {
                Some(next) => place = Some(next),
                None => return Place::Nowhere,
            }
        }
        place.map_or(Place::Root, Place::Below)
    }
}

/// Puts entries back; false if the content makes no sense, from somewhere on.
fn read_entries<V: Codec + ?Sized>(
    cache: &Cache<V>,
    mut content: &[u8],
    wall: WallNs,
    restored: &mut Restored,
) -> bool {
    let inner = cache.inner();
    let mut places = vec![Place::Root];
    while !content.is_empty() {
        let record = match record::take_entries(&mut content) {
            Some(Entries::Path(path)) => {
                places.push(Place::at(inner, &path));
                continue;
            }
            Some(Entries::Entry(record)) => record,
            None => return false,
        };
        let view = match places.get(record.path as usize) {
            Some(Place::Root) => View::new(inner, None),
            Some(Place::Below(local)) => View::new(inner, Some(local)),
            Some(Place::Nowhere) => {
                restored.refused += 1;
                continue;
            }
            None => return false,
        };
        read_entry(view, &record, wall, restored);
    }
    true
}

fn read_entry<V: Codec + ?Sized>(
    view: View<'_, V>,
    record: &Record<'_>,
    wall: WallNs,
    restored: &mut Restored,
) {
    let left_until = |time: WallNs| Duration::from_nanos(time.saturating_sub(wall));
    let left = record.ends.map(left_until);
    if left == Some(Duration::ZERO) {
        restored.expired += 1;
        return;
    }
    let again = Again {
        tag: record.tag,
        left,
        fresh: record
            .refreshed
            .map(|(due, stale)| (left_until(due), left_until(stale))),
        past: record.past,
    };
    let value = match record.value.map(V::decode) {
        Some(Err(_)) => {
            restored.undecodable += 1;
            return;
        }
        Some(Ok(value)) => Some(value),
        None => None,
    };
    match view.put_back(record.key, value, &again) {
        CameBack::Stored => restored.entries += 1,
        CameBack::Present => restored.present += 1,
        CameBack::Refused => restored.refused += 1,
    }
}
