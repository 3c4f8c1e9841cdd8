//! `rm`: forgets agents that have ended.

use clap::Args;

use crate::args::Names;

/// Removes agents that have ended, with what they wrote and how they ended
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary rm -f echo-3")]
pub(crate) struct Rm {
    /// End those by force that have not ended
    #[arg(short, long)]
    force: bool,

    #[command(flatten)]
    names: Names,
}
