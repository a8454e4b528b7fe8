//! Settings that are one of a few words, an address, or a number that can't be zero: each refusal says what would be right.
//!
//! # Idea         serde's own messages tell of types; whoever wrote the settings wants to know what may stand there
//! # Costs        read at the start
//! # Invariants   WD1 what is said of what would be right stands behind [`RIGHT`], and what was read before it
//! # Not here     the names of settings: serde tells them

use std::net::SocketAddr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// What comes between what was said and what would be right.
pub const RIGHT: &str = "; it has to be ";

/// Reads one of these words.
///
/// # Errors
/// It is none of them.
pub fn word<'de, D: Deserializer<'de>, T: Copy>(
    from: D,
    words: &[(&str, T)],
) -> Result<T, D::Error> {
    let said = String::deserialize(from)?;
    let found = words.iter().find(|(word, _)| *word == said);
    found.map(|(_, meant)| *meant).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        D::Error::custom(format!(
            "{said:?} can't be meant{RIGHT}{}",
            words.join(" or ")
        ))
    })
}

/// Reads an address with a port, as [`address_of`] does.
///
/// # Errors
/// It is none.
pub fn address<'de, D: Deserializer<'de>, T: From<SocketAddr>>(from: D) -> Result<T, D::Error> {
    let said = String::deserialize(from)?;
    address_of(&said).map(T::from).map_err(D::Error::custom)
}

/// An address with a port. Names aren't asked for: what is listened to is the machine's own.
///
/// # Errors
/// It is none.
pub fn address_of(said: &str) -> Result<SocketAddr, String> {
    let right = "an address and a port, such as 127.0.0.1:8080 or [::]:8080";
    let read = said.parse();
    read.map_err(|_| format!("{said:?} can't be meant{RIGHT}{right}"))
}

/// Reads a number that isn't zero: with zero, nobody would be served.
///
/// # Errors
/// It is zero, or no number.
pub fn some<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + PartialEq + From<u8>,
{
    let number = T::deserialize(from)?;
    match number == T::from(0) {
        false => Ok(number),
        true => Err(D::Error::custom("0 is below 1")),
    }
}
