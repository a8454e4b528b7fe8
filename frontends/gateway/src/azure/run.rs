//! One request on its way through the policies.
//!
//! # Idea
//! A `Run` has the request, the response once there is one, and the variables; a policy changes them, asks somebody, or stops the
//! section. Blocks inside policies are run by the same function.
//!
//! # Costs
//! A boxed future a block.
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

use std::collections::HashMap;
use std::sync::Arc;

use http::StatusCode;
use url::Url;

use self::limits::Pending;
pub(super) use self::limits::prime;
use self::response_cache::ResponseKey;
use super::expr::{EvalError, Facts, Subscription, Value};
use super::gateway::Gateway;
use super::policy::{Act, Policy, Setting};
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
    variables: HashMap<String, Value>,
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
            variables: HashMap::new(),
            backend: api.api.service_url.clone(),
            was_forwarded: false,
            pending: Vec::new(),
            told: Vec::new(),
            counted: Vec::new(),
            response_key: None,
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
        Ok(match setting {
            Setting::Literal(text) => Value::text(text),
            Setting::Code(code) => code.evaluate(&self.facts())?,
        })
    }

    fn text(&self, setting: &Setting, policy: &Policy) -> Result<Arc<str>, Stop> {
        let value = self.value(setting)?;
        value
            .to_text()
            .ok_or_else(|| failed(policy, format!("{value} is no text")))
    }

    /// The text of a key: never empty.
    fn key(&self, setting: &Setting, policy: &Policy) -> Result<Arc<str>, Stop> {
        let value = match setting {
            Setting::Literal(text) => Value::text(text),
            Setting::Code(code) => code.evaluate_key(&self.facts())?,
        };
        match value.to_text() {
            Some(text) if text.is_empty() => Err(failed(policy, "the key is empty")),
            Some(text) => Ok(text),
            None => Err(failed(policy, format!("{value} is no key"))),
        }
    }

    fn integer(&self, setting: &Setting, policy: &Policy) -> Result<i64, Stop> {
        let value = self.value(setting)?;
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
    pub(super) fn block<'a>(&'a mut self, policies: &'a [Policy]) -> Boxed<'a, Result<(), Stop>>
    where
        'g: 'a,
    {
        Box::pin(async move {
            for policy in policies {
                self.policy(policy).await?;
            }
            Ok(())
        })
    }

    async fn policy(&mut self, policy: &Policy) -> Result<(), Stop> {
        match &policy.act {
            Act::LookupValue(lookup) => self.lookup_value(policy, lookup),
            Act::StoreValue(store) => self.store_value(policy, store),
            Act::RemoveValue(remove) => self.remove_value(policy, remove),
            Act::CacheValue(value) => self.cache_value(policy, value).await,
            Act::LookupResponse(lookup) => self.lookup_response(policy, lookup),
            Act::StoreResponse(store) => self.store_response(policy, store),
            Act::RateLimit(limit) => self.rate_limit(policy, limit),
            Act::RateLimitByKey(limit) => self.rate_limit_by_key(policy, limit),
            Act::Quota(quota) => self.quota(policy, quota),
            Act::SetVariable(set) => {
                let value = self.value(&set.value)?;
                self.note(policy, || format!("{} = {value}", set.name));
                self.variables.insert(set.name.clone(), value);
                Ok(())
            }
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
            Act::FindAndReplace(replace) => self.find_and_replace(policy, replace),
            Act::SetBackend(url) => self.set_backend(policy, url),
            Act::Forward(timeout) => self.forward(policy, timeout.as_ref()).await,
            Act::ReturnResponse(answer) => self.return_response(policy, answer),
            Act::SetStatus(status) => self.set_status(policy, status),
            Act::SetHeader(header) => self.set_header(policy, header),
            Act::SetBody(body) => self.set_body(policy, body),
            Act::SetMethod(method) => self.set_method(policy, method),
            Act::ValidateJwt(validator) => self.validate_jwt(policy, validator),
        }
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
