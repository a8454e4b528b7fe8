//! A rate that all processes have in common, of which each takes tokens in batches.
//!
//! # Idea
//! Time is cut into windows by the wall clock, and each window has a counter on the server. A process that has no tokens left raises it
//! by a batch; what that stays below the limit are tokens of its own, until the window ends.
//!
//! # Costs
//! A call of the server for each batch; between them a short lock.
//!
//! # Invariants
//! - RA1 In one window no more than the limit is given out, by all processes together: the counter grows before a token is given.
//! - RA2 Of what the limit allows, a process leaves at most a batch less one unused in a window.
//!
//! # What is not exact
//! A window ends all at once: in a period that reaches over its end up to twice the limit may be taken. Clocks that differ count
//! in different windows for so long. A server that loses a counter gives the window's tokens out again.
//!
//! # Not here
//! Limits of one process: the engine's own, which are exact.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larder::LevelError;
use parking_lot::Mutex;
use redis::Value;

use crate::conn::command;
use crate::fault::Fault;
use crate::servers::{Request, Servers};
use crate::time::{Until, wall_us};
use crate::valkey::Valkey;

/// A rate in common: made by [`Valkey::shared_rate`].
///
/// # Accuracy
/// With `n` processes, a window gives out at most `limit` and at least `limit - n * (batch - 1)` to those who ask for more. In a period
/// that isn't a window, at most twice the limit.
///
/// # Examples
/// ```no_run
/// use std::time::Duration;
/// use larder_valkey::{Address, Config, Valkey};
///
/// let servers = Valkey::new(Config::one(Address::new("127.0.0.1", 6379)))?;
/// let rate = servers.shared_rate(b"shop/acme", 1000, Duration::from_secs(1), 20);
/// if let Err(refusal) = rate.take(1, Duration::from_millis(50)) {
///     println!("come back: {refusal}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SharedRate {
    servers: Arc<Servers>,
    name: Vec<u8>,
    limit: u64,
    period_us: u64,
    batch: u64,
    tokens: Mutex<Tokens>,
}

/// What this process has of a window.
#[derive(Debug, Default)]
struct Tokens {
    window: u64,
    left: u64,
    /// The window has none any more.
    is_spent: bool,
}

/// Tokens that were taken, for who may want to [give them back](SharedRate::give_back).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct RateTaken {
    window: u64,
    n_tokens: u64,
}

/// Why there are no tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateRefusal {
    /// All of the window's are taken.
    Exceeded {
        /// When the next window begins.
        retry_after: Duration,
    },
    /// More are asked for than any window has.
    Never,
    /// The server can't be asked, and nothing is known.
    Level(LevelError),
}

impl Valkey {
    /// A rate of so many tokens a period for all processes that give the same name and numbers; each takes `batch` at a time.
    ///
    /// Zeros are taken as ones, and a period as no less than a millisecond.
    pub fn shared_rate(&self, name: &[u8], limit: u64, period: Duration, batch: u64) -> SharedRate {
        let period_us = u64::try_from(period.as_micros()).unwrap_or(u64::MAX);
        SharedRate {
            servers: Arc::clone(&self.servers),
            name: name.to_vec(),
            limit: limit.clamp(1, LIMIT_MAX),
            period_us: period_us.max(1000),
            batch: batch.clamp(1, LIMIT_MAX),
            tokens: Mutex::default(),
        }
    }
}

/// Sums of some of these are numbers of the server's.
const LIMIT_MAX: u64 = 1 << 40;

impl SharedRate {
    /// Takes tokens, asking the server for so long at most if there are too few here.
    ///
    /// # Errors
    /// [`RateRefusal`]: none were taken.
    pub fn take(&self, n_tokens: u64, within: Duration) -> Result<RateTaken, RateRefusal> {
        if n_tokens > self.limit {
            return Err(RateRefusal::Never);
        }
        let until = Until::after(within);
        let mut n_tries = 0;
        loop {
            let now_us = wall_us();
            let (window, n_missing) = match self.take_here(n_tokens, now_us / self.period_us) {
                Ok(window) => return Ok(RateTaken { window, n_tokens }),
                Err(short) => short,
            };
            // Others of this process may take what was brought: a few times, then the window is as good as spent.
            let Some(n_missing) = n_missing.filter(|_| n_tries < TRIES) else {
                let next_us = (window + 1).saturating_mul(self.period_us);
                let retry_after = Duration::from_micros(next_us.saturating_sub(now_us).max(1));
                return Err(RateRefusal::Exceeded { retry_after });
            };
            n_tries += 1;
            let n_asked = self.batch.max(n_missing);
            let n_brought = self.bring(window, n_asked, until);
            let n_brought = n_brought.map_err(|fault| RateRefusal::Level(fault.into()))?;
            self.keep(window, n_brought, n_brought < n_asked);
        }
    }

    /// Gives tokens back that weren't needed: to this process, for what is left of their window.
    pub fn give_back(&self, taken: RateTaken) {
        self.keep(taken.window, taken.n_tokens, false);
    }

    /// Takes tokens that are here, and says of which window; or how many are missing, and none is more than there are.
    fn take_here(&self, n_tokens: u64, window: u64) -> Result<u64, (u64, Option<u64>)> {
        let mut tokens = self.tokens.lock();
        // RA2: a thread that slept since it looked at the clock ends nothing that others of this process have. A clock that was set
        // back does, or nothing would be had until it is where it was.
        let is_late = window.checked_add(1) == Some(tokens.window);
        if tokens.window != window && !is_late {
            *tokens = Tokens {
                window,
                ..Tokens::default()
            };
        }
        if tokens.left >= n_tokens {
            tokens.left -= n_tokens;
            return Ok(tokens.window);
        }
        let n_missing = n_tokens - tokens.left;
        Err((tokens.window, (!tokens.is_spent).then_some(n_missing)))
    }

    fn keep(&self, window: u64, n_brought: u64, is_spent: bool) {
        let mut tokens = self.tokens.lock();
        if tokens.window == window {
            tokens.left += n_brought;
            tokens.is_spent |= is_spent;
        }
    }

    /// Raises the window's counter; how many of the tokens that were asked for are below the limit (RA1).
    fn bring(&self, window: u64, n_asked: u64, until: Until) -> Result<u64, Fault> {
        let mut key = b"r\x01".to_vec();
        key.extend((self.name.len() as u64).to_le_bytes());
        key.extend(&self.name);
        for number in [self.limit, self.period_us, window] {
            key.extend(number.to_le_bytes());
        }
        // Late enough for clocks that differ by a period.
        let expiry_ms = (self.period_us / 1000).saturating_mul(3).min(EXPIRY_MS_MAX);
        let raise = command("INCRBY").arg(&key).arg(n_asked).take();
        let expire = command("PEXPIRE").arg(&key).arg(expiry_ms).take();
        let requests = [raise, expire].map(|command| Request { key: &key, command });
        let replies = self.servers.run(&requests, until)?.keep();
        match replies.into_iter().next() {
            Some(Value::Int(raised)) => {
                let before = (raised as u64).saturating_sub(n_asked);
                Ok(self.limit.saturating_sub(before).min(n_asked))
            }
            Some(Value::ServerError(error)) => Err(Fault::Answer(error)),
            _ => Err(Fault::Garbled),
        }
    }
}

const TRIES: usize = 4;
/// What every server takes.
const EXPIRY_MS_MAX: u64 = 100 * 366 * 86_400_000;

impl fmt::Debug for SharedRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRate")
            .field("limit", &self.limit)
            .field("period_us", &self.period_us)
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for RateRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exceeded { retry_after } => {
                write!(f, "the rate is exceeded; more in {retry_after:?}")
            }
            Self::Never => f.write_str("more tokens are asked for than the rate ever has"),
            Self::Level(error) => error.fmt(f),
        }
    }
}

impl Error for RateRefusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Address, Config};

    #[test]
    fn e_82_who_comes_late_to_a_window_takes_nothing_from_the_next() {
        let servers = Valkey::new(Config::one(Address::new("127.0.0.1", 1))).unwrap();
        let rate = servers.shared_rate(b"r", 100, Duration::from_secs(1), 10);
        for (late, early) in [(6, 7), (90, 20)] {
            assert_eq!(rate.take_here(1, early), Err((early, Some(1))));
            rate.keep(early, 10, false);
            let of_late = rate.take_here(1, late);
            match late < early {
                true => assert_eq!(of_late, Ok(early)),
                // It is no thread that is late.
                false => assert_eq!(of_late, Err((late, Some(1)))),
            }
        }
        rate.keep(90, 10, false);
        assert_eq!(rate.take_here(4, 90), Ok(90));
        assert_eq!(rate.take_here(4, 89), Ok(90));
        assert_eq!(rate.take_here(3, 90), Err((90, Some(1))));
        // The clock was set back.
        assert_eq!(rate.take_here(1, 50), Err((50, Some(1))));
    }
}
