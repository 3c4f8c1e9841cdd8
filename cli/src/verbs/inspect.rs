//! `inspect`: shows all that is known of agents.

use clap::Args;

use crate::args::Names;
use crate::bulk;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output;
use crate::record::AgentRecord;
use std::io::Write;

/// Shows all that is known of agents, as JSON
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary inspect echo-1")]
pub(crate) struct Inspect {
    #[command(flatten)]
    names: Names,
}

impl Inspect {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let opened = context.open().await?;
        let swarm = opened.swarm;
        let agents = bulk::resolve(&swarm, &self.names.names).await?;
        let backend = swarm.backend().kind();
        let mut out = output::stdout();
        for agent in &agents {
            let record = AgentRecord::new(agent, opened.fleet.swarm.as_str(), backend.as_str());
            output::write_pretty(&mut out, &record)?;
        }
        out.flush()?;
        Ok(Outcome::Done)
    }
}
