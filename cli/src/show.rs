//! What a foreground `up` shows: agents coming up, what they write, their ends, and a table at the last.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};

use alveary::{
    Agent, AgentId, AgentState, Escaped, Fleet, Incarnation, LogOptions, SwarmEvent, SwarmManager,
};
use anstyle::Style;

use crate::context::in_the_files_order;
use crate::failure::{Failure, tell_of};
use crate::follow::{Following, Heard, What};
use crate::output::{
    self, Fetches, LinePrinter, LineStyle, Progress, Screen, Table, lasting, note, paint,
};
use crate::steps::Step;
use crate::together::Together;
use crate::verbs::logs::print;

/// The screen of a foreground `up`, and what it knows of the agents on it.
pub(crate) struct Show {
    swarm: SwarmManager,
    printer: LinePrinter<BufWriter<StdoutLock<'static>>>,
    following: Following,
    screen: Screen,
    fetches: Fetches,
    /// Those that did not start for one reason.
    together: Together,
    /// While agents are coming up.
    progress: Option<Progress>,
    /// Everyone in the swarm, as they are now.
    agents: HashMap<AgentId, Agent>,
    /// Those that are to be brought up here.
    meant: Vec<(AgentId, String)>,
    /// Those that were brought up here, by name.
    members: HashMap<AgentId, String>,
    /// The start that was known of each when another was made here.
    earlier: HashMap<AgentId, Incarnation>,
    /// Those whose output is shown as it comes, by name.
    followed: HashSet<String>,
    /// The last start of each of the others that was.
    ended: HashMap<String, Incarnation>,
    /// Who restarts agents, where that is another, and it was not said yet.
    beside: Option<u32>,
    /// Nobody can read what is printed any more.
    unseen: bool,
}

impl Show {
    pub(crate) fn new(swarm: SwarmManager) -> Self {
        let style = LineStyle {
            names: true,
            ..LineStyle::of_stdout()
        };
        let screen = Screen::new();
        Self {
            swarm,
            fetches: Fetches::on(&screen),
            together: Together::default(),
            screen,
            printer: LinePrinter::new(output::stdout(), style),
            following: Following::default(),
            progress: None,
            agents: HashMap::new(),
            meant: Vec::new(),
            members: HashMap::new(),
            earlier: HashMap::new(),
            followed: HashSet::new(),
            ended: HashMap::new(),
            beside: None,
            unseen: false,
        }
    }

    /// This process restarts the agents meanwhile.
    pub(crate) fn is_beside(&mut self, supervisor: u32) {
        self.beside = Some(supervisor);
    }

    /// Whether nobody can read what is printed any more: a terminal was closed, the end of a pipe has gone.
    pub(crate) fn is_unseen(&self) -> bool {
        self.unseen
    }

    /// Those that are to be brought up here, whether they have come up yet or not.
    pub(crate) fn meant(&self) -> &[(AgentId, String)] {
        &self.meant
    }

    /// It has been stopped: one that was still on its way up is shown with the others at the end.
    pub(crate) fn stopped(&mut self, id: AgentId, name: String) {
        self.members.entry(id).or_insert(name);
    }

    /// Whether all have ended for good, and all that they wrote has been shown.
    pub(crate) fn is_over(&self) -> bool {
        let settled = |id| self.agents.get(id).is_none_or(Agent::is_settled);
        self.following.is_empty() && self.members.keys().all(settled)
    }

    /// The one of those that were brought up here that ended for good first, if any has. That an earlier start of it
    /// has ended is another thing.
    pub(crate) fn first_that_ended(&self) -> Option<String> {
        let members = self.members.keys().filter_map(|id| self.agents.get(id));
        let is_earlier =
            |agent: &&Agent| self.earlier.get(agent.id()) == Some(&agent.info.incarnation);
        members
            .filter(|agent| agent.is_settled() && !is_earlier(agent))
            .min_by_key(|agent| agent.exit.as_ref().and_then(|exit| exit.at))
            .map(|agent| agent.name().to_owned())
    }

    /// Prints a line besides the agents' own.
    pub(crate) fn say(&mut self, line: impl fmt::Display) {
        self.aside(|printer| {
            printer.flush()?;
            // Beside what the agents say, this is in the background.
            note(paint(Style::new().dimmed(), line));
            Ok(())
        });
    }

    /// Prints with the bar out of the way.
    fn aside(
        &mut self,
        print: impl FnOnce(&mut LinePrinter<BufWriter<StdoutLock<'static>>>) -> io::Result<()>,
    ) {
        if self.unseen {
            return;
        }
        let Self {
            printer, screen, ..
        } = self;
        let printed = if self.progress.is_some() || self.fetches.is_any() {
            screen.aside(|| {
                print(printer)?;
                printer.flush()
            })
        } else {
            print(printer)
        };
        self.unseen = printed.is_err();
    }

    /// Shows a step of the bring-up.
    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Step::Planned { meant, left } => {
                // Whoever is refused need not know of it: nothing is begun.
                if let Some(pid) = self.beside.take() {
                    self.say(format_args!(
                        "process {pid} restarts the agents of this swarm; at its end, this stops them all the same"
                    ));
                }
                if let Some(left) = left {
                    self.say(format_args!("{left}"));
                }
                for (_, name) in &meant {
                    self.printer.expect(name);
                }
                self.progress = Some(Progress::on(self.screen.clone(), "starting", meant.len()));
                self.meant = meant;
            }
            Step::Started {
                id,
                name,
                start,
                kept,
                how,
                pid,
            } => {
                let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
                self.say(format_args!("{name} {how}{pid}"));
                self.advance();
                self.follow(id.clone(), name, kept);
                self.tell_if_over(&id, start);
                let known = self.agents.get(&id).map(|agent| agent.info.incarnation);
                // What is news of this start may come a moment later.
                if let Some(earlier) = known.filter(|known| *known != start) {
                    self.earlier.insert(id, earlier);
                }
            }
            Step::Ready(name) => self.say(format_args!("{name} is ready")),
            Step::Removed(name) => {
                self.say(format_args!("{name} removed"));
                self.advance();
            }
            Step::Failed(unstarted) => {
                if let Some(at_once) = self.together.keep(unstarted) {
                    self.aside(|printer| {
                        printer.flush()?;
                        at_once.tell();
                        Ok(())
                    });
                }
                self.advance();
            }
        }
    }

    /// Says how one ended that did so before it was known that it had begun.
    fn tell_if_over(&mut self, id: &AgentId, start: Incarnation) {
        let agent = self.agents.get(id);
        let over = agent.filter(|agent| agent.info.incarnation == start);
        if let Some(agent) = over.filter(|agent| agent.state().has_ended()) {
            let (name, news) = (agent.name().to_owned(), ending(agent));
            self.say(format_args!("{name} {news}"));
        }
    }

    fn advance(&self) {
        if let Some(progress) = &self.progress {
            progress.advance();
        }
    }

    /// The bring-up is through.
    pub(crate) fn is_up(&mut self) {
        self.progress = None;
        if !self.together.is_empty() {
            let mut together = std::mem::take(&mut self.together);
            self.aside(|printer| {
                printer.flush()?;
                together.tell();
                Ok(())
            });
        }
    }

    fn follow(&mut self, id: AgentId, name: String, kept: bool) {
        let mut options = LogOptions::default();
        if kept {
            // What it wrote before is in its logs.
            options.tail = Some(0);
        }
        // One whose output is followed is followed from one start to the next.
        if self.followed.insert(name.clone()) {
            self.following
                .add(&self.swarm, id.clone(), name.clone(), options);
        }
        self.members.insert(id, name);
    }

    /// Tells what went wrong with the bar out of the way.
    pub(crate) fn tell(&mut self, failure: &Failure) {
        self.aside(|printer| {
            printer.flush()?;
            failure.tell();
            Ok(())
        });
    }

    /// Shows what happens to the agents.
    pub(crate) fn event(&mut self, event: SwarmEvent) {
        match event {
            SwarmEvent::Snapshot(agents) => {
                for agent in agents {
                    self.changed(agent);
                }
            }
            SwarmEvent::Changed(agent) => self.changed(*agent),
            SwarmEvent::Removed(id) => {
                self.agents.remove(&id);
            }
            SwarmEvent::Fetching(fetch) => {
                self.aside(LinePrinter::flush);
                self.fetches.show(&fetch);
            }
            SwarmEvent::Lost { why } => self.say(format_args!(
                "nothing is known of the agents at the moment: {}",
                Escaped(&why)
            )),
            _ => {}
        }
    }

    fn changed(&mut self, agent: Agent) {
        let news = match self.agents.get(agent.id()) {
            Some(before) if self.members.contains_key(agent.id()) => news(before, &agent),
            _ => None,
        };
        if let Some(news) = news {
            self.say(format_args!("{} {news}", agent.name()));
        }
        let id = agent.id().clone();
        self.agents.insert(id.clone(), agent);
        self.follow_its_next_start(&id);
    }

    /// Waits for what an agent writes. What was written before is handed on first.
    pub(crate) async fn hear(&mut self) -> Heard {
        if let Some(heard) = self.following.at_once() {
            return heard;
        }
        self.aside(LinePrinter::flush);
        self.following.next().await
    }

    /// Shows what an agent wrote.
    pub(crate) fn heard(&mut self, heard: &Heard) {
        self.aside(|printer| match &heard.what {
            What::Item(item) => print(printer, &heard.name, item),
            What::End(_) => printer.end(&heard.name),
            What::Broken(error) => {
                printer.flush()?;
                tell_of(&heard.name, error);
                Ok(())
            }
        });
        let What::End(Some(start)) = heard.what else {
            return;
        };
        self.followed.remove(&heard.name);
        self.ended.insert(heard.name.clone(), start);
        let of_that_name = self.members.iter().find(|(_, name)| **name == heard.name);
        if let Some(id) = of_that_name.map(|(id, _)| id.clone()) {
            self.follow_its_next_start(&id);
        }
    }

    /// Goes on with one that had ended for good, and was started again all the same.
    fn follow_its_next_start(&mut self, id: &AgentId) {
        let (Some(name), Some(agent)) = (self.members.get(id), self.agents.get(id)) else {
            return;
        };
        let is_another = |start: &Incarnation| *start != agent.info.incarnation;
        if !self.followed.contains(name) && self.ended.get(name).is_some_and(is_another) {
            let name = name.clone();
            self.follow(id.clone(), name, false);
        }
    }

    /// Shows how each ended. Gives whether all did so well.
    pub(crate) async fn table(mut self, fleet: &Fleet) -> Result<bool, Failure> {
        self.aside(LinePrinter::flush);
        drop(self.fetches);
        let mut agents = self.swarm.list().await?;
        agents.retain(|agent| self.members.contains_key(agent.id()));
        in_the_files_order(fleet, &mut agents);
        let ended_well = agents.iter().all(ended_well);
        if agents.is_empty() || self.unseen {
            return Ok(ended_well);
        }
        let mut table = Table::new(&["NAME", "ENDED", "AFTER", "RESTARTS"]).whole_cells(true);
        for agent in &agents {
            table.row([
                agent.name().to_owned(),
                how(agent),
                after(agent),
                agent.restarts.to_string(),
            ]);
        }
        let mut out = output::stdout();
        writeln!(out)?;
        table.write(&mut out)?;
        out.flush()?;
        Ok(ended_well)
    }
}

/// What is new about an agent that is worth a line.
fn news(before: &Agent, now: &Agent) -> Option<String> {
    let ended = now.state().has_ended() && !before.state().has_ended();
    if ended || (before.restarting && now.is_settled()) {
        return Some(ending(now));
    }
    let what = match before.state() {
        AgentState::Starting { .. } => "started",
        before_it if before_it.has_ended() && before.restarting => "was started again",
        _ => return None,
    };
    (*now.state() == AgentState::Running).then(|| what.to_owned())
}

/// How an agent ended, and whether that is all.
fn ending(agent: &Agent) -> String {
    let next = if agent.restarting {
        "; it will be started again"
    } else {
        ""
    };
    format!("{}{next}", how(agent))
}

/// How an agent ended, in words.
fn how(agent: &Agent) -> String {
    match (agent.state(), &agent.exit) {
        (AgentState::Failed { reason }, _) => format!("failed: {}", Escaped(reason)),
        (_, Some(exit)) => exit.to_string(),
        (state, None) => format!("is {state}"),
    }
}

fn ended_well(agent: &Agent) -> bool {
    !matches!(agent.state(), AgentState::Failed { .. })
        && agent.exit.as_ref().is_some_and(alveary::Exit::is_clean)
}

/// How long its last start ran.
fn after(agent: &Agent) -> String {
    let began = agent.info.started_at.unwrap_or(agent.info.created_at);
    let ended = agent.exit.as_ref().and_then(|exit| exit.at);
    ended
        .and_then(|ended| ended.duration_since(began).ok())
        .map(lasting)
        .unwrap_or_default()
}
