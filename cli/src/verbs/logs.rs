//! `logs`: shows what agents wrote.

use std::time::SystemTime;

use clap::Args;

use crate::values;

/// Shows what agents wrote
///
/// On a terminal, what could drive it is shown escaped. Into a pipe every byte goes out as it was written: of
/// one agent nothing else, of several with the name before each line unless --no-prefix is given.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary logs -f --since 10m echo")]
pub(crate) struct Logs {
    /// Go on with what is written from now on
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Only the last so many lines of each agent's two streams
    #[arg(short = 'n', long, value_name = "LINES")]
    tail: Option<u64>,

    /// Nothing older than this moment, or than so long ago
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    since: Option<SystemTime>,

    /// Nothing younger than this moment, or than so long ago
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    until: Option<SystemTime>,

    /// The time before each line
    #[arg(short, long)]
    timestamps: bool,

    /// No name before each line
    #[arg(long)]
    no_prefix: bool,

    /// Agents, by name, by group, by id or by the beginning of an id; all without it
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}
