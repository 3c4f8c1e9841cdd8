//! `__supervise`: stays with a detached swarm. Started by `up --detach`, and by nobody else.

use std::convert::Infallible;

use alveary::{Supervision, SwarmManager};
use clap::Args;

use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::outcome::Outcome;
use crate::output::note;
use crate::seat::Seat;

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
        let swarm = context.open_to_start(true).await?.swarm;
        let seat = match swarm.state_dir() {
            Some(folder) => Seat::take(folder)?,
            None => None,
        };
        let Some(seat) = seat else {
            note("others look after this swarm already");
            return Ok(Outcome::Done);
        };
        tokio::select! {
            down = swarm.until_down() => down?,
            () = interrupts.next() => {}
            never = restart(&swarm) => match never {},
        }
        // Before the lease, which goes with the swarm: whoever waits for the end of a swarm waits for that,
        // and the next `up` is to find neither.
        drop(seat);
        Ok(Outcome::Done)
    }
}

/// Restarts the agents as soon as nobody else does: a foreground `up` may do so for a while, or another
/// supervisor to its end.
async fn restart(swarm: &SwarmManager) -> Infallible {
    match swarm.supervision() {
        Ok(Supervision::Other(holder)) => note(format_args!(
            "process {} restarts the agents of this swarm; this one waits until it has ended",
            holder.pid
        )),
        Ok(_) => {}
        Err(error) => note(format_args!(
            "it cannot be seen who restarts agents: {error}"
        )),
    }
    swarm.wait_supervising().await;
    note("this restarts the agents of the swarm from now on");
    std::future::pending().await
}
