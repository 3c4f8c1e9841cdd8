//! `logs`: shows what agents wrote.

use std::io::{self, Write};
use std::time::SystemTime;

use alveary::{Agent, ErrorKind, LogItem, LogOptions, LogStreams, SwarmManager};
use clap::Args;
use futures_util::StreamExt;

use crate::bulk;
use crate::context::{Context, in_the_files_order};
use crate::failure::Failure;
use crate::follow::{Following, What};
use crate::outcome::Outcome;
use crate::output::{self, LinePrinter, LineStyle, note};
use crate::values::{self, Lines};

/// Shows what agents wrote
///
/// Of an agent that was started again it is what it wrote since its last start, or, with --follow, from then on through
/// further starts. On a terminal, what could drive it is shown escaped. Into a pipe every byte goes out as it was written: of
/// one agent nothing else, of several with the name before each line unless --no-prefix is given.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary logs -f --since 10m echo")]
pub(crate) struct Logs {
    /// Go on with what is written from now on, until they end or it is interrupted
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Of each agent only the last so many lines of its standard output, and as many of its standard error, or `all`
    #[arg(short = 'n', long, value_name = "LINES", value_parser = values::lines)]
    tail: Option<Lines>,

    /// Only what they wrote to standard output
    #[arg(long)]
    stdout: bool,

    /// Only what they wrote to standard error
    #[arg(long)]
    stderr: bool,

    /// Nothing older than this moment, or than so long ago
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    since: Option<SystemTime>,

    /// Nothing younger than this moment, or than so long ago
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    until: Option<SystemTime>,

    /// The time before each line
    #[arg(short, long)]
    timestamps: bool,

    /// No name before each line
    #[arg(long)]
    no_prefix: bool,

    /// Agents, by name, by group, by id or by the beginning of an id; all without it
    #[arg(value_name = "NAME", add = crate::complete::agents())]
    names: Vec<String>,
}

impl Logs {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let Some(opened) = context.open_to_show(&self.names).await? else {
            return Ok(Outcome::Done);
        };
        let swarm = opened.swarm;
        let agents = if self.names.is_empty() {
            let mut everyone = swarm.list().await?;
            in_the_files_order(&opened.fleet, &mut everyone);
            everyone
        } else {
            bulk::resolve(&swarm, &self.names).await?
        };
        let mut printer = LinePrinter::new(output::stdout(), self.style(agents.len()));
        for agent in &agents {
            printer.expect(agent.name());
        }
        if self.follow {
            self.follow(&swarm, agents, &mut printer).await
        } else {
            self.show(&swarm, &agents, &mut printer).await
        }
    }

    /// What is there, one agent after the other.
    async fn show(
        &self,
        swarm: &SwarmManager,
        agents: &[Agent],
        printer: &mut LinePrinter<impl Write>,
    ) -> Result<Outcome, Failure> {
        for agent in agents {
            let mut items = match swarm.logs(agent.id(), self.options()).await {
                Ok(items) => items,
                // It is recorded, and has not been started.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            while let Some(item) = items.next().await {
                print(printer, agent.name(), &item?)?;
            }
            printer.end(agent.name())?;
        }
        printer.flush()?;
        Ok(Outcome::Done)
    }

    /// What is there and what comes, of all agents as it comes.
    async fn follow(
        &self,
        swarm: &SwarmManager,
        agents: Vec<Agent>,
        printer: &mut LinePrinter<impl Write>,
    ) -> Result<Outcome, Failure> {
        let mut following = Following::default();
        for agent in agents {
            let name = agent.name().to_owned();
            following.add(swarm, agent.info.id, name, self.options());
        }
        while !following.is_empty() {
            let heard = match following.at_once() {
                Some(heard) => heard,
                None => {
                    printer.flush()?;
                    following.next().await
                }
            };
            match heard.what {
                What::Item(item) => print(printer, &heard.name, &item)?,
                What::Broken(error) => return Err(error.into()),
                What::End(_) => printer.end(&heard.name)?,
            }
        }
        printer.flush()?;
        Ok(Outcome::Done)
    }

    fn options(&self) -> LogOptions {
        let mut options = LogOptions::default();
        options.tail = self.tail.and_then(|Lines(number)| number);
        options.since = self.since;
        options.until = self.until;
        options.streams = match (self.stdout, self.stderr) {
            (true, false) => LogStreams::Stdout,
            (false, true) => LogStreams::Stderr,
            _ => LogStreams::Both,
        };
        options
    }

    fn style(&self, agents: usize) -> LineStyle {
        LineStyle {
            names: agents > 1 && !self.no_prefix,
            times: self.timestamps,
            ..LineStyle::of_stdout()
        }
    }
}

/// Prints a piece of output; what is not kept any more is told on the side.
pub(crate) fn print(
    printer: &mut LinePrinter<impl Write>,
    name: &str,
    item: &LogItem,
) -> io::Result<()> {
    match item {
        LogItem::Piece(piece) => printer.piece(name, piece),
        LogItem::Lost { bytes, .. } => {
            printer.flush()?;
            let what = bytes.map_or_else(|| "a part".to_owned(), |bytes| format!("{bytes} bytes"));
            note(format_args!(
                "{name}: {what} of its output is not kept any more"
            ));
            Ok(())
        }
        _ => Ok(()),
    }
}
