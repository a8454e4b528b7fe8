//! A byte stream to a server, plain or by TLS, each read and write of which is over in time.
//!
//! # Idea         the socket itself is told before every read and write how long it may wait, so a server that sends a byte now and then
//!   gains no time by it
//! # Costs        two system calls a read
//! # Not here     what the bytes mean

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;

use socket2::SockRef;

use crate::config::Address;
use crate::fault::Fault;
use crate::time::Until;
#[cfg(feature = "tls")]
use crate::tls::Tls;

/// See the module.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(Timed),
    #[cfg(feature = "tls")]
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, Timed>>),
}

/// A socket, and when the call that uses it has to be over.
#[derive(Debug)]
pub(crate) struct Timed {
    socket: TcpStream,
    until: Until,
}

/// What an idle socket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idle {
    Nothing,
    /// Bytes that nobody asked for.
    Bytes,
    /// The end.
    Closed,
}

impl Stream {
    pub(crate) fn plain(address: &Address, until: Until) -> Result<Self, Fault> {
        Ok(Self::Plain(Timed::connect(address, until)?))
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(address: &Address, tls: &Tls, until: Until) -> Result<Self, Fault> {
        let session = tls.session(address)?;
        let timed = Timed::connect(address, until)?;
        let mut stream = rustls::StreamOwned::new(session, timed);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self::Tls(Box::new(stream)))
    }

    /// Sets when the call that begins has to be over.
    pub(crate) fn set_until(&mut self, until: Until) {
        self.timed_mut().until = until;
    }

    /// What there is to read of a socket that should be silent. Takes nothing and doesn't wait.
    pub(crate) fn idle(&mut self) -> Idle {
        #[cfg(feature = "tls")]
        if let Self::Tls(stream) = self {
            match stream.conn.process_new_packets() {
                Ok(state) if state.plaintext_bytes_to_read() == 0 => {}
                _ => return Idle::Bytes,
            }
        }
        let socket = SockRef::from(&self.timed_mut().socket);
        let mut byte = [std::mem::MaybeUninit::uninit()];
        match socket.recv_with_flags(&mut byte, PEEK_AT_ONCE) {
            Ok(0) => Idle::Closed,
            Ok(_) => Idle::Bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Idle::Nothing,
            Err(_) => Idle::Closed,
        }
    }

    fn timed_mut(&mut self) -> &mut Timed {
        match self {
            Self::Plain(timed) => timed,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => &mut stream.sock,
        }
    }
}

/// `MSG_PEEK | MSG_DONTWAIT`, which are the same numbers on every Linux.
#[cfg(target_os = "linux")]
const PEEK_AT_ONCE: i32 = 0x02 | 0x40;
/// The same of the systems from BSD.
#[cfg(not(target_os = "linux"))]
const PEEK_AT_ONCE: i32 = 0x02 | 0x80;

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.read(out),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.read(out),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(timed) => timed.flush(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Timed {
    fn connect(address: &Address, until: Until) -> Result<Self, Fault> {
        let mut last = Fault::Lost;
        for address in resolve(address, until)? {
            let left = until.left().ok_or(Fault::Timeout)?;
            match TcpStream::connect_timeout(&address, left) {
                Ok(socket) => {
                    socket.set_nodelay(true)?;
                    SockRef::from(&socket).set_keepalive(true)?;
                    return Ok(Self { socket, until });
                }
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    fn left(&self) -> io::Result<std::time::Duration> {
        self.until.left().ok_or(io::ErrorKind::TimedOut.into())
    }
}

impl Read for Timed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        self.socket.read(out)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// The addresses of a host. A name is looked up by a thread of its own, since the system's resolver knows no limit.
fn resolve(address: &Address, until: Until) -> Result<Vec<SocketAddr>, Fault> {
    if let Ok(ip) = address.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, address.port)]);
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    let (host, port) = (address.host.clone(), address.port);
    let resolver = move || {
        let found = (&host[..], port).to_socket_addrs();
        // Who asked may have given up.
        let _ = sender.send(found.map(Iterator::collect));
    };
    let thread = thread::Builder::new().name("larder-resolve".into());
    thread.spawn(resolver)?;
    let left = until.left().ok_or(Fault::Timeout)?;
    match receiver.recv_timeout(left) {
        Ok(found) => Ok(found?),
        Err(_) => Err(Fault::Timeout),
    }
}
