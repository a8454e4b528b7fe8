//! One request on its way through the flows.
//!
//! # Idea
//! ```text
//! proxy: before, flow, after -> route -> target: before, flow, after -> target's answer
//!        <- proxy: before, flow, after <- target: before, flow, after
//! ```
//! A fault leaves this way at once for the fault rules of the endpoint whose flow ran, and what those leave as the error is answered.
//!
//! # Costs        what the policies cost
//! # Invariants   R1 after a fault no step runs but those of fault rules; R2 who is asked is on the list of hosts
//! # Not here     what policies do to the cache: module `cache`; to messages: module `message`

mod cache;
mod message;

use larder::Flow;

use super::bundle::{Endpoint, Step, Steps};
use super::context::Context;
use super::deployment::Deployment;
use super::policy::{Act, Policy};
use crate::http::{Call, Response, StatusCode, remove_hop_by_hop};
use crate::trace::Trace;
use crate::upstream::{SendError, below};
use url::Url;

/// Why the flow was left. What is answered is the context's error.
#[derive(Debug)]
pub(super) struct Raised;

/// A fault of a policy.
#[derive(Debug)]
pub(super) struct Fault {
    name: &'static str,
    message: String,
    /// What is answered, if it's another than the vendor's form.
    answer: Option<Box<Response>>,
}

impl Fault {
    pub(super) fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            name,
            message: message.into(),
            answer: None,
        }
    }
}

/// One request.
pub(super) struct Run<'d> {
    deployment: &'d Deployment,
    proxy: &'d Endpoint,
    pub(super) context: Context,
    pub(super) trace: Trace,
}

/// The way in, or back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Back,
}

impl Way {
    fn of(self, steps: &Steps) -> &[Step] {
        match self {
            Self::In => &steps.request,
            Self::Back => &steps.response,
        }
    }
}

impl<'d> Run<'d> {
    pub(super) fn new(
        deployment: &'d Deployment,
        proxy: &'d Endpoint,
        context: Context,
        trace: Trace,
    ) -> Self {
        Self {
            deployment,
            proxy,
            context,
            trace,
        }
    }

    pub(super) async fn all(&mut self) -> Response {
        let proxy = self.proxy;
        if self.segment(proxy, Way::In).await.is_err() {
            return self.failed(proxy).await;
        }
        match self.route() {
            Ok(Some(target)) => {
                self.context.place.target = target.name.clone();
                self.context.place.flow = Flow::Target;
                if self.target(target).await.is_err() {
                    return self.failed(target).await;
                }
                self.context.place.flow = Flow::Proxy;
            }
            Ok(None) => self.context.response = Some(Response::new(StatusCode::OK)),
            Err(Raised) => return self.failed(proxy).await,
        }
        if self.segment(proxy, Way::Back).await.is_err() {
            return self.failed(proxy).await;
        }
        self.context
            .response
            .clone()
            .unwrap_or_else(|| Response::new(StatusCode::OK))
    }

    /// The target that a rule picks; `None`: nobody.
    fn route(&mut self) -> Result<Option<&'d Endpoint>, Raised> {
        let (deployment, routes) = (self.deployment, &self.proxy.routes);
        let rule = routes.iter().find(|route| match &route.condition {
            Some(condition) => condition.holds(&|name| self.context.get(name)),
            None => true,
        });
        match rule {
            Some(rule) => Ok(rule
                .target
                .as_deref()
                .and_then(|name| deployment.bundle.target(name))),
            None if routes.is_empty() => Ok(deployment.bundle.targets.first()),
            None => Err(self.raise(
                "messaging.runtime",
                Fault::new("RouteFailed", "no route matches"),
            )),
        }
    }

    async fn target(&mut self, target: &'d Endpoint) -> Result<(), Raised> {
        self.segment(target, Way::In).await?;
        self.ask(target).await?;
        self.segment(target, Way::Back).await
    }

    /// One way through an endpoint.
    async fn segment(&mut self, endpoint: &'d Endpoint, way: Way) -> Result<(), Raised> {
        self.steps(way.of(&endpoint.before)).await?;
        let flow = endpoint.flows.iter().find(|flow| match &flow.condition {
            Some(condition) => condition.holds(&|name| self.context.get(name)),
            None => true,
        });
        if let Some(flow) = flow {
            self.trace.note("flow", None, || flow.name.clone());
            self.steps(way.of(&flow.steps)).await?;
        }
        self.steps(way.of(&endpoint.after)).await
    }

    async fn steps(&mut self, steps: &'d [Step]) -> Result<(), Raised> {
        for step in steps {
            let runs = match &step.condition {
                Some(condition) => condition.holds(&|name| self.context.get(name)),
                None => true,
            };
            let located = self.deployment.bundle.policies.get(&step.policy);
            match located {
                Some(located) if runs && located.policy.enabled => {
                    self.policy(&located.policy).await?
                }
                Some(located) => {
                    let at = Some(located.policy.at);
                    let why = if runs {
                        "it is switched off"
                    } else {
                        "its condition doesn't hold"
                    };
                    self.trace
                        .note(&step.policy, at, || format!("not run: {why}"));
                }
                None => {}
            }
        }
        Ok(())
    }

    async fn policy(&mut self, policy: &'d Policy) -> Result<(), Raised> {
        let (kind, done) = match &policy.act {
            Act::Lookup(lookup) => {
                self.lookup(policy, lookup);
                return Ok(());
            }
            Act::Populate(populate) => ("populatecache", self.populate(policy, populate)),
            Act::Invalidate(invalidate) => ("invalidatecache", self.invalidate(policy, invalidate)),
            Act::Assign(assign) => ("assignmessage", self.assign(policy, assign)),
            Act::Callout(callout) => ("servicecallout", self.callout(policy, callout).await),
            Act::Raise(changes) => ("raisefault", self.raise_fault(changes)),
        };
        let Err(fault) = done else { return Ok(()) };
        self.context
            .put(format!("{kind}.{}.failed", policy.name), true.into());
        let message = format!("{}: {}", fault.name, fault.message);
        self.trace.warn(&policy.name, Some(policy.at), message);
        if policy.continue_on_error {
            self.context.put("fault.name".to_owned(), fault.name.into());
            return Ok(());
        }
        Err(self.raise(&format!("policies.{kind}"), fault))
    }

    /// Leaves the flow with a fault.
    fn raise(&mut self, kind: &str, fault: Fault) -> Raised {
        self.context.put("fault.name".to_owned(), fault.name.into());
        let response = fault.answer.map(|answer| *answer).unwrap_or_else(|| {
            let code = format!("{kind}.{}", fault.name);
            fault_response(StatusCode::INTERNAL_SERVER_ERROR, &fault.message, &code)
        });
        self.context.error = Some(response);
        Raised
    }

    /// What the fault rules of an endpoint make of a fault.
    async fn failed(&mut self, endpoint: &'d Endpoint) -> Response {
        let holds = |rule: &&super::bundle::FaultRule| match &rule.condition {
            Some(condition) => condition.holds(&|name| self.context.get(name)),
            None => true,
        };
        // A proxy's rules are asked from the last to the first, a target's from the first.
        let is_proxy = std::ptr::eq(endpoint, self.proxy);
        let rule = match is_proxy {
            true => endpoint.faults.iter().rev().find(holds),
            false => endpoint.faults.iter().find(holds),
        };
        let steps = match (rule, &endpoint.default_fault) {
            (Some(rule), _) => {
                self.trace.note("fault rule", None, || rule.name.clone());
                Some(&rule.steps)
            }
            (None, default) => default.as_ref(),
        };
        if let Some(steps) = steps {
            // A fault of a fault rule replaces the one that it is about.
            let _ = self.steps(steps).await;
        }
        let error = self.context.error.clone();
        error.unwrap_or_else(|| Response::new(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// Asks the target.
    async fn ask(&mut self, target: &Endpoint) -> Result<(), Raised> {
        let request = &self.context.request;
        let base = target.url.as_deref().and_then(|url| Url::parse(url).ok());
        let url = base.and_then(|base| {
            below(
                &base,
                &self.context.place.path_suffix,
                request.query.as_deref(),
            )
        });
        let Some(url) = url else {
            return Err(self.raise(
                "messaging.adaptors",
                Fault::new("BadPath", "the target has no such path"),
            ));
        };
        let asked = format!("{} {url}", request.method);
        let call = Call {
            method: request.method.clone(),
            url,
            headers: request.headers.clone(),
            body: request.body.clone(),
            within: target
                .timeouts
                .answer
                .unwrap_or(self.deployment.target_timeout),
            connect_within: target.timeouts.connect,
        };
        match self.deployment.reach.send(call).await {
            Ok(mut response) => {
                self.trace
                    .note("target", None, || format!("{asked}: {}", response.status));
                remove_hop_by_hop(&mut response.headers);
                let is_error = response.status.as_u16() >= 400;
                self.context.response = Some(response.clone());
                if is_error {
                    let mut fault =
                        Fault::new("ErrorResponseCode", "the target answers with an error");
                    fault.answer = Some(Box::new(response));
                    return Err(self.raise("messaging.adaptors.http.flow", fault));
                }
                Ok(())
            }
            Err(error) => {
                self.trace.warn("target", None, format!("{asked}: {error}"));
                let (status, name) = match error {
                    SendError::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "GatewayTimeout"),
                    SendError::NotAllowed { .. } => {
                        (StatusCode::INTERNAL_SERVER_ERROR, "NotAllowed")
                    }
                    _ => (StatusCode::BAD_GATEWAY, "ServiceUnavailable"),
                };
                let mut fault = Fault::new(name, "The target cannot be reached");
                let code = format!("messaging.adaptors.http.flow.{name}");
                fault.answer = Some(Box::new(fault_response(status, &fault.message, &code)));
                Err(self.raise("", fault))
            }
        }
    }

    fn note(&mut self, policy: &Policy, what: impl FnOnce() -> String) {
        self.trace.note(&policy.name, Some(policy.at), what);
    }
}

/// An answer in the vendor's form for a fault.
pub(super) fn fault_response(status: StatusCode, message: &str, code: &str) -> Response {
    let body =
        serde_json::json!({ "fault": { "faultstring": message, "detail": { "errorcode": code } } });
    Response::text(status.as_u16(), body.to_string()).header("Content-Type", "application/json")
}
