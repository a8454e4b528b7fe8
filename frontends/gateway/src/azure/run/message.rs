//! Changing messages, answering at once, and validating tokens.
//!
//! # Idea         what there is of the response is what is changed; before there is one, the request
//! # Costs        a response that something else still holds is copied before it's changed
//! # Invariants   B1 a header that can't be sent is never set: the policy fails
//! # Not here     bodies in encodings: module `body`

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::{Run, Stop, failed, refusal};
use crate::azure::expr::Value;
use crate::azure::jwt::Validator;
use crate::azure::policy::{HeaderAction, Policy, ReturnResponse, SetHeader, SetStatus, Setting};
use crate::http::{Response, append};

impl Run<'_> {
    pub(super) fn method(&self, policy: &Policy, setting: &Setting) -> Result<Method, Stop> {
        let text = self.text(setting, policy)?;
        let method = Method::from_bytes(text.trim().as_bytes());
        method.map_err(|_| failed(policy, format!("{text:?} is no method")))
    }

    pub(super) fn apply_header(
        &self,
        policy: &Policy,
        header: &SetHeader,
        headers: &mut HeaderMap,
    ) -> Result<(), Stop> {
        let name = self.text(&header.name, policy)?;
        let is_there = headers.contains_key(&*name);
        match header.action {
            HeaderAction::Skip if is_there => return Ok(()),
            HeaderAction::Override | HeaderAction::Delete => {
                headers.remove(&*name);
            }
            HeaderAction::Skip | HeaderAction::Append => {}
        }
        if header.action == HeaderAction::Delete {
            return Ok(());
        }
        for value in &header.values {
            let value = self.text(value, policy)?;
            if !append(headers, &name, &value) {
                return Err(failed(
                    policy,
                    format!("the header {name:?} can't be sent: {value:?}"),
                ));
            }
        }
        Ok(())
    }

    pub(super) fn set_header(&mut self, policy: &Policy, header: &SetHeader) -> Result<(), Stop> {
        let mut headers = match &mut self.response {
            Some(response) => std::mem::take(&mut Arc::make_mut(response).headers),
            None => std::mem::take(&mut self.request.headers),
        };
        let applied = self.apply_header(policy, header, &mut headers);
        match &mut self.response {
            Some(response) => Arc::make_mut(response).headers = headers,
            None => self.request.headers = headers,
        }
        applied
    }

    fn apply_status(
        &self,
        policy: &Policy,
        status: &SetStatus,
        response: &mut Response,
    ) -> Result<(), Stop> {
        let code = self.integer(&status.code, policy)?;
        let known = u16::try_from(code)
            .ok()
            .filter(|code| (200..=599).contains(code));
        let code = known.and_then(|code| StatusCode::from_u16(code).ok());
        response.status =
            code.ok_or_else(|| failed(policy, "the status must be from 200 to 599"))?;
        response.reason = match &status.reason {
            Some(reason) => Some(self.text(reason, policy)?.to_string()),
            None => None,
        };
        Ok(())
    }

    pub(super) fn set_status(&mut self, policy: &Policy, status: &SetStatus) -> Result<(), Stop> {
        let Some(response) = &self.response else {
            self.warn(policy, "there is no response yet");
            return Ok(());
        };
        let mut response = Response::clone(response);
        self.apply_status(policy, status, &mut response)?;
        self.set_response(response);
        Ok(())
    }

    pub(super) fn set_body(&mut self, policy: &Policy, body: &Setting) -> Result<(), Stop> {
        let body = Bytes::from(self.text(body, policy)?.to_string());
        let (headers, place) = match &mut self.response {
            Some(response) => {
                let response = Arc::make_mut(response);
                (&mut response.headers, &mut response.body)
            }
            None => (&mut self.request.headers, &mut self.request.body),
        };
        headers.remove(http::header::CONTENT_ENCODING);
        *place = body;
        Ok(())
    }

    pub(super) fn set_method(&mut self, policy: &Policy, method: &Setting) -> Result<(), Stop> {
        self.request.method = self.method(policy, method)?;
        Ok(())
    }

    pub(super) fn return_response(
        &mut self,
        policy: &Policy,
        answer: &ReturnResponse,
    ) -> Result<(), Stop> {
        let mut response = match &answer.variable {
            None => Response::new(StatusCode::OK),
            Some(variable) => match self.variables.get(variable) {
                Some(Value::Response(response)) => Response::clone(response),
                _ => return Err(failed(policy, format!("{variable:?} holds no response"))),
            },
        };
        if let Some(status) = &answer.status {
            self.apply_status(policy, status, &mut response)?;
        }
        for header in &answer.headers {
            self.apply_header(policy, header, &mut response.headers)?;
        }
        if let Some(body) = &answer.body {
            response.body = Bytes::from(self.text(body, policy)?.to_string());
            response.headers.remove(http::header::CONTENT_ENCODING);
        }
        self.note(policy, || format!("answers {}", response.status));
        Err(Stop::Answer(Box::new(response)))
    }

    pub(super) fn validate_jwt(
        &mut self,
        policy: &Policy,
        validator: &Validator,
    ) -> Result<(), Stop> {
        let now = self.gateway.engine.time().wall();
        match validator.check(&self.request.headers, now) {
            Ok(claims) => {
                self.note(policy, || "the token is good".to_owned());
                if let Some(variable) = &validator.variable {
                    self.variables
                        .set(&**variable, Value::Jwt(Arc::new(claims)));
                }
                Ok(())
            }
            Err(reason) => {
                self.note(policy, || format!("refused: {reason}"));
                let status =
                    StatusCode::from_u16(validator.status).unwrap_or(StatusCode::UNAUTHORIZED);
                let message = validator.message.as_deref().unwrap_or(reason);
                Err(Stop::Refused(Box::new(refusal(status, message))))
            }
        }
    }
}
