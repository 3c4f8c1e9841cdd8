//! `up` in the foreground: what the agents write is shown until all have ended or are stopped.

mod again;
mod ending;

use std::time::Duration;

use alveary::{
    AgentId, Error, ErrorKind, Exit, Fleet, Opened, ShutdownOptions, StopOptions, StopOutcome,
    Supervision, SwarmManager, UpOptions, UpReport,
};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{self, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

use crate::coordinating::{Batch, Beside, Results, in_the_foreground};
use crate::failure::{Failure, tell_of};
use crate::interrupt::Interrupts;
use crate::outcome::Outcome;
use crate::show::Show;
use crate::steps::{self, Step};
use crate::watching::{Changed, Watching};
use again::Again;
use ending::{Ending, Press};

/// How long what was written last may take to arrive here after all have been stopped.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Agents have their own grace: nothing but a second Ctrl-C cuts it short.
const NO_HURRY: Duration = Duration::from_hours(365 * 24);

/// When it is over before all have ended by themselves, and with which code.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// When the first has ended for good.
    pub(crate) with_the_first: bool,
    /// Whose code counts; that of the first, unless said.
    pub(crate) code_of: Option<String>,
}

/// Brings the swarm up, shows it, and stops it at the end.
///
/// Where the file brings tasks along, that is when they are over; otherwise when all agents are, or somebody asks
/// for it.
pub(crate) async fn run(
    opened: &Opened,
    options: UpOptions,
    batch: Option<Batch>,
    ends: Ends,
    watching: Option<Watching>,
) -> Result<Outcome, Failure> {
    let mut beside = Beside::begin(opened);
    // Agents are told where it is when they start.
    in_the_foreground(opened, &mut beside).await?;
    let outcome = watched(opened, options, batch, ends, watching, &mut beside).await;
    beside.end().await?;
    outcome
}

async fn watched(
    opened: &Opened,
    options: UpOptions,
    batch: Option<Batch>,
    mut ends: Ends,
    watching: Option<Watching>,
    beside: &mut Beside,
) -> Result<Outcome, Failure> {
    let swarm = &opened.swarm;
    let everyone = options.names.is_empty();
    let (options, mut told) = steps::told(options);
    let mut interrupts = Interrupts::take()?;
    // It begins with what the engine says, and whoever wants to end it need not wait for that.
    let mut events = std::pin::pin!(stream::once(swarm.subscribe()).flatten());
    let mut show = Show::new(swarm.clone());
    if let Supervision::Other(holder) = swarm.supervision()? {
        show.is_beside(holder.pid);
    }
    let mut again = watching.map(|watching| Again::new(opened, options.clone(), watching));
    let mut work = Some(bring_up(opened, options));
    let mut outcome = Outcome::Done;
    let mut ending = Ending::default();
    let mut last_words: Option<Instant> = None;
    let (tell, mut lines) = unbounded_channel();
    let mut batch = batch.map(|batch| batch.work(tell));
    let mut tasks: Tasks = None;
    let mut results: Option<Results> = None;

    loop {
        let waiting = work.is_some();
        let unseen = !ending.has_begun() && show.is_unseen();
        tokio::select! {
            biased;
            () = asked_to_end(&mut interrupts, unseen) => {
                outcome = Outcome::Interrupted;
                let press = ending.press(swarm, &mut show, waiting);
                if press == Press::Leave {
                    return Ok(outcome);
                }
                // What it has begun goes on by itself, and is stopped like all the rest.
                drop(work.take());
                catch_up(&mut show, &mut told);
                work = Some(stop(swarm, &show, everyone, press == Press::ByForce));
            }
            Some(step) = told.recv() => show.step(step),
            Some(event) = events.next() => show.event(event),
            done = finish(&mut work), if waiting => {
                catch_up(&mut show, &mut told);
                match done {
                    Done::Up(report) => {
                        outcome = steps::outcome(&report?);
                        if outcome != Outcome::Done {
                            ending.begin();
                            work = Some(stop(swarm, &show, everyone, false));
                        }
                        tasks = batch.take().map(FutureExt::boxed);
                    }
                    Done::Again(done) => {
                        if let Some(again) = &mut again {
                            again.done(done, &mut show);
                        }
                    }
                    Done::Stopped(stops) => {
                        outcome = outcome.or(shown(stops?, &mut show));
                        last_words = Some(Instant::now() + LAST_WORDS);
                    }
                }
            }
            Some(line) = lines.recv() => show.say(line),
            done = through(&mut tasks, beside) => {
                match done {
                    Ok(done) => results = Some(done),
                    Err(failure) => {
                        failure.tell();
                        outcome = outcome.or(failure.outcome());
                    }
                }
                if !ending.has_begun() {
                    ending.begin();
                    work = Some(stop(swarm, &show, everyone, false));
                }
            }
            changed = change(&mut again), if !waiting && !ending.has_begun() => {
                if let Some(again) = &mut again {
                    work = Some(again.begin(changed, &mut show).map(Done::Again).boxed());
                }
            }
            why = ending.is_in_vain(), if waiting => return Ok(ending::leave(&mut show, &why)),
            heard = show.hear() => show.heard(&heard),
            () = until(last_words) => break,
        }
        if ends.with_the_first
            && !ending.has_begun()
            && work.is_none()
            && let Some(first) = show.first_that_ended()
        {
            show.say(format_args!("{first} has ended: stopping all"));
            ends.code_of.get_or_insert(first);
            ending.begin();
            work = Some(stop(swarm, &show, everyone, false));
        }
        // One that has ended may be started again, where files are watched.
        let goes_on = again.is_some() && !ending.has_begun();
        if work.is_none() && told.is_empty() && show.is_over() && !goes_on {
            break;
        }
    }
    let fleet = again.map_or_else(|| opened.fleet.clone(), Again::into_fleet);
    ended(&fleet, opened, show, results, ends.code_of, outcome).await
}

/// Shows how each ended, and gives what the shell is told of it all.
async fn ended(
    fleet: &Fleet,
    opened: &Opened,
    show: Show,
    results: Option<Results>,
    code_of: Option<String>,
    mut outcome: Outcome,
) -> Result<Outcome, Failure> {
    let ended_well = show.table(fleet).await?;
    if let Some(results) = results {
        results.print()?;
        outcome = outcome.or(results.outcome());
    }
    if let Some(name) = code_of
        && outcome == Outcome::Done
    {
        return Ok(
            match opened.swarm.find(&name).await?.and_then(|agent| agent.exit) {
                Some(exit) => Outcome::of_program(&exit.status),
                None => Outcome::AgentFailed,
            },
        );
    }
    Ok(if ended_well {
        outcome
    } else {
        outcome.or(Outcome::AgentFailed)
    })
}

/// Shows the steps that have been told of, before anything else is done: whom to stop is among them.
fn catch_up(show: &mut Show, told: &mut UnboundedReceiver<Step>) {
    while let Ok(step) = told.try_recv() {
        show.step(step);
    }
    show.is_up();
}

/// By a signal, or because nobody can see any more what is shown.
async fn asked_to_end(interrupts: &mut Interrupts, unseen: bool) {
    if !unseen {
        interrupts.next().await;
    }
}

/// What is under way, besides watching and listening.
enum Done {
    Up(Result<UpReport, Error>),
    Stopped(Result<Vec<Stop>, Error>),
    Again(again::Done),
}

/// What came of stopping one that was there to be stopped.
struct Stop {
    id: AgentId,
    name: String,
    failure: Option<Error>,
}

impl Stop {
    /// `None`: its start had not come to anything, and it is recorded that it is not to.
    fn of(id: AgentId, name: String, result: Result<Exit, Error>) -> Option<Self> {
        match result {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            result => Some(Self {
                id,
                name,
                failure: result.err(),
            }),
        }
    }
}

/// Shows who was stopped, and tells whether that went well.
fn shown(stops: Vec<Stop>, show: &mut Show) -> Outcome {
    let mut outcome = Outcome::Done;
    for Stop { id, name, failure } in stops {
        if let Some(error) = failure {
            tell_of(&name, &error);
            outcome = Outcome::Backend;
        }
        show.stopped(id, name);
    }
    outcome
}

/// Waits until something has changed, where files are watched.
async fn change(again: &mut Option<Again>) -> Changed {
    match again {
        Some(again) => again.next().await,
        None => std::future::pending().await,
    }
}

type Tasks = Option<BoxFuture<'static, Result<Results, Failure>>>;

/// Waits until the tasks that the file brings along are over, or cannot be.
async fn through(tasks: &mut Tasks, beside: &mut Beside) -> Result<Results, Failure> {
    let over = async {
        match tasks {
            Some(tasks) => tasks.await,
            None => std::future::pending().await,
        }
    };
    let through = tokio::select! {
        over = over => over,
        failure = beside.failed() => Err(failure),
    };
    *tasks = None;
    through
}

type Work<'a> = Option<BoxFuture<'a, Done>>;

async fn finish(work: &mut Work<'_>) -> Done {
    let Some(under_way) = work else {
        return std::future::pending().await;
    };
    let done = under_way.await;
    *work = None;
    done
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn bring_up(opened: &Opened, options: UpOptions) -> BoxFuture<'_, Done> {
    async move { Done::Up(opened.swarm.up(&opened.fleet, options).await) }.boxed()
}

/// Stops the whole swarm in its order, or, where only some of it were to be brought up, those.
fn stop<'a>(
    swarm: &'a SwarmManager,
    show: &Show,
    everyone: bool,
    by_force: bool,
) -> BoxFuture<'a, Done> {
    let options = if by_force {
        StopOptions::by_force()
    } else {
        StopOptions::default()
    };
    if everyone {
        return stop_everyone(swarm, options).boxed();
    }
    let meant: Vec<AgentId> = show.meant().iter().map(|(id, _)| id.clone()).collect();
    async move { stopped(swarm.stop_many(meant, options).await) }.boxed()
}

async fn stop_everyone(swarm: &SwarmManager, options: StopOptions) -> Done {
    let options = ShutdownOptions::default()
        .with_stop(options)
        .with_within(NO_HURRY);
    stopped(swarm.shutdown(options).await)
}

fn stopped(outcomes: Result<Vec<StopOutcome>, Error>) -> Done {
    Done::Stopped(outcomes.map(|outcomes| {
        let stop = |outcome: StopOutcome| Stop::of(outcome.id, outcome.name, outcome.result);
        outcomes.into_iter().filter_map(stop).collect()
    }))
}
