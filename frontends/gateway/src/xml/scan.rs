//! The scan in front of the XML library.
//!
//! # Idea         a cursor over bytes that knows tags, attributes, comments and sections, and copies all but comments, declarations and
//!   expressions. An expression is copied out with its entities decoded, and `@(n)` stands for it
//! # Costs        one pass
//! # Invariants   as of the module above
//! # Not here     what well-formed XML is: the library says

use super::offsets::Offsets;
use super::{Bounds, Dialect};
use crate::finding::{Finding, Position};

/// What the scan leaves to the library.
pub(super) struct Scanned {
    /// A text with one outermost element of the scan's own.
    pub(super) text: String,
    /// From it to the text that was scanned.
    pub(super) offsets: Offsets,
    pub(super) expressions: Vec<Expression>,
}

/// An expression that was taken out.
pub(super) struct Expression {
    pub(super) source: String,
    pub(super) offsets: Offsets,
}

/// The outermost element that holds all of them.
pub(super) const ROOT_OPEN: &str = "<larder-document>";
const ROOT_CLOSE: &str = "</larder-document>";

struct Scan<'t, A> {
    text: &'t str,
    byte: usize,
    dialect: Dialect,
    bounds: Bounds,
    at: A,
    out: Scanned,
    /// Names and starts of the elements that are open.
    open: Vec<(&'t str, usize)>,
    n_items: u32,
}

pub(super) fn scan(
    text: &str,
    dialect: Dialect,
    bounds: Bounds,
    at: impl Fn(usize) -> Position,
) -> Result<Scanned, Finding> {
    let mut scan = Scan {
        text,
        byte: 0,
        dialect,
        bounds,
        at,
        out: Scanned {
            text: String::with_capacity(text.len() + ROOT_OPEN.len() + ROOT_CLOSE.len()),
            offsets: Offsets::identity(),
            expressions: Vec::new(),
        },
        open: Vec::new(),
        n_items: 0,
    };
    scan.out.text.push_str(ROOT_OPEN);
    scan.document()?;
    scan.out.text.push_str(ROOT_CLOSE);
    Ok(scan.out)
}

impl<'t, A: Fn(usize) -> Position> Scan<'t, A> {
    fn document(&mut self) -> Result<(), Finding> {
        if self.text.starts_with('\u{FEFF}') {
            self.byte = '\u{FEFF}'.len_utf8();
        }
        while self.byte < self.text.len() {
            let rest = &self.text[self.byte..];
            if rest.starts_with("<!--") {
                self.skip_past("-->", "the comment")?;
            } else if rest.starts_with("<![CDATA[") {
                self.character_data()?;
            } else if rest.starts_with("<!") {
                let message = "a document type or declaration is not accepted: take it out";
                return Err(self.error(self.byte, message));
            } else if rest.starts_with("<?") {
                self.skip_past("?>", "the processing instruction")?;
            } else if rest.starts_with("</") {
                self.close_tag()?;
            } else if rest.starts_with('<') {
                self.open_tag()?;
            } else {
                self.characters()?;
            }
        }
        match self.open.last() {
            Some(&(name, start)) => Err(self.error(start, format!("<{name}> is not closed"))),
            None => Ok(()),
        }
    }

    fn error(&self, byte: usize, message: impl Into<String>) -> Finding {
        Finding::error((self.at)(byte), message)
    }

    /// Copies what stands from the cursor up to a byte.
    fn copy_to(&mut self, end: usize) {
        self.out.offsets.run(self.out.text.len(), self.byte);
        self.out.text.push_str(&self.text[self.byte..end]);
        self.byte = end;
    }

    /// The place of what stops a run of bytes, or the end.
    fn find(&self, from: usize, stops: impl Fn(u8) -> bool) -> usize {
        let found = self.text.as_bytes()[from..]
            .iter()
            .position(|&byte| stops(byte));
        found.map_or(self.text.len(), |found| from + found)
    }

    fn after_space(&self, from: usize) -> usize {
        self.find(from, |byte| !byte.is_ascii_whitespace())
    }

    fn skip_past(&mut self, end: &str, what: &str) -> Result<(), Finding> {
        let Some(found) = self.text[self.byte..].find(end) else {
            return Err(self.error(self.byte, format!("{what} is not closed")));
        };
        self.byte += found + end.len();
        Ok(())
    }

    fn character_data(&mut self) -> Result<(), Finding> {
        let start = self.byte;
        let content = start + "<![CDATA[".len();
        let Some(length) = self.text[content..].find("]]>") else {
            return Err(self.error(start, "the character data is not closed"));
        };
        let end = content + length;
        let first = self.after_space(content);
        if self.dialect == Dialect::Expressions && self.is_expression(first)? {
            let after = self.expression(first, true)?;
            if self.after_space(after) != end {
                return Err(self.error(
                    after,
                    "there is text after the expression: join it in there by `+`, or take it out",
                ));
            }
            self.byte = end + "]]>".len();
        } else {
            self.copy_to(end + "]]>".len());
        }
        Ok(())
    }

    fn characters(&mut self) -> Result<(), Finding> {
        let first = self.after_space(self.byte);
        if self.dialect == Dialect::Expressions && self.is_expression(first)? {
            self.copy_to(first);
            let after = self.expression(first, false)?;
            self.byte = self.after_space(after);
            if !self.text[self.byte..].starts_with('<') {
                return Err(self.error(
                    self.byte,
                    "there is text after the expression: join it in there by `+`, or take it out",
                ));
            }
            return Ok(());
        }
        let end = self.find(self.byte, |byte| byte == b'<');
        let is_blank = self.text[self.byte..end].trim().is_empty();
        if self.open.is_empty() && !is_blank {
            return Err(self.error(first, "there is text outside of the elements"));
        }
        self.copy_to(end);
        Ok(())
    }

    fn close_tag(&mut self) -> Result<(), Finding> {
        let start = self.byte;
        let end = self.find(start, |byte| byte == b'>');
        let name = self.text[start + 2..end].trim_end();
        match self.open.pop() {
            Some((open, _)) if open == name => {}
            Some((open, opened)) => {
                let found = (self.at)(start);
                let message = format!("<{open}> is not closed: </{name}> comes first, at {found}");
                return Err(self.error(opened, message));
            }
            None => return Err(self.error(start, format!("</{name}> closes nothing"))),
        }
        self.copy_to((end + 1).min(self.text.len()));
        Ok(())
    }

    fn count(&mut self, at: usize) -> Result<(), Finding> {
        self.n_items += 1;
        if self.n_items > self.bounds.count_max {
            let message = format!(
                "more than {} elements and attributes",
                self.bounds.count_max
            );
            return Err(self.error(at, message));
        }
        Ok(())
    }

    fn open_tag(&mut self) -> Result<(), Finding> {
        let start = self.byte;
        self.count(start)?;
        let is_end = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/' | b'<');
        let name_end = self.find(start + 1, is_end);
        let name = &self.text[start + 1..name_end];
        if name.is_empty() {
            return Err(self.error(start, "`<` begins no element here; write `&lt;`"));
        }
        self.copy_to(name_end);
        loop {
            let next = self.after_space(self.byte);
            self.copy_to(next);
            match self.text.as_bytes().get(next) {
                Some(b'>') => {
                    self.copy_to(next + 1);
                    if self.open.len() >= self.bounds.depth_max {
                        let message = format!("elements more than {} deep", self.bounds.depth_max);
                        return Err(self.error(start, message));
                    }
                    self.open.push((name, start));
                    return Ok(());
                }
                Some(b'/') if self.text[next..].starts_with("/>") => {
                    self.copy_to(next + 2);
                    return Ok(());
                }
                Some(b'<' | b'/') | None => {
                    return Err(self.error(start, format!("the tag <{name}> is not closed")));
                }
                Some(_) => self.attribute(name, start)?,
            }
        }
    }

    fn attribute(&mut self, element: &str, start: usize) -> Result<(), Finding> {
        self.count(self.byte)?;
        let name_start = self.byte;
        let is_end =
            |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'>' | b'<' | b'/');
        let name_end = self.find(name_start, is_end);
        let name = &self.text[name_start..name_end];
        let equals = self.after_space(name_end);
        let quote_at = self.after_space((equals + 1).min(self.text.len()));
        let bytes = self.text.as_bytes();
        let quote = match (bytes.get(equals), bytes.get(quote_at)) {
            (Some(b'='), Some(&quote @ (b'"' | b'\''))) => quote,
            _ => {
                let message = format!("the attribute `{name}` of <{element}> has no quoted value");
                return Err(self.error(name_start, message));
            }
        };
        self.copy_to(quote_at + 1);
        let first = self.after_space(self.byte);
        if self.dialect == Dialect::Expressions && self.is_expression(first)? {
            let after = self.expression(first, false)?;
            let end = self.after_space(after);
            if bytes.get(end) != Some(&quote) {
                let message = format!(
                    "there is text after the expression of `{name}`: its quote must follow"
                );
                return Err(self.error(end, message));
            }
            self.byte = end;
        } else {
            let end = self.find(self.byte, |byte| byte == quote);
            if end == bytes.len() {
                let message = format!("`{name}` of <{element}> has no closing quote");
                return Err(self.error(start, message));
            }
            self.copy_to(end);
        }
        self.copy_to(self.byte + 1);
        Ok(())
    }

    fn is_expression(&self, at: usize) -> Result<bool, Finding> {
        let rest = &self.text[at..];
        if rest.starts_with("@{") {
            return Err(self.error(
                at,
                "multi-statement expressions not supported: write one expression, as @( ... )",
            ));
        }
        Ok(rest.starts_with("@("))
    }

    /// Takes the expression out that begins at a byte, and says where it ends.
    fn expression(&mut self, start: usize, is_raw: bool) -> Result<usize, Finding> {
        let mut expression = Expression {
            source: String::new(),
            offsets: Offsets::identity(),
        };
        let mut nesting = Nesting::default();
        let mut byte = start + "@(".len();
        while let Some(character) = self.text[byte..].chars().next() {
            let entity = entity(&self.text[byte..]).filter(|_| !is_raw);
            let (character, length) = entity.unwrap_or((character, character.len_utf8()));
            if nesting.ends_before(character) {
                self.out.offsets.run(self.out.text.len(), start);
                let number = self.out.expressions.len();
                self.out.text.push_str(&format!("@({number})"));
                self.out.expressions.push(expression);
                return Ok(byte + 1);
            }
            expression.offsets.run(expression.source.len(), byte);
            expression.source.push(character);
            byte += length;
        }
        Err(self.error(
            start,
            "the expression is not closed: a `)` is missing, or a quote",
        ))
    }
}

/// Which brackets and quotes are open inside an expression.
#[derive(Default)]
struct Nesting {
    depth: usize,
    quote: Option<char>,
    is_escaped: bool,
}

impl Nesting {
    /// Takes the next character; whether it's the bracket that closes the expression.
    fn ends_before(&mut self, character: char) -> bool {
        match self.quote {
            Some(_) if self.is_escaped => self.is_escaped = false,
            Some(quote) => match character {
                '\\' => self.is_escaped = true,
                _ if character == quote => self.quote = None,
                _ => {}
            },
            None => match character {
                '"' | '\'' => self.quote = Some(character),
                '(' | '[' | '{' => self.depth += 1,
                ')' if self.depth == 0 => return true,
                ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            },
        }
        false
    }
}

/// One of the five entities at the beginning of a text, or a number: its character and its length.
fn entity(text: &str) -> Option<(char, usize)> {
    const NAMED: [(&str, char); 5] = [
        ("&quot;", '"'),
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&amp;", '&'),
        ("&apos;", '\''),
    ];
    if let Some((name, character)) = NAMED.iter().find(|(name, _)| text.starts_with(name)) {
        return Some((*character, name.len()));
    }
    let number = text.strip_prefix("&#")?;
    let (number, _) = number.get(..number.len().min(9))?.split_once(';')?;
    let code = match number.strip_prefix('x') {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
        None => number.parse().ok()?,
    };
    Some((char::from_u32(code)?, number.len() + "&#;".len()))
}
