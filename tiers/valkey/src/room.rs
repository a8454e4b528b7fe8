//! Room for long values, used again.
//!
//! # Idea         allocators give large blocks back to the system and get them anew, page by page, which takes longer than copying what
//!   is in them. So what a long value was read into is kept for the next one, once nobody has that value any more
//! # Costs        two short locks a long value; what is kept, `KEPT_MAX` times `KEPT_BYTES_MAX` at most in the process
//! # Invariants   RO1 room is empty when it is given out: nothing of an older value is in it
//! # Not here     the buffers of connections

use bytes::Bytes;
use parking_lot::Mutex;

/// Shorter values are the allocator's own matter.
const LONG_BYTES: usize = 16 << 10;
const KEPT_BYTES_MAX: usize = 1 << 20;
const KEPT_MAX: usize = 8;

static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Bytes that are handed out, in room that comes back.
struct Lent(Vec<u8>);

/// Empty room for so many bytes.
pub(crate) fn of(n_bytes: usize) -> Vec<u8> {
    let fitting = || {
        let mut kept = KEPT.lock();
        let fits = |room: &Vec<u8>| room.capacity() >= n_bytes;
        let at = kept.iter().position(fits)?;
        Some(kept.swap_remove(at))
    };
    let kept = (n_bytes >= LONG_BYTES).then(fitting).flatten();
    kept.unwrap_or_else(|| Vec::with_capacity(n_bytes))
}

/// A copy of these bytes.
pub(crate) fn copy(bytes: &[u8]) -> Vec<u8> {
    let mut room = of(bytes.len());
    room.extend_from_slice(bytes);
    room
}

/// What stands in the room, which comes back when nobody has that any more.
pub(crate) fn lend(room: Vec<u8>) -> Bytes {
    if room.capacity() < LONG_BYTES {
        return Bytes::from(room);
    }
    Bytes::from_owner(Lent(room))
}

/// Takes room back.
pub(crate) fn give_back(mut room: Vec<u8>) {
    if !(LONG_BYTES..=KEPT_BYTES_MAX).contains(&room.capacity()) {
        return;
    }
    // RO1
    room.clear();
    let mut kept = KEPT.lock();
    if kept.len() < KEPT_MAX {
        kept.push(room);
        return;
    }
    if let Some(least) = kept.iter_mut().min_by_key(|room| room.capacity())
        && least.capacity() < room.capacity()
    {
        std::mem::swap(least, &mut room);
    }
    // What is given up goes back to the allocator without the lock, which may take it long.
    drop(kept);
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.0));
    }
}

#[cfg(test)]
mod tests;
