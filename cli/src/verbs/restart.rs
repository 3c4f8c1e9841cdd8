//! `restart`: stops agents and starts them again.

use std::time::Duration;

use clap::Args;

use crate::args::Names;
use crate::values;

/// Stops agents and starts them again, as they were started last
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary restart echo-2")]
pub(crate) struct Restart {
    /// How long they have between the signal that asks and force, instead of their own `stop.grace`
    #[arg(short, long, value_name = "TIME", value_parser = values::duration)]
    time: Option<Duration>,

    #[command(flatten)]
    names: Names,
}
