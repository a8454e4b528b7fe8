//! The tests, once for each mutant.
//!
//! # Idea         a mutant is seen when a test fails, or when the tests take much more of a processor than without it, or wait for what
//!   doesn't come. Only what the tests themselves take and wait counts, so that it makes no difference what else the machine does
//! # Not here     systems other than Linux, which alone tells by `/proc` what a process has taken

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::Mutant;

/// How often as much of a processor as without a mutant the tests may take, and how much in any case.
const SLOWER_MAX: u32 = 5;
const LONGEST_MIN: Duration = Duration::from_secs(10);
/// How much they may take without a mutant.
const LONGEST_MAX: Duration = Duration::from_secs(600);
/// How long they may wait for what takes no processor: so many looks that found nothing taken since the one before.
const LOOK_EACH: Duration = Duration::from_millis(100);
const IDLE_LOOKS_MAX: u32 = 300;
/// What a process has taken of processors is told in this many parts of a second.
const CLOCK_TICKS: u32 = 100;
/// What a mutant that asks for memory without end may have.
const MEMORY_KIB: u64 = 4 << 20;
const JOBS: usize = 2;

/// What became of the tests.
enum Outcome {
    /// All passed, and this is what they took.
    Passed(Duration),
    /// One failed, or ended the process.
    Failed,
    /// They took too much, or waited too long.
    Late,
}

/// What became of the mutants.
pub(crate) struct Judged {
    /// Those that no round of tests has seen.
    pub(crate) missed: Vec<Mutant>,
    /// How many each round has seen.
    pub(crate) n_seen: Vec<usize>,
    /// How many of all were seen by time alone.
    pub(crate) n_late: usize,
}

pub(crate) fn run(
    binary: &Path,
    tree: &Path,
    mutants: &[Mutant],
    rounds: &[&[&str]],
) -> Result<Judged, String> {
    let mut left: Vec<Mutant> = mutants.to_vec();
    let (mut n_seen, n_late) = (Vec::new(), AtomicUsize::new(0));
    for filters in rounds {
        let Outcome::Passed(taken) = ask(binary, tree, filters, 0, LONGEST_MAX) else {
            return Err(format!("without a mutant, {filters:?} fail"));
        };
        let longest = (SLOWER_MAX * taken).max(LONGEST_MIN);
        let next = AtomicUsize::new(0);
        let judge = || {
            let mut missed = Vec::new();
            while let Some(mutant) = left.get(next.fetch_add(1, Ordering::Relaxed)) {
                match ask(binary, tree, filters, mutant.id, longest) {
                    Outcome::Passed(_) => {
                        println!("{filters:?} pass with {}", mutant.name);
                        missed.push(mutant.clone());
                    }
                    Outcome::Failed => {}
                    Outcome::Late => {
                        println!("{filters:?} take too long with {}", mutant.name);
                        n_late.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            missed
        };
        let mut missed: Vec<Mutant> = thread::scope(|scope| {
            let jobs: Vec<_> = (0..JOBS).map(|_| scope.spawn(judge)).collect();
            let missed = jobs.into_iter().map(|job| job.join());
            missed.flat_map(|of| of.expect("nobody panics")).collect()
        });
        n_seen.push(left.len() - missed.len());
        missed.sort_by_key(|mutant| mutant.id);
        left = missed;
    }
    Ok(Judged {
        missed: left,
        n_seen,
        n_late: n_late.into_inner(),
    })
}

/// Runs the tests with a mutant on.
fn ask(binary: &Path, tree: &Path, filters: &[&str], id: usize, longest: Duration) -> Outcome {
    let seconds = longest.as_secs() + 1;
    let bounds = format!("ulimit -v {MEMORY_KIB}; ulimit -t {seconds}; exec \"$@\"");
    let child = Command::new("sh")
        .args(["-c", &bounds, "sh"])
        .arg(binary)
        .args(filters)
        .args(["--test-threads", "1", "--skip", "barrier"])
        .current_dir(tree)
        .env("LARDER_MUTANT", id.to_string())
        // The same cases for each, none made smaller, and none added by those before.
        .env("PROPTEST_RNG_SEED", "20251122")
        .env("PROPTEST_MAX_SHRINK_ITERS", "0")
        .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true")
        .env("LARDER_CASES", "48")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .spawn();
    match child {
        Ok(child) => wait(child),
        Err(error) => panic!("the tests can't be started: {error}"),
    }
}

fn wait(mut child: Child) -> Outcome {
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
    let (mut taken, mut n_idle) = (Duration::ZERO, 0);
    let failed = loop {
        match receiver.recv_timeout(LOOK_EACH) {
            Ok(failed) => break failed,
            Err(RecvTimeoutError::Disconnected) => break true,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let before = taken;
        taken = taken.max(taken_by(child.id()));
        n_idle += u32::from(taken == before);
        if n_idle > IDLE_LOOKS_MAX {
            break true;
        }
    };
    taken = taken.max(taken_by(child.id()));
    if failed {
        let _ = child.kill();
    }
    let status = child.wait();
    let _ = reader.join();
    let is_killed = status.as_ref().is_ok_and(|of| of.signal() == Some(SIGKILL));
    match status {
        _ if n_idle > IDLE_LOOKS_MAX => Outcome::Late,
        _ if failed => Outcome::Failed,
        Ok(status) if status.success() => Outcome::Passed(taken),
        // By the system, at the bound of what it may take.
        Ok(_) if is_killed => Outcome::Late,
        _ => Outcome::Failed,
    }
}

const SIGKILL: i32 = 9;

/// What all threads of a process have taken of processors.
fn taken_by(process: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name, in brackets, may hold anything.
    let fields = text.rsplit(')').next().unwrap_or_default();
    let ticks = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u32>().ok());
    ticks.sum::<u32>() * Duration::from_secs(1) / CLOCK_TICKS
}
