//! `ps --watch`: shows the agents anew whenever something changes.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use alveary::{Agent, AgentId, Opened};
use futures_util::{FutureExt, StreamExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Ps;
use crate::bulk;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::{self, Canvas};
use crate::record::AgentRecord;

/// How often one looks unasked: ages grow, and a swarm may come to be.
const LOOK: Duration = Duration::from_secs(1);

/// What changes within this of another change is shown with it.
const TOGETHER: Duration = Duration::from_millis(50);

pub(super) async fn run(ps: &Ps, context: &Context) -> Result<Outcome, Failure> {
    let mut shown = Shown::new(ps)?;
    let mut resized =
        signal(SignalKind::window_change()).map_err(Failure::system("listen to signals"))?;
    let opened = loop {
        if let Some(opened) = context.open_existing().await? {
            break opened;
        }
        shown.show(&[], None)?;
        // It may be brought up in another window.
        sleep(LOOK).await;
    };
    let mut events = opened.swarm.subscribe().await;
    let mut pace = interval(LOOK);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut agents = opened.swarm.list().await?;
        // Whoever is not there yet, or no more, may come.
        agents.retain(|agent| {
            ps.names.is_empty() || ps.names.iter().any(|name| bulk::means(name, agent))
        });
        shown.show(&ps.meant(&opened, agents), Some(&opened))?;
        tokio::select! {
            event = events.next() => {
                if event.is_none() {
                    return Ok(Outcome::Done);
                }
                sleep(TOGETHER).await;
                while let Some(Some(_)) = events.next().now_or_never() {}
            }
            _ = pace.tick() => {}
            _ = resized.recv() => {}
        }
    }
}

/// What somebody sees, or has been given to read.
struct Shown<'a> {
    ps: &'a Ps,
    canvas: Option<Canvas>,
    /// Each agent as it was shown last, and by which line; none before anything was.
    last: Option<HashMap<AgentId, (Agent, Vec<u8>)>>,
}

impl<'a> Shown<'a> {
    fn new(ps: &'a Ps) -> Result<Self, Failure> {
        let canvas = if ps.format.is_plain() {
            Canvas::begin()?
        } else {
            None
        };
        Ok(Self {
            ps,
            canvas,
            last: None,
        })
    }

    fn show(&mut self, agents: &[Agent], of: Option<&Opened>) -> Result<(), Failure> {
        if let Some(canvas) = &self.canvas {
            return Ok(canvas.draw(&self.ps.table(agents).lines())?);
        }
        let is_first = self.last.is_none();
        let last = self.last.take().unwrap_or_default();
        let mut now = HashMap::new();
        let mut news = Vec::new();
        for agent in agents {
            let line = match last.get(agent.id()) {
                // As it was: an age in its line that has grown is no news.
                Some((before, line)) if before == agent => line.clone(),
                before => {
                    let line = self.line(agent, of)?;
                    if before.is_none_or(|(_, before)| *before != line) {
                        news.extend_from_slice(&line);
                    }
                    line
                }
            };
            now.insert(agent.id().clone(), (agent.clone(), line));
        }
        let is_less = last.keys().any(|id| !now.contains_key(id));
        self.last = Some(now);
        let mut out = output::stdout();
        if !self.ps.format.is_plain() {
            out.write_all(&news)?;
        } else if is_first || is_less || !news.is_empty() {
            if !is_first {
                writeln!(out)?;
            }
            self.ps.table(agents).write(&mut out)?;
        }
        // Whoever reads it along reads it now.
        Ok(out.flush()?)
    }

    /// What there is to see of an agent, but for its age in the table.
    fn line(&self, agent: &Agent, of: Option<&Opened>) -> Result<Vec<u8>, Failure> {
        let Some(opened) = of.filter(|_| !self.ps.format.is_plain()) else {
            return Ok(self.ps.row(agent, String::new()).join("\n").into_bytes());
        };
        let backend = opened.swarm.backend().kind();
        let record = AgentRecord::new(agent, opened.fleet.swarm.as_str(), backend.as_str());
        self.ps.format.line(&record)
    }
}
