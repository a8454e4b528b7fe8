//! Coverage: which numbers of the specification and of the list of faults no test names.
//!
//! # Idea         numbers are read from the documents, names from the sources, and the two lists are joined; the rule by which a
//!   name names a number stands in CONTRIBUTING.md, and in `names`
//! # Costs        one read of every source file and of five documents
//! # Invariants   V1 a number counts for the tests of those who owe it: what a frontend must show, no test of the engine
//!   shows; V2 the last line is `uncovered: N`, and N counts the tables that were asked for; V3 nothing is covered by a test
//!   that isn't run
//! # Not here     whether a test is any good: that is for who writes it, and for planted faults

mod ids;
mod names;
mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use self::ids::{Id, Kind};
use self::names::Named;
use crate::run::{Failure, root};
use crate::tidy;

/// Numbers that belong together, and whose tests count for them.
struct Part {
    /// What it's called on the command line.
    name: &'static str,
    kinds: &'static [Kind],
    /// The numbers of it, where a kind has several owners.
    numbers: std::ops::RangeInclusive<u32>,
    /// Where its tests are: a folder, or anywhere.
    folder: &'static str,
}

const SPEC: [Part; 4] = [
    Part {
        name: "momento",
        kinds: &[Kind::M, Kind::V],
        numbers: 1..=u32::MAX,
        folder: "frontends/http/",
    },
    Part {
        name: "apigee",
        kinds: &[Kind::A, Kind::Expiry],
        numbers: 1..=u32::MAX,
        folder: "frontends/gateway/",
    },
    Part {
        name: "azure",
        kinds: &[Kind::Z, Kind::S],
        numbers: 1..=u32::MAX,
        folder: "frontends/gateway/",
    },
    Part {
        name: "engine",
        kinds: &[Kind::E],
        numbers: 1..=u32::MAX,
        folder: "",
    },
];

const FAULTS: [Part; 3] = [
    Part {
        name: "engine",
        kinds: &[Kind::F],
        numbers: 1..=40,
        folder: "",
    },
    Part {
        name: "http",
        kinds: &[Kind::F],
        numbers: 41..=46,
        folder: "frontends/",
    },
    Part {
        name: "tier",
        kinds: &[Kind::F],
        numbers: 47..=50,
        folder: "tiers/",
    },
];

impl Part {
    fn owns(&self, id: Id) -> bool {
        self.kinds.contains(&id.kind) && self.numbers.contains(&id.number)
    }

    fn counts(&self, test: &Named) -> bool {
        test.path.starts_with(self.folder)
    }
}

/// `cargo xtask spec [momento] [apigee] [azure] [engine] [--check]`: all four without a word.
pub(crate) fn spec(rest: &[String]) -> Result<(), Failure> {
    let (words, check) = words_and_check(rest);
    for word in &words {
        if !SPEC.iter().any(|part| part.name == *word) {
            return Err(Failure::new(format!(
                "spec knows momento, apigee, azure and engine, not {word:?}"
            )));
        }
    }
    let asked: Vec<&Part> = SPEC
        .iter()
        .filter(|part| words.is_empty() || words.contains(&part.name))
        .collect();
    let (known, tests) = read(&root())?;
    let mut n_uncovered = 0;
    for part in asked {
        n_uncovered += table(part, &known, &tests);
    }
    verdict(n_uncovered, check)
}

/// `cargo xtask faults [--write] [--check]`: what the engine owes, 1 to 40, counts; the others are told by owner.
pub(crate) fn faults(rest: &[String]) -> Result<(), Failure> {
    let write = rest.iter().any(|word| word == "--write");
    let rest: Vec<String> = rest.iter().filter(|w| *w != "--write").cloned().collect();
    let (words, check) = words_and_check(&rest);
    if let Some(word) = words.first() {
        return Err(Failure::new(format!("faults takes no {word:?}")));
    }
    let root = root();
    let (known, tests) = read(&root)?;
    let page = page::render(&known, &tests);
    if write {
        fs::write(root.join(page::PATH), &page)
            .map_err(|error| Failure::new(format!("can't write {}: {error}", page::PATH)))?;
        println!("faults: {} written", page::PATH);
    } else if check && fs::read_to_string(root.join(page::PATH)).ok() != Some(page) {
        return Err(Failure::new(format!(
            "{} isn't what the tests say: `cargo xtask faults --write`",
            page::PATH
        )));
    }
    let [engine, others @ ..] = &FAULTS;
    let n_uncovered = table(engine, &known, &tests);
    for part in others {
        let open = uncovered(part, &known, &tests);
        let open: Vec<String> = open.iter().map(Id::to_string).collect();
        println!(
            "faults of {}: {} of {} uncovered {}",
            part.name,
            open.len(),
            known.keys().filter(|id| part.owns(**id)).count(),
            open.join(" ")
        );
    }
    verdict(n_uncovered, check)
}

fn words_and_check(rest: &[String]) -> (Vec<&str>, bool) {
    let words = rest.iter().map(String::as_str);
    let check = rest.iter().any(|word| word == "--check");
    (words.filter(|word| *word != "--check").collect(), check)
}

fn verdict(n_uncovered: usize, check: bool) -> Result<(), Failure> {
    println!("uncovered: {n_uncovered}");
    if check && n_uncovered > 0 {
        return Err(Failure::new(format!("{n_uncovered} numbers have no test")));
    }
    Ok(())
}

/// The numbers with what each is about, and the tests that name any.
fn read(root: &Path) -> Result<(BTreeMap<Id, String>, Vec<Named>), Failure> {
    let text = |path: &str| {
        fs::read_to_string(root.join(path))
            .map_err(|error| Failure::new(format!("can't read {path}: {error}")))
    };
    let mut specification = String::new();
    for document in DOCUMENTS {
        specification.push_str(&text(document)?);
    }
    let mut known = ids::of_specification(&specification);
    known.extend(ids::of_faults(&text("docs/faults.md")?));
    let sources = tidy::sources(root)
        .map_err(|error| Failure::new(format!("can't read sources: {error}")))?;
    let tests = sources
        .iter()
        .filter(|(path, _)| !path.starts_with("fuzz/"))
        .flat_map(|(path, text)| names::of_source(path, text))
        .filter(|test| !test.ids.is_empty())
        .collect();
    Ok((known, tests))
}

/// Read as one text: a number counts wherever it stands.
const DOCUMENTS: [&str; 4] = [
    "docs/spec/momento-http.md",
    "docs/spec/apigee-cache.md",
    "docs/spec/azure-apim-cache.md",
    "docs/spec/engine-vocabulary.md",
];

fn uncovered(part: &Part, known: &BTreeMap<Id, String>, tests: &[Named]) -> Vec<Id> {
    let covered: BTreeSet<Id> = tests
        .iter()
        .filter(|test| part.counts(test))
        .flat_map(|test| test.ids.iter().copied())
        .collect();
    known
        .keys()
        .copied()
        .filter(|id| part.owns(*id) && !covered.contains(id))
        .collect()
}

/// Prints a part's table, what no test names, and what tests name that isn't there; gives the number of gaps.
fn table(part: &Part, known: &BTreeMap<Id, String>, tests: &[Named]) -> usize {
    for id in known.keys().filter(|id| part.owns(**id)) {
        let names: Vec<&str> = naming(part, *id, tests)
            .map(|test| test.name.as_str())
            .collect();
        let shown = match names.as_slice() {
            [] => "-".to_owned(),
            [one] => (*one).to_owned(),
            [one, rest @ ..] => format!("{one} and {} more", rest.len()),
        };
        println!("{:<8} {shown}", id.to_string());
    }
    let strangers = tests.iter().filter(|test| part.counts(test));
    for test in strangers {
        for id in &test.ids {
            if part.owns(*id) && !known.contains_key(id) {
                println!("unknown  {id} in {}: {}", test.path, test.name);
            }
        }
    }
    let open = uncovered(part, known, tests);
    for id in &open {
        println!("uncovered {:<8} {}", id.to_string(), known[id]);
    }
    open.len()
}

/// The tests that name `id` and count for it, in the order of their files.
fn naming<'a>(part: &'a Part, id: Id, tests: &'a [Named]) -> impl Iterator<Item = &'a Named> {
    tests
        .iter()
        .filter(move |test| part.counts(test) && test.ids.contains(&id))
}

#[cfg(test)]
mod tests;
