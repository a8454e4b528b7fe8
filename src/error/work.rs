//! What computations and loads answer when they don't come to an end.

use std::error::Error;
use std::fmt;

use super::{InsertError, Refusal};

/// Why a computation changed nothing.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ComputeError<S> {
    /// The value was refused; it comes back.
    Refused(InsertError<S>),
    /// The closure writes the very key that it computes, each time that it is called; or it waits for itself by way of other keys.
    Reentrant,
}

impl<S> fmt::Debug for ComputeError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => f.debug_tuple("Refused").field(&error.refusal).finish(),
            Self::Reentrant => f.write_str("Reentrant"),
        }
    }
}

impl<S> fmt::Display for ComputeError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Reentrant => f.write_str(
                "the closure writes the key that it computes; return the change instead",
            ),
        }
    }
}

impl<S> Error for ComputeError<S> {}

/// Why a counter was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IncrementError {
    /// The value isn't an optional minus sign and decimal digits, or is beyond 64 bits.
    NotANumber,
    /// The sum is beyond 64 bits.
    Overflow,
    /// The new value was refused.
    Refused(Refusal),
}

impl fmt::Display for IncrementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber => f.write_str(
                "the value is no number; an optional minus sign and decimal digits of a signed 64-bit number are",
            ),
            Self::Overflow => f.write_str("the sum is beyond a signed 64-bit number"),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl Error for IncrementError {}

/// Why nothing was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendError {
    /// The joined value was refused, and the value is as it was.
    Refused(Refusal),
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl Error for AppendError {}

/// Why a load gave no entry.
///
/// An error where the loader's can be shown (`Debug`, `Display`), so also with a text, an `anyhow::Error` or a boxed error, which are none
/// themselves. That is why the loader's is no `source` of this one: match [`Loader`](Self::Loader) for it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError<S, E> {
    /// The loader's own error. Whoever waits for the same key loads next.
    Loader(E),
    /// Nothing was loaded: the key, the options or the scope can't be used.
    Invalid(Refusal),
    /// The loaded value was refused; it comes back. Whoever waits for the same key loads next.
    Refused(InsertError<S>),
    /// The loader asks for the very key that it loads, perhaps by way of other keys and threads.
    Reentrant,
    /// Another caller was loading for longer than this one was to wait.
    TimedOut,
    /// The load is asynchronous, and its options have a time-out: nothing here can wake a task at a given time. Nothing was loaded; put
    /// the runtime's own time-out around the future instead, as the example of
    /// [`get_or_load_async`](crate::Cache::get_or_load_async) does.
    TaskTimeout,
    /// There is no memory to wait for another caller.
    OutOfMemory,
}

impl<S, E: fmt::Debug> fmt::Debug for LoadError<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loader(error) => f.debug_tuple("Loader").field(error).finish(),
            Self::Invalid(refusal) => f.debug_tuple("Invalid").field(refusal).finish(),
            Self::Refused(error) => f.debug_tuple("Refused").field(&error.refusal).finish(),
            Self::Reentrant => f.write_str("Reentrant"),
            Self::TimedOut => f.write_str("TimedOut"),
            Self::TaskTimeout => f.write_str("TaskTimeout"),
            Self::OutOfMemory => f.write_str("OutOfMemory"),
        }
    }
}

impl<S, E: fmt::Display> fmt::Display for LoadError<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loader(error) => error.fmt(f),
            Self::Invalid(refusal) => refusal.fmt(f),
            Self::Refused(error) => write!(f, "the value was loaded, and refused: {error}"),
            Self::Reentrant => {
                f.write_str("the loader asks for the key that it loads; load another key instead")
            }
            Self::TimedOut => f.write_str("another caller is still loading the key"),
            Self::TaskTimeout => f.write_str(
                "an asynchronous load has no time-out of its own; put the runtime's around the future",
            ),
            Self::OutOfMemory => f.write_str("no memory to wait for another caller's load"),
        }
    }
}

impl<S, E: fmt::Debug + fmt::Display> Error for LoadError<S, E> {}
