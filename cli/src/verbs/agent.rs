//! `agent`: a program, put to work for a coordinator.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use alveary::AgentId;
use alveary_agent::protocol::{Capabilities, Capability};
use alveary_agent::{Agent as Worker, HttpTransport, Pricing, Program, Summary, TokenFile};
use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::coordinating::no_url;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::outcome::Outcome;
use crate::output::note;
use crate::values;

/// Does a coordinator's tasks with a program
///
/// Bids for the tasks that it can do, and starts the program once for each that it wins: the task as a line of JSON
/// on its stdin, the result on its stdout. If it ends with something else than 0, the task has failed, and the end
/// of its stderr says why. Goes on until it is asked to end, and finishes what it has begun.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: alveary agent --exec \"python3 summarise.py\" --capability summarise --bid 10-100"
)]
pub(crate) struct Agent {
    /// The program that does the tasks, with its arguments
    #[arg(long, value_name = "PROGRAM")]
    exec: Program,

    /// What it can do; a task that asks for something else is left to others
    #[arg(
        long = "capability",
        value_name = "NAME",
        env = "AGENT_CAPABILITIES",
        hide_env_values = true
    )]
    capabilities: Vec<Capabilities>,

    /// What it asks for a task, in sats: an amount, a range from which it draws, or a program that prints one
    #[arg(
        long,
        value_name = "SATS",
        env = "AGENT_BID",
        hide_env_values = true,
        default_value = "10-100",
        allow_hyphen_values = true
    )]
    bid: Pricing,

    /// Where the coordinator is
    #[arg(
        long,
        value_name = "URL",
        env = "COORDINATOR_URL",
        hide_env_values = true
    )]
    url: String,

    /// What people call it; unless said, what its program is called
    #[arg(long, value_name = "NAME", env = "AGENT_NAME", hide_env_values = true)]
    name: Option<String>,

    /// Who it is; unless said, drawn at random
    #[arg(
        long = "agent-id",
        value_name = "ID",
        env = "AGENT_ID",
        hide_env_values = true
    )]
    id: Option<AgentId>,

    /// The file that holds its token
    #[arg(
        long,
        value_name = "FILE",
        env = "COORDINATOR_TOKEN_FILE",
        hide_env_values = true
    )]
    token_file: Option<PathBuf>,

    /// How many tasks it does at a time
    #[arg(long, value_name = "TASKS", default_value = "1")]
    concurrency: NonZeroUsize,

    /// How long a task may take; then it has failed
    #[arg(long, value_name = "TIME", value_parser = values::some_duration)]
    time_limit: Option<Duration>,

    /// How long it goes on with what it has begun once it is asked to end
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = values::duration)]
    grace: Duration,
}

impl Agent {
    pub(crate) async fn run(&self) -> Result<Outcome, Failure> {
        let worker = self.worker()?;
        let mut interrupts = Interrupts::take()?;
        let cancel = CancellationToken::new();
        let mut work = std::pin::pin!(worker.run(cancel.clone()));
        loop {
            tokio::select! {
                done = &mut work => {
                    note(told(done?));
                    return Ok(Outcome::Done);
                }
                () = interrupts.next() => {
                    if cancel.is_cancelled() {
                        note("ended by force: what it had begun is left to others");
                        return Ok(Outcome::Interrupted);
                    }
                    cancel.cancel();
                }
            }
        }
    }

    fn worker(&self) -> Result<Worker, Failure> {
        is_there(&self.exec)?;
        if let Some(program) = self.bid.as_program() {
            is_there(program)?;
        }
        let capabilities = self.capabilities()?;
        let mut transport = HttpTransport::new(&self.url)
            .map_err(|error| no_url(&error, "give another by --url or COORDINATOR_URL"))?;
        if let Some(file) = &self.token_file {
            transport = transport.with_token(TokenFile::new(file));
        }
        let name = self.name.clone().unwrap_or_else(|| self.exec.name());
        let mut worker = Worker::builder(name)
            .capabilities(&capabilities, self.exec.clone())
            .handler(self.exec.clone())
            .bid(self.bid.clone())
            .transport(transport)
            .concurrency(self.concurrency)
            .grace(self.grace);
        if let Some(id) = &self.id {
            worker = worker.id(id.clone());
        }
        if let Some(limit) = self.time_limit {
            worker = worker.time_limit(limit);
        }
        worker
            .build()
            .map_err(|error| Failure::input(error.to_string(), "say less, or more, of it by flags"))
    }

    fn capabilities(&self) -> Result<Capabilities, Failure> {
        let each = self.capabilities.iter().flatten().cloned();
        Capabilities::new(each.collect::<Vec<Capability>>())
            .map_err(|error| Failure::input(error.to_string(), "give it fewer by --capability"))
    }
}

/// One that is missing would fail every task.
fn is_there(program: &Program) -> Result<(), Failure> {
    match program.find() {
        Some(_) => Ok(()),
        None => Err(Failure::input(
            format!("there is no program `{}`", program.name()),
            "install it, or write the path to it",
        )),
    }
}

/// What became of its tasks.
fn told(summary: Summary) -> String {
    let Summary {
        completed,
        failed,
        superseded,
        given_back,
        ..
    } = summary;
    let mut told = format!("{completed} done, {failed} failed");
    for (number, what) in [
        (superseded, "taken over by others"),
        (given_back, "given back"),
    ] {
        if number > 0 {
            told = format!("{told}, {number} {what}");
        }
    }
    told
}
