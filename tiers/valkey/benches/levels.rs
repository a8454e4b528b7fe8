//! What a level costs: a hit on the server beside the bare client's GET, and reads at 95 hits in the cache of 100.
//!
//! And what a hit in the cache costs by the level's being there, in instructions, which valgrind counts.
//!
//! Short rounds of both are taken in turns, and of each those compared that were disturbed the least (of ten, the quickest), since times on a
//! shared machine are no constants; beside it stands the median of the pairs' ratios. It starts a server of its own, and prints ratios
//! alone. With `--test`, each part runs once; with a part of a row's name, such as `l2_hit/bare_get/100000`, the rows that have it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use larder::{Cache, LevelMode, LevelOptions, LevelView, Levels, MemoryLevel};
use larder_valkey::{Address, Config, Valkey};

const HOUR: Duration = Duration::from_secs(3600);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, mode, n_hits] = &arguments[..]
        && flag == HITS
    {
        return hit(mode, n_hits.parse().expect("a number"));
    }
    let is_test = std::env::args().any(|argument| argument == "--test");
    let part = std::env::args().skip(1).find(|part| !part.starts_with('-'));
    let is_meant = |row: &str| part.as_ref().is_none_or(|part| row.contains(&part[..]));
    if is_meant(HIT_ROW) {
        count_hits();
    }
    let Some(server) = Server::start() else {
        println!("SKIPPED: redis-server is not installed");
        return;
    };
    let (n_rounds, n_calls) = if is_test { (1, 10) } else { (1001, 20) };
    let url = format!("redis://127.0.0.1:{}/", server.port);
    let client = redis::Client::open(url).expect("the address is one");
    let mut bare = client.get_connection().expect("the server is there");
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(1 << 26)
        .build()
        .expect("a cache");
    let config = Config::one(Address::new("127.0.0.1", server.port));
    let [plain, packing] = [None, Some(1000)].map(|compress_from| {
        let config = config.clone().compress_from(compress_from);
        Levels::new(Valkey::new(config).expect("a level"), b"bench")
    });
    let scope = || cache.scope("s").expect("a scope");
    let both = LevelOptions::new(LevelMode::L1L2).l1_lifetime(Some(HOUR));
    for (value_bytes, kind) in [
        (100, "noise"),
        (4000, "noise"),
        (100_000, "noise"),
        (4000, "text"),
        (4000, "packed"),
        (100_000, "text"),
        (100_000, "packed"),
    ] {
        let far_row = format!("l2_hit/bare_get/{value_bytes}/{kind}");
        let mixed_row = format!("l1_l2_at_95/bare_get/{value_bytes}/{kind}");
        // Text that is packed is compressed; the bare client's isn't.
        let levels = if kind == "packed" { &packing } else { &plain };
        let value: Vec<u8> = match kind {
            "noise" => noise(value_bytes),
            _ => (0..)
                .flat_map(|n: u64| format!("line {n}, and more\n").into_bytes())
                .take(value_bytes)
                .collect(),
        };
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
        if is_meant(&far_row) {
            let [ratio, median] = ratios(n_rounds, n_calls, get_far, &mut get_bare);
            println!("{far_row}: {ratio:.2} of its time (median {median:.2})");
        }

        if !is_meant(&mixed_row) {
            continue;
        }
        let near = levels.view(scope(), both);
        let mut n = 0_u64;
        let mixed = || {
            n += 1;
            get_mixed(&near, &far, n);
        };
        far.put("hot", &value[..], HOUR).expect("it is put");
        let [ratio, median] = ratios(n_rounds, n_calls, mixed, &mut get_bare).map(f64::recip);
        println!("{mixed_row}: {ratio:.1} times its throughput (median {median:.1})");
    }
}

/// Bytes without any pattern: those of a generator that is mixed well.
fn noise(n_bytes: usize) -> Vec<u8> {
    let words = (1..).map(|n: u64| {
        let mut word = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    });
    words.flat_map(u64::to_le_bytes).take(n_bytes).collect()
}

/// The flag that this program is given where its instructions are counted, before the kind of hits and their number.
const HITS: &str = "--hits";

/// Hits in the cache, of keys whose records are in a level as well, or in none.
fn hit(kind: &str, n_hits: u64) {
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(1 << 20)
        .build()
        .expect("a cache");
    let levels = match kind {
        "with" => Levels::new(MemoryLevel::new(), b"bench"),
        _ => Levels::none(),
    };
    let mode = match kind {
        "with" => LevelMode::L1L2,
        _ => LevelMode::L1,
    };
    let options = LevelOptions::new(mode).l1_lifetime(Some(HOUR));
    let scope = cache.scope("s").expect("a scope");
    let view = levels.view(scope.clone(), options);
    // Some, since a key that lies at the end of a page is compared by some instructions more.
    let keys: Vec<String> = (0..16).map(|n| format!("key{n:02}")).collect();
    for key in &keys {
        view.put(&key[..], b"value", HOUR).expect("it is put");
    }
    for key in keys.iter().cycle().take(n_hits as usize) {
        let found = match kind {
            "scope" => scope.get(&key[..]),
            _ => view.get(&key[..]),
        };
        assert!(found.is_some());
    }
}

const HIT_ROW: &str = "l1_hit/instructions";

/// Tells how many instructions a hit takes with a level and without, and through the scope alone.
fn count_hits() {
    const N_HITS: u64 = 10_000;
    let per_hit = |kind: &str| {
        // What a process takes besides is in both.
        let [few, many] = [N_HITS, 2 * N_HITS].map(|n_hits| instructions(kind, n_hits));
        Some((many?.checked_sub(few?)? as f64) / N_HITS as f64)
    };
    match ["scope", "without", "with"].map(per_hit) {
        [Some(scope), Some(without), Some(with)] => {
            let more = (with / without - 1.0) * 100.0;
            assert!(
                more <= 2.0,
                "a level makes hits in the cache {more:+.2} % longer"
            );
            println!(
                "{HIT_ROW}: {with:.1} with a level, {without:.1} without ({more:+.2} %), {scope:.1} of the scope"
            );
        }
        _ => println!("SKIPPED: valgrind is not installed"),
    }
}

fn instructions(kind: &str, n_hits: u64) -> Option<u64> {
    let program = std::env::current_exe().ok()?;
    let counted = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([HITS, kind, &n_hits.to_string()])
        .output()
        .ok()?;
    let told = String::from_utf8_lossy(&counted.stderr).into_owned();
    let line = told.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
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

/// The ratio of the times of two things, each of which is done so often in a round: of the tenth of each one's rounds that were the
/// quickest, and the median of the pairs.
fn ratios(
    n_rounds: usize,
    n_calls: usize,
    mut one: impl FnMut(),
    mut other: impl FnMut(),
) -> [f64; 2] {
    let rounds = (0..n_rounds).map(|_| [time(n_calls, &mut one), time(n_calls, &mut other)]);
    let rounds: Vec<[f64; 2]> = rounds.collect();
    let sorted = |of: fn(&[f64; 2]) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let [one, other] = [sorted(|round| round[0]), sorted(|round| round[1])];
    let (quick, pairs) = (n_rounds / 10, sorted(|[one, other]| one / other));
    [one[quick] / other[quick], pairs[n_rounds / 2]]
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
