//! Why a call came to nothing.

use larder::LevelError;
use redis::{ServerError, ServerErrorKind};
use std::{fmt, io};

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// No answer in time.
    Timeout,
    /// The connection can't be made, or ended.
    Lost,
    /// The server is being left alone for a while, or no server is known.
    Away,
    /// It is a replica.
    NoMaster,
    /// What came is no answer to what was asked.
    Garbled,
    /// An answer has a value that is longer than is taken.
    TooLong,
    /// An error that the server answered.
    Answer(ServerError),
}

impl Fault {
    /// Whether it says something of the server's health. The rest is a matter of the one command.
    pub(crate) fn is_of_server(&self) -> bool {
        match self {
            Self::Timeout | Self::Lost | Self::Garbled => true,
            Self::Away | Self::NoMaster | Self::TooLong => false,
            Self::Answer(error) => match error.kind() {
                Some(
                    ServerErrorKind::BusyLoading
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ClusterDown,
                ) => true,
                // What is said to a connection at once, and stands at the place of its first reply.
                Some(ServerErrorKind::ResponseError) => {
                    let details = error.details().unwrap_or_default();
                    details.starts_with("max number of clients")
                }
                _ => false,
            },
        }
    }

    /// Whether it is an answer that the level reckons with: who has a key, or that it is of another type.
    pub(crate) fn is_of_course(&self) -> bool {
        let Self::Answer(error) = self else {
            return false;
        };
        let is_elsewhere = matches!(
            error.kind(),
            Some(ServerErrorKind::Moved | ServerErrorKind::Ask)
        );
        is_elsewhere || error.code() == "WRONGTYPE"
    }

    /// Whether another server may be the right one.
    pub(crate) fn is_of_topology(&self) -> bool {
        match self {
            Self::Answer(error) => matches!(
                error.kind(),
                Some(
                    ServerErrorKind::ReadOnly
                        | ServerErrorKind::MasterDown
                        | ServerErrorKind::ClusterDown
                        | ServerErrorKind::Moved
                )
            ),
            Self::Lost | Self::Away | Self::NoMaster | Self::Timeout => true,
            Self::Garbled | Self::TooLong => false,
        }
    }
}

/// For people. What a server answers to a command that it doesn't know repeats the command, and so perhaps a password: not here.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "no answer in time",
            Self::Lost => "the connection can't be made, or was closed",
            Self::Away => "it is being left alone, or no server is known",
            Self::NoMaster => "it says that it is no master",
            Self::Garbled => "what it answers can't be read",
            Self::TooLong => "it answers with a value that is longer than is taken",
            Self::Answer(error) => {
                let details = error.details().unwrap_or_default();
                let details = details.split(", with args").next().unwrap_or_default();
                return write!(f, "it answers {} {details}", error.code());
            }
        })
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Timeout,
            _ => Self::Lost,
        }
    }
}

impl From<Fault> for LevelError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Timeout => Self::Timeout,
            Fault::TooLong => Self::Corrupt,
            _ => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_repeats_no_arguments() {
        let said = b"-ERR unknown command `HELLO`, with args beginning with: `3`, `secret`,\r\n";
        let redis::Value::ServerError(error) = redis::parse_redis_value(said).unwrap() else {
            panic!("an error is an error");
        };
        let told = Fault::Answer(error).to_string();
        assert_eq!(told, "it answers ERR unknown command `HELLO`");
    }
}
