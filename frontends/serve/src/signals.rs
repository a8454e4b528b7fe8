//! What the operating system tells a server.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for the signals to end, from now on; the future is done at the first of them.
///
/// # Errors
/// What the operating system says.
pub fn terminated() -> io::Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Listens for hang-ups, from now on: each asks for settings to be read anew.
///
/// # Errors
/// What the operating system says.
pub fn hang_ups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}
