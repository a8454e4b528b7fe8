//! A policy document's text as a tree of elements with positions.
//!
//! # Idea
//! A scan over the text does what the XML library can't: it takes expressions out, which in published documents hold quotes and angle
//! brackets as they please, and puts numbers in their place. What is left is well-formed, or isn't XML; the library (roxmltree)
//! reads it, without document types and with the five entities only. The scan also bounds size, depth and count, and knows
//! which element was left open.
//!
//! # Costs
//! Two passes over the text; positions are looked up by bisection.
//!
//! # Invariants
//! - X1 Every position is one of the text that was given, whatever was replaced in it.
//! - X2 Nothing is read that isn't in the text: no document type, no entity but the five and numbers.
//! - X3 What is left is not larger than what was given, and no deeper than the limit.
//!
//! # Not here
//! What elements mean; the grammar of expressions.

mod names;
mod offsets;
mod scan;
mod tree;

use std::sync::Arc;

use self::offsets::{Lines, Offsets};
use crate::finding::{Finding, Position};

/// How far a document may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The longest text, in bytes.
    pub bytes_max: usize,
    /// Elements inside each other.
    pub depth_max: usize,
    /// Elements, and attributes, in all.
    pub count_max: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            bytes_max: 512 << 10,
            depth_max: 64,
            count_max: 10_000,
        }
    }
}

/// Whether attributes and texts may be expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// XML and nothing else.
    Strict,
    /// A value that begins with `@(` is an expression up to the bracket that closes it, whatever characters it holds.
    Expressions,
}

/// An element.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// Its name, without the prefix of a namespace.
    pub name: String,
    /// Where it begins.
    pub at: Position,
    /// Its attributes, in order.
    pub attributes: Vec<Attribute>,
    /// What it holds, in order.
    pub children: Vec<Node>,
}

/// An attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Where its name stands.
    pub at: Position,
    /// Its value.
    pub value: Text,
}

/// What an element holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// A text that isn't only white space.
    Text(Text),
}

/// A value: of an attribute as it stands, of an element without white space around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// Where it begins.
    pub at: Position,
    /// What it is.
    pub content: Content,
}

/// A literal or an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// The text itself.
    Literal(String),
    /// What stands between `@(` and the bracket that closes it.
    Code(Code),
}

/// The text of an expression, which knows where each of its bytes came from.
#[derive(Debug, Clone)]
pub struct Code {
    source: String,
    offsets: Offsets,
    lines: Arc<Lines>,
}

impl Code {
    /// An expression that isn't from a document.
    pub fn alone(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            offsets: Offsets::identity(),
            lines: Arc::new(Lines::of(source)),
        }
    }

    /// The text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where a byte of it stands in the document.
    pub fn position(&self, byte: usize) -> Position {
        self.lines.position(self.offsets.origin(byte))
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Element {
    /// The elements in it.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first element of a name.
    pub fn element(&self, name: &str) -> Option<&Element> {
        self.elements().find(|element| element.name == name)
    }

    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
    }

    /// The text, if there is one.
    pub fn text(&self) -> Option<&Text> {
        self.children.iter().find_map(|node| match node {
            Node::Text(text) => Some(text),
            Node::Element(_) => None,
        })
    }

    /// The text as a literal; empty if there is none, or an expression.
    pub fn literal(&self) -> &str {
        self.text().and_then(Text::literal).unwrap_or_default()
    }
}

impl Text {
    /// The text, unless it's an expression.
    pub fn literal(&self) -> Option<&str> {
        match &self.content {
            Content::Literal(text) => Some(text),
            Content::Code(_) => None,
        }
    }
}

/// Reads a document: its elements of the outermost level, of which there may be several in fragments.
///
/// `named` gives the text for each `{{name}}` in the document.
///
/// # Errors
/// The first thing that is wrong.
///
/// # Examples
/// ```
/// use larder_gateway::xml::{Bounds, Content, Dialect, read};
///
/// let text = r#"<set-variable name="a" value="@(context.Variables["b"] as List<int>)" />"#;
/// let elements = read(text, Dialect::Expressions, Bounds::default(), |_| None)?;
/// let value = &elements[0].attribute("value").unwrap().value;
/// let Content::Code(code) = &value.content else { panic!() };
/// assert_eq!(code.source(), r#"context.Variables["b"] as List<int>"#);
/// # Ok::<(), larder_gateway::finding::Finding>(())
/// ```
pub fn read(
    text: &str,
    dialect: Dialect,
    bounds: Bounds,
    named: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Element>, Finding> {
    if text.len() > bounds.bytes_max {
        let message = format!(
            "the document has {} bytes; at most {} are read",
            text.len(),
            bounds.bytes_max
        );
        return Err(Finding::error(Position::START, message));
    }
    let lines = Arc::new(Lines::of(text));
    let (text, names) = match dialect {
        Dialect::Strict => (text.to_owned(), Offsets::identity()),
        Dialect::Expressions => names::replace(text, &lines, named)?,
    };
    if text.len() > bounds.bytes_max {
        let message = "the document is too large with its named values";
        return Err(Finding::error(Position::START, message));
    }
    let at = |byte: usize| lines.position(names.origin(byte));
    let scanned = scan::scan(&text, dialect, bounds, at)?;
    tree::build(&scanned, bounds, at, |expression| Code {
        source: expression.source.clone(),
        offsets: expression.offsets.then(&names),
        lines: Arc::clone(&lines),
    })
}

/// Reads a document that must have one element at the outermost level.
///
/// # Errors
/// As [`read`], and that there is none, or more than one.
pub fn read_one(
    text: &str,
    dialect: Dialect,
    bounds: Bounds,
    named: impl Fn(&str) -> Option<String>,
) -> Result<Element, Finding> {
    let mut elements = read(text, dialect, bounds, named)?.into_iter();
    match (elements.next(), elements.next()) {
        (Some(element), None) => Ok(element),
        (None, _) => Err(Finding::error(
            Position::START,
            "the document has no element",
        )),
        (Some(_), Some(second)) => {
            let message = format!("<{}> is a second outermost element", second.name);
            Err(Finding::error(second.at, message))
        }
    }
}

#[cfg(test)]
mod tests;
