//! `inspect`: shows all that is known of agents.

use clap::Args;

use crate::args::Names;

/// Shows all that is known of agents, as JSON
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary inspect echo-1")]
pub(crate) struct Inspect {
    #[command(flatten)]
    names: Names,
}
