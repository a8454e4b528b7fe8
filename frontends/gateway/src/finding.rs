//! What is wrong with a document, and where.
//!
//! # Idea         a finding is a sentence with a severity and a place; an error keeps the document from being loaded, a warning doesn't
//! # Costs        plain values
//! # Invariants   F1 lines and columns begin at one, and are of the text as it was given
//! # Not here     who finds it

use std::error::Error;
use std::fmt;

/// A place in a text: line and column from one on, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Position {
    /// The beginning of a text.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The place of a byte of a text; beyond its end, the end.
    pub fn of_byte(text: &str, byte: usize) -> Self {
        let mut byte = byte.min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        let before = &text[..byte];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            line: count(before.bytes().filter(|&byte| byte == b'\n').count() + 1),
            column: count(before[line_start..].chars().count() + 1),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The document is loaded nevertheless.
    Warning,
    /// The document is refused.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing that is wrong with a document.
///
/// # Examples
/// ```
/// use larder_gateway::finding::{Finding, Position};
///
/// let finding = Finding::error(Position::of_byte("a\nbc", 3), "what is this?").in_file("policy.xml");
/// assert_eq!(finding.to_string(), "policy.xml:2:2: error: what is this?");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file, where the document has one.
    pub file: Option<String>,
    /// The place in it.
    pub at: Position,
    /// A vendor's name of the kind of error, where it has one.
    pub code: Option<&'static str>,
    /// What is wrong.
    pub message: String,
}

impl Finding {
    /// An error.
    pub fn error(at: Position, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, at, message.into())
    }

    /// A warning.
    pub fn warning(at: Position, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, at, message.into())
    }

    fn new(severity: Severity, at: Position, message: String) -> Self {
        Self {
            severity,
            file: None,
            at,
            code: None,
            message,
        }
    }

    /// The same in a file; one that is named already stays.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Self {
        self.file.get_or_insert_with(|| file.to_owned());
        self
    }

    /// The same with a vendor's name of the kind of error.
    #[must_use]
    pub fn with_code(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    /// Whether the document is refused for it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
        }
        write!(f, "{}: {}: ", self.at, self.severity)?;
        if let Some(code) = self.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl Error for Finding {}
