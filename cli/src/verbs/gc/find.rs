//! What is left of a swarm, and whether it still is.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use alveary::{
    Agent, AgentState, DownOptions, ErrorKind, Escaped, Opened, RemoveOptions, StopOptions,
    Supervision, SwarmRecord, recorded_swarm, recorded_swarms,
};

use super::strays::{self, Stray};
use crate::bench::hive;
use crate::context::Context;
use crate::failure::Failure;

/// A swarm that there has been.
#[derive(Debug)]
pub(super) struct Heap {
    pub(super) record: SwarmRecord,
    /// The folder that its state folder is in.
    root: Option<PathBuf>,
}

/// What is to be ended.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) what: What,
    pub(super) why: Why,
}

#[derive(Debug)]
pub(super) enum What {
    Agent(Box<Agent>),
    Process(Stray),
}

/// Why it is to be ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// The fleet file that its swarm was started from is not there any more.
    FileGone(PathBuf),
    /// The swarm's records do not know it.
    Unrecorded,
    /// Its agent has ended, and it has not.
    Outlived,
    /// It was started by a bench that was killed.
    Benched,
    /// Nobody restarts the agents of its swarm.
    Unsupervised,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileGone(file) => {
                write!(f, "{} is gone", Escaped(&file.display().to_string()))
            }
            Self::Unrecorded => f.write_str("no record of the swarm knows it"),
            Self::Outlived => f.write_str("its agent has ended"),
            Self::Benched => f.write_str("the bench that started it is over"),
            Self::Unsupervised => f.write_str("nobody restarts its swarm any more"),
        }
    }
}

/// The swarms that are meant: the one that is named, or else all that there have been.
pub(super) fn heaps(context: &Context) -> Result<Vec<Heap>, Failure> {
    if context.global.swarm.is_none() && context.global.file.is_none() {
        let mut heaps = Vec::new();
        for record in recorded_swarms(None)? {
            match record {
                Ok(record) => heaps.push(Heap { record, root: None }),
                Err(error) => Failure::from(error).tell(),
            }
        }
        return Ok(heaps);
    }
    let fleet = context.fleet_or_recorded()?;
    let record = recorded_swarm(&fleet.swarm, fleet.state_dir.as_deref())?;
    Ok(record
        .map(|record| Heap {
            record,
            root: fleet.state_dir,
        })
        .into_iter()
        .collect())
}

impl Heap {
    /// Opens the swarm as it is recorded; none where it is no file's, and so a program's, which knows best.
    pub(super) async fn open(&self, context: &Context) -> Result<Option<Opened>, Failure> {
        if self.record.file.is_none() {
            return Ok(None);
        }
        let fleet = context.fleet_of(&self.record, self.root.as_deref())?;
        Ok(Some(context.open_fleet_to_start(fleet).await?))
    }

    /// What is left of it now.
    pub(super) async fn look(
        &self,
        opened: &Opened,
        unsupervised: bool,
    ) -> Result<Vec<Found>, Failure> {
        let agents = opened.swarm.list().await?;
        // Where nothing is known of one, nothing can be said of any.
        if let Some(AgentState::Unknown { why }) = agents.iter().map(Agent::state).find(is_unknown)
        {
            return Err(Failure::input(
                format!("nothing is known of its agents: {}", Escaped(why)),
                "run `alveary doctor`, and this again when the backend can be heard",
            ));
        }
        let of_all = self.why_all(opened, unsupervised)?;
        if of_all.is_none() && agents.iter().any(|agent| agent.desired.is_none()) {
            refuse_damaged(opened)?;
        }
        let mut found: Vec<Found> = strays::of(self.record.uid, &agents)
            .into_iter()
            .map(|stray| Found {
                what: What::Process(stray),
                why: Why::Outlived,
            })
            .collect();
        for agent in agents {
            let why = match &of_all {
                Some(why) => why.clone(),
                None if agent.desired.is_none() => Why::Unrecorded,
                None => continue,
            };
            found.push(Found {
                what: What::Agent(Box::new(agent)),
                why,
            });
        }
        Ok(found)
    }

    /// Why everything of it is to be ended, if it is.
    fn why_all(&self, opened: &Opened, unsupervised: bool) -> Result<Option<Why>, Failure> {
        let Some(file) = &self.record.file else {
            return Ok(None);
        };
        if opened.swarm.state_dir().is_some_and(hive::is_left) {
            return Ok(Some(Why::Benched));
        }
        match fs::symlink_metadata(file) {
            // Agents of `spawn` need none.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && self.record.file_was_there == Some(true) =>
            {
                return Ok(Some(Why::FileGone(file.clone())));
            }
            // Whether it is there is not known, so that nothing hangs on it.
            _ => {}
        }
        let nobody = unsupervised && opened.swarm.supervision()? == Supervision::Nobody;
        Ok(nobody.then_some(Why::Unsupervised))
    }

    /// Ends it, if it is still what it was found to be. Says how it ended; `None`: it is left alone.
    pub(super) async fn end(
        &self,
        found: &Found,
        unsupervised: bool,
        context: &Context,
    ) -> Result<Option<String>, Failure> {
        // Opened anew for each: what was known of the swarm a moment ago proves nothing.
        let Some(opened) = self.open(context).await? else {
            return Ok(None);
        };
        match &found.what {
            What::Process(stray) => {
                let ended = strays::end(stray, self.record.uid, &opened.swarm).await?;
                Ok(ended.then(|| "ended by force".to_owned()))
            }
            What::Agent(agent) => {
                let now = self.look(&opened, unsupervised).await?;
                let same = now.iter().any(|now| {
                    now.why == found.why
                        && matches!(&now.what, What::Agent(now) if now.id() == agent.id()
                            && now.info.incarnation == agent.info.incarnation)
                });
                if !same {
                    return Ok(None);
                }
                let this_start = StopOptions::default().with_incarnation(agent.info.incarnation);
                let mut how = "removed".to_owned();
                match opened.swarm.stop(agent.id(), this_start).await {
                    Ok(exit) if !agent.state().has_ended() => how = format!("{exit}, and removed"),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(error.into()),
                }
                match opened
                    .swarm
                    .remove(agent.id(), RemoveOptions::default())
                    .await
                {
                    Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
                    _ => Ok(Some(how)),
                }
            }
        }
    }

    /// Ends who would restart its agents, once there are none and its file is gone.
    pub(super) async fn see_off(&self, context: &Context) -> Result<(), Failure> {
        let Some(opened) = self.open(context).await? else {
            return Ok(());
        };
        let why = self.why_all(&opened, false)?;
        if why.is_none() || !opened.swarm.list().await?.is_empty() {
            return Ok(());
        }
        let of_a_bench = why == Some(Why::Benched);
        let options = DownOptions::default().with_volumes(of_a_bench);
        opened.swarm.down(options).await?;
        let folder = opened.swarm.state_dir().map(Path::to_owned);
        drop(opened);
        match folder {
            // Nobody will ever go on with it.
            Some(folder) if of_a_bench => hive::remove(&folder),
            _ => Ok(()),
        }
    }
}

/// Where records were lost, an agent that none of them knows may still be somebody's.
fn refuse_damaged(opened: &Opened) -> Result<(), Failure> {
    let Some(file) = opened.swarm.damaged_records() else {
        return Ok(());
    };
    Err(Failure::input(
        format!(
            "{} keeps records of its agents that could not be read, and some agents are in no other",
            Escaped(&file.display().to_string())
        ),
        "bring the swarm up, which records those of its file anew, and remove that file when nobody else is wanted",
    ))
}

fn is_unknown(state: &&AgentState) -> bool {
    matches!(state, AgentState::Unknown { .. })
}

impl Found {
    /// What it is called where several swarms are spoken of.
    pub(super) fn title(&self, heap: &Heap) -> String {
        match &self.what {
            What::Agent(agent) => format!("{}/{}", heap.record.name, agent.name()),
            What::Process(stray) => format!(
                "{}: process {} ({})",
                heap.record.name,
                stray.pid,
                Escaped(&stray.program)
            ),
        }
    }
}
