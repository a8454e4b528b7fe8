//! The token in the value of an `Authorization` header.

use crate::from_base64;

/// The token of a header's value: all of it, unless a scheme that is known stands before it. `Basic` is known where it is for a user,
/// with the token as the password; `None` if it isn't for that one.
pub fn of_header_value(value: &[u8], basic_user: Option<&str>) -> Option<Vec<u8>> {
    let after = |scheme: &str| {
        let (word, rest) = value.split_at_checked(scheme.len())?;
        let rest = rest.strip_prefix(b" ")?;
        word.eq_ignore_ascii_case(scheme.as_bytes())
            .then(|| rest.trim_ascii())
    };
    if let Some(token) = after("bearer") {
        return Some(token.to_vec());
    }
    if let Some((user, encoded)) = basic_user.zip(after("basic")) {
        let pair = from_base64(encoded)?;
        let rest = pair.strip_prefix(user.as_bytes())?;
        return rest.strip_prefix(b":").map(<[u8]>::to_vec);
    }
    Some(value.trim_ascii().to_vec())
}
