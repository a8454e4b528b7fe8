//! Texts out of pieces.
//!
//! # Idea         what is joined is written into one buffer, piece by piece, without a value for each
//! # Costs        the bytes
//! # Invariants   P2 of the module above; V2 a text that is written is the text of the value that the same node evaluates to
//! # Not here     values that are no texts

use super::{Eval, Lack, Wrong};
use crate::azure::expr::check::{Act, Code};
use crate::azure::expr::syntax::Operator;
use crate::azure::expr::value::Value;

/// Texts are no longer than this.
const TEXT_BYTES_MAX: usize = 4 << 20;

/// Most keys are shorter.
pub(super) const TEXT_BYTES_FIRST: usize = 64;

impl Eval<'_> {
    /// Appends the text of what a node evaluates to; null is empty, and noted.
    pub(super) fn write(&mut self, code: &Code, text: &mut String) -> Result<(), Wrong> {
        let at = code.at;
        match &code.act {
            Act::Constant(Value::Text(piece)) => {
                self.burn(at, 1)?;
                self.append(at, text, piece)
            }
            Act::Header { name, .. } => match self.facts.request.headers.get(name) {
                Some(value) => {
                    self.burn(at, 1)?;
                    self.append(at, text, &String::from_utf8_lossy(value.as_bytes()))
                }
                None => self.write_value(code, text),
            },
            Act::Binary {
                operator: Operator::Add,
                left,
                right,
            } => {
                self.burn(at, 1)?;
                self.write(left, text)?;
                self.write(right, text)
            }
            Act::Join(pieces) => {
                self.burn(at, 1)?;
                pieces.iter().try_for_each(|piece| self.write(piece, text))
            }
            _ => self.write_value(code, text),
        }
    }

    fn write_value(&mut self, code: &Code, text: &mut String) -> Result<(), Wrong> {
        let value = self.code(code)?;
        if value.is_null() {
            self.lack.get_or_insert(Lack::Null(code.at));
        }
        match value.to_text() {
            Some(piece) => self.append(code.at, text, &piece),
            None => Err(Wrong::new(code.at, "this has no text")),
        }
    }

    fn append(&mut self, at: usize, text: &mut String, piece: &str) -> Result<(), Wrong> {
        if text.len() + piece.len() > TEXT_BYTES_MAX {
            return Err(Wrong::new(at, "the text becomes too long"));
        }
        self.burn(at, piece.len() as u64 / 64)?;
        text.push_str(piece);
        Ok(())
    }
}
