//! What is read and run, and still is hardly meant.
//!
//! # Idea         a walk over the elements in their order, beside the reading: what stands before an element is known
//! # Costs        once a document
//! # Invariants   WA1 a warning never keeps a document from being loaded
//! # Not here     errors

use crate::finding::Finding;
use crate::xml::{Content, Element, Node, Text};

/// What is to be warned of, in the order of the text.
pub(super) fn warnings(elements: &[Element]) -> Vec<Finding> {
    let mut walk = Walk::default();
    elements.iter().for_each(|element| walk.element(element));
    walk.findings
}

#[derive(Default)]
struct Walk {
    findings: Vec<Finding>,
    /// Whether tokens were validated before.
    has_validated: bool,
    /// Whether a response was looked up before.
    has_looked_up: bool,
}

impl Walk {
    fn element(&mut self, element: &Element) {
        for attribute in &element.attributes {
            self.text(&attribute.value);
        }
        match &*element.name {
            "validate-jwt" => self.has_validated = true,
            "cache-lookup" => self.has_looked_up = true,
            "cache-store" if !self.has_looked_up => {
                let message = "<cache-store> stores nothing: no <cache-lookup> stands before it";
                self.findings.push(Finding::warning(element.at, message));
            }
            _ => {}
        }
        if matches!(&*element.name, "cache-store" | "cache-store-value") {
            self.duration(element);
        }
        for child in &element.children {
            match child {
                Node::Element(child) => self.element(child),
                Node::Text(text) => self.text(text),
            }
        }
    }

    /// A duration that is a literal, under which nothing is ever stored.
    fn duration(&mut self, element: &Element) {
        let duration = element.attribute("duration").map(|found| &found.value);
        let Some((text, literal)) = duration.and_then(|text| Some((text, text.literal()?))) else {
            return;
        };
        let message = match literal.trim().parse::<i64>() {
            Ok(1..) => return,
            Ok(_) => format!("nothing is stored for {literal} seconds"),
            Err(_) => format!("`duration` is no whole number: {literal:?}; this fails each time"),
        };
        self.findings.push(Finding::warning(text.at, message));
    }

    fn text(&mut self, text: &Text) {
        let Content::Code(code) = &text.content else {
            return;
        };
        if let Some(at) = code.source().find(".AsJwt(")
            && !self.has_validated
        {
            let message = "the signature of this token is not verified: any caller may write what it says. A <validate-jwt> belongs before it";
            self.findings
                .push(Finding::warning(code.position(at), message));
        }
    }
}
