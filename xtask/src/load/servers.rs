//! The servers: started on free ports of loopback, asked through their load tools, ended when dropped.
//!
//! # Idea         a trait for what the rounds need; each server keeps its child process and a folder of its own
//! # Invariants   S1 a server that doesn't answer in ten seconds is a failure; S2 no process and no folder outlives its value
//! # Not here     figures

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::tools::{self, Measured};
use super::{SIZES, client};
use crate::run::{Failure, Step, now, root};

pub(crate) trait Server {
    fn name(&self) -> &'static str;

    fn tool(&self) -> &'static str;

    /// GETs of a present value of so many bytes, for so long.
    fn measure(
        &self,
        len: usize,
        n_connections: usize,
        time: Duration,
    ) -> Result<Measured, Failure>;
}

/// Every server that is installed, running, with its values in it; and the names of what isn't installed.
pub(crate) struct Installed {
    pub(crate) servers: Vec<Box<dyn Server>>,
    pub(crate) skipped: Vec<String>,
}

pub(crate) fn all() -> Result<Installed, Failure> {
    let mut servers: Vec<Box<dyn Server>> = Vec::new();
    let mut skipped = Vec::new();
    let mut is_there = |programs: &[&str]| {
        let missing = programs.iter().find(|program| !installed(program));
        skipped.extend(missing.map(|program| (*program).to_owned()));
        missing.is_none()
    };
    let wrk = is_there(&["wrk"]);
    if wrk {
        let larder = Larder::start()?;
        for (len, _) in SIZES {
            larder.put(len)?;
        }
        servers.push(Box::new(larder));
    }
    if is_there(&["nginx"]) && wrk {
        servers.push(Box::new(Nginx::start()?));
    }
    if is_there(&["redis-server", "redis-benchmark"]) {
        servers.push(Box::new(Redis::start()?));
    }
    if is_there(&["memcached", "memcaslap"]) {
        servers.push(Box::new(Memcached::start()?));
    }
    Ok(Installed { servers, skipped })
}

/// Whether a program can be found.
pub(crate) fn installed(program: &str) -> bool {
    Step::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .succeeds()
}

/// A child process with a port and a folder.
struct Running {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Running {
    /// Starts what `command` makes of a port and an empty folder, and waits until it accepts.
    fn start(
        name: &str,
        command: impl FnOnce(u16, &Path) -> Result<Command, Failure>,
    ) -> Result<Running, Failure> {
        let failed = |error: std::io::Error| Failure::new(format!("{name}: {error}"));
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .map_err(failed)?
            .port();
        let folder = std::env::temp_dir().join(format!("load-{name}-{port}"));
        fs::create_dir_all(&folder).map_err(failed)?;
        let child = command(port, &folder)?
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let running = Running {
            child,
            port,
            folder,
        };
        let begun = now();
        while TcpStream::connect(running.address()).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err(Failure::new(format!("{name} doesn't answer on {port}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What has ended already, or can't be removed, is in nobody's way.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// larder-http without a configuration, as the README starts it.
pub(crate) struct Larder {
    running: Running,
    token: String,
}

impl Larder {
    pub(crate) fn start() -> Result<Larder, Failure> {
        let mut running = Running::start("larder-http", |port, _| {
            let target = std::env::var("CARGO_TARGET_DIR").unwrap_or("target".to_owned());
            let mut command = Command::new(root().join(target).join("release/larder-http"));
            command
                .env("LARDER_LISTEN", format!("127.0.0.1:{port}"))
                .stdout(Stdio::piped());
            Ok(command)
        })?;
        let output = running.child.stdout.take();
        let mut lines = BufReader::new(output.expect("it is piped")).lines();
        let token = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("TOKEN=")?.1.trim().to_owned()))
            .ok_or_else(|| Failure::new("larder-http printed no token"))?;
        // What it prints later must go somewhere, or it would wait for us.
        std::thread::spawn(move || lines.count());
        Ok(Larder { running, token })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address()
    }

    pub(crate) fn url(&self, len: usize) -> String {
        format!("http://{}{}", self.address(), path(len))
    }

    /// Stores the value of this length.
    pub(crate) fn put(&self, len: usize) -> Result<(), Failure> {
        let request = format!(
            "PUT {}&ttl_seconds=86400 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Length: {len}\r\n\r\n{}",
            path(len),
            self.token,
            "v".repeat(len)
        );
        client::open(self.address(), 1, Some(&request))?;
        Ok(())
    }

    /// The request for that value.
    pub(crate) fn get_request(&self, len: usize) -> Option<String> {
        Some(format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n",
            path(len),
            self.token
        ))
    }

    pub(crate) fn resident_bytes(&self) -> Result<u64, Failure> {
        let path = format!("/proc/{}/status", self.running.child.id());
        let status = fs::read_to_string(&path).unwrap_or_default();
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
            .and_then(|kib| kib.parse::<u64>().ok())
            .map(|kib| kib * 1024)
            .ok_or_else(|| Failure::new(format!("{path} tells no resident memory")))
    }

    /// Waits until the server holds at least so many sockets: what the kernel has queued costs the server nothing yet.
    pub(crate) fn settle(&self, n: usize) -> Result<(), Failure> {
        let path = format!("/proc/{}/fd", self.running.child.id());
        let begun = now();
        loop {
            let n_open = fs::read_dir(&path).map_or(0, Iterator::count);
            if n_open >= n {
                return Ok(());
            }
            if begun.elapsed() > Duration::from_secs(20) {
                return Err(Failure::new(format!(
                    "the server holds {n_open} of {n} connections"
                )));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn path(len: usize) -> String {
    format!("/cache/default-cache?key=k{len}")
}

impl Server for Larder {
    fn name(&self) -> &'static str {
        "larder-http"
    }

    fn tool(&self) -> &'static str {
        "wrk"
    }

    fn measure(&self, len: usize, n: usize, time: Duration) -> Result<Measured, Failure> {
        let header = format!("Authorization: {}", self.token);
        tools::wrk(&self.url(len), Some(&header), n, time)
    }
}

/// A static file, by its usual settings, without a log.
struct Nginx(Running);

impl Nginx {
    fn start() -> Result<Nginx, Failure> {
        let running = Running::start("nginx", |port, folder| {
            let failed = |error| Failure::new(format!("nginx: {error}"));
            for (len, _) in SIZES {
                fs::write(folder.join(format!("k{len}")), "v".repeat(len)).map_err(failed)?;
            }
            let at = folder.display();
            let text = format!(
                "daemon off; worker_processes 2; pid {at}/pid; error_log {at}/error;\nevents {{ worker_connections 1024; }}\n\
                 http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; open_file_cache max=10;\n\
                 client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
                 server {{ listen 127.0.0.1:{port}; root {at}; }} }}\n"
            );
            let configuration = folder.join("nginx.conf");
            fs::write(&configuration, text).map_err(failed)?;
            let mut command = Command::new("nginx");
            command.arg("-p").arg(folder).arg("-c").arg(configuration);
            command.args(["-g", USER]).stdout(Stdio::null());
            Ok(command)
        })?;
        Ok(Nginx(running))
    }
}

/// The files are the caller's own, also where that is root.
const USER: &str = "user root;";

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with the master's quit, not with its death.
        let _ = Step::new("kill")
            .args(["-QUIT", &self.0.child.id().to_string()])
            .succeeds();
        let _ = self.0.child.wait();
    }
}

impl Server for Nginx {
    fn name(&self) -> &'static str {
        "nginx"
    }

    fn tool(&self) -> &'static str {
        "wrk"
    }

    fn measure(&self, len: usize, n: usize, time: Duration) -> Result<Measured, Failure> {
        let url = format!("http://{}/k{len}", self.0.address());
        tools::wrk(&url, None, n, time)
    }
}

struct Redis(Running);

impl Redis {
    fn start() -> Result<Redis, Failure> {
        let running = Running::start("redis-server", |port, folder| {
            let mut command = Command::new("redis-server");
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
            command.args(["--save", "", "--appendonly", "no", "--dir"]);
            command.arg(folder).stdout(Stdio::null());
            Ok(command)
        })?;
        Ok(Redis(running))
    }
}

impl Server for Redis {
    fn name(&self) -> &'static str {
        "redis-server"
    }

    fn tool(&self) -> &'static str {
        "redis-benchmark"
    }

    fn measure(&self, len: usize, n: usize, time: Duration) -> Result<Measured, Failure> {
        tools::redis_benchmark(self.0.port, len, n, time)
    }
}

struct Memcached(Running);

impl Memcached {
    fn start() -> Result<Memcached, Failure> {
        let running = Running::start("memcached", |port, _| {
            let mut command = Command::new("memcached");
            command.args(["-l", "127.0.0.1", "-p", &port.to_string(), "-U", "0"]);
            command.args(["-t", "2", "-m", "1024", "-u", "nobody"]);
            command.stdout(Stdio::null());
            Ok(command)
        })?;
        Ok(Memcached(running))
    }
}

impl Server for Memcached {
    fn name(&self) -> &'static str {
        "memcached"
    }

    fn tool(&self) -> &'static str {
        "memaslap"
    }

    fn measure(&self, len: usize, n: usize, time: Duration) -> Result<Measured, Failure> {
        let path = self.0.folder.join("memaslap.cnf");
        let text = format!("key\n16 16 1\nvalue\n{len} {len} 1\ncmd\n0 0.0\n1 1.0\n");
        fs::write(&path, text).map_err(|error| Failure::new(format!("memaslap: {error}")))?;
        tools::memaslap(self.0.port, &path, n, time)
    }
}
