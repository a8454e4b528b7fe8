//! The master that sentinels name.
//!
//! # Idea         the master is asked for when none is known, and after a call that speaks against the known one; who is named has to say
//!   itself that it is one, at each connection
//! # Costs        nothing while the master stays; a round trip a connection
//! # Invariants   SE1 a sentinel that has missed a failover that this process has heard of isn't believed (module `newest`)

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::Value;

use super::newest::Newest;
use super::pace::Pace;
use super::{Answers, Request, run_at};
use crate::config::Address;
use crate::conn::{command, is_master};
use crate::fault::Fault;
use crate::node::{Context, Node};
use crate::time::Until;

/// See the module.
#[derive(Debug)]
pub(super) struct Sentinel {
    context: Arc<Context>,
    sentinels: Vec<Arc<Node>>,
    name: String,
    master: Mutex<Option<Arc<Node>>>,
    /// The epoch of what is known.
    epoch: AtomicU64,
    /// Something speaks against the known master.
    is_doubted: AtomicBool,
    pace: Pace,
    /// Whom to ask first the next time, so that one that was cut off isn't asked first for ever.
    turn: AtomicUsize,
}

/// What one sentinel, and a server that says who it is, are given of a call's time.
const ASK: Duration = Duration::from_millis(200);

impl Sentinel {
    pub(super) fn new(sentinels: Vec<Address>, name: String, context: Arc<Context>) -> Self {
        let sentinels = sentinels
            .into_iter()
            .map(|address| Node::sentinel(address, Arc::clone(&context)))
            .collect();
        Self {
            context,
            sentinels,
            name,
            master: Mutex::default(),
            epoch: AtomicU64::new(0),
            is_doubted: AtomicBool::new(false),
            pace: Pace::default(),
            turn: AtomicUsize::new(0),
        }
    }

    pub(super) fn run(&self, requests: &[Request<'_>], until: Until) -> Result<Answers, Fault> {
        let node = self.node(until).ok_or(Fault::Away)?;
        let answers = run_at(&node, requests, until);
        let fault = match &answers {
            Err(fault) => Some(fault.clone()),
            Ok(answers) => answers.replies.iter().find_map(|reply| match reply {
                Value::ServerError(error) => Some(Fault::Answer(error.clone())),
                _ => None,
            }),
        };
        let Some(fault) = fault.filter(Fault::is_of_topology) else {
            return answers;
        };
        self.doubt();
        match self.node(until) {
            // Nothing was done by who isn't there, or isn't the master.
            Some(other) if fault != Fault::Timeout && !Arc::ptr_eq(&other, &node) => {
                run_at(&other, requests, until)
            }
            _ => answers,
        }
    }

    pub(super) fn doubt(&self) {
        self.is_doubted.store(true, Ordering::Relaxed);
    }

    /// The master, asked for if need be.
    pub(super) fn node(&self, until: Until) -> Option<Arc<Node>> {
        let known = self.master.lock().clone();
        let is_sure = known.is_some() && !self.is_doubted.load(Ordering::Relaxed);
        if is_sure {
            return known;
        }
        self.refresh(until);
        self.master.lock().clone()
    }

    /// Asks for the master, unless somebody does.
    pub(super) fn refresh(&self, until: Until) {
        let Some(_go) = self.pace.go() else {
            return;
        };
        self.context.counts.refreshes.add();
        let mut newest = Newest::new(self.epoch.load(Ordering::Relaxed), self.sentinels.len());
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.sentinels.len().max(1);
        let (later, first) = self.sentinels.split_at(turn);
        for sentinel in first.iter().chain(later) {
            let Some((epoch, address)) = self.ask(sentinel, until) else {
                continue;
            };
            if let Some(address) = newest.offer(epoch, address)
                && self.take_up(epoch, address, until)
            {
                return;
            }
        }
        if let Some((epoch, address)) = newest.best() {
            self.take_up(epoch, address, until);
        }
    }

    /// Has the server at an address for the master, if that says so.
    fn take_up(&self, epoch: u64, address: Address, until: Until) -> bool {
        let known = self.master.lock().clone();
        let Some(node) = self.confirmed(address, known.as_ref(), until) else {
            return false;
        };
        *self.master.lock() = Some(node);
        self.epoch.store(epoch, Ordering::Relaxed);
        self.is_doubted.store(false, Ordering::Relaxed);
        true
    }

    /// Whom a sentinel names, and the epoch that it knows the master's configuration by.
    fn ask(&self, sentinel: &Arc<Node>, until: Until) -> Option<(u64, Address)> {
        let asks = ["get-master-addr-by-name", "master"]
            .map(|what| command("SENTINEL").arg(what).arg(&self.name).take());
        let replies = sentinel.call(&asks, until.at_most(ASK)).ok()?;
        let [Value::Array(parts), described] = &replies[..] else {
            return None;
        };
        let [Value::BulkString(host), Value::BulkString(port)] = &parts[..] else {
            return None;
        };
        let host = std::str::from_utf8(host).ok()?;
        let port = std::str::from_utf8(port).ok()?.parse().ok()?;
        Some((epoch(described).unwrap_or(0), Address::new(host, port)))
    }

    /// The server at an address, if it says that it is a master.
    fn confirmed(
        &self,
        address: Address,
        known: Option<&Arc<Node>>,
        until: Until,
    ) -> Option<Arc<Node>> {
        let node = match known {
            Some(known) if *known.address() == address => Arc::clone(known),
            _ => Node::master(address, Arc::clone(&self.context)),
        };
        let replies = node.call(&[command("ROLE")], until.at_most(ASK)).ok()?;
        is_master(replies.first()?).then_some(node)
    }
}

/// What a sentinel's description of a master, names and words in turns, has for its epoch.
fn epoch(described: &Value) -> Option<u64> {
    let Value::Array(parts) = described else {
        return None;
    };
    let (pairs, _) = parts.as_chunks();
    pairs.iter().find_map(|pair| match pair {
        [Value::BulkString(name), Value::BulkString(word)] if name == b"config-epoch" => {
            std::str::from_utf8(word).ok()?.parse().ok()
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests;
