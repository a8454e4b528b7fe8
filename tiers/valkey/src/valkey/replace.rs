//! Storing and deleting on condition that what is there is what was seen.
//!
//! # Idea         where nothing was seen, `SET NX` says it all. Else the record is watched, its checksum compared, and the change made by a
//!   transaction, which the server refuses if the record changed meanwhile; no script is needed
//! # Costs        a round trip; two where something was seen, or is there that wasn't seen
//! # Invariants   RP1 nothing but what was seen is taken away; RP2 look and change go over one connection, which no redirection came between
//! # Not here     what a checksum is of: module `envelope`

use larder::{LevelError, Seen};
use redis::{Cmd, Value};

use super::Valkey;
use crate::conn::command;
use crate::envelope;
use crate::fault::Fault;
use crate::servers::Request;
use crate::time::Until;

impl Valkey {
    /// Makes a change of a key, one command, if what is there is this.
    pub(super) fn change(
        &self,
        key: &[u8],
        seen: u64,
        change: &Cmd,
        until: Until,
    ) -> Result<bool, LevelError> {
        let [first, last] = envelope::CHECKSUM;
        let sum = command("GETRANGE").arg(key).arg(first).arg(last).take();
        // Something that is no text is no record.
        let is_it =
            |sum: &Value| matches!(sum, Value::BulkString(sum) if sum[..] == seen.to_le_bytes());
        self.change_if(key, &sum, is_it, change, until)
    }

    /// Makes a change of a key, if what a look says of it is right, and nothing comes between.
    fn change_if(
        &self,
        key: &[u8],
        look: &Cmd,
        is_right: impl Fn(&Value) -> bool,
        change: &Cmd,
        until: Until,
    ) -> Result<bool, LevelError> {
        let look = || {
            let watch = command("WATCH").arg(key).take();
            [watch, look.clone()].map(|command| Request { key, command })
        };
        let mut answers = self.servers.run(&look(), until)?;
        if answers.was_sent_on {
            // RP2. Who has the key is known by now, unless it is under way; what this one watches ends with its connection, which
            // may be the only one that its server is given.
            drop(answers);
            answers = self.servers.run(&look(), until)?;
            if answers.was_sent_on {
                return Err(LevelError::Unavailable);
            }
        }
        let is_right = match &answers.replies[..] {
            [Value::Okay, said] => is_right(said),
            [Value::ServerError(error), _] => return Err(Fault::Answer(error.clone()).into()),
            _ => return Err(Fault::Garbled.into()),
        };
        if !is_right {
            self.servers
                .then(&mut answers, &[command("UNWATCH")], until)?;
            answers.keep();
            return Ok(false);
        }
        let all = [command("MULTI"), change.clone(), command("EXEC")];
        let replies = self.servers.then(&mut answers, &all, until)?;
        answers.keep();
        match replies.last() {
            Some(Value::Nil) => Ok(false),
            Some(Value::Array(done)) => match &done[..] {
                [Value::ServerError(error)] => Err(Fault::Answer(error.clone()).into()),
                [_] => Ok(true),
                _ => Err(LevelError::Unavailable),
            },
            Some(Value::ServerError(error)) => Err(Fault::Answer(error.clone()).into()),
            _ => Err(LevelError::Unavailable),
        }
    }

    /// Stores a record under a key that nothing was seen of.
    pub(super) fn add(&self, key: &[u8], set: &Cmd, until: Until) -> Result<bool, LevelError> {
        let mut add = set.clone();
        add.arg("NX");
        match self.servers.run_one(key, add, until)? {
            Value::Okay => Ok(true),
            // A record that came meanwhile, or a key of another type, which reads as if it weren't there.
            Value::Nil => {
                let kind = command("TYPE").arg(key).take();
                self.change_if(key, &kind, is_no_text, set, until)
            }
            _ => Err(LevelError::Unavailable),
        }
    }
}

/// Whether a key holds something that no record is.
fn is_no_text(kind: &Value) -> bool {
    matches!(kind, Value::SimpleString(kind) if kind != "string" && kind != "none")
}

/// What a record is told from others by.
pub(super) fn seen(bytes: Option<&[u8]>) -> Seen {
    Seen(bytes.and_then(envelope::checksum_of))
}

#[cfg(test)]
mod tests;
