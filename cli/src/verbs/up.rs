//! `up`: brings the swarm up as its file says.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use alveary::{
    Error, Escaped, Fleet, InvalidUid, MetricsTable, Opened, Operation, SwarmEvent, UpOptions,
    UpOutcome,
};
use clap::Args;
use futures_util::StreamExt;

use crate::coming;
use crate::context::{Context, Whose};
use crate::coordinating::{self, Batch};
use crate::detach::leave_supervisor;
use crate::failure::{Failure, tell};
use crate::foreground::{self, Ends};
use crate::interrupt::Interrupts;
use crate::outcome::Outcome;
use crate::output::{self, Fetches, Progress, Screen, note};
use crate::scrape::{self, Scrape};
use crate::steps::{self, Step};
use crate::together::Together;
use crate::values;
use crate::watching::Watching;

/// Brings the swarm up as its file says
///
/// Starts what is not running, starts anew what the file has changed, and leaves the rest alone. In the
/// foreground it shows what the agents write, restarts those that are to be restarted, and ends when all have
/// ended; Ctrl-C stops them. With --detach it returns when all have started, and a supervisor of its own stays
/// with them.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: alveary up --detach --wait --wait-timeout 30s, or in a test alveary up --exit-code-from check"
)]
pub(crate) struct Up {
    /// Return when all have started, and leave them running
    #[arg(short, long)]
    detach: bool,

    /// With --detach: return when all are ready
    ///
    /// One that has no `ready` has to run for half a second, or to end with code 0. Where one has ended badly by the time that all
    /// are, and is not to be started again, it is told of, and the code is 1.
    #[arg(long, requires = "detach")]
    wait: bool,

    /// How long --wait may take
    #[arg(long, value_name = "TIME", requires = "wait", default_value = "5m", value_parser = values::duration)]
    wait_timeout: Duration,

    /// Stop and remove agents that the file does not name: of `spawn` and beyond its counts, too
    #[arg(long)]
    prune: bool,

    /// Start anew what runs as the file says, too: all, or those that are named
    #[arg(long)]
    force_recreate: bool,

    /// Take over what bears this swarm's names in its engine but not its uid
    ///
    /// For a swarm whose state folder was lost: what it had goes on, under the uid that it had. With =UID, what is of that one,
    /// where there are several. And an engine that has come in place of the one that the swarm was brought up with is taken
    /// for the swarm's.
    #[arg(long, value_name = "UID", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = whose, conflicts_with = "dry_run")]
    adopt: Option<Whose>,

    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// In the foreground: stop all when the first has ended, and end with what it ended with
    ///
    /// One that is to be started again has not ended. What ends while the others are still coming up counts once all are up.
    #[arg(long, conflicts_with_all = ["detach", "dry_run"])]
    abort_on_exit: bool,

    /// The same, and end with what this agent ended with
    #[arg(long, value_name = "NAME", conflicts_with_all = ["detach", "dry_run"], add = crate::complete::agents())]
    exit_code_from: Option<String>,

    /// In the foreground: go on until Ctrl-C, and start an agent again when a file has changed that it is made of
    ///
    /// Its program, the arguments that are files, and files that are mounted. When the swarm's file or an `env_file` has
    /// changed, what it says now is brought up; one that cannot be read is told of, and all goes on as before.
    #[arg(long, conflicts_with_all = ["detach", "dry_run", "abort_on_exit", "exit_code_from"])]
    watch: bool,

    /// Serve numbers about the swarm there, for Prometheus: 127.0.0.1:0 is any port that is free
    ///
    /// As `listen` of `[metrics]` in the file says, and above it. Whoever restarts agents serves them: this, or with --detach the
    /// supervisor that it leaves behind.
    #[arg(long, value_name = "ADDRESS", value_parser = values::address, conflicts_with = "dry_run")]
    metrics: Option<SocketAddr>,

    /// Only these agents or groups of the file, and what they come after
    #[arg(value_name = "NAME", add = crate::complete::agents())]
    names: Vec<String>,
}

impl Up {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let options = UpOptions::default()
            .with_names(self.names.iter().cloned())
            .with_prune(self.prune)
            .with_recreate(self.force_recreate)
            .with_wait_ready(self.wait);
        if self.dry_run {
            let (_passing, opened) = context.open_to_plan().await?;
            return plan(&opened, &options).await;
        }
        if let Some(name) = &self.exit_code_from {
            self.is_brought_up(name, &context.fleet()?)?;
        }
        // The one that stays restarts agents; this one only starts them.
        let mut opened = match self.adopt {
            Some(whose) => context.open_to_take_over(!self.detach, whose).await?,
            None => context.open_to_start(!self.detach).await?,
        };
        if let Some(listen) = self.metrics {
            opened.fleet.metrics = Some(MetricsTable::at(listen));
        }
        if opened.fleet.members().is_empty() {
            let file = opened.fleet.file.display().to_string();
            note(format_args!("{} has no agents", Escaped(&file)));
        }
        let batch = Batch::read(&opened)?;
        // Before a coordinator begins: what cannot be right is refused, and nothing is left of it.
        if opened.fleet.coordinator.is_some() {
            opened.swarm.check_up(&opened.fleet, &options).await?;
        }
        if self.detach {
            let mut interrupts = Interrupts::take()?;
            tokio::select! {
                outcome = self.detached(&opened, options, batch) => outcome,
                () = interrupts.next() => {
                    note("interrupted: what was started goes on; `alveary up -d` goes on too, `alveary down` ends it");
                    Ok(Outcome::Interrupted)
                }
            }
        } else {
            let ends = Ends {
                with_the_first: self.abort_on_exit || self.exit_code_from.is_some(),
                code_of: self.exit_code_from.clone(),
            };
            let watching = self.watching(context, &opened)?;
            let scrape = Scrape::begin(&opened).await?;
            tokio::select! {
                outcome = foreground::run(&opened, options, batch, ends, watching) => outcome,
                never = scrape => match never {},
            }
        }
    }

    /// Watches, if it was asked for. It begins before the first start, so that no change is missed.
    fn watching(&self, context: &Context, opened: &Opened) -> Result<Option<Watching>, Failure> {
        if !self.watch {
            return Ok(None);
        }
        let place = alveary::Place::of(
            std::env::current_exe().map_err(Failure::system("find its own program"))?,
            &opened.swarm.backend().capabilities(),
        );
        Watching::begin(context.load_options(), &opened.fleet, &self.names, place).map(Some)
    }

    /// Refuses a name whose end could never be seen.
    fn is_brought_up(&self, name: &str, fleet: &Fleet) -> Result<(), Failure> {
        let members = fleet.members();
        let Some(member) = members.iter().find(|member| member.name == name) else {
            let of_it: Vec<&str> = members
                .iter()
                .filter(|member| member.group == name)
                .map(|member| &*member.name)
                .collect();
            return Err(match of_it.first() {
                None => Failure::input(
                    format!("the file has no agent `{}`", Escaped(name)),
                    "give --exit-code-from one that it has: `alveary config show` shows them",
                ),
                Some(first) => Failure::input(
                    format!("`{name}` means {} agents", of_it.len()),
                    format!("say whose code is meant, such as --exit-code-from {first}"),
                ),
            });
        };
        let is_named = |named: &String| *named == member.name || *named == member.group;
        if self.names.is_empty() || self.names.iter().any(is_named) {
            return Ok(());
        }
        Err(Failure::input(
            format!("`{name}` is not among those that are to be brought up"),
            format!("name it, too: alveary up {} {name}", self.names.join(" ")),
        ))
    }

    async fn detached(
        &self,
        opened: &Opened,
        options: UpOptions,
        batch: Option<Batch>,
    ) -> Result<Outcome, Failure> {
        // Agents are told where it is when they start.
        coordinating::detached(opened).await?;
        let (options, mut told) = steps::told(options);
        let limit = if self.wait {
            self.wait_timeout
        } else {
            Duration::MAX
        };
        let up = async {
            let report = opened.swarm.up(&opened.fleet, options).await?;
            let started = report.outcomes.iter().filter_map(UpOutcome::started);
            let started = started.map(|info| (info.id.clone(), info.state.clone()));
            let outcome = coming::arrived(&opened.swarm, started).await;
            Ok::<_, Error>((report, outcome))
        };
        let mut up = std::pin::pin!(tokio::time::timeout(limit, up));
        let mut events = opened.swarm.subscribe().await;
        let screen = Screen::new();
        let mut fetches = Fetches::on(&screen);
        let mut progress = None;
        let mut together = Together::default();
        let up = loop {
            tokio::select! {
                biased;
                Some(event) = events.next() => {
                    if let SwarmEvent::Fetching(fetch) = event {
                        fetches.show(&fetch);
                    }
                }
                Some(step) = told.recv() => show(&screen, &mut progress, &mut together, step),
                up = &mut up => break up,
            }
        };
        while let Ok(step) = told.try_recv() {
            show(&screen, &mut progress, &mut together, step);
        }
        drop((fetches, progress));
        together.tell();
        match up {
            Ok(up) => {
                let (report, outcome) = up?;
                let up = |outcome: &UpOutcome| matches!(outcome.result, Ok(Some(_)));
                let is_up = report.outcomes.iter().any(up);
                // Who is not ready in time runs all the same, and is started again where its restarts say so.
                let began = |outcome: &UpOutcome| match &outcome.result {
                    Err(error) => error.operation() == Operation::Wait,
                    Ok(started) => started.is_some(),
                };
                if report.outcomes.iter().any(began) {
                    leave_supervisor(opened).await?;
                    if is_up && let Some(batch) = batch {
                        batch.give().await?;
                    }
                    scrape::tell(opened).await?;
                }
                Ok(outcome.or(steps::outcome(&report)))
            }
            Err(_) => {
                leave_supervisor(opened).await?;
                let limit = humantime::format_duration(self.wait_timeout);
                tell(
                    &format!("not all are ready after {limit}"),
                    Some("see `alveary ps` and `alveary logs`; what was started goes on"),
                );
                Ok(Outcome::AgentFailed)
            }
        }
    }
}

fn whose(text: &str) -> Result<Whose, InvalidUid> {
    if text.is_empty() {
        return Ok(Whose::Anybodys);
    }
    text.parse().map(Whose::Of)
}

fn show(screen: &Screen, progress: &mut Option<Progress>, together: &mut Together, step: Step) {
    match step {
        Step::Planned { meant, left } => {
            left.into_iter().for_each(note);
            *progress = Some(Progress::on(screen.clone(), "starting", meant.len()));
        }
        Step::Started { name, how, .. } => say(progress.as_ref(), &name, &how),
        Step::Ready(name) => say(progress.as_ref(), &name, "is ready"),
        Step::Removed(name) => say(progress.as_ref(), &name, "removed"),
        Step::Failed(unstarted) => match (together.keep(unstarted), progress) {
            (Some(at_once), Some(progress)) => progress.aside(|| at_once.tell()),
            (Some(at_once), None) => at_once.tell(),
            (None, _) => {}
        },
    }
}

fn say(progress: Option<&Progress>, name: &str, what: &str) {
    if let Some(progress) = progress {
        progress.step(name, what);
    }
}

async fn plan(opened: &Opened, options: &UpOptions) -> Result<Outcome, Failure> {
    let mut out = output::stdout();
    let mut refused = None;
    for planned in opened.swarm.plan_up(&opened.fleet, options).await? {
        writeln!(out, "{}", planned.step)?;
        match planned.agent {
            Some(Ok(plan)) => {
                for line in plan.to_string().lines() {
                    writeln!(out, "    {line}")?;
                }
            }
            Some(Err(error)) => {
                writeln!(out, "    refused: {error}")?;
                refused.get_or_insert(error);
            }
            None => {}
        }
    }
    out.flush()?;
    match refused {
        None => Ok(Outcome::Done),
        Some(error) => Err(error.into()),
    }
}
