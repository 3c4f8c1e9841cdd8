//! `top`: the swarm on a screen, live.

use std::io::{self, IsTerminal};
use std::time::{Duration, SystemTime};

use alveary::{Error, Opened, StopOptions};
use clap::Args;
use crossterm::event::{Event, EventStream};
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep_until};

use crate::context::Context;
use crate::failure::Failure;
use crate::follow::{Following, Heard, What};
use crate::interrupt::Interrupts;
use crate::outcome::Outcome;
use crate::top::{Command, Log, Model, News, Note, Screen, Sources, key, mouse};

/// Shows the swarm on a screen, live: agents, tasks, logs; stops and restarts by a key
///
/// Agents with what they use up, and, where a coordinator runs, tasks and open auctions. `?` shows the keys. Nothing
/// that it does holds an agent up: when it ends, all go on.
#[derive(Debug, Args)]
#[command(after_help = "Example: alveary top")]
pub(crate) struct Top {
    /// Begin with the agents whose name, state or id has this in it
    #[arg(value_name = "FILTER", add = crate::complete::agents())]
    filter: Option<String>,
}

/// The pictures are at least so far apart.
const FRAME: Duration = Duration::from_millis(33);

/// How often it is drawn although nothing is heard: ages grow, auctions run out.
const IDLE: Duration = Duration::from_millis(250);

impl Top {
    pub(crate) async fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        if !io::stdout().is_terminal() {
            return Err(Failure::input(
                "`top` draws on a terminal, and the standard output is none",
                "for a pipe or a file there are `alveary ps --watch` and `alveary stats`",
            ));
        }
        let fleet = context.fleet_or_recorded()?;
        let mut interrupts = Interrupts::take()?;
        let mut model = Model::new(fleet.swarm.to_string());
        model.filter = self.filter.clone().unwrap_or_default();
        let mut screen = Screen::take()?;
        let session = Session::new(model, Sources::looking_for(fleet));
        tokio::select! {
            ended = session.run(&mut screen) => ended,
            () = interrupts.next() => Ok(Outcome::Done),
        }
    }
}

/// What was asked for, and what came of it.
type Work = LocalBoxFuture<'static, Note>;

struct Session {
    model: Model,
    sources: Sources,
    opened: Option<Box<Opened>>,
    following: Following,
    work: FuturesUnordered<Work>,
    /// Since when the engine has owed an answer.
    asked: Option<Instant>,
}

impl Session {
    fn new(model: Model, sources: Sources) -> Self {
        Self {
            model,
            sources,
            opened: None,
            following: Following::default(),
            work: FuturesUnordered::new(),
            asked: None,
        }
    }

    async fn run(mut self, screen: &mut Screen) -> Result<Outcome, Failure> {
        let mut input = EventStream::new();
        let mut drawn = Instant::now();
        // Whether something has changed since it was drawn.
        let mut is_old = true;
        loop {
            let due = drawn + if is_old { FRAME } else { IDLE };
            tokio::select! {
                event = input.next() => {
                    let Some(event) = event else {
                        return Ok(Outcome::Done);
                    };
                    let event = event.map_err(Failure::system("have the terminal's keys as they are typed"))?;
                    if self.take(&event) == Some(Command::Quit) {
                        return Ok(Outcome::Done);
                    }
                    // Whoever presses a key looks for what it does.
                    drawn -= FRAME;
                }
                news = self.sources.next() => self.hear(news)?,
                heard = self.following.next() => self.written(heard)?,
                Some(note) = self.work.next(), if !self.work.is_empty() => self.model.note = Some(note),
                () = sleep_until(due) => {
                    self.model.now = SystemTime::now();
                    self.model.silent = self.asked.map(|asked| asked.elapsed());
                    screen.show(&mut self.model)?;
                    drawn = Instant::now();
                    is_old = false;
                    continue;
                }
            }
            self.follow();
            is_old = true;
        }
    }

    /// Takes a key, or what the mouse does.
    fn take(&mut self, event: &Event) -> Option<Command> {
        match event {
            Event::Key(event) => {
                let command = key(&mut self.model, *event)?;
                self.begin(&command);
                Some(command)
            }
            Event::Mouse(event) => {
                mouse(&mut self.model, *event);
                None
            }
            // A new size is seen when it is drawn.
            _ => None,
        }
    }

    /// Begins what was asked for. Nobody waits for it.
    fn begin(&mut self, command: &Command) {
        let Some(opened) = &self.opened else {
            return;
        };
        let swarm = opened.swarm.clone();
        let (said, work) = match command.clone() {
            Command::Quit => return,
            Command::Stop(id, name) => {
                let said = format!("stopping {name}");
                let work = async move {
                    let stopped = swarm.stop(&id, StopOptions::default()).await;
                    said_of(&name, stopped.map(|exit| exit.to_string()))
                };
                (said, work.boxed_local())
            }
            Command::Restart(id, name) => {
                let said = format!("restarting {name}");
                let work = async move {
                    let started = swarm.restart(&id, StopOptions::default()).await;
                    said_of(&name, started.map(|info| format!("is {}", info.state)))
                };
                (said, work.boxed_local())
            }
        };
        self.model.note = Some(Note::good(said));
        self.work.push(work);
    }

    fn hear(&mut self, news: News) -> Result<(), Failure> {
        let model = &mut self.model;
        match news {
            News::Asked => {
                self.asked.get_or_insert_with(Instant::now);
            }
            News::Answered => self.asked = None,
            News::Silent(why) | News::Unheard(why) => model.trouble = Some(Note::bad(why).what),
            News::Absent => {
                model.is_there = false;
                self.asked = None;
            }
            News::Failed(failure) => return Err(failure),
            News::Opened(opened) => {
                model.is_there = true;
                model.backend = opened.swarm.backend().kind().to_string();
                self.sources = Sources::of(&opened);
                self.opened = Some(opened);
                self.asked = None;
            }
            News::Agents(agents, is_supervised) => {
                model.set_agents(agents);
                model.is_supervised = is_supervised;
            }
            News::Usage(used) => model.used = used,
            News::Tasks(tasks) => model.set_tasks(tasks),
        }
        Ok(())
    }

    /// Reads the output of the agent that is meant, and of no other.
    fn follow(&mut self) {
        let wanted = self.model.wanted_log();
        if wanted == self.model.log.of {
            return;
        }
        self.following = Following::default();
        let Some(wanted) = wanted else {
            self.model.log = Log::default();
            return;
        };
        if let Some(opened) = &self.opened {
            let (id, name) = (wanted.id.clone(), wanted.name.clone());
            self.following.add(&opened.swarm, id, name, Log::options());
        }
        self.model.log = Log::of(wanted);
    }

    fn written(&mut self, heard: Heard) -> Result<(), Failure> {
        let log = &mut self.model.log;
        match heard.what {
            What::Item(item) => log.hear(&item)?,
            What::Broken(error) => log.end(Note::bad(error.summary()).what)?,
            What::End(_) => log.end("it has ended")?,
        }
        Ok(())
    }
}

fn said_of(name: &str, result: Result<String, Error>) -> Note {
    match result {
        Ok(done) => Note::good(format!("{name} {done}")),
        Err(error) => Note::bad(error.with_name(name).summary()),
    }
}
