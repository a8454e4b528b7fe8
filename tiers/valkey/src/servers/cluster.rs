//! The nodes of a cluster, and which of them has a key.
//!
//! # Idea         a table of slots, asked for when it is missing, and after a call that speaks against it. A node that names another one is
//!   believed at once, for that slot; so the table mends itself, and is asked for anew for what nobody answers
//! # Costs        a key: a checksum of 16 bits and a look into the table
//! # Invariants   CL1 a table of a node that was cut off before a failover that this process has heard of isn't believed (module `newest`),
//!   and none of a node that says that the cluster fails, where another answers

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::{Cmd, ServerErrorKind, Value};

use super::newest::Newest;
use super::pace::Pace;
use super::{Answers, Request};
use crate::config::Address;
use crate::conn::command;
use crate::fault::Fault;
use crate::node::{Context, Held, Node};
use crate::time::Until;

/// See the module.
#[derive(Debug)]
pub(super) struct Cluster {
    context: Arc<Context>,
    seeds: Vec<Address>,
    table: Mutex<Table>,
    /// The epoch of the table.
    epoch: AtomicU64,
    is_doubted: AtomicBool,
    pace: Pace,
    /// Whom to ask first the next time, so that one node that is silent isn't asked first for ever.
    turn: AtomicUsize,
}

#[derive(Debug, Default)]
struct Table {
    nodes: HashMap<Address, Arc<Node>>,
    /// The first slot, the last slot, the node; later ones win.
    ranges: Vec<(u16, u16, Arc<Node>)>,
}

const N_SLOTS: u16 = 16_384;
/// How often one command is sent on.
const HOPS_MAX: usize = 5;
/// What one node is given of a call's time to tell of the others.
const ASK: Duration = Duration::from_millis(200);
/// Corrections of single slots that are kept before the table is asked for anew.
const RANGES_MAX: usize = 1024;

/// Where a command is to go.
struct Errand {
    idx: usize,
    node: Arc<Node>,
    /// Only for this once, since the slot is on its way there.
    is_asking: bool,
}

impl Cluster {
    pub(super) fn new(seeds: Vec<Address>, context: Arc<Context>) -> Self {
        Self {
            context,
            seeds,
            table: Mutex::default(),
            epoch: AtomicU64::new(0),
            is_doubted: AtomicBool::new(true),
            pace: Pace::default(),
            turn: AtomicUsize::new(0),
        }
    }

    pub(super) fn run(&self, requests: &[Request<'_>], until: Until) -> Result<Answers, Fault> {
        if self.is_doubted.load(Ordering::Relaxed) {
            self.refresh(until);
        }
        let mut replies = vec![Value::Nil; requests.len()];
        let mut kept = Vec::new();
        let mut errands = Vec::with_capacity(requests.len());
        for (idx, request) in requests.iter().enumerate() {
            let node = self.node(slot(request.key)).ok_or(Fault::Away)?;
            errands.push(Errand {
                idx,
                node,
                is_asking: false,
            });
        }
        let mut was_sent_on = false;
        for _ in 0..=HOPS_MAX {
            let sent = self.send(requests, &mut errands, until);
            let mut again = Vec::new();
            for (held, errands) in sent? {
                let mut held = held;
                self.take(&mut held, errands, &mut replies, &mut again, until)?;
                kept.push(held);
            }
            if again.is_empty() {
                return Ok(Answers {
                    replies,
                    held: kept,
                    was_sent_on,
                });
            }
            was_sent_on = true;
            // They are whole; those who are asked next may be the same nodes. What one watches ends with it.
            if watches(requests) {
                kept.clear();
            }
            kept.drain(..).for_each(Held::keep);
            errands = again;
        }
        self.doubt();
        Err(Fault::Away)
    }

    /// Sends all errands, those of one node together.
    fn send(
        &self,
        requests: &[Request<'_>],
        errands: &mut Vec<Errand>,
        until: Until,
    ) -> Result<Vec<(Held, Vec<Errand>)>, Fault> {
        let mut sent = Vec::new();
        // In the same order for all callers: who waits for a node's connection holds none of a node that comes after it.
        errands.sort_by_key(|errand| Arc::as_ptr(&errand.node));
        while let Some(first) = errands.first() {
            let node = Arc::clone(&first.node);
            let (here, elsewhere): (Vec<_>, Vec<_>) = errands
                .drain(..)
                .partition(|errand| Arc::ptr_eq(&errand.node, &node));
            *errands = elsewhere;
            let mut commands: Vec<Cmd> = Vec::with_capacity(here.len());
            for errand in &here {
                if errand.is_asking {
                    commands.push(command("ASKING"));
                }
                commands.push(requests[errand.idx].command.clone());
            }
            let held = node.send(&commands, until);
            sent.push((held.inspect_err(|fault| self.note(fault))?, here));
        }
        Ok(sent)
    }

    /// Takes the replies to a node's errands, and sees who has to be sent on.
    fn take(
        &self,
        held: &mut Held,
        errands: Vec<Errand>,
        replies: &mut [Value],
        again: &mut Vec<Errand>,
        until: Until,
    ) -> Result<(), Fault> {
        let n_asking = errands.iter().filter(|errand| errand.is_asking).count();
        let came = held.receive(errands.len() + n_asking, until);
        let mut came = came.inspect_err(|fault| self.note(fault))?.into_iter();
        for errand in errands {
            if errand.is_asking {
                came.next();
            }
            let reply = came.next().ok_or(Fault::Garbled)?;
            let Value::ServerError(error) = &reply else {
                replies[errand.idx] = reply;
                continue;
            };
            let is_asking = match error.kind() {
                Some(ServerErrorKind::Moved) => false,
                Some(ServerErrorKind::Ask) => true,
                _ => {
                    self.note(&Fault::Answer(error.clone()));
                    replies[errand.idx] = reply;
                    continue;
                }
            };
            self.context.counts.redirects.add();
            let (slot, address) = error
                .details()
                .and_then(|details| redirect(details, errand.node.address()))
                .ok_or(Fault::Garbled)?;
            let node = self.at(address, (!is_asking).then_some(slot));
            again.push(Errand {
                node,
                is_asking,
                ..errand
            });
        }
        Ok(())
    }

    /// The masters that have slots.
    pub(super) fn masters(&self, until: Until) -> Vec<Arc<Node>> {
        if self.is_doubted.load(Ordering::Relaxed) {
            self.refresh(until);
        }
        let table = self.table.lock();
        let mut masters: Vec<Arc<Node>> = Vec::new();
        for (_, _, node) in &table.ranges {
            if !masters.iter().any(|other| Arc::ptr_eq(other, node)) {
                masters.push(Arc::clone(node));
            }
        }
        masters
    }

    fn node(&self, slot: u16) -> Option<Arc<Node>> {
        let table = self.table.lock();
        let mut ranges = table.ranges.iter().rev();
        let range = ranges.find(|(first, last, _)| (*first..=*last).contains(&slot));
        range.map(|(_, _, node)| Arc::clone(node))
    }

    /// The node at an address, which is said to have a slot.
    fn at(&self, address: Address, slot: Option<u16>) -> Arc<Node> {
        let mut table = self.table.lock();
        let node = table.node(address, &self.context);
        if let Some(slot) = slot {
            table.ranges.push((slot, slot, Arc::clone(&node)));
            if table.ranges.len() > RANGES_MAX {
                self.doubt();
            }
        }
        node
    }

    fn note(&self, fault: &Fault) {
        if fault.is_of_topology() {
            self.doubt();
        }
    }

    pub(super) fn doubt(&self) {
        self.is_doubted.store(true, Ordering::Relaxed);
    }

    /// Asks for the table, unless somebody does.
    pub(super) fn refresh(&self, until: Until) {
        let Some(_go) = self.pace.go() else {
            return;
        };
        self.context.counts.refreshes.add();
        let mut nodes: Vec<Arc<Node>> = {
            let mut table = self.table.lock();
            for seed in &self.seeds {
                table.node(seed.clone(), &self.context);
            }
            table.nodes.values().cloned().collect()
        };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        nodes.sort_by_key(|node| (node.is_left_alone(), node.address().port));
        let n_well = nodes.iter().filter(|node| !node.is_left_alone()).count();
        if n_well > 0 {
            nodes[..n_well].rotate_left(turn % n_well);
        }
        let mut newest = Newest::new(self.epoch.load(Ordering::Relaxed), nodes.len());
        for node in nodes {
            let asks = ["SLOTS", "INFO"].map(|what| command("CLUSTER").arg(what).take());
            let Ok(replies) = node.call(&asks, until.at_most(ASK)) else {
                continue;
            };
            let [slots, info] = &replies[..] else {
                continue;
            };
            let Some(ranges) = ranges(slots, node.address()) else {
                continue;
            };
            let epoch = epoch(info);
            if let Some(ranges) = newest.offer(epoch, ranges) {
                return self.take_up(epoch, ranges);
            }
        }
        if let Some((epoch, ranges)) = newest.best() {
            self.take_up(epoch, ranges);
        }
    }

    fn take_up(&self, epoch: u64, ranges: Vec<(u16, u16, Address)>) {
        let mut table = self.table.lock();
        table.take_up(ranges, &self.seeds, &self.context);
        if epoch > 0 {
            self.epoch.store(epoch, Ordering::Relaxed);
        }
        self.is_doubted.store(false, Ordering::Relaxed);
    }
}

impl Table {
    /// Takes up who has which slots. Who has none, and isn't a seed, is forgotten: clusters whose nodes come and go have no end of
    /// addresses.
    fn take_up(
        &mut self,
        ranges: Vec<(u16, u16, Address)>,
        seeds: &[Address],
        context: &Arc<Context>,
    ) {
        let ranges = ranges
            .into_iter()
            .map(|(first, last, address)| (first, last, self.node(address, context)));
        self.ranges = ranges.collect();
        let in_use = &self.ranges;
        self.nodes.retain(|address, node| {
            seeds.contains(address) || in_use.iter().any(|(_, _, other)| Arc::ptr_eq(other, node))
        });
    }

    fn node(&mut self, address: Address, context: &Arc<Context>) -> Arc<Node> {
        let make = |address: &Address| Node::new(address.clone(), Arc::clone(context));
        let node = self.nodes.entry(address).or_insert_with_key(make);
        Arc::clone(node)
    }
}

fn watches(requests: &[Request<'_>]) -> bool {
    requests.iter().any(|request| {
        let name = request.command.args_iter().next();
        matches!(name, Some(redis::Arg::Simple(b"WATCH")))
    })
}

/// The slot of a key, by the part of it in braces if it has one.
pub(super) fn slot(key: &[u8]) -> u16 {
    let open = key.iter().position(|&byte| byte == b'{');
    let tag = open.and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|&byte| byte == b'}')?;
        (close > 0).then_some(&rest[..close])
    });
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key)) % N_SLOTS
}

/// What a node says of the slots of all; `None` if that isn't what it says, or there are none.
fn ranges(reply: &Value, from: &Address) -> Option<Vec<(u16, u16, Address)>> {
    let Value::Array(all) = reply else {
        return None;
    };
    let ranges: Option<Vec<_>> = all
        .iter()
        .map(|range| {
            let Value::Array(range) = range else {
                return None;
            };
            let [
                Value::Int(first),
                Value::Int(last),
                Value::Array(master),
                ..,
            ] = &range[..]
            else {
                return None;
            };
            let [host, Value::Int(port), ..] = &master[..] else {
                return None;
            };
            let host = match host {
                Value::BulkString(host) if !host.is_empty() => std::str::from_utf8(host).ok()?,
                // The node doesn't know its own address: it is where it was asked.
                _ => &from.host,
            };
            let address = Address::new(host, u16::try_from(*port).ok()?);
            let [first, last] = [first, last].map(|&slot| u16::try_from(slot).ok());
            Some((first?, last?, address))
        })
        .collect();
    ranges.filter(|ranges| !ranges.is_empty())
}

/// The epoch of a node's table, by what it says of the cluster; 0 if it doesn't say, or says that the cluster fails, as a node does that
/// has been cut off for a while.
fn epoch(info: &Value) -> u64 {
    let text = match info {
        Value::BulkString(text) => std::str::from_utf8(text).unwrap_or_default(),
        Value::VerbatimString { text, .. } => text,
        _ => "",
    };
    let field = |name| text.lines().find_map(|line| line.strip_prefix(name));
    if field("cluster_state:") == Some("fail") {
        return 0;
    }
    let epoch = field("cluster_current_epoch:").and_then(|epoch| epoch.parse().ok());
    epoch.unwrap_or(0)
}

/// The slot and address in the words of a redirection.
fn redirect(details: &str, from: &Address) -> Option<(u16, Address)> {
    let (slot, address) = details.split_once(' ')?;
    let (host, port) = address.trim_end().rsplit_once(':')?;
    let host = if host.is_empty() { &from.host } else { host };
    let slot = slot.parse().ok().filter(|&slot| slot < N_SLOTS)?;
    Some((slot, Address::new(host, port.parse().ok()?)))
}

#[cfg(test)]
mod tests;
