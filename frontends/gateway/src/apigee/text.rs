//! Keys whose identity is their text, and what is under a prefix of it.
//!
//! # Idea         a cache in memory alone has texts as they are, and looks through them where a prefix is purged. A further level can't be
//!   looked through: there the first parts of a text are scopes, one in the other, and a prefix is the end of one of them
//! # Costs        in a further level a counter for each scope, read with the record
//! # Invariants   TX1 two texts are two keys, and parts joined by two underscores are the text; TX2 nothing under a prefix is left; what
//!   goes beyond it are keys that have its first parts, where it has more of them than scopes, or ends with an underscore
//! # Not here     which keys are texts

use larder::{Key, KeyWriter, LevelMode, NamedCache, Scope, ScopeError};

use super::environment::Environment;
use crate::engine::Parts;

const JOINT: &str = "__";
/// Scopes of a text: prefixes of more parts are seldom purged.
const SCOPES_MAX: usize = 3;

/// Where a text is.
#[derive(Debug, Clone)]
pub(super) struct Place<'t> {
    scopes: Vec<&'t str>,
    rest: &'t str,
    mode: LevelMode,
}

impl<'t> Place<'t> {
    pub(super) fn of(text: &'t str, mode: LevelMode) -> Self {
        let (mut scopes, mut rest) = (Vec::new(), text);
        while mode != LevelMode::L1
            && scopes.len() < SCOPES_MAX
            && let Some((first, more)) = rest.split_once(JOINT)
        {
            scopes.push(first);
            rest = more;
        }
        Self { scopes, rest, mode }
    }

    /// The innermost of its scopes.
    pub(super) fn scope<'c>(
        &self,
        cache: &NamedCache<'c, [u8]>,
    ) -> Result<Scope<'c, [u8]>, ScopeError> {
        let root = Ok(cache.scope());
        let names = self.scopes.iter();
        names.fold(root, |scope, name| scope?.scope(Part(name)))
    }
}

/// The key in that scope.
impl Key for &Place<'_> {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        match self.mode {
            LevelMode::L1 => out.bytes(self.rest.as_bytes()),
            _ => Part(self.rest).write_parts(out),
        }
    }
}

/// A part of a text, which may be empty.
#[derive(Debug, Clone, Copy)]
struct Part<'t>(&'t str);

impl Key for Part<'_> {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        Parts(&["text", self.0]).write_parts(out);
    }
}

/// Ends what equals a text, or begins with it and two underscores. What can't be reached is ended by this process before it is read
/// again.
pub(super) fn purge(
    environment: &Environment,
    cache: &NamedCache<'_, [u8]>,
    mode: LevelMode,
    text: &str,
) {
    if mode == LevelMode::L1 {
        cache.purge_text(text);
        return;
    }
    let mut place = Place::of(text, mode);
    // An underscore at its end may be the first of the two that follow it.
    let is_scope = place.scopes.len() < SCOPES_MAX && !place.rest.ends_with('_');
    if is_scope {
        remove(environment, cache, mode, text);
        place.scopes.push(place.rest);
    }
    if let Ok(scope) = place.scope(cache) {
        let _ = environment.view(scope, mode).purge();
    }
}

/// Removes what a text is the key of.
pub(super) fn remove(
    environment: &Environment,
    cache: &NamedCache<'_, [u8]>,
    mode: LevelMode,
    text: &str,
) {
    let place = Place::of(text, mode);
    if let Ok(scope) = place.scope(cache) {
        let _ = environment.view(scope, mode).remove(&place);
    }
}
