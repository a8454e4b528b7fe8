//! The rows of hit ratios on traces.
//!
//! # Idea         what `cargo xtask hitratio` runs: with one stripe and one thread, then with more of either
//! # Costs        some minutes; a build of the example, once
//! # Invariants   H1 without traces, or in a quick run, the rows come out unmeasured
//! # Not here     replaying traces

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Wish, tell};
use crate::judge::{Goal, Lane, Limit, Row};

/// A row: what the example is told, and what its figure is compared with.
struct Plan {
    name: &'static str,
    label: &'static str,
    words: &'static [&'static str],
    goal: Option<Goal>,
}

const ALONE: &str = "larder, 1 stripe, 1 thread";

const PLANS: [Plan; 4] = [
    Plan {
        name: "hit ratio, mean hit/OPT, 1 stripe, 1 thread",
        label: ALONE,
        words: &[],
        goal: Some(Goal::table(Limit::Min(86.5))),
    },
    Plan {
        name: "hit ratio, behind 1 thread: 4 threads",
        label: "larder, 1 stripe, 4 threads",
        words: &["--threads", "4"],
        goal: Some(Goal::table(Limit::BehindMax(0.3))),
    },
    Plan {
        name: "hit ratio, behind 1 stripe: default stripes",
        label: "larder, default stripes, 1 thread",
        words: &["--default-stripes"],
        goal: Some(Goal::table(Limit::BehindMax(0.3))),
    },
    Plan {
        name: "hit ratio, behind both: default stripes, 4 threads",
        label: "larder, default stripes, 4 threads",
        words: &["--default-stripes", "--threads", "4"],
        goal: None,
    },
];

pub(super) fn run(wish: &Wish) -> Vec<Row> {
    let plans: Vec<&Plan> = PLANS.iter().filter(|plan| wish.wants(plan.name)).collect();
    if plans.is_empty() {
        return Vec::new();
    }
    let replayed = |words: &[&str]| replay(wish, words).and_then(|text| means(&text));
    let base = replayed(PLANS[0].words);
    let mut rows = Vec::new();
    for plan in &plans {
        let means = if plan.label == ALONE {
            base.clone()
        } else if base.is_ok() {
            replayed(plan.words)
        } else {
            Err("as above".to_owned())
        };
        let row = plan.judged(means, &base);
        tell(&row);
        rows.push(row);
    }
    rows
}

/// Names of caches and their means, in per cent of the optimum.
type Means = Vec<(String, f64)>;

impl Plan {
    fn judged(&self, means: Result<Means, String>, base: &Result<Means, String>) -> Row {
        let own = |means: &Result<Means, String>, label: &str| match means {
            Ok(means) => Lane::of(label, means.iter().take(1).map(|mean| mean.1).collect()),
            Err(why) => Lane::absent(label, why.clone()),
        };
        let mut lanes = vec![own(&means, self.label)];
        if self.label != ALONE {
            lanes.push(own(base, ALONE));
        }
        let peers = means.iter().flatten().skip(1);
        lanes.extend(peers.map(|(name, mean)| Lane::of(name, vec![*mean])));
        Row {
            name: self.name.to_owned(),
            section: "hit ratio",
            unit: "%",
            lanes,
            base: Some(usize::from(self.label != ALONE)),
            goal: self.goal,
            note: Some(
                "per cent of the optimum's hits, mean over points; peers: the figures that come with the traces, of one thread"
                    .to_owned(),
            ),
        }
    }
}

/// What the example says.
fn replay(wish: &Wish, words: &[&str]) -> Result<String, String> {
    if !wish.scale.is_whole {
        return Err("is replayed in a whole run alone".to_owned());
    }
    let traces = wish.traces.clone().unwrap_or_else(beside);
    if !traces.is_dir() {
        return Err(format!("there are no traces in {}", traces.display()));
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["run", "--release", "--quiet", "-p", "larder"])
        .args(["--example", "hitratio", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .args(["--", "--traces"])
        .arg(&traces)
        .args(words)
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(said.lines().last().unwrap_or("it failed").to_owned())
    }
}

/// Where the traces are if nobody says: beside the repository, as for `cargo xtask hitratio`.
fn beside() -> PathBuf {
    match env::var_os("LARDER_TRACES") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces"),
    }
}

/// The line of means, under the names of its columns.
fn means(text: &str) -> Result<Means, String> {
    let words = |begin: &str, last: &str| {
        let line = text.lines().find(|line| line.starts_with(begin))?;
        let (_, rest) = line.split_once(last)?;
        Some(rest.split_whitespace().map(str::to_owned).collect())
    };
    let names: Option<Vec<String>> = words("trace", "capacity");
    let means: Option<Vec<String>> = words("mean of hit/OPT", "hit/OPT");
    let (Some(names), Some(means)) = (names, means) else {
        return Err("the example printed no means".to_owned());
    };
    let both = names.into_iter().zip(means);
    let both = both.filter_map(|(name, mean)| Some((name, mean.parse().ok()?)));
    let means: Means = both
        .filter(|(name, _)| !name.starts_with("proto"))
        .collect();
    if means.first().is_some_and(|mean| mean.0 == "larder") {
        Ok(means)
    } else {
        Err("the example printed no mean of larder".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;

    const TEXT: &str = "by count of entries: hit ratio, %\n\
        trace           size   capacity  larder     OPT  quick_cache\n\
        web07          0.1 %         98   11.00   20.00        9.00\n\
        mean of hit/OPT                   86.60  100.00       75.38\n\
        10th percentile                   60.00  100.00           -\n\
        mean hit/OPT: 86.60\n";

    #[test]
    fn means_are_under_their_names() {
        let means = means(TEXT).unwrap();
        assert_eq!(means[0], ("larder".to_owned(), 86.6));
        assert_eq!(means[2], ("quick_cache".to_owned(), 75.38));
        assert!(super::means("nothing\n").is_err());
    }

    #[test]
    fn more_threads_are_compared_with_one() {
        let means = |own| Ok(vec![("larder".to_owned(), own)]);
        let verdict =
            |plan: usize, own, base| PLANS[plan].judged(means(own), &means(base)).verdict();
        assert_eq!(verdict(0, 86.5, 86.5), Verdict::Held);
        assert_eq!(verdict(0, 86.4, 86.4), Verdict::Lost);
        assert_eq!(verdict(1, 86.3, 86.5), Verdict::Held);
        assert_eq!(verdict(1, 86.1, 86.5), Verdict::Lost);
        let unmeasured = PLANS[1].judged(Err("no traces".to_owned()), &means(86.5));
        assert_eq!(unmeasured.verdict(), Verdict::Unmeasured);
    }
}
