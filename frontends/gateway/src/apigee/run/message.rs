//! AssignMessage, ServiceCallout, RaiseFault.
//!
//! # Idea         changes are made to a message of one form, whichever it is taken from, and put back
//! # Costs        a copy of the message
//! # Invariants   M1 a header or status that can't be sent is a fault
//! # Not here     who may be asked

use bytes::Bytes;
use http::{Method, StatusCode};
use url::Url;

use super::{Fault, Run};
use crate::apigee::context::Message;
use crate::apigee::policy::{Assign, Callout, Changes, MessageName, Policy};
use crate::apigee::template::Template;
use crate::http::{Call, Response, append, remove_hop_by_hop, set};
use crate::upstream::climbs;

impl Run<'_> {
    fn fill(&self, template: &Template, ignores: bool) -> Result<String, Fault> {
        let filled = template.fill(|name| self.context.get(name), ignores);
        filled.map_err(|name| {
            Fault::new(
                "UnresolvedVariable",
                format!("the variable `{name}` has no text"),
            )
        })
    }

    fn apply(&self, changes: &Changes, message: &mut Message) -> Result<(), Fault> {
        let ignores = changes.ignores_unresolved;
        let wrong = |what: &str, value: &str| {
            Fault::new("InvalidValue", format!("{value:?} can't be {what}"))
        };
        for name in &changes.remove_headers {
            message.headers.remove(name.as_str());
        }
        for (name, template) in &changes.set_headers {
            let value = self.fill(template, ignores)?;
            if !set(&mut message.headers, name, &value) {
                return Err(wrong("a header", &value));
            }
        }
        for (name, template) in &changes.add_headers {
            let value = self.fill(template, ignores)?;
            if !append(&mut message.headers, name, &value) {
                return Err(wrong("a header", &value));
            }
        }
        if let Some((template, content_type)) = &changes.payload {
            message.body = Bytes::from(self.fill(template, ignores)?);
            message.headers.remove(http::header::CONTENT_ENCODING);
            if let Some(content_type) = content_type {
                set(&mut message.headers, "content-type", content_type);
            }
        }
        if let Some(template) = &changes.verb {
            let verb = self.fill(template, ignores)?;
            let method = Method::from_bytes(verb.as_bytes());
            message.method = method.map_err(|_| wrong("a verb", &verb))?;
        }
        if let Some(template) = &changes.status {
            let status = self.fill(template, ignores)?;
            let code = status
                .parse()
                .ok()
                .and_then(|code| StatusCode::from_u16(code).ok());
            message.status = Some(code.ok_or_else(|| wrong("a status", &status))?);
        }
        if let Some(template) = &changes.reason {
            message.reason = Some(self.fill(template, ignores)?);
        }
        Ok(())
    }

    fn request_message(&self) -> Message {
        let request = &self.context.request;
        Message {
            method: request.method.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            ..Message::default()
        }
    }

    pub(super) fn assign(&mut self, policy: &Policy, assign: &Assign) -> Result<(), Fault> {
        let current = match (&self.context.error, &self.context.response) {
            (Some(_), _) | (None, Some(_)) => MessageName::Response,
            (None, None) => MessageName::Request,
        };
        let name = assign.message.clone().unwrap_or(current);
        let is_error = self.context.error.is_some();
        let present = match &name {
            _ if assign.creates => None,
            MessageName::Request => Some(self.request_message()),
            MessageName::Response if is_error => self.context.error.clone().map(Message::from),
            MessageName::Response => self.context.response.clone().map(Message::from),
            MessageName::Named(name) => self.context.messages.get(name).cloned(),
        };
        let mut message = present.unwrap_or_default();
        self.apply(&assign.changes, &mut message)?;
        match name {
            MessageName::Request => {
                let request = &mut self.context.request;
                request.method = message.method;
                request.headers = message.headers;
                request.body = message.body;
            }
            MessageName::Response => {
                let response = Some(answer(message, StatusCode::OK));
                match is_error {
                    true => self.context.error = response,
                    false => self.context.response = response,
                }
            }
            MessageName::Named(name) => {
                self.context.messages.insert(name, message);
            }
        }
        for variable in &assign.variables {
            let referred = variable
                .of
                .as_deref()
                .and_then(|name| self.context.get(name));
            let value = match (referred, &variable.value) {
                (Some(value), _) => value,
                (None, Some(template)) => self
                    .fill(template, assign.changes.ignores_unresolved)?
                    .into(),
                (None, None) if assign.changes.ignores_unresolved => continue,
                (None, None) => {
                    let message = format!("`{}` has nothing to be set to", variable.name);
                    return Err(Fault::new("UnresolvedVariable", message));
                }
            };
            self.note(policy, || format!("{} = {value:?}", variable.name));
            if !self.context.set(&variable.name, value) {
                let message = format!("`{}` can't be set", variable.name);
                return Err(Fault::new("SetVariableFailed", message));
            }
        }
        Ok(())
    }

    pub(super) async fn callout(
        &mut self,
        policy: &Policy,
        callout: &Callout,
    ) -> Result<(), Fault> {
        let failed = |why: String| Fault::new("ExecutionFailed", why);
        let text = self.fill(&callout.url, callout.changes.ignores_unresolved)?;
        let is_forged = text.chars().any(char::is_control) || climbs(&text);
        let url = Url::parse(&text).ok().filter(|_| !is_forged);
        let url = url.ok_or_else(|| failed(format!("{text:?} is no URL that may be asked")))?;
        let named = callout.request.as_deref();
        let mut message = match named {
            Some("request") => self.request_message(),
            Some(name) => self.context.messages.get(name).cloned().unwrap_or_default(),
            None => Message::default(),
        };
        self.apply(&callout.changes, &mut message)?;
        remove_hop_by_hop(&mut message.headers);
        let asked = format!("{} {url}", message.method);
        let call = Call {
            method: message.method,
            url,
            headers: message.headers,
            body: message.body,
            within: callout.timeout,
            connect_within: None,
        };
        let sent = self.deployment.reach.send(call).await;
        let response = sent.map_err(|error| failed(format!("{asked}: {error}")))?;
        self.note(policy, || format!("{asked}: {}", response.status));
        let status = response.status;
        if let Some(name) = &callout.response {
            self.context
                .messages
                .insert(name.clone(), Message::from(response));
        }
        match status.as_u16() {
            400.. => Err(failed(format!("{asked}: {status}"))),
            _ => Ok(()),
        }
    }

    pub(super) fn raise_fault(&mut self, changes: &Changes) -> Result<(), Fault> {
        let mut message = Message::default();
        self.apply(changes, &mut message)?;
        let mut fault = Fault::new("RaiseFault", "raised by a policy");
        fault.answer = Some(Box::new(answer(message, StatusCode::INTERNAL_SERVER_ERROR)));
        Err(fault)
    }
}

/// A message as an answer.
fn answer(message: Message, status: StatusCode) -> Response {
    Response {
        status: message.status.unwrap_or(status),
        reason: message.reason,
        headers: message.headers,
        body: message.body,
    }
}
