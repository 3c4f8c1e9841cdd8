//! `agent`: bids for tasks and has a program do them.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use alveary_agent::protocol::Capabilities;
use alveary_agent::{AgentId, HttpTransport, Pricing, Program, TokenFile};
use clap::{Args, ValueHint};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::outcome::Outcome;
use crate::values;

/// Runs an agent: it bids for tasks, and a program does those that it wins
///
/// The program is started once for each task. It reads the task as one line of JSON (`task_id`, `description`,
/// `capabilities`, `attempt`, `agent_id`) and prints the result. If it ends with another code than 0, the task has
/// failed, and the last of what it wrote to stderr says why. The same task may come twice: execution is at least
/// once.
///
/// In a swarm with a coordinator every agent is told what it needs: `--exec` is all that is left to say.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: alveary agent --exec 'python3 summarise.py' --capability summarise --bid 10-100 \\
           --coordinator http://127.0.0.1:8000 --token-file token")]
pub(crate) struct Agent {
    /// The program that does the tasks, with its arguments; no shell is involved
    #[arg(long, value_name = "PROGRAM", value_hint = ValueHint::CommandString)]
    exec: Program,

    /// What the agent can do: several with commas, or by several flags
    #[arg(long = "capability", value_name = "WORD", env = "AGENT_CAPABILITIES")]
    capabilities: Vec<Capabilities>,

    /// What it asks for a task: an amount of sats, a range, or a program that reads the task and prints one
    #[arg(long, value_name = "10|10-100|PROGRAM", default_value = "10-100")]
    bid: Pricing,

    /// The coordinator's URL
    #[arg(
        long,
        value_name = "URL",
        env = "COORDINATOR_URL",
        value_hint = ValueHint::Url
    )]
    coordinator: Option<String>,

    /// The file with the agent's token
    #[arg(
        long,
        value_name = "FILE",
        env = "COORDINATOR_TOKEN_FILE",
        value_hint = ValueHint::FilePath
    )]
    token_file: Option<PathBuf>,

    /// What people call it; without it, what its program is called
    #[arg(long, value_name = "NAME", env = "AGENT_NAME")]
    name: Option<String>,

    /// Its identity, which its token proves; without it, one is drawn
    #[arg(long, value_name = "ID", env = "ALVEARY_AGENT_ID")]
    id: Option<AgentId>,

    /// How many tasks it does at a time
    #[arg(long, value_name = "N", default_value = "1")]
    concurrency: NonZeroUsize,

    /// How long a task may take before it is called off and has failed
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    time_limit: Option<Duration>,

    /// How long it may go on with what it has begun when it is asked to end; then that is given back
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = values::duration)]
    grace: Duration,
}

impl Agent {
    pub(crate) async fn run(&self) -> Result<Outcome, Failure> {
        let agent = self.agent()?;
        let mut interrupts = Interrupts::take()?;
        let cancel = CancellationToken::new();
        let mut work = pin!(agent.run(cancel.clone()));
        let ended = tokio::select! {
            ended = &mut work => ended,
            () = interrupts.next() => {
                cancel.cancel();
                tokio::select! {
                    ended = work => ended,
                    // Asked twice, it does not even take its leave.
                    () = interrupts.next() => return Ok(Outcome::Interrupted),
                }
            }
        };
        let summary = ended?;
        tracing::info!(
            "ended: {} done, {} failed, {} given back, {} taken by others",
            summary.completed,
            summary.failed,
            summary.given_back,
            summary.superseded,
        );
        Ok(Outcome::Done)
    }

    fn agent(&self) -> Result<alveary_agent::Agent, Failure> {
        let program = self.exec.clone();
        if program.find().is_none() {
            return Err(Failure::input(
                format!("there is no program `{}` to do the tasks", program.name()),
                "install it where the agent runs, or name its path by --exec",
            ));
        }
        let wrong = |what: String| Failure::input(what, "change what the agent is said to do");
        let all = self.capabilities.iter().flatten().cloned();
        let capabilities = Capabilities::new(all).map_err(|error| wrong(error.to_string()))?;
        let builder = alveary_agent::Agent::builder(self.name(&program))
            .capabilities(&capabilities, program.clone())
            .handler(program)
            .bid(self.bid.clone())
            .transport(Arc::new(self.transport()?))
            .concurrency(self.concurrency)
            .grace(self.grace);
        let builder = match &self.id {
            Some(id) => builder.id(id.clone()),
            None => builder,
        };
        let builder = match self.time_limit {
            Some(limit) => builder.time_limit(limit),
            None => builder,
        };
        builder.build().map_err(|error| wrong(error.to_string()))
    }

    fn name(&self, program: &Program) -> String {
        let given = self.name.clone().filter(|name| !name.is_empty());
        given.unwrap_or_else(|| program.name())
    }

    fn transport(&self) -> Result<HttpTransport, Failure> {
        let url = self.coordinator.as_deref().filter(|url| !url.is_empty());
        let url = url.ok_or_else(|| {
            Failure::input(
                "the agent has no coordinator",
                "name it by --coordinator http://HOST:PORT or by COORDINATOR_URL; in a swarm whose file has a table \
                 [coordinator] every agent is told",
            )
        })?;
        let transport = HttpTransport::new(url).map_err(|error| {
            Failure::input(
                format!("`{url}` is no coordinator's URL: {error}"),
                "name it by --coordinator http://HOST:PORT or by COORDINATOR_URL",
            )
        })?;
        Ok(match &self.token_file {
            Some(file) if !file.as_os_str().is_empty() => {
                transport.with_token(TokenFile::new(file))
            }
            _ => transport,
        })
    }
}
