//! Expressions: what stands between `@(` and `)`.
//!
//! # Idea
//! Text becomes a syntax tree by a grammar (winnow), the tree becomes code by a check of types against a closed table of members, and
//! code is evaluated for each request. What isn't in the table doesn't load, so evaluation meets no unknown name.
//!
//! # Costs
//! Evaluation walks the code once; there are no loops in the language.
//!
//! # Invariants
//! - P1 Parsing, checking and evaluating recurse `DEPTH_MAX` levels at most, and an expression has `NODES_MAX` nodes at most.
//! - P2 An evaluation ends after `FUEL` steps, where a step is a node or 64 bytes of text that are made.
//! - P3 Nothing here reaches outside of the request: no network, no clock, no environment.
//!
//! # Not here
//! Where expressions are allowed, and what their values are used for.

mod check;
mod eval;
mod facts;
mod members;
mod parse;
mod reference;
mod syntax;
mod value;
mod variables;

use std::fmt;

use self::check::{Checked, check};
pub use self::facts::{Api, EvalError, Facts, Subscription};
use self::members::Type;
pub(crate) use self::reference::is_clean_url;
pub use self::value::{Claims, Value};
pub use self::variables::{Made, Variables};
use crate::finding::{Finding, Position};
use crate::xml;

/// Levels of brackets, operators and members inside each other.
const DEPTH_MAX: usize = 64;

/// Nodes of the tree.
const NODES_MAX: usize = 2_000;

/// Steps of an evaluation.
const FUEL: u64 = 100_000;

/// What the place of an expression asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A condition.
    Boolean,
    /// A whole number, or what may turn out to be one.
    Integer,
    /// What can be written as text.
    Text,
    /// Anything that a variable can hold.
    Value,
}

/// An expression that was checked.
#[derive(Clone)]
pub struct Expression {
    checked: Checked,
    text: xml::Code,
}

impl Expression {
    /// Checks the text of an expression.
    ///
    /// # Errors
    /// What is wrong first: not of the grammar, not in the table of members, not of the wanted type.
    ///
    /// # Examples
    /// ```
    /// use larder_gateway::azure::expr::{Expression, Wanted};
    /// use larder_gateway::xml::Code;
    ///
    /// let code = Code::alone(r#"context.Response.StatusCode == 200"#);
    /// assert!(Expression::compile(&code, Wanted::Boolean).is_ok());
    /// let code = Code::alone("System.IO.File.Delete(1)");
    /// let finding = Expression::compile(&code, Wanted::Value).unwrap_err();
    /// assert_eq!(finding.at.column, 1);
    /// ```
    pub fn compile(text: &xml::Code, wanted: Wanted) -> Result<Self, Finding> {
        let finding = |wrong: Wrong| Finding::error(text.position(wrong.at), wrong.message);
        let syntax = parse::parse(text.source()).map_err(finding)?;
        let checked = check(&syntax).map_err(finding)?;
        let fits = match wanted {
            Wanted::Boolean => checked.ty == Type::Bool,
            Wanted::Integer => checked.ty.may_be_integer(),
            Wanted::Text => checked.ty.may_be_text(),
            Wanted::Value => checked.ty.may_be_kept(),
        };
        if !fits {
            let message = format!("{wanted} is wanted here, and this is {}", checked.ty);
            return Err(Finding::error(text.position(0), message));
        }
        Ok(Self {
            checked,
            text: text.clone(),
        })
    }

    /// Whether its value depends on the response.
    pub fn uses_response(&self) -> bool {
        self.checked.uses_response
    }

    /// Evaluates it for a request.
    ///
    /// # Errors
    /// [`EvalError`]: what the language makes an exception of, a reference that leaves its base, too many steps.
    pub fn evaluate(&self, facts: &Facts<'_>) -> Result<Value, EvalError> {
        self.make(facts).map(|made| made.value)
    }

    /// The same, with whether something that is null was joined into it.
    ///
    /// # Errors
    /// As `evaluate`.
    pub fn make(&self, facts: &Facts<'_>) -> Result<Made, EvalError> {
        let made = eval::evaluate(&self.checked.code, facts);
        let (value, lack) = made.map_err(|wrong| self.located(wrong))?;
        Ok(Made {
            value,
            lacks_part: lack.is_some(),
        })
    }

    /// The value as a key: as text, and without a part that is null or was when a variable was made, where all who lack the part would
    /// share one entry.
    ///
    /// # Errors
    /// As `evaluate`, that a part is null, and that the value has no text.
    pub fn key_text(&self, facts: &Facts<'_>) -> Result<String, EvalError> {
        let text = eval::text(&self.checked.code, facts).and_then(|(text, lack)| match lack {
            Some(lack) if facts.reject_null_in_key => Err(lack.into()),
            _ => Ok(text),
        });
        text.map_err(|wrong| self.located(wrong))
    }

    /// Where it begins.
    pub fn position(&self) -> Position {
        self.text.position(0)
    }

    fn located(&self, wrong: Wrong) -> EvalError {
        EvalError {
            at: Some(self.text.position(wrong.at)),
            message: wrong.message,
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@({})", self.text.source())
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "a condition, which is true or false,",
            Self::Integer => "a whole number",
            Self::Text => "a text",
            Self::Value => "a value",
        })
    }
}

/// What is wrong with an expression, and at which of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wrong {
    at: usize,
    message: String,
}

impl Wrong {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests;
