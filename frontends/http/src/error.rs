//! Refusals and failures, as clients see them.
//!
//! # Idea         a handler returns an [`ApiError`]; what it looks like on the wire is decided once, on the way out, by what the client accepts
//! # Costs        plain values
//! # Invariants   ER1 no message holds what the client sent, but names of parameters and figures of limits
//! # Not here     the way out: module `respond`

use std::borrow::Cow;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use larder::{
    IncrementError, LevelError, LevelPutError, LevelRefusal, NotAcrossLevels, Refusal, TenantError,
    TtlError,
};
use larder_serve::Connections;

/// A refusal whose figures are filled in by who knows them.
pub(crate) const NO_ROOM: &str = "storage limit exceeded";

/// After this, trying again may help.
const SECOND: Duration = Duration::from_secs(1);

/// What a request is answered that doesn't get what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The status.
    pub status: StatusCode,
    /// The word for programs.
    pub code: &'static str,
    /// The sentence for people.
    pub message: Cow<'static, str>,
    /// After how many seconds the same request may pass.
    pub retry_after: Option<u64>,
    /// The methods that there are instead.
    pub allow: Option<&'static str>,
}

impl ApiError {
    /// Any: its status, its code and its message.
    pub const fn new(status: StatusCode, code: &'static str, message: Cow<'static, str>) -> Self {
        Self {
            status,
            code,
            message,
            retry_after: None,
            allow: None,
        }
    }

    const fn plain(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self::new(status, code, Cow::Borrowed(message))
    }

    /// No such route.
    pub const NOT_FOUND: Self = Self::plain(StatusCode::NOT_FOUND, "NotFound", "Not Found");
    /// A miss.
    pub const KEY_NOT_FOUND: Self =
        Self::plain(StatusCode::NOT_FOUND, "KeyNotFound", "Key Not Found");
    /// No such cache.
    pub const CACHE_NOT_FOUND: Self =
        Self::plain(StatusCode::NOT_FOUND, "CacheNotFound", "Cache Not Found");
    const EXISTS: Self = Self::plain(StatusCode::CONFLICT, "AlreadyExists", "the cache exists");
    /// 500, and nothing of why.
    pub const INTERNAL: Self = Self::plain(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Internal",
        "Internal Server Error",
    );

    /// 400: a parameter can't be used.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidArgument", message.into())
    }

    /// 400: what is there is not what the operation needs.
    pub fn precondition(message: impl Into<Cow<'static, str>>) -> Self {
        let code = "FailedPrecondition";
        Self::new(StatusCode::BAD_REQUEST, code, message.into())
    }

    /// 401.
    pub fn unauthenticated(message: &'static str) -> Self {
        Self::plain(StatusCode::UNAUTHORIZED, "Unauthenticated", message)
    }

    /// 403.
    pub fn denied(message: &'static str) -> Self {
        Self::plain(StatusCode::FORBIDDEN, "PermissionDenied", message)
    }

    /// 405.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let (code, message) = ("MethodNotAllowed", "Method Not Allowed");
        Self {
            allow: Some(allow),
            ..Self::plain(StatusCode::METHOD_NOT_ALLOWED, code, message)
        }
    }

    /// 429. Without a time, trying again doesn't help.
    pub fn limit(message: impl Into<Cow<'static, str>>, retry_after: Option<Duration>) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        // Whole seconds, and never so few that the next try would come too early.
        let seconds = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
        Self {
            retry_after: retry_after.map(|time| seconds(time).max(1)),
            ..Self::new(status, "LimitExceeded", message.into())
        }
    }

    /// A value that is too large, by a limit on key and value together.
    pub fn item_size(item_bytes_max: u64) -> Self {
        let both = format!("key and value may have {item_bytes_max} bytes together");
        Self::limit(format!("item size limit exceeded: {both}"), None)
    }

    /// A body that is too large, whatever it holds.
    pub(crate) fn body_size(bytes_max: u64) -> Self {
        let message = format!("body size limit exceeded: a body may have {bytes_max} bytes");
        Self::limit(message, None)
    }

    /// A body that is too slow.
    pub(crate) fn body_time(connections: &Connections) -> Self {
        let (ms, pace) = (connections.body.as_millis(), connections.bytes_per_second);
        let allowed = format!("{ms} ms and the time of its bytes at {pace} a second");
        Self::invalid(format!(
            "body time limit exceeded: a body may take {allowed}"
        ))
    }

    /// An answer that is too large.
    pub(crate) fn batch_size(bytes_max: u64) -> Self {
        let values = format!("the values of a batch may have {bytes_max} bytes together");
        Self::limit(format!("batch size limit exceeded: {values}"), None)
    }

    /// A batch of too many items.
    pub(crate) fn batch_items(n_max: usize) -> Self {
        let message = format!("batch size limit exceeded: a batch may have {n_max} items");
        Self::limit(message, None)
    }

    /// Bodies that are too large together, at the moment.
    pub(crate) fn no_room(bytes_max: u64) -> Self {
        let bodies = format!("bodies in flight may have {bytes_max} bytes together");
        Self::limit(format!("server limit exceeded: {bodies}"), Some(SECOND))
    }

    /// Too many who need the further level, at the moment.
    pub(crate) fn no_place(n_max: usize) -> Self {
        let requests = format!("{n_max} requests at a time may need the second level");
        Self::limit(format!("server limit exceeded: {requests}"), Some(SECOND))
    }

    /// No room for an item in the server, its account and its cache, which may take so much.
    pub(crate) fn storage(server: Option<u64>, [account, cache]: [Option<u64>; 2]) -> Self {
        let said = |max: Option<u64>| max.map_or("any number of".into(), |max| max.to_string());
        let [server, account, cache] = [server, account, cache].map(said);
        let all = format!("{cache} bytes, those of the account {account}, all together {server}");
        Self::limit(
            format!("{NO_ROOM}: items of the cache may take {all}"),
            Some(SECOND),
        )
    }

    /// A time to live that is too long.
    pub fn ttl_too_long(ttl_max: Duration) -> Self {
        let seconds = ttl_max.as_secs();
        Self::invalid(format!("ttl_seconds is above the maximum of {seconds}"))
    }

    /// Whether the operation costs what it would have if it had been done: that nothing is there has to be looked up.
    pub(crate) fn costs(&self) -> bool {
        self.status == StatusCode::NOT_FOUND || self.status.is_server_error()
    }
}

impl IntoResponse for ApiError {
    /// The head; the body is written on the way out, where it is known what the client accepts.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Key(error) => Self::invalid(error.to_string()),
            Refusal::ZeroTtl => TtlError::Zero.into(),
            Refusal::TtlTooLong { ttl_max } => Self::ttl_too_long(ttl_max),
            Refusal::ItemTooLarge { item_bytes_max, .. } => Self::item_size(item_bytes_max),
            Refusal::KeyTooLong { key_bytes_max, .. } => Self::limit(
                format!("key size limit exceeded: a key may have {key_bytes_max} bytes"),
                None,
            ),
            Refusal::TooLarge { bytes_max, .. } => Self::item_size(bytes_max),
            Refusal::NoCapacity => Self::item_size(0),
            Refusal::NoRoom => Self::limit(NO_ROOM, Some(SECOND)),
            Refusal::Closed => Self::CACHE_NOT_FOUND,
            _ => Self::INTERNAL,
        }
    }
}

impl From<TtlError> for ApiError {
    fn from(error: TtlError) -> Self {
        match error {
            TtlError::TooLong { ttl_max } => Self::ttl_too_long(ttl_max),
            _ => Self::invalid("ttl_seconds has to be above zero"),
        }
    }
}

impl<S> From<LevelPutError<S>> for ApiError {
    fn from(error: LevelPutError<S>) -> Self {
        match error.refusal {
            LevelRefusal::Refused(refusal) => refusal.into(),
            _ => Self::INTERNAL,
        }
    }
}

impl From<LevelError> for ApiError {
    fn from(_: LevelError) -> Self {
        Self::INTERNAL
    }
}

impl From<NotAcrossLevels> for ApiError {
    fn from(_: NotAcrossLevels) -> Self {
        Self::precondition("the operation needs a cache that is kept in memory alone")
    }
}

impl From<IncrementError> for ApiError {
    fn from(error: IncrementError) -> Self {
        match error {
            IncrementError::Refused(refusal) => refusal.into(),
            IncrementError::NotANumber => {
                Self::precondition("the value is no decimal number of 64 bits with a sign")
            }
            IncrementError::Overflow => Self::precondition("the sum is beyond 64 bits with a sign"),
            _ => Self::INTERNAL,
        }
    }
}

impl From<TenantError> for ApiError {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::NoSuchCache => Self::CACHE_NOT_FOUND,
            TenantError::AlreadyExists => Self::EXISTS,
            // An address has no room for one that is too long.
            TenantError::Name(_) => Self::invalid("the cache name is blank or too long"),
            TenantError::TooManyCaches { n_max } => Self::limit(
                format!("cache count limit exceeded: an account may have {n_max} caches"),
                None,
            ),
            TenantError::Share(error) => {
                Self::limit(format!("memory limit exceeded: {error}"), None)
            }
            _ => Self::INTERNAL,
        }
    }
}
