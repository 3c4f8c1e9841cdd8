//! `task watch`: shows what happens.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::time::Duration;

use alveary::AgentId;
use alveary_agent::protocol::{Event, EventId, Happening, TaskId};
use alveary_agent::{ErrorKind, News, TaskClient};
use clap::Args;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::named;
use crate::coordinating::short;
use crate::failure::{Failure, without_numbers};
use crate::outcome::Outcome;
use crate::output::{self, Form, about, note};

/// Shows what happens, until it is interrupted: tasks, bids, work, agents
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE, after_long_help = about::<Event>(EXAMPLE))]
pub(crate) struct Watch {
    /// After this event, of those that are kept; from now on without it
    #[arg(long, value_name = "EVENT")]
    after: Option<u64>,

    /// Only these tasks, and until they are over
    #[arg(value_name = "TASK")]
    tasks: Vec<String>,
}

/// So long nothing comes behind the last of what is kept.
const QUIET: Duration = Duration::from_secs(2);
const NO_LIMIT: Duration = Duration::from_hours(30 * 366 * 24);

const EXAMPLE: &str = "Example: alveary task watch --format json";

impl Watch {
    pub(super) async fn run(&self, client: &TaskClient, format: &Form) -> Result<Outcome, Failure> {
        let mut news = client.events(self.after.map(EventId)).await?;
        let mut last = self.after.map(EventId);
        let (mut open, mut over) = (HashSet::new(), HashSet::new());
        let mut all_over = None;
        for named in &self.tasks {
            let task = named::find(client, named).await?;
            if !task.status.is_over() {
                open.insert(task.id);
            } else if self.after.is_some() {
                // How it went is among what is asked for, where that is still kept.
                over.insert(task.id);
                all_over = all_over.max(task.completed_at);
            }
        }
        let mut names = Names::known(client).await?;
        let only = !self.tasks.is_empty();
        while !only || !open.is_empty() || !over.is_empty() {
            // What is kept comes at once: of tasks that are over nothing comes behind it.
            let is_told = only && open.is_empty();
            let limit = if is_told { QUIET } else { NO_LIMIT };
            let Ok(next) = timeout(limit, news.next()).await else {
                break;
            };
            let event = match next {
                Some(Ok(News::Event(event))) => event,
                Some(Ok(News::Missed)) => {
                    note("some of what happened is not kept any more");
                    continue;
                }
                Some(Err(error)) if !error.kind().passes() => return Err(error.into()),
                // It was restarted, or does not keep up with us: what is kept is told from where this was.
                Some(Err(_)) | None => {
                    news = again(client, last).await?;
                    continue;
                }
            };
            last = Some(event.id);
            names.hear(&event.what);
            if all_over.is_some_and(|all_over| event.at > all_over) {
                // How they went stands before it, or is not kept any more.
                over.clear();
            }
            let is_meant = |task: TaskId| open.contains(&task) || over.contains(&task);
            if only && !task_of(&event.what).is_some_and(is_meant) {
                continue;
            }
            print(&event, &names, format)?;
            if let Happening::Completed { task, .. } | Happening::Failed { task, .. } = event.what {
                open.remove(&task);
                over.remove(&task);
            }
        }
        Ok(Outcome::Done)
    }
}

/// Waits for a coordinator that was lost.
async fn again(
    client: &TaskClient,
    last: Option<EventId>,
) -> Result<alveary_agent::EventStream, Failure> {
    const PAUSE: Duration = Duration::from_millis(500);
    let mut told = false;
    loop {
        match client.events(last).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                if !std::mem::replace(&mut told, true) {
                    let error = without_numbers(&error.to_string());
                    note(format_args!("waiting for the coordinator: {error}"));
                }
                tokio::time::sleep(error.after().unwrap_or(PAUSE)).await;
            }
            answer => return Ok(answer?),
        }
    }
}

/// What people call agents.
#[derive(Debug)]
struct Names(HashMap<AgentId, String>);

impl Names {
    async fn known(client: &TaskClient) -> Result<Self, Failure> {
        let agents = client.agents().await?;
        let named = agents.into_iter().map(|agent| (agent.id, agent.name));
        Ok(Self(named.collect()))
    }

    fn hear(&mut self, what: &Happening) {
        if let Happening::AgentRegistered { agent, name } = what {
            self.0.insert(agent.clone(), name.clone());
        }
    }

    /// The agent's name, or its id if it never said one.
    fn of<'a>(&'a self, agent: &'a AgentId) -> &'a str {
        self.0.get(agent).map_or(agent.as_str(), String::as_str)
    }
}

fn print(event: &Event, names: &Names, format: &Form) -> Result<(), Failure> {
    let mut out = output::stdout();
    if format.is_plain() {
        let line = format!("{} {}", event.at, sentence(&event.what, names));
        writeln!(out, "{}", alveary::Escaped(&line))?;
    } else {
        format.write(&mut out, event)?;
    }
    out.flush()?;
    Ok(())
}

fn task_of(what: &Happening) -> Option<TaskId> {
    match what {
        Happening::TaskAdded { task }
        | Happening::AuctionOpened { task, .. }
        | Happening::BidPlaced { task, .. }
        | Happening::Assigned { task, .. }
        | Happening::Started { task, .. }
        | Happening::Superseded { task, .. }
        | Happening::LateReport { task, .. }
        | Happening::Completed { task, .. }
        | Happening::Failed { task, .. } => Some(*task),
        _ => None,
    }
}

fn sentence(what: &Happening, names: &Names) -> String {
    let task = task_of(what).map(short).unwrap_or_default();
    let name = |agent| names.of(agent);
    match what {
        Happening::TaskAdded { .. } => format!("{task} given"),
        Happening::AuctionOpened { auction, .. } => {
            format!("{task} open for bids, auction {auction}")
        }
        Happening::BidPlaced { agent, sats, .. } => {
            format!("{task} bid of {sats} sats by {}", name(agent))
        }
        Happening::Assigned { agent, sats, .. } => {
            format!("{task} won by {} for {sats} sats", name(agent))
        }
        Happening::Started { agent, attempt, .. } => {
            format!("{task} begun by {}, attempt {attempt}", name(agent))
        }
        Happening::Superseded { agent, why, .. } => {
            format!("{task} taken from {}: {why}", name(agent))
        }
        Happening::LateReport { agent, .. } => {
            format!("{task} late report by {}, refused", name(agent))
        }
        Happening::Completed { agent, .. } => format!("{task} completed by {}", name(agent)),
        Happening::Failed { reason, .. } => format!("{task} failed: {reason}"),
        Happening::AgentRegistered { agent, name } => format!("agent {name} is here ({agent})"),
        Happening::AgentChanged { agent, status } => {
            format!("agent {} is {status}", name(agent))
        }
        _ => "something that this version does not know".to_owned(),
    }
}
