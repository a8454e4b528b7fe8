//! One request on its way through the policies.
//!
//! # Idea
//! A `Run` has the request, the response once there is one, and the variables; a policy changes them, asks somebody, or stops the
//! section. Blocks inside policies are run by the same function.
//!
//! # Costs
//! A boxed future for each policy that may wait for somebody.
//!
//! # Invariants
//! - R1 What stops a section is one of three: an answer, a refusal, a failure; nothing after it in the section runs.
//! - R2 Who is asked is on the list of hosts, whatever a policy says.
//!
//! # Not here
//! The order of sections.

mod backend;
mod body;
mod cache;
mod cache_value;
mod limits;
mod message;
mod response_cache;

use std::cell::OnceCell;
use std::sync::Arc;

use http::StatusCode;
use larder::NamedCache;
use url::Url;

use self::limits::Pending;
pub(super) use self::limits::prime;
use self::response_cache::ResponseKey;
use super::expr::{EvalError, Facts, Made, Subscription, Value, Variables};
use super::gateway::Gateway;
use super::policy::{Act, Policy, SetVariable, Setting};
use super::settings::{ApiSettings, Operation};
use crate::finding::Position;
use crate::http::{HeaderName, Request, Response, set};
use crate::trace::Trace;
use crate::upstream::Boxed;

/// Why a section ended before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// A policy answers, and that is all.
    Answer(Box<Response>),
    /// A policy refuses the request.
    Refused(Box<Response>),
    /// A policy failed.
    Failed {
        at: Option<Position>,
        message: String,
    },
}

impl From<EvalError> for Stop {
    fn from(error: EvalError) -> Self {
        Self::Failed {
            at: error.at,
            message: error.message,
        }
    }
}

/// One request.
pub(super) struct Run<'g> {
    gateway: &'g Gateway,
    api: &'g ApiSettings,
    operation: Option<&'g Operation>,
    subscription: Option<&'g Subscription>,
    request: Request,
    /// The path behind the prefix of the API.
    rest: String,
    response: Option<Arc<Response>>,
    variables: Variables,
    backend: Option<Url>,
    was_forwarded: bool,
    /// Calls whose count is decided by the response.
    pending: Vec<Pending>,
    /// What of limits is told in headers.
    told: Vec<(HeaderName, String)>,
    /// Quotas that this request was counted in.
    counted: Vec<String>,
    /// Under which the response may be stored.
    response_key: Option<ResponseKey>,
    /// The cache of values, once it was asked for.
    values: OnceCell<NamedCache<'g, [u8]>>,
    pub(super) trace: Trace,
}

impl<'g> Run<'g> {
    pub(super) fn new(
        gateway: &'g Gateway,
        api: &'g ApiSettings,
        subscription: Option<&'g Subscription>,
        (request, rest): (Request, String),
        trace: Trace,
    ) -> Self {
        Self {
            gateway,
            api,
            operation: api.operation(&request.method, &rest),
            subscription,
            request,
            rest,
            response: None,
            variables: Variables::new(),
            backend: api.api.service_url.clone(),
            was_forwarded: false,
            pending: Vec::new(),
            told: Vec::new(),
            counted: Vec::new(),
            response_key: None,
            values: OnceCell::new(),
            trace,
        }
    }

    /// The response as it is now.
    pub(super) fn response(&self) -> Response {
        match &self.response {
            Some(response) => Response::clone(response),
            None => refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error"),
        }
    }

    pub(super) fn set_response(&mut self, response: Response) {
        self.response = Some(Arc::new(response));
    }

    /// Adds the headers that tell of limits.
    pub(super) fn tell(&self, response: &mut Response) {
        for (name, value) in &self.told {
            set(&mut response.headers, name.as_str(), value);
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            request: &self.request,
            response: self.response.as_ref(),
            variables: &self.variables,
            api: &self.api.api,
            subscription: self.subscription,
            reject_null_in_key: self.gateway.settings.reject_null_in_key,
            allow_path_climb: self.gateway.settings.allow_path_climb,
        }
    }

    fn value(&self, setting: &Setting) -> Result<Value, Stop> {
        self.made(setting).map(|made| made.value)
    }

    /// A value for a variable.
    fn made(&self, setting: &Setting) -> Result<Made, Stop> {
        Ok(match setting {
            Setting::Literal(text) => Value::text(text).into(),
            Setting::Code(code) => code.make(&self.facts())?,
        })
    }

    fn text(&self, setting: &Setting, policy: &Policy) -> Result<Arc<str>, Stop> {
        let value = self.value(setting)?;
        value
            .to_text()
            .ok_or_else(|| failed(policy, format!("{value} is no text")))
    }

    /// The text of a key: never empty.
    fn key(&self, setting: &Setting, policy: &Policy) -> Result<String, Stop> {
        let key = match setting {
            Setting::Literal(text) => text.clone(),
            Setting::Code(code) => code.key_text(&self.facts())?,
        };
        match key.is_empty() {
            true => Err(failed(policy, "the key is empty")),
            false => Ok(key),
        }
    }

    fn integer(&self, setting: &Setting, policy: &Policy) -> Result<i64, Stop> {
        let value = match setting {
            Setting::Literal(text) => {
                let message = || failed(policy, format!("{text:?} is no whole number"));
                return text.trim().parse().map_err(|_| message());
            }
            Setting::Code(code) => code.evaluate(&self.facts())?,
        };
        let message = || failed(policy, format!("{value} is no whole number"));
        value.to_integer().ok_or_else(message)
    }

    /// A condition; what is neither true nor false can't be, by the check of types.
    fn is_true(&self, setting: &Setting) -> Result<bool, Stop> {
        Ok(match self.value(setting)? {
            Value::Bool(boolean) => boolean,
            Value::Text(text) => text.trim().eq_ignore_ascii_case("true"),
            _ => false,
        })
    }

    /// Runs policies in order.
    pub(super) async fn block(&mut self, policies: &[Policy]) -> Result<(), Stop> {
        for policy in policies {
            match self.at_once(policy) {
                Some(done) => done?,
                None => self.in_time(policy).await?,
            }
        }
        Ok(())
    }

    /// Runs a policy that may wait for others.
    fn in_time<'a>(&'a mut self, policy: &'a Policy) -> Boxed<'a, Result<(), Stop>> {
        Box::pin(async move {
            match &policy.act {
                Act::CacheValue(value) => self.cache_value(policy, value).await,
                Act::Choose(choose) => {
                    for (idx, (condition, branch)) in choose.branches.iter().enumerate() {
                        if self.is_true(condition)? {
                            self.note(policy, || format!("branch {} is taken", idx + 1));
                            return self.block(branch).await;
                        }
                    }
                    self.note(policy, || "no branch is taken".to_owned());
                    self.block(&choose.otherwise).await
                }
                Act::SendRequest(send) => self.send_request(policy, send).await,
                Act::Forward(timeout) => self.forward(policy, timeout.as_ref()).await,
                _ => Ok(()),
            }
        })
    }

    /// Runs a policy that waits for nobody; `None` if it's one that may.
    fn at_once(&mut self, policy: &Policy) -> Option<Result<(), Stop>> {
        Some(match &policy.act {
            Act::CacheValue(_) | Act::Choose(_) | Act::SendRequest(_) | Act::Forward(_) => {
                return None;
            }
            Act::LookupValue(lookup) => self.lookup_value(policy, lookup),
            Act::StoreValue(store) => self.store_value(policy, store),
            Act::RemoveValue(remove) => self.remove_value(policy, remove),
            Act::LookupResponse(lookup) => self.lookup_response(policy, lookup),
            Act::StoreResponse(store) => self.store_response(policy, store),
            Act::RateLimit(limit) => self.rate_limit(policy, limit),
            Act::RateLimitByKey(limit) => self.rate_limit_by_key(policy, limit),
            Act::Quota(quota) => self.quota(policy, quota),
            Act::SetVariable(set) => self.set_variable(policy, set),
            Act::FindAndReplace(replace) => self.find_and_replace(policy, replace),
            Act::SetBackend(url) => self.set_backend(policy, url),
            Act::ReturnResponse(answer) => self.return_response(policy, answer),
            Act::SetStatus(status) => self.set_status(policy, status),
            Act::SetHeader(header) => self.set_header(policy, header),
            Act::SetBody(body) => self.set_body(policy, body),
            Act::SetMethod(method) => self.set_method(policy, method),
            Act::ValidateJwt(validator) => self.validate_jwt(policy, validator),
        })
    }

    fn set_variable(&mut self, policy: &Policy, set: &SetVariable) -> Result<(), Stop> {
        let made = self.made(&set.value)?;
        self.note(policy, || format!("{} = {}", set.name, made.value));
        self.variables.set(&*set.name, made);
        Ok(())
    }

    fn note(&mut self, policy: &Policy, what: impl FnOnce() -> String) {
        self.trace.note(policy.name, Some(policy.at), what);
    }

    fn warn(&mut self, policy: &Policy, what: impl Into<String>) {
        self.trace.warn(policy.name, Some(policy.at), what);
    }
}

/// That a policy failed.
fn failed(policy: &Policy, message: impl Into<String>) -> Stop {
    Stop::Failed {
        at: Some(policy.at),
        message: message.into(),
    }
}

/// An answer in the vendor's form for what isn't done.
pub(super) fn refusal(status: StatusCode, message: &str) -> Response {
    let body = serde_json::json!({ "statusCode": status.as_u16(), "message": message });
    Response::text(status.as_u16(), body.to_string()).header("Content-Type", "application/json")
}
