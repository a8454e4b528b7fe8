//! LookupCache, PopulateCache, InvalidateCache.
//!
//! # Idea         the key is read alike for all of them; then each has its own
//! # Costs        once a policy
//! # Invariants   K1 a scope that isn't one of the five words, or a key that isn't there, is an error: nothing is shared by mistake
//! # Not here     caches

use std::num::IntErrorKind;
use std::sync::Arc;
use std::time::Duration;

use larder::{Expiry, ExpiryError, ScopeLevel};

use super::{bool_text, child_text, is_assignable, place, reference, single};
use crate::apigee::policy::{
    Act, CacheContext, CacheKey, Fragment, Invalidate, Lookup, Populate, Said, Settings,
};
use crate::finding::Finding;
use crate::xml::Element;

/// How long a look-up may take if nothing is said.
const LOOKUP_SECONDS: u64 = 12;

/// The longest that an entry is kept.
pub(in crate::apigee) const EXPIRY_MAX: Duration = Duration::from_secs(2_592_000);

/// What there may be one of: of two, a wider scope or another cache could be the one that wasn't meant.
const ONCE: [&str; 7] = [
    "AssignTo",
    "CacheContext",
    "CacheLookupTimeoutInSeconds",
    "CacheResource",
    "PurgeChildEntries",
    "Scope",
    "Source",
];

fn missing(element: &Element, name: &str) -> Finding {
    let message = format!("<{}> has no <{name}>, which is required", element.name);
    Finding::error(element.at, message)
}

fn cache_key(element: &Element, findings: &mut Vec<Finding>) -> Result<CacheKey, Finding> {
    let key = single(element, "CacheKey")?.ok_or_else(|| missing(element, "CacheKey"))?;
    let scope = match child_text(element, "Scope") {
        None => ScopeLevel::Exclusive,
        Some("Global") => ScopeLevel::Global,
        Some("Application") => ScopeLevel::Application,
        Some("Proxy") => ScopeLevel::Proxy,
        Some("Target") => ScopeLevel::Target,
        Some("Exclusive") => ScopeLevel::Exclusive,
        Some(other) => {
            let message = format!(
                "<Scope>: {other:?} is no scope: Global, Application, Proxy, Target or Exclusive is one"
            );
            return Err(Finding::error(place(element, "Scope"), message));
        }
    };
    for name in ONCE {
        single(element, name)?;
    }
    single(key, "Prefix")?;
    let mut fragments = Vec::new();
    for fragment in key.elements().filter(|child| child.name == "KeyFragment") {
        let literal = fragment.literal();
        match (reference(fragment, "ref"), literal) {
            (Some(_), literal) if !literal.is_empty() => {
                let message = "<KeyFragment> has a `ref` and a text: it is one or the other";
                return Err(Finding::error(fragment.at, message));
            }
            (Some(name), _) => fragments.push(Fragment::Variable(name.to_owned())),
            (None, "") => {}
            (None, literal) => fragments.push(Fragment::Literal(literal.to_owned())),
        }
    }
    let prefix = child_text(key, "Prefix").unwrap_or_default().to_owned();
    if prefix.is_empty() && fragments.is_empty() && scope == ScopeLevel::Exclusive {
        let message =
            "the key has neither a prefix nor a fragment: one entry serves the whole endpoint";
        findings.push(Finding::warning(key.at, message));
    }
    Ok(CacheKey {
        resource: child_text(element, "CacheResource").map(Arc::from),
        prefix,
        scope,
        fragments,
    })
}

pub(super) fn lookup(element: &Element, findings: &mut Vec<Finding>) -> Result<Act, Finding> {
    let key = cache_key(element, findings)?;
    let assign_to = child_text(element, "AssignTo").ok_or_else(|| missing(element, "AssignTo"))?;
    if !is_assignable(assign_to) {
        let message = format!(
            "<AssignTo>: the variable `{assign_to}` is read-only: choose a name of your own"
        );
        return Err(Finding::error(place(element, "AssignTo"), message));
    }
    let seconds = match child_text(element, "CacheLookupTimeoutInSeconds") {
        None => LOOKUP_SECONDS,
        Some(text) => match text.parse() {
            // No longer than a day, which can be added to any time.
            Ok(seconds @ 1..) => u64::min(seconds, 86_400),
            _ => {
                let at = place(element, "CacheLookupTimeoutInSeconds");
                let message =
                    format!("{text:?} is no time-out: a whole number of seconds above zero is one");
                return Err(Finding::error(at, message).with_code("InvalidTimeout"));
            }
        },
    };
    Ok(Act::Lookup(Lookup {
        key,
        assign_to: assign_to.into(),
        timeout: Duration::from_secs(seconds),
    }))
}

pub(super) fn populate(element: &Element, findings: &mut Vec<Finding>) -> Result<Act, Finding> {
    let key = cache_key(element, findings)?;
    let source = child_text(element, "Source").ok_or_else(|| missing(element, "Source"))?;
    Ok(Act::Populate(Populate {
        key,
        source: source.to_owned(),
        expiry: expiry(element, findings)?,
    }))
}

fn expiry(element: &Element, findings: &mut Vec<Finding>) -> Result<Settings, Finding> {
    let Some(block) = single(element, "ExpirySettings")? else {
        let message = "there are no <ExpirySettings>: the cache's own expiry holds, or 30 days";
        findings.push(Finding::warning(element.at, message));
        return Ok(Settings::default());
    };
    let mut settings = Settings::default();
    if let Some(seconds) = single(block, "TimeoutInSeconds")? {
        settings.seconds_of = reference(seconds, "ref").map(str::to_owned);
        settings.seconds = literal_seconds(seconds, findings)?;
    }
    if let Some(old) = single(block, "TimeoutInSec")? {
        let message = "<TimeoutInSec> is deprecated: write <TimeoutInSeconds>";
        findings.push(Finding::warning(old.at, message));
        let seconds = literal_seconds(old, findings)?;
        if settings.seconds.is_none() && settings.seconds_of.is_none() {
            settings.seconds = seconds;
        }
    }
    settings.date = said(block, "ExpiryDate", Expiry::date)?;
    settings.time = said(block, "TimeOfDay", Expiry::time_of_day)?;
    let has_seconds = settings.seconds.is_some() || settings.seconds_of.is_some();
    let has_moment = settings.date != Said::default() || settings.time != Said::default();
    if has_seconds && has_moment {
        let message = "<TimeoutInSeconds> wins over <TimeOfDay> and <ExpiryDate>";
        findings.push(Finding::warning(block.at, message));
    }
    if !has_seconds && !has_moment {
        let message = "<ExpirySettings> says nothing: the cache's own expiry holds, or 30 days";
        findings.push(Finding::warning(block.at, message));
    }
    Ok(settings)
}

/// A date or a time of day, whose literal is read to see that it is one.
fn said(
    block: &Element,
    name: &str,
    part: impl Fn(&str) -> Result<Expiry, ExpiryError>,
) -> Result<Said, Finding> {
    let Some(child) = single(block, name)? else {
        return Ok(Said::default());
    };
    let literal = Some(child.literal()).filter(|text| !text.is_empty());
    if let Some(Err(error)) = literal.map(part) {
        return Err(Finding::error(child.at, format!("<{name}>: {error}")));
    }
    Ok(Said {
        of: reference(child, "ref").map(str::to_owned),
        literal: literal.map(str::to_owned),
    })
}

fn literal_seconds(
    element: &Element,
    findings: &mut Vec<Finding>,
) -> Result<Option<Duration>, Finding> {
    let text = element.literal();
    if text.is_empty() {
        return Ok(None);
    }
    let seconds = match text.parse::<u64>() {
        Ok(seconds @ 1..) => Duration::from_secs(seconds),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Duration::MAX,
        _ => {
            let message =
                format!("{text:?} is no time to live: a whole number of seconds above zero is one");
            return Err(Finding::error(element.at, message));
        }
    };
    if seconds > EXPIRY_MAX {
        let message = "more than 30 days are cut to 30 days";
        findings.push(Finding::warning(element.at, message));
    }
    Ok(Some(seconds.min(EXPIRY_MAX)))
}

pub(super) fn invalidate(element: &Element, findings: &mut Vec<Finding>) -> Result<Act, Finding> {
    let mut key_findings = Vec::new();
    let key = cache_key(element, &mut key_findings)?;
    findings.append(&mut key_findings);
    let purges = bool_text(element, "PurgeChildEntries")?.unwrap_or(false);
    let context = element.element("CacheContext").map(|context| {
        let text = |name: &str| child_text(context, name).unwrap_or_default().to_owned();
        CacheContext {
            application: text("APIProxyName"),
            proxy: text("ProxyName"),
            target: text("TargetName"),
        }
    });
    Ok(Act::Invalidate(Invalidate {
        key,
        purges,
        context: context.unwrap_or_default(),
    }))
}
