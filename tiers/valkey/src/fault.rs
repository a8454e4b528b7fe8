//! Why a call came to nothing.

use larder::LevelError;
use redis::{ServerError, ServerErrorKind};
use std::io;

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
