//! From a tree of elements to a document of policies, or to findings.
//!
//! # Idea         one function a policy; a policy that is wrong is a finding, and its neighbours are read all the same
//! # Costs        once a document
//! # Invariants   L1 a document with an error among its findings is not given out; L2 nothing is ignored: what isn't known is an error
//! # Not here     running

mod attributes;
mod cache;
mod limits;
mod message;
mod token;
mod warnings;

use self::attributes::{Attributes, no_text, unknown_element};
use self::warnings::warnings;
use super::expr::Wanted;
use super::policy::{Act, Choose, Policy, SetVariable};
use crate::finding::{Finding, Position};
use crate::xml::{self, Bounds, Dialect, Element};

/// What a document may refer to.
pub trait Surroundings {
    /// The text of a named value.
    fn named_value(&self, name: &str) -> Option<String>;

    /// The text of a file beside the document.
    fn file(&self, path: &str) -> Option<String>;
}

/// Nothing to refer to.
impl Surroundings for () {
    fn named_value(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &str) -> Option<String> {
        None
    }
}

/// Policies in their sections.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// Before the backend is asked.
    pub inbound: Vec<Policy>,
    /// Around that.
    pub backend: Vec<Policy>,
    /// After it.
    pub outbound: Vec<Policy>,
    /// After an error.
    pub on_error: Vec<Policy>,
    /// Whether it is policies alone, without a section: they are in `inbound`.
    pub is_fragment: bool,
    /// What is to be warned of.
    pub warnings: Vec<Finding>,
}

/// Reads a document.
///
/// # Errors
/// All findings, warnings among them, if one is an error.
///
/// # Examples
/// ```
/// use larder_gateway::azure::read::read;
///
/// let text = r#"<policies><inbound><base />
///   <cache-lookup-value key="@("profile-" + context.Subscription.Key)" variable-name="profile" />
/// </inbound></policies>"#;
/// assert_eq!(read(text, &())?.inbound.len(), 1);
///
/// let findings = read("<inbound><cache-lookup-value key=\"k\" /></inbound>", &()).unwrap_err();
/// assert!(findings[0].to_string().contains("variable-name"));
/// # Ok::<(), Vec<larder_gateway::finding::Finding>>(())
/// ```
pub fn read(text: &str, around: &dyn Surroundings) -> Result<Document, Vec<Finding>> {
    let named = |name: &str| around.named_value(name);
    let elements = xml::read(text, Dialect::Expressions, Bounds::default(), named)
        .map_err(|finding| vec![finding])?;
    let mut reader = Reader {
        around,
        findings: Vec::new(),
    };
    let document = reader.document(&elements);
    let warnings = warnings(&elements);
    if reader.findings.is_empty() {
        return Ok(Document {
            warnings,
            ..document
        });
    }
    let mut findings = reader.findings;
    findings.extend(warnings);
    Err(findings)
}

/// What can be read.
const POLICIES: [&str; 22] = [
    "base",
    "cache-lookup",
    "cache-lookup-value",
    "cache-remove-value",
    "cache-store",
    "cache-store-value",
    "cache-value",
    "choose",
    "find-and-replace",
    "forward-request",
    "quota-by-key",
    "rate-limit",
    "rate-limit-by-key",
    "return-response",
    "send-request",
    "set-backend-service",
    "set-body",
    "set-header",
    "set-method",
    "set-status",
    "set-variable",
    "validate-jwt",
];

const SECTIONS: [&str; 4] = ["inbound", "backend", "outbound", "on-error"];

struct Reader<'a> {
    around: &'a dyn Surroundings,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn document(&mut self, elements: &[Element]) -> Document {
        match elements {
            [] => {
                let finding = Finding::error(
                    Position::START,
                    "the document has no element: <policies>, a section or a policy is expected",
                );
                self.findings.push(finding);
                Document::default()
            }
            [policies] if policies.name == "policies" => {
                self.check(no_text(policies).and_then(|()| Attributes::of(policies).finish()));
                self.sections(policies.elements(), "policies")
            }
            [first, ..] if SECTIONS.contains(&&*first.name) => {
                self.sections(elements.iter(), "the document")
            }
            _ => Document {
                inbound: self.policies(elements.iter(), "the document"),
                is_fragment: true,
                ..Document::default()
            },
        }
    }

    fn check(&mut self, result: Result<(), Finding>) {
        self.findings.extend(result.err());
    }

    fn sections<'e>(
        &mut self,
        elements: impl Iterator<Item = &'e Element>,
        parent: &str,
    ) -> Document {
        let mut document = Document::default();
        let mut seen: Vec<&str> = Vec::new();
        for element in elements {
            if seen.contains(&&*element.name) {
                let message = format!("<{}> is there twice: put all of it into one", element.name);
                self.findings.push(Finding::error(element.at, message));
            }
            seen.push(&element.name);
            let section = match &*element.name {
                "inbound" => &mut document.inbound,
                "backend" => &mut document.backend,
                "outbound" => &mut document.outbound,
                "on-error" => &mut document.on_error,
                _ => {
                    self.findings.push(unknown_element(element, parent));
                    continue;
                }
            };
            *section = self.block(element);
        }
        document
    }

    /// The policies in an element without attributes.
    fn block(&mut self, element: &Element) -> Vec<Policy> {
        self.check(no_text(element).and_then(|()| Attributes::of(element).finish()));
        self.policies(element.elements(), &element.name)
    }

    fn policies<'e>(
        &mut self,
        elements: impl Iterator<Item = &'e Element>,
        parent: &str,
    ) -> Vec<Policy> {
        let mut policies = Vec::new();
        for element in elements {
            match self.policy(element, parent) {
                Ok(policy) => policies.extend(policy),
                Err(finding) => self.findings.push(finding),
            }
        }
        policies
    }

    /// A policy; `None` for `base`, which stands for what a wider document would add.
    fn policy(&mut self, element: &Element, parent: &str) -> Result<Option<Policy>, Finding> {
        let place = u64::from(element.at.line) << 32 | u64::from(element.at.column);
        let (name, act) = match &*element.name {
            "base" => {
                Attributes::of(element).finish()?;
                return Ok(None);
            }
            "cache-lookup-value" => ("cache-lookup-value", cache::lookup_value(element)?),
            "cache-store-value" => ("cache-store-value", cache::store_value(element)?),
            "cache-remove-value" => ("cache-remove-value", cache::remove_value(element)?),
            "cache-value" => {
                let block = element.element("value").map(|value| self.block(value));
                ("cache-value", cache::cache_value(element, block)?)
            }
            "cache-lookup" => ("cache-lookup", cache::lookup_response(element)?),
            "cache-store" => ("cache-store", cache::store_response(element)?),
            "rate-limit" => ("rate-limit", limits::rate_limit(element, place)?),
            "rate-limit-by-key" => ("rate-limit-by-key", limits::rate_limit_by_key(element)?),
            "quota-by-key" => ("quota-by-key", limits::quota(element)?),
            "set-variable" => ("set-variable", set_variable(element)?),
            "choose" => ("choose", self.choose(element)?),
            "send-request" => ("send-request", message::send_request(element)?),
            "find-and-replace" => ("find-and-replace", message::find_and_replace(element)?),
            "set-backend-service" => ("set-backend-service", message::set_backend(element)?),
            "forward-request" => ("forward-request", message::forward(element)?),
            "return-response" => ("return-response", message::return_response(element)?),
            "set-status" => ("set-status", Act::SetStatus(message::status(element)?)),
            "set-header" => ("set-header", Act::SetHeader(message::header(element)?)),
            "set-body" => ("set-body", message::set_body(element)?),
            "set-method" => ("set-method", message::set_method(element)?),
            "validate-jwt" => ("validate-jwt", token::validate_jwt(element, self.around)?),
            _ => {
                let message = format!(
                    "<{}> is not a policy that is known in <{parent}>; known are {}",
                    element.name,
                    POLICIES.join(", ")
                );
                return Err(Finding::error(element.at, message));
            }
        };
        let at = element.at;
        Ok(Some(Policy { name, at, act }))
    }

    fn choose(&mut self, element: &Element) -> Result<Act, Finding> {
        no_text(element)?;
        Attributes::of(element).finish()?;
        let mut branches = Vec::new();
        let mut otherwise = None;
        for branch in element.elements() {
            match &*branch.name {
                "when" if otherwise.is_none() => {
                    let attributes = Attributes::of(branch);
                    let condition = attributes.required_setting("condition", Wanted::Boolean);
                    self.check(no_text(branch).and_then(|()| attributes.finish()));
                    let policies = self.policies(branch.elements(), "when");
                    branches.push((condition?, policies));
                }
                "otherwise" if otherwise.is_none() => otherwise = Some(self.block(branch)),
                "when" | "otherwise" => {
                    let message = format!("<{}> comes after <otherwise>", branch.name);
                    return Err(Finding::error(branch.at, message));
                }
                _ => return Err(unknown_element(branch, "choose")),
            }
        }
        if branches.is_empty() {
            return Err(Finding::error(element.at, "<choose> has no <when>"));
        }
        let otherwise = otherwise.unwrap_or_default();
        Ok(Act::Choose(Choose {
            branches,
            otherwise,
        }))
    }
}

fn set_variable(element: &Element) -> Result<Act, Finding> {
    no_text(element)?;
    let attributes = Attributes::of(element);
    let name = attributes.required_literal("name")?;
    let value = attributes.required_setting("value", Wanted::Value)?;
    attributes.finish()?;
    Ok(Act::SetVariable(SetVariable { name, value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn z_007_what_is_told_to_be_known_is_known() {
        for policy in POLICIES {
            let text = format!("<inbound><{policy} /></inbound>");
            let findings = read(&text, &()).err().unwrap_or_default();
            let is_unknown = |finding: &Finding| finding.message.contains("is not a policy");
            assert!(!findings.iter().any(is_unknown), "{findings:?}");
        }
    }
}
