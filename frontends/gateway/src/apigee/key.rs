//! Keys: prefix and fragments, as an identity and as text.
//!
//! # Idea         the prefix is a scope of the cache, the fragments are the key in it. A rendered text joins them, and is shown only; but
//!   where an environment says so it is the identity, as with the vendor
//! # Costs        a scope of the engine is asked for with each use
//! # Invariants   K1 two lists of parts are two keys, whatever they look like; the number of fragments is a part, so that none is one too
//! # Not here     what is done with keys

use std::borrow::Cow;
use std::fmt::Write as _;

use larder::{
    Key, KeyPrefix, KeyWriter, LevelMode, LevelView, NamedCache, Scope, ScopeError, Standpoint,
};

use super::environment::Environment;
use super::policy::{CacheContext, CacheKey, Fragment};
use super::text::{self, Place};

/// Most keys are shorter.
const RENDERED_BYTES_FIRST: usize = 64;

/// A key that was formed for a request.
#[derive(Debug)]
pub(super) struct Formed<'a> {
    prefix: KeyPrefix<'a>,
    fragments: Vec<Cow<'a, str>>,
    /// The text for people.
    pub(super) rendered: String,
    /// Why it can't be used, if it can't.
    pub(super) problem: Option<Problem>,
    /// How its cache uses its levels, where the text is the identity.
    of_text: Option<LevelMode>,
}

/// Why a key can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// A fragment's variable has no text.
    Unresolved(String),
    /// Its text is too long.
    TooLong(usize),
    /// The scope needs a name that isn't known.
    NoScope(String),
}

/// Replaces names where a policy says so.
pub(super) fn standpoint<'a>(at: Standpoint<'a>, context: &'a CacheContext) -> Standpoint<'a> {
    let or = |named: &'a str, current: &'a str| if named.is_empty() { current } else { named };
    let mut at = Standpoint {
        application: or(&context.application, at.application),
        proxy: or(&context.proxy, at.proxy),
        target: or(&context.target, at.target),
        ..at
    };
    // Who names one endpoint alone means its flow.
    match (context.proxy.is_empty(), context.target.is_empty()) {
        (false, true) => at.flow = larder::Flow::Proxy,
        (true, false) => at.flow = larder::Flow::Target,
        _ => {}
    }
    at
}

/// Forms a key.
pub(super) fn form<'a>(
    key: &'a CacheKey,
    at: &Standpoint<'a>,
    environment: &Environment,
    text_of: impl Fn(&str) -> Option<Cow<'a, str>>,
) -> Formed<'a> {
    let options = environment.options();
    let mut problem = None;
    let prefix = KeyPrefix::of_policy(&key.prefix, key.scope, at);
    let prefix = prefix.unwrap_or_else(|error| {
        problem = Some(Problem::NoScope(error.to_string()));
        KeyPrefix::Plain
    });
    let fragments = key.fragments.iter().map(|fragment| match fragment {
        Fragment::Literal(text) => Cow::Borrowed(&**text),
        Fragment::Variable(name) => text_of(name).unwrap_or_else(|| {
            if !options.unresolved_is_empty {
                problem.get_or_insert(Problem::Unresolved(name.clone()));
            }
            Cow::Borrowed("")
        }),
    });
    let fragments: Vec<Cow<'_, str>> = fragments.collect();
    let mut rendered = String::with_capacity(RENDERED_BYTES_FIRST);
    // A text takes whatever is written.
    let _ = write!(rendered, "{prefix}");
    for fragment in &fragments {
        rendered.push_str("__");
        rendered.push_str(fragment);
    }
    if rendered.len() > options.key_bytes_max {
        problem.get_or_insert(Problem::TooLong(rendered.len()));
    }
    Formed {
        prefix,
        fragments,
        rendered,
        problem,
        of_text: options
            .string_keys
            .then(|| environment.mode(key.resource.as_deref())),
    }
}

impl Formed<'_> {
    /// The scope that the key is in.
    pub(super) fn scope<'c>(
        &self,
        cache: &NamedCache<'c, [u8]>,
    ) -> Result<Scope<'c, [u8]>, ScopeError> {
        if let Some(mode) = self.of_text {
            return Place::of(&self.rendered, mode).scope(cache);
        }
        match &self.prefix {
            KeyPrefix::Prefix(prefix) => cache.scope().prefix(*prefix),
            KeyPrefix::Scope(parts) => cache.scope().scope(*parts),
            _ => Ok(cache.scope()),
        }
    }

    /// Ends all entries of the key's prefix. What can't be reached is ended by this process before it is read again.
    pub(super) fn purge(
        &self,
        environment: &Environment,
        cache: &NamedCache<'_, [u8]>,
        view: &LevelView<'_>,
    ) {
        match self.of_text {
            Some(mode) => text::purge(environment, cache, mode, &self.prefix.to_string()),
            None => drop(view.purge()),
        }
    }
}

impl Key for &Formed<'_> {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        match self.of_text {
            Some(mode) => (&Place::of(&self.rendered, mode)).write_parts(out),
            None => Fragments(&self.fragments).write_parts(out),
        }
    }
}

/// Fragments as the key in the scope of their prefix.
#[derive(Debug)]
pub(super) struct Fragments<'f, F>(pub(super) &'f [F]);

impl<F: AsRef<str>> Key for Fragments<'_, F> {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        out.uint(self.0.len() as u64);
        for fragment in self.0 {
            out.bytes(fragment.as_ref().as_bytes());
        }
    }
}
