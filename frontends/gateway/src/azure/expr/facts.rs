//! What an expression may look at, and why it may have no value.
//!
//! # Idea         references into the request that runs, and nothing else
//! # Costs        plain values
//! # Invariants   P3 of the module above
//! # Not here     evaluation

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use url::Url;

use super::variables::Variables;
use crate::finding::Position;
use crate::http::{Request, Response};

/// What an expression may look at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'r> {
    /// The request.
    pub request: &'r Request,
    /// The response, once there is one.
    pub response: Option<&'r Arc<Response>>,
    /// The variables that policies have set.
    pub variables: &'r Variables,
    /// The API that the request is for.
    pub api: &'r Api,
    /// Who has subscribed, if that is known.
    pub subscription: Option<&'r Subscription>,
    /// Whether a key with a null part is an error.
    pub reject_null_in_key: bool,
    /// Whether references may leave the path of their base.
    pub allow_path_climb: bool,
}

/// The API that a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where its backend is.
    pub service_url: Option<Url>,
}

/// Who has subscribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its key.
    pub key: String,
    /// Its id, by which its calls are counted.
    pub id: String,
    /// The product that it is of.
    pub product: Option<String>,
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvalError {
    /// Where in the document.
    pub at: Option<Position>,
    /// What happened.
    pub message: String,
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{at}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl Error for EvalError {}
