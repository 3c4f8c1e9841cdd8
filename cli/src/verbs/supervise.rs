//! `__supervise`: stays with a detached swarm. Started by `up --detach`, and by nobody else.

use std::time::Duration;

use alveary::Supervision;
use clap::Args;

use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::outcome::Outcome;
use crate::output::note;

/// How long one that is ending may take to let go of the swarm.
const PATIENCE: Duration = Duration::from_secs(2);

/// Stays with a detached swarm
#[derive(Debug, Args)]
pub(crate) struct Supervise {}

impl Supervise {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        // A terminal that is closed takes its session with it: this is another.
        if let Err(error) = rustix::process::setsid() {
            note(format_args!("this stays in its caller's session: {error}"));
        }
        let mut interrupts = Interrupts::take()?;
        let opened = context.open_to_start(true).await?;
        let swarm = opened.swarm;
        let ours = tokio::time::timeout(PATIENCE, swarm.wait_supervising()).await;
        if ours.is_err()
            && let Supervision::Other(holder) = swarm.supervision()?
        {
            note(format_args!(
                "process {} looks after this swarm already",
                holder.pid
            ));
            return Ok(Outcome::Done);
        }
        tokio::select! {
            down = swarm.until_down() => down?,
            () = interrupts.next() => {}
        }
        Ok(Outcome::Done)
    }
}
