//! `man`: writes the manual's pages.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::{Args, Command, CommandFactory, ValueHint};

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
        let mut program = Cli::command().disable_help_subcommand(true);
        program.build();
        let written = fs::create_dir_all(&self.folder).and_then(|()| write(&program, &self.folder));
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

/// Writes the page of a verb, and those of its own verbs.
fn write(verb: &Command, folder: &Path) -> io::Result<()> {
    for verb in verb.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        write(verb, folder)?;
    }
    // At its lower edge a page names what it belongs to, of which a verb knows nothing. A date that is left out altogether
    // would have that stand in its place.
    let page = clap_mangen::Man::new(verb.clone())
        .date(" ")
        .source(concat!("alveary ", env!("CARGO_PKG_VERSION")));
    page.generate_to(folder).map(drop)
}
