//! Policies out of their XML.
//!
//! # Idea         an element is read by its name; what isn't known inside of it is passed over, as documents in the field have more than is
//!   used here, but what would widen who sees an entry is an error
//! # Costs        once a policy
//! # Invariants   L1 a policy with an error among its findings is not given out
//! # Not here     bundles

mod cache;
mod message;

pub(super) use self::cache::EXPIRY_MAX;
use super::policy::Policy;
use crate::finding::{Finding, Position};
use crate::xml::{self, Bounds, Dialect, Element};

/// The longest name.
const NAME_CHARACTERS_MAX: usize = 255;

/// A policy, and what is to be warned of.
pub type Read = (Policy, Vec<Finding>);

/// Reads a policy.
///
/// # Errors
/// All findings, if one of them is an error.
///
/// # Examples
/// ```
/// use larder_gateway::apigee::read::read;
///
/// let (policy, warnings) = read(r#"<LookupCache name="L">
///   <CacheKey><Prefix>UserToken</Prefix><KeyFragment ref="request.queryparam.client_id" /></CacheKey>
///   <AssignTo>flowVar</AssignTo>
/// </LookupCache>"#)?;
/// assert_eq!((&*policy.name, warnings.len()), ("L", 0));
/// assert!(read("<LookupCache name=\"L\"><CacheKey/></LookupCache>").is_err());
/// # Ok::<(), Vec<larder_gateway::finding::Finding>>(())
/// ```
pub fn read(text: &str) -> Result<Read, Vec<Finding>> {
    let one = |finding| vec![finding];
    let element = xml::read_one(text, Dialect::Strict, Bounds::default(), |_| None).map_err(one)?;
    let mut findings = Vec::new();
    match policy(&element, &mut findings) {
        Ok(policy) if !findings.iter().any(Finding::is_error) => Ok((policy, findings)),
        Ok(_) => Err(findings),
        Err(finding) => {
            findings.push(finding);
            Err(findings)
        }
    }
}

fn policy(element: &Element, findings: &mut Vec<Finding>) -> Result<Policy, Finding> {
    let name = name(element)?;
    let enabled = flag(element, "enabled")?.unwrap_or(true);
    let continue_on_error = flag(element, "continueOnError")?.unwrap_or(false);
    flag(element, "async")?;
    let act = match &*element.name {
        "LookupCache" => cache::lookup(element, findings)?,
        "PopulateCache" => cache::populate(element, findings)?,
        "InvalidateCache" => cache::invalidate(element, findings)?,
        "AssignMessage" => message::assign(element)?,
        "ServiceCallout" => message::callout(element)?,
        "RaiseFault" => message::raise(element)?,
        other => {
            let message = format!(
                "<{other}> is not a policy that is known here; known are AssignMessage, InvalidateCache, LookupCache, PopulateCache, RaiseFault, ServiceCallout"
            );
            return Err(Finding::error(element.at, message));
        }
    };
    let display_name = child_text(element, "DisplayName")
        .unwrap_or(&name)
        .to_owned();
    Ok(Policy {
        display_name,
        name: name.into(),
        enabled,
        continue_on_error,
        at: element.at,
        act,
    })
}

fn name(element: &Element) -> Result<String, Finding> {
    let Some(attribute) = element.attribute("name") else {
        let message = format!("<{}> has no `name`, which is required", element.name);
        return Err(Finding::error(element.at, message));
    };
    let name = attribute.value.literal().unwrap_or_default();
    let is_part =
        |part: char| part.is_ascii_alphanumeric() || matches!(part, ' ' | '-' | '_' | '.');
    let is_good = !name.trim().is_empty() && name.chars().all(is_part);
    if !is_good || name.chars().count() > NAME_CHARACTERS_MAX {
        let message = format!(
            "`name` must be of letters, digits, space, `-`, `_` and `.`, {NAME_CHARACTERS_MAX} at most"
        );
        return Err(Finding::error(attribute.at, message));
    }
    Ok(name.to_owned())
}

fn flag(element: &Element, name: &str) -> Result<Option<bool>, Finding> {
    let Some(attribute) = element.attribute(name) else {
        return Ok(None);
    };
    match attribute.value.literal() {
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        _ => {
            let message = format!("`{name}` must be true or false");
            Err(Finding::error(attribute.value.at, message))
        }
    }
}

/// The text of a child that isn't empty.
fn child_text<'e>(element: &'e Element, name: &str) -> Option<&'e str> {
    let text = element.element(name)?.literal();
    (!text.is_empty()).then_some(text)
}

/// A reference that isn't empty.
fn reference<'e>(element: &'e Element, name: &str) -> Option<&'e str> {
    let text = element.attribute(name)?.value.literal()?.trim();
    (!text.is_empty()).then_some(text)
}

/// A child that there may be one of.
fn single<'e>(element: &'e Element, name: &str) -> Result<Option<&'e Element>, Finding> {
    let mut found = element.elements().filter(|child| child.name == name);
    match (found.next(), found.next()) {
        (_, Some(second)) => {
            let message = format!("<{name}> is there twice in <{}>", element.name);
            Err(Finding::error(second.at, message))
        }
        (first, None) => Ok(first),
    }
}

fn bool_text(element: &Element, name: &str) -> Result<Option<bool>, Finding> {
    let Some(child) = element.element(name) else {
        return Ok(None);
    };
    match child.literal() {
        "" => Ok(None),
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        _ => {
            let message = format!("<{name}> must be true or false");
            Err(Finding::error(child.at, message))
        }
    }
}

/// Where a child stands, or else its parent.
fn place(element: &Element, name: &str) -> Position {
    element.element(name).unwrap_or(element).at
}

/// Whether a policy can set a value by this name: one that it may write, and of a message only what can be set.
fn is_assignable(name: &str) -> bool {
    let (head, rest) = name.split_once('.').unwrap_or((name, ""));
    let is_one = |parts: &[&str], kinds: &[&str]| {
        let kind = rest.split_once('.').map(|(kind, _)| kind);
        parts.contains(&rest) || kind.is_some_and(|kind| kinds.contains(&kind))
    };
    let of_request = is_one(&["content", "verb"], &["header", "queryparam"]);
    let of_response = is_one(&["content", "status.code"], &["header"]);
    let is_there = match head {
        "request" => of_request,
        "response" | "error" => of_response,
        "message" => of_request || of_response,
        _ => true,
    };
    is_there && is_writable(name)
}

/// Whether a variable can be written by policies.
pub(super) fn is_writable(name: &str) -> bool {
    const READ_ONLY: [&str; 16] = [
        "apiproxy.",
        "client.",
        "current.",
        "environment.",
        "fault.",
        "invalidatecache.",
        "lookupcache.",
        "messageid",
        "organization.",
        "populatecache.",
        "proxy.",
        "request.uri",
        "route.",
        "servicecallout.",
        "system.",
        "virtualhost.",
    ];
    let name = name.to_ascii_lowercase();
    !READ_ONLY.iter().any(|known| name.starts_with(known)) && !name.ends_with(".failed")
}
