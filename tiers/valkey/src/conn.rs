//! One connection: commands out, replies in, in one order.
//!
//! # Idea         replies are read until as many are whole as were asked for; what is left over then belongs to nobody, and the connection is
//!   not used again
//! # Costs        a call: a write and a read, and what limits their time
//! # Invariants   CO1 after any fault the connection is closed by whoever holds it; CO2 a reply is handed out for the command that it stands
//!   at the place of, and for no later call's (fault 47)
//! # Not here     who may use it when: module `node`

use std::io::{ErrorKind, Read, Write};

use redis::{Cmd, Value};

use crate::config::{Address, Config, Protocol};
use crate::fault::Fault;
use crate::frame::{self, Frame, Refused, Walk};
use crate::stream::{Idle, Stream};
use crate::time::Until;

/// See the module.
#[derive(Debug)]
pub(crate) struct Conn {
    stream: Stream,
    /// Bytes that came: the first `n_filled` of it.
    buffer: Vec<u8>,
    n_filled: usize,
    /// The longest reply that is taken.
    reply_bytes_max: usize,
}

const BUFFER_BYTES: usize = 16 << 10;
/// What a large reply may leave behind as room for the next.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

impl Conn {
    /// Connects, and says who we are.
    pub(crate) fn open(address: &Address, config: &Config, until: Until) -> Result<Self, Fault> {
        let (user, password) = (config.user.as_deref(), config.password.as_deref());
        let mut commands = greeting(config.protocol, user, password);
        if config.database != 0 {
            commands.push(command("SELECT").arg(config.database).take());
        }
        Self::open_with(address, config, &commands, until)
    }

    /// The same, of a server that has to say that it is a master: it may have been made a replica since it was last heard of.
    pub(crate) fn open_master(
        address: &Address,
        config: &Config,
        until: Until,
    ) -> Result<Self, Fault> {
        let mut conn = Self::open(address, config, until)?;
        let role = conn.call(&[command("ROLE")], until)?;
        match role.first() {
            Some(Value::ServerError(error)) => Err(Fault::Answer(error.clone())),
            Some(role) if is_master(role) => Ok(conn),
            _ => Err(Fault::NoMaster),
        }
    }

    /// The same for a sentinel, which has no databases, and users of its own.
    pub(crate) fn open_sentinel(
        address: &Address,
        config: &Config,
        until: Until,
    ) -> Result<Self, Fault> {
        let user = config.sentinel_user.as_deref();
        let password = config.sentinel_password.as_deref();
        let commands = greeting(Protocol::Resp2, user, password);
        Self::open_with(address, config, &commands, until)
    }

    fn open_with(
        address: &Address,
        config: &Config,
        commands: &[Cmd],
        until: Until,
    ) -> Result<Self, Fault> {
        #[cfg(feature = "tls")]
        let stream = match &config.tls {
            Some(tls) => Stream::tls(address, tls, until)?,
            None => Stream::plain(address, until)?,
        };
        #[cfg(not(feature = "tls"))]
        let stream = Stream::plain(address, until)?;
        // A reply has one value and some numbers, and an envelope a header.
        let reply_bytes_max = usize::try_from(config.value_bytes_max).unwrap_or(usize::MAX);
        let mut conn = Self {
            stream,
            buffer: vec![0; BUFFER_BYTES],
            n_filled: 0,
            reply_bytes_max: reply_bytes_max.saturating_add(BUFFER_BYTES),
        };
        for reply in conn.call(commands, until)? {
            if let Value::ServerError(error) = reply {
                return Err(Fault::Answer(error));
            }
        }
        Ok(conn)
    }

    /// Sends commands and reads their replies, among which may be errors.
    pub(crate) fn call(&mut self, commands: &[Cmd], until: Until) -> Result<Vec<Value>, Fault> {
        self.send(commands, until)?;
        self.receive(commands.len(), until)
    }

    pub(crate) fn send(&mut self, commands: &[Cmd], until: Until) -> Result<(), Fault> {
        self.stream.set_until(until);
        let mut bytes = Vec::new();
        for command in commands {
            command.write_packed_command(&mut bytes);
        }
        self.stream.write_all(&bytes)?;
        Ok(self.stream.flush()?)
    }

    pub(crate) fn receive(&mut self, n_replies: usize, until: Until) -> Result<Vec<Value>, Fault> {
        let mut replies = Vec::with_capacity(n_replies);
        while replies.len() < n_replies {
            match self.next(until)? {
                Value::Push { .. } => {}
                reply => replies.push(reply),
            }
        }
        // A thread that slept meanwhile finds an answer that came too late; who asked has no use for it.
        until.left().map(|_| replies).ok_or(Fault::Timeout)
    }

    /// The next reply or message.
    pub(crate) fn next(&mut self, until: Until) -> Result<Value, Fault> {
        self.stream.set_until(until);
        let mut walk = Walk::default();
        let reply_bytes = loop {
            let bytes = &self.buffer[..self.n_filled];
            match walk.walk(bytes, self.reply_bytes_max) {
                Ok(Frame::Whole(n_bytes)) => break n_bytes,
                Ok(Frame::AtLeast(n_bytes)) => self.fill(n_bytes)?,
                Err(Refused::TooLong) => return Err(Fault::TooLong),
                Err(Refused::Garbled) => return Err(Fault::Garbled),
            }
        };
        let reply = frame::read(&self.buffer[..reply_bytes]);
        self.buffer.copy_within(reply_bytes..self.n_filled, 0);
        self.n_filled -= reply_bytes;
        if self.n_filled == 0 && self.buffer.len() > BUFFER_BYTES_KEPT {
            self.buffer = vec![0; BUFFER_BYTES];
        }
        reply.map_err(|_| Fault::Garbled)
    }

    /// Reads some more, into room that grows with what has come and not with what was announced.
    fn fill(&mut self, n_bytes: usize) -> Result<(), Fault> {
        if self.n_filled == self.buffer.len() {
            let doubled = self.buffer.len().saturating_mul(2);
            let wanted = n_bytes.max(self.n_filled + BUFFER_BYTES);
            self.buffer.resize(doubled.min(wanted), 0);
        }
        loop {
            match self.stream.read(&mut self.buffer[self.n_filled..]) {
                Ok(0) => return Err(Fault::Lost),
                Ok(n_read) => {
                    self.n_filled += n_read;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// CO2: whether nothing is on the way that a later call could take for its own.
    pub(crate) fn idle(&mut self) -> Idle {
        if self.n_filled > 0 {
            return Idle::Bytes;
        }
        self.stream.idle()
    }
}

/// Whether the answer to `ROLE` is a master's.
pub(crate) fn is_master(role: &Value) -> bool {
    let Value::Array(role) = role else {
        return false;
    };
    matches!(role.first(), Some(Value::BulkString(role)) if role == b"master")
}

/// Who we are, in a version of the protocol.
fn greeting(protocol: Protocol, user: Option<&str>, password: Option<&str>) -> Vec<Cmd> {
    let mut greeting = match (protocol, password) {
        (Protocol::Resp2, None) => return Vec::new(),
        (Protocol::Resp2, Some(_)) => command("AUTH"),
        (Protocol::Resp3, None) => command("HELLO").arg(3).take(),
        (Protocol::Resp3, Some(_)) => command("HELLO").arg(3).arg("AUTH").take(),
    };
    if let Some(password) = password {
        match (protocol, user) {
            (_, Some(user)) => {
                greeting.arg(user);
            }
            (Protocol::Resp3, None) => {
                greeting.arg("default");
            }
            (Protocol::Resp2, None) => {}
        }
        greeting.arg(password);
    }
    vec![greeting]
}

pub(crate) fn command(name: &str) -> Cmd {
    redis::cmd(name)
}
