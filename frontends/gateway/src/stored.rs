//! Typed values as the engine keeps them: bytes and a tag.
//!
//! # Idea         the tag says what the bytes are, so that what was stored as a number comes back as one, by whatever frontend
//! # Costs        text and JSON are copied once each way; the rest is a few bytes
//! # Invariants   V1 `read(write(v)) == v` for every value; V2 bytes that aren't what their tag says are no value
//! # Not here     what policies call these types

use std::borrow::Cow;

use bytes::Bytes;
use larder::{Entry, Tag};

/// A value that can be stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Stored {
    /// Bytes of no further meaning.
    Bytes(Bytes),
    /// A text.
    Text(String),
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// A JSON text.
    Json(String),
}

impl Stored {
    /// The tag it is stored with.
    pub fn tag(&self) -> Tag {
        match self {
            Self::Bytes(_) => Tag::Bytes,
            Self::Text(_) => Tag::Text,
            Self::Boolean(_) => Tag::Boolean,
            Self::Integer(_) => Tag::Integer,
            Self::Float(_) => Tag::Float,
            Self::Json(_) => Tag::Json,
        }
    }

    /// The bytes it is stored as: numbers as decimal digits, so that the engine can count with them.
    pub fn to_bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
            Self::Text(text) | Self::Json(text) => Cow::Borrowed(text.as_bytes()),
            Self::Boolean(boolean) => Cow::Borrowed(if *boolean { b"true" } else { b"false" }),
            Self::Integer(integer) => Cow::Owned(integer.to_string().into_bytes()),
            // The shortest digits that read back as the same number.
            Self::Float(float) => Cow::Owned(format!("{float:?}").into_bytes()),
        }
    }

    /// Reads what was stored; `None` if the bytes aren't what the tag says. Plain bytes that are UTF-8 are a text: so another
    /// frontend, which stores bytes only, can be read.
    pub fn read(tag: Tag, bytes: &[u8]) -> Option<Self> {
        let text = || std::str::from_utf8(bytes).ok();
        match tag {
            Tag::Text => Some(Self::Text(text()?.to_owned())),
            Tag::Boolean => match bytes {
                b"true" => Some(Self::Boolean(true)),
                b"false" => Some(Self::Boolean(false)),
                _ => None,
            },
            Tag::Integer => text()?.parse().ok().map(Self::Integer),
            Tag::Float => text()?.parse().ok().map(Self::Float),
            Tag::Json => Some(Self::Json(text()?.to_owned())),
            Tag::Bytes => Some(match text() {
                Some(text) => Self::Text(text.to_owned()),
                None => Self::Bytes(Bytes::copy_from_slice(bytes)),
            }),
        }
    }

    /// Reads an entry.
    pub fn of_entry(entry: &Entry<[u8]>) -> Option<Self> {
        Self::read(entry.tag(), entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: Stored) {
        let read = Stored::read(value.tag(), &value.to_bytes());
        assert_eq!(read, Some(value));
    }

    #[test]
    fn e_48_z_052_what_is_stored_comes_back_with_its_type() {
        check(Stored::Text(String::new()));
        check(Stored::Text("42".into()));
        check(Stored::Boolean(true));
        check(Stored::Boolean(false));
        check(Stored::Integer(i64::MIN));
        check(Stored::Float(0.1 + 0.2));
        check(Stored::Json("{\"a\":1}".into()));
        check(Stored::Bytes(Bytes::from_static(&[0xFF, 0])));
    }

    #[test]
    fn e_101_bytes_of_another_frontend_are_text_where_they_can_be() {
        let read = Stored::read(Tag::Bytes, b"gold");
        assert_eq!(read, Some(Stored::Text("gold".into())));
    }

    #[test]
    fn bytes_that_belie_their_tag_are_no_value() {
        assert_eq!(Stored::read(Tag::Integer, b"x"), None);
        assert_eq!(Stored::read(Tag::Boolean, b"1"), None);
        assert_eq!(Stored::read(Tag::Text, &[0xFF]), None);
    }
}
