//! Asking somebody: the backend, and requests of policies' own.
//!
//! # Idea         a URL is put together, looked at, and asked through the list of hosts
//! # Costs        the call
//! # Invariants   R2 of the module above; N1 the path behind a base never climbs out of it; N2 a request of a policy's own has none of
//!   the caller's headers
//! # Not here     sockets

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::{Run, Stop, failed, refusal};
use crate::azure::expr::{Value, is_clean_url};
use crate::azure::policy::{Policy, SendRequest, Setting};
use crate::http::{Call, remove_hop_by_hop};
use crate::upstream::{SendError, below, climbs};

/// Longer than anybody waits, and short enough to be added to any time.
const TIMEOUT_SECONDS_MAX: u64 = 86_400;

impl Run<'_> {
    fn timeout(&self, policy: &Policy, setting: &Setting) -> Result<Duration, Stop> {
        let seconds = self.integer(setting, policy)?;
        match u64::try_from(seconds) {
            Ok(seconds @ 1..=TIMEOUT_SECONDS_MAX) => Ok(Duration::from_secs(seconds)),
            _ => Err(failed(policy, format!("`timeout` is {seconds}"))),
        }
    }

    fn url(&self, policy: &Policy, setting: &Setting) -> Result<Url, Stop> {
        let text = self.text(setting, policy)?;
        if !is_clean_url(&text) {
            let message = format!("the URL {text:?} has a control character or space at an end");
            return Err(failed(policy, message));
        }
        if climbs(&text) && !self.gateway.settings.allow_path_climb {
            let message = format!("the URL {text:?} leads upward by `..`");
            return Err(failed(policy, message));
        }
        let url = Url::parse(&text);
        url.map_err(|error| failed(policy, format!("{text:?} is no URL: {error}")))
    }

    pub(super) fn set_backend(&mut self, policy: &Policy, setting: &Setting) -> Result<(), Stop> {
        let url = self.url(policy, setting)?;
        self.note(policy, || format!("the backend is {url}"));
        self.backend = Some(url);
        Ok(())
    }

    pub(super) async fn send_request(
        &mut self,
        policy: &Policy,
        send: &SendRequest,
    ) -> Result<(), Stop> {
        let url = self.url(policy, &send.url)?;
        let method = match &send.method {
            Some(method) => self.method(policy, method)?,
            None => Method::GET,
        };
        let mut headers = HeaderMap::new();
        for header in &send.headers {
            self.apply_header(policy, header, &mut headers)?;
        }
        remove_hop_by_hop(&mut headers);
        let body = match &send.body {
            Some(body) => Bytes::from(self.text(body, policy)?.to_string()),
            None => Bytes::new(),
        };
        let within = self.timeout(policy, &send.timeout)?;
        let asked = format!("{method} {url}");
        let call = Call {
            method,
            url,
            headers,
            body,
            within,
            connect_within: None,
        };
        let value = match self.gateway.reach.send(call).await {
            Ok(response) => {
                self.note(policy, || format!("{asked}: {}", response.status));
                Value::Response(Arc::new(response))
            }
            Err(error) if send.ignore_error => {
                self.warn(policy, format!("{asked}: {error}"));
                Value::Null
            }
            Err(error) => return Err(failed(policy, format!("{asked}: {error}"))),
        };
        if let Some(variable) = &send.variable {
            self.variables.set(&**variable, value);
        }
        Ok(())
    }

    pub(super) async fn forward(
        &mut self,
        policy: &Policy,
        timeout: Option<&Setting>,
    ) -> Result<(), Stop> {
        if self.was_forwarded {
            return Err(failed(policy, "the request was forwarded already"));
        }
        let within = match timeout {
            Some(timeout) => self.timeout(policy, timeout)?,
            None => self.gateway.settings.backend_timeout,
        };
        self.ask_backend(within).await
    }

    /// Asks the backend, unless a policy has done so.
    pub(in crate::azure) async fn forward_once(&mut self) -> Result<(), Stop> {
        match self.was_forwarded {
            true => Ok(()),
            false => {
                self.ask_backend(self.gateway.settings.backend_timeout)
                    .await
            }
        }
    }

    async fn ask_backend(&mut self, within: Duration) -> Result<(), Stop> {
        self.was_forwarded = true;
        let stop =
            |status: StatusCode, message: &str| Stop::Refused(Box::new(refusal(status, message)));
        let Some(base) = &self.backend else {
            return Err(Stop::Failed {
                at: None,
                message: "the API has no backend".to_owned(),
            });
        };
        let Some(url) = below(base, &self.rest, self.request.query.as_deref()) else {
            return Err(stop(StatusCode::BAD_REQUEST, "The path is not acceptable."));
        };
        let asked = format!("{} {url}", self.request.method);
        let call = Call {
            method: self.request.method.clone(),
            url,
            headers: self.request.headers.clone(),
            body: self.request.body.clone(),
            within,
            connect_within: None,
        };
        match self.gateway.reach.send(call).await {
            Ok(mut response) => {
                self.trace
                    .note("backend", None, || format!("{asked}: {}", response.status));
                remove_hop_by_hop(&mut response.headers);
                self.set_response(response);
                Ok(())
            }
            Err(error) => {
                self.trace
                    .warn("backend", None, format!("{asked}: {error}"));
                Err(match error {
                    SendError::NotAllowed { .. } => {
                        stop(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
                    }
                    SendError::TimedOut => stop(
                        StatusCode::GATEWAY_TIMEOUT,
                        "The backend did not answer in time.",
                    ),
                    _ => stop(StatusCode::BAD_GATEWAY, "The backend cannot be reached."),
                })
            }
        }
    }
}
