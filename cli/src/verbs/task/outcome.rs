//! Printing the tasks that were given, once they are over if it was asked for.

use std::time::Duration;

use alveary_agent::TaskClient;
use alveary_agent::protocol::TaskView;
use clap::Args;

use super::print;
use crate::coordinating::Waiting;
use crate::failure::{Failure, tell};
use crate::outcome::Outcome;
use crate::output::{Form, Progress};
use crate::values;

/// Until when to wait for tasks.
#[derive(Debug, Clone, Args)]
pub(super) struct Until {
    /// Wait until they are done; end with 1 if any of them failed
    #[arg(short, long)]
    wait: bool,

    /// How long --wait may take
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = values::duration)]
    wait_timeout: Option<Duration>,
}

impl Until {
    /// Prints the tasks that were given, once they are over if it was asked for.
    pub(super) async fn told(
        &self,
        client: &TaskClient,
        format: &Form,
        tasks: Vec<TaskView>,
    ) -> Result<Outcome, Failure> {
        if !self.wait {
            print(client, format, &tasks).await?;
            return Ok(Outcome::Done);
        }
        let progress = Progress::new("working", tasks.len());
        let mut waiting = Waiting::of(tasks);
        let mut told = |task: &str, what: &str| progress.step(task, what);
        let over = waiting.until_all_are_over(client, &mut told);
        let limit = self.wait_timeout.unwrap_or(Duration::MAX);
        let outcome = match tokio::time::timeout(limit, over).await {
            Ok(over) => {
                over?;
                waiting.outcome()
            }
            Err(_) => {
                let limit = humantime::format_duration(limit);
                let tell = || {
                    tell(
                        &format!("not all tasks are done after {limit}"),
                        Some("see `alveary task list`; those that are not go on"),
                    );
                };
                progress.aside(tell);
                Outcome::AgentFailed
            }
        };
        drop(progress);
        print(client, format, &waiting.into_tasks()).await?;
        Ok(outcome)
    }
}
