//! `scale`: changes how many members groups have.

use alveary::{Agent, Error, ErrorKind, FleetAgent, SwarmManager, UpOptions, UpOutcome};
use clap::Args;

use crate::coming;
use crate::complete;
use crate::context::{Context, note_followed, note_supervision};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::note;
use crate::steps;
use crate::together::{Together, Unstarted};
use crate::values::{self, Count};

/// Changes how many members groups have
///
/// Members are added and taken away at the end of the group; those that are taken away are stopped and removed. An agent
/// without `count` in the file has no number: where there are to be several, it gives way to those that have one.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary scale echo=10 scribe=0")]
pub(crate) struct Scale {
    /// A group of the file, and how many members it is to have
    #[arg(value_name = "NAME=N", required = true, value_parser = values::count, add = complete::counts())]
    counts: Vec<Count>,
}

impl Scale {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let opened = context.open().await?;
        note_followed(&opened);
        let (swarm, fleet) = (&opened.swarm, &opened.fleet);
        if !fleet.file.exists() {
            // Groups stand in a file: without one there is an error here.
            context.fleet()?;
        }
        // Every name is looked up before anything is done for the first.
        for count in &self.counts {
            let agent = fleet.find_agent(&count.name).map_err(Error::from)?;
            refuse_what_is_in_the_way(swarm, agent, count.count).await?;
        }
        let mut outcome = Outcome::Done;
        for Count { name, count } in &self.counts {
            let before = swarm.group(name).await?;
            let scaled = swarm.scale(fleet, name, *count, UpOptions::default()).await;
            if matches!(&scaled, Err(error) if error.kind() == ErrorKind::AlreadyExists) {
                // Somebody has started it since the look.
                let agent = fleet.find_agent(name).map_err(Error::from)?;
                refuse_what_is_in_the_way(swarm, agent, *count).await?;
            }
            let report = scaled?;
            let mut together = Together::default();
            for (step, error) in report.failures() {
                if let Some(at_once) = together.keep(Unstarted::of(&step.name, error)) {
                    at_once.tell();
                }
            }
            together.tell();
            let started: Vec<_> = report
                .outcomes
                .iter()
                .filter_map(UpOutcome::started)
                .map(|info| (info.id.clone(), info.state.clone()))
                .collect();
            let after = swarm.group(name).await?;
            let is_left = |one: &&Agent| after.iter().any(|other| other.id() == one.id());
            let removed = before.len() - before.iter().filter(is_left).count();
            note(said(name, after.len(), started.len(), removed));
            let arrived = coming::arrived(swarm, started).await;
            outcome = outcome.or(steps::outcome(&report)).or(arrived);
        }
        note_supervision(&opened, &swarm.list().await?)?;
        Ok(outcome)
    }
}

/// An agent that somebody has started by one of these names is not to be ended for a member.
async fn refuse_what_is_in_the_way(
    swarm: &SwarmManager,
    of: &FleetAgent,
    count: u32,
) -> Result<(), Failure> {
    let is_one = |agent: &Agent| {
        let member = of.member(agent.name());
        member.is_some_and(|member| member.index <= count)
    };
    let agents = swarm.list().await?;
    let mut others = agents
        .iter()
        .filter(|agent| agent.group != of.name && !agent.is_settled() && is_one(agent));
    let Some(name) = others.next().map(Agent::name) else {
        return Ok(());
    };
    Err(Failure::input(
        format!(
            "an agent `{name}` lives already, and was not started as one of `{}`",
            of.name
        ),
        format!("end that one first: `alveary rm --force {name}`, or ask for fewer"),
    ))
}

/// How many there are now, and what was done for it.
fn said(name: &str, now: usize, started: usize, removed: usize) -> String {
    let agents = if now == 1 { "agent" } else { "agents" };
    let done = [(started, "started"), (removed, "removed")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!(", {count} {what}"));
    let done: Vec<String> = done.collect();
    format!("{name}: {now} {agents}{}", done.concat())
}
