//! The trace format HRT1: a header and columns of 32-bit words.
//!
//! # Idea         `HRT1`, u32 flags (1: sizes, 2: times), u64 n, u64 unique keys; then n keys, n sizes, n times; little-endian
//! # Costs        12 bytes a request that is kept; nothing is reserved on the header's word alone
//! # Invariants   H1 a column is either empty (absent) or as long as `ids`
//! # Not here     unpacking: the reader gets plain bytes

use std::io::{self, Read};

/// The columns of a trace, cut to the requests that were asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    /// The object of each request.
    pub(crate) ids: Vec<u32>,
    /// Its size in bytes; empty if the trace has none.
    pub(crate) sizes_bytes: Vec<u32>,
    /// When, in seconds; empty if the trace has none.
    pub(crate) times_s: Vec<u32>,
}

/// The four bytes that a trace begins with.
pub(crate) const MAGIC: &[u8; 4] = b"HRT1";

/// Reads the first `n_max` requests of a trace.
pub(crate) fn read(input: &mut dyn Read, n_max: u64) -> io::Result<Columns> {
    let mut header = [0; 24];
    input
        .read_exact(&mut header)
        .map_err(|error| named(error, "the header of an HRT1 trace"))?;
    if &header[..4] != MAGIC {
        return Err(invalid("the trace does not begin with HRT1"));
    }
    let flags = u32_at(&header, 4);
    if flags > SIZES | TIMES {
        return Err(invalid("the trace has flags other than sizes and times"));
    }
    let n_all = u64_at(&header, 8);
    let n_kept = n_all.min(n_max);
    let mut columns = Columns {
        ids: column(input, n_kept, "keys")?,
        ..Columns::default()
    };
    let n_rest = n_all - n_kept;
    if flags & SIZES != 0 {
        skip(input, n_rest, "keys")?;
        columns.sizes_bytes = column(input, n_kept, "sizes")?;
    }
    if flags & TIMES != 0 {
        skip(
            input,
            n_rest,
            if flags & SIZES != 0 { "sizes" } else { "keys" },
        )?;
        columns.times_s = column(input, n_kept, "times")?;
    }
    Ok(columns)
}

/// The key of an object: its id mixed, so that neighbours are scattered. The mix is the finalizer of SplitMix64 (Steele, Lea, Flood,
/// OOPSLA 2014), a bijection, so two ids never share a key.
pub(crate) fn key(id: u32) -> [u8; 8] {
    let mut word = u64::from(id).wrapping_add(0x9E37_79B9_7F4A_7C15);
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (word ^ (word >> 31)).to_le_bytes()
}

const SIZES: u32 = 1;
const TIMES: u32 = 2;

fn column(input: &mut dyn Read, n: u64, name: &str) -> io::Result<Vec<u32>> {
    let len_bytes = column_bytes(n)?;
    let mut bytes = Vec::new();
    if input.take(len_bytes).read_to_end(&mut bytes)? as u64 != len_bytes {
        return Err(cut_off(name));
    }
    let words = bytes.as_chunks::<4>().0;
    Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
}

fn skip(input: &mut dyn Read, n: u64, name: &str) -> io::Result<()> {
    let len_bytes = column_bytes(n)?;
    if io::copy(&mut input.take(len_bytes), &mut io::sink())? != len_bytes {
        return Err(cut_off(name));
    }
    Ok(())
}

fn column_bytes(n: u64) -> io::Result<u64> {
    n.checked_mul(4)
        .ok_or_else(|| invalid("the trace names more requests than a file can hold"))
}

fn u32_at(bytes: &[u8; 24], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8; 24], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

fn cut_off(name: &str) -> io::Error {
    named(
        io::ErrorKind::UnexpectedEof.into(),
        &format!("the column of {name} of an HRT1 trace"),
    )
}

fn named(error: io::Error, what: &str) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        io::Error::new(error.kind(), format!("{what} ends too early"))
    } else {
        error
    }
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    //! Properties: a trace is read back, whole or cut; every shorter file is an error; ids map to distinct keys.

    use super::*;

    fn file(flags: u32, n: u64, columns: &[&[u32]]) -> Vec<u8> {
        let words = columns.iter().flat_map(|column| column.iter());
        [
            &MAGIC[..],
            &flags.to_le_bytes(),
            &n.to_le_bytes(),
            &3_u64.to_le_bytes(),
        ]
        .into_iter()
        .map(<[u8]>::to_vec)
        .chain(words.map(|word| word.to_le_bytes().to_vec()))
        .collect::<Vec<_>>()
        .concat()
    }

    #[test]
    fn columns_come_back() {
        let (ids, sizes, times) = ([0, 1, 0, 2], [10, 20, 10, 30], [5, 5, 6, 9]);
        let read_back = |flags, columns: &[&[u32]], n_max| {
            read(&mut file(flags, 4, columns).as_slice(), n_max).unwrap()
        };
        assert_eq!(read_back(0, &[&ids], 9).ids, ids);
        let both = read_back(3, &[&ids, &sizes, &times], 4);
        assert_eq!(
            (both.sizes_bytes, both.times_s),
            (sizes.to_vec(), times.to_vec())
        );
        let only_times = read_back(2, &[&ids, &times], 4);
        assert_eq!(
            (only_times.sizes_bytes, only_times.times_s),
            (vec![], times.to_vec())
        );
        let cut = read_back(3, &[&ids, &sizes, &times], 2);
        assert_eq!(
            (cut.ids, cut.sizes_bytes, cut.times_s),
            (vec![0, 1], vec![10, 20], vec![5, 5])
        );
    }

    #[test]
    fn every_shorter_file_is_an_error() {
        let whole = file(3, 2, &[&[0, 1], &[7, 8], &[1, 2]]);
        assert!(read(&mut whole.as_slice(), 9).is_ok());
        for len in 0..whole.len() {
            assert!(read(&mut &whole[..len], 9).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn a_lying_header_is_an_error() {
        let kind = |bytes: Vec<u8>| read(&mut bytes.as_slice(), u64::MAX).unwrap_err().kind();
        assert_eq!(
            kind(file(0, u64::MAX, &[&[1, 2]])),
            io::ErrorKind::InvalidData
        );
        assert_eq!(
            kind(file(0, u64::MAX / 4, &[&[1, 2]])),
            io::ErrorKind::UnexpectedEof
        );
        assert_eq!(kind(file(4, 1, &[&[1]])), io::ErrorKind::InvalidData);
        assert_eq!(
            kind(b"HRT2".iter().copied().chain([0; 40]).collect()),
            io::ErrorKind::InvalidData
        );
    }

    #[test]
    fn keys_are_distinct() {
        let mut keys: Vec<[u8; 8]> = (0..100_000).map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 100_000);
    }
}
