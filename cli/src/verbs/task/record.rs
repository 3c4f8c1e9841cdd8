//! Tasks and what happens to them, as programs read them: what the coordinator says, and names.

use alveary_agent::protocol::{BidView, Event, TaskView};
use serde::Serialize;

use crate::coordinating::Names;
use crate::failure::Failure;
use crate::output::{Field, Form, Record, form};

/// Reads the form in which records of this kind are to be printed.
pub(super) fn read<R: Record>(text: &str) -> Result<Form, Failure> {
    form::<R>("table")(text).map_err(|why| {
        Failure::input(
            format!("invalid value '{text}' for '--format <FORM>': {why}"),
            "give it `table`, `json`, or a template of fields that the verb's --help shows",
        )
    })
}

/// A task, for programs.
#[derive(Debug, Serialize)]
pub(super) struct TaskRecord<'a> {
    #[serde(flatten)]
    task: &'a TaskView,
    /// What people call the agent that has it, or had it last.
    agent: Option<String>,
}

impl<'a> TaskRecord<'a> {
    pub(super) fn new(task: &'a TaskView, names: &Names) -> Self {
        let agent = task.assigned_agent.as_ref();
        Self {
            task,
            agent: agent.map(|agent| names.of(agent)),
        }
    }
}

impl Record for TaskRecord<'_> {
    const FIELDS: &'static [Field] = &[
        (
            "agent",
            "what the agent is called that has it, or had it last",
        ),
        ("assigned_agent", "the id of that agent"),
        ("attempts", "how many attempts there have been at it"),
        ("auctions", "how many auctions there have been of it"),
        (
            "capabilities",
            "what it asks for, a list: the filter `join` makes one text of it",
        ),
        ("completed_at", "when it was completed or failed"),
        ("created_at", "when it was given"),
        ("description", "what is to be done"),
        ("id", "its id"),
        ("result", "what came of it; of a failed one, why"),
        (
            "status",
            "pending, bidding, assigned, running, completed or failed",
        ),
        ("winning_bid", "what the bid asked that won, in sats"),
    ];
    const EXAMPLE: &'static str = "description";
}

/// A task and the bids for it, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    #[serde(flatten)]
    pub(super) task: TaskRecord<'a>,
    pub(super) bids: &'a [BidView],
}

impl Record for Shown<'_> {
    const FIELDS: &'static [Field] = &{
        let mut fields = [(
            "bids",
            "each with agent_id, at, auction and bid_sats: `{% for bid in bids %}…{% endfor %}`",
        ); TaskRecord::FIELDS.len() + 1];
        // In the order of their names: this one comes behind `auctions`.
        let mut place = 0;
        while place < TaskRecord::FIELDS.len() {
            let behind = if place < 4 { place } else { place + 1 };
            fields[behind] = TaskRecord::FIELDS[place];
            place += 1;
        }
        fields
    };
    const EXAMPLE: &'static str = TaskRecord::EXAMPLE;
}

impl Record for Event {
    const FIELDS: &'static [Field] = &[
        ("at", "when"),
        ("id", "its place in the coordinator's book"),
        ("what.agent", "the id of the agent that it is about"),
        ("what.attempt", "which attempt at the task, from 1"),
        ("what.auction", "which auction of the task, from 1"),
        (
            "what.kind",
            "task_added, auction_opened, bid_placed, assigned, started, superseded, late_report, completed, failed, \
             agent_registered, agent_changed",
        ),
        ("what.name", "what an agent is called that presents itself"),
        ("what.reason", "why a task failed"),
        ("what.sats", "what a bid asks"),
        ("what.status", "how an agent stands"),
        ("what.task", "the id of the task that it is about"),
        ("what.why", "why an attempt is over without a report"),
    ];
    const EXAMPLE: &'static str = "what.kind";
}
