//! The library's tree as the module's own, with positions and expressions.
//!
//! # Idea         the library reads what the scan left; each `@(n)` that stands in that text becomes the expression that it stands for
//! # Costs        one walk; every text is copied once
//! # Invariants   T1 what is taken for a number of the scan's stands in its text as it wrote it, not as an entity
//! # Not here     what elements mean

use roxmltree::{Document, Node as Read, ParsingOptions};

use super::scan::{Expression, Scanned};
use super::{Attribute, Bounds, Code, Content, Element, Node, Text};
use crate::finding::{Finding, Position};

struct Build<'s, A, C> {
    scanned: &'s Scanned,
    at: A,
    code: C,
}

pub(super) fn build(
    scanned: &Scanned,
    bounds: Bounds,
    at: impl Fn(usize) -> Position,
    code: impl Fn(&Expression) -> Code,
) -> Result<Vec<Element>, Finding> {
    let options = ParsingOptions {
        allow_dtd: false,
        // Elements and attributes are counted by the scan; texts are between them.
        nodes_limit: bounds.count_max.saturating_mul(3).saturating_add(8),
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(&scanned.text, options).map_err(|error| {
        let place = error.pos();
        let byte = byte_of(&scanned.text, place.row, place.col);
        Finding::error(at(scanned.offsets.origin(byte)), error_text(&error))
    })?;
    let build = Build { scanned, at, code };
    let children = build.children(document.root_element())?;
    let elements = children.into_iter().filter_map(|node| match node {
        Node::Element(element) => Some(element),
        Node::Text(_) => None,
    });
    Ok(elements.collect())
}

/// What the library says, without its place: that is of another text.
fn error_text(error: &roxmltree::Error) -> String {
    // It may stand in the middle.
    let what = error
        .to_string()
        .replacen(&format!(" at {}", error.pos()), "", 1);
    match error {
        roxmltree::Error::UnknownEntityReference(..) => {
            format!("{what}: `&amp;`, `&lt;`, `&gt;`, `&quot;`, `&apos;` and numbers are known")
        }
        _ => what,
    }
}

fn byte_of(text: &str, row: u32, column: u32) -> usize {
    let line_idx = row.saturating_sub(1) as usize;
    let mut start = 0;
    for (idx, line) in text.split_inclusive('\n').enumerate() {
        if idx == line_idx {
            let mut characters = line.char_indices();
            let byte = characters.nth(column.saturating_sub(1) as usize);
            return start + byte.map_or(line.len(), |(byte, _)| byte);
        }
        start += line.len();
    }
    text.len()
}

impl<A: Fn(usize) -> Position, C: Fn(&Expression) -> Code> Build<'_, A, C> {
    fn position(&self, byte: usize) -> Position {
        (self.at)(self.scanned.offsets.origin(byte))
    }

    fn element(&self, read: Read<'_, '_>) -> Result<Element, Finding> {
        let attributes = read.attributes().map(|attribute| {
            let range = attribute.range_value();
            let raw = &self.scanned.text[range.clone()];
            Ok(Attribute {
                name: attribute.name().to_owned(),
                at: self.position(attribute.range_qname().start),
                value: self.text(raw, range.start, || attribute.value().to_owned())?,
            })
        });
        Ok(Element {
            name: read.tag_name().name().to_owned(),
            at: self.position(read.range().start),
            attributes: attributes.collect::<Result<_, Finding>>()?,
            children: self.children(read)?,
        })
    }

    fn children(&self, read: Read<'_, '_>) -> Result<Vec<Node>, Finding> {
        let mut nodes = Vec::new();
        for child in read.children() {
            if child.is_element() {
                nodes.push(Node::Element(self.element(child)?));
            } else if let Some(text) = child.text().map(str::trim).filter(|text| !text.is_empty()) {
                let range = child.range();
                let raw = &self.scanned.text[range.clone()];
                let start = range.start + (raw.len() - raw.trim_start().len());
                let text = self.text(raw, start, || text.to_owned())?;
                nodes.push(Node::Text(text));
            }
        }
        Ok(nodes)
    }

    fn text(
        &self,
        raw: &str,
        start: usize,
        literal: impl FnOnce() -> String,
    ) -> Result<Text, Finding> {
        let at = self.position(start);
        let raw = raw.trim();
        let Some(number) = raw
            .strip_prefix("@(")
            .filter(|_| !self.scanned.expressions.is_empty())
        else {
            let content = Content::Literal(literal());
            return Ok(Text { at, content });
        };
        let expression = number
            .strip_suffix(')')
            .and_then(|number| self.scanned.expressions.get(number.parse::<usize>().ok()?));
        match expression {
            Some(expression) => {
                let content = Content::Code((self.code)(expression));
                Ok(Text { at, content })
            }
            None => Err(Finding::error(at, "there is text beside the expression")),
        }
    }
}
