//! AssignMessage, ServiceCallout, RaiseFault.
//!
//! # Idea         what is set, added and removed of a message, with `{variable}` in every text
//! # Costs        once a policy
//! # Invariants   W1 a variable that policies may not write isn't written: that is an error here
//! # Not here     messages

use std::time::Duration;

use super::{bool_text, child_text, is_assignable, is_writable, place, reference};
use crate::apigee::policy::{Act, Assign, AssignVariable, Callout, Changes, MessageName};
use crate::apigee::template::Template;
use crate::finding::Finding;
use crate::http::HeaderName;
use crate::xml::Element;

/// How long an answer may take if nothing is said, in milliseconds.
const TIMEOUT_MS: u64 = 55_000;
const TIMEOUT_MS_MAX: u64 = 86_400_000;

fn changes(element: &Element) -> Result<Changes, Finding> {
    let ignores = bool_text(element, "IgnoreUnresolvedVariables")?;
    let mut changes = Changes {
        ignores_unresolved: ignores.unwrap_or(false),
        ..Changes::default()
    };
    for (kind, headers) in [("Set", true), ("Add", false)] {
        let Some(block) = element.element(kind) else {
            continue;
        };
        let list = if headers {
            &mut changes.set_headers
        } else {
            &mut changes.add_headers
        };
        let inside = block
            .element("Headers")
            .into_iter()
            .flat_map(Element::elements);
        for header in inside.filter(|child| child.name == "Header") {
            list.push((header_name(header)?, Template::new(header.literal())));
        }
    }
    if let Some(block) = element.element("Remove") {
        let inside = block
            .element("Headers")
            .into_iter()
            .flat_map(Element::elements);
        for header in inside.filter(|child| child.name == "Header") {
            changes.remove_headers.push(header_name(header)?);
        }
    }
    if let Some(set) = element.element("Set") {
        let template = |name: &str| child_text(set, name).map(Template::new);
        changes.verb = template("Verb");
        changes.status = template("StatusCode");
        changes.reason = template("ReasonPhrase");
        changes.payload = set.element("Payload").map(|payload| {
            let content_type = reference(payload, "contentType").map(str::to_owned);
            (Template::new(payload.literal()), content_type)
        });
    }
    Ok(changes)
}

fn header_name(element: &Element) -> Result<String, Finding> {
    let name = reference(element, "name").unwrap_or_default();
    match HeaderName::try_from(name) {
        Ok(_) => Ok(name.to_owned()),
        Err(_) => Err(Finding::error(
            element.at,
            "<Header> has no `name` that is a header's",
        )),
    }
}

pub(super) fn assign(element: &Element) -> Result<Act, Finding> {
    let assign_to = element.element("AssignTo");
    let kind = assign_to.and_then(|assign_to| reference(assign_to, "type"));
    let named = child_text(element, "AssignTo");
    let message = match (named, kind) {
        (Some("request"), _) | (None, Some("request")) => Some(MessageName::Request),
        (Some("response"), _) | (None, Some("response")) => Some(MessageName::Response),
        (Some(name), _) if is_writable(name) => Some(MessageName::Named(name.to_owned())),
        (None, None) => None,
        _ => {
            let message = "<AssignTo> must name a message that can be written: by its type, request or response, or by a name of its own";
            return Err(Finding::error(place(element, "AssignTo"), message));
        }
    };
    let creates = match assign_to.and_then(|assign_to| reference(assign_to, "createNew")) {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            let message = "`createNew` must be true or false";
            return Err(Finding::error(place(element, "AssignTo"), message));
        }
    };
    let mut variables = Vec::new();
    for variable in element
        .elements()
        .filter(|child| child.name == "AssignVariable")
    {
        let Some(name) = child_text(variable, "Name") else {
            return Err(Finding::error(
                variable.at,
                "<AssignVariable> has no <Name>",
            ));
        };
        if !is_assignable(name) {
            let message = format!("the variable `{name}` is read-only: choose a name of your own");
            return Err(Finding::error(place(variable, "Name"), message));
        }
        let literal = variable.element("Value").map(Element::literal);
        let template = child_text(variable, "Template").or(literal);
        variables.push(AssignVariable {
            name: name.to_owned(),
            of: child_text(variable, "Ref").map(str::to_owned),
            value: template.map(Template::new),
        });
    }
    Ok(Act::Assign(Box::new(Assign {
        message,
        creates,
        changes: changes(element)?,
        variables,
    })))
}

pub(super) fn callout(element: &Element) -> Result<Act, Finding> {
    let url = element
        .element("HTTPTargetConnection")
        .and_then(|connection| child_text(connection, "URL"));
    let Some(url) = url else {
        let message = "<ServiceCallout> has no <URL> in an <HTTPTargetConnection>";
        return Err(Finding::error(element.at, message));
    };
    let timeout = match child_text(element, "Timeout").map(str::parse) {
        None => TIMEOUT_MS,
        Some(Ok(timeout @ 1..=TIMEOUT_MS_MAX)) => timeout,
        Some(_) => {
            let message = format!(
                "<Timeout> must be a whole number of milliseconds, from 1 to {TIMEOUT_MS_MAX}"
            );
            return Err(Finding::error(place(element, "Timeout"), message));
        }
    };
    let request = element.element("Request");
    let response = child_text(element, "Response").map(str::to_owned);
    if let Some(name) = response.as_deref().filter(|name| !is_writable(name)) {
        let message =
            format!("<Response>: the variable `{name}` is read-only: choose a name of your own");
        return Err(Finding::error(place(element, "Response"), message));
    }
    let mut of_request = match request {
        Some(request) => changes(request)?,
        None => Changes::default(),
    };
    if bool_text(element, "IgnoreUnresolvedVariables")? == Some(true) {
        of_request.ignores_unresolved = true;
    }
    Ok(Act::Callout(Box::new(Callout {
        url: Template::new(url),
        request: request
            .and_then(|request| reference(request, "variable"))
            .map(str::to_owned),
        changes: of_request,
        response,
        timeout: Duration::from_millis(timeout),
    })))
}

pub(super) fn raise(element: &Element) -> Result<Act, Finding> {
    let answer = element.element("FaultResponse");
    let mut of_answer = match answer {
        Some(answer) => changes(answer)?,
        None => Changes::default(),
    };
    if bool_text(element, "IgnoreUnresolvedVariables")? == Some(true) {
        of_answer.ignores_unresolved = true;
    }
    Ok(Act::Raise(Box::new(of_answer)))
}
