//! `kill`: sends agents a signal.

use alveary::Signal;
use clap::Args;

use crate::args::Names;

/// Ends agents by force, or sends them another signal
///
/// Without --signal their whole trees of processes are ended at once, as by `stop -t 0`. Another signal goes to
/// each one's main process, and what comes of it is the agent's own affair.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary kill -s HUP echo")]
pub(crate) struct Kill {
    /// The signal
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    signal: Signal,

    #[command(flatten)]
    names: Names,
}
