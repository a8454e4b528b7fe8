//! Changes that others make: the servers tell of them (client-side caching, by RESP3), and the engine drops its copies.
//!
//! # Idea
//! A thread keeps one connection to each master and asks it for all changes of keys of the name space, whoever reads or writes them
//! (`CLIENT TRACKING ON BCAST`). Once all masters tell, the engine is told that it may keep copies for as long as their records live;
//! when one of them falls silent, that it may not. Then all begins anew, after a pause.
//!
//! # Costs
//! A thread, and one more for each master; a message for each record that any process writes. By several servers, a question each beat
//! who the masters are, in no caller's time.
//!
//! # Invariants
//! - TR1 Changes are said to be told only after every master has confirmed that it tells.
//! - TR2 A master that neither tells nor answers for two beats isn't believed to tell any more.
//! - TR3 Who the masters are is asked in each beat, also while nothing speaks against those who are known: one that was replaced, and
//!   doesn't know, goes on answering.
//!
//! # Not here
//! What becomes of copies: the engine's `level::follow`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use backon::BackoffBuilder;
use larder::LevelChanges;
use redis::{Cmd, PushKind, Value};

use crate::breaker::backoff;
use crate::config::{Config, Protocol};
use crate::conn::{Conn, command};
use crate::fault::Fault;
use crate::node::Node;
use crate::servers::Servers;
use crate::time::Until;

/// How long a master may say nothing before it is asked whether it is there, and may take to answer. Both together are less than
/// the second that copies live otherwise.
const BEAT: Duration = Duration::from_millis(400);
/// What there is for finding the masters, and for each of them to begin.
const BEGIN: Duration = Duration::from_secs(2);

/// Starts to follow changes. Where no thread can be had, nothing is followed.
pub(crate) fn start(servers: &Arc<Servers>, changes: LevelChanges) {
    let servers = Arc::downgrade(servers);
    let thread = thread::Builder::new().name("larder-track".into());
    drop(thread.spawn(move || follow(&servers, &changes)));
}

fn follow(servers: &Weak<Servers>, changes: &LevelChanges) {
    let mut pauses = None;
    while !changes.is_over() {
        let Some(servers) = servers.upgrade() else {
            return;
        };
        let breaking = servers.config().breaking;
        if session(&servers, changes) {
            pauses = None;
        }
        drop(servers);
        let pauses = pauses.get_or_insert_with(|| backoff(breaking).build());
        thread::sleep(pauses.next().unwrap_or(breaking.pause_max));
    }
}

/// What the listeners to the masters have in common.
struct Session<'a> {
    servers: &'a Servers,
    changes: &'a LevelChanges,
    masters: &'a [Arc<Node>],
    n_ready: AtomicUsize,
    is_over: AtomicBool,
}

/// Listens to all masters until one of them ends it; whether all of them told.
fn session(servers: &Servers, changes: &LevelChanges) -> bool {
    let masters = servers.masters(Until::after(BEGIN));
    let session = Session {
        servers,
        changes,
        masters: &masters,
        n_ready: AtomicUsize::new(0),
        is_over: AtomicBool::new(masters.is_empty()),
    };
    let watch = thread::current();
    thread::scope(|scope| {
        for master in &masters {
            let listener = || {
                if let Err(fault) = session.listen(master) {
                    master.note(&fault);
                    servers.doubt();
                }
                session.end();
                watch.unpark();
            };
            let thread = thread::Builder::new().name("larder-track".into());
            if thread.spawn_scoped(scope, listener).is_err() {
                session.end();
            }
        }
        // TR3
        while !session.is_over.load(Ordering::SeqCst) {
            if changes.is_over() || !session.are_still_masters() {
                session.end();
            } else {
                thread::park_timeout(BEAT);
            }
        }
    });
    session.has_begun()
}

impl Session<'_> {
    fn listen(&self, master: &Arc<Node>) -> Result<(), Fault> {
        let config = Config {
            protocol: Protocol::Resp3,
            ..self.servers.config().clone()
        };
        let until = Until::after(BEGIN);
        let mut conn = Conn::open(master.address(), &config, until)?;
        let begun = conn.call(&[self.begin()], until)?;
        if let Some(Value::ServerError(error)) = begun.first() {
            return Err(Fault::Answer(error.clone()));
        }
        // AcqRel: who counts last has seen that the others' masters tell, and TR1 holds.
        let n_ready = self.n_ready.fetch_add(1, Ordering::AcqRel) + 1;
        if n_ready == self.masters.len() && !self.is_over.load(Ordering::SeqCst) {
            self.changes.begin();
            self.servers.counts().tracks.add();
        }
        let mut is_awaited = false;
        while !self.is_over.load(Ordering::SeqCst) {
            match conn.next(Until::after(BEAT)) {
                Ok(Value::Push { kind, data }) => self.tell(&kind, &data),
                Ok(Value::ServerError(error)) => return Err(Fault::Answer(error)),
                Ok(_) => is_awaited = false,
                // TR2
                Err(Fault::Timeout) if !is_awaited => {
                    conn.send(&[command("PING")], Until::after(BEAT))?;
                    is_awaited = true;
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn begin(&self) -> Cmd {
        let mut begin = command("CLIENT");
        begin.arg("TRACKING").arg("ON").arg("BCAST");
        for prefix in self.changes.prefixes() {
            begin.arg("PREFIX").arg(&prefix[..]);
        }
        begin
    }

    fn tell(&self, kind: &PushKind, data: &[Value]) {
        if *kind != PushKind::Invalidate {
            return;
        }
        match data {
            [Value::Array(keys)] => {
                for key in keys {
                    if let Value::BulkString(key) = key {
                        self.servers.counts().invalidations.add();
                        self.changes.changed(key);
                    }
                }
            }
            // All keys are gone.
            _ => self.changes.all(),
        }
    }

    fn are_still_masters(&self) -> bool {
        let until = Until::after(BEAT);
        self.servers.ask_anew(until);
        let masters = self.servers.masters(until);
        let is_known = |one: &Arc<Node>| self.masters.iter().any(|other| Arc::ptr_eq(one, other));
        masters.len() == self.masters.len() && masters.iter().all(is_known)
    }

    fn has_begun(&self) -> bool {
        self.n_ready.load(Ordering::SeqCst) == self.masters.len() && !self.masters.is_empty()
    }

    /// Ends it for all listeners; copies end at once.
    fn end(&self) {
        if !self.is_over.swap(true, Ordering::SeqCst) && self.has_begun() {
            self.servers.counts().tracks_lost.add();
        }
        self.changes.stop();
    }
}
