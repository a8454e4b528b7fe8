//! Child processes: what is started, where, and how its failure reads.
//!
//! # Idea         one builder over `std::process::Command` that prints the line it runs, as a person would type it
//! # Invariants   R1 every child runs at the repository's root; R2 what is printed can be pasted into a shell
//! # Not here     which commands there are

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a command of xtask failed, in words for a person.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a program is there. In CI, Debian's package of it is installed if it isn't.
pub(crate) fn is_installed(program: &str, package: &str) -> bool {
    let is_there = || Step::new(program).args(["--version"]).succeeds();
    let install = || {
        let update = Step::new("apt-get").args(["update", "-qq"]);
        let install = Step::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive");
        update.run().and_then(|()| install.run()).is_ok()
    };
    is_there() || env::var_os("CI").is_some() && install() && is_there()
}

/// One child process to run.
#[derive(Debug)]
pub(crate) struct Step {
    program: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Step {
    pub(crate) fn new(program: &str) -> Step {
        Step {
            program: program.to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// A cargo command on the toolchain that runs xtask.
    pub(crate) fn cargo() -> Step {
        Step::new("cargo")
    }

    /// A cargo command on the nightly toolchain. `rustup run` works where `cargo +nightly` doesn't: inside `cargo run`, `cargo`
    /// may be the toolchain's own binary and no proxy.
    pub(crate) fn nightly_cargo() -> Step {
        Step::new("rustup").args(["run", "nightly", "cargo"])
    }

    pub(crate) fn args<I>(mut self, arguments: I) -> Step
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Step {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds flags to a variable that holds a list of them, keeping what the caller's environment has there.
    pub(crate) fn env_flags(self, name: &str, flags: &str) -> Step {
        let value = match env::var(name) {
            Ok(present) if !present.is_empty() => format!("{present} {flags}"),
            _ => flags.to_owned(),
        };
        self.env(name, &value)
    }

    /// Runs the child with its output on ours; an error unless it succeeds.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let line = self.line();
        eprintln!("$ {line}");
        let status = self
            .command()
            .status()
            .map_err(|error| Failure::new(format!("can't start `{line}`: {error}")))?;
        if status.success() {
            Ok(())
        } else {
            Err(Failure::new(format!("`{line}` failed: {status}")))
        }
    }

    /// Runs the child and gives its standard output.
    pub(crate) fn output(self) -> Result<String, Failure> {
        let line = self.line();
        let output = self
            .command()
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| Failure::new(format!("can't start `{line}`: {error}")))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(Failure::new(format!("`{line}` failed: {}", output.status)))
        }
    }

    /// Whether the child can be started and succeeds; its output is dropped.
    pub(crate) fn succeeds(self) -> bool {
        self.command()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(root())
            .stdin(Stdio::null());
        command
    }

    fn line(&self) -> String {
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| format!("{name}={}", quoted(value)));
        let words = self.arguments.iter().map(|word| quoted(word));
        variables
            .chain([self.program.clone()])
            .chain(words)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The repository's root: the folder above this package's.
pub(crate) fn root() -> PathBuf {
    // What cargo says at run time goes first: a binary in a shared target folder may have been built in another checkout.
    let package = env::var("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").to_owned());
    Path::new(&package)
        .parent()
        .expect("xtask is a folder of the repository")
        .to_owned()
}

/// The time, for what is measured or has a limit.
#[expect(
    clippy::disallowed_methods,
    reason = "a tool reads the wall clock; the ban is for the engine"
)]
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./+:,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_line_can_be_pasted() {
        let step = Step::cargo().args(["bench", "it's", ""]).env("A", "b c");
        assert_eq!(step.line(), r"A='b c' cargo bench 'it'\''s' ''");
    }

    #[test]
    fn a_missing_program_is_a_failure_and_no_success() {
        assert!(!Step::new("no-such-program-anywhere").succeeds());
        let failure = Step::new("no-such-program-anywhere").run().unwrap_err();
        assert!(failure.to_string().contains("no-such-program-anywhere"));
    }
}
