//! An encoded key that is kept outside of an entry.
//!
//! # Idea         a short one lies where its owner is, a long one on the heap
//! # Costs        a copy of the key; beyond `N` bytes an allocation
//! # Invariants   none of its own
//! # Not here     how keys are encoded

use super::{KeyRef, Shape};

/// An encoded key; one of at most `N` bytes, which is below 256, lies within.
#[derive(Debug)]
pub(crate) enum OwnKey<const N: usize> {
    Short {
        shape: Shape,
        len_bytes: u8,
        bytes: [u8; N],
    },
    Long {
        shape: Shape,
        bytes: Box<[u8]>,
    },
}

impl<const N: usize> OwnKey<N> {
    pub(crate) fn new(key: KeyRef<'_>) -> Self {
        const { assert!(N <= u8::MAX as usize) };
        let shape = key.shape();
        let mut bytes = [0; N];
        match bytes.get_mut(..key.bytes().len()) {
            Some(start) => {
                start.copy_from_slice(key.bytes());
                Self::Short {
                    shape,
                    len_bytes: key.bytes().len() as u8,
                    bytes,
                }
            }
            None => Self::Long {
                shape,
                bytes: key.bytes().into(),
            },
        }
    }

    #[inline]
    pub(crate) fn key(&self) -> KeyRef<'_> {
        match self {
            Self::Short {
                shape,
                len_bytes,
                bytes,
            } => KeyRef::from_stored(*shape, &bytes[..usize::from(*len_bytes)]),
            Self::Long { shape, bytes } => KeyRef::from_stored(*shape, bytes),
        }
    }

    /// The bytes that it owns outside of itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Short { .. } => 0,
            Self::Long { bytes, .. } => bytes.len(),
        }
    }
}
