//! A client of our own: connections that idle, and one whose times are read.
//!
//! # Idea         blocking sockets of the standard library; an answer is read by its Content-Length
//! # Costs        a socket a connection
//! # Not here     throughput: that is the load tools' business

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::run::{Failure, now};

/// Opens connections, and asks once on each if there is a request.
pub(crate) fn open(
    address: SocketAddr,
    n: usize,
    request: Option<&str>,
) -> Result<Vec<TcpStream>, Failure> {
    let mut open = Vec::with_capacity(n);
    for idx in 0..n {
        let stream = connect(address).and_then(|mut stream| {
            if let Some(request) = request {
                ask(&mut stream, request)?;
            }
            Ok(stream)
        });
        open.push(stream.map_err(|error| {
            Failure::new(format!(
                "connection {idx} of {n}: {error} (`ulimit -n` says how many may be open)"
            ))
        })?);
    }
    Ok(open)
}

/// One request after the other, each timed.
pub(crate) struct Client {
    address: SocketAddr,
    request: String,
    /// Whether each request has a connection of its own.
    anew: bool,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, request: Option<String>, anew: bool) -> Client {
        Client {
            address,
            request: request.unwrap_or_default(),
            anew,
        }
    }

    /// Asks for so long, with a pause of a millisecond between two requests; the times in microseconds, sorted.
    pub(crate) fn times(&self, time: Duration) -> Result<Vec<f64>, Failure> {
        let failed = |error: io::Error| Failure::new(format!("the good client: {error}"));
        let begun = now();
        let mut kept = connect(self.address).map_err(failed)?;
        let mut times = Vec::new();
        while begun.elapsed() < time {
            let asked = now();
            if self.anew {
                kept = connect(self.address).map_err(failed)?;
            }
            ask(&mut kept, &self.request).map_err(failed)?;
            times.push(asked.elapsed().as_secs_f64() * 1e6);
            std::thread::sleep(Duration::from_millis(1));
        }
        times.sort_by(f64::total_cmp);
        Ok(times)
    }
}

/// The value below which so many of a hundred are; of sorted values.
pub(crate) fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let rank = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

/// How long an answer may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(10);

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends a request and reads the whole answer, whose status must begin with 2; gives its body.
pub(crate) fn ask(stream: &mut TcpStream, request: &str) -> io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes())?;
    let mut read = Vec::new();
    let mut chunk = [0; 16 << 10];
    loop {
        if let Some((head, body)) = split(&read) {
            let head = String::from_utf8_lossy(head);
            if !head.starts_with("HTTP/1.1 2") {
                let line = head.lines().next().unwrap_or("").to_owned();
                return Err(io::Error::other(format!("the server answers {line:?}")));
            }
            if body.len() >= content_length(&head) {
                return Ok(body.to_vec());
            }
        }
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => read.extend_from_slice(&chunk[..n]),
        }
    }
}

fn split(answer: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    Some((&answer[..end], &answer[end + 4..]))
}

fn content_length(head: &str) -> usize {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}
