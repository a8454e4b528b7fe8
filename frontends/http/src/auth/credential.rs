//! Where a request says who it is of: in the query, or in a header.

use axum::http::{HeaderMap, header};
use larder_serve::auth::of_header_value;

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
        Some(value) => {
            let token = of_header_value(value.as_bytes(), takes_basic.then_some("momento"));
            Some(token.ok_or(ApiError::invalid(
                "the Authorization header is not Basic for the user momento",
            ))?)
        }
    };
    Ok(token.filter(|token| !token.is_empty()))
}
