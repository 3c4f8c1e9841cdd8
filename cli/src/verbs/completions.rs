//! `completions`: makes a shell complete what is typed.

use std::io;

use clap::Args;
use clap_complete::Shell;
use clap_complete::env::Shells;

use crate::complete::VARIABLE;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output;

/// Prints the completions for a shell
///
/// Verbs and flags, and the names of the swarm's agents, which are read from its state folder and its file: no engine is
/// asked.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: alveary completions bash > ~/.local/share/bash-completion/completions/alveary"
)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

/// What bash wants besides.
const WHOLE_WORDS: &str = include_str!("completions/whole.bash");

/// For zsh, instead of what `clap_complete` has: that puts a space behind every word, and does not answer when it is first asked.
const ZSH: &str = include_str!("completions/alveary.zsh");

impl Completions {
    pub(crate) fn run(&self) -> Result<Outcome, Failure> {
        if self.shell == Shell::Zsh {
            output::print_bytes(ZSH.as_bytes())?;
            return Ok(Outcome::Done);
        }
        let shells = Shells::builtins();
        let name = self.shell.to_string();
        let shell = shells.completer(&name).ok_or_else(|| {
            let other = io::Error::other(format!("nothing is known of {name}"));
            Failure::Output(other)
        })?;
        let mut script = Vec::new();
        shell.write_registration(VARIABLE, "alveary", "alveary", "alveary", &mut script)?;
        if self.shell == Shell::Bash {
            script.extend_from_slice(WHOLE_WORDS.as_bytes());
        }
        output::print_bytes(&script)?;
        Ok(Outcome::Done)
    }
}
