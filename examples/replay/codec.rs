//! Compressed input: what it is, by its first bytes, and the plain bytes out of it.
//!
//! # Idea         four bytes tell gzip and zstd from everything else; files of several members or frames are one stream
//! # Costs        one buffer; a zstd frame's window (refused above 128 MiB)
//! # Not here     what the plain bytes mean

use std::fmt;
use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How an input was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Plain,
    Gzip,
    Zstd,
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Codec::Plain => "plain",
            Codec::Gzip => "gzip",
            Codec::Zstd => "zstd",
        })
    }
}

/// Looks at the first bytes of `input` and gives its unpacked bytes.
pub(crate) fn decoded(input: Box<dyn Read>) -> io::Result<(Box<dyn BufRead>, Codec)> {
    let (head, input) = peek(input, 4)?;
    let input = BufReader::with_capacity(BUFFER_BYTES, input);
    Ok(match head.as_slice() {
        [0x1F, 0x8B, ..] => {
            let plain = BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(input));
            (Box::new(plain), Codec::Gzip)
        }
        // A frame, or a skippable frame, which may stand before one.
        [0x28, 0xB5, 0x2F, 0xFD] | [0x50..=0x5F, 0x2A, 0x4D, 0x18] => {
            let plain = BufReader::with_capacity(BUFFER_BYTES, ZstdFrames::new(input));
            (Box::new(plain), Codec::Zstd)
        }
        _ => (Box::new(input), Codec::Plain),
    })
}

/// The first `len` bytes of `input`, or all if there are fewer, and an input that still has them.
pub(crate) fn peek<R: Read>(mut input: R, len: u64) -> io::Result<(Vec<u8>, impl Read)> {
    let mut head = Vec::new();
    input.by_ref().take(len).read_to_end(&mut head)?;
    Ok((head.clone(), Cursor::new(head).chain(input)))
}

const BUFFER_BYTES: usize = 256 * 1024;

/// The frames of a zstd stream, one after the other, as one stream of bytes.
struct ZstdFrames<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(source: R) -> ZstdFrames<R> {
        ZstdFrames {
            source,
            decoder: FrameDecoder::new(),
            in_frame: false,
        }
    }

    /// Enters the next frame; false at the end of the stream.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = self.source.by_ref().take(u64::from(length));
                    if io::copy(&mut skipped, &mut io::sink())? < u64::from(length) {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(invalid(error)),
            }
        }
        Ok(false)
    }

    fn check_sum(&self) -> io::Result<()> {
        match (
            self.decoder.get_checksum_from_data(),
            self.decoder.get_calculated_checksum(),
        ) {
            (Some(stored), Some(computed)) if stored != computed => Err(invalid(
                "the checksum of a zstd frame does not match its bytes",
            )),
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame {
                self.in_frame = self.next_frame()?;
                if !self.in_frame {
                    return Ok(0);
                }
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(invalid)?;
            }
            let n_read = self.decoder.read(buf)?;
            if n_read > 0 {
                return Ok(n_read);
            }
            self.check_sum()?;
            self.in_frame = false;
        }
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    //! Properties: what is packed comes out again, in one or several members; damage is an error and never a panic.

    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(plain: &[u8]) -> Vec<u8> {
        compress_to_vec(plain, CompressionLevel::Fastest)
    }

    fn unpack(packed: &[u8]) -> io::Result<(Vec<u8>, Codec)> {
        let (mut plain, codec) = decoded(Box::new(Cursor::new(packed.to_vec())))?;
        let mut out = Vec::new();
        plain.read_to_end(&mut out)?;
        Ok((out, codec))
    }

    fn text(n_lines: usize) -> Vec<u8> {
        (0..n_lines)
            .flat_map(|line| format!("line {} of {n_lines}\n", line % 97).into_bytes())
            .collect()
    }

    #[test]
    fn each_codec_is_known_by_its_first_bytes() {
        let plain = text(50_000);
        assert_eq!(unpack(&plain).unwrap(), (plain.clone(), Codec::Plain));
        assert_eq!(unpack(&gzip(&plain)).unwrap(), (plain.clone(), Codec::Gzip));
        assert_eq!(unpack(&zstd(&plain)).unwrap(), (plain.clone(), Codec::Zstd));
    }

    #[test]
    fn short_inputs_are_plain() {
        for len in 0..4 {
            let input = &[0x28, 0xB5, 0x2F][..len.min(3)];
            assert_eq!(unpack(input).unwrap(), (input.to_vec(), Codec::Plain));
        }
    }

    #[test]
    fn members_and_frames_are_one_stream() {
        let (one, two) = (text(10), text(3000));
        let both = [one.clone(), two.clone()].concat();
        assert_eq!(unpack(&[gzip(&one), gzip(&two)].concat()).unwrap().0, both);
        let skippable = [&[0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let frames = [skippable.clone(), zstd(&one), skippable, zstd(&two)].concat();
        assert_eq!(unpack(&frames).unwrap(), (both, Codec::Zstd));
    }

    #[test]
    fn a_cut_input_is_an_error() {
        let plain = text(2000);
        for packed in [gzip(&plain), zstd(&plain)] {
            for len in [5, packed.len() / 2, packed.len() - 1] {
                assert!(unpack(&packed[..len]).is_err(), "{len} of {}", packed.len());
            }
        }
    }

    #[test]
    fn a_damaged_input_never_panics() {
        let plain = text(300);
        for packed in [gzip(&plain), zstd(&plain)] {
            let mut n_errors = 0;
            for at in 4..packed.len() {
                let mut damaged = packed.clone();
                damaged[at] ^= 0x55;
                n_errors += usize::from(unpack(&damaged).is_err());
            }
            assert!(
                n_errors > packed.len() / 2,
                "{n_errors} of {}",
                packed.len()
            );
        }
    }
}
