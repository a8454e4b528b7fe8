//! LookupCache, PopulateCache, InvalidateCache.
//!
//! # Idea         a key is formed, a view is asked, and variables tell of it; what can't be looked up is a miss, what can't be stored a fault
//! # Costs        one operation of the engine each
//! # Invariants   L1 a look-up never faults
//! # Not here     deadlines and levels: the engine's

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use larder::{Expiry, WriteOptions};

use super::{Fault, Run};
use crate::apigee::context::Told;
use crate::apigee::environment::SHARED;
use crate::apigee::key::{Problem, form, standpoint};
use crate::apigee::policy::{
    CacheContext, CacheKey, Invalidate, Lookup, Policy, Populate, Said, Settings,
};
use crate::apigee::read::EXPIRY_MAX;
use crate::apigee::var::Var;
use crate::engine::may_wait;
use crate::stored::Stored;

/// A fault of what can't be stored.
const ENTRY: &str = "EntryCannotBeCached";

fn not_found(key: &CacheKey) -> Fault {
    let name = key.resource.as_deref().unwrap_or(SHARED);
    Fault::new("CacheNotFound", format!("there is no cache `{name}`"))
}

impl Run<'_> {
    pub(super) fn lookup(&mut self, policy: &Policy, lookup: &Lookup) {
        let environment = &self.deployment.environment;
        let context = CacheContext::default();
        let at = standpoint(self.context.standpoint(), &context);
        let formed = form(&lookup.key, &at, environment, |name| {
            self.context.text(name)
        });
        let found = match (
            &formed.problem,
            environment.cache(lookup.key.resource.as_deref()),
        ) {
            (None, Some(cache)) => formed.scope(&cache).ok().and_then(|scope| {
                let mode = environment.mode(lookup.key.resource.as_deref());
                let view = environment.view(scope, mode);
                let entry = may_wait(mode, || view.lookup(&formed, lookup.timeout).entry())?;
                Stored::of_entry(&entry)
            }),
            _ => None,
        };
        let (rendered, problem) = (formed.rendered, formed.problem);
        let is_hit = match found {
            Some(stored) => self.context.set(&lookup.assign_to, Var::from(stored)),
            None => false,
        };
        self.trace.looked_up(is_hit);
        self.note(policy, || match (is_hit, problem) {
            (true, _) => format!("hit: {rendered} -> {}", lookup.assign_to),
            (false, None) => format!("miss: {rendered}"),
            (false, Some(problem)) => format!("miss: {rendered}: {}", problem_text(&problem)),
        });
        self.context.tell(Told {
            policy: Arc::clone(&policy.name),
            is_hit,
            key: rendered,
            cache: lookup.key.resource.clone(),
            assign_to: Arc::clone(&lookup.assign_to),
        });
    }

    pub(super) fn populate(&mut self, policy: &Policy, populate: &Populate) -> Result<(), Fault> {
        let environment = &self.deployment.environment;
        let key = &populate.key;
        let cache = environment
            .cache(key.resource.as_deref())
            .ok_or_else(|| not_found(key))?;
        let context = CacheContext::default();
        let at = standpoint(self.context.standpoint(), &context);
        let formed = form(key, &at, environment, |name| self.context.text(name));
        if let Some(problem) = &formed.problem {
            return Err(Fault::new(ENTRY, problem_text(problem)));
        }
        let source = self.context.get(&populate.source);
        let Some(stored) = source.as_ref().and_then(Var::to_stored) else {
            let why = match source {
                Some(_) => "can't be stored",
                None => "isn't there",
            };
            return Err(Fault::new(
                ENTRY,
                format!("the variable `{}` {why}", populate.source),
            ));
        };
        let scope = formed
            .scope(&cache)
            .map_err(|error| Fault::new(ENTRY, error.to_string()))?;
        let mode = environment.mode(key.resource.as_deref());
        let view = environment.view(scope, mode);
        let said = key.resource.as_deref();
        let said = said.map(|name| environment.keeping(name));
        let (of_cache, element_bytes_max) = said.unwrap_or_default();
        let bytes = stored.to_bytes();
        let now = environment.engine().time().wall();
        let ttl = self.ttl(&populate.expiry, of_cache, now);
        let is_too_long = element_bytes_max.is_some_and(|max| bytes.len() as u64 > max);
        let Some(ttl) = ttl.filter(|_| !is_too_long) else {
            let _ = may_wait(mode, || view.remove(&formed));
            let rendered = formed.rendered;
            self.note(policy, || {
                format!("not stored, and an older entry is gone: {rendered}")
            });
            return Ok(());
        };
        let options = WriteOptions::new().ttl(ttl).tag(stored.tag());
        let put = may_wait(mode, || view.put(&formed, &bytes[..], options));
        match put {
            Ok(_) => {
                let rendered = formed.rendered;
                self.note(policy, || format!("stored for {ttl:?}: {rendered}"));
                Ok(())
            }
            Err(error) => Err(Fault::new(ENTRY, error.to_string())),
        }
    }

    /// How long an entry is kept; `None` if it's over already.
    fn ttl(
        &self,
        settings: &Settings,
        of_cache: Option<Expiry>,
        now: SystemTime,
    ) -> Option<Duration> {
        let named = settings
            .seconds_of
            .as_deref()
            .and_then(|name| self.context.get(name));
        let named = named
            .and_then(|var| u64::try_from(var.to_integer()?).ok())
            .filter(|&seconds| seconds > 0);
        let seconds = named.map(Duration::from_secs).or(settings.seconds);
        if let Some(seconds) = seconds {
            return Some(seconds.min(EXPIRY_MAX));
        }
        let Some(expiry) = self.moment(settings).or(of_cache) else {
            return Some(EXPIRY_MAX);
        };
        match expiry.deadline(now) {
            Some(deadline) => deadline
                .duration_since(now)
                .ok()
                .filter(|ttl| !ttl.is_zero()),
            None => Some(EXPIRY_MAX),
        }
    }

    /// The date and the time of day: of each what its variable says, if that can be one, or else its literal.
    fn moment(&self, settings: &Settings) -> Option<Expiry> {
        let part = |said: &Said, is_good: fn(&str) -> bool| {
            let named = said.of.as_deref().and_then(|name| self.context.text(name));
            let named = named.map(|text| text.trim().to_owned());
            named
                .filter(|text| is_good(text))
                .or_else(|| said.literal.clone())
        };
        let date = part(&settings.date, |text| Expiry::date(text).is_ok());
        let time = part(&settings.time, |text| Expiry::time_of_day(text).is_ok());
        let moment = match (date, time) {
            (Some(date), Some(time)) => Expiry::date_and_time(&date, &time),
            (Some(date), None) => Expiry::date(&date),
            (None, Some(time)) => Expiry::time_of_day(&time),
            (None, None) => return None,
        };
        moment.ok()
    }

    pub(super) fn invalidate(
        &mut self,
        policy: &Policy,
        invalidate: &Invalidate,
    ) -> Result<(), Fault> {
        let environment = &self.deployment.environment;
        let key = &invalidate.key;
        let cache = environment
            .cache(key.resource.as_deref())
            .ok_or_else(|| not_found(key))?;
        let at = standpoint(self.context.standpoint(), &invalidate.context);
        let formed = form(key, &at, environment, |name| self.context.text(name));
        let scope = match &formed.problem {
            // What is purged is the prefix; of the fragments nothing is needed.
            Some(Problem::Unresolved(_) | Problem::TooLong(_)) if invalidate.purges => {
                formed.scope(&cache)
            }
            Some(problem) => {
                let message = problem_text(problem);
                self.note(policy, || format!("removes nothing: {message}"));
                return Ok(());
            }
            None => formed.scope(&cache),
        };
        let Ok(scope) = scope else { return Ok(()) };
        let mode = environment.mode(key.resource.as_deref());
        let view = environment.view(scope, mode);
        may_wait(mode, || match invalidate.purges {
            true => formed.purge(environment, &cache, &view),
            false => {
                let _ = view.remove(&formed);
            }
        });
        let rendered = formed.rendered;
        self.note(policy, || match invalidate.purges {
            true => format!("all under the prefix of {rendered} is gone"),
            false => format!("removed: {rendered}"),
        });
        Ok(())
    }
}

fn problem_text(problem: &Problem) -> String {
    match problem {
        Problem::Unresolved(name) => format!("the variable `{name}` of the key has no text"),
        Problem::TooLong(bytes) => format!("the key has {bytes} bytes, which is too long"),
        Problem::NoScope(why) => why.clone(),
    }
}
