//! Which server a key is on: one, the master that sentinels name, or a node of a cluster.
//!
//! # Idea         a call is a list of commands, each with the key that it is about. They go out to all servers concerned before any reply is
//!   waited for, so a call takes one round trip, however many servers it concerns
//! # Costs        a vector or two a call
//! # Invariants   S1 replies stand in the order of their commands; S2 a server that turned out not to be the right one is asked for the
//!   right one at most once in a while, by one caller at a time, in that caller's time
//! # Not here     connections: module `node`

mod cluster;
#[cfg(test)]
pub(crate) mod fake;
mod newest;
mod pace;
mod sentinel;

use std::sync::Arc;

use redis::{Cmd, Value};

use self::cluster::Cluster;
use self::sentinel::Sentinel;
use crate::config::{self, Config, ConfigError};
use crate::counts::Counts;
use crate::fault::Fault;
use crate::node::{Context, Held, Node};
use crate::time::Until;

/// See the module.
#[derive(Debug)]
pub(crate) struct Servers {
    context: Arc<Context>,
    route: Route,
}

#[derive(Debug)]
enum Route {
    One(Arc<Node>),
    Sentinel(Sentinel),
    Cluster(Cluster),
}

/// A command, and the key that says where it goes.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) command: Cmd,
}

/// Replies, and the connections that they came by, which are closed unless they are kept.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) replies: Vec<Value>,
    held: Vec<Held>,
    /// A server named another one as the right one.
    pub(crate) was_sent_on: bool,
}

impl Answers {
    /// The replies, which are what was asked for.
    pub(crate) fn keep(self) -> Vec<Value> {
        self.held.into_iter().for_each(Held::keep);
        self.replies
    }
}

impl Servers {
    pub(crate) fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let servers = config.servers.clone();
        let context = Arc::new(Context::new(config));
        let route = match servers {
            config::Servers::One(address) => Route::One(Node::new(address, Arc::clone(&context))),
            config::Servers::Sentinel { sentinels, master } => {
                Route::Sentinel(Sentinel::new(sentinels, master, Arc::clone(&context)))
            }
            config::Servers::Cluster(nodes) => {
                Route::Cluster(Cluster::new(nodes, Arc::clone(&context)))
            }
        };
        Ok(Self { context, route })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.context.config
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.context.counts
    }

    /// What the last call that failed met with, in words.
    pub(crate) fn last_fault(&self) -> Option<String> {
        self.context.last_fault.lock().clone()
    }

    /// Whether one command may be about several keys.
    pub(crate) fn has_all_keys_together(&self) -> bool {
        !matches!(self.route, Route::Cluster(_))
    }

    /// Sends commands to where their keys are, and reads the replies, among which may be errors.
    pub(crate) fn run(&self, requests: &[Request<'_>], until: Until) -> Result<Answers, Fault> {
        match &self.route {
            Route::One(node) => run_at(node, requests, until),
            Route::Sentinel(sentinel) => sentinel.run(requests, until),
            Route::Cluster(cluster) => cluster.run(requests, until),
        }
    }

    /// Sends more to the one server that answered, on the same connection, and reads the replies, among which may be errors.
    pub(crate) fn then(
        &self,
        answers: &mut Answers,
        commands: &[Cmd],
        until: Until,
    ) -> Result<Vec<Value>, Fault> {
        let [held] = &mut answers.held[..] else {
            return Err(Fault::Away);
        };
        let replies = held.call(commands, until);
        let is_doubtful = match &replies {
            Err(fault) => fault.is_of_topology(),
            Ok(replies) => replies.iter().any(speaks_against),
        };
        if is_doubtful {
            self.doubt();
        }
        replies
    }

    /// One command, whose connection is good for further use whatever its reply says.
    pub(crate) fn run_one(&self, key: &[u8], command: Cmd, until: Until) -> Result<Value, Fault> {
        let replies = self.run(&[Request { key, command }], until)?.keep();
        match replies.into_iter().next() {
            Some(Value::ServerError(error)) => Err(Fault::Answer(error)),
            Some(reply) => Ok(reply),
            None => Err(Fault::Garbled),
        }
    }

    /// The servers that tell of changes.
    pub(crate) fn masters(&self, until: Until) -> Vec<Arc<Node>> {
        match &self.route {
            Route::One(node) => vec![Arc::clone(node)],
            Route::Sentinel(sentinel) => sentinel.node(until).into_iter().collect(),
            Route::Cluster(cluster) => cluster.masters(until),
        }
    }

    /// Asks which servers there are, although nothing speaks against those that are known, unless somebody did just now.
    pub(crate) fn ask_anew(&self, until: Until) {
        match &self.route {
            Route::One(_) => {}
            Route::Sentinel(sentinel) => sentinel.refresh(until),
            Route::Cluster(cluster) => cluster.refresh(until),
        }
    }

    /// Has the servers asked for anew by the next call.
    pub(crate) fn doubt(&self) {
        match &self.route {
            Route::One(_) => {}
            Route::Sentinel(sentinel) => sentinel.doubt(),
            Route::Cluster(cluster) => cluster.doubt(),
        }
    }
}

/// Whether a reply says that another server may be the right one.
fn speaks_against(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if Fault::Answer(error.clone()).is_of_topology())
}

fn run_at(node: &Arc<Node>, requests: &[Request<'_>], until: Until) -> Result<Answers, Fault> {
    let commands: Vec<Cmd> = requests
        .iter()
        .map(|request| request.command.clone())
        .collect();
    let mut held = node.send(&commands, until)?;
    let replies = held.receive(commands.len(), until)?;
    Ok(Answers {
        replies,
        held: vec![held],
        was_sent_on: false,
    })
}
