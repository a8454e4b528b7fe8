//! Policies about messages: requests of their own, and parts of what is asked and answered.
//!
//! # Idea         elements within elements, each with its text or expression
//! # Costs        once a document
//! # Invariants   L2 of the module above
//! # Not here     messages

use super::attributes::{Attributes, content, no_text, setting, unknown_element};
use crate::azure::expr::Wanted;
use crate::azure::policy::{
    Act, FindAndReplace, HeaderAction, ReturnResponse, SendRequest, SetHeader, SetStatus, Setting,
};
use crate::finding::Finding;
use crate::xml::Element;

/// What may take no longer than this if nothing else is said.
const TIMEOUT_SECONDS: &str = "60";

pub(super) fn send_request(element: &Element) -> Result<Act, Finding> {
    no_text(element)?;
    let attributes = Attributes::of(element);
    attributes.word("mode", &[("new", ())])?;
    let timeout = attributes.setting("timeout", Wanted::Integer)?;
    let ignore_error = attributes.flag("ignore-error")?.unwrap_or(false);
    let variable = attributes.literal("response-variable-name")?;
    attributes.finish()?;
    let (mut url, mut method, mut headers, mut body) = (None, None, Vec::new(), None);
    for inner in element.elements() {
        match &*inner.name {
            "set-url" => once(&mut url, inner, content(inner, Wanted::Text)?)?,
            "set-method" => once(&mut method, inner, content(inner, Wanted::Text)?)?,
            "set-header" => headers.push(header(inner)?),
            "set-body" => once(&mut body, inner, content(inner, Wanted::Text)?)?,
            _ => return Err(unknown_element(inner, "send-request")),
        }
    }
    let Some(url) = url else {
        let message = "<send-request> has no <set-url>, which is required";
        return Err(Finding::error(element.at, message));
    };
    Ok(Act::SendRequest(Box::new(SendRequest {
        url,
        method,
        headers,
        body,
        timeout: timeout.unwrap_or_else(|| Setting::Literal(TIMEOUT_SECONDS.to_owned())),
        ignore_error,
        variable,
    })))
}

fn once<T>(place: &mut Option<T>, element: &Element, value: T) -> Result<(), Finding> {
    if place.replace(value).is_some() {
        let message = format!("<{}> is there twice", element.name);
        return Err(Finding::error(element.at, message));
    }
    Ok(())
}

pub(super) fn find_and_replace(element: &Element) -> Result<Act, Finding> {
    no_text(element)?;
    let attributes = Attributes::of(element);
    let replace = FindAndReplace {
        from: attributes.required_setting("from", Wanted::Text)?,
        to: attributes.required_setting("to", Wanted::Text)?,
    };
    attributes.finish()?;
    Ok(Act::FindAndReplace(replace))
}

pub(super) fn set_backend(element: &Element) -> Result<Act, Finding> {
    no_text(element)?;
    let attributes = Attributes::of(element);
    let url = attributes.required_setting("base-url", Wanted::Text)?;
    attributes.finish()?;
    Ok(Act::SetBackend(url))
}

pub(super) fn forward(element: &Element) -> Result<Act, Finding> {
    no_text(element)?;
    let attributes = Attributes::of(element);
    let timeout = attributes.setting("timeout", Wanted::Integer)?;
    attributes.finish()?;
    Ok(Act::Forward(timeout))
}

pub(super) fn return_response(element: &Element) -> Result<Act, Finding> {
    no_text(element)?;
    let attributes = Attributes::of(element);
    let variable = attributes.literal("response-variable-name")?;
    attributes.finish()?;
    let (mut status_set, mut headers, mut body) = (None, Vec::new(), None);
    for inner in element.elements() {
        match &*inner.name {
            "set-status" => once(&mut status_set, inner, status(inner)?)?,
            "set-header" => headers.push(header(inner)?),
            "set-body" => once(&mut body, inner, content(inner, Wanted::Text)?)?,
            _ => return Err(unknown_element(inner, "return-response")),
        }
    }
    Ok(Act::ReturnResponse(Box::new(ReturnResponse {
        variable,
        status: status_set,
        headers,
        body,
    })))
}

pub(super) fn status(element: &Element) -> Result<SetStatus, Finding> {
    no_text(element)?;
    let attributes = Attributes::of(element);
    let status = SetStatus {
        code: attributes.required_setting("code", Wanted::Integer)?,
        reason: attributes.setting("reason", Wanted::Text)?,
    };
    let at = attributes.place("code");
    attributes.finish()?;
    if let Setting::Literal(code) = &status.code
        && !code
            .trim()
            .parse()
            .is_ok_and(|code: u16| (200..=599).contains(&code))
    {
        let message = "`code` of <set-status> must be from 200 to 599";
        return Err(Finding::error(at, message));
    }
    Ok(status)
}

pub(super) fn header(element: &Element) -> Result<SetHeader, Finding> {
    no_text(element)?;
    let attributes = Attributes::of(element);
    let name = attributes.required_setting("name", Wanted::Text)?;
    let actions = [
        ("override", HeaderAction::Override),
        ("skip", HeaderAction::Skip),
        ("append", HeaderAction::Append),
        ("delete", HeaderAction::Delete),
    ];
    let action = attributes.word("exists-action", &actions)?;
    attributes.finish()?;
    let mut values = Vec::new();
    for inner in element.elements() {
        if inner.name != "value" {
            return Err(unknown_element(inner, "set-header"));
        }
        values.push(match inner.text() {
            Some(text) => setting(text, Wanted::Text)?,
            None => Setting::Literal(String::new()),
        });
    }
    let action = action.unwrap_or_default();
    if values.is_empty() && action != HeaderAction::Delete {
        let message = "<set-header> has no <value>, which is required";
        return Err(Finding::error(element.at, message));
    }
    Ok(SetHeader {
        name,
        action,
        values,
    })
}

pub(super) fn set_body(element: &Element) -> Result<Act, Finding> {
    content(element, Wanted::Text).map(Act::SetBody)
}

pub(super) fn set_method(element: &Element) -> Result<Act, Finding> {
    content(element, Wanted::Text).map(Act::SetMethod)
}
