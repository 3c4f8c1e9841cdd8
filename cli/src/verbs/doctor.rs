//! `doctor`: says how well agents can be run here.

use clap::Args;

/// Says how well agents can be run here, what is missing, and what would help
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary doctor --backend process")]
pub(crate) struct Doctor {}
