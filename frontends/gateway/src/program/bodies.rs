//! Places for bodies that are being read.
//!
//! # Idea         a place is held while a body is read. Where none is free, who asks for one gets that of the slowest, unless all have only
//!   begun: so that slow senders, however many, keep nobody out
//! # Costs        a lock a body; a walk over all places where none is free
//! # Invariants   BP1 there are never more places than may be; who lost one reads no further than to the frame under way. BP2 nobody loses
//!   a place within the grace, nor while there is one whose body comes more slowly
//! # Not here     how slow a body may be where places are free: `larder-serve`

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// All places.
#[derive(Debug)]
pub(super) struct Bodies {
    max: usize,
    grace: Duration,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    readers: HashMap<u64, Arc<Reader>>,
    n_so_far: u64,
}

/// Whose body is being read.
#[derive(Debug)]
struct Reader {
    since: Instant,
    n_bytes: AtomicU64,
    is_lost: Notify,
}

impl Reader {
    fn bytes_per_second(&self, now: Instant) -> u128 {
        let millis = now.saturating_duration_since(self.since).as_millis();
        // A number that is read for a comparison: nothing is ordered by it.
        u128::from(self.n_bytes.load(Ordering::Relaxed)) * 1_000 / millis.max(1)
    }
}

/// A place, until it is dropped or lost.
#[derive(Debug)]
pub(super) struct Place<'b> {
    bodies: &'b Bodies,
    number: u64,
    reader: Arc<Reader>,
}

impl Bodies {
    pub(super) fn new(max: usize, grace: Duration) -> Self {
        Self {
            max,
            grace,
            taken: Mutex::default(),
        }
    }

    /// A place, if there is one or somebody loses his; `None` where all have only begun.
    pub(super) fn take(&self) -> Option<Place<'_>> {
        let now = Instant::now();
        let mut taken = self.taken.lock();
        if taken.readers.len() >= self.max {
            let had_time = taken
                .readers
                .iter()
                .filter(|(_, reader)| now.saturating_duration_since(reader.since) >= self.grace);
            let slowest = had_time.min_by_key(|(_, reader)| reader.bytes_per_second(now));
            let number = *slowest?.0;
            taken.readers.remove(&number)?.is_lost.notify_one();
        }
        let reader = Arc::new(Reader {
            since: now,
            n_bytes: AtomicU64::new(0),
            is_lost: Notify::new(),
        });
        taken.n_so_far += 1;
        let number = taken.n_so_far;
        taken.readers.insert(number, Arc::clone(&reader));
        Some(Place {
            bodies: self,
            number,
            reader,
        })
    }
}

impl Place<'_> {
    /// Says how many bytes have come.
    pub(super) fn has_read(&self, n_bytes: u64) {
        self.reader.n_bytes.store(n_bytes, Ordering::Relaxed);
    }

    /// Waits until somebody else has it.
    pub(super) async fn lost(&self) {
        self.reader.is_lost.notified().await;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.bodies.taken.lock().readers.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn is_lost(place: &Place<'_>) -> bool {
        place.lost().now_or_never().is_some()
    }

    #[tokio::test]
    async fn the_slowest_loses_his_place_and_no_other_does() {
        tokio::time::pause();
        let bodies = Bodies::new(3, Duration::from_secs(1));
        let places = [0, 1, 2].map(|_| bodies.take().unwrap());
        tokio::time::advance(Duration::from_millis(999)).await;
        assert!(bodies.take().is_none());
        for (place, n_bytes) in places.iter().zip([500, 20, 300]) {
            place.has_read(n_bytes);
        }
        tokio::time::advance(Duration::from_millis(1)).await;
        let fourth = bodies.take().unwrap();
        let lost: Vec<bool> = places.iter().map(is_lost).collect();
        assert_eq!(lost, [false, true, false]);
        // Of the others the next one, and who has only begun never.
        let _fifth = bodies.take().unwrap();
        assert!(is_lost(&places[2]) && !is_lost(&places[0]) && !is_lost(&fourth));
        drop(places);
        assert_eq!(bodies.taken.lock().readers.len(), 2);
        let _sixth = bodies.take().unwrap();
        assert!(bodies.take().is_none() && !is_lost(&fourth));
    }
}
