//! Compressing and decompressing.
//!
//! # Idea         what the algorithm works in is large, and is kept for the next value
//! # Costs        two short locks a value; what is kept of each kind, `KEPT_MAX` times some 100 KiB for decompressing and some MiB for
//!   compressing
//! # Not here     which values, and what becomes of failures

use std::io;

use parking_lot::Mutex;
use zstd::bulk::{Compressor, Decompressor};

use crate::room;

/// The quickest that is no trade for size: a cache compresses about as often as it decompresses.
const LEVEL: i32 = 1;
/// More values at a time are worked on in what is made for them.
const KEPT_MAX: usize = 8;

static COMPRESSORS: Kept<Compressor<'_>> = Kept(Mutex::new(Vec::new()));
static DECOMPRESSORS: Kept<Decompressor<'_>> = Kept(Mutex::new(Vec::new()));

struct Kept<T>(Mutex<Vec<T>>);

impl<T> Kept<T> {
    /// Works with one that is kept or made, and keeps it if all went well.
    fn with<R>(
        &self,
        make: impl FnOnce() -> io::Result<T>,
        work: impl FnOnce(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        let kept = self.0.lock().pop();
        let mut tool = kept.map_or_else(make, Ok)?;
        let worked = work(&mut tool)?;
        let mut kept = self.0.lock();
        if kept.len() < KEPT_MAX {
            kept.push(tool);
        }
        Ok(worked)
    }
}

pub(super) fn compress(value: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSORS.with(|| Compressor::new(LEVEL), |tool| tool.compress(value))
}

/// Bytes that come to no more than so many.
pub(super) fn decompress(payload: &[u8], bytes_max: usize) -> io::Result<Vec<u8>> {
    DECOMPRESSORS.with(Decompressor::new, |tool| {
        let mut value = room::of(bytes_max);
        tool.decompress_to_buffer(payload, &mut value)?;
        Ok(value)
    })
}
