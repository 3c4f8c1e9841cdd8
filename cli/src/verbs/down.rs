//! `down`: stops and removes the whole swarm.

use std::time::Duration;

use alveary::{DownOptions, ShutdownOptions, StopOptions};
use clap::Args;

use crate::context::Context;
use crate::coordinating::forget;
use crate::failure::{Failure, tell_of};
use crate::outcome::Outcome;
use crate::output::note;
use crate::values;

/// Stops and removes the whole swarm, its supervisor too
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary down --time 2s")]
pub(crate) struct Down {
    /// How long agents have between the signal that asks and force, instead of their own `stop.grace`
    #[arg(short, long, alias = "timeout", value_name = "TIME", value_parser = values::duration)]
    time: Option<Duration>,

    /// The swarm's own volumes, too, with all that its agents have written there
    #[arg(short, long)]
    volumes: bool,
}

impl Down {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let Some(opened) = context.open_existing().await? else {
            note("nothing of this swarm is there");
            return Ok(Outcome::Done);
        };
        let mut stop = StopOptions::default();
        stop.grace = self.time;
        let shutdown = ShutdownOptions::default().with_stop(stop);
        let report = opened
            .swarm
            .down(
                DownOptions::default()
                    .with_shutdown(shutdown)
                    .with_volumes(self.volumes),
            )
            .await?;
        for stopped in &report.stopped {
            match &stopped.result {
                Ok(exit) => note(format_args!("{} {exit}", stopped.name)),
                Err(error) => tell_of(&stopped.name, error),
            }
        }
        for (info, error) in &report.left {
            tell_of(&info.name, error);
        }
        for removed in &report.belongings.removed {
            note(format_args!("{removed} removed"));
        }
        for kept in &report.belongings.kept {
            note(format_args!(
                "{kept} stays; `alveary down --volumes` removes it, too"
            ));
        }
        for (left, error) in &report.belongings.left {
            tell_of(left, error);
        }
        if report.is_complete() {
            if let Some(state) = opened.swarm.state_dir() {
                forget(state)?;
            }
            note(format_args!("{} removed", count(report.removed)));
            Ok(Outcome::Done)
        } else {
            Ok(Outcome::Backend)
        }
    }
}

fn count(agents: usize) -> String {
    match agents {
        1 => "1 agent".to_owned(),
        n => format!("{n} agents"),
    }
}
