//! Leases of keys: one process of all loads a key, the others wait for it.
//!
//! # Idea         a key beside the record, which is set by whoever finds it unset, and unset by who set it. Who doesn't get it asks again after
//!   pauses that grow and are drawn, so that those who wait don't ask together
//! # Costs        a call to take it and two to give it back; who waits asks some 50 times a second at most
//! # Invariants   LE1 a lease ends by itself, after its span; LE2 who gives back a lease that has ended leaves the next one's alone, but for
//!   the moment between two commands, which costs a load
//! # Not here     what is loaded, and that it is looked for again: the engine's `level::lease`

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use larder::{LevelError, LevelKey, LevelLease};
use redis::Value;
use twox_hash::XxHash3_64;

use crate::conn::command;
use crate::servers::Servers;
use crate::time::{Until, now, wall_us};
use crate::valkey::whole_ms;

const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(20);

pub(crate) fn take(
    servers: &Servers,
    key: &LevelKey<'_>,
    span: Duration,
    until: Until,
) -> Result<LevelLease, LevelError> {
    let key = of(key);
    let token = token();
    let pauses = ExponentialBuilder::new()
        .with_min_delay(PAUSE_MIN)
        .with_max_delay(PAUSE_MAX)
        .with_jitter()
        .without_max_times()
        .build();
    for pause in pauses {
        let mut set = command("SET");
        set.arg(&key)
            .arg(token)
            .arg("NX")
            .arg("PX")
            .arg(whole_ms(span));
        match servers.run_one(&key, set, until)? {
            Value::Okay => return Ok(LevelLease { token }),
            Value::Nil => {}
            _ => return Err(LevelError::Unavailable),
        }
        let left = until.left().ok_or(LevelError::Timeout)?;
        thread::sleep(pause.min(left));
    }
    Err(LevelError::Timeout)
}

pub(crate) fn give_back(servers: &Servers, key: &LevelKey<'_>, lease: LevelLease, until: Until) {
    let key = of(key);
    let get = command("GET").arg(&key).take();
    let token = lease.token.to_string();
    let is_ours =
        |value: Value| matches!(value, Value::BulkString(text) if text == token.as_bytes());
    // LE1: whatever fails here, it ends.
    if servers.run_one(&key, get, until).is_ok_and(is_ours) {
        let delete = command("DEL").arg(&key).take();
        let _ = servers.run_one(&key, delete, until);
    }
}

/// The key of a lease, which is no record's and no generation's.
fn of(key: &LevelKey<'_>) -> Vec<u8> {
    let mut lease = key.as_bytes().to_vec();
    lease[0] = b'l';
    lease
}

/// A number that no other process has at the moment.
fn token() -> u64 {
    static N_TOKENS: AtomicU64 = AtomicU64::new(0);
    let number = N_TOKENS.fetch_add(1, Ordering::Relaxed);
    let sources = format!("{number} {} {} {:?}", wall_us(), std::process::id(), now());
    XxHash3_64::oneshot(sources.as_bytes())
}
