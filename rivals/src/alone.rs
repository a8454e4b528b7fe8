//! What must have a process for itself, because the allocator or the whole process is looked at.
//!
//! # Idea         a task answers with named figures, which binary `alone` prints as one line of JSON; rows ask it
//! # Costs        those of the task
//! # Invariants   A1 tasks run in a process whose allocator counts, and nothing else runs in it
//! # Not here     which rows they are for, and their goals

mod bound;
mod expiry;
mod memory;

use std::collections::BTreeMap;

use clap::Subcommand;

/// Named figures; what they are counted in is part of the name.
pub type Answer = BTreeMap<String, f64>;

/// What a process is asked for.
#[derive(Debug, Clone, Subcommand)]
pub enum Task {
    /// Bytes above key and value, after three capacities of churn
    Memory {
        /// The cache
        contender: String,
        /// Its bound
        entries: usize,
    },
    /// The byte bound under churn of values from 16 B to 1 MiB
    Bound {
        /// The bound
        bytes: u64,
        /// How long
        seconds: u64,
    },
    /// Entries that are all due at one moment: what comes back though nobody calls
    Untouched {
        /// The cache
        contender: String,
        /// How many
        entries: usize,
    },
    /// The same, and how long calls take meanwhile
    Called {
        /// The cache
        contender: String,
        /// How many
        entries: usize,
    },
}

impl Task {
    /// Does it.
    ///
    /// # Errors
    /// If the contender can't do it, or the machine was too slow for the figures to mean something.
    pub fn run(&self) -> Result<Answer, String> {
        match self {
            Self::Memory { contender, entries } => memory::run(contender, *entries),
            Self::Bound { bytes, seconds } => Ok(bound::run(*bytes, *seconds)),
            Self::Untouched { contender, entries } => expiry::untouched(contender, *entries),
            Self::Called { contender, entries } => expiry::called(contender, *entries),
        }
    }

    /// The words of the command line that ask for it.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Memory { contender, entries } => words("memory", contender, entries),
            Self::Bound { bytes, seconds } => words("bound", &bytes.to_string(), seconds),
            Self::Untouched { contender, entries } => words("untouched", contender, entries),
            Self::Called { contender, entries } => words("called", contender, entries),
        }
    }
}

fn words(task: &str, what: &str, how_much: &impl ToString) -> Vec<String> {
    vec![task.to_owned(), what.to_owned(), how_much.to_string()]
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Options {
        #[command(subcommand)]
        task: Task,
    }

    #[test]
    fn a_task_survives_the_command_line() {
        let contender = "larder".to_owned();
        let entries = 7;
        let tasks = [
            Task::Memory {
                contender: contender.clone(),
                entries,
            },
            Task::Bound {
                bytes: 1 << 20,
                seconds: 2,
            },
            Task::Untouched {
                contender: contender.clone(),
                entries,
            },
            Task::Called { contender, entries },
        ];
        for task in tasks {
            let line = ["alone".to_owned()].into_iter().chain(task.words());
            let parsed = Options::try_parse_from(line).unwrap().task;
            assert_eq!(format!("{parsed:?}"), format!("{task:?}"));
        }
        assert!(Options::try_parse_from(["alone", "memory", "larder", "many"]).is_err());
    }

    #[test]
    fn who_does_not_exist_cannot_be_weighed() {
        let task = Task::Memory {
            contender: "nobody".to_owned(),
            entries: 10,
        };
        assert!(task.run().unwrap_err().contains("nobody"));
    }
}
