//! Policies as they were read.
//!
//! # Idea         one structure a policy; empty elements and references are absent ones
//! # Costs        plain values
//! # Invariants   D1 whatever could be checked without a request was checked
//! # Not here     reading them, running them

use std::sync::Arc;
use std::time::Duration;

use larder::ScopeLevel;

use super::template::Template;
use crate::finding::Position;

/// One policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its name, by which steps refer to it.
    pub name: Arc<str>,
    /// Its name for people.
    pub display_name: String,
    /// Whether it runs at all.
    pub enabled: bool,
    /// Whether the flow goes on after its fault.
    pub continue_on_error: bool,
    /// Where it stands in its file.
    pub at: Position,
    /// What it is to do.
    pub act: Act,
}

/// What a policy is to do.
#[derive(Debug, Clone)]
pub enum Act {
    /// `LookupCache`
    Lookup(Lookup),
    /// `PopulateCache`
    Populate(Populate),
    /// `InvalidateCache`
    Invalidate(Invalidate),
    /// `AssignMessage`
    Assign(Box<Assign>),
    /// `ServiceCallout`
    Callout(Box<Callout>),
    /// `RaiseFault`
    Raise(Box<Changes>),
}

/// A key, and in which cache it is.
#[derive(Debug, Clone)]
pub struct CacheKey {
    /// The cache; `None`: the environment's shared one.
    pub resource: Option<Arc<str>>,
    /// The prefix that takes the scope's place; empty if there is none.
    pub prefix: String,
    /// How widely entries are shared.
    pub scope: ScopeLevel,
    /// The fragments, in order.
    pub fragments: Vec<Fragment>,
}

/// A part of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fragment {
    /// As it stands.
    Literal(String),
    /// The text of a variable.
    Variable(String),
}

/// Looks a value up.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// The key.
    pub key: CacheKey,
    /// The variable for the value.
    pub assign_to: Arc<str>,
    /// How long it may take.
    pub timeout: Duration,
}

/// Stores a value.
#[derive(Debug, Clone)]
pub struct Populate {
    /// The key.
    pub key: CacheKey,
    /// The variable whose value is stored.
    pub source: String,
    /// How long it is kept.
    pub expiry: Settings,
}

/// How long a value is kept.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The variable with the seconds.
    pub seconds_of: Option<String>,
    /// The seconds.
    pub seconds: Option<Duration>,
    /// The date.
    pub date: Said,
    /// The time of day.
    pub time: Said,
}

/// A part of a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The variable with it.
    pub of: Option<String>,
    /// The part itself, which is one.
    pub literal: Option<String>,
}

/// Removes values.
#[derive(Debug, Clone)]
pub struct Invalidate {
    /// The key.
    pub key: CacheKey,
    /// Whether all go that have the key's prefix.
    pub purges: bool,
    /// Names that replace the current ones in the scope.
    pub context: CacheContext,
}

/// Names that replace the current ones in a scope; empty ones don't.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheContext {
    /// The proxy, which is an application.
    pub application: String,
    /// The proxy endpoint.
    pub proxy: String,
    /// The target endpoint.
    pub target: String,
}

/// Changes a message, and sets variables.
#[derive(Debug, Clone)]
pub struct Assign {
    /// The message; `None`: the current one.
    pub message: Option<MessageName>,
    /// Whether it is made anew.
    pub creates: bool,
    /// What is changed of it.
    pub changes: Changes,
    /// Variables, in order.
    pub variables: Vec<AssignVariable>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageName {
    /// What was asked.
    Request,
    /// What is answered.
    Response,
    /// One that a policy made.
    Named(String),
}

/// What is changed of a message.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Headers that are set.
    pub set_headers: Vec<(String, Template)>,
    /// Headers that are added.
    pub add_headers: Vec<(String, Template)>,
    /// Headers that are removed.
    pub remove_headers: Vec<String>,
    /// The content, and its type if that is said.
    pub payload: Option<(Template, Option<String>)>,
    /// The method.
    pub verb: Option<Template>,
    /// The status.
    pub status: Option<Template>,
    /// The reason phrase.
    pub reason: Option<Template>,
    /// Whether variables that have no text are empty ones.
    pub ignores_unresolved: bool,
}

/// Sets a variable.
#[derive(Debug, Clone)]
pub struct AssignVariable {
    /// Its name.
    pub name: String,
    /// The variable whose value it gets, if that has one.
    pub of: Option<String>,
    /// The text that it gets otherwise.
    pub value: Option<Template>,
}

/// Asks somebody else.
#[derive(Debug, Clone)]
pub struct Callout {
    /// Where to.
    pub url: Template,
    /// The message that is sent; `None`: a new one.
    pub request: Option<String>,
    /// What is changed of it.
    pub changes: Changes,
    /// The message for the answer.
    pub response: Option<String>,
    /// How long it may take.
    pub timeout: Duration,
}
