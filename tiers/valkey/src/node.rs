//! One server: its connections, and whether it is called at all.
//!
//! # Idea         a call borrows a connection, the one that was used last, and gives it back once its replies have come and are what was
//!   asked for. Whatever else becomes of it, it is closed
//! # Costs        two short locks a call, and a look at the socket, which costs less than finding out by a call that the server closed it
//! # Invariants   NO1 a connection whose call failed, was late or was dropped is never used again (fault 47); NO2 at most `connections_max`
//!   are open; NO3 no lock is held while a server is waited for
//! # Not here     which server: module `servers`

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use redis::{Cmd, Value};

use crate::breaker::Breaker;
use crate::config::{Address, Config};
use crate::conn::Conn;
use crate::counts::Counts;
use crate::fault::Fault;
use crate::stream::Idle;
use crate::time::Until;

/// See the module.
#[derive(Debug)]
pub(crate) struct Node {
    address: Address,
    context: Arc<Context>,
    pool: Mutex<Pool>,
    /// A connection came back or was closed.
    freed: Condvar,
    breaker: Breaker,
    kind: Kind,
}

/// What a server has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What it is: it was named by hand, or says itself who has a key.
    Any,
    /// A master, by its own word at each connection.
    Master,
    Sentinel,
}

/// What all nodes have in common.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) counts: Counts,
    /// What the last call that failed met with, in words.
    pub(crate) last_fault: Mutex<Option<String>>,
}

impl Context {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            counts: Counts::default(),
            last_fault: Mutex::default(),
        }
    }
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Conn>,
    n_open: usize,
}

/// A borrowed connection. Dropped, it is closed.
#[derive(Debug)]
pub(crate) struct Held {
    node: Arc<Node>,
    conn: Option<Conn>,
    is_kept: bool,
}

impl Node {
    pub(crate) fn new(address: Address, context: Arc<Context>) -> Arc<Self> {
        Self::with(address, context, Kind::Any)
    }

    pub(crate) fn master(address: Address, context: Arc<Context>) -> Arc<Self> {
        Self::with(address, context, Kind::Master)
    }

    pub(crate) fn sentinel(address: Address, context: Arc<Context>) -> Arc<Self> {
        Self::with(address, context, Kind::Sentinel)
    }

    fn with(address: Address, context: Arc<Context>, kind: Kind) -> Arc<Self> {
        let breaker = Breaker::new(context.config.breaking);
        Arc::new(Self {
            address,
            context,
            pool: Mutex::default(),
            freed: Condvar::new(),
            breaker,
            kind,
        })
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn is_left_alone(&self) -> bool {
        self.breaker.is_open()
    }

    /// Sends commands; their replies are taken from what is given back.
    pub(crate) fn send(self: &Arc<Self>, commands: &[Cmd], until: Until) -> Result<Held, Fault> {
        let left = until.left().ok_or(Fault::Timeout)?;
        if !self.breaker.lets_through(left) {
            self.context.counts.turned_away.add();
            return Err(Fault::Away);
        }
        let mut held = self.borrow(until)?;
        if let Some(conn) = &mut held.conn {
            self.judge(left, conn.send(commands, until))?;
        }
        Ok(held)
    }

    /// The same, with the replies, none of which anybody has to look at before the connection is used again.
    pub(crate) fn call(
        self: &Arc<Self>,
        commands: &[Cmd],
        until: Until,
    ) -> Result<Vec<Value>, Fault> {
        let mut held = self.send(commands, until)?;
        let replies = held.receive(commands.len(), until)?;
        held.keep();
        Ok(replies)
    }

    fn borrow(self: &Arc<Self>, until: Until) -> Result<Held, Fault> {
        let Context { config, counts, .. } = &*self.context;
        let mut pool = self.pool.lock();
        loop {
            if let Some(conn) = pool.idle.pop() {
                drop(pool);
                let mut held = Held {
                    node: Arc::clone(self),
                    conn: Some(conn),
                    is_kept: false,
                };
                match held.conn.as_mut().map(Conn::idle) {
                    Some(Idle::Nothing) => return Ok(held),
                    Some(Idle::Bytes) => counts.unasked.add(),
                    Some(Idle::Closed) | None => {}
                }
                drop(held);
                pool = self.pool.lock();
            } else if pool.n_open < config.connections_max {
                pool.n_open += 1;
                drop(pool);
                return self.connect(until);
            } else if self
                .freed
                .wait_until(&mut pool, until.instant())
                .timed_out()
            {
                // The server isn't to blame: its connections are all in use.
                return Err(Fault::Timeout);
            }
        }
    }

    /// Makes a connection, which is counted already.
    fn connect(self: &Arc<Self>, until: Until) -> Result<Held, Fault> {
        let mut held = Held {
            node: Arc::clone(self),
            conn: None,
            is_kept: false,
        };
        let Context { config, counts, .. } = &*self.context;
        let left = until.left().ok_or(Fault::Timeout)?;
        let conn = match self.kind {
            Kind::Any => Conn::open(&self.address, config, until),
            Kind::Master => Conn::open_master(&self.address, config, until),
            Kind::Sentinel => Conn::open_sentinel(&self.address, config, until),
        };
        let conn = match conn {
            // Who isn't let in is left alone as well: each further call would be one more connection.
            Err(fault @ Fault::Answer(_)) => {
                self.note(&fault);
                self.failed();
                Err(fault)
            }
            conn => self.judge(left, conn),
        };
        let conn = conn.inspect_err(|_| counts.connect_errors.add())?;
        counts.connects.add();
        held.conn = Some(conn);
        Ok(held)
    }

    /// Tells the breaker what came of something that had so much time.
    fn judge<R>(&self, within: Duration, result: Result<R, Fault>) -> Result<R, Fault> {
        if let Err(fault) = &result {
            self.note(fault);
        }
        match &result {
            Ok(_) => {}
            // Who gives no time learns nothing of the server.
            Err(Fault::Timeout) if within < TIMEOUT_COUNTS_FROM => {}
            Err(fault) if fault.is_of_server() => self.failed(),
            Err(_) => self.breaker.succeeded(),
        }
        result
    }

    /// Keeps what went wrong, for people.
    pub(crate) fn note(&self, fault: &Fault) {
        let said = format!("{}: {fault}", self.address);
        *self.context.last_fault.lock() = Some(said);
    }

    fn failed(&self) {
        if self.breaker.failed() {
            self.context.counts.breaks.add();
        }
    }
}

/// A call of less time that times out says nothing of the server.
const TIMEOUT_COUNTS_FROM: Duration = Duration::from_millis(5);

impl Held {
    /// The replies to what was sent.
    pub(crate) fn receive(&mut self, n_replies: usize, until: Until) -> Result<Vec<Value>, Fault> {
        let left = until.left().ok_or(Fault::Timeout)?;
        let conn = self.conn.as_mut().ok_or(Fault::Lost)?;
        let replies = self.node.judge(left, conn.receive(n_replies, until))?;
        let trouble = replies.iter().find_map(|reply| match reply {
            Value::ServerError(error) => Some(Fault::Answer(error.clone())),
            _ => None,
        });
        let trouble = trouble.filter(|fault| !fault.is_of_course());
        if let Some(fault) = &trouble {
            self.node.note(fault);
        }
        match trouble.filter(Fault::is_of_server) {
            Some(fault) => self.node.judge(left, Err(fault)),
            None => {
                self.node.breaker.succeeded();
                Ok(replies)
            }
        }
    }

    /// Sends more, and reads the replies.
    pub(crate) fn call(&mut self, commands: &[Cmd], until: Until) -> Result<Vec<Value>, Fault> {
        let left = until.left().ok_or(Fault::Timeout)?;
        let conn = self.conn.as_mut().ok_or(Fault::Lost)?;
        self.node.judge(left, conn.send(commands, until))?;
        self.receive(commands.len(), until)
    }

    /// Gives the connection back: its replies were what was asked for.
    pub(crate) fn keep(mut self) {
        if let Some(conn) = self.conn.take() {
            self.is_kept = true;
            self.node.pool.lock().idle.push(conn);
            self.node.freed.notify_one();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        if self.conn.take().is_some() {
            self.node.context.counts.closed.add();
        }
        self.node.pool.lock().n_open -= 1;
        self.node.freed.notify_one();
    }
}
