//! Real servers: started on free ports of the loopback, ended with the value that stands for them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use larder_valkey::Address;

/// A running server, which is killed when this is dropped, and when the test's process ends in whatever way.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    arguments: Vec<String>,
    folder: PathBuf,
}

/// A test's server; a test without one says so and ends, but in CI fails.
macro_rules! server {
    ($($argument:expr),*) => {
        match $crate::server::Server::start(&[$($argument),*]) {
            Some(server) => server,
            None => return,
        }
    };
}
pub(crate) use server;

impl Server {
    /// Starts one; `None` where none is installed.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        is_installed().then(|| Self::start_on(&[], arguments))
    }

    /// The same, on none of these ports.
    pub(crate) fn start_on(taken: &[u16], arguments: &[&str]) -> Self {
        static N_SERVERS: AtomicU64 = AtomicU64::new(0);
        let number = N_SERVERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("larder-valkey-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        // Another process may take a port before the server does.
        for _ in 0..50 {
            let port = free_port(taken);
            if let Some(child) = spawn(port, &arguments, &folder) {
                return Self {
                    child,
                    port,
                    arguments,
                    folder,
                };
            }
        }
        panic!("no server could be started");
    }

    pub(crate) fn address(&self) -> Address {
        Address::new("127.0.0.1", self.port)
    }

    /// One that listens by TLS as well, on a port of its own.
    pub(crate) fn start_tls(arguments: &[&str]) -> Self {
        let tls_port = free_port(&[]).to_string();
        let arguments = [&["--tls-port", &tls_port], arguments].concat();
        Self::start_on(&[tls_port.parse().unwrap()], &arguments)
    }

    pub(crate) fn tls_address(&self) -> Address {
        Address::new("127.0.0.1", self.arguments[1].parse().unwrap())
    }

    /// Kills it, as a machine that loses its power.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on its port, empty.
    pub(crate) fn restart(&mut self) {
        for _ in 0..50 {
            if let Some(child) = spawn(self.port, &self.arguments, &self.folder) {
                self.child = child;
                return;
            }
        }
        panic!("the server could not be started again");
    }

    /// A client of the server that isn't ours.
    pub(crate) fn client(&self) -> redis::Connection {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port));
        client.unwrap().get_connection().unwrap()
    }

    /// How often each command was called, by its name.
    pub(crate) fn calls(&self, command: &str) -> u64 {
        let mut client = self.client();
        let stats: String = redis::cmd("INFO")
            .arg("commandstats")
            .query(&mut client)
            .unwrap();
        let prefix = format!("cmdstat_{command}:calls=");
        let line = stats.lines().find_map(|line| line.strip_prefix(&prefix));
        line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn is_installed() -> bool {
    let found = Command::new(PROGRAM).arg("--version").output().is_ok();
    if !found {
        assert!(
            std::env::var_os("CI").is_none(),
            "{PROGRAM} is not installed, and CI needs it"
        );
        eprintln!("SKIPPED: {PROGRAM} is not installed");
    }
    found
}

const PROGRAM: &str = "redis-server";

fn free_port(taken: &[u16]) -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // The bus of a cluster's node is 10,000 above, and must be a port too.
        if !taken.contains(&port) && port < 55_000 {
            return port;
        }
    }
}

/// Starts a server and waits until it is ready; `None` if it ends instead.
fn spawn(port: u16, arguments: &[String], folder: &PathBuf) -> Option<Child> {
    // The kernel ends the server with the thread that started it.
    let mut command = match Command::new("setpriv").arg("--version").output() {
        Ok(_) => {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", PROGRAM]);
            command
        }
        Err(_) => Command::new(PROGRAM),
    };
    let is_sentinel = arguments.iter().any(|argument| argument == "--sentinel");
    if is_sentinel {
        let file = folder.join("sentinel.conf");
        fs::write(&file, "").unwrap();
        command.arg(file);
    }
    let port = port.to_string();
    command.args(["--port", &port, "--bind", "127.0.0.1"]);
    if !is_sentinel {
        command.args(["--save", "", "--appendonly", "no"]);
    }
    command.arg("--dir").arg(folder).args(arguments);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stdout.take().unwrap());
    if is_ready(&mut log) {
        // What it still has to say has to be read, and those are told who wait for it.
        thread::spawn(move || {
            let mut line = Vec::new();
            while log
                .read_until(b'\n', &mut line)
                .is_ok_and(|n_read| n_read > 0)
            {
                line.clear();
                SAID.1.notify_all();
            }
        });
        return Some(child);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// A server has said something.
static SAID: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());

/// Waits until a server of this process says something, but for so long at most.
pub(crate) fn wait_for_log(limit: Duration) {
    drop(SAID.1.wait_timeout(SAID.0.lock().unwrap(), limit));
}

fn is_ready(log: &mut BufReader<ChildStdout>) -> bool {
    let mut line = String::new();
    loop {
        line.clear();
        match log.read_line(&mut line) {
            Ok(0) | Err(_) => return false,
            Ok(_) if line.contains("Ready to accept connections") => return true,
            // What a sentinel says last.
            Ok(_) if line.contains("Sentinel ID is") => return true,
            Ok(_) => {}
        }
    }
}
