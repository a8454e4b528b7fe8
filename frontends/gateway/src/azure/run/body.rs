//! Replacing text in bodies.
//!
//! # Idea         a body in an encoding that is known is decoded, and sent without one if it was changed; one in another stays as it is
//! # Costs        a copy of the body
//! # Invariants   Y1 a body is decoded to `DECODED_BYTES_MAX` at most: a small one can't fill the memory; Y2 headers and body agree
//! # Not here     lengths: who sends a body states its own

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_ENCODING;

use super::{Run, Stop};
use crate::azure::policy::{FindAndReplace, Policy};
use crate::engine::beside_others;
use crate::http::{HeaderMap, header};

/// The longest body that is looked into.
const DECODED_BYTES_MAX: usize = 32 << 20;

/// What is longer is looked through while the runtime's other tasks go on.
const PLAIN_BYTES_AT_ONCE: usize = 64 << 10;

/// The same of a body in an encoding, of which much may come.
const ENCODED_BYTES_AT_ONCE: usize = 1 << 10;

impl Run<'_> {
    pub(super) fn find_and_replace(
        &mut self,
        policy: &Policy,
        replace: &FindAndReplace,
    ) -> Result<(), Stop> {
        let (from, to) = (
            self.text(&replace.from, policy)?,
            self.text(&replace.to, policy)?,
        );
        if from.is_empty() {
            self.warn(policy, "there is nothing to look for");
            return Ok(());
        }
        let (headers, body) = match &self.response {
            Some(response) => (&response.headers, &response.body),
            None => (&self.request.headers, &self.request.body),
        };
        let replace = || {
            let plain = decoded(headers, body)?;
            Ok::<_, String>(replace_all(&plain, from.as_bytes(), to.as_bytes()))
        };
        let bytes_max = match headers.contains_key(CONTENT_ENCODING) {
            true => ENCODED_BYTES_AT_ONCE,
            false => PLAIN_BYTES_AT_ONCE,
        };
        let replaced = match body.len() > bytes_max {
            true => beside_others(replace),
            false => replace(),
        };
        let (replaced, n_found) = match replaced {
            Ok(replaced) => replaced,
            Err(why) => {
                self.warn(policy, format!("the body stays as it is: {why}"));
                return Ok(());
            }
        };
        self.note(policy, || format!("{n_found} replaced"));
        if n_found == 0 {
            return Ok(());
        }
        if replaced.len() > DECODED_BYTES_MAX {
            self.warn(policy, "the body stays as it is: it would become too long");
            return Ok(());
        }
        let (headers, body) = match &mut self.response {
            Some(response) => {
                let response = Arc::make_mut(response);
                (&mut response.headers, &mut response.body)
            }
            None => (&mut self.request.headers, &mut self.request.body),
        };
        headers.remove(CONTENT_ENCODING);
        *body = replaced.into();
        Ok(())
    }
}

/// The body without its encoding.
fn decoded(headers: &HeaderMap, body: &Bytes) -> Result<Bytes, String> {
    let encoding = header(headers, CONTENT_ENCODING.as_str()).unwrap_or_default();
    if headers.get_all(CONTENT_ENCODING).iter().count() > 1 {
        return Err("it has several encodings".to_owned());
    }
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body.clone()),
        "gzip" | "x-gzip" => bounded(flate2::read::MultiGzDecoder::new(&body[..])),
        "br" => bounded(brotli_decompressor::Decompressor::new(&body[..], 4096)),
        other => Err(format!("the encoding {other:?} is not known")),
    }
}

fn bounded(reader: impl Read) -> Result<Bytes, String> {
    let mut plain = Vec::new();
    let mut limited = reader.take(DECODED_BYTES_MAX as u64 + 1);
    limited
        .read_to_end(&mut plain)
        .map_err(|error| format!("it can't be decoded: {error}"))?;
    if plain.len() > DECODED_BYTES_MAX {
        return Err("it is too long when decoded".to_owned());
    }
    Ok(plain.into())
}

fn replace_all(body: &[u8], from: &[u8], to: &[u8]) -> (Vec<u8>, usize) {
    let mut replaced = Vec::with_capacity(body.len());
    let mut n_found = 0;
    let mut rest = body;
    while let Some(at) = memchr::memmem::find(rest, from) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(to);
        rest = &rest[at + from.len()..];
        n_found += 1;
        if replaced.len() > DECODED_BYTES_MAX {
            break;
        }
    }
    replaced.extend_from_slice(rest);
    (replaced, n_found)
}
