//! `man`: writes the manual's pages.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory, ValueHint};

use crate::args::Cli;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::note;

/// Writes the manual: a page for `man` of the program and of each verb
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary man ~/.local/share/man/man1, and then man alveary-up")]
pub(crate) struct Man {
    /// The folder that they go into, which is made if need be; what is there under their names is replaced
    #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
}

impl Man {
    pub(crate) fn run(&self) -> Result<Outcome, Failure> {
        let written = fs::create_dir_all(&self.folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &self.folder));
        written.map_err(|error| {
            Failure::input(
                format!("{} cannot be written: {error}", self.folder.display()),
                "let yourself write there, or name another folder",
            )
        })?;
        note(format_args!(
            "the pages are in {}; `man -l {}` shows the first",
            self.folder.display(),
            self.folder.join("alveary.1").display()
        ));
        Ok(Outcome::Done)
    }
}
