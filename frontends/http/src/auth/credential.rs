//! Where a request says who it is of: in the query, or in a header.

use axum::http::{HeaderMap, header};
use larder_serve::from_base64;

use crate::error::ApiError;
use crate::query::Query;

/// The token of a request, as bytes that may be anything; `None` if there is none.
pub(crate) fn credential(
    query: &Query<'_>,
    headers: &HeaderMap,
    takes_basic: bool,
) -> Result<Option<Vec<u8>>, ApiError> {
    let of_query = query.token()?;
    let mut of_headers = headers.get_all(header::AUTHORIZATION).iter();
    let of_header = of_headers.next();
    if of_headers.next().is_some() || (of_query.is_some() && of_header.is_some()) {
        return Err(ApiError::invalid(
            "more than one credential is given; set token or the Authorization header",
        ));
    }
    let token = match of_header {
        None => of_query,
        Some(value) => Some(of_value(value.as_bytes(), takes_basic)?),
    };
    Ok(token.filter(|token| !token.is_empty()))
}

/// The token of a header's value: all of it, unless a scheme that is known stands before it.
fn of_value(value: &[u8], takes_basic: bool) -> Result<Vec<u8>, ApiError> {
    let after = |scheme: &str| {
        let (word, rest) = value.split_at_checked(scheme.len())?;
        let rest = rest.strip_prefix(b" ")?;
        word.eq_ignore_ascii_case(scheme.as_bytes())
            .then(|| rest.trim_ascii())
    };
    if let Some(token) = after("bearer") {
        return Ok(token.to_vec());
    }
    if takes_basic && let Some(encoded) = after("basic") {
        let pair = from_base64(encoded);
        let token = pair.and_then(|pair| pair.strip_prefix(b"momento:").map(<[u8]>::to_vec));
        return token.ok_or(ApiError::invalid(
            "the Authorization header is not Basic for the user momento",
        ));
    }
    Ok(value.trim_ascii().to_vec())
}
