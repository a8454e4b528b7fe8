//! Texts with `{variable}` in them.
//!
//! # Idea         braces around what can be the name of a variable are a reference; all others stand for themselves, as in JSON
//! # Costs        one pass a use
//! # Invariants   none
//! # Not here     what variables there are

use super::var::Var;

/// A text, split where variables stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
}

/// Filled texts are no longer than this.
const FILLED_BYTES_MAX: usize = 16 << 20;

impl Template {
    /// Splits a text.
    pub fn new(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            literal.push_str(&rest[..start]);
            let inner = &rest[start + 1..];
            let is_part = |part: char| part.is_alphanumeric() || matches!(part, '.' | '-' | '_');
            let length = inner.find(|part| !is_part(part)).unwrap_or(inner.len());
            if length > 0 && inner[length..].starts_with('}') {
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Variable(inner[..length].to_owned()));
                rest = &inner[length + 1..];
            } else {
                literal.push('{');
                rest = inner;
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Self(pieces)
    }

    /// The text with the variables' texts; one that has none is empty if `ignores`.
    ///
    /// # Errors
    /// The name of a variable that has no text, or of one whose text makes the whole too long.
    pub fn fill(&self, get: impl Fn(&str) -> Option<Var>, ignores: bool) -> Result<String, String> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Variable(name) => match get(name).and_then(|var| var.to_text()) {
                    Some(text) if filled.len() + text.len() <= FILLED_BYTES_MAX => {
                        filled.push_str(&text);
                    }
                    None if ignores => {}
                    _ => return Err(name.clone()),
                },
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_017_braces_around_names_are_variables_and_others_stand_for_themselves() {
        let get = |name: &str| (name == "a.b-c").then(|| Var::from("x"));
        let fill = |text: &str| Template::new(text).fill(get, false);
        assert_eq!(
            fill(r#"{"k": "{a.b-c}", "o": {}}"#).as_deref(),
            Ok(r#"{"k": "x", "o": {}}"#)
        );
        assert_eq!(fill("{{a.b-c}}{").as_deref(), Ok("{x}{"));
        assert_eq!(fill("a {unknown}"), Err("unknown".to_owned()));
        assert_eq!(
            Template::new("a {unknown}b").fill(get, true).as_deref(),
            Ok("a b")
        );
    }
}
