//! The tests, once for each mutant.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::Mutant;

/// How often as long as without a mutant the tests may take of a processor, and how long in any case. Who waits for something that
/// doesn't come takes none, and has as often as long again.
const SLOWER_MAX: u32 = 5;
const LONGEST_MIN: Duration = Duration::from_secs(10);
/// What a mutant that asks for memory without end may have.
const MEMORY_KIB: u64 = 4 << 20;
const JOBS: usize = 2;

/// Those that no round of tests has seen.
pub(crate) fn run<'m>(
    binary: &Path,
    tree: &Path,
    mutants: &'m [Mutant],
    rounds: &[&[&str]],
) -> Result<Vec<&'m Mutant>, String> {
    let mut left: Vec<&Mutant> = mutants.iter().collect();
    for filters in rounds {
        let begun = Instant::now();
        if !passes(binary, tree, filters, 0, Duration::from_secs(600)) {
            return Err(format!("without a mutant, {filters:?} fail"));
        }
        let longest = (SLOWER_MAX * begun.elapsed()).max(LONGEST_MIN);
        let next = AtomicUsize::new(0);
        let missed = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..JOBS {
                scope.spawn(|| {
                    while let Some(mutant) = left.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if passes(binary, tree, filters, mutant.id, longest) {
                            println!("{filters:?} pass with {}", mutant.name);
                            missed.lock().expect("nobody panics").push(*mutant);
                        }
                    }
                });
            }
        });
        left = missed.into_inner().expect("nobody panics");
        left.sort_by_key(|mutant| mutant.id);
    }
    Ok(left)
}

/// Whether the tests pass with a mutant on, within the time.
fn passes(binary: &Path, tree: &Path, filters: &[&str], id: usize, longest: Duration) -> bool {
    let seconds = longest.as_secs() + 1;
    let bounds = format!("ulimit -v {MEMORY_KIB}; ulimit -t {seconds}; exec \"$@\"");
    let child = Command::new("sh")
        .args(["-c", &bounds, "sh"])
        .arg(binary)
        .args(filters)
        .args(["--test-threads", "1", "--skip", "barrier"])
        .current_dir(tree)
        .env("LARDER_MUTANT", id.to_string())
        // The same cases for each, and none made smaller.
        .env("PROPTEST_RNG_SEED", "20251122")
        .env("PROPTEST_MAX_SHRINK_ITERS", "0")
        .env("LARDER_CASES", "48")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .spawn();
    match child {
        Ok(child) => wait(child, SLOWER_MAX * longest),
        Err(error) => panic!("the tests can't be started: {error}"),
    }
}

fn wait(mut child: Child, longest: Duration) -> bool {
    let lines = child.stdout.take().map(BufReader::new);
    let (sender, receiver) = channel();
    let reader = thread::spawn(move || {
        let failed = lines
            .into_iter()
            .flat_map(BufRead::lines)
            .map_while(Result::ok)
            .any(|line| line.ends_with("FAILED"));
        let _ = sender.send(failed);
    });
    let failed = match receiver.recv_timeout(longest) {
        Ok(failed) => failed,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => true,
    };
    if failed {
        let _ = child.kill();
    }
    let passed = child.wait().is_ok_and(|status| status.success());
    let _ = reader.join();
    passed && !failed
}
