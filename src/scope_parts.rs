//! The parts of a gateway's scopes: from a level and where the caller stands to a list of names.
//!
//! # Idea         five levels, each a longer list than the one before it; the list as a whole names one scope, so that wider
//!   and narrower levels are neighbours, not parent and child
//! # Costs        no allocation; the parts are the caller's
//! # Invariants   P1 lists of different lengths or parts are different scopes, whatever they look like when rendered; P2 a name
//!   that the level needs is there, or the call errs: a level never silently becomes a wider one
//! # Not here     how a list becomes a scope; fragments of keys; the policies that say which level

use std::error::Error;
use std::fmt;

/// How widely entries are shared among the callers of a gateway, widest first.
///
/// # Examples
///
/// ```
/// # use larder::{Flow, ScopeLevel, Standpoint, scope_parts};
/// let at = Standpoint {
///     organization: "apifactory",
///     environment: "test",
///     application: "weatherapi",
///     proxy: "default",
///     target: "tgt",
///     flow: Flow::Proxy,
/// };
/// let parts = scope_parts(ScopeLevel::Application, &at)?;
/// assert_eq!(parts.as_slice(), ["apifactory", "test", "weatherapi"]);
/// assert_eq!(parts.to_string(), "apifactory__test__weatherapi");
/// # Ok::<(), larder::ScopePartsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ScopeLevel {
    /// All applications of an environment.
    Global,
    /// All endpoints of an application.
    Application,
    /// The proxy endpoint that took the request, also while a target's flow runs.
    Proxy,
    /// The target endpoint.
    Target,
    /// The endpoint whose flow runs, proxy or target. Endpoints of the same name share it.
    #[default]
    Exclusive,
}

/// Which endpoint's flow runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Flow {
    /// The proxy endpoint's.
    #[default]
    Proxy,
    /// The target endpoint's.
    Target,
}

/// Where a caller stands. A name that isn't known is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Standpoint<'a> {
    /// Who owns the environment.
    pub organization: &'a str,
    /// Where the application is deployed.
    pub environment: &'a str,
    /// The application, also called the API proxy.
    pub application: &'a str,
    /// The proxy endpoint that took the request.
    pub proxy: &'a str,
    /// The target endpoint; empty in a proxy's flow before one is chosen.
    pub target: &'a str,
    /// Whose flow runs.
    pub flow: Flow,
}

/// The names that one scope consists of, widest first. Rendered by `Display` for people, joined by `__`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScopeParts<'a> {
    parts: [&'a str; PARTS_MAX],
    n_parts: usize,
}

const PARTS_MAX: usize = 4;

impl<'a> ScopeParts<'a> {
    /// The parts, two to four.
    pub fn as_slice(&self) -> &[&'a str] {
        &self.parts[..self.n_parts]
    }
}

impl fmt::Display for ScopeParts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, part) in self.as_slice().iter().enumerate() {
            if idx > 0 {
                f.write_str("__")?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}

/// The parts of the scope of `level`, seen from where the caller stands.
///
/// | level | parts |
/// |---|---|
/// | Global | organization, environment |
/// | Application | ... and application |
/// | Proxy, Target | ... and the endpoint's name |
/// | Exclusive | ... and the name of the endpoint whose flow runs |
///
/// `Target` in a proxy's flow, before a target is chosen, has an empty last part.
///
/// # Errors
/// A name that the level needs is empty.
pub fn scope_parts<'a>(
    level: ScopeLevel,
    at: &Standpoint<'a>,
) -> Result<ScopeParts<'a>, ScopePartsError> {
    let endpoint = match (level, at.flow) {
        (ScopeLevel::Global | ScopeLevel::Application, _) => None,
        (ScopeLevel::Proxy, _) | (ScopeLevel::Exclusive, Flow::Proxy) => {
            Some((at.proxy, StandpointName::Proxy))
        }
        (ScopeLevel::Target, _) | (ScopeLevel::Exclusive, Flow::Target) => {
            Some((at.target, StandpointName::Target))
        }
    };
    let may_be_unchosen = level == ScopeLevel::Target && at.flow == Flow::Proxy;
    let application =
        (level != ScopeLevel::Global).then_some((at.application, StandpointName::Application));
    let names = [
        Some((at.organization, StandpointName::Organization)),
        Some((at.environment, StandpointName::Environment)),
        application,
        endpoint,
    ];
    let mut list = ScopeParts {
        parts: [""; PARTS_MAX],
        n_parts: 0,
    };
    for (part, name) in names.into_iter().flatten() {
        if part.is_empty() && !(may_be_unchosen && name == StandpointName::Target) {
            return Err(ScopePartsError {
                level,
                missing: name,
            });
        }
        list.parts[list.n_parts] = part;
        list.n_parts += 1;
    }
    Ok(list)
}

/// A name of a [`Standpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StandpointName {
    /// `organization`
    Organization,
    /// `environment`
    Environment,
    /// `application`
    Application,
    /// `proxy`
    Proxy,
    /// `target`
    Target,
}

impl fmt::Display for StandpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Organization => "organization",
            Self::Environment => "environment",
            Self::Application => "application",
            Self::Proxy => "proxy endpoint",
            Self::Target => "target endpoint",
        })
    }
}

/// A level was asked for that needs a name which the caller doesn't know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScopePartsError {
    /// The level that was asked for.
    pub level: ScopeLevel,
    /// The name that is empty.
    pub missing: StandpointName,
}

impl fmt::Display for ScopePartsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the level {:?} needs the name of the {}, which is empty",
            self.level, self.missing
        )
    }
}

impl Error for ScopePartsError {}

/// What stands before the fragments of a key: one of the three kinds of prefix.
///
/// Kinds never meet: a prefix that a user gave isn't the scope that renders like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyPrefix<'a> {
    /// Nothing.
    Plain,
    /// One part that a user gave.
    Prefix(&'a str),
    /// Where the caller stands.
    Scope(ScopeParts<'a>),
}

impl<'a> KeyPrefix<'a> {
    /// The prefix of a policy: the one that is given, unless it's empty; else the scope of the level.
    ///
    /// # Errors
    /// As for [`scope_parts`]; a given prefix needs no names.
    pub fn of_policy(
        prefix: &'a str,
        level: ScopeLevel,
        at: &Standpoint<'a>,
    ) -> Result<Self, ScopePartsError> {
        if prefix.is_empty() {
            scope_parts(level, at).map(Self::Scope)
        } else {
            Ok(Self::Prefix(prefix))
        }
    }
}

impl fmt::Display for KeyPrefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => Ok(()),
            Self::Prefix(prefix) => f.write_str(prefix),
            Self::Scope(parts) => parts.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
