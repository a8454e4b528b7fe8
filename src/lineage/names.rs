//! A hash table that grows and shrinks by one bucket at a time.
//!
//! # Idea         linear hashing (Litwin, "Linear Hashing", VLDB 1980): buckets are split in the order of their numbers,
//!   so there is nothing to rebuild; of two buckets that a longer hash tells apart, only the next in turn is split yet
//! # Costs        about 16 bytes an item and 24 for each 2 to 6 of them; insert, find, remove: the items of one bucket, and
//!   at most one split or merge; the list of buckets is copied when it doubles or falls to a quarter, 24 bytes each
//! # Invariants   N1 an item is in the bucket of its hash, and nowhere else; N2 there are between 2 and 6 items a bucket on
//!   average, or one bucket; N3 an empty table owns no memory
//! # Not here     what hashes are made of; what the items mean; any lock

/// At more items a bucket than this, one bucket is split.
const FILL_MAX: usize = 6;
/// At fewer, one is merged.
const FILL_MIN: usize = 2;

/// Items by their hashes; many may have the same.
#[derive(Debug)]
pub(crate) struct Names<T> {
    buckets: Vec<Vec<(u64, T)>>,
    n_items: usize,
}

impl<T> Names<T> {
    pub(crate) const fn new() -> Self {
        Self {
            buckets: Vec::new(),
            n_items: 0,
        }
    }

    /// The items of a hash.
    pub(crate) fn find(&self, hash: u64) -> impl Iterator<Item = &T> {
        self.buckets
            .get(self.place(hash))
            .into_iter()
            .flatten()
            .filter(move |(other, _)| *other == hash)
            .map(|(_, item)| item)
    }

    /// All items, in no order.
    #[cfg(not(engine_loom))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.buckets.iter().flatten().map(|(_, item)| item)
    }

    /// The items of a hash, to be changed.
    #[cfg(not(engine_loom))]
    pub(crate) fn find_mut(&mut self, hash: u64) -> impl Iterator<Item = &mut T> {
        let at = self.place(hash);
        self.buckets
            .get_mut(at)
            .into_iter()
            .flatten()
            .filter(move |(other, _)| *other == hash)
            .map(|(_, item)| item)
    }

    /// How many items there are.
    #[cfg(not(engine_loom))]
    pub(crate) fn len(&self) -> usize {
        self.n_items
    }

    pub(crate) fn insert(&mut self, hash: u64, item: T) {
        if self.n_items >= self.buckets.len() * FILL_MAX {
            self.split();
        }
        let at = self.place(hash);
        let bucket = &mut self.buckets[at];
        // A bucket has a few items; room for many more would be idle.
        if bucket.len() == bucket.capacity() {
            bucket.reserve_exact(2);
        }
        bucket.push((hash, item));
        self.n_items += 1;
    }

    /// Takes out the item of a hash that `is_it` says yes to.
    pub(crate) fn remove(&mut self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let at = self.place(hash);
        let bucket = self.buckets.get_mut(at)?;
        let idx = bucket
            .iter()
            .position(|(other, item)| *other == hash && is_it(item))?;
        let (_, item) = bucket.swap_remove(idx);
        trim(bucket);
        self.n_items -= 1;
        if self.n_items < self.buckets.len() * FILL_MIN {
            self.merge();
        }
        Some(item)
    }

    /// The bucket of a hash: as many of its low bits as there are buckets for, or one less.
    fn place(&self, hash: u64) -> usize {
        let mask = self.buckets.len().next_power_of_two() - 1;
        let place = hash as usize & mask;
        if place < self.buckets.len() {
            place
        } else {
            place & (mask >> 1)
        }
    }

    /// Adds a bucket, with what is its own of the bucket that stood for both.
    fn split(&mut self) {
        let new = self.buckets.len();
        self.buckets.push(Vec::new());
        if new == 0 {
            return;
        }
        let mask = (new + 1).next_power_of_two() - 1;
        let old = &mut self.buckets[sibling(new)];
        let moved: Vec<_> = old
            .extract_if(.., |(hash, _)| *hash as usize & mask == new)
            .collect();
        trim(old);
        self.buckets[new] = moved;
    }

    /// Takes the last bucket away; what was in it goes back to where it came from.
    fn merge(&mut self) {
        let Some(moved) = self.buckets.pop() else {
            return;
        };
        let last = self.buckets.len();
        if last > 0 {
            self.buckets[sibling(last)].extend(moved);
        } else if !moved.is_empty() {
            self.buckets.push(moved);
        }
        trim(&mut self.buckets);
    }
}

/// The bucket that stands for both itself and bucket `new` while there is no such bucket.
fn sibling(new: usize) -> usize {
    new & !(1 << new.ilog2())
}

/// Gives memory back when three quarters of it are idle.
fn trim<T>(items: &mut Vec<T>) {
    if items.len() * 4 <= items.capacity() {
        items.shrink_to(items.len() * 2);
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
