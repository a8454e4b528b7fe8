//! Frames: pieces of a stream that each say whether they are whole.
//!
//! # Idea
//! A stream begins with an identity, and is a row of frames from there. A frame's header and its content have checksums of their own, both begun
//! with the identity: a damaged content is passed over, and after a damaged header the next one is looked for. What a value
//! happens to contain is never taken for a frame, since who wrote the value didn't know the identity.
//!
//! | stream | bytes | | frame | bytes |
//! |---|---|---|---|---|
//! | [`MAGIC`] | 8 | | [`MARK`] | 4 |
//! | version | 4 | | kind | 4 |
//! | identity | 8 | | length of the content | 4 |
//! | checksum | 4 | | checksum of the header | 4 |
//! | frames | | | content | |
//! | | | | checksum of the content | 4 |
//!
//! Numbers are little-endian. The checksum is CRC-32C (Castagnoli, Braeuer, Herrmann, IEEE Trans. Comm. 1993).
//!
//! # Costs        a table look-up a byte; memory for the longest frame that there is
//! # Invariants   FR1 no length is believed without its checksum, and no memory is taken beyond what the stream has
//! # Not here     what is in a frame

use std::io::{self, ErrorKind, Read, Write};

use bytes::Buf;

/// How a stream begins.
pub(super) const MAGIC: [u8; 8] = *b"larder\r\n";
/// Of the stream's form.
pub(super) const VERSION: u32 = 1;
const MARK: [u8; 4] = [0xf1, b'L', b'D', 0xa7];
const PRELUDE_BYTES: usize = 24;
const HEADER_BYTES: usize = 16;
const SUM_BYTES: usize = 4;
/// How much is asked of the stream at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// The table of CRC-32C, reflected.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 {
                sum >> 1 ^ 0x82f6_3b78
            } else {
                sum >> 1
            };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

pub(super) fn checksum(identity: u64, bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| TABLE[usize::from(sum as u8 ^ byte)] ^ sum >> 8;
    let begun = identity.to_le_bytes().iter().fold(u32::MAX, step);
    !bytes.iter().fold(begun, step)
}

/// Writes frames.
pub(super) struct FrameWriter<W> {
    to: W,
    identity: u64,
    n_bytes: u64,
}

impl<W: Write> FrameWriter<W> {
    /// Begins a stream. The identity is one that nobody knows.
    pub(super) fn new(mut to: W, identity: u64) -> io::Result<Self> {
        let mut prelude = Vec::with_capacity(PRELUDE_BYTES);
        prelude.extend(MAGIC);
        prelude.extend(VERSION.to_le_bytes());
        prelude.extend(identity.to_le_bytes());
        prelude.extend(checksum(0, &prelude).to_le_bytes());
        to.write_all(&prelude)?;
        Ok(FrameWriter {
            to,
            identity,
            n_bytes: prelude.len() as u64,
        })
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a content of 4 GiB or more, and nothing is written.
    pub(super) fn frame(&mut self, kind: u32, content: &[u8]) -> io::Result<()> {
        let Ok(len_bytes) = u32::try_from(content.len()) else {
            return Err(ErrorKind::InvalidInput.into());
        };
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend(MARK);
        header.extend(kind.to_le_bytes());
        header.extend(len_bytes.to_le_bytes());
        header.extend(checksum(self.identity, &header).to_le_bytes());
        self.to.write_all(&header)?;
        self.to.write_all(content)?;
        let sum = checksum(self.identity, content);
        self.to.write_all(&sum.to_le_bytes())?;
        self.n_bytes += (header.len() + content.len() + SUM_BYTES) as u64;
        Ok(())
    }

    /// Hands on what is buffered; the bytes that were written.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.to.flush()?;
        Ok(self.n_bytes)
    }
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'r> {
    /// A whole frame: its kind and its content.
    Frame(u32, &'r [u8]),
    /// So many bytes that are no whole frame.
    Damaged(u64),
    /// The end of the stream.
    End,
}

/// Why a stream isn't read at all.
#[derive(Debug)]
pub(super) enum Foreign {
    Io(io::Error),
    /// It doesn't begin as one.
    NoStream,
    /// It is of another form.
    Version(u32),
}

/// Reads frames.
pub(super) struct FrameReader<R> {
    from: R,
    identity: u64,
    /// What was read, and how much of it was handed out.
    buffer: Vec<u8>,
    passed: usize,
}

impl<R: Read> FrameReader<R> {
    pub(super) fn new(from: R) -> Result<Self, Foreign> {
        let mut reader = FrameReader {
            from,
            identity: 0,
            buffer: Vec::new(),
            passed: 0,
        };
        reader.fill(PRELUDE_BYTES).map_err(Foreign::Io)?;
        let prelude = reader.buffer.get(..PRELUDE_BYTES);
        let prelude = prelude.filter(|prelude| prelude.starts_with(&MAGIC));
        let mut rest = prelude.ok_or(Foreign::NoStream)?;
        let sum = checksum(0, &rest[..PRELUDE_BYTES - SUM_BYTES]);
        rest.advance(MAGIC.len());
        let (version, identity, told) = (rest.get_u32_le(), rest.get_u64_le(), rest.get_u32_le());
        if told != sum {
            return Err(Foreign::NoStream);
        }
        if version != VERSION {
            return Err(Foreign::Version(version));
        }
        reader.identity = identity;
        reader.passed = PRELUDE_BYTES;
        Ok(reader)
    }

    /// The next frame, or how much there is that is none.
    pub(super) fn next(&mut self) -> io::Result<Next<'_>> {
        self.buffer.drain(..self.passed);
        self.passed = 0;
        if !self.fill(HEADER_BYTES)? {
            let n_left = self.buffer.len();
            self.passed = n_left;
            return Ok(match n_left {
                0 => Next::End,
                n_left => Next::Damaged(n_left as u64),
            });
        }
        let Some((kind, len_bytes)) = self.header() else {
            return self.find().map(Next::Damaged);
        };
        let content_end = HEADER_BYTES + len_bytes;
        let frame_end = content_end + SUM_BYTES;
        if !self.fill(frame_end)? {
            self.passed = self.buffer.len();
            return Ok(Next::Damaged(self.passed as u64));
        }
        self.passed = frame_end;
        let (content, mut told) = self.buffer[HEADER_BYTES..frame_end].split_at(len_bytes);
        if checksum(self.identity, content) != told.get_u32_le() {
            return Ok(Next::Damaged(frame_end as u64));
        }
        Ok(Next::Frame(kind, content))
    }

    /// Kind and length, if the buffer begins with a whole header.
    fn header(&self) -> Option<(u32, usize)> {
        let header = self.buffer.get(..HEADER_BYTES)?;
        let mut rest = header.strip_prefix(&MARK)?;
        let (kind, len_bytes, told) = (rest.get_u32_le(), rest.get_u32_le(), rest.get_u32_le());
        let sum = checksum(self.identity, &header[..HEADER_BYTES - SUM_BYTES]);
        (told == sum).then_some((kind, len_bytes as usize))
    }

    /// Goes on to what may be the next header; how much was passed over.
    fn find(&mut self) -> io::Result<u64> {
        let mut n_passed = 0;
        // Where it stands, there is none.
        let mut from = 1;
        loop {
            let mut marks = self.buffer.windows(MARK.len()).skip(from);
            if let Some(at) = marks.position(|bytes| bytes == MARK) {
                self.passed = from + at;
                return Ok(n_passed + self.passed as u64);
            }
            // The last bytes may be the beginning of one.
            let n_over = (self.buffer.len() + 1).saturating_sub(MARK.len()).max(from);
            let n_over = n_over.min(self.buffer.len());
            self.buffer.drain(..n_over);
            n_passed += n_over as u64;
            from = 0;
            if !self.fill(self.buffer.len() + 1)? {
                let n_left = self.buffer.len();
                self.passed = n_left;
                return Ok(n_passed + n_left as u64);
            }
        }
    }

    /// Reads on until the buffer has so many bytes; false if the stream ends before (FR1).
    fn fill(&mut self, n_bytes: usize) -> io::Result<bool> {
        while self.buffer.len() < n_bytes {
            let wanted = (n_bytes - self.buffer.len()).max(CHUNK_BYTES);
            let chunk = wanted.min(16 * CHUNK_BYTES) as u64;
            let n_read = (&mut self.from).take(chunk).read_to_end(&mut self.buffer)?;
            if n_read == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
