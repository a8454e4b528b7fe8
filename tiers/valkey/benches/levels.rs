//! What a level costs: a hit on the server beside the bare client's GET, and reads at 95 hits in the cache of 100.
//!
//! Pairs of rounds are taken in turns and their ratios compared, since times on a shared machine are no constants. It starts a server of
//! its own, and prints ratios alone. With `--test`, each part runs once.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use larder::{Cache, LevelMode, LevelOptions, LevelView, Levels};
use larder_valkey::{Address, Config, Valkey};

const HOUR: Duration = Duration::from_secs(3600);

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let Some(server) = Server::start() else {
        println!("SKIPPED: redis-server is not installed");
        return;
    };
    let (n_rounds, n_calls) = if is_test { (1, 10) } else { (41, 1000) };
    let url = format!("redis://127.0.0.1:{}/", server.port);
    let client = redis::Client::open(url).expect("the address is one");
    let mut bare = client.get_connection().expect("the server is there");
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(1 << 26)
        .build()
        .expect("a cache");
    let config = Config::one(Address::new("127.0.0.1", server.port));
    let levels = Levels::new(Valkey::new(config).expect("a level"), b"bench");
    let scope = || cache.scope("s").expect("a scope");
    let both = LevelOptions::new(LevelMode::L1L2).l1_lifetime(Some(HOUR));
    for value_bytes in [100, 4000, 100_000] {
        // Noise, so that nothing is compressed.
        let value: Vec<u8> = (0..value_bytes as u64)
            .map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8)
            .collect();
        redis::cmd("SET")
            .arg("bare")
            .arg(&value)
            .exec(&mut bare)
            .expect("it is set");
        let mut get_bare = || {
            let get = redis::cmd("GET").arg("bare").clone();
            let found: Vec<u8> = get.query(&mut bare).expect("it is there");
            assert_eq!(found.len(), value.len());
        };
        let far = levels.view(scope(), LevelMode::L2);
        far.put("k", &value[..], HOUR).expect("it is put");
        let get_far = || assert!(far.get("k").is_some());
        let ratio = ratio(n_rounds, n_calls, get_far, &mut get_bare);
        println!("l2_hit/bare_get/{value_bytes}: {ratio:.2} of its time");

        let near = levels.view(scope(), both);
        let mut n = 0_u64;
        let mixed = || {
            n += 1;
            get_mixed(&near, &far, n);
        };
        far.put("hot", &value[..], HOUR).expect("it is put");
        let speed = 1.0 / self::ratio(n_rounds, n_calls, mixed, &mut get_bare);
        println!("l1_l2_at_95/bare_get/{value_bytes}: {speed:.1} times its throughput");
    }
}

/// Of 20 reads, one that the server answers.
fn get_mixed(near: &LevelView<'_>, far: &LevelView<'_>, n: u64) {
    let found = if n.is_multiple_of(20) {
        far.get("k")
    } else {
        near.get("hot")
    };
    assert!(found.is_some());
}

/// The median of the ratios of the times of two things, each of which is done so often in a round.
fn ratio(n_rounds: usize, n_calls: usize, mut one: impl FnMut(), mut other: impl FnMut()) -> f64 {
    let mut ratios: Vec<f64> = (0..n_rounds)
        .map(|_| time(n_calls, &mut one) / time(n_calls, &mut other))
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[n_rounds / 2]
}

#[allow(
    clippy::disallowed_methods,
    reason = "a bench measures by the system's clock"
)]
fn time(n_calls: usize, call: &mut impl FnMut()) -> f64 {
    let begun = Instant::now();
    (0..n_calls).for_each(|_| call());
    begun.elapsed().as_secs_f64()
}

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Option<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").ok()?;
        let port = listener.local_addr().ok()?.port();
        drop(listener);
        let mut child = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--dir",
                "/tmp",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut log = BufReader::new(child.stdout.take()?);
        let server = Self { child, port };
        let mut line = String::new();
        while !line.contains("Ready to accept connections") {
            line.clear();
            if log.read_line(&mut line).ok()? == 0 {
                return None;
            }
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Some(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
