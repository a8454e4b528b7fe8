//! Rates that all servers of a level keep to together.
//!
//! # Idea         a rate of the level's client for each name and number; what one of several has no room for is taken from none
//! # Costs        a short lock, and now and then a call of the level
//! # Invariants   RT1 a level that is away refuses nothing: each server keeps to the rate alone then, by the engine
//! # Not here     what windows and batches give out: the client's `rate`

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use larder::Rate;
use larder_valkey::{RateRefusal, SharedRate, Valkey};
use parking_lot::Mutex;

use super::{Level, Spent, Taken};

/// See the module.
pub(super) struct Rates {
    servers: Valkey,
    name_space: Vec<u8>,
    within: Duration,
    known: Mutex<HashMap<Name, Arc<SharedRate>>>,
}

/// A name as bytes, and the numbers of a rate.
type Name = (Vec<u8>, u64, Duration);

/// A batch is this part of what a period has.
const BATCHES: u64 = 16;
/// With more, what is known is forgotten, and with it what was taken and not used.
const KNOWN_MAX: usize = 16_384;

impl Rates {
    pub(super) fn new(servers: Valkey, of: &Level) -> Self {
        Self {
            servers,
            name_space: of.name_space.as_bytes().to_vec(),
            within: of.timeout,
            known: Mutex::default(),
        }
    }

    pub(super) fn take(
        &self,
        rates: &[(&[&str], Option<Rate>)],
        n_calls: u64,
    ) -> Result<Taken, Spent> {
        let mut taken = Vec::with_capacity(rates.len());
        let give_back = |taken: Vec<(Arc<SharedRate>, _)>| {
            for (rate, taken) in taken {
                rate.give_back(taken);
            }
        };
        for (idx, (name, rate)) in rates.iter().enumerate() {
            let Some(rate) = *rate else { continue };
            let rate = self.rate(name, rate);
            let retry_after = match rate.take(n_calls, self.within) {
                Ok(one) => {
                    taken.push((rate, one));
                    continue;
                }
                // RT1
                Err(RateRefusal::Level(_)) => continue,
                Err(RateRefusal::Exceeded { retry_after }) => Some(retry_after),
                Err(_) => None,
            };
            give_back(taken);
            return Err(Spent { idx, retry_after });
        }
        Ok(Taken(Some(Box::new(move || give_back(taken)))))
    }

    fn rate(&self, name: &[&str], rate: Rate) -> Arc<SharedRate> {
        let mut bytes = Vec::new();
        let parts = name.iter().map(|part| part.as_bytes());
        for part in [&self.name_space[..]].into_iter().chain(parts) {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        }
        let name = (bytes, rate.tokens(), rate.period());
        let mut known = self.known.lock();
        if let Some(rate) = known.get(&name) {
            return Arc::clone(rate);
        }
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        let (limit, period) = (rate.tokens(), rate.period());
        let made = self
            .servers
            .shared_rate(&name.0, limit, period, limit / BATCHES);
        let made = Arc::new(made);
        known.insert(name, Arc::clone(&made));
        made
    }
}
