//! The server; see the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    larder_http::Program::parse().run()
}
