//! The rows that other processes measure: memory, the byte bound, a million entries due at once.
//!
//! # Idea         binary `alone` stands beside this one; under cargo it is built first, so that both are of one state of the sources
//! # Costs        one process a contender, one after the other
//! # Invariants   AL1 a process that fails leaves its lane absent, with what it said
//! # Not here     what the processes do: module `alone` of the package

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Wish, tell};
use crate::alone::{Answer, Task};
use crate::contender::STRETTO_EVICTS;
use crate::judge::{Goal, Lane, Limit, Row};

/// What can be bounded, and so be weighed.
const BOUNDED: [&str; 8] = [
    "larder",
    "quick_cache",
    "moka",
    "mini-moka",
    "foyer",
    "TinyUFO",
    "scc",
    "stretto",
];
/// What knows a time to live.
const EXPIRING: [&str; 4] = ["larder", "moka", "mini-moka", "stretto"];

const MIB: u64 = 1 << 20;

pub(super) fn run(wish: &Wish) -> Vec<Row> {
    let mut helper = Helper(None);
    let mut rows = memory(wish, &mut helper);
    rows.extend(expiry(wish, &mut helper));
    rows.extend(bound(wish, &mut helper));
    rows.iter().for_each(tell);
    rows
}

fn memory(wish: &Wish, helper: &mut Helper) -> Vec<Row> {
    let n_entries = wish.scale.n_weighed;
    let goal = Some(Goal::table(Limit::Max(96.0)));
    let rows = [
        (
            "memory above key and value, TTL, as asked of the allocator",
            "asked",
            goal,
        ),
        (
            "memory above key and value, TTL, as malloc rounds it",
            "rounded",
            None,
        ),
        (
            "memory above key and value, TTL, most ever held",
            "peak",
            None,
        ),
        (
            "memory above key and value, TTL, resident pages",
            "resident",
            None,
        ),
    ];
    let rows = rows.into_iter().filter(|row| wish.wants(row.0));
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let answers = BOUNDED.map(|contender| {
        if contender == "stretto" {
            return (contender, Err(STRETTO_EVICTS.to_owned()));
        }
        let task = Task::Memory {
            contender: contender.to_owned(),
            entries: n_entries,
        };
        (contender, helper.ask(&task))
    });
    let note = format!(
        "bytes an entry; {n_entries} entries, 32 B + 64 B, after three capacities of churn. quick_cache, foyer, TinyUFO and scc \
         have no deadlines; TinyUFO keeps no keys and is taken at its bound{}",
        account(&answers[0].1)
    );
    rows.into_iter()
        .map(|(name, figure, goal)| Row {
            name: name.to_owned(),
            section: "memory",
            unit: "B",
            lanes: answers
                .iter()
                .map(|(contender, answer)| lane(contender, answer, figure))
                .collect(),
            base: Some(1),
            goal,
            note: Some(note.clone()),
        })
        .collect()
}

/// Larder's own account of its bytes.
fn account(answer: &Result<Answer, String>) -> String {
    let parts = answer.iter().flatten().filter_map(|(name, bytes)| {
        let name = name.strip_prefix("account: ")?;
        Some(format!("{name} {bytes:.1}"))
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!(". larder: {}", parts.join(", "))
    }
}

fn expiry(wish: &Wish, helper: &mut Helper) -> Vec<Row> {
    let n_entries = wish.scale.n_due;
    let untouched = Row {
        name: "expiry untouched, share back within 1 s".to_owned(),
        section: "expiry",
        unit: "%",
        lanes: Vec::new(),
        base: None,
        goal: Some(Goal::table(Limit::Min(99.0))),
        note: Some(format!(
            "{n_entries} entries due at one moment, nobody calls. larder: of its entries' bytes, with a janitor; the peers: of all \
             that they took"
        )),
    };
    let called = Row {
        name: "expiry, longest call meanwhile, us".to_owned(),
        unit: "us",
        goal: Some(Goal::table(Limit::Max(100.0))),
        note: Some(format!(
            "{n_entries} entries due at one moment, one thread gets and inserts; calls in which the system took the core away are \
             left out"
        )),
        ..untouched.clone()
    };
    let nearly_all = Row {
        name: "expiry, p99.99 of calls meanwhile, us".to_owned(),
        goal: Some(Goal::promise(Limit::Max(100.0))),
        note: Some("of all its calls, whatever the system did meanwhile".to_owned()),
        ..called.clone()
    };
    let asked: [(Row, Ask, &str); 3] = [
        (
            untouched,
            |contender, entries| Task::Untouched { contender, entries },
            "back after 1000 ms, %",
        ),
        (
            called,
            |contender, entries| Task::Called { contender, entries },
            "longest, us",
        ),
        (
            nearly_all,
            |contender, entries| Task::Called { contender, entries },
            "p99.99, us",
        ),
    ];
    let mut rows = Vec::new();
    for (mut row, task, figure) in asked {
        if !wish.wants(&row.name) {
            continue;
        }
        for contender in EXPIRING {
            row.lanes
                .push(if contender == "larder" || wish.scale.is_whole {
                    let answer = helper.ask(&task(contender.to_owned(), n_entries));
                    lane(contender, &answer, figure)
                } else {
                    Lane::absent(contender, "is asked in a whole run alone")
                });
        }
        let without = BOUNDED.iter().filter(|name| !EXPIRING.contains(name));
        let absent = without.map(|name| Lane::absent(*name, "has no time to live"));
        row.lanes.extend(absent);
        rows.push(row);
    }
    rows
}

/// The question about a contender and so many entries.
type Ask = fn(String, usize) -> Task;

fn bound(wish: &Wish, helper: &mut Helper) -> Vec<Row> {
    let mut rows = Vec::new();
    for bytes in [64 * MIB, 256 * MIB] {
        let name = |what: &str| format!("bound of {} MiB, {what}", bytes / MIB);
        let asked = [
            (name("most charged"), "charged, %", 100.0),
            (name("most handed out"), "handed out, %", 102.0),
        ];
        let asked: Vec<_> = asked.into_iter().filter(|row| wish.wants(&row.0)).collect();
        if asked.is_empty() {
            continue;
        }
        let seconds = wish.scale.bound_s;
        let answer = helper.ask(&Task::Bound { bytes, seconds });
        rows.extend(asked.into_iter().map(|(name, figure, max)| Row {
            name,
            section: "bound",
            unit: "%",
            lanes: vec![lane("larder", &answer, figure)],
            base: None,
            goal: Some(Goal::promise(Limit::Max(max))),
            note: Some(format!(
                "{seconds} s of churn by 4 threads, 16 B to 1 MiB, a reader parked inside `read`; of the bound"
            )),
        }));
    }
    rows
}

fn lane(contender: &str, answer: &Result<Answer, String>, figure: &str) -> Lane {
    match answer {
        Ok(figures) => match figures.get(figure) {
            Some(&value) => Lane::of(contender, vec![value]),
            None => Lane::absent(contender, format!("gave no {figure:?}")),
        },
        Err(why) => Lane::absent(contender, why.clone()),
    }
}

/// The other binary, found when it is first asked.
struct Helper(Option<Result<PathBuf, String>>);

impl Helper {
    fn ask(&mut self, task: &Task) -> Result<Answer, String> {
        let path = self.0.get_or_insert_with(find).clone()?;
        let output = Command::new(path)
            .args(task.words())
            .output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(said.lines().last().unwrap_or("it failed").to_owned());
        }
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
    }
}

/// Builds the other binary if cargo is what started this one.
fn find() -> Result<PathBuf, String> {
    let own = env::current_exe().map_err(|error| error.to_string())?;
    let other = own.with_file_name(format!("alone{}", env::consts::EXE_SUFFIX));
    if let Some(cargo) = env::var_os("CARGO") {
        build(Path::new(&cargo), &own)?;
    }
    if other.exists() {
        Ok(other)
    } else {
        Err(format!(
            "{} is missing: `cargo build --release -p rivals --bins`",
            other.display()
        ))
    }
}

fn build(cargo: &Path, own: &Path) -> Result<(), String> {
    // target/PROFILE/rivals
    let folder = own.parent().ok_or("this program is in no folder")?;
    let target = folder.parent().ok_or("its folder is in no folder")?;
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let built = Command::new(cargo)
        .args(["build", "--quiet", "-p", "rivals", "--bin", "alone"])
        .args(["--profile", profile, "--target-dir"])
        .arg(target)
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .status()
        .map_err(|error| error.to_string())?;
    if built.success() {
        Ok(())
    } else {
        Err("binary `alone` can't be built".to_owned())
    }
}
