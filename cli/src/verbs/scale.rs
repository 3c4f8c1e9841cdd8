//! `scale`: changes how many members groups have.

use alveary::{Agent, UpOptions, UpOutcome};
use clap::Args;

use crate::coming;
use crate::context::{Context, note_followed, note_supervision};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::note;
use crate::steps;
use crate::together::{Together, Unstarted};
use crate::values::{self, Count};

/// Changes how many members groups have
///
/// Members are added and taken away at the end of the group; those that are taken away are stopped and removed.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary scale echo=10 scribe=0")]
pub(crate) struct Scale {
    /// A group of the file, and how many members it is to have
    #[arg(value_name = "NAME=N", required = true, value_parser = values::count)]
    counts: Vec<Count>,
}

impl Scale {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let opened = context.open().await?;
        note_followed(&opened);
        let (swarm, fleet) = (&opened.swarm, &opened.fleet);
        // Every name is looked up before anything is done for the first.
        for Count { name, .. } in &self.counts {
            fleet.find_agent(name).map_err(alveary::Error::from)?;
        }
        let mut outcome = Outcome::Done;
        for Count { name, count } in &self.counts {
            let before = swarm.group(name).await?;
            let report = swarm
                .scale(fleet, name, *count, UpOptions::default())
                .await?;
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
        note_supervision(swarm, &swarm.list().await?)?;
        Ok(outcome)
    }
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
