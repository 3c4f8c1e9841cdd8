//! `inspect`: shows all that is known of agents.

use std::io::Write;

use clap::Args;

use crate::args::Names;
use crate::bulk;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::{self, Form, about, form};
use crate::record::AgentRecord;

/// Shows all that is known of agents, as JSON
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE, after_long_help = about::<AgentRecord<'static>>(EXAMPLE))]
pub(crate) struct Inspect {
    #[command(flatten)]
    names: Names,

    /// How to print them: `pretty` over several lines, `json` one object a line, or a line each by a template
    #[arg(long, value_name = "FORM", default_value = "pretty", value_parser = form::<AgentRecord<'static>>("pretty"))]
    format: Form,
}

const EXAMPLE: &str = "Example: alveary inspect --format '{{ exit.code }}' echo-1";

impl Inspect {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let opened = context.open().await?;
        let swarm = opened.swarm;
        let agents = bulk::resolve(&swarm, &self.names.names).await?;
        let backend = swarm.backend().kind();
        let mut out = output::stdout();
        for agent in &agents {
            let record = AgentRecord::new(agent, opened.fleet.swarm.as_str(), backend.as_str());
            if self.format.is_plain() {
                output::write_pretty(&mut out, &record)?;
            } else {
                self.format.write(&mut out, &record)?;
            }
        }
        out.flush()?;
        Ok(Outcome::Done)
    }
}
