//! `completions`: makes a shell complete what is typed.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output;

/// Prints the completions for a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Example: alveary completions bash > ~/.local/share/bash-completion/completions/alveary"
)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<Outcome, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "alveary", &mut script);
        output::print_bytes(&script)?;
        Ok(Outcome::Done)
    }
}
