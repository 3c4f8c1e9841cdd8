//! When a start is over, for those who follow its output.

use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, ErrorKind, EventOptions, Incarnation, Operation, Result,
};

use super::ProcessBackend;

/// Events are hints: one who waits for an end looks for itself now and then.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl ProcessBackend {
    /// Waits until a start of an agent is over, and says where its output ends: see [`Over`](crate::logs::reader::Over).
    pub(super) async fn until_over(
        &self,
        id: &AgentId,
        start: Incarnation,
    ) -> Result<Option<[u64; 2]>> {
        loop {
            // Asked first, looked second: an end between the two wakes us.
            let may_be_over = self.0.ends.follow(id, || {
                let backend = self.clone();
                async move { backend.events(EventOptions::default()).await }
            });
            let report = match self.report(Operation::Logs, id).await {
                Ok(report) => report,
                // It was removed, which only what has ended can be.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            match report.output_of(Some(start)) {
                Some(output) if output.to.is_some() || report.info.state.has_ended() => {
                    return Ok(output.to);
                }
                Some(_) => {}
                None => return report.is_gone(start),
            }
            tokio::select! {
                () = may_be_over.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }
}
