//! `down`: stops and removes the whole swarm.

use std::time::Duration;

use clap::Args;

use crate::values;

/// Stops and removes the whole swarm, its supervisor too
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary down --time 2s")]
pub(crate) struct Down {
    /// How long agents have between the signal that asks and force, instead of their own `stop.grace`
    #[arg(short, long, value_name = "TIME", value_parser = values::duration)]
    time: Option<Duration>,
}
