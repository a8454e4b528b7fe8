//! What the command line says.

use std::str::FromStr;

pub(crate) const USAGE: &str = "\
torture [--minutes M] [--threads N] [--seed S] [--flood]
  --minutes M   how long (1); the growth of memory is judged from 30 % of that on, which is minute 3 of 10
  --threads N   how many threads (4)
  --seed S      what they draw from (1)
  --flood       the keys that collide alone";

/// See [`USAGE`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Args {
    pub(crate) minutes: f64,
    pub(crate) threads: usize,
    pub(crate) seed: u64,
    pub(crate) flood_alone: bool,
}

impl Args {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Args, String> {
        let mut args = Args {
            minutes: 1.0,
            threads: 4,
            seed: 1,
            flood_alone: false,
        };
        let mut words = words;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--minutes" => args.minutes = number(&word, words.next())?,
                "--threads" => args.threads = number(&word, words.next())?,
                "--seed" => args.seed = number(&word, words.next())?,
                "--flood" => args.flood_alone = true,
                other => return Err(format!("there is no option {other:?}")),
            }
        }
        if !(args.minutes > 0.0 && args.minutes < 1e5) || args.threads == 0 || args.threads > 64 {
            return Err("some minutes and 1 to 64 threads are needed".to_owned());
        }
        Ok(args)
    }
}

fn number<T: FromStr>(option: &str, word: Option<String>) -> Result<T, String> {
    let word = word.ok_or_else(|| format!("{option} wants a number"))?;
    word.parse()
        .map_err(|_| format!("{option} wants a number, not {word:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_said_is_taken_and_nonsense_refused() {
        let args = parse("--minutes 0.5 --threads 2 --seed 9").unwrap();
        assert_eq!((args.minutes, args.threads, args.seed), (0.5, 2, 9));
        for wrong in [
            "--minutes",
            "--minutes x",
            "--threads 0",
            "soon",
            "--minutes 0",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
