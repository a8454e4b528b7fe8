//! The syntax tree of an expression.
//!
//! # Idea         what was written, node by node, each with the byte where it begins; no name is looked up yet
//! # Costs        a box a node
//! # Invariants   none
//! # Not here     types

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Syntax {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    Char(char),
    /// `$"..{x}.."`
    Interpolated(Vec<Syntax>),
    Name(String),
    Member {
        target: Box<Syntax>,
        name: String,
        /// `?.`
        is_safe: bool,
    },
    Call {
        target: Box<Syntax>,
        name: String,
        generic: Option<String>,
        arguments: Vec<Syntax>,
        is_safe: bool,
    },
    Index {
        target: Box<Syntax>,
        index: Box<Syntax>,
    },
    Cast {
        to: String,
        value: Box<Syntax>,
    },
    New {
        class: String,
        arguments: Vec<Syntax>,
    },
    Not(Box<Syntax>),
    Binary {
        operator: Operator,
        left: Box<Syntax>,
        right: Box<Syntax>,
    },
    Choice {
        condition: Box<Syntax>,
        yes: Box<Syntax>,
        no: Box<Syntax>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
    And,
    Or,
}

impl Operator {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::And => "&&",
            Self::Or => "||",
        }
    }
}
