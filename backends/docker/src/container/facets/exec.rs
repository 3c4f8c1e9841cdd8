//! Programs beside agents.

use alveary_core::{
    AgentId, Error, ErrorKind, Exec, ExecSpec, Execution, Operation, Result, Retry,
};
use async_trait::async_trait;

use crate::container::Containers;
use crate::engine::{Engine, Phase};
use crate::http::exec;

#[async_trait]
impl<E: Engine> Exec for Containers<E> {
    async fn run(&self, id: &AgentId, spec: &ExecSpec) -> Result<Execution> {
        spec.validate().map_err(|error| error.with_agent(id))?;
        let agent = self.running(id, spec.incarnation, Operation::Exec).await?;
        if agent.container.phase == Phase::Paused {
            return Err(
                Error::new(ErrorKind::Conflict, Operation::Exec, "it is paused")
                    .with_agent(id)
                    .with_cure("let it go on first"),
            );
        }
        let begun = exec::run(self.engine().http(), id, &agent.container.id, spec).await;
        begun.map_err(|trouble| {
            let error = trouble.error(Operation::Exec).with_agent(id);
            if error.kind() != ErrorKind::Indeterminate {
                return error;
            }
            error
                .with_cure(
                    "see whether it runs before you run it again: two calls are two programs",
                )
                .with_retry(Retry::Never)
        })
    }

    /// Engines go on with a program whose caller is gone, and have no word to end it by.
    fn ends_when_dropped(&self) -> bool {
        false
    }
}
