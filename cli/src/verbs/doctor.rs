//! `doctor`: says how well agents can be run here.

mod places;
mod record;

use std::io::{self, Write};

use alveary::{AgentBackend, Health, Opened, Supervision, TreeKill};
use clap::{Args, ValueEnum};
use humantime::format_duration;
use serde::Serialize;

use crate::context::{Context, note_followed};
use crate::failure::{Failure, help};
use crate::outcome::Outcome;
use crate::output::{self, Table, note};
use places::Places;

/// Says how well agents can be run here, what is missing, and what would help
///
/// Of a backend whose engine may be in several places, each is asked who is there. The one that is used has a star.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary doctor --backend docker-api")]
pub(crate) struct Doctor {
    /// How to print it: for people, or as one JSON object
    #[arg(long, value_name = "FORM", default_value = "table")]
    format: Format,
}

/// How what was found is printed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    // Aligned, for people.
    Table,
    // One JSON object, for programs.
    Json,
}

impl Doctor {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let fleet = context.fleet_to_ask()?;
        // What was found is told whether or not it is enough.
        let (opened, places) = match context.open_to_ask(fleet.clone()).await {
            Ok(opened) => {
                note_followed(&opened);
                let places = Places::of(&opened.fleet).await?;
                (opened, places)
            }
            Err(failure) => {
                let places = Places::of(&fleet).await?;
                self.print(
                    None,
                    None,
                    &places,
                    failure.as_error().map_or(Ok(&Health::default()), Err),
                )?;
                return Err(failure);
            }
        };
        let checked = opened.swarm.backend().check().await;
        let facts = Facts::new(&opened, checked.as_ref().ok())?;
        self.print(Some(&opened), Some(&facts), &places, checked.as_ref())?;
        let health = checked?;
        for found in &health.notes {
            note(format_args!("note: {}", alveary::Escaped(&found.what)));
            if let Some(cure) = &found.cure {
                help(alveary::Escaped(cure));
            }
        }
        Ok(Outcome::Done)
    }

    fn print(
        &self,
        opened: Option<&Opened>,
        facts: Option<&Facts>,
        places: &Places,
        checked: Result<&Health, &alveary::Error>,
    ) -> io::Result<()> {
        let mut out = output::stdout();
        match self.format {
            Format::Table => {
                if let Some(facts) = facts {
                    facts.table().write(&mut out)?;
                    writeln!(out)?;
                }
                places.write(&mut out)?;
                if let Some(opened) = opened {
                    abilities(opened.swarm.backend()).write(&mut out)?;
                }
            }
            Format::Json => {
                output::write_line(&mut out, &record::Record::new(facts, places, checked))?;
            }
        }
        out.flush()
    }
}

/// What is where, and who looks after it.
#[derive(Debug, Serialize)]
struct Facts {
    alveary: &'static str,
    swarm: String,
    /// Agents of `spawn` need none.
    file: Option<String>,
    state_dir: Option<String>,
    /// The process that restarts agents.
    supervisor: Option<u32>,
    backend: String,
    version: Option<String>,
    api: Option<String>,
    endpoint: Option<String>,
}

impl Facts {
    fn new(opened: &Opened, health: Option<&Health>) -> Result<Self, Failure> {
        let swarm = &opened.swarm;
        let supervisor = match swarm.supervision()? {
            Supervision::Other(holder) => Some(holder.pid),
            _ => None,
        };
        Ok(Self {
            alveary: env!("CARGO_PKG_VERSION"),
            swarm: opened.fleet.swarm.to_string(),
            file: (opened.record.file_was_there != Some(false))
                .then(|| opened.fleet.file.display().to_string()),
            state_dir: swarm.state_dir().map(|dir| dir.display().to_string()),
            supervisor,
            backend: swarm.backend().to_string(),
            version: health.and_then(|health| health.version.clone()),
            api: health.and_then(|health| health.api.clone()),
            endpoint: health.and_then(|health| health.endpoint.clone()),
        })
    }

    fn table(&self) -> Table {
        let unknown = |is: &Option<String>| is.clone().unwrap_or_else(|| "-".to_owned());
        let none = || "none: restarts are off".to_owned();
        let supervisor = self.supervisor.map(|pid| format!("process {pid}"));
        let mut table = Table::new(&["WHAT", "IS"]).whole_cells(true);
        for (what, is) in [
            ("alveary", self.alveary.to_owned()),
            ("swarm", self.swarm.clone()),
            ("file", unknown(&self.file)),
            ("state folder", unknown(&self.state_dir)),
            ("supervisor", supervisor.unwrap_or_else(none)),
            ("backend", self.backend.clone()),
            ("version", unknown(&self.version)),
            ("API", unknown(&self.api)),
            ("endpoint", unknown(&self.endpoint)),
        ] {
            table.row([what.to_owned(), is]);
        }
        table
    }
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
        |resolution| format!("to {}", format_duration(resolution)),
    );
    let mut table = Table::new(&["CAPABILITY", "HERE"]).whole_cells(true);
    for (what, here) in [
        ("agents outlive this program", yes(can.survives.agents)),
        ("so does how they ended", yes(can.survives.exits)),
        ("so does what they wrote", yes(can.survives.logs)),
        ("whole trees of processes end", tree),
        ("logs can be read", yes(can.logs.readable)),
        ("logs are byte-exact", yes(can.logs.byte_exact)),
        ("logs keep what comes fast", yes(can.logs.complete)),
        ("logs are bounded", yes(can.logs.bounded)),
        ("logs count what they drop", yes(can.logs.counted)),
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
