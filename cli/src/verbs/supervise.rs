//! `__supervise`: stays with a detached swarm. Started by `up --detach`, and by nobody else.

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use alveary::{MetricsTable, Supervision, SwarmEvent, SwarmManager};
use clap::Args;
use futures_util::{FutureExt, StreamExt};

use crate::context::Context;
use crate::coordinating::Beside;
use crate::failure::{Failure, without_numbers};
use crate::interrupt::Interrupts;
use crate::outcome::Outcome;
use crate::output::note;
use crate::scrape::{self, Scrape};
use crate::seat::Seat;

/// How long agents may go on to report while the swarm is taken down.
const LAST_REPORTS: Duration = Duration::from_secs(15);

/// Stays with a detached swarm
#[derive(Debug, Args)]
pub(crate) struct Supervise {
    /// Where numbers are served
    #[arg(long)]
    metrics: Option<SocketAddr>,
}

impl Supervise {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        // A terminal that is closed takes its session with it: this is another.
        if let Err(error) = rustix::process::setsid() {
            let error = without_numbers(&error.to_string());
            note(format_args!("this stays in its caller's session: {error}"));
        }
        let mut interrupts = Interrupts::take()?;
        let mut opened = context.open_to_supervise().await?;
        if let Some(listen) = self.metrics {
            opened.fleet.metrics = Some(MetricsTable::at(listen));
        }
        let opened = opened;
        let swarm = &opened.swarm;
        let seat = match swarm.state_dir() {
            Some(folder) => Seat::take(folder)?,
            None => None,
        };
        let Some(seat) = seat else {
            note("others look after this swarm already");
            return Ok(Outcome::Done);
        };
        // Agents are restarted whether or not anybody can read numbers.
        let scrape = match Scrape::begin(&opened).await {
            Ok(scrape) => scrape,
            Err(failure) => {
                scrape::refuse(&failure, swarm.state_dir());
                std::future::pending().boxed()
            }
        };
        let mut beside = Beside::begin(&opened);
        tokio::select! {
            down = swarm.until_down() => {
                down?;
                // Who is being stopped may still have something to report.
                until_nobody_lives(swarm).await;
            }
            () = interrupts.next() => {}
            failure = beside.failed() => return Err(failure),
            never = restart(swarm) => match never {},
            never = scrape => match never {},
        }
        beside.end().await?;
        // Before the lease, which goes with the swarm: whoever waits for the end of a swarm waits for that,
        // and the next `up` is to find neither.
        drop(seat);
        Ok(Outcome::Done)
    }
}

/// Waits until all agents have ended, and not for ever: somebody may have changed their mind about the end.
async fn until_nobody_lives(swarm: &SwarmManager) {
    let mut events = swarm.subscribe().await;
    let mut living = HashSet::new();
    let nobody_lives = async {
        while let Some(event) = events.next().await {
            match event {
                SwarmEvent::Snapshot(agents) => {
                    let alive = agents
                        .into_iter()
                        .filter(|agent| !agent.state().has_ended());
                    living = alive.map(|agent| agent.info.id).collect();
                }
                SwarmEvent::Changed(agent) if agent.state().has_ended() => {
                    living.remove(agent.id());
                }
                SwarmEvent::Removed(agent) => {
                    living.remove(&agent);
                }
                _ => {}
            }
            if living.is_empty() {
                return;
            }
        }
    };
    // Late or not, this ends.
    let _ = tokio::time::timeout(LAST_REPORTS, nobody_lives).await;
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
            "it cannot be seen who restarts agents: {}",
            without_numbers(&error.to_string())
        )),
    }
    swarm.wait_supervising().await;
    note("this restarts the agents of the swarm from now on");
    std::future::pending().await
}
