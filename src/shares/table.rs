//! Cells by number: chunks of growing size, each a fifth of what there is with it, or less; made when first needed, and there to stay.

use std::fmt;

use super::POOL_BITS;
use super::cell::Cell;
use crate::sync::CachePadded;
#[cfg(not(engine_loom))]
use crate::sync::OnceLock;

type Chunk = Box<[CachePadded<Cell>]>;

/// The cells. Readable without a lock while it grows.
pub(super) struct Table {
    chunks: [Shelf; N_CHUNKS],
    n_stripes: usize,
}

impl Table {
    pub(super) fn new(n_stripes: usize) -> Self {
        Self {
            chunks: std::array::from_fn(|chunk| Shelf::new(chunk, n_stripes)),
            n_stripes,
        }
    }

    /// The cell of a number, if its chunk was made.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&Cell> {
        let (chunk, slot) = place_of(number);
        Some(&**self.chunks.get(chunk)?.get()?.get(slot)?)
    }

    /// Makes the chunk that a number is in. No number above `POOL_MAX` has one.
    pub(super) fn make_room(&self, number: u32) {
        let (chunk, _) = place_of(number);
        self.chunks[chunk].fill(chunk, self.n_stripes);
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        let words_of_more = self.n_stripes.div_ceil(64).saturating_sub(1);
        let of_cell = size_of::<CachePadded<Cell>>() + words_of_more * size_of::<u64>();
        let made = self.chunks.iter().filter_map(Shelf::get);
        made.map(|chunk| chunk.len() * of_cell).sum()
    }
}

impl fmt::Debug for Table {
    /// Shows how much there is, not what: it may be a million cells.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_cells: usize = self
            .chunks
            .iter()
            .filter_map(Shelf::get)
            .map(|chunk| chunk.len())
            .sum();
        f.debug_struct("Table")
            .field("n_cells", &n_cells)
            .finish_non_exhaustive()
    }
}

/// Room for a chunk.
#[cfg(not(engine_loom))]
struct Shelf(OnceLock<Chunk>);

#[cfg(not(engine_loom))]
impl Shelf {
    fn new(_: usize, _: usize) -> Self {
        Self(OnceLock::new())
    }

    #[inline]
    fn get(&self) -> Option<&Chunk> {
        self.0.get()
    }

    fn fill(&self, chunk: usize, n_stripes: usize) {
        self.0.get_or_init(|| made(chunk, n_stripes));
    }
}

/// For the model checker, which knows no `OnceLock`: the first chunk is there from the beginning, and none follows.
#[cfg(engine_loom)]
struct Shelf(Option<Chunk>);

#[cfg(engine_loom)]
impl Shelf {
    fn new(chunk: usize, n_stripes: usize) -> Self {
        Self((chunk == 0).then(|| made(chunk, n_stripes)))
    }

    fn get(&self) -> Option<&Chunk> {
        self.0.as_ref()
    }

    fn fill(&self, _: usize, _: usize) {
        assert!(self.0.is_some(), "a model needs few pools");
    }
}

fn made(chunk: usize, n_stripes: usize) -> Chunk {
    let cell = |_| CachePadded::new(Cell::new(n_stripes));
    (0..len_of(chunk)).map(cell).collect()
}

/// The first chunk has `FIRST_LEN` numbers, the next `N_PARTS` as many together, and so on: as many as all before them.
#[inline]
fn place_of(number: u32) -> (usize, usize) {
    if number < FIRST_LEN {
        return (0, number as usize);
    }
    let top = number.ilog2();
    let part_log2 = top - N_PARTS.ilog2();
    let part = number >> part_log2 & (N_PARTS - 1);
    let chunk = 1 + (top - FIRST_LOG2) * N_PARTS + part;
    (chunk as usize, (number & ((1 << part_log2) - 1)) as usize)
}

fn len_of(chunk: usize) -> usize {
    match chunk.checked_sub(1) {
        None => FIRST_LEN as usize,
        Some(part) => ((FIRST_LEN / N_PARTS) as usize) << (part / N_PARTS as usize),
    }
}

const FIRST_LOG2: u32 = if cfg!(engine_loom) { 2 } else { 6 };
const FIRST_LEN: u32 = 1 << FIRST_LOG2;
const N_PARTS: u32 = 4;

/// So many that the last one ends where the numbers do.
const N_CHUNKS: usize = 1 + ((POOL_BITS - FIRST_LOG2) * N_PARTS) as usize;

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests {
    use super::super::POOL_MAX;
    use super::*;

    #[test]
    fn each_number_has_one_place() {
        let mut expected = (0, 0);
        for number in 0..=POOL_MAX {
            assert_eq!(place_of(number), expected, "{number}");
            expected.1 += 1;
            if expected.1 == len_of(expected.0) {
                expected = (expected.0 + 1, 0);
            }
        }
        assert_eq!(expected, (N_CHUNKS, 0), "no chunk is unused");
    }

    #[test]
    fn chunks_are_made_when_needed() {
        let table = Table::new(128);
        assert_eq!(table.memory_bytes(), 0);
        assert!(table.get(100).is_none());
        table.make_room(100);
        assert!(table.get(96).is_some() && table.get(111).is_some());
        assert!(table.get(1).is_none() && table.get(95).is_none() && table.get(112).is_none());
        assert!(table.get(u32::MAX).is_none());
        assert_eq!(table.memory_bytes(), 16 * (128 + 8));
    }
}
