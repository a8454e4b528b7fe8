//! Whatever serde can write.

use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, CodecError};

/// A value that serde writes, in the format of postcard (feature `serde`): small, and without names of fields. So a snapshot is read by the types that wrote it;
/// those of a later version that differ refuse what doesn't fit, or read something else. Where a type changes from one version of a program to
/// the next, give each version a file of its own, or implement [`Codec`] with a [`NAME`](Codec::NAME) for each.
///
/// # Examples
/// ```
/// use larder::{Cache, Serde};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct User {
///     name: String,
/// }
///
/// let cache: Cache<Serde<User>> = Cache::builder().max_entries(1000).build()?;
/// cache.insert(42u64, Serde(User { name: "Ada".to_owned() }))?;
/// let mut file = Vec::new();
/// cache.snapshot_to(&mut file)?;
///
/// let next: Cache<Serde<User>> = Cache::builder().max_entries(1000).build()?;
/// assert_eq!(next.restore_from(&file[..])?.entries, 1);
/// assert_eq!(next.get(42u64).unwrap().name, "Ada");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Serde<T>(pub T);

impl<T> Deref for Serde<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Codec for Serde<T> {
    const NAME: &'static str = "postcard";
    type Decoded<'a> = Serde<T>;

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        postcard::to_io(&self.0, out).map_err(|_| CodecError)?;
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<Serde<T>, CodecError> {
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Ok(Serde(value)),
            Ok(_) | Err(_) => Err(CodecError),
        }
    }
}
