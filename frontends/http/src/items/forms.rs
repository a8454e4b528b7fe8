//! The forms that bodies have to have.
//!
//! # Idea         a form keeps what it asks for, and of lists no more than a batch may have: a body of two bytes an item isn't to take fifty
//! # Not here     times to live and lists: module `values`

mod values;

use std::time::Duration;

use larder::Condition;
use larder_serve::from_base64;
use larder_serve::words::RIGHT;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use self::values::{List, Seconds, TOO_MANY};
use crate::error::ApiError;
use crate::query::ttl_of;

/// Reads a body. The message says where it is wrong and what would be right, and nothing of what stands there.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        if error.to_string().starts_with(TOO_MANY) {
            return ApiError::batch_items(values::ITEMS_MAX);
        }
        let (line, column) = (error.line(), error.column());
        let right = right(&error).map_or(String::new(), |right| format!(": {right}"));
        ApiError::invalid(format!(
            "the body is not the JSON object that is expected, at line {line}, column {column}{right}"
        ))
    })
}

/// What of an error is said of what would be right: what it says of what was sent stands before that.
fn right(error: &serde_json::Error) -> Option<String> {
    let error = error.to_string();
    let (error, _) = error.rsplit_once(" at line ")?;
    if OURS.contains(&error) || error.starts_with("missing field `") {
        return Some(error.to_owned());
    }
    let right = [", expected ", RIGHT]
        .iter()
        .filter_map(|before| error.rsplit_once(before));
    // The last of all: what was sent may have such words in it.
    let (_, right) = right.min_by_key(|(_, right)| right.len())?;
    Some(format!("expected {right}"))
}

/// What is wrong with a text, in words that have nothing of it.
const OURS: [&str; 5] = [
    "a key or a value is not base64",
    "the key is empty",
    "a key of a permission is not base64",
    "a key of a permission is given twice",
    "a permission has a key and a prefix",
];

/// Bytes, in base64.
pub(crate) struct Base64(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = from_base64(text.as_bytes());
        bytes.map(Self).ok_or_else(|| D::Error::custom(OURS[0]))
    }
}

/// The bytes of a key, of which there is at least one.
pub(crate) struct Key(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Base64(bytes) = Base64::deserialize(from)?;
        if bytes.is_empty() {
            return Err(D::Error::custom(OURS[1]));
        }
        Ok(Self(bytes))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetIf {
    pub(crate) key: Key,
    pub(crate) value: Base64,
    pub(crate) ttl_seconds: Seconds,
    condition: Word,
    compare: Option<Base64>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Word {
    #[serde(alias = "if-not-exists")]
    Absent,
    Present,
    Equal,
    NotEqual,
    PresentAndNotEqual,
    AbsentOrEqual,
}

impl SetIf {
    /// What is compared is given where something is.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        let compares = !matches!(self.condition, Word::Absent | Word::Present);
        if compares != self.compare.is_some() {
            return Err(ApiError::invalid(
                "compare goes with the conditions that compare, and only with them",
            ));
        }
        Ok(())
    }

    pub(crate) fn condition(&self) -> Condition<'_, [u8]> {
        let compare = self.compare.as_ref().map_or(&[][..], |value| &value.0);
        match self.condition {
            Word::Absent => Condition::ABSENT,
            Word::Present => Condition::PRESENT,
            Word::Equal => Condition::equal(compare),
            Word::NotEqual => Condition::not_equal(compare),
            Word::PresentAndNotEqual => Condition::present_and_not_equal(compare),
            Word::AbsentOrEqual => Condition::absent_or_equal(compare),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Increment {
    pub(crate) key: Key,
    pub(crate) amount: i64,
    pub(crate) ttl_seconds: Seconds,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TtlCall {
    pub(crate) key: Key,
    #[serde(default)]
    pub(crate) mode: TtlMode,
    ttl_seconds: Option<Seconds>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TtlMode {
    #[default]
    Get,
    Update,
    Increase,
    Decrease,
}

impl TtlCall {
    /// The new time to live; none where it is only asked for.
    pub(crate) fn ttl(&self) -> Result<Option<Duration>, ApiError> {
        match (self.mode, &self.ttl_seconds) {
            (TtlMode::Get, None) => Ok(None),
            (TtlMode::Get, Some(_)) => Err(ApiError::invalid(
                "ttl_seconds goes with another mode than get",
            )),
            (_, ttl) => ttl_of(ttl.as_ref().and_then(|ttl| ttl.0)).map(Some),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exists {
    key: Option<Key>,
    keys: Option<List<Key>>,
}

impl Exists {
    /// The keys, and whether it was one outside of a list.
    pub(crate) fn keys(self) -> Result<(Vec<Key>, bool), ApiError> {
        match (self.key, self.keys) {
            (Some(key), None) => Ok((vec![key], true)),
            (None, Some(List(keys))) => Ok((keys, false)),
            _ => Err(ApiError::invalid("key or keys is needed, not both")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    pub(crate) keys: List<Key>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    pub(crate) items: List<Item>,
    ttl_seconds: Option<Seconds>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    pub(crate) key: Key,
    pub(crate) value: Base64,
    ttl_seconds: Option<Seconds>,
}

impl Batch {
    /// The time to live of each item: that of all, or its own.
    pub(crate) fn ttls(&self) -> Result<Vec<Duration>, ApiError> {
        let of = |item: &Item| match (&self.ttl_seconds, &item.ttl_seconds) {
            (Some(ttl), None) | (None, Some(ttl)) => ttl_of(ttl.0),
            _ => Err(ApiError::invalid(
                "ttl_seconds is needed, either of all items or of each",
            )),
        };
        let ttls: Result<Vec<_>, _> = self.items.0.iter().map(of).collect();
        let of_all = self.ttl_seconds.as_ref();
        of_all.map_or(Ok(Duration::ZERO), |ttl| ttl_of(ttl.0))?;
        ttls
    }
}
