//! A whole agent, against a coordinator in memory.

mod bidding;
mod ending;
mod fake;
mod working;

use std::convert::Infallible;
use std::sync::Arc;

use alveary_agent::{Agent, AgentBuilder, Result, Summary, Task};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use fake::Fake;

/// An agent that can shout.
fn shouter(fake: &Fake) -> AgentBuilder {
    Agent::builder("echo")
        .capability("shout", shout)
        .transport(Arc::new(fake.clone()))
}

async fn shout(task: Task) -> Result<String, Infallible> {
    Ok(task.description.as_str().to_uppercase())
}

#[test]
fn what_can_be_no_capability_is_told_when_the_agent_is_built() {
    let wrong = shouter(&Fake::new()).capability("a,b", shout);
    let error = wrong.build().expect_err("it is no capability").to_string();
    assert!(error.contains("`a,b` cannot be a capability"), "{error}");
}

/// An agent at work, which is asked to end when this is dropped.
struct Running {
    cancel: CancellationToken,
    agent: JoinHandle<Result<Summary>>,
}

impl Running {
    fn start(builder: AgentBuilder) -> Self {
        let cancel = CancellationToken::new();
        let agent = builder.build().expect("a whole agent").run(cancel.clone());
        Self {
            cancel,
            agent: tokio::spawn(agent),
        }
    }

    async fn end(self) -> Result<Summary> {
        self.cancel.cancel();
        self.ended().await
    }

    async fn ended(self) -> Result<Summary> {
        let limit = std::time::Duration::from_secs(20);
        let ended = tokio::time::timeout(limit, self.agent).await;
        ended
            .expect("the agent does not end")
            .expect("nobody panicked")
    }
}
