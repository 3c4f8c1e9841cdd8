//! `doctor`: says how well agents can be run here.

use std::io::Write;

use alveary::{AgentBackend, Health, Opened, Supervision, TreeKill};
use clap::Args;

use crate::context::Context;
use crate::failure::{Failure, help};
use crate::outcome::Outcome;
use crate::output::{self, Table, note};

/// Says how well agents can be run here, what is missing, and what would help
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary doctor --backend process")]
pub(crate) struct Doctor {}

impl Doctor {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let opened = context.open_to_ask().await?;
        let health = opened.swarm.backend().check().await?;
        let mut out = output::stdout();
        facts(&opened, &health)?.write(&mut out)?;
        writeln!(out)?;
        abilities(opened.swarm.backend()).write(&mut out)?;
        out.flush()?;
        for found in &health.notes {
            note(format_args!("note: {}", alveary::Escaped(&found.what)));
            if let Some(cure) = &found.cure {
                help(alveary::Escaped(cure));
            }
        }
        Ok(Outcome::Done)
    }
}

/// What is where, and who looks after it.
fn facts(opened: &Opened, health: &Health) -> Result<Table, Failure> {
    let swarm = &opened.swarm;
    let supervisor = match swarm.supervision()? {
        Supervision::Other(holder) => format!("process {}", holder.pid),
        _ => "none: restarts are off".to_owned(),
    };
    let unknown = || "-".to_owned();
    let mut table = Table::new(&["WHAT", "IS"]).whole_cells(true);
    for (what, is) in [
        ("alveary", env!("CARGO_PKG_VERSION").to_owned()),
        ("swarm", opened.fleet.swarm.to_string()),
        ("file", opened.fleet.file.display().to_string()),
        (
            "state folder",
            swarm
                .state_dir()
                .map_or_else(unknown, |dir| dir.display().to_string()),
        ),
        ("supervisor", supervisor),
        ("backend", swarm.backend().to_string()),
        ("version", health.version.clone().unwrap_or_else(unknown)),
        ("endpoint", health.endpoint.clone().unwrap_or_else(unknown)),
    ] {
        table.row([what.to_owned(), is]);
    }
    Ok(table)
}

/// What can be relied on.
fn abilities(backend: &dyn AgentBackend) -> Table {
    let can = backend.capabilities();
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let tree = match can.tree_kill {
        TreeKill::Enforced => "enforced: nothing leaves the tree",
        _ => "best effort: a process can leave the tree",
    };
    let times = can.logs.time_resolution.map_or_else(
        || "no".to_owned(),
        |resolution| format!("to {resolution:?}"),
    );
    let mut table = Table::new(&["CAPABILITY", "HERE"]).whole_cells(true);
    for (what, here) in [
        ("agents outlive this program", yes(can.survives.agents)),
        ("so does how they ended", yes(can.survives.exits)),
        ("so does what they wrote", yes(can.survives.logs)),
        ("whole trees of processes end", tree),
        ("logs are byte-exact", yes(can.logs.byte_exact)),
        ("logs are bounded", yes(can.logs.bounded)),
        ("logs have times", &times),
        ("limits.memory", yes(can.limits.memory)),
        ("limits.cpus", yes(can.limits.cpus)),
        ("limits.cpu_time", yes(can.limits.cpu_time)),
        ("limits.nofile", yes(can.limits.nofile)),
        ("limits.nproc", yes(can.limits.nproc)),
        ("secrets as files", yes(can.secret_files)),
        ("another user", yes(can.user)),
        ("a working directory", yes(can.cwd)),
        ("containers", yes(can.container)),
        ("restarts by the engine", yes(can.engine_restarts)),
        ("signals", yes(can.signals)),
        ("programs run beside agents", yes(backend.exec().is_some())),
        ("what agents use up", yes(backend.stats().is_some())),
        ("files in and out", yes(backend.files().is_some())),
        ("agents held still", yes(backend.pause().is_some())),
    ] {
        table.row([what.to_owned(), here.to_owned()]);
    }
    table
}
