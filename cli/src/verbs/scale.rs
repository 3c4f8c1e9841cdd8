//! `scale`: changes how many members groups have.

use clap::Args;

use crate::values::{self, Count};

/// Changes how many members groups have
///
/// Members are added and taken away at the end of the group; those that are taken away are stopped and removed.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary scale echo=10 scribe=0")]
pub(crate) struct Scale {
    /// A group of the file, and how many members it is to have
    #[arg(value_name = "NAME=N", required = true, value_parser = values::count)]
    counts: Vec<Count>,
}
