//! The gateway; see the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    larder_gateway::program::Program::parse().run()
}
