//! `wait`: waits for agents to end.

use clap::Args;

use crate::args::Names;

/// Waits until agents have ended for good, and says how
///
/// An agent that is to be restarted has not ended.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary wait --exit-code build && alveary up deploy")]
pub(crate) struct Wait {
    /// End with 1 if any of them failed
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    names: Names,
}
