//! `up`: brings the swarm up as its file says.

use std::time::Duration;

use clap::Args;

use crate::values;

/// Brings the swarm up as its file says
///
/// Starts what is not running, starts anew what the file has changed, and leaves the rest alone. In the
/// foreground it shows what the agents write, restarts those that are to be restarted, and ends when all have
/// ended; Ctrl-C stops them. With --detach it returns when all have started, and a supervisor of its own stays
/// with them.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary up --detach --wait --wait-timeout 30s")]
pub(crate) struct Up {
    /// Return when all have started, and leave them running
    #[arg(short, long)]
    detach: bool,

    /// With --detach: return when all are ready
    #[arg(long, requires = "detach")]
    wait: bool,

    /// How long --wait may take
    #[arg(long, value_name = "TIME", requires = "wait", default_value = "5m", value_parser = values::duration)]
    wait_timeout: Duration,

    /// Stop and remove agents that the file does not name any more
    #[arg(long)]
    prune: bool,

    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// Only these agents or groups of the file, and what they come after
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}
