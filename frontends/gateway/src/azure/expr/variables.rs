//! The variables of one request, and which of them lack a part.
//!
//! # Idea         a value that was put together beside something that is null is kept with a mark, so that it is no key later on (Z-26)
//! # Costs        a flag a variable
//! # Invariants   V1 a mark goes where the value goes: from expression to variable and from variable to expression
//! # Not here     what goes through a header, a body or a cache: there it is the text that it is

use std::collections::HashMap;

use super::value::Value;

/// A value, and whether something that is null was joined into it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Made {
    /// The value.
    pub value: Value,
    /// Whether a part of it is missing.
    pub lacks_part: bool,
}

impl From<Value> for Made {
    fn from(value: Value) -> Self {
        Self {
            value,
            lacks_part: false,
        }
    }
}

/// The variables that policies have set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Variables(HashMap<String, Made>);

impl Variables {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).map(|made| &made.value)
    }

    /// The same with its mark.
    pub fn get_made(&self, name: &str) -> Option<&Made> {
        self.0.get(name)
    }

    /// Whether a variable is there.
    pub fn contains_key(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<String>, made: impl Into<Made>) {
        self.0.insert(name.into(), made.into());
    }

    /// Takes a variable out.
    pub fn remove(&mut self, name: &str) -> Option<Made> {
        self.0.remove(name)
    }
}

impl<N: Into<String>> FromIterator<(N, Value)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(variables: I) -> Self {
        let variables = variables.into_iter();
        Self(
            variables
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}
