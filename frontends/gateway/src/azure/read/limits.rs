//! Rate limits and quotas.
//!
//! # Idea         what may be an expression is evaluated for each call; the rest is checked here
//! # Costs        once a document
//! # Invariants   L2 of the module above
//! # Not here     counting

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::attributes::{Attributes, no_text, unknown_element};
use crate::azure::expr::Wanted;
use crate::azure::policy::{
    Act, Allowance, LimitedApi, Named, Quota, RateLimit, RateLimitByKey, Told,
};
use crate::finding::Finding;
use crate::xml::Element;

/// A window is no longer than this.
const PERIOD_SECONDS_MAX: u64 = 300;

/// From the beginning of the vendor's calendar, 0001-01-01, to that of the system's.
const CALENDAR_BEFORE_EPOCH: Duration = Duration::from_secs(62_135_596_800);

fn allowance(attributes: &Attributes<'_>) -> Result<Allowance, Finding> {
    Ok(Allowance {
        calls: attributes.required_number("calls", 1..=u64::MAX)?,
        period: attributes.seconds("renewal-period", 1..=PERIOD_SECONDS_MAX)?,
    })
}

fn told(attributes: &Attributes<'_>) -> Result<Told, Finding> {
    Ok(Told {
        retry_after_header: attributes.header_name("retry-after-header-name")?,
        retry_after_variable: attributes.literal("retry-after-variable-name")?,
        remaining_header: attributes.header_name("remaining-calls-header-name")?,
        remaining_variable: attributes.literal("remaining-calls-variable-name")?,
        total_header: attributes.header_name("total-calls-header-name")?,
    })
}

fn named(element: &Element, attributes: &Attributes<'_>) -> Result<Named, Finding> {
    let (id, name) = (attributes.literal("id")?, attributes.literal("name")?);
    let of_name = name.map(Named::Name);
    let missing = || {
        let message = format!(
            "<{}> has neither `name` nor `id`: one is required",
            element.name
        );
        Finding::error(element.at, message)
    };
    id.map(Named::Id).or(of_name).ok_or_else(missing)
}

pub(super) fn rate_limit(element: &Element, place: u64) -> Result<Act, Finding> {
    no_text(element)?;
    let attributes = Attributes::of(element);
    let mut limit = RateLimit {
        allowance: allowance(&attributes)?,
        apis: Vec::new(),
        told: told(&attributes)?,
        place,
    };
    attributes.finish()?;
    for api in element.elements() {
        if api.name != "api" {
            return Err(unknown_element(api, "rate-limit"));
        }
        limit.apis.push(limited_api(api)?);
    }
    Ok(Act::RateLimit(Box::new(limit)))
}

fn limited_api(element: &Element) -> Result<LimitedApi, Finding> {
    no_text(element)?;
    let attributes = Attributes::of(element);
    let which = named(element, &attributes)?;
    let has_own =
        element.attribute("calls").is_some() || element.attribute("renewal-period").is_some();
    let allowance = has_own.then(|| allowance(&attributes)).transpose()?;
    attributes.finish()?;
    let mut operations = Vec::new();
    for operation in element.elements() {
        if operation.name != "operation" {
            return Err(unknown_element(operation, "api"));
        }
        let attributes = Attributes::of(operation);
        let which = named(operation, &attributes)?;
        operations.push((which, self::allowance(&attributes)?));
        attributes.finish()?;
    }
    if allowance.is_none() && operations.is_empty() {
        let message = "<api> has neither `calls` nor an <operation>";
        return Err(Finding::error(element.at, message));
    }
    Ok(LimitedApi {
        which,
        allowance,
        operations,
    })
}

pub(super) fn rate_limit_by_key(element: &Element) -> Result<Act, Finding> {
    no_text(element)?;
    let attributes = Attributes::of(element);
    // Where they are literals, they are checked now.
    let is_code = |name: &str| {
        let attribute = element.attribute(name);
        attribute.is_some_and(|attribute| attribute.value.literal().is_none())
    };
    if !is_code("calls") {
        attributes.required_number("calls", 1..=u64::MAX)?;
    }
    if !is_code("renewal-period") {
        attributes.required_number("renewal-period", 1..=PERIOD_SECONDS_MAX)?;
    }
    if !is_code("increment-count") {
        attributes.number("increment-count", 1..=u64::MAX)?;
    }
    let limit = RateLimitByKey {
        calls: attributes.required_setting("calls", Wanted::Integer)?,
        period: attributes.required_setting("renewal-period", Wanted::Integer)?,
        key: attributes.required_setting("counter-key", Wanted::Text)?,
        condition: attributes.setting("increment-condition", Wanted::Boolean)?,
        count: attributes.setting("increment-count", Wanted::Integer)?,
        told: told(&attributes)?,
    };
    attributes.finish()?;
    Ok(Act::RateLimitByKey(Box::new(limit)))
}

pub(super) fn quota(element: &Element) -> Result<Act, Finding> {
    no_text(element)?;
    let attributes = Attributes::of(element);
    let calls = attributes.number("calls", 1..=u64::MAX)?;
    let kilobytes = attributes.number("bandwidth", 1..=u64::MAX)?;
    if calls.is_none() && kilobytes.is_none() {
        let message = "<quota-by-key> has neither `calls` nor `bandwidth`: one is required";
        return Err(Finding::error(element.at, message));
    }
    let period = attributes.seconds("renewal-period", 0..=u64::MAX)?;
    if (1..300).contains(&period.as_secs()) {
        let message = "`renewal-period` of <quota-by-key> must be 0, for no end, or at least 300";
        return Err(Finding::error(attributes.place("renewal-period"), message));
    }
    let (anchor, anchor_before_epoch) = match attributes.literal("first-period-start")? {
        None => (SystemTime::UNIX_EPOCH, Some(CALENDAR_BEFORE_EPOCH)),
        Some(text) => {
            let wrong = |_| {
                let message = "`first-period-start` must be a moment, as 2030-01-31T00:00:00Z";
                Finding::error(attributes.place("first-period-start"), message)
            };
            let moment: Timestamp = text.parse().map_err(wrong)?;
            let before = (moment < Timestamp::UNIX_EPOCH)
                .then(|| Timestamp::UNIX_EPOCH.duration_since(moment).unsigned_abs());
            match before {
                Some(_) => (SystemTime::UNIX_EPOCH, before),
                None => (moment.into(), None),
            }
        }
    };
    let quota = Quota {
        calls,
        bytes: kilobytes.map(|kilobytes| kilobytes.saturating_mul(1024)),
        period,
        anchor,
        anchor_before_epoch,
        key: attributes.required_setting("counter-key", Wanted::Text)?,
        condition: attributes.setting("increment-condition", Wanted::Boolean)?,
    };
    attributes.finish()?;
    Ok(Act::Quota(Box::new(quota)))
}
