//! Where a reply ends, and what it says: lengths first, before anything is made of it.
//!
//! # Idea         a reply is walked once, from header to header, without looking into texts. So it is known how many bytes belong to it, what
//!   is left over is seen, and what announces more than is taken is refused before room is made for it
//! # Costs        a few instructions a part; a text is copied once
//! # Invariants   FR1 no bytes make it panic; FR2 it never asks for more than `bytes_max` and the headers; FR3 what was walked isn't
//!   walked again when more bytes come, but for the header that was cut
//! # Not here     what errors, maps and messages say: the crate `redis`

use redis::Value;

use self::Refused::{Garbled, TooLong};
use crate::room;

/// How far one reply has been walked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Walk {
    /// Bytes that are done with.
    at: usize,
    /// Parts that are still to come, of each list that is open.
    open: Vec<u64>,
}

/// What is known of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    /// It is whole, and so long.
    Whole(usize),
    /// It has at least so many bytes.
    AtLeast(usize),
}

/// Why these bytes aren't walked any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// They are no reply, or one of more parts than any has.
    Garbled,
    /// They have a text that is longer than is taken.
    TooLong,
}

/// Lists in lists: no reply that is asked for has more.
const DEPTH_MAX: usize = 8;
/// The longest line: an error, or a number.
const LINE_MAX: usize = 4096;

impl Walk {
    /// Walks on, over all bytes from the reply's beginning.
    pub(crate) fn walk(&mut self, bytes: &[u8], bytes_max: usize) -> Result<Frame, Refused> {
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some(&kind) = rest.first() else {
                return Ok(Frame::AtLeast(self.at + 1));
            };
            let searched = &rest[..rest.len().min(LINE_MAX)];
            let Some(line_bytes) = searched.windows(2).position(|pair| pair == b"\r\n") else {
                let is_too_long = rest.len() >= LINE_MAX;
                let frame = Frame::AtLeast(self.at + rest.len() + 1);
                return (!is_too_long).then_some(frame).ok_or(Garbled);
            };
            let line = &rest[1..line_bytes.max(1)];
            let header_bytes = line_bytes + 2;
            let part_bytes = match kind {
                b'+' | b'-' | b':' | b',' | b'#' | b'(' | b'_' => header_bytes,
                b'$' | b'!' | b'=' => match length(line)? {
                    None => header_bytes,
                    Some(n) => {
                        let n = usize::try_from(n).map_err(|_| Garbled)?;
                        let end = self.at.checked_add(n).ok_or(Garbled)?;
                        if end > bytes_max {
                            return Err(TooLong);
                        }
                        header_bytes + n + 2
                    }
                },
                b'*' | b'~' | b'>' | b'%' => {
                    let n_parts = length(line)?.unwrap_or(0);
                    let n_parts = if kind == b'%' { 2 * n_parts } else { n_parts };
                    if self.open.len() == DEPTH_MAX || n_parts > bytes_max as u64 {
                        return Err(Garbled);
                    }
                    self.open.push(n_parts + 1);
                    header_bytes
                }
                _ => return Err(Garbled),
            };
            if rest.len() < part_bytes {
                return Ok(Frame::AtLeast(self.at + part_bytes));
            }
            if part_bytes > header_bytes && !rest[..part_bytes].ends_with(b"\r\n") {
                return Err(Garbled);
            }
            self.at += part_bytes;
            // A list counts as one of its own parts, which is done with as its header is.
            while let Some(left) = self.open.last_mut() {
                *left -= 1;
                if *left > 0 {
                    break;
                }
                self.open.pop();
            }
            if self.open.is_empty() {
                return Ok(Frame::Whole(self.at));
            }
        }
    }
}

/// Reads a reply that is whole. Texts and lists of them, which are all that is long, are read here, so that a long text is copied once;
/// the rest is left to the crate `redis`.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, Refused> {
    read_first(bytes).map(|(value, _)| value)
}

/// Reads the first reply of these bytes, which is whole; and how long it is.
fn read_first(bytes: &[u8]) -> Result<(Value, usize), Refused> {
    let line_bytes = bytes.windows(2).position(|pair| pair == b"\r\n");
    let line_bytes = line_bytes.ok_or(Garbled)?;
    let header_bytes = line_bytes + 2;
    let counted = |kind: u8| match bytes.first() {
        Some(&first) if first == kind => length(&bytes[1..line_bytes]),
        _ => Ok(None),
    };
    if let Some(n) = counted(b'$')? {
        let end = header_bytes + n as usize;
        let text = bytes.get(header_bytes..end).ok_or(Garbled)?;
        return Ok((Value::BulkString(room::copy(text)), end + 2));
    }
    if let Some(n) = counted(b'*')? {
        let mut parts = Vec::new();
        let mut at = header_bytes;
        for _ in 0..n {
            let (part, part_bytes) = read_first(bytes.get(at..).ok_or(Garbled)?)?;
            parts.push(part);
            at += part_bytes;
        }
        return Ok((Value::Array(parts), at));
    }
    match Walk::default().walk(bytes, bytes.len())? {
        Frame::Whole(n_bytes) => {
            let value = redis::parse_redis_value(&bytes[..n_bytes]);
            value.map(|value| (value, n_bytes)).map_err(|_| Garbled)
        }
        Frame::AtLeast(_) => Err(Garbled),
    }
}

/// A length; none is "there is nothing".
fn length(line: &[u8]) -> Result<Option<u64>, Refused> {
    if line == b"-1" {
        return Ok(None);
    }
    let is_number = !line.is_empty() && line.len() <= 10 && line.iter().all(u8::is_ascii_digit);
    if !is_number {
        return Err(Garbled);
    }
    let number = line
        .iter()
        .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    Ok(Some(number))
}

#[cfg(test)]
mod tests;
