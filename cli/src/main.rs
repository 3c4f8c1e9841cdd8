//! The `alveary` program.

mod args;
mod failure;
mod filter;
mod outcome;
mod output;
mod values;
mod verbs;

use std::process::ExitCode;

fn main() -> ExitCode {
    let _cli = args::Cli::read(std::env::args_os());
    outcome::Outcome::Done.into()
}
