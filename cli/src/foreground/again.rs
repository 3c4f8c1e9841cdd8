//! What `up --watch` does about a change: it brings up what the fleet is now, and starts agents again whose files are others.

use std::collections::HashSet;
use std::path::Path;

use alveary::{
    AgentId, AgentInfo, Desired, Error, Fleet, Opened, StopOptions, SwarmManager, UpOptions,
    UpOutcome, UpReport,
};
use futures_util::future::join_all;

use crate::failure::Failure;
use crate::show::Show;
use crate::watching::{Changed, Watching};

/// The swarm as the files have it now.
pub(super) struct Again {
    swarm: SwarmManager,
    fleet: Fleet,
    options: UpOptions,
    watching: Watching,
    /// Those whose last start came to nothing, by name: they are recorded as stopped, and nobody has stopped them.
    unstarted: HashSet<String>,
}

/// What came of a change.
pub(super) struct Done {
    /// Of bringing up what the fleet is now, where it is another.
    up: Option<Result<UpReport, Error>>,
    /// Of starting agents again, by name.
    agents: Vec<(String, Result<Started, Error>)>,
}

/// How one was started again, if it was.
enum Started {
    /// Its way is that of every bring-up, which is told of by itself.
    Up,
    Restarted(Box<AgentInfo>),
    /// Somebody has stopped it, and it is to stay so.
    Not,
}

impl Again {
    pub(super) fn new(opened: &Opened, options: UpOptions, watching: Watching) -> Self {
        Self {
            swarm: opened.swarm.clone(),
            fleet: opened.fleet.clone(),
            options,
            watching,
            unstarted: HashSet::new(),
        }
    }

    /// Waits until something has changed. Dropping the call loses nothing.
    pub(super) async fn next(&mut self) -> Changed {
        self.watching.next().await
    }

    /// Begins to do what a change asks for.
    pub(super) fn begin(
        &mut self,
        changed: Changed,
        show: &mut Show,
    ) -> impl Future<Output = Done> + Send + use<> {
        let is_another = changed.fleet.is_some_and(|file| self.reread(&file, show));
        for (agent, file) in &changed.agents {
            show.say(format_args!("{agent}: {} has changed", file.display()));
        }
        let agents: Vec<String> = changed.agents.into_keys().collect();
        let (swarm, fleet, options) =
            (self.swarm.clone(), self.fleet.clone(), self.options.clone());
        let unstarted = self.unstarted.clone();
        async move {
            let mut fresh = HashSet::new();
            let mut up = None;
            if is_another {
                let report = swarm.up(&fleet, options.clone()).await;
                let outcomes = report.iter().flat_map(|report| &report.outcomes);
                let started = outcomes.filter(|outcome| outcome.started().is_some());
                fresh.extend(started.map(|outcome: &UpOutcome| outcome.step.name.clone()));
                up = Some(report);
            }
            // What was started a moment ago is what its files are now.
            let agents = agents.into_iter().filter(|name| !fresh.contains(name));
            let agents = agents.map(|name| async {
                let anyhow = unstarted.contains(&name);
                let started = start(&swarm, &fleet, &options, &name, anyhow).await;
                (name, started)
            });
            let agents = join_all(agents).await;
            Done { up, agents }
        }
    }

    /// Takes the fleet as it is written now. `false`: it cannot be, and is as it was.
    fn reread(&mut self, file: &Path, show: &mut Show) -> bool {
        show.say(format_args!("{} has changed", file.display()));
        let read = self.watching.reread(&self.fleet);
        let read = read.and_then(|fleet| self.watching.watch(&fleet).map(|()| fleet));
        match read {
            Ok(fleet) => {
                self.fleet = fleet;
                true
            }
            Err(failure) => {
                show.tell(&failure);
                show.say("all goes on as before");
                false
            }
        }
    }

    /// Shows what came of it.
    pub(super) fn done(&mut self, done: Done, show: &mut Show) {
        if let Some(Err(error)) = done.up {
            show.tell(&Failure::from(error));
            show.say("all goes on as before");
        }
        for (name, started) in done.agents {
            self.unstarted.remove(&name);
            match started {
                Ok(Started::Restarted(info)) => {
                    let pid = info.pid.map(|pid| format!(" (pid {pid})"));
                    show.say(format_args!(
                        "{name} is {}{}",
                        info.state,
                        pid.unwrap_or_default()
                    ));
                }
                Ok(Started::Up | Started::Not) => {}
                Err(error) => {
                    self.watching.forget(&name);
                    show.tell(&Failure::from(error.with_name(&name)));
                    self.unstarted.insert(name);
                }
            }
        }
    }

    pub(super) fn into_fleet(self) -> Fleet {
        self.fleet
    }
}

/// Starts one again, or, where it has not come up yet, brings it up. `anyhow`: though it is recorded as stopped.
async fn start(
    swarm: &SwarmManager,
    fleet: &Fleet,
    options: &UpOptions,
    name: &String,
    anyhow: bool,
) -> Result<Started, Error> {
    let Some(agent) = swarm.find(name).await? else {
        let alone = options.clone().with_names([name]);
        return swarm.up(fleet, alone).await.map(|_| Started::Up);
    };
    if agent.desired == Some(Desired::Stopped) && !anyhow {
        return Ok(Started::Not);
    }
    let id: &AgentId = agent.id();
    let info = swarm.restart(id, StopOptions::default()).await?;
    Ok(Started::Restarted(Box::new(info)))
}
