//! Values of flow variables.
//!
//! # Idea         what a policy can set, and what conditions compare
//! # Costs        a clone is a counter at most
//! # Invariants   none
//! # Not here     names

use std::sync::Arc;

use bytes::Bytes;

use crate::stored::Stored;

/// A value of a flow variable.
#[derive(Debug, Clone, PartialEq)]
pub enum Var {
    /// A text.
    Text(Arc<str>),
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// Bytes: out of the cache, or the content of a message that is no text.
    Bytes(Bytes),
    /// Something that lives in the process alone, such as a stream or a message: it has no text and can't be stored.
    Handle(&'static str),
}

impl Var {
    /// The text that stands for it in keys, headers and payloads; `None` if it has none.
    pub fn to_text(&self) -> Option<Arc<str>> {
        Some(match self {
            Self::Text(text) => Arc::clone(text),
            Self::Boolean(boolean) => Arc::from(if *boolean { "true" } else { "false" }),
            Self::Integer(integer) => integer.to_string().into(),
            Self::Float(float) => float.to_string().into(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into(),
            Self::Handle(_) => return None,
        })
    }

    /// What is stored of it; `None` if it can't be.
    pub fn to_stored(&self) -> Option<Stored> {
        Some(match self {
            Self::Text(text) => Stored::Text((**text).to_owned()),
            Self::Boolean(boolean) => Stored::Boolean(*boolean),
            Self::Integer(integer) => Stored::Integer(*integer),
            Self::Float(float) => Stored::Float(*float),
            Self::Bytes(bytes) => Stored::Bytes(bytes.clone()),
            Self::Handle(_) => return None,
        })
    }

    /// The whole number that it is, or that its text says.
    pub fn to_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

impl From<Stored> for Var {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Text(text) | Stored::Json(text) => Self::Text(text.into()),
            Stored::Boolean(boolean) => Self::Boolean(boolean),
            Stored::Integer(integer) => Self::Integer(integer),
            Stored::Float(float) => Self::Float(float),
            Stored::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

impl From<&str> for Var {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Var {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Var {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<bool> for Var {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}
