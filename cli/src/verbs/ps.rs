//! `ps`: shows the agents.

use clap::{Args, ValueEnum};

use crate::filter::{self, Filter};

/// Shows the agents of the swarm
///
/// Those that have not ended, unless --all is given. A swarm that never was has none.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: alveary ps --all --filter state=exited --format json\n\
                  Filters: name, id, state, capability, ready; the same key twice means either, two keys mean both."
)]
pub(crate) struct Ps {
    /// Show what has ended too
    #[arg(short, long)]
    all: bool,

    /// Print nothing but ids
    #[arg(short, long, conflicts_with = "format")]
    quiet: bool,

    /// Leave long values as they are
    #[arg(long)]
    no_trunc: bool,

    /// Only agents of which this is true
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = filter::parse)]
    filter: Vec<Filter>,

    /// How to print them
    #[arg(long, value_name = "FORM", default_value = "table")]
    format: Format,
}

/// How agents are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned, for people
    Table,
    /// One JSON object a line, for programs
    Json,
}
