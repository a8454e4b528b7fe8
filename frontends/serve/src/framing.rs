//! Where the heads of a connection's requests begin and end, and what they say of their bodies' lengths.
//!
//! # Idea
//! hyper drops a `Content-Length` that stands beside a `Transfer-Encoding`, and who sends both may want two servers to disagree. So the
//! bytes are followed on their way to hyper, by the two headers alone; what isn't understood is followed no more, and no request that
//! comes after it is taken.
//!
//! ```text
//! Line --empty--> Head's end: Bytes(n) | Chunk --size--> Bytes(n) ... --0--> Trailer --empty--> Line
//! ```
//!
//! # Costs        a search for line ends in heads and chunks; of a body, one subtraction a read. A line that is cut in two is copied
//! # Invariants   FR1 heads are counted from one, as hyper hands requests on; FR2 whether a line is cut in two changes nothing
//! # Not here     what else is wrong with a head

use memchr::memchr;

/// No honest one of the two headers is longer, and no size of a chunk; hyper would take both.
const LINE_BYTES_MAX: usize = 256;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    state: State,
    /// How many heads there were, with the present one.
    n_heads: u64,
    /// The beginning of a line whose end has not come yet: enough of it to see that it is too long.
    line: Vec<u8>,
    head: Head,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    /// Before a head, where empty lines mean nothing.
    #[default]
    Between,
    Head,
    Bytes {
        n_left: u64,
        is_chunk: bool,
    },
    ChunkSize,
    Trailer,
    Lost,
}

/// What a head says so far.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    length: Option<u64>,
    has_length: bool,
    is_encoded: bool,
    /// One of the two is longer than was looked at.
    is_obscure: bool,
}

impl Framing {
    /// Follows the next bytes; the number of the first head that must not be taken, nor any after it, once that is known.
    pub(crate) fn follow(&mut self, mut bytes: &[u8]) -> Option<u64> {
        let mut found = None;
        while !bytes.is_empty() {
            match self.state {
                State::Lost => break,
                State::Bytes { n_left, is_chunk } => {
                    let n = n_left.min(bytes.len() as u64);
                    bytes = bytes.get(n as usize..).unwrap_or_default();
                    self.state = match (n_left - n, is_chunk) {
                        (0, true) => State::ChunkSize,
                        (0, false) => State::Between,
                        (n_left, _) => State::Bytes { n_left, is_chunk },
                    };
                }
                _ => {
                    let end = memchr(b'\n', bytes);
                    let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
                    bytes = rest;
                    if end.is_none() || !self.line.is_empty() {
                        let room = LINE_BYTES_MAX + 1 - self.line.len();
                        self.line.extend_from_slice(&part[..part.len().min(room)]);
                    }
                    if end.is_none() {
                        break;
                    }
                    found = found.or(if self.line.is_empty() {
                        self.line(part)
                    } else {
                        let line = std::mem::take(&mut self.line);
                        self.line(&line)
                    });
                }
            }
        }
        found
    }

    fn line(&mut self, line: &[u8]) -> Option<u64> {
        let is_empty = matches!(line, b"\r\n" | b"\n");
        match self.state {
            State::Between if is_empty => {}
            State::Between => {
                self.n_heads += 1;
                self.head = Head::default();
                self.state = State::Head;
            }
            State::Head if is_empty => return self.end_of_head(),
            State::Head => self.head.header(line),
            // The end of the chunk before.
            State::ChunkSize if line == b"\r\n" => {}
            State::ChunkSize => {
                self.state = match chunk_size(line) {
                    None => return self.lose(self.n_heads + 1),
                    Some(0) => State::Trailer,
                    Some(n_left) => State::Bytes {
                        n_left,
                        is_chunk: true,
                    },
                };
            }
            State::Trailer if line == b"\r\n" => self.state = State::Between,
            // To hyper a line feed alone is no end of a line here; of what is too long the end was not looked at.
            State::Trailer if !line.ends_with(b"\r\n") || line.len() > LINE_BYTES_MAX => {
                return self.lose(self.n_heads + 1);
            }
            State::Trailer | State::Bytes { .. } | State::Lost => {}
        }
        None
    }

    fn end_of_head(&mut self) -> Option<u64> {
        let Head {
            length,
            has_length,
            is_encoded,
            is_obscure,
        } = self.head;
        self.state = match (is_encoded, has_length, length) {
            _ if is_obscure => return self.lose(self.n_heads),
            (true, true, _) | (false, true, None) => return self.lose(self.n_heads),
            (true, false, _) => State::ChunkSize,
            (false, true, Some(n_left)) if n_left > 0 => State::Bytes {
                n_left,
                is_chunk: false,
            },
            (false, ..) => State::Between,
        };
        None
    }

    /// Follows no more; no head from this one on is to be taken.
    fn lose(&mut self, number: u64) -> Option<u64> {
        self.state = State::Lost;
        Some(number)
    }
}

impl Head {
    fn header(&mut self, line: &[u8]) {
        // Most headers are neither.
        if !matches!(line.first(), Some(b'c' | b'C' | b't' | b'T')) {
            return;
        }
        let Some(colon) = memchr(b':', line) else {
            return;
        };
        let (name, value) = line.split_at(colon);
        let is_length = name.eq_ignore_ascii_case(b"content-length");
        let is_encoding = name.eq_ignore_ascii_case(b"transfer-encoding");
        self.is_obscure |= (is_length || is_encoding) && line.len() > LINE_BYTES_MAX;
        if is_length {
            self.has_length = true;
            let value = str::from_utf8(value[1..].trim_ascii());
            self.length = value.ok().and_then(|value| value.parse().ok());
        } else if is_encoding {
            self.is_encoded = true;
        }
    }
}

/// The size in the line before a chunk; extensions may follow it.
fn chunk_size(line: &[u8]) -> Option<u64> {
    if line.len() > LINE_BYTES_MAX {
        return None;
    }
    let end = line.iter().position(|byte| !byte.is_ascii_hexdigit());
    let digits = str::from_utf8(&line[..end.unwrap_or(line.len())]).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests;
