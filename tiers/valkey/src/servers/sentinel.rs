//! The master that sentinels name.
//!
//! # Idea         the master is asked for when none is known, and after a call that speaks against the known one; who is named has to say
//!   itself that it is one
//! # Costs        nothing while the master stays

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::Value;

use super::pace::Pace;
use super::{Answers, Request, run_at};
use crate::config::Address;
use crate::conn::command;
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
    /// Something speaks against the known master.
    is_doubted: AtomicBool,
    pace: Pace,
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
            is_doubted: AtomicBool::new(false),
            pace: Pace::default(),
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
        let known = self.master.lock().clone();
        self.context.counts.refreshes.add();
        for sentinel in &self.sentinels {
            if let Some(address) = self.ask(sentinel, until)
                && let Some(node) = self.confirmed(address, known.as_ref(), until)
            {
                *self.master.lock() = Some(node);
                self.is_doubted.store(false, Ordering::Relaxed);
                return;
            }
        }
    }

    fn ask(&self, sentinel: &Arc<Node>, until: Until) -> Option<Address> {
        let mut ask = command("SENTINEL");
        ask.arg("get-master-addr-by-name").arg(&self.name);
        let replies = sentinel.call(&[ask], until.at_most(ASK)).ok()?;
        let [Value::Array(parts)] = &replies[..] else {
            return None;
        };
        let [Value::BulkString(host), Value::BulkString(port)] = &parts[..] else {
            return None;
        };
        let host = std::str::from_utf8(host).ok()?;
        let port = std::str::from_utf8(port).ok()?.parse().ok()?;
        Some(Address::new(host, port))
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
            _ => Node::new(address, Arc::clone(&self.context)),
        };
        let replies = node.call(&[command("ROLE")], until.at_most(ASK)).ok()?;
        let [Value::Array(role)] = &replies[..] else {
            return None;
        };
        let is_master = matches!(role.first(), Some(Value::BulkString(role)) if role == b"master");
        is_master.then_some(node)
    }
}
