//! Rate limits and quotas of one request.
//!
//! # Idea         a limit takes from its counters at once; where only the response tells whether a call counts, what was taken is held
//!   until then, and committed or given back
//! # Costs        a lock of a limiter a scope
//! # Invariants   L1 a refused call is counted nowhere; L2 of several scopes all have room, or none is taken from; L3 a quota counts a
//!   request once, however many policies name its key
//! # Not here     counting: the engine's

use std::time::Duration;

use http::{HeaderName, StatusCode};
use larder::{Anchor, Cost};

use super::{Run, Stop, failed, refusal};
use crate::azure::expr::Value;
use crate::azure::meters::{Limit, Meters, NotTaken, Taken, Window};
use crate::azure::policy::{
    Act, Allowance, Policy, Quota, RateLimit, RateLimitByKey, Setting, Told,
};
use crate::azure::read::Document;
use crate::http::{Response, set};

/// A window is no longer than this.
const PERIOD_SECONDS_MAX: i64 = 300;

/// A call whose count the response decides.
pub(super) struct Pending {
    taken: Taken,
    condition: Option<Setting>,
    calls: u64,
    /// Whether the bytes of request and response count.
    has_bytes: bool,
}

/// What a refusal is answered with.
struct Refused<'t> {
    status: StatusCode,
    message: fn(Option<u64>) -> String,
    told: &'t Told,
    calls: Option<u64>,
}

/// Seconds, rounded up: who waits so long passes.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

pub(super) fn rate_message(seconds: Option<u64>) -> String {
    match seconds {
        Some(seconds) => format!("Rate limit is exceeded. Try again in {seconds} seconds."),
        None => "Rate limit is exceeded.".to_owned(),
    }
}

fn quota_message(seconds: Option<u64>) -> String {
    match seconds {
        Some(seconds) => {
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            let clock = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
            format!("Out of call volume quota. Quota will be replenished in {clock}.")
        }
        None => "Out of call volume quota.".to_owned(),
    }
}

impl Run<'_> {
    pub(super) fn rate_limit(&mut self, policy: &Policy, limit: &RateLimit) -> Result<(), Stop> {
        let Some(subscription) = self.subscription else {
            self.note(policy, || {
                "not applied: there is no subscription".to_owned()
            });
            return Ok(());
        };
        let (api, place) = (self.api, limit.place.to_string());
        let (id, scope) = (&*subscription.id, &*api.policy_scope);
        let mut scopes = vec![(vec!["rate-limit", scope, &place, id], limit.allowance)];
        for limited in &limit.apis {
            if !limited.which.is(&api.api.id, &api.api.name) {
                continue;
            }
            if let Some(allowance) = limited.allowance {
                let key = vec!["rate-limit-api", scope, &place, id, &*api.api.id];
                scopes.push((key, allowance));
            }
            let Some(operation) = self.operation else {
                continue;
            };
            for (which, allowance) in &limited.operations {
                if which.is(&operation.id, &operation.name) {
                    let key = vec![
                        "rate-limit-operation",
                        scope,
                        &place,
                        id,
                        &*api.api.id,
                        &*operation.id,
                    ];
                    scopes.push((key, *allowance));
                }
            }
        }
        let mut all = Vec::with_capacity(scopes.len());
        for (key, Allowance { calls, period }) in &scopes {
            let limits = Limit {
                calls: Some(*calls),
                bytes: None,
            };
            let meters = &self.gateway.meters;
            match meters.take(Window::Sliding(*period), limits, key, Cost::calls(1)) {
                Ok(taken) => all.push(taken),
                Err(not_taken) => {
                    let refused = Refused {
                        status: StatusCode::TOO_MANY_REQUESTS,
                        message: rate_message,
                        told: &limit.told,
                        calls: Some(limit.allowance.calls),
                    };
                    return Err(self.refused(policy, not_taken, refused));
                }
            }
        }
        let standings = all.iter().filter_map(|taken| taken.standing);
        let remaining = standings.map(|standing| standing.remaining).min();
        for taken in all {
            taken.commit(Cost::calls(1));
        }
        self.note(policy, || format!("{} left", remaining.unwrap_or(0)));
        self.tell_remaining(&limit.told, remaining.unwrap_or(0), limit.allowance.calls);
        Ok(())
    }

    pub(super) fn rate_limit_by_key(
        &mut self,
        policy: &Policy,
        limit: &RateLimitByKey,
    ) -> Result<(), Stop> {
        let key = self.key(&limit.key, policy)?;
        let positive = |setting: &Setting, what: &str, max: i64| {
            let number = self.integer(setting, policy)?;
            match number {
                number if (1..=max).contains(&number) => Ok(number.unsigned_abs()),
                _ => Err(failed(policy, format!("`{what}` is {number}"))),
            }
        };
        let calls = positive(&limit.calls, "calls", i64::MAX)?;
        let period = positive(&limit.period, "renewal-period", PERIOD_SECONDS_MAX)?;
        let count = match &limit.count {
            Some(count) => positive(count, "increment-count", i64::MAX)?,
            None => 1,
        };
        let waits = limit.condition.as_ref().is_some_and(Setting::uses_response);
        let counts = match &limit.condition {
            Some(condition) if !waits => self.is_true(condition)?,
            _ => true,
        };
        let cost = if counts {
            Cost::calls(count)
        } else {
            Cost::default()
        };
        let limits = Limit {
            calls: Some(calls),
            bytes: None,
        };
        let window = Window::Sliding(Duration::from_secs(period));
        let taken = self
            .gateway
            .meters
            .take(window, limits, &["by-key", &key], cost);
        let taken = taken.map_err(|not_taken| {
            let refused = Refused {
                status: StatusCode::TOO_MANY_REQUESTS,
                message: rate_message,
                told: &limit.told,
                calls: Some(calls),
            };
            self.refused(policy, not_taken, refused)
        })?;
        let remaining = taken.standing.map_or(0, |standing| standing.remaining);
        self.note(policy, || format!("{key}: {remaining} left"));
        self.tell_remaining(&limit.told, remaining, calls);
        match (&limit.condition, waits) {
            (Some(condition), true) => self.hold(taken, Some(condition.clone()), cost.calls, false),
            _ => taken.commit(cost),
        }
        Ok(())
    }

    pub(super) fn quota(&mut self, policy: &Policy, quota: &Quota) -> Result<(), Stop> {
        let key = self.key(&quota.key, policy)?;
        let window = Window::Fixed {
            period: quota.period,
            anchor: self.anchor(quota),
        };
        let limits = Limit {
            calls: quota.calls,
            bytes: quota.bytes,
        };
        let waits = quota.condition.as_ref().is_some_and(Setting::uses_response);
        let counts = match &quota.condition {
            Some(condition) if !waits => self.is_true(condition)?,
            _ => true,
        };
        // Once a request, for all policies with this key and window.
        let counter = format!("{window:?} {key}");
        let is_first = !self.counted.contains(&counter);
        let cost = match counts && is_first {
            // Of a byte at least: where none is left, what asks without a body is refused as well.
            true => Cost::calls(1).and_bytes((self.request.body.len() as u64).max(1)),
            false => Cost::default(),
        };
        let told = Told::default();
        let taken = match self
            .gateway
            .meters
            .take(window, limits, &["quota", &key], cost)
        {
            Ok(taken) => taken,
            // This request's own count may have taken what was left.
            Err(NotTaken::Limit(_)) if !is_first => return Ok(()),
            Err(not_taken) => {
                let refused = Refused {
                    status: StatusCode::FORBIDDEN,
                    message: quota_message,
                    told: &told,
                    calls: None,
                };
                return Err(self.refused(policy, not_taken, refused));
            }
        };
        let remaining = taken
            .standing
            .map(|standing| (standing.remaining, standing.remaining_bytes));
        self.note(policy, || format!("{key}: {remaining:?} left"));
        if cost != Cost::default() {
            self.counted.push(counter);
            let condition = quota.condition.clone().filter(|_| waits);
            self.hold(taken, condition, 1, true);
        }
        Ok(())
    }

    /// The moment from which a quota's periods are counted, as the limiter knows it.
    fn anchor(&self, quota: &Quota) -> Anchor {
        let time = self.gateway.engine.time();
        let birth = time.birth();
        match quota.anchor_before_epoch {
            Some(before) => {
                let since = birth.duration_since(std::time::SystemTime::UNIX_EPOCH);
                Anchor::BeforeBirth(before.saturating_add(since.unwrap_or_default()))
            }
            None => match birth.duration_since(quota.anchor) {
                Ok(before) => Anchor::BeforeBirth(before),
                Err(after) => Anchor::At(larder::Nanos::from_duration(after.duration())),
            },
        }
    }

    fn hold(&mut self, taken: Taken, condition: Option<Setting>, calls: u64, has_bytes: bool) {
        self.pending.push(Pending {
            taken,
            condition,
            calls,
            has_bytes,
        });
    }

    /// Decides what counts, now that there is a response.
    pub(in crate::azure) fn settle(&mut self, response: &Response) {
        self.set_response(response.clone());
        let bytes = (self.request.body.len() + response.body.len()) as u64;
        for pending in std::mem::take(&mut self.pending) {
            let counts = match &pending.condition {
                Some(condition) => self.is_true(condition).unwrap_or(false),
                None => true,
            };
            if counts {
                let bytes = if pending.has_bytes { bytes } else { 0 };
                pending
                    .taken
                    .commit(Cost::calls(pending.calls).and_bytes(bytes));
            }
        }
    }

    fn tell_remaining(&mut self, told: &Told, remaining: u64, calls: u64) {
        if let Some(variable) = &told.remaining_variable {
            let remaining = i64::try_from(remaining).unwrap_or(i64::MAX);
            self.variables.set(&**variable, Value::from(remaining));
        }
        self.tell_header(told.remaining_header.as_ref(), remaining);
        self.tell_header(told.total_header.as_ref(), calls);
    }

    fn tell_header(&mut self, name: Option<&HeaderName>, number: u64) {
        if let Some(name) = name {
            self.told.push((name.clone(), number.to_string()));
        }
    }

    fn refused(&mut self, policy: &Policy, not_taken: NotTaken, refused: Refused<'_>) -> Stop {
        let error = match not_taken {
            NotTaken::Limit(error) => error,
            NotTaken::Unusable(message) => return failed(policy, message),
        };
        let seconds = error.retry_after().map(whole_seconds);
        let message = (refused.message)(seconds);
        self.note(policy, || format!("refused: {message}"));
        let mut response = refusal(refused.status, &message);
        if let Some(seconds) = seconds {
            let header = refused.told.retry_after_header.as_ref();
            let header = header.map_or("retry-after", HeaderName::as_str);
            set(&mut response.headers, header, &seconds.to_string());
            if let Some(variable) = &refused.told.retry_after_variable {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                self.variables.set(&**variable, Value::from(seconds));
            }
        }
        if let Some(calls) = refused.calls {
            self.tell_remaining(refused.told, 0, calls);
        }
        Stop::Refused(Box::new(response))
    }
}

/// Has the limits of a document counted by key from now on, so that a key's count is the same wherever it is asked for.
pub(in crate::azure) fn prime(meters: &Meters, document: &Document) {
    let sections = [
        &document.inbound,
        &document.backend,
        &document.outbound,
        &document.on_error,
    ];
    let mut blocks: Vec<&[Policy]> = sections.map(Vec::as_slice).into();
    while let Some(block) = blocks.pop() {
        for policy in block {
            match &policy.act {
                Act::Choose(choose) => {
                    blocks.extend(choose.branches.iter().map(|(_, branch)| branch.as_slice()));
                    blocks.push(&choose.otherwise);
                }
                Act::CacheValue(value) => blocks.push(&value.block),
                Act::RateLimitByKey(limit) => {
                    let number = |setting: &Setting| match setting {
                        Setting::Literal(text) => text.trim().parse().ok(),
                        Setting::Code(_) => None,
                    };
                    if let (Some(calls), Some(seconds)) =
                        (number(&limit.calls), number(&limit.period))
                    {
                        let limits = Limit {
                            calls: Some(calls),
                            bytes: None,
                        };
                        meters.prime(Window::Sliding(Duration::from_secs(seconds)), limits);
                    }
                }
                _ => {}
            }
        }
    }
}
