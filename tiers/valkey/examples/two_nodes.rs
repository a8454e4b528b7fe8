//! Two engines on one server: what one writes the other sees, and both go on serving when the server is killed.
//!
//! Run by `cargo run -p larder-valkey --example two_nodes`; it starts a `redis-server` of its own, on a free port of the loopback.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use larder::{Cache, LevelMode, LevelView, Levels, Lookup, MissReason};
use larder_valkey::{Address, Config, Valkey};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    if Command::new("redis-server")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("SKIPPED: redis-server is not installed");
        return Ok(());
    }
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut server = Server::start(port)?;

    // In earnest, these are two processes.
    let (one, two) = (Node::new(port)?, Node::new(port)?);
    wait_for("both hear of changes", || {
        one.levels.follows() && two.levels.follows()
    })?;
    let (here, there) = (one.prices()?, two.prices()?);

    here.put("apple", b"1.20", Duration::from_secs(3600))?;
    show("one put it, two has", &there);
    here.put("apple", b"1.10", Duration::from_secs(3600))?;
    wait_for("two sees the new price", || value(&there) == "1.10")?;
    show("one changed it, two has", &there);

    server.kill()?;
    show("the server is dead, one has", &here);
    here.put("apple", b"0.90", Duration::from_secs(3600))?;
    show("one changed it alone, and has", &here);
    println!("two asks the server for another: {:?}", reason(&there));

    let _server = Server::start(port)?;
    wait_for("the server is found again", || {
        reason(&there) == Some(MissReason::Absent)
    })?;
    wait_for("one can write again", || {
        let put = here.put("apple", b"0.95", Duration::from_secs(3600));
        put.is_ok_and(|put| put.in_l2)
    })?;
    wait_for("two sees it", || value(&there) == "0.95")?;
    show("the server is back, two has", &there);
    println!("one: {:?}", one.levels.stats());
    println!("two: {:?}", two.servers.stats());
    Ok(())
}

/// A process: its cache, and what it has of the server.
struct Node {
    cache: Cache<[u8]>,
    levels: Levels,
    servers: Valkey,
}

impl Node {
    fn new(port: u16) -> Outcome<Self> {
        let config = Config::one(Address::new("127.0.0.1", port)).tracking(true);
        let servers = Valkey::new(config)?;
        Ok(Self {
            cache: Cache::builder().max_bytes(1 << 20).build()?,
            levels: Levels::new(servers.clone(), b"shop"),
            servers,
        })
    }

    fn prices(&self) -> Outcome<LevelView<'_>> {
        Ok(self
            .levels
            .view(self.cache.scope("prices")?, LevelMode::L1L2))
    }
}

fn value(view: &LevelView<'_>) -> String {
    let found = view.get("apple");
    found.map_or("nothing".into(), |price| {
        String::from_utf8_lossy(&price).into_owned()
    })
}

fn reason(view: &LevelView<'_>) -> Option<MissReason> {
    match view.lookup("pear", Duration::from_millis(100)) {
        Lookup::Miss(reason) => Some(reason),
        _ => None,
    }
}

fn show(what: &str, view: &LevelView<'_>) {
    println!("{what}: {}", value(view));
}

#[allow(
    clippy::disallowed_methods,
    reason = "a program has the system's clock"
)]
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) -> Outcome<()> {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > Duration::from_secs(20) {
            return Err(format!("in vain: {what}").into());
        }
        thread::yield_now();
    }
    Ok(())
}

/// A server that is killed when this is dropped.
struct Server(Child);

impl Server {
    fn start(port: u16) -> Outcome<Self> {
        let port = port.to_string();
        let child = Command::new("redis-server")
            .args([
                "--port",
                &port,
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--dir",
                "/tmp",
            ])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut server = Self(child);
        let mut log = BufReader::new(server.0.stdout.take().ok_or("the server has no output")?);
        let mut line = String::new();
        while !line.contains("Ready to accept connections") {
            line.clear();
            if log.read_line(&mut line)? == 0 {
                return Err("the server ended".into());
            }
        }
        thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(server)
    }

    fn kill(&mut self) -> Outcome<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn e_53_the_example_runs_to_its_end() {
        super::main().unwrap();
    }
}
