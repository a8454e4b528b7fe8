//! Policies as they were read: what each is told to do.
//!
//! # Idea         one structure a policy, whose fields are literals or expressions that were checked
//! # Costs        plain values
//! # Invariants   D1 whatever could be checked without a request was checked
//! # Not here     reading them, running them

use std::time::{Duration, SystemTime};

use super::expr::Expression;
use super::jwt::Validator;
use crate::finding::Position;
use crate::http::HeaderName;

/// One policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its element's name.
    pub name: &'static str,
    /// Where it stands.
    pub at: Position,
    /// What it is to do.
    pub act: Act,
}

/// A literal, or an expression.
#[derive(Debug, Clone)]
pub enum Setting {
    /// The text itself.
    Literal(String),
    /// To be evaluated for each request.
    Code(Expression),
}

impl Setting {
    /// Whether its value depends on the response.
    pub fn uses_response(&self) -> bool {
        matches!(self, Self::Code(code) if code.uses_response())
    }
}

/// Which cache a policy means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Caching {
    /// The external one if there is one, else the internal.
    #[default]
    PreferExternal,
    /// The external one or none.
    External,
    /// The engine's own.
    Internal,
}

/// What a policy is to do.
#[derive(Debug, Clone)]
pub enum Act {
    /// `cache-lookup-value`
    LookupValue(Box<LookupValue>),
    /// `cache-store-value`
    StoreValue(Box<StoreValue>),
    /// `cache-remove-value`
    RemoveValue(RemoveValue),
    /// `cache-value`
    CacheValue(Box<CacheValue>),
    /// `cache-lookup`
    LookupResponse(LookupResponse),
    /// `cache-store`
    StoreResponse(StoreResponse),
    /// `rate-limit`
    RateLimit(Box<RateLimit>),
    /// `rate-limit-by-key`
    RateLimitByKey(Box<RateLimitByKey>),
    /// `quota-by-key`
    Quota(Box<Quota>),
    /// `set-variable`
    SetVariable(SetVariable),
    /// `choose`
    Choose(Choose),
    /// `send-request`
    SendRequest(Box<SendRequest>),
    /// `find-and-replace`
    FindAndReplace(FindAndReplace),
    /// `set-backend-service`
    SetBackend(Setting),
    /// `forward-request`, with how long it may take
    Forward(Option<Setting>),
    /// `return-response`
    ReturnResponse(Box<ReturnResponse>),
    /// `set-status`
    SetStatus(SetStatus),
    /// `set-header`
    SetHeader(SetHeader),
    /// `set-body`
    SetBody(Setting),
    /// `set-method`
    SetMethod(Setting),
    /// `validate-jwt`
    ValidateJwt(Box<Validator>),
}

/// Looks a value up.
#[derive(Debug, Clone)]
pub struct LookupValue {
    /// The key.
    pub key: Setting,
    /// What is set if there is a value.
    pub variable: String,
    /// What it is set to if there is none.
    pub default: Option<Setting>,
    /// In which cache.
    pub caching: Caching,
}

/// Stores a value.
#[derive(Debug, Clone)]
pub struct StoreValue {
    /// The key.
    pub key: Setting,
    /// The value.
    pub value: Setting,
    /// How long, in seconds.
    pub duration: Setting,
    /// In which cache.
    pub caching: Caching,
}

/// Removes a value.
#[derive(Debug, Clone)]
pub struct RemoveValue {
    /// The key.
    pub key: Setting,
    /// From which cache.
    pub caching: Caching,
}

/// Looks a value up, or has it computed.
#[derive(Debug, Clone)]
pub struct CacheValue {
    /// The key.
    pub key: Setting,
    /// What the block sets, and is set if there is a value.
    pub variable: String,
    /// How long it is kept, in seconds.
    pub expires_after: Option<Setting>,
    /// How long it is fresh, in seconds.
    pub refresh_after: Option<Setting>,
    /// What the variable is set to if the block sets nothing.
    pub default: Option<Setting>,
    /// In which cache.
    pub caching: Caching,
    /// What computes it.
    pub block: Vec<Policy>,
}

/// Answers with a stored response.
#[derive(Debug, Clone)]
pub struct LookupResponse {
    /// Headers that make different responses.
    pub vary_by_headers: Vec<HeaderName>,
    /// Query parameters that do; none: all of the query.
    pub vary_by_parameters: Vec<String>,
    /// Whether each subscription has responses of its own.
    pub vary_by_developer: bool,
    /// Whether requests with a token are answered from the cache.
    pub allows_private: bool,
    /// In which cache.
    pub caching: Caching,
}

/// Stores the response.
#[derive(Debug, Clone)]
pub struct StoreResponse {
    /// How long, in seconds.
    pub duration: Setting,
}

/// So many calls in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Calls.
    pub calls: u64,
    /// The length of the window.
    pub period: Duration,
}

/// Limits the calls of a subscription.
#[derive(Debug, Clone)]
pub struct RateLimit {
    /// Of all calls.
    pub allowance: Allowance,
    /// Of calls to some APIs.
    pub apis: Vec<LimitedApi>,
    /// What is told of it.
    pub told: Told,
    /// The place in its document, by which its counters are kept apart.
    pub place: u64,
}

/// The limit of an API, for which all of what it names must match.
#[derive(Debug, Clone)]
pub struct LimitedApi {
    /// Which.
    pub which: Named,
    /// Its limit; an API may be there for its operations alone.
    pub allowance: Option<Allowance>,
    /// Limits of its operations.
    pub operations: Vec<(Named, Allowance)>,
}

/// What a name or an id stands for; the id wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By id.
    Id(String),
    /// By name.
    Name(String),
}

impl Named {
    /// Whether it stands for what has this id and name.
    pub fn is(&self, id: &str, name: &str) -> bool {
        match self {
            Self::Id(known) => known == id,
            Self::Name(known) => known == name,
        }
    }
}

/// Limits the calls of a key.
#[derive(Debug, Clone)]
pub struct RateLimitByKey {
    /// Calls.
    pub calls: Setting,
    /// The length of the window, in seconds.
    pub period: Setting,
    /// Whose.
    pub key: Setting,
    /// Whether a call counts.
    pub condition: Option<Setting>,
    /// For how many.
    pub count: Option<Setting>,
    /// What is told of it.
    pub told: Told,
}

/// Headers and variables that tell of a limit.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The header for the seconds to wait; `Retry-After` if none is named.
    pub retry_after_header: Option<HeaderName>,
    /// The variable for them.
    pub retry_after_variable: Option<String>,
    /// The header for what is left.
    pub remaining_header: Option<HeaderName>,
    /// The variable for it.
    pub remaining_variable: Option<String>,
    /// The header for the limit.
    pub total_header: Option<HeaderName>,
}

/// Limits calls, or bytes, or both, of a key in a fixed period.
#[derive(Debug, Clone)]
pub struct Quota {
    /// Calls.
    pub calls: Option<u64>,
    /// Bytes.
    pub bytes: Option<u64>,
    /// The period; zero for no end.
    pub period: Duration,
    /// From when on periods are counted.
    pub anchor: SystemTime,
    /// How long before the year 1970 that is, if it is: a `SystemTime` need not reach so far.
    pub anchor_before_epoch: Option<Duration>,
    /// Whose.
    pub key: Setting,
    /// Whether a call counts.
    pub condition: Option<Setting>,
}

/// Sets a variable.
#[derive(Debug, Clone)]
pub struct SetVariable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Setting,
}

/// Runs the first branch whose condition is true.
#[derive(Debug, Clone)]
pub struct Choose {
    /// Conditions and what they guard.
    pub branches: Vec<(Setting, Vec<Policy>)>,
    /// What is run if none is true.
    pub otherwise: Vec<Policy>,
}

/// Asks somebody else.
#[derive(Debug, Clone)]
pub struct SendRequest {
    /// Where to.
    pub url: Setting,
    /// How; `GET` if nothing is said.
    pub method: Option<Setting>,
    /// Headers.
    pub headers: Vec<SetHeader>,
    /// The body.
    pub body: Option<Setting>,
    /// How long it may take, in seconds.
    pub timeout: Setting,
    /// Whether the flow goes on if there is no answer.
    pub ignore_error: bool,
    /// The variable for the answer.
    pub variable: Option<String>,
}

/// Replaces text in the body.
#[derive(Debug, Clone)]
pub struct FindAndReplace {
    /// What.
    pub from: Setting,
    /// By what.
    pub to: Setting,
}

/// Answers at once.
#[derive(Debug, Clone)]
pub struct ReturnResponse {
    /// The variable with the response to begin with.
    pub variable: Option<String>,
    /// The status.
    pub status: Option<SetStatus>,
    /// Headers.
    pub headers: Vec<SetHeader>,
    /// The body.
    pub body: Option<Setting>,
}

/// Sets the status.
#[derive(Debug, Clone)]
pub struct SetStatus {
    /// The code.
    pub code: Setting,
    /// The reason phrase.
    pub reason: Option<Setting>,
}

/// Sets a header.
#[derive(Debug, Clone)]
pub struct SetHeader {
    /// Its name.
    pub name: Setting,
    /// What happens to one that is there.
    pub action: HeaderAction,
    /// The values.
    pub values: Vec<Setting>,
}

/// What happens to a header that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderAction {
    /// The values take its place.
    #[default]
    Override,
    /// It stays alone.
    Skip,
    /// The values are added.
    Append,
    /// It goes.
    Delete,
}
