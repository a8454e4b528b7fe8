//! One task in a process of its own, behind a counting allocator; the answer is a line of JSON.

use std::process::ExitCode;

use clap::Parser;
use rivals::alone::Task;
use rivals::counting::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One task in a process of its own; the answer is a line of JSON. `rivals` calls this.
#[derive(Debug, Parser)]
#[command(name = "alone")]
struct Options {
    #[command(subcommand)]
    task: Task,
}

fn main() -> ExitCode {
    let answer = Options::parse().task.run();
    match answer.and_then(|answer| serde_json::to_string(&answer).map_err(|e| e.to_string())) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
