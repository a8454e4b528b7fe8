//! A trace in memory: its requests in order, and the key of each object.
//!
//! # Idea         keys are interned, so that a request is four words and replaying it parses nothing
//! # Costs        32 bytes a request, and each distinct key once
//! # Invariants   A1 every request's id has a key; A2 times never go back (a line that does gets its predecessor's)
//! # Not here     any format

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::hrt;

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) id: u32,
    pub(crate) size_bytes: u64,
    /// Since the trace's first request.
    pub(crate) at: Duration,
    /// How long what is inserted stays; none for as long as the cache likes.
    pub(crate) ttl: Option<Duration>,
}

/// The keys of a trace's objects.
#[derive(Debug)]
pub(crate) enum Keys {
    /// Objects are mere numbers.
    Numbered { n_unique: usize },
    /// Objects have names.
    Named(Vec<Arc<[u8]>>),
}

impl Keys {
    pub(crate) fn n_unique(&self) -> usize {
        match self {
            Keys::Numbered { n_unique } => *n_unique,
            Keys::Named(names) => names.len(),
        }
    }

    /// The bytes of an object's key; `scratch` holds them if they have to be made.
    pub(crate) fn bytes<'a>(&'a self, id: u32, scratch: &'a mut [u8; 8]) -> &'a [u8] {
        match self {
            Keys::Numbered { .. } => {
                *scratch = hrt::key(id);
                scratch
            }
            Keys::Named(names) => &names[id as usize],
        }
    }
}

/// Requests, and what is known of them together.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) requests: Vec<Request>,
    pub(crate) keys: Keys,
    /// Whether the trace says when; if so, the cache's clock follows it.
    pub(crate) has_times: bool,
    /// Whether the trace says how large.
    pub(crate) has_sizes: bool,
}

impl Trace {
    /// The trace of an HRT1 file.
    pub(crate) fn from_columns(columns: &hrt::Columns, size_bytes: u64) -> Trace {
        let begin_s = columns.times_s.first().copied().unwrap_or(0);
        let mut last = Duration::ZERO;
        let mut requests = Vec::with_capacity(columns.ids.len());
        for (idx, id) in columns.ids.iter().enumerate() {
            let second = columns.times_s.get(idx).copied().unwrap_or(begin_s);
            last = last.max(Duration::from_secs(u64::from(
                second.saturating_sub(begin_s),
            )));
            requests.push(Request {
                id: *id,
                size_bytes: columns
                    .sizes_bytes
                    .get(idx)
                    .map_or(size_bytes, |size| u64::from(*size)),
                at: last,
                ttl: None,
            });
        }
        let mut ids = columns.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        Trace {
            requests,
            keys: Keys::Numbered {
                n_unique: ids.len(),
            },
            has_times: !columns.times_s.is_empty(),
            has_sizes: !columns.sizes_bytes.is_empty(),
        }
    }

    /// Bytes of all distinct objects with their keys, each at the largest size seen.
    pub(crate) fn footprint_bytes(&self) -> u64 {
        let mut sizes: HashMap<u32, u64> = HashMap::with_capacity(self.keys.n_unique());
        for request in &self.requests {
            let size = sizes.entry(request.id).or_default();
            *size = request.size_bytes.max(*size);
        }
        let mut scratch = [0; 8];
        let key_bytes = |id: u32| self.keys.bytes(id, &mut scratch).len() as u64;
        let keys: u64 = sizes.keys().copied().map(key_bytes).sum();
        sizes
            .values()
            .fold(keys, |sum, size| sum.saturating_add(*size))
    }

    /// The largest object.
    pub(crate) fn largest_bytes(&self) -> u64 {
        self.requests
            .iter()
            .map(|request| request.size_bytes)
            .max()
            .unwrap_or(0)
    }
}

/// What a line of a trace says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) at: Option<Duration>,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) ttl: Option<Duration>,
}

/// Makes a trace out of records.
#[derive(Debug, Default)]
pub(crate) struct TraceBuilder {
    ids: HashMap<Arc<[u8]>, u32>,
    names: Vec<Arc<[u8]>>,
    requests: Vec<Request>,
    begin: Option<Duration>,
    has_sizes: bool,
}

impl TraceBuilder {
    /// Adds a request; `size_bytes` is its size if the record has none.
    pub(crate) fn push(&mut self, record: Record<'_>, size_bytes: u64) {
        let id = self.intern(record.key);
        self.has_sizes |= record.size_bytes.is_some();
        let last = self
            .requests
            .last()
            .map_or(Duration::ZERO, |request| request.at);
        let at = record
            .at
            .map_or(last, |at| at.saturating_sub(*self.begin.get_or_insert(at)));
        self.requests.push(Request {
            id,
            size_bytes: record.size_bytes.unwrap_or(size_bytes),
            at: at.max(last),
            ttl: record.ttl,
        });
    }

    pub(crate) fn n_requests(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn finish(self) -> Trace {
        Trace {
            requests: self.requests,
            keys: Keys::Named(self.names),
            has_times: self.begin.is_some(),
            has_sizes: self.has_sizes,
        }
    }

    fn intern(&mut self, key: &[u8]) -> u32 {
        if let Some(id) = self.ids.get(key) {
            return *id;
        }
        let id = u32::try_from(self.names.len()).expect("four billion keys don't fit in memory");
        let name: Arc<[u8]> = key.into();
        self.names.push(Arc::clone(&name));
        self.ids.insert(name, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &[u8], at_s: Option<u64>) -> Record<'_> {
        Record {
            key,
            at: at_s.map(Duration::from_secs),
            size_bytes: None,
            ttl: None,
        }
    }

    #[test]
    fn keys_are_interned_and_times_never_go_back() {
        let mut builder = TraceBuilder::default();
        for (key, at_s) in [
            ("a", Some(100)),
            ("b", Some(103)),
            ("a", None),
            ("", Some(90)),
            ("b", Some(104)),
        ] {
            builder.push(record(key.as_bytes(), at_s), 7);
        }
        let trace = builder.finish();
        let ids: Vec<u32> = trace.requests.iter().map(|request| request.id).collect();
        assert_eq!(ids, [0, 1, 0, 2, 1]);
        let seconds: Vec<u64> = trace
            .requests
            .iter()
            .map(|request| request.at.as_secs())
            .collect();
        assert_eq!(seconds, [0, 3, 3, 3, 4]);
        assert_eq!(trace.keys.n_unique(), 3);
        assert_eq!(trace.keys.bytes(1, &mut [0; 8]), b"b");
        assert!(trace.has_times && !trace.has_sizes);
        assert_eq!(trace.footprint_bytes(), 3 * 7 + 2);
    }

    #[test]
    fn columns_become_requests() {
        let columns = hrt::Columns {
            ids: vec![5, 5, 9],
            sizes_bytes: vec![10, 12, 1],
            times_s: vec![50, 49, 60],
        };
        let trace = Trace::from_columns(&columns, 1);
        let seconds: Vec<u64> = trace
            .requests
            .iter()
            .map(|request| request.at.as_secs())
            .collect();
        assert_eq!(seconds, [0, 0, 10]);
        assert_eq!((trace.keys.n_unique(), trace.largest_bytes()), (2, 12));
        assert_eq!(trace.footprint_bytes(), 12 + 1 + 16);
        assert_eq!(trace.keys.bytes(9, &mut [0; 8]), hrt::key(9));
    }
}
